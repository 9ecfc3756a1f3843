"""`antiphon cassettes put | rm | clear | prune`: recordings come and go by hand."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import typer
from rich.text import Text

from antiphon.adapter.credentials import Credentials
from antiphon.adapter.providers import Providers
from antiphon.cli import exits, terminal
from antiphon.cli.cassettes import library, warn_unreadable
from antiphon.cli.harness_errors import told
from antiphon.cli.provider_rows import provider_rows
from antiphon.cli.tables import json_out
from antiphon.core.errors import Reason, ServiceError, invalid
from antiphon.core.settings import credentials_environment, load
from antiphon.harness.exchange import BadExchangeError, from_document
from antiphon.harness.holdings import prunable
from antiphon.harness.importing import import_file, import_folder
from antiphon.harness.interaction import Interaction
from antiphon.harness.library import authored

_DURATION: Final = re.compile(r"(\d{1,6})([hdw])")
_UNITS: Final = {"h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """An exchange as options name it."""

    url: str = ""
    method: str = ""
    request: Path | None = None
    response: Path | None = None
    status: int = 200
    content_type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What may go."""

    older_than: str = ""
    undated: bool = False
    used: Path | None = None
    orphans: bool = False
    provider: str = ""


def duration(text: str, option: str) -> timedelta:
    """The length of time that `90d`, `12w` or `36h` says. Raises ServiceError."""
    read = _DURATION.fullmatch(text.strip())
    if read is None:
        raise invalid(option, f"{text!r} must be a number with h, d or w, such as 90d")
    return timedelta(**{_UNITS[read[2]]: int(read[1])})


def secrets() -> list[str]:
    """The values of every provider key in the environment: none of them may be written."""
    environment = credentials_environment()
    return Credentials(environment).secrets(Providers(provider_rows(load())))


def put(folder: Path | None, name: str, *, source: Path | None, given: Given, scenario: str, as_json: bool) -> None:
    """Store exchanges by hand."""
    with told(as_json=as_json):
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        exchanges = _of_document(source) if source is not None else [_of_options(given)]
        stored = [authored(each, at=now, scenario=scenario or None) for each in exchanges]
        path = library(folder, makes=True).put(name, stored, secrets=secrets())
        if as_json:
            json_out({"file": str(path), "stored": len(stored)})
        else:
            terminal.out().print(Text(f"{len(stored)} stored in {path}, labelled authored"))


def rm(folder: Path | None, places: Sequence[str], *, as_json: bool) -> None:
    """Remove recordings."""
    with told(as_json=as_json):
        shelf = library(folder)
        items = {item.label: item for place in places for item in shelf.find(place)}
        gone = shelf.remove(items.values())
        _gone(gone, sorted(items), as_json=as_json)


def clear(folder: Path | None, *, provider: str, yes: bool, as_json: bool) -> None:
    """Remove all, after a question."""
    with told(as_json=as_json):
        shelf = library(folder)
        contents = shelf.read()
        items = contents.chosen(provider=provider)
        if not yes:
            if not sys.stdin.isatty():
                raise invalid("--yes", f"is needed where nobody can be asked: {len(items)} recordings would go")
            typer.confirm(f"Remove {len(items)} recordings under {shelf.root}?", abort=True, err=True)
        gone = shelf.remove(items)
        _gone(gone, [item.label for item in items], as_json=as_json)
        if not as_json:
            warn_unreadable(contents)


def prune(folder: Path | None, wanted: Wanted, *, dry_run: bool, as_json: bool) -> None:
    """Remove what is too old or unused."""
    with told(as_json=as_json):
        shelf = library(folder)
        contents = shelf.read()
        may_go = list(
            prunable(
                contents.chosen(provider=wanted.provider),
                now=datetime.now(UTC),
                older_than=duration(wanted.older_than, "--older-than") if wanted.older_than else None,
                undated=wanted.undated,
                used=_lines(wanted.used) if wanted.used is not None else None,
            )
        )
        removed = 0 if dry_run else shelf.remove(item for item, _ in may_go)
        orphans = shelf.orphans() if wanted.orphans else []
        if not dry_run:
            for blob in orphans:
                blob.unlink(missing_ok=True)
        if as_json:
            json_out(
                {
                    "dry_run": dry_run,
                    "removed": removed,
                    "recordings": [{"label": item.label, "reason": reason} for item, reason in may_go],
                    "orphans": [str(blob.relative_to(shelf.root)) for blob in orphans],
                }
            )
            return
        for item, reason in may_go:
            terminal.out().print(Text(f"{item.label}: {reason}"), soft_wrap=True)
        for blob in orphans:
            terminal.out().print(Text(f"{blob.relative_to(shelf.root)}: no cassette names it"), soft_wrap=True)
        done = "would go" if dry_run else "removed"
        terminal.err().print(Text(f"{len(may_go)} recordings and {len(orphans)} blobs {done}", style="dim"))
        warn_unreadable(contents)
        raise typer.Exit(4 if contents.unreadable else exits.OK)


