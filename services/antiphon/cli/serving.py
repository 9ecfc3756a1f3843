"""`antiphon serve` as a machine says it, without the machinery of a command line for people.

To read options by typer takes a third of the time until a server takes calls. So a plain command line is read here:
whatever is not plainly understood, help and mistakes too, is typer's to answer (see `server_commands.serve`, which
leads here as well).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from antiphon.cli import loop
from antiphon.cli.process import NO_EDGES, WITH_EDGES, follow_parent

ROLES: Final = ("gateway", "adapter", "inference", "suite")
_MODES: Final = ("live", "record", "replay", "record-on-miss")
_LEVELS: Final = ("debug", "info", "warning", "error")
READY_FILE: Final = "ANTIPHON_READY_FILE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What to serve: a role, the settings that the command line says, and who has to live as long as the server."""

    role: str
    settings: Mapping[str, Any]
    ready_file: Path | None = None
    parent: int = 0
    worker: int = 0
    """Which of several processes on the same ports this one is; 0 for none of several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """An option with one value. `read` raises ValueError for one that is wrong; `many` may be said again."""

    read: Callable[[str], Any]
    many: bool = False


def _one_of(words: Sequence[str]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in words:
            raise ValueError(text)
        return text

    return read


def _not_negative(text: str) -> float:
    number = float(text)
    if not number >= 0:
        raise ValueError(text)
    return number


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _if_any(text: str) -> str | None:
    return text or None


OPTIONS: Final[Mapping[str, Option]] = {
    "listen": Option(read=_if_any),
    "http": Option(read=str),
    "mode": Option(read=_one_of(_MODES)),
    "allow-mode": Option(read=_one_of(_MODES), many=True),
    "cassettes": Option(read=Path),
    "pace": Option(read=_not_negative),
    "adapter": Option(read=_if_any),
    "inference": Option(read=_if_any),
    "triton": Option(read=_if_any),
    "otlp-endpoint": Option(read=_if_any),
    "log-level": Option(read=_one_of(_LEVELS)),
    "grace": Option(read=_not_negative),
    "ready-file": Option(read=Path),
    "workers": Option(read=_positive),
    "parent": Option(read=int),
    "worker": Option(read=int),
}
_SETTINGS: Final = {"allow-mode": "allow_modes", "otlp-endpoint": "otlp_endpoint", "log-level": "log_level"}
"""Settings that have another name than their option."""
_OPTIONS: Final = {setting: option for option, setting in _SETTINGS.items()}


def plain(words: Sequence[str], environment: Mapping[str, str]) -> Asked | None:
    """What the words after `antiphon serve` ask for; None where they are not plainly understood."""
    found: dict[str, Any] = {}
    roles: list[str] = []
    try:
        for name, text in _pairs(words):
            if not name:
                roles.append(text)
            elif OPTIONS[name].many:
                found[name] = [*found.get(name, ()), OPTIONS[name].read(text)]
            else:
                found[name] = OPTIONS[name].read(text)
    except (KeyError, ValueError):
        return None
    if len(roles) != 1 or roles[0] not in ROLES or not serves_http(roles[0], found.get("http")):
        return None
    ready_file = found.pop("ready-file", None) or environment.get(READY_FILE)
    parent, worker = found.pop("parent", 0), found.pop("worker", 0)
    return Asked(
        role=roles[0],
        settings={_SETTINGS.get(name, name): value for name, value in found.items()},
        ready_file=Path(ready_file) if ready_file else None,
        parent=parent,
        worker=worker,
    )


def serves_http(role: str, http: str | None) -> bool:
    """Whether a role can serve HTTP where it is asked to."""
    return not http or http == NO_EDGES or role in WITH_EDGES


def run(asked: Asked) -> None:
    """Serve until told to end. Errors are shown, and end the process with their status."""
    if asked.parent:
        follow_parent(asked.parent)
    loop.prepare()
    from antiphon.cli.failure import reported

    with reported():
        from antiphon.core.settings import load

        settings = load(**asked.settings)
        if settings.workers > 1 and not asked.worker:
            from antiphon.cli import workers

            workers.check(asked.role, settings)
            said = {_OPTIONS.get(name, name): value for name, value in asked.settings.items()}
            plan = workers.plan_for(asked.role, settings, said)
            loop.run(workers.supervise(plan, log_level=settings.log_level, ready_file=asked.ready_file))
            return
        from antiphon.cli.serve import serve

        loop.run(serve(asked.role, settings, ready_file=asked.ready_file, shared=bool(asked.worker)))


def _pairs(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each option with its value, and with an empty name what is none. Raises ValueError for a value that lacks."""
    rest = iter(words)
    for word in rest:
        if not word.startswith("-"):
            yield "", word
            continue
        if not word.startswith("--"):
            raise ValueError(word)
        name, equals, value = word[2:].partition("=")
        if not equals:
            value = next(rest, "")
            if not value or value.startswith("-"):
                raise ValueError(word)
        yield name, value
