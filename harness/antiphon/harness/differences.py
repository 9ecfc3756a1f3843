"""How a request differs from a recorded one, in lines that name the place."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from antiphon.harness import jsonbody
from antiphon.harness.meaning import BYTES, Meaning

_SHOWN: Final = 60
_LEAD: Final = 15
_MAX_DEPTH: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of two requests, as far as it counts."""

    method: str
    host: str
    path: str
    query: list[tuple[str, str]]
    meaning: Meaning
    body: bytes


def between(asked: Side, recorded: Side, *, limit: int) -> list[str]:
    """Return at most `limit` lines such as `messages[1].content: 'b' != 'a'`; none where both are the same."""
    return list(islice(_differ(asked, recorded), limit))


def _differ(asked: Side, recorded: Side) -> Iterator[str]:
    for what in ("method", "host", "path"):
        here, there = getattr(asked, what), getattr(recorded, what)
        if here != there:
            yield f"{what}: {_versus(here, there)}"
    if asked.query != recorded.query:
        yield from _compare("query", _grouped(asked.query), _grouped(recorded.query), 0)
    if asked.meaning.kind == recorded.meaning.kind != BYTES:
        yield from _compare("", asked.meaning.value, recorded.meaning.value, 0)
    elif asked.body != recorded.body:
        offset = _common(asked.body, recorded.body)
        yield f"body: {len(asked.body)} bytes != {len(recorded.body)} bytes, first difference at byte {offset}"
    elif asked.meaning.kind != recorded.meaning.kind:  # the content type says what the bytes are
        yield f"body: {asked.meaning.kind} != {recorded.meaning.kind}"


def _grouped(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for name, value in pairs:
        grouped.setdefault(name, []).append(value)
    return grouped


def _compare(path: str, here: jsonbody.Json, there: jsonbody.Json, depth: int) -> Iterator[str]:
    if depth > _MAX_DEPTH:
        if here != there:
            yield f"{path}: differs, too deep to show"
    elif isinstance(here, dict) and isinstance(there, dict):
        for key in sorted(here.keys() | there.keys()):
            place = jsonbody.below(path, key)
            if key not in there:
                yield f"{place}: missing in the recording"
            elif key not in here:
                yield f"{place}: only in the recording"
            else:
                yield from _compare(place, here[key], there[key], depth + 1)
    elif isinstance(here, list) and isinstance(there, list):
        if len(here) != len(there):
            yield f"{path or '(top)'}: {len(here)} items != {len(there)} items"
        for index, (left, right) in enumerate(zip(here, there, strict=False)):
            yield from _compare(f"{path}[{index}]", left, right, depth + 1)
    elif type(here) is not type(there) or here != there:
        yield f"{path or '(top)'}: {_versus(here, there)}"


def _versus(here: jsonbody.Json, there: jsonbody.Json) -> str:
    start = 0
    if isinstance(here, str) and isinstance(there, str) and max(len(here), len(there)) > _SHOWN:
        start = max(0, _common(here, there) - _LEAD)
    return f"{_shown(here, start)} != {_shown(there, start)}"


def _shown(value: jsonbody.Json, start: int) -> str:
    if isinstance(value, str):
        part = value[start : start + _SHOWN]
        return repr(("..." if start else "") + part + ("..." if start + _SHOWN < len(value) else ""))
    if isinstance(value, (dict, list)):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value)}"
    return json.dumps(value)[:_SHOWN]


def _common(left: str | bytes, right: str | bytes) -> int:
    """Return the length of the common start."""
    low, high = 0, min(len(left), len(right))
    while low < high:  # halving compares in C; the bodies may be megabytes of image
        middle = (low + high + 1) // 2
        if left[:middle] == right[:middle]:
            low = middle
        else:
            high = middle - 1
    return low
