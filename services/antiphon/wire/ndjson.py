"""JSON lines as bytes, cut anywhere. JSON holds no raw line end, so any of LF, CR and CRLF ends a line."""

from __future__ import annotations


class LineParser:
    """Bytes in, lines out; blank lines are dropped. Holds at most one unfinished line."""

    def __init__(self, *, max_line_bytes: int = 64 * 1024 * 1024) -> None:
        self._limit = max_line_bytes
        self._rest = bytearray()

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that `chunk` completes. Raises ValueError past `max_line_bytes`."""
        if b"\n" not in chunk and b"\r" not in chunk:
            self._rest += chunk
            if len(self._rest) > self._limit:
                raise ValueError(f"a line is larger than {self._limit} bytes")
            return []
        first, *lines = chunk.replace(b"\r", b"\n").split(b"\n")
        lines.insert(0, bytes(self._rest + first))
        self._rest = bytearray(lines.pop())
        return [line for line in lines if line.strip()]

    def close(self) -> list[bytes]:
        """The line that the end of the stream completes."""
        line = bytes(self._rest)
        self._rest.clear()
        return [line] if line.strip() else []
