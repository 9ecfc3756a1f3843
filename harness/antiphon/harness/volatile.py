"""What of a request never counts: paths into its body, and shapes of text such as dates and identifiers.

Both are declared in a file that may come from anywhere, so there are no regular expressions of the user's own (one
can hang a process), only paths with wildcards and a table of named shapes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import Enum
from functools import lru_cache
from typing import Final

from antiphon.harness import jsonbody


class Wild(Enum):
    """The steps of a path that stand for more than one place."""

    ANY = "*"
    """Any member of an object, or any item of a list."""
    DEEP = "**"
    """Any number of levels, none included."""


Steps = tuple[str | int | Wild, ...]
"""A path, taken apart."""


class BadPathError(ValueError):
    """A path that can't be read; the text says where and why."""


SHAPES: Final[Mapping[str, re.Pattern[str]]] = {
    "datetime": re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?"),
    "date": re.compile(r"\b\d{4}-\d\d-\d\d\b"),
    "uuid": re.compile(r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b"),
    "ulid": re.compile(r"\b[0-7][0-9A-HJKMNP-TV-Z]{25}\b"),
    "id": re.compile(r"\b[a-z]{2,12}[_-][A-Za-z0-9]{16,64}\b"),
}
"""Shapes of text that may count as equal, in the order in which they are looked for. `id` is a short word and a
random tail, such as `call_` or `msg_` with sixteen letters and digits or more."""


@lru_cache(maxsize=1024)
def steps_of(path: str) -> Steps:
    """Return the steps of a path such as `messages[*].id`, `**.created_at` or `a["x.y"][0]`; raises BadPathError."""
    steps: list[str | int | Wild] = []
    at = 0
    while at < len(path):
        found = _STEP.match(path, at)
        if found is None or (at > 0 and not found["dot"] and not found["bracket"]) or (at == 0 and found["dot"]):
            raise BadPathError(f"path {path[:80]!r} can't be read from character {at + 1} on; {_PATH_HELP}")
        steps.append(_step(found))
        at = found.end()
    if not steps or steps[-1] is Wild.DEEP:
        raise BadPathError(f"path {path[:80]!r} names nothing; {_PATH_HELP}")
    if steps.count(Wild.DEEP) > 1:  # each one more would multiply the work by the depth of the body
        raise BadPathError(f"path {path[:80]!r} holds more than one **; {_PATH_HELP}")
    return tuple(steps)


def without(value: jsonbody.Json, paths: Sequence[str]) -> jsonbody.Json:
    """Return the value less what stands at the paths: members go, items become null, so that the rest keep places.

    Raises NotJsonError where it nests too deeply.
    """
    try:
        for path in paths:
            value = _without(value, steps_of(path))
    except RecursionError as error:
        raise jsonbody.NotJsonError("nested too deeply") from error
    return value


def masked(value: jsonbody.Json, shapes: Sequence[str]) -> jsonbody.Json:
    """Return the value with text of the named shapes replaced by the shape's name; raises NotJsonError as above."""
    patterns = [(f"<{name}>", SHAPES[name]) for name in SHAPES if name in shapes]
    try:
        return _masked(value, patterns) if patterns else value
    except RecursionError as error:
        raise jsonbody.NotJsonError("nested too deeply") from error


def masked_text(text: str, shapes: Sequence[str]) -> str:
    """Return a text with what has one of the shapes replaced by the shape's name."""
    for name, pattern in SHAPES.items():
        if name in shapes:
            text = pattern.sub(f"<{name}>", text)
    return text


def _without(value: jsonbody.Json, steps: Steps) -> jsonbody.Json:
    step, rest = steps[0], steps[1:]
    if step is Wild.DEEP:
        value = _without(value, rest)
        if isinstance(value, dict):
            return {key: _without(child, steps) for key, child in value.items()}
        return [_without(child, steps) for child in value] if isinstance(value, list) else value
    if isinstance(value, dict) and (step is Wild.ANY or step in value):
        if not rest:
            return {key: child for key, child in value.items() if step is not Wild.ANY and key != step}
        return {key: _without(c, rest) if step in (Wild.ANY, key) else c for key, c in value.items()}
    if isinstance(value, list) and (step is Wild.ANY or isinstance(step, int)):
        places = range(len(value)) if step is Wild.ANY else (step,)
        value = list(value)
        for place in places:
            if isinstance(place, int) and place < len(value):
                value[place] = _without(value[place], rest) if rest else None
    return value


def _masked(value: jsonbody.Json, patterns: list[tuple[str, re.Pattern[str]]]) -> jsonbody.Json:
    if isinstance(value, str):
        for name, pattern in patterns:
            value = pattern.sub(name, value)
        return value
    if isinstance(value, dict):
        return {key: _masked(child, patterns) for key, child in value.items()}
    return [_masked(child, patterns) for child in value] if isinstance(value, list) else value


def _step(found: re.Match[str]) -> str | int | Wild:
    if found["wild"] or found["every"]:
        return Wild(found["wild"] or found["every"])
    if found["index"]:
        return int(found["index"])
    return found["quoted"] if found["quoted"] is not None else found["name"]


_STEP: Final = re.compile(
    r'(?P<bracket>\[(?:(?P<every>\*)|(?P<index>\d{1,9})|"(?P<quoted>[^"\]]*)")\])'
    r"|(?P<dot>\.)?(?:(?P<wild>\*\*|\*)(?=[.\[]|$)|(?P<name>[^.\[\]*\"]+))"
)
_PATH_HELP: Final = (
    'write names with dots, [3] or [*] for items, * for any member, ** for any depth and ["a.b"] for an odd name, '
    "for example messages[*].id"
)
