"""`antiphon drift`: what was recorded is asked again, and the shapes of the answers are compared."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx
import typer
from rich.text import Text

from antiphon.adapter.credentials import Credentials
from antiphon.adapter.providers import Provider, Providers
from antiphon.cli import exits, shown_features, terminal
from antiphon.cli.cassettes import library, warn_unreadable
from antiphon.cli.cassettes_change import duration
from antiphon.cli.cassettes_check import conformance_of
from antiphon.cli.failure import EXITS
from antiphon.cli.harness_errors import told
from antiphon.cli.provider_rows import provider_rows
from antiphon.cli.tables import json_out, matrix_document, print_matrix
from antiphon.core.errors import Code, Reason, ServiceError
from antiphon.core.settings import Settings, credentials_environment, load
from antiphon.harness import age
from antiphon.harness import drift as drifting
from antiphon.harness.differing import Severity
from antiphon.harness.drift import CannotAskError, Checked, Report
from antiphon.harness.drift_report import document, markdown
from antiphon.harness.holdings import Contents, Item
from antiphon.harness.matrix import Matrix
from antiphon.harness.matrix import markdown as matrix_markdown
from antiphon.replay.endpoints import of_row

_STYLES: Final = {Severity.INFO: "dim", Severity.WARNING: "yellow", Severity.ERROR: "red"}
_LEVELS: Final = {"info": Severity.INFO, "warning": Severity.WARNING, "error": Severity.ERROR, "never": None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the user asked for."""

    providers: Sequence[str] = ()
    sample: int = 20
    max_age: str = ""
    fail_on: str = "error"
    rehost: bool = False
    keep: Path | None = None
    conformance: bool = False
    cassettes: Path | None = None


def run(options: Options, *, markdown: bool, as_json: bool) -> None:
    """Ask, compare and print. Raises typer.Exit: 1 for drift, 6 where nothing could be asked."""
    with told(as_json=as_json):
        settings = load(cassettes=options.cassettes)
        contents = library(options.cassettes).read()
        items = [item for item in contents.items if not options.providers or item.provider in options.providers]
        if not items:
            of = f" of {', '.join(options.providers)}" if options.providers else ""
            raise ServiceError(
                Reason.RESOURCE_NOT_FOUND,
                f"there is no recording{of} under {settings.cassettes} to compare with; `antiphon cassettes list` "
                "shows what there is",
            )
        quiet = as_json or markdown
        checked = asyncio.run(_ask(items, contents, options, settings, quiet=quiet))
        report = Report(checked=tuple(checked), expired=tuple(_expired(items, options.max_age)))
        matrix = conformance_of(contents) if options.conformance else None
        _print(report, matrix, as_markdown=markdown, as_json=as_json)
        if not quiet:
            warn_unreadable(contents)
        raise typer.Exit(_status(report, options.fail_on))


async def _ask(
    items: Sequence[Item], contents: Contents, options: Options, settings: Settings, *, quiet: bool
) -> list[Checked]:
    environment = credentials_environment()
    rows = provider_rows(settings)
    credentials = Credentials(environment)
    with ExitStack() as stack:
        folder = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="antiphon-drift-")))
        library(options.cassettes).lend(folder)
        return await drifting.ask_again(
            drifting.sample(items, limit=options.sample),
            folder,
            inner=httpx.AsyncHTTPTransport(),
            prepare=preparing(rows, credentials, environment, rehost=options.rehost),
            secrets=credentials.secrets(Providers(rows)),
            known=contents.items,
            seen=lambda checked: _say(checked, quiet=quiet),
        )


def preparing(
    rows: Mapping[str, Provider], credentials: Credentials, environment: Mapping[str, str], *, rehost: bool
) -> drifting.Prepare:
    """What turns a stored request into one to send: a key goes to its provider's own address and nowhere else.

    A cassette is data from anywhere. One that says `openai` and names another host would otherwise be sent the key, and
    one that deletes a file would delete it again.
    """

    def prepare(item: Item, request: httpx.Request) -> httpx.Request:
        row = rows.get(item.provider)
        if row is None:
            raise CannotAskError(
                f"{item.provider} is no provider here; add it under providers.{item.provider}.base_url"
            )
        if not shown_features.only_answers(request.method, request.url):
            raise CannotAskError(
                f"{request.method} {request.url.path} may change something at {row.name}; only chats, embeddings, "
                "counts and lists are asked again"
            )
        upstream = of_row(row, environment)
        if not upstream.origin:
            raise CannotAskError(upstream.missing)
        own = httpx.URL(upstream.origin)
        url = request.url
        if (url.scheme, url.netloc) != (own.scheme, own.netloc):
            if not rehost:
                raise CannotAskError(
                    f"it was recorded at {url.host}, and {row.name} is at {own.host}: "
                    "--rehost asks there instead, and no key is sent elsewhere"
                )
            url = url.copy_with(scheme=own.scheme, host=own.host, port=own.port)
        try:
            headers = {**request.headers, **credentials.headers(row, required=True)}
            headers["host"] = url.netloc.decode("ascii")
            ready = httpx.Request(request.method, url, headers=headers, content=request.content)
            if (sign := credentials.signer(row)) is not None:
                sign(ready)
        except ServiceError as error:
            raise CannotAskError(error.message) from error
        return ready

    return prepare


def _expired(items: Sequence[Item], max_age: str) -> list[Item]:
    if not max_age:
        return []
    limit, now = duration(max_age, "--max-age"), datetime.now(UTC)
    return [item for item in items if age.expired(item.interaction, older_than=limit, now=now)]


def _say(checked: Checked, *, quiet: bool) -> None:
    if quiet:
        return
    console = terminal.err()
    said = f"not compared: {checked.failure}" if checked.failure else "no difference"
    if checked.worst is not None:
        said = f"{len(checked.findings)} differences, {checked.worst.name.lower()} at worst"
    console.print(Text.assemble(f"{checked.item.label}  ", (terminal.line(said), "dim")), soft_wrap=True)


def _print(report: Report, matrix: Matrix | None, *, as_markdown: bool, as_json: bool) -> None:
    if as_json:
        whole: dict[str, Any] = document(report)
        if matrix is not None:
            whole["conformance"] = matrix_document(matrix)
        json_out(whole)
        return
    if as_markdown:
        terminal.write(markdown(report) + (f"\n{matrix_markdown(matrix)}" if matrix is not None else ""))
        return
    console = terminal.out()
    for checked in report.checked:
        for finding in checked.findings:
            console.print(
                Text.assemble(
                    (f"{finding.severity.name.lower():<8}", _STYLES[finding.severity]),
                    "  ".join(map(terminal.line, (checked.item.label, finding.place, finding.what))),
                ),
                soft_wrap=True,
            )
    for item in report.expired:
        moment = age.recorded_at(item.interaction)
        console.print(Text(f"expired  {item.label}  recorded {moment:%Y-%m-%d}"), soft_wrap=True)
    compared = len(report.checked) - report.failed
    console.print(Text(f"{compared} compared, {report.failed} could not be, {len(report.expired)} expired"))
    if matrix is not None:
        print_matrix(matrix, console)


def _status(report: Report, fail_on: str) -> int:
    level = _LEVELS[fail_on]
    if level is None:
        return exits.OK
    if (report.worst is not None and report.worst >= level) or report.expired:
        return exits.FAILED
    return EXITS[Code.UNAVAILABLE] if report.failed else exits.OK
