"""The commands that keep recordings. Only signatures: what they do is imported when one runs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from antiphon.cli import exits
from antiphon.cli import options as o

cassettes = typer.Typer(
    help="The recordings in a folder: what is there, what is wrong, what may go.", no_args_is_help=True
)

Place = Annotated[str, typer.Argument(help="openai/chat, openai/chat#2 (counted from 0), or a pattern: 'openai/*'.")]
Places = Annotated[list[str], typer.Argument(help="openai/chat, openai/chat#2 (counted from 0), or 'openai/*'.")]
OfProvider = Annotated[str, typer.Option("--provider", help="Only recordings in this provider's folder.")]
Endpoint = Annotated[str, typer.Option(help="Only those whose method, host and path hold this text.")]
OfScenario = Annotated[str, typer.Option("--scenario", help="Only recordings of this scenario.")]
Folder = Annotated[
    Path | None, typer.Option("--cassettes", help="Folder of recordings. (default: ANTIPHON_CASSETTES, cassettes)")
]
AsMarkdown = Annotated[bool, typer.Option("--markdown", help="Print Markdown.")]
AsHtml = Annotated[Path | None, typer.Option("--html", help="Also write a page to this file.")]


class Part(StrEnum):
    """What of an exchange."""

    RESPONSE = "response"
    REQUEST = "request"


@cassettes.command("list", epilog=exits.HELP)
def list_(
    provider: OfProvider = "",
    endpoint: Endpoint = "",
    scenario: OfScenario = "",
    each: Annotated[bool, typer.Option("--each", help="One line a recording instead of counts by endpoint.")] = False,
    folder: Folder = None,
    as_json: o.Json = False,
) -> None:
    """List recordings by provider and endpoint, with counts."""
    from antiphon.cli import cassettes as work

    work.list_(folder, provider=provider, endpoint=endpoint, scenario=scenario, each=each, as_json=as_json)


@cassettes.command(epilog=exits.HELP)
def show(place: Place, folder: Folder = None, as_json: o.Json = False) -> None:
    """Show recordings to a person: where from, what was asked, what came back and when."""
    from antiphon.cli import cassettes as work

    work.show(folder, place, as_json=as_json)


@cassettes.command(epilog=exits.HELP)
def get(
    place: Place,
    part: Annotated[Part, typer.Option(help="Which body.")] = Part.RESPONSE,
    folder: Folder = None,
    as_json: o.Json = False,
) -> None:
    """Write one recording's body, byte for byte, to standard output; with --json the exchange, as `put` takes it."""
    from antiphon.cli import cassettes as work

    work.get(folder, place, part=part.value, as_json=as_json)


@cassettes.command(epilog=exits.HELP)
def put(
    name: Annotated[str, typer.Argument(help="The cassette: provider/name.")],
    source: Annotated[
        Path | None, typer.Option("--from", help="Exchanges as `get --json` writes them; '-' reads standard input.")
    ] = None,
    url: Annotated[str, typer.Option(help="The address that was asked.")] = "",
    method: Annotated[str, typer.Option(help="(default: POST, or GET without a request)")] = "",
    request: Annotated[Path | None, typer.Option(help="File with the request's body.")] = None,
    response: Annotated[Path | None, typer.Option(help="File with the answer's body.")] = None,
    status: Annotated[int, typer.Option(min=100, max=599, help="The answer's status.")] = 200,
    content_type: Annotated[str, typer.Option(help="The answer's. (default: by its content)")] = "",
    scenario: Annotated[str, typer.Option(help="What it is an example of.")] = "",
    folder: Folder = None,
    as_json: o.Json = False,
) -> None:
    """Store an exchange by hand. It says that it was authored; an equal request's recording is replaced."""
    from antiphon.cli import cassettes_change as work

    if (source is None) == (not url):
        raise typer.BadParameter("give either --from, or --url and --response", param_hint="--from")
    given = work.Given(
        url=url,
        method=method,
        request=request,
        response=response,
        status=status,
        content_type=content_type,
    )
    work.put(folder, name, source=source, given=given, scenario=scenario, as_json=as_json)


@cassettes.command(epilog=exits.HELP)
def rm(places: Places, folder: Folder = None, as_json: o.Json = False) -> None:
    """Remove recordings. A cassette whose last recording goes is removed too."""
    from antiphon.cli import cassettes_change as work

    work.rm(folder, places, as_json=as_json)


