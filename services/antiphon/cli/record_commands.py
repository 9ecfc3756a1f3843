"""The commands that ask live providers for recordings. Only signatures: what they do is imported when one runs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from antiphon.cli import options as o
from antiphon.cli.cassettes_commands import AsMarkdown, Folder


class Level(StrEnum):
    """From which finding on the command fails."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    NEVER = "never"


def record(
    provider: Annotated[
        list[str], typer.Option(help="Provider to ask, or provider/model; repeatable.", show_default=False)
    ],
    scenarios: Annotated[str, typer.Argument(help="'standard', or a scenario file.")] = "standard",
    only: Annotated[list[str] | None, typer.Option(help="Only this scenario; repeatable.")] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(metavar="[SLOT=]PROVIDER/MODEL", help="The model of a slot, such as embeddings; repeatable."),
    ] = None,
    folder: Folder = None,
    limit: Annotated[str, typer.Option(help="Most US dollars to spend, such as 0.50. (default: no limit)")] = "",
    price: Annotated[
        list[str] | None,
        typer.Option(metavar="PROVIDER/MODEL=INPUT/OUTPUT", help="Dollars for a million tokens; repeatable."),
    ] = None,
    allow_unknown_cost: Annotated[
        bool, typer.Option("--allow-unknown-cost", help="With --limit: go on after calls whose cost is not known.")
    ] = False,
    retries: Annotated[int, typer.Option(min=0, max=10, help="Times that a busy provider is asked again.")] = 2,
    timeout: Annotated[float, typer.Option(min=1, max=o.MAX_SECONDS, help="Seconds for one call.")] = 300.0,
    keep_failed: Annotated[
        bool, typer.Option("--keep-failed", help="Also keep what did not go as the scenario expects.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what would be asked.")] = False,
    as_json: o.Json = False,
) -> None:
    """Ask live providers a set of scenarios, and keep their answers as cassettes."""
    from antiphon.cli import record as work

    options = work.Options(
        scenarios=scenarios,
        providers=provider,
        only=only or (),
        models=model or (),
        prices=price or (),
        cassettes=folder,
        limit=limit,
        allow_unknown=allow_unknown_cost,
        retries=retries,
        timeout=timeout,
        keep_failed=keep_failed,
        dry_run=dry_run,
    )
    work.run(options, as_json=as_json)


def drift(
    provider: Annotated[list[str] | None, typer.Option(help="Only recordings of this provider; repeatable.")] = None,
    sample: Annotated[int, typer.Option(min=0, max=10_000, help="Most calls to make; 0 for none.")] = 20,
    max_age: Annotated[str, typer.Option(help="Name recordings older than this: 90d, 12w or 36h.")] = "",
    fail_on: Annotated[Level, typer.Option(help="From which finding on to end with status 1.")] = Level.ERROR,
    rehost: Annotated[
        bool, typer.Option("--rehost", help="Ask recordings of another address at the provider's own.")
    ] = False,
    keep: Annotated[Path | None, typer.Option(help="Keep the new recordings in this folder.")] = None,
    conformance: Annotated[
        bool, typer.Option("--conformance", help="Add the table of features and providers.")
    ] = False,
    markdown: AsMarkdown = False,
    folder: Folder = None,
    as_json: o.Json = False,
) -> None:
    """Ask providers again what was recorded, and tell how the shape of their answers has changed."""
    from antiphon.cli import drift as work

    options = work.Options(
        providers=provider or (),
        sample=sample,
        max_age=max_age,
        fail_on=fail_on.value,
        rehost=rehost,
        keep=keep,
        conformance=conformance,
        cassettes=folder,
    )
    work.run(options, markdown=markdown, as_json=as_json)
