"""Server-sent events as bytes, in and out (WHATWG HTML, section 9.2).

Bytes, because text `splitlines` also cuts at U+2028 and its kin, which occur inside JSON. The parser takes chunks
cut anywhere: inside a UTF-8 character, between the CR and LF of one line end, inside a field name.
"""

from __future__ import annotations

from dataclasses import dataclass

BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True, kw_only=True)
class SseEvent:
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
        events: list[SseEvent] = []
        if self._after_cr and chunk[:1] == b"\n":
            chunk = chunk[1:]
            self._after_cr = False
        elif chunk:
            self._after_cr = False
        start = 0
        while True:
            end = _line_end(chunk, start)
            if end < 0:
                break
            self._line += chunk[start:end]
            if chunk[end : end + 2] == b"\r\n":
                start = end + 2
            else:
                self._after_cr = chunk[end : end + 1] == b"\r" and end + 1 == len(chunk)
                start = end + 1
            self._take_line(events)
        self._line += chunk[start:]
        if len(self._line) + self._size > self._limit:
            raise ValueError(f"a server-sent event is larger than {self._limit} bytes")
        return events

    def close(self) -> list[SseEvent]:
        """The event that the end of the stream completes: some servers leave out the last blank line."""
        events: list[SseEvent] = []
        if self._line:
            self._take_line(events)
        self._dispatch(events)
        return events

    def _take_line(self, events: list[SseEvent]) -> None:
        line = bytes(self._line)
        self._line.clear()
        if self._at_start:
            line = line.removeprefix(BOM)
            self._at_start = False
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


def _line_end(chunk: bytes, start: int) -> int:
    feed, carriage = chunk.find(b"\n", start), chunk.find(b"\r", start)
    if feed < 0 or carriage < 0:
        return max(feed, carriage)
    return min(feed, carriage)