@cassettes.command(epilog=exits.HELP)
def clear(
    provider: OfProvider = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    folder: Folder = None,
    as_json: o.Json = False,
) -> None:
    """Remove all recordings, or all of one provider."""
    from antiphon.cli import cassettes_change as work

    work.clear(folder, provider=provider, yes=yes, as_json=as_json)


@cassettes.command(epilog=exits.HELP)
def prune(
    older_than: Annotated[str, typer.Option(help="Age by the recording's own date: 90d, 12w or 36h.")] = "",
    undated: Annotated[bool, typer.Option("--undated", help="With --older-than: also those without a date.")] = False,
    used: Annotated[
        Path | None, typer.Option(help="File with a line for each recording that a run used; the others go.")
    ] = None,
    orphans: Annotated[bool, typer.Option("--orphans", help="Remove blobs that no cassette names.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    provider: OfProvider = "",
    folder: Folder = None,
    as_json: o.Json = False,
) -> None:
    """Remove recordings that are too old, or that nothing used."""
    from antiphon.cli import cassettes_change as work

    if not older_than and used is None and not orphans:
        raise typer.BadParameter("say what may go: --older-than, --used or --orphans", param_hint="--older-than")
    wanted = work.Wanted(older_than=older_than, undated=undated, used=used, orphans=orphans, provider=provider)
    work.prune(folder, wanted, dry_run=dry_run, as_json=as_json)


@cassettes.command(epilog=exits.HELP)
def stats(folder: Folder = None, as_json: o.Json = False) -> None:
    """Count recordings by provider, origin, outcome, status, scenario and age."""
    from antiphon.cli import cassettes as work

    work.stats(folder, as_json=as_json)


@cassettes.command(epilog=exits.HELP)
def coverage(
    scenarios: Annotated[
        str, typer.Option(help="Scenario set that is wanted: 'standard' or a file. (default: those recorded)")
    ] = "",
    provider: Annotated[list[str] | None, typer.Option(help="Provider that is wanted; repeatable.")] = None,
    markdown: AsMarkdown = False,
    html: AsHtml = None,
    strict: Annotated[bool, typer.Option("--strict", help="End with status 1 where a cell is empty.")] = False,
    folder: Folder = None,
    as_json: o.Json = False,
) -> None:
    """Show which scenario is recorded for which provider, and name the empty cells."""
    from antiphon.cli import cassettes_check as work

    form = work.Form(markdown=markdown, html=html, as_json=as_json)
    work.coverage(folder, scenarios=scenarios, providers=provider or (), strict=strict, form=form)


@cassettes.command(epilog=exits.HELP)
def conformance(
    provider: OfProvider = "",
    markdown: AsMarkdown = False,
    html: AsHtml = None,
    folder: Folder = None,
    as_json: o.Json = False,
) -> None:
    """Show which provider does what, by its recordings."""
    from antiphon.cli import cassettes_check as work

    work.conformance(folder, provider=provider, form=work.Form(markdown=markdown, html=html, as_json=as_json))


@cassettes.command(epilog=exits.HELP)
def verify(
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count too.")] = False,
    folder: Folder = None,
    as_json: o.Json = False,
) -> None:
    """Check that every file loads, its bytes derive and it holds no credential: status 1 otherwise."""
    from antiphon.cli import cassettes_check as work

    work.verify(folder, strict=strict, as_json=as_json)


@cassettes.command(epilog=exits.HELP)
def scan(folder: Folder = None, as_json: o.Json = False) -> None:
    """Look for credentials in every cassette and blob: status 1 where one is found, or a file cannot be searched."""
    from antiphon.cli import cassettes_check as work

    work.scan(folder, as_json=as_json)


@cassettes.command("import", epilog=exits.HELP)
def import_(
    source: Annotated[
        Path, typer.Argument(help="File or folder of vcrpy, pydantic-ai, langchain, go-vcr or Ruby's VCR.")
    ],
    name: Annotated[str, typer.Option(help="The cassette, for one file. (default: the file's own name)")] = "",
    scrub: Annotated[
        bool, typer.Option("--scrub", help="Mask credentials, at their length, instead of refusing.")
    ] = False,
    licence: Annotated[str, typer.Option(help="Terms on which the content may be passed on, to be noted.")] = "",
    folder: Folder = None,
    as_json: o.Json = False,
) -> None:
    """Turn cassettes of other recorders into antiphon's. Status 1 where one was refused; the others are written."""
    from antiphon.cli import cassettes_change as work

    work.import_(folder, source, name=name, scrub=scrub, licence=licence or None, as_json=as_json)
