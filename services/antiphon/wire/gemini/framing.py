"""The frames of a stream: server-sent events with `alt=sse`, else the elements of one JSON array that grows.

Which of the two it is, the first byte tells. A bare object is an error that came instead of a stream.
"""

from __future__ import annotations

import re

from antiphon.wire.sse import BOM, SseParser

_MARKS = re.compile(rb'["\\{}\[\]]')
_IN_TEXT = re.compile(rb'["\\]')
_BLANK = b" \t\r\n"


class Framer:
    """Bytes in, JSON texts out."""

    def __init__(self) -> None:
        self._start = b""
        self._frames: SseParser | Elements | None = None

    @property
    def ended(self) -> bool:
        """Whether the stream itself has said that it is whole, as an array does."""
        return isinstance(self._frames, Elements) and self._frames.ended

    def feed(self, chunk: bytes) -> list[bytes]:
        """The JSON texts that `chunk` completes. Raises ValueError for a frame that is too large."""
        if self._frames is None:
            chunk = self._start + chunk
            first = chunk.removeprefix(BOM).lstrip(_BLANK)
            if not first or BOM.startswith(first):
                self._start = chunk
                return []
            self._frames = Elements() if first[:1] in b"[{" else SseParser()
        if isinstance(self._frames, Elements):
            return self._frames.feed(chunk)
        return [event.data for event in self._frames.feed(chunk) if event.comment is None]

    def close(self) -> list[bytes]:
        """The JSON texts that the end of the stream completes."""
        if isinstance(self._frames, SseParser):
            return [event.data for event in self._frames.close() if event.comment is None]
        return []


class Elements:
    """The objects of a JSON array, each as soon as it is whole."""

    def __init__(self, *, max_bytes: int = 64 * 1024 * 1024) -> None:
        self._limit = max_bytes
        self._depth = 0
        self._in_text = False
        self._escaped = False
        self._is_array = False
        self._element = bytearray()
        self.ended = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """The objects that `chunk` completes. Raises ValueError past `max_bytes`."""
        found: list[bytes] = []
        position = begin = 0
        if self._escaped and chunk:
            self._escaped = False
            position = 1
        while match := (_IN_TEXT if self._in_text else _MARKS).search(chunk, position):
            mark, position = match[0], match.end()
            if mark == b"\\":
                self._escaped = position == len(chunk)
                position += 1
            elif mark == b'"':
                self._in_text = not self._in_text
            elif mark in b"{[":
                begin = self._open(mark, match.start(), begin)
            else:
                begin = self._close(chunk, position, begin, found)
        if self._depth > 0 and (self._depth > 1 or not self._is_array):
            self._element += chunk[begin:]
        if len(self._element) > self._limit:
            raise ValueError(f"an element of the stream is larger than {self._limit} bytes")
        return found

    def _open(self, mark: bytes, start: int, begin: int) -> int:
        if self._depth == 0 and mark == b"[":
            self._is_array = True
        elif self._depth == int(self._is_array):
            begin = start
        self._depth += 1
        return begin

    def _close(self, chunk: bytes, end: int, begin: int, found: list[bytes]) -> int:
        self._depth -= 1
        if self._depth == int(self._is_array):
            self._element += chunk[begin:end]
            found.append(bytes(self._element))
            self._element.clear()
            return end
        if self._depth == 0:
            self.ended = True
        return begin
