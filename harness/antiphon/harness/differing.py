"""How one answer differs in shape from another, as findings with a severity.

What was added is information: a client that ignores what it does not know goes on. What is gone is a warning, because
many fields come and go with what a model says. A type that changed is an error: a typed client cannot read it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from antiphon.harness.interaction import Interaction
from antiphon.harness.modes import Outcome
from antiphon.harness.shapes import Shape, shape_of


class Severity(IntEnum):
    """How much a difference matters to a client that reads answers."""

    INFO = 1
    WARNING = 2
    ERROR = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One difference: where, and what in words."""

    severity: Severity
    place: str
    what: str


def findings(stored: Interaction, live: Interaction, *, words: Shape | None = None) -> tuple[Finding, ...]:
    """Return the differences, the gravest first; `words` are those that are no news."""
    found = list(_heads(stored, live))
    if (stored.answer.status < 400) == (live.answer.status < 400):
        before, now = interaction_shape(stored), interaction_shape(live)
        found += [*_models(stored, live), *_fields(before, now), *_new_words(before, now, words)]
    return tuple(sorted(found, key=lambda finding: (-finding.severity, finding.place)))


def interaction_shape(interaction: Interaction) -> Shape:
    """Return the shape of an exchange's answer."""
    answer = interaction.answer
    return shape_of(answer.body, _media_type(answer.headers))


def _heads(stored: Interaction, live: Interaction) -> Iterable[Finding]:
    before, now = stored.answer, live.answer
    if before.status != now.status:
        yield Finding(severity=Severity.ERROR, place="status", what=f"was {before.status}, is {now.status}")
    kinds = _media_type(before.headers), _media_type(now.headers)
    if kinds[0] != kinds[1]:
        yield Finding(
            severity=Severity.ERROR, place="content-type", what=f"was {kinds[0] or 'absent'}, is {kinds[1] or 'absent'}"
        )
    if now.outcome is not Outcome.COMPLETE:
        yield Finding(severity=Severity.ERROR, place="body", what=f"ended before its end: {now.outcome.value}")


def _models(stored: Interaction, live: Interaction) -> Iterable[Finding]:
    before, now = stored.answer.provenance, live.answer.provenance
    if before is None or now is None or before.model_answered == now.model_answered:
        return
    asked = f"{now.model_asked!r} was asked for: " if now.model_asked else ""
    yield Finding(
        severity=Severity.WARNING,
        place="model",
        what=f"{asked}{before.model_answered or 'no name'} answered then, {now.model_answered or 'no name'} now",
    )


def _fields(before: Shape, now: Shape) -> Iterable[Finding]:
    for path in _outermost(now.types.keys() - before.types.keys(), below=_hollow(now, before)):
        kinds = _named(now.types[path])
        yield Finding(severity=Severity.INFO, place=_place(path), what=f"was added: {kinds}")
    for path in _outermost(before.types.keys() - now.types.keys(), below=_hollow(before, now)):
        yield Finding(
            severity=Severity.WARNING, place=_place(path), what=f"is gone; it was {_named(before.types[path])}"
        )
    for path in before.types.keys() & now.types.keys():
        yield from _kinds(path, before.types[path], now.types[path])


def _hollow(of: Shape, other: Shape) -> list[str]:
    """Return the paths that hold fields in the one shape and can hold none in the other: told by themselves."""
    return [
        path
        for path in of.types.keys() & other.types.keys()
        if of.types[path] & _HOLDERS and not of.types[path] & other.types[path] & _HOLDERS
    ]


def _kinds(path: str, before: frozenset[str], now: frozenset[str]) -> Iterable[Finding]:
    had, has = before - _NULL, now - _NULL
    if had and has and not has <= had:
        what = f"changed its type: was {_named(before)}, is {_named(now)}"
        yield Finding(severity=Severity.ERROR, place=_place(path), what=what)
    elif had and not has:
        yield Finding(severity=Severity.WARNING, place=_place(path), what=f"is null; it was {_named(before)}")
    elif has and not had:
        yield Finding(severity=Severity.INFO, place=_place(path), what=f"was null; it is {_named(now)}")


def _new_words(before: Shape, now: Shape, known: Shape | None) -> Iterable[Finding]:
    for path, words in now.words.items():
        seen = before.words.get(path, frozenset()) | (known.words.get(path, frozenset()) if known else frozenset())
        if not seen:
            continue  # the field itself is news, and told as such
        for word in sorted(words - seen):
            what = f"says {word!r}, which no recording of this endpoint says; they say {', '.join(sorted(seen)[:8])}"
            yield Finding(severity=Severity.WARNING, place=_place(path), what=what)


def _media_type(headers: Iterable[tuple[str, str]]) -> str:
    found = next((value for name, value in headers if name == "content-type"), "")
    return found.partition(";")[0].strip().lower()


def _outermost(paths: Iterable[str], *, below: Iterable[str]) -> list[str]:
    """Return the paths that lie in none of the others nor `below` one: a new object is one finding, not many."""
    outer, kept = list(below), []
    for path in sorted(paths, key=lambda path: (len(path), path)):
        if not any(_inside(path, each) for each in outer):
            outer.append(path)
            kept.append(path)
    return sorted(kept)


def _inside(path: str, outer: str) -> bool:
    if outer == "" or outer.endswith("/"):
        return path != outer and path.startswith(outer)
    return path.startswith((f"{outer}.", f"{outer}[]"))


def _place(path: str) -> str:
    return path or "(top)"


def _named(kinds: Iterable[str]) -> str:
    return " or ".join(sorted(kinds))


_NULL: Final = frozenset({"null"})
_HOLDERS: Final = frozenset({"object", "list"})
