"""`antiphon cassettes list | show | get | stats`: what a folder of recordings holds, for people and for scripts."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any, Final

import typer
from rich.table import Table
from rich.text import Text

from antiphon.cli import exits, terminal
from antiphon.cli.harness_errors import must_be_there, told
from antiphon.cli.tables import aligned, json_out
from antiphon.core.errors import invalid
from antiphon.core.settings import load
from antiphon.harness import age, holdings
from antiphon.harness.exchange import to_document
from antiphon.harness.holdings import Contents, Item
from antiphon.harness.library import Library

_SHOWN_BODY: Final = 4000
_SHOWN_CHUNKS: Final = 12


def library(folder: Path | None, *, makes: bool = False) -> Library:
    """The folder that was named, else that of the settings. Raises ServiceError RESOURCE_NOT_FOUND where there is none,
    unless the command `makes` it: a check of a misspelt folder would always pass."""
    root = load(cassettes=folder).cassettes
    if not makes:
        must_be_there(root)
    return Library(root)


def items_document(items: Iterable[Item]) -> list[dict[str, Any]]:
    """Recordings as JSON, without their bodies."""
    return [_facts(item) for item in items]


def warn_unreadable(contents: Contents) -> None:
    """Name the files that could not be read, on standard error."""
    for error in contents.unreadable:
        terminal.err().print(Text(terminal.line(str(error)), style="red"), soft_wrap=True)


def list_(folder: Path | None, *, provider: str, endpoint: str, scenario: str, each: bool, as_json: bool) -> None:
    """Print recordings. Raises typer.Exit: 4 where a file cannot be read."""
    with told(as_json=as_json):
        shelf = library(folder)
        contents = shelf.read()
        items = contents.chosen(provider=provider, endpoint=endpoint, scenario=scenario)
        if as_json:
            json_out(
                {
                    "endpoints": _counted(items),
                    "recordings": items_document(items),
                    "unreadable": [{"file": error.file, "problem": str(error)} for error in contents.unreadable],
                }
            )
        else:
            aligned(_each(items) if each else _grouped(items), terminal.out())
            cassettes = len({item.cassette for item in items})
            terminal.err().print(
                Text(f"{len(items)} recordings in {cassettes} cassettes under {shelf.root}", style="dim")
            )
            warn_unreadable(contents)
        raise typer.Exit(4 if contents.unreadable else exits.OK)


def show(folder: Path | None, place: str, *, as_json: bool) -> None:
    """Print recordings to be read."""
    with told(as_json=as_json):
        items = library(folder).find(place)
        if as_json:
            json_out([{**_facts(item), "exchange": to_document(item.interaction)} for item in items])
            return
        console = terminal.out()
        for number, item in enumerate(items):
            if number:
                console.print()
            for line in _told(item):
                console.print(line, soft_wrap=True)


def get(folder: Path | None, place: str, *, part: str, as_json: bool) -> None:
    """Write one body as it is, or the exchanges as JSON."""
    with told(as_json=as_json):
        items = library(folder).find(place)
        if as_json:
            json_out([to_document(item.interaction) for item in items])
            return
        if len(items) > 1:
            raise invalid("PLACE", f"{place} are {len(items)} recordings; name one, such as {items[0].label}")
        interaction = items[0].interaction
        body = interaction.request.body if part == "request" else interaction.answer.body
        if sys.stdout.isatty():
            terminal.write(body.decode("utf-8", "replace"))
        else:
            sys.stdout.buffer.write(body)


def stats(folder: Path | None, *, as_json: bool) -> None:
    """Print counts."""
    with told(as_json=as_json):
        shelf = library(folder)
        contents = shelf.read()
        counts = holdings.stats(contents)
        if as_json:
            document = asdict(counts)
            document["by_endpoint"] = _counted(contents.items)
            document["oldest"] = counts.oldest.isoformat() if counts.oldest else None
            document["newest"] = counts.newest.isoformat() if counts.newest else None
            json_out(document)
            return
        rows = Table.grid(padding=(0, 2))
        rows.add_column(style="dim", no_wrap=True)
        rows.add_column(overflow="fold")
        rows.add_row("recordings", f"{counts.recordings} in {counts.cassettes} cassettes under {shelf.root}")
        rows.add_row("bodies", f"{counts.body_bytes:,} bytes")
        for title, words in (
            ("provider", counts.by_provider),
            ("origin", counts.by_origin),
            ("outcome", counts.by_outcome),
            ("status", counts.by_status),
            ("scenario", {name or "(none)": count for name, count in counts.by_scenario.items()}),
        ):
            rows.add_row(title, Text(terminal.line(", ".join(f"{word} {count}" for word, count in words.items()))))
        if counts.oldest is not None and counts.newest is not None:
            rows.add_row("recorded", f"{counts.oldest:%Y-%m-%d} to {counts.newest:%Y-%m-%d}")
        rows.add_row("undated", str(counts.undated))
        rows.add_row("unreadable", str(counts.unreadable))
        terminal.out().print(rows)
        warn_unreadable(contents)


def _facts(item: Item) -> dict[str, Any]:
    answer, said = item.interaction.answer, item.provenance
    moment = age.recorded_at(item.interaction)
    return {
        "label": item.label,
        "cassette": item.cassette,
        "position": item.position,
        "provider": item.provider,
        "endpoint": item.endpoint,
        "scenario": said.scenario,
        "origin": said.origin,
        "recorded_at": moment.isoformat() if moment is not None else None,
        "status": answer.status if answer.answered else None,
        "outcome": answer.outcome.value,
        "streamed": _streamed(item),
        "model_asked": said.model_asked,
        "model_answered": said.model_answered,
        "request_bytes": len(item.interaction.request.body),
        "response_bytes": len(answer.body),
    }


def _streamed(item: Item) -> bool:
    return any(
        name == "content-type" and ("event-stream" in value or "ndjson" in value or "eventstream" in value)
        for name, value in item.interaction.answer.headers
    )


def _counted(items: Sequence[Item]) -> list[dict[str, Any]]:
    counts = Counter((item.provider, item.endpoint) for item in items)
    return [
        {"provider": provider, "endpoint": endpoint, "recordings": count}
        for (provider, endpoint), count in sorted(counts.items())
    ]


def _grouped(items: Sequence[Item]) -> list[tuple[str, ...]]:
    groups: dict[tuple[str, str], list[Item]] = {}
    for item in items:
        groups.setdefault((item.provider, item.endpoint), []).append(item)
    rows: list[tuple[str, ...]] = [("provider", "endpoint", "recordings", "streamed", "errors", "authored")]
    for (provider, endpoint), found in sorted(groups.items()):
        streamed = sum(1 for item in found if _streamed(item))
        errors = sum(1 for item in found if item.interaction.answer.status >= 400)
        authored = sum(1 for item in found if item.provenance.origin == "authored")
        counts = (str(number) for number in (len(found), streamed, errors, authored))
        rows.append((terminal.line(provider), terminal.line(endpoint), *counts))
    return rows


def _each(items: Sequence[Item]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("recording", "scenario", "status", "origin", "date", "model", "endpoint")]
    for item in items:
        facts = _facts(item)
        words = (
            item.label,
            facts["scenario"] or "-",
            str(facts["status"] or facts["outcome"]),
            facts["origin"],
            (facts["recorded_at"] or "undated")[:10],
            facts["model_answered"] or facts["model_asked"] or "-",
            item.endpoint,
        )
        rows.append(tuple(terminal.line(word) for word in words))
    return rows


def _told(item: Item) -> Iterator[Text]:
    asked, answer, said = item.interaction.request, item.interaction.answer, item.provenance
    yield Text(item.label, style="bold")
    facts = [said.origin, said.recorded_at or "undated"]
    facts += [f"scenario {said.scenario}"] if said.scenario else []
    facts += [f"asked {said.model_asked}"] if said.model_asked else []
    facts += [f"answered {said.model_answered}"] if said.model_answered else []
    yield Text(terminal.line("; ".join(facts)), style="dim")
    yield Text.assemble(("> ", "cyan"), terminal.line(f"{asked.method} {asked.url}"))
    for name, value in asked.headers:
        yield Text.assemble(("> ", "cyan"), (terminal.line(f"{name}: {value}"), "dim"))
    yield from _body(asked.body)
    head = f"{answer.http_version} {answer.status} {answer.reason}" if answer.answered else answer.outcome.value
    yield Text.assemble(("< ", "magenta"), terminal.line(f"{head}  after {answer.headers_ms:g} ms"))
    for name, value in answer.headers:
        yield Text.assemble(("< ", "magenta"), (terminal.line(f"{name}: {value}"), "dim"))
    if answer.chunks is not None and len(answer.chunks) > 1:
        pace = ", ".join(f"+{delay:g} ms {size} B" for delay, size in islice(answer.chunks, _SHOWN_CHUNKS))
        more = f", and {len(answer.chunks) - _SHOWN_CHUNKS} more" if len(answer.chunks) > _SHOWN_CHUNKS else ""
        yield Text(f"{len(answer.chunks)} chunks: {pace}{more}", style="dim")
    yield from _body(answer.body)
    if answer.failure is not None:
        yield Text(terminal.line(f"ended: {answer.failure.error} {answer.failure.message}"), style="red")


def _body(body: bytes) -> Iterator[Text]:
    if not body:
        return
    text = body.decode("utf-8", "replace")
    if text.count("\ufffd") > len(text) // 10:
        yield Text(f"{len(body)} bytes that are no text; `antiphon cassettes get` writes them", style="dim")
        return
    yield Text(terminal.safe(text[:_SHOWN_BODY]))
    if len(text) > _SHOWN_BODY:
        yield Text(f"... {len(text) - _SHOWN_BODY} more; `antiphon cassettes get` writes all", style="dim")