def import_(folder: Path | None, source: Path, *, name: str, scrub: bool, licence: str | None, as_json: bool) -> None:
    """Take in cassettes of other recorders. Raises typer.Exit: 1 where one was refused."""
    with told(as_json=as_json):
        root = library(folder, makes=True).root
        known = secrets()
        if source.is_dir():
            if name:
                raise invalid("--name", f"is for one file, and {source} is a folder")
            done = list(import_folder(source, root, secrets=known, scrub=scrub, licence=licence))
        else:
            named = name or re.sub(r"[^A-Za-z0-9_.\-]+", "-", source.name.split(".")[0]).strip("-.") or "imported"
            done = [import_file(source, root, named, secrets=known, scrub=scrub, licence=licence)]
        refused = [each for each in done if each.problem is not None]
        if as_json:
            json_out(
                [
                    {
                        "source": each.source,
                        "cassette": each.cassette,
                        "recordings": each.interactions,
                        "problem": str(each.problem) if each.problem is not None else None,
                    }
                    for each in done
                ]
            )
        else:
            for each in refused:
                text = f"{terminal.line(each.source)}: {terminal.line(str(each.problem))}"
                terminal.err().print(Text(text, style="red"), soft_wrap=True)
            recordings = sum(each.interactions for each in done)
            said = f"{recordings} recordings of {len(done) - len(refused)} files taken in under {root}"
            terminal.out().print(Text(f"{said}, {len(refused)} files refused"))
        raise typer.Exit(exits.FAILED if refused else exits.OK)


def _gone(gone: int, labels: Sequence[str], *, as_json: bool) -> None:
    if as_json:
        json_out({"removed": gone, "recordings": list(labels)})
    else:
        terminal.out().print(Text(f"{gone} recordings removed"))
    if gone < len(labels):
        raise ServiceError(
            Reason.INVALID_REQUEST, f"{len(labels) - gone} had changed since they were read and are left; run it again"
        )


def _lines(path: Path) -> list[str]:
    return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def _of_document(source: Path) -> list[Interaction]:
    try:
        text = sys.stdin.read() if str(source) == "-" else source.read_text(encoding="utf-8")
        document: Any = json.loads(text)
        given = document if isinstance(document, list) else [document]
        exchanges = [from_document(each, edited=True) for each in given]
    except (ValueError, RecursionError) as error:  # JSON, UTF-8 and BadExchangeError alike
        said = str(error) if isinstance(error, BadExchangeError) else f"it is no JSON ({error})"
        raise invalid("--from", f"{source}: {said}") from error
    if not exchanges:
        raise invalid("--from", f"{source} holds no exchange")
    return exchanges


def _of_options(given: Given) -> Interaction:
    if given.response is None:
        raise invalid("--response", "is needed with --url")
    body = given.response.read_bytes()
    asked = given.request.read_bytes() if given.request is not None else b""
    kind = given.content_type or _kind(body)
    return from_document(
        {
            "request": {
                "method": given.method or ("POST" if asked else "GET"),
                "uri": given.url,
                "headers": {"content-type": _kind(asked)} if asked else {},
                "body": _text(asked),
            },
            "response": {
                "status": {"code": given.status, "message": ""},
                "headers": {"content-type": [kind]},
                "body": {"string": _text(body)},
            },
        }
    )


def _text(body: bytes) -> Any:
    import base64

    return {"base64": base64.b64encode(body).decode("ascii")}


def _kind(body: bytes) -> str:
    if body.lstrip()[:1] in (b"{", b"["):
        return "application/json"
    if body.startswith((b"data:", b"event:", b":")):
        return "text/event-stream"
    return "application/octet-stream"
