"""Where the events of a streamed body stand, and how the JSON inside one is read and replaced.

A fault speaks of events, whatever carries them: server-sent events, JSON lines, Amazon's binary frames, or the
elements of one long JSON array. A body that is no stream has one event: itself.
"""

from __future__ import annotations

import json
import re
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import Final

from antiphon.harness.interaction import Answer

Span = tuple[int, int]
"""First byte of an event, and the byte after its last one."""


class Framing(Enum):
    """What carries the events of a body."""

    SSE = "server-sent events"
    LINES = "JSON lines"
    FRAMES = "binary frames"
    ARRAY = "a JSON array"
    WHOLE = "one body"

    @property
    def streams(self) -> bool:
        """Whether there is more than one event to speak of."""
        return self is not Framing.WHOLE


def framing_of(answer: Answer) -> Framing:
    """How an answer carries its events: by its content type, and by its bytes where that says nothing or lies."""
    kind = header(answer, "content-type").partition(";")[0].strip().lower()
    if kind in _BY_TYPE:
        return _BY_TYPE[kind]
    start = answer.body.lstrip()[:16]
    if start.startswith((b"data:", b"event:", b"id:", b":")):
        return Framing.SSE
    if start.startswith(b"[") and _elements(answer.body):
        return Framing.ARRAY
    if start.startswith(b"{") and _is_lines(answer.body):
        return Framing.LINES
    return Framing.WHOLE


def spans(body: bytes, framing: Framing) -> list[Span]:
    """The events of a body, in their order and without gaps; comments belong to the event after them."""
    return _SPANS[framing](body) or [(0, len(body))]


def payload(event: bytes, framing: Framing) -> bytes:
    """The data of one event: for most providers the text of a JSON object."""
    if framing is Framing.SSE:
        lines = _LINE_END.split(event)
        return b"\n".join(line[5:].removeprefix(b" ") for line in lines if line.startswith(b"data:"))
    if framing is Framing.FRAMES and len(event) >= _PRELUDE.size + 4:
        _, headers, _ = _PRELUDE.unpack_from(event)
        return event[_PRELUDE.size + headers : -4]
    if framing is Framing.ARRAY:
        start = _first(event, b"{")
        return event[start : event.rfind(b"}") + 1]
    return event.strip()


def with_payload(event: bytes, framing: Framing, data: bytes) -> bytes:
    """The event with other data; its name, its checksums and the white space around it fit."""
    if framing is Framing.SSE:
        end = b"\r\n" if b"\r\n" in event else b"\n"
        kept = [line for line in _LINE_END.split(event) if line and not line.startswith(b"data:")]
        return end.join([*kept, *(b"data: " + line for line in data.split(b"\n")), b"", b""])
    if framing is Framing.FRAMES and len(event) >= _PRELUDE.size + 4:
        _, size, _ = _PRELUDE.unpack_from(event)
        return frame(event[_PRELUDE.size : _PRELUDE.size + size], data)
    old = payload(event, framing)
    return event.replace(old, data, 1) if old else event + data


def frame(headers: bytes, data: bytes) -> bytes:
    """One message of Amazon's event stream, from headers as the wire has them."""
    lengths = struct.pack(">II", len(headers) + len(data) + _PRELUDE.size + 4, len(headers))
    body = lengths + struct.pack(">I", zlib.crc32(lengths)) + headers + data
    return body + struct.pack(">I", zlib.crc32(body))


def frame_headers(**texts: str) -> bytes:
    """Text headers of a message: `event_type="x"` becomes `:event-type`."""
    written = b""
    for name, text in texts.items():
        named, value = f":{name.replace('_', '-')}".encode(), text.encode()
        written += bytes([len(named)]) + named + b"\x07" + struct.pack(">H", len(value)) + value
    return written


def header(answer: Answer, name: str) -> str:
    """The first value of a header; empty where there is none."""
    return next((value for key, value in answer.headers if key.lower() == name), "")


def _sse(body: bytes) -> list[Span]:
    found: list[Span] = []
    start = 0
    for match in _BLANK.finditer(body):
        if _DATA.search(body, start, match.end()) is None and match.end() < len(body):
            continue  # a comment or a ping without data goes with what follows
        found.append((start, match.end()))
        start = match.end()
    if start < len(body):
        found.append((start, len(body)))
    return found


def _lines(body: bytes) -> list[Span]:
    found: list[Span] = []
    start = 0
    for match in re.finditer(rb"\r?\n|\r", body):
        if body[start : match.start()].strip():
            found.append((start, match.end()))
            start = match.end()
    if body[start:].strip():
        found.append((start, len(body)))
    elif found:
        found[-1] = (found[-1][0], len(body))
    return found


def _frames(body: bytes) -> list[Span]:
    found: list[Span] = []
    start = 0
    while start + _PRELUDE.size <= len(body):
        total, _, _ = _PRELUDE.unpack_from(body, start)
        end = min(start + max(total, _PRELUDE.size + 4), len(body))
        found.append((start, end))
        start = end
    if start < len(body):
        found.append((start, len(body)))
    return found


def _elements(body: bytes) -> list[Span]:
    ends = list(_element_ends(body))
    if not ends:
        return []
    found = list(zip([0, *ends[:-1]], ends, strict=True))
    found[-1] = (found[-1][0], len(body))
    return found


def _element_ends(body: bytes) -> Iterator[int]:
    """The byte after each object of an array, found by counting braces outside of texts."""
    depth = 0
    for match in _TOKENS.finditer(body):
        token = match.group()
        if token == b"{":
            depth += 1
        elif token == b"}":
            depth -= 1
            if depth == 0:
                yield match.end()


def _is_lines(body: bytes) -> bool:
    """Whether the first line alone is JSON and another follows."""
    first, _, rest = body.strip().partition(b"\n")
    if not rest.lstrip().startswith(b"{"):
        return False
    try:
        json.loads(first)
    except ValueError:
        return False
    return True


def _first(event: bytes, mark: bytes) -> int:
    return max(event.find(mark), 0)


_PRELUDE: Final = struct.Struct(">III")
_LINE_END: Final = re.compile(rb"\r\n|\n|\r")
_BLANK: Final = re.compile(rb"(?:\r\n|\n|\r)(?:\r\n|\n|\r)+")
_DATA: Final = re.compile(rb"^data:", re.MULTILINE)
_TOKENS: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}]', re.DOTALL)
_BY_TYPE: Final = {
    "text/event-stream": Framing.SSE,
    "application/x-ndjson": Framing.LINES,
    "application/jsonl": Framing.LINES,
    "application/vnd.amazon.eventstream": Framing.FRAMES,
}
_SPANS: Final[Mapping[Framing, Callable[[bytes], list[Span]]]] = {
    Framing.SSE: _sse,
    Framing.LINES: _lines,
    Framing.FRAMES: _frames,
    Framing.ARRAY: _elements,
    Framing.WHOLE: lambda body: [(0, len(body))],
}
