"""Server-sent events as bytes, in and out (WHATWG HTML, section 9.2).

Bytes, because text `splitlines` also cuts at U+2028 and its kin, which occur inside JSON. The parser takes chunks
cut anywhere: inside a UTF-8 character, between the CR and LF of one line end, inside a field name.
"""

from __future__ import annotations

import re
from typing import NamedTuple

BOM = b"\xef\xbb\xbf"
_LINE_END = re.compile(rb"\r\n|\r|\n")


class SseEvent(NamedTuple):
    """One event. `event` is empty where the stream gave no name; a comment line has `comment` set and no data."""

    data: bytes = b""
    event: str = ""
    id: str = ""
    comment: bytes | None = None


class SseParser:
    """Bytes in, events out. Holds at most one unfinished event."""

    def __init__(self, *, max_event_bytes: int = 64 * 1024 * 1024) -> None:
        self._limit = max_event_bytes
        self._line = bytearray()
        self._data: list[bytes] = []
        self._size = 0
        self._event = ""
        self._id = ""
        self._after_cr = False
        self._at_start = True

    def feed(self, chunk: bytes) -> list[SseEvent]:
        """The events that `chunk` completes. Raises ValueError past `max_event_bytes`."""
        if not self._line and not self._after_cr and b"\r" not in chunk:
            if not self._at_start:
                return self._feed_lines(chunk)
            if chunk and chunk[:1] != BOM[:1]:
                self._at_start = False
                return self._feed_lines(chunk)
        events: list[SseEvent] = []
        if self._after_cr and chunk[:1] == b"\n":
            chunk = chunk[1:]
            self._after_cr = False
        elif chunk:
            self._after_cr = False
        start = 0
        for end in _LINE_END.finditer(chunk):  # one pass: two searches a line are quadratic where one end is absent
            self._line += chunk[start : end.start()]
            start = end.end()
            self._after_cr = end[0] == b"\r" and start == len(chunk)
            self._take_held(events)
        self._line += chunk[start:]
        if len(self._line) + self._size > self._limit:
            raise ValueError(f"a server-sent event is larger than {self._limit} bytes")
        return events

    def between(self, chunk: bytes) -> bytes | None:
        """What `feed(chunk)` would read, where it begins with an event and has no line ends but line feeds: the line
        that was begun, which is given up here, and `chunk`. None elsewhere, and then nothing has changed."""
        if self._at_start and chunk and chunk[:1] != BOM[:1]:
            self._at_start = False
        if self._at_start or self._after_cr or self._data or self._event or b"\r" in chunk:
            return None
        if not self._line:
            return chunk
        if b"\n" not in chunk:  # joining every piece of a long line anew would be quadratic
            return None
        chunk = bytes(self._line) + chunk
        self._line.clear()
        return chunk

    def close(self) -> list[SseEvent]:
        """The event that the end of the stream completes: some servers leave out the last blank line."""
        events: list[SseEvent] = []
        if self._line:
            self._take_held(events)
        self._dispatch(events)
        return events

    def _feed_lines(self, chunk: bytes) -> list[SseEvent]:
        """Line feeds alone, with no line begun: what nearly every chunk of nearly every provider is."""
        events: list[SseEvent] = []
        *lines, rest = chunk.split(b"\n")
        data, size = self._data, self._size
        for line in lines:
            if line[:6] == b"data: ":
                data.append(line[6:])
                size += len(line) - 5
            elif line or self._event or len(data) != 1:
                self._size = size
                self._take_line(line, events)
                data, size = self._data, self._size
            else:  # the end of an event that is one line of data
                events.append(SseEvent(data.pop(), "", self._id))
                size = 0
        self._size = size
        self._line += rest
        if len(rest) + size > self._limit:
            raise ValueError(f"a server-sent event is larger than {self._limit} bytes")
        return events

    def _take_held(self, events: list[SseEvent]) -> None:
        line = bytes(self._line)
        self._line.clear()
        if self._at_start:
            line = line.removeprefix(BOM)
            self._at_start = False
        self._take_line(line, events)

    def _take_line(self, line: bytes, events: list[SseEvent]) -> None:
        if not line:
            self._dispatch(events)
            return
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if not name:
            events.append(SseEvent(comment=value))
        elif name == b"data":
            self._data.append(value)
            self._size += len(value) + 1
        elif name == b"event":
            self._event = value.decode("utf-8", "replace")
        elif name == b"id":
            self._id = value.decode("utf-8", "replace")

    def _dispatch(self, events: list[SseEvent]) -> None:
        if self._data:
            events.append(SseEvent(data=b"\n".join(self._data), event=self._event, id=self._id))
        self._data = []
        self._size = 0
        self._event = ""


def encode_event(data: bytes, *, event: str = "") -> bytes:
    """One event as bytes; `data` may hold line feeds."""
    head = f"event: {event}\n".encode() if event else b""
    return head + b"".join(b"data: " + line + b"\n" for line in data.split(b"\n")) + b"\n"


def encode_comment(text: bytes = b"") -> bytes:
    """A comment, which keeps a quiet connection open."""
    return b": " + text + b"\n\n"
