"""Arguments of a call that come in pieces: each piece has the JSON path of its place and a scalar, or a part of a text.

Models write arguments from front to back, so that the JSON text can be told as it grows: containers are opened on the
way to a place and closed when the next piece stands outside of them.
"""

from __future__ import annotations

import json
import re

from antiphon.core.errors import Reason, ServiceError
from antiphon.wire.jsontext import Json, JsonObject, text_of

Step = str | int
_STEP = re.compile(r"""\.([^.\[\]]+)|\[(\d+)\]|\[(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")\]""")
_SCALARS = ("numberValue", "boolValue")
_TEXT = "stringValue"


class GrowingArguments:
    """The JSON text of one call's arguments. Each method gives what to append to it."""

    def __init__(self) -> None:
        self._open: list[tuple[Step | None, bool]] = []
        """The containers around the next piece: where each stands in its own, and whether it is a list."""
        self._counts: list[int] = []
        self._done: set[tuple[Step, ...]] = set()
        self._text: tuple[Step, ...] | None = None

    def add(self, piece: JsonObject) -> str:
        """A piece. Raises ServiceError MALFORMED_RESPONSE for one that cannot follow those before it."""
        path = _steps(piece.get("jsonPath"))
        text = piece.get(_TEXT)
        if self._text == path and isinstance(text, str):
            added = _escaped(text)
        else:
            added = self._go_to(path) + self._value(piece, path)
        if isinstance(text, str):
            self._text = path if piece.get("willContinue") is True else None
            added += "" if self._text else '"'
        return added

    def close(self) -> str:
        """The end of the text."""
        begun = bool(self._open)
        added = self._end_text() + self._leave(0)
        return added if begun else "{}"

    def _value(self, piece: JsonObject, path: tuple[Step, ...]) -> str:
        if isinstance(piece.get(_TEXT), str):
            return '"' + _escaped(piece[_TEXT])
        value: Json = next((piece[key] for key in _SCALARS if key in piece), None)
        if isinstance(value, float) and value.is_integer() and abs(value) < 1 << 53:
            value = int(value)
        return text_of(value)

    def _end_text(self) -> str:
        ended, self._text = self._text is not None, None
        return '"' if ended else ""

    def _go_to(self, path: tuple[Step, ...]) -> str:
        """Close what the place is not in, open what it is in, and write its key."""
        if not path or path in self._done:
            raise _out_of_order(path)
        added = self._end_text()
        self._done.add(path)
        inside = path[:-1]
        around = tuple(step for step, _ in self._open[1:] if step is not None)
        shared = next((n for n, (a, b) in enumerate(zip(around, inside, strict=False)) if a != b), None)
        depth = min(len(around), len(inside)) if shared is None else shared
        if self._open:
            added += self._leave(depth + 1)
        else:
            added += self._enter(None, path[0])
        for level in range(depth, len(inside)):
            if path[: level + 1] in self._done:
                raise _out_of_order(path)
            self._done.add(path[: level + 1])
            added += self._key(path[level]) + self._enter(path[level], path[level + 1])
        return added + self._key(path[-1])

    def _enter(self, step: Step | None, first: Step) -> str:
        self._open.append((step, isinstance(first, int)))
        self._counts.append(0)
        return "[" if isinstance(first, int) else "{"

    def _leave(self, depth: int) -> str:
        added = ""
        while len(self._open) > depth:
            _, is_list = self._open.pop()
            self._counts.pop()
            added += "]" if is_list else "}"
        return added

    def _key(self, step: Step) -> str:
        comma = "," if self._counts[-1] else ""
        if self._open[-1][1] is not isinstance(step, int) or (isinstance(step, int) and step != self._counts[-1]):
            raise _out_of_order((step,))
        self._counts[-1] += 1
        return comma if isinstance(step, int) else f"{comma}{json.dumps(step, ensure_ascii=False)}:"


def _steps(path: Json) -> tuple[Step, ...]:
    """The names and numbers of a path such as `$.people[0].name`."""
    if not isinstance(path, str) or not path.startswith("$"):
        raise _out_of_order((str(path),))
    steps: list[Step] = []
    position = 1
    while position < len(path):
        match = _STEP.match(path, position)
        if match is None:
            raise _out_of_order((path,))
        name = next((group for group in (match[1], match[3], match[4]) if group is not None), None)
        steps.append(int(match[2]) if name is None else re.sub(r"\\(.)", r"\1", name))
        position = match.end()
    return tuple(steps)


def _escaped(text: str) -> str:
    return text_of(text)[1:-1]


def _out_of_order(path: tuple[Step, ...]) -> ServiceError:
    place = ".".join(map(str, path))
    return ServiceError(
        Reason.MALFORMED_RESPONSE,
        f"the provider streamed arguments of a call out of order, at '{place}'; ask again without stream_arguments",
    )
