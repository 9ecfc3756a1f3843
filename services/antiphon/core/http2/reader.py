"""Bytes into frames, with the rules that hold for a frame by itself (RFC 9113, section 6). What they mean is the
connection's business, which is a subclass so that a frame costs no call more than its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from antiphon.core.http2.frames import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    FRAME_BYTES,
    GOAWAY,
    HAS_PRIORITY,
    HEAD,
    HEAD_SIZE,
    HEADERS,
    MOST_FRAME_BYTES,
    MOST_STREAM,
    MOST_WINDOW,
    PADDED,
    PING,
    PREFACE,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    ErrorCode,
    ProtocolError,
    Setting,
)
from antiphon.core.http2.limits import BLOCK_BYTES, BLOCK_FRAMES

_PRIORITY_BYTES: Final = 5


class WrongProtocolError(Exception):
    """What connects does not speak HTTP/2. `http1` is whether it speaks HTTP/1.1."""

    def __init__(self, *, http1: bool) -> None:
        super().__init__("this is no HTTP/2")
        self.http1 = http1


class FrameReader(asyncio.Protocol):
    """Reads what a client sends. A subclass says what becomes of it, and sets `deaf` to read no more."""

    def __init__(self) -> None:
        self.greeted = False
        self.deaf = False
        self._rest = b""
        self._block: tuple[int, bool, list[bytes]] | None = None  # stream, whether it ends, pieces

    # What a subclass says.

    def got_preface(self) -> None:
        """The client speaks HTTP/2."""
        raise NotImplementedError

    def got_data(self, stream: int, payload: bytes, size: int, ends: int) -> None:
        """DATA without its padding; `size` counts with it."""
        raise NotImplementedError

    def got_block(self, stream: int, block: bytes, *, ends: bool) -> None:
        """A whole header block."""
        raise NotImplementedError

    def got_reset(self, stream: int) -> None:
        """RST_STREAM."""
        raise NotImplementedError

    def got_settings(self, values: list[tuple[int, int]]) -> None:
        """SETTINGS whose values are allowed."""
        raise NotImplementedError

    def got_ping(self, payload: bytes, *, ack: bool) -> None:
        """PING."""
        raise NotImplementedError

    def got_goaway(self) -> None:
        """GOAWAY."""
        raise NotImplementedError

    def got_window(self, stream: int, more: int) -> None:
        """WINDOW_UPDATE."""
        raise NotImplementedError

    # Bytes.

    def read(self, data: bytes) -> None:
        """Read what came. Raises ProtocolError, and WrongProtocolError."""
        if self._rest:
            data = self._rest + data
            self._rest = b""
        at = 0
        if not self.greeted:
            if not data.startswith(PREFACE):
                if PREFACE.startswith(data):
                    self._rest = data
                    return
                raise WrongProtocolError(http1=b"HTTP/1" in data[:4096] or data[:4].isalpha())
            self.greeted = True
            self.got_preface()
            at = len(PREFACE)
        at = self._frames(data, at)
        if at < len(data) and not self.deaf:
            self._rest = data[at:]

    def _frames(self, data: bytes, at: int) -> int:
        """Read the frames that are whole; where they end."""
        size = len(data)
        unpack = HEAD.unpack_from
        while size - at >= HEAD_SIZE and not self.deaf:
            high, low, kind, flags, stream = unpack(data, at)
            length = high << 8 | low
            if length > FRAME_BYTES:
                raise ProtocolError(ErrorCode.FRAME_SIZE_ERROR, f"a frame of {length} bytes is too long")
            start = at + HEAD_SIZE
            stop = start + length
            if stop > size:
                break
            if self._block is not None and kind != CONTINUATION:
                raise ProtocolError(ErrorCode.PROTOCOL_ERROR, "a header block was interrupted")
            read = _READERS.get(kind)
            if read is not None:
                read(self, stream & MOST_STREAM, flags, data[start:stop])
            at = stop
        return at

    def _data(self, stream: int, flags: int, payload: bytes) -> None:
        size = len(payload)
        if flags & PADDED:
            payload = _unpadded(payload)
        self.got_data(stream, payload, size, flags & END_STREAM)

    def _headers(self, stream: int, flags: int, payload: bytes) -> None:
        if flags & PADDED:
            payload = _unpadded(payload)
        if flags & HAS_PRIORITY:
            if len(payload) < _PRIORITY_BYTES:
                raise ProtocolError(ErrorCode.FRAME_SIZE_ERROR, "HEADERS has no room for its priority")
            if int.from_bytes(payload[:4], "big") & MOST_STREAM == stream:
                raise ProtocolError(ErrorCode.PROTOCOL_ERROR, "a stream depends on itself")
            payload = payload[_PRIORITY_BYTES:]
        if not stream & 1:
            raise ProtocolError(ErrorCode.PROTOCOL_ERROR, "clients open streams with odd numbers")
        ends = bool(flags & END_STREAM)
        if flags & END_HEADERS:
            self.got_block(stream, payload, ends=ends)
        else:
            self._block = (stream, ends, [payload])

    def _continuation(self, stream: int, flags: int, payload: bytes) -> None:
        if self._block is None or self._block[0] != stream:
            raise ProtocolError(ErrorCode.PROTOCOL_ERROR, "CONTINUATION continues nothing")
        _, ends, pieces = self._block
        pieces.append(payload)
        if len(pieces) > BLOCK_FRAMES or sum(map(len, pieces)) > BLOCK_BYTES:
            raise ProtocolError(ErrorCode.ENHANCE_YOUR_CALM, "a header block is far too long")
        if flags & END_HEADERS:
            self._block = None
            self.got_block(stream, b"".join(pieces), ends=ends)

    def _reset(self, stream: int, flags: int, payload: bytes) -> None:
        _sized(payload, 4, "RST_STREAM")
        self.got_reset(stream)

    def _settings(self, stream: int, flags: int, payload: bytes) -> None:
        _of_connection(stream, "SETTINGS")
        if flags & ACK:
            _sized(payload, 0, "SETTINGS")
            return
        if len(payload) % 6:
            raise ProtocolError(ErrorCode.FRAME_SIZE_ERROR, "SETTINGS come in sixes of bytes")
        values = []
        for at in range(0, len(payload), 6):
            key, value = int.from_bytes(payload[at : at + 2], "big"), int.from_bytes(payload[at + 2 : at + 6], "big")
            least, most, code = _ALLOWED.get(key, (0, value, ErrorCode.PROTOCOL_ERROR))
            if not least <= value <= most:
                raise ProtocolError(code, f"setting {key} cannot be {value}")
            values.append((key, value))
        self.got_settings(values)

    def _ping(self, stream: int, flags: int, payload: bytes) -> None:
        _of_connection(stream, "PING")
        _sized(payload, 8, "PING")
        self.got_ping(payload, ack=bool(flags & ACK))

    def _goaway(self, stream: int, flags: int, payload: bytes) -> None:
        _of_connection(stream, "GOAWAY")
        if len(payload) < 8:
            raise ProtocolError(ErrorCode.FRAME_SIZE_ERROR, "a GOAWAY is too short")
        self.got_goaway()

    def _window_update(self, stream: int, flags: int, payload: bytes) -> None:
        _sized(payload, 4, "WINDOW_UPDATE")
        self.got_window(stream, int.from_bytes(payload, "big") & MOST_WINDOW)

    def _priority(self, stream: int, flags: int, payload: bytes) -> None:
        """Passed over, but for its form: section 5.3.2."""
        if not stream:
            raise ProtocolError(ErrorCode.PROTOCOL_ERROR, "PRIORITY is a stream's")
        _sized(payload, _PRIORITY_BYTES, "PRIORITY")

    def _push(self, stream: int, flags: int, payload: bytes) -> None:
        raise ProtocolError(ErrorCode.PROTOCOL_ERROR, "clients do not push")


def _unpadded(payload: bytes) -> bytes:
    if not payload or payload[0] >= len(payload):
        raise ProtocolError(ErrorCode.PROTOCOL_ERROR, "a frame has more padding than bytes")
    return payload[1 : len(payload) - payload[0]]


def _sized(payload: bytes, size: int, what: str) -> None:
    if len(payload) != size:
        raise ProtocolError(ErrorCode.FRAME_SIZE_ERROR, f"{what} has {len(payload)} bytes, not {size}")


def _of_connection(stream: int, what: str) -> None:
    if stream:
        raise ProtocolError(ErrorCode.PROTOCOL_ERROR, f"{what} belongs to the connection, not to a stream")


_READERS: Final[Mapping[int, Callable[[FrameReader, int, int, bytes], None]]] = {
    DATA: FrameReader._data,
    HEADERS: FrameReader._headers,
    PRIORITY: FrameReader._priority,
    RST_STREAM: FrameReader._reset,
    SETTINGS: FrameReader._settings,
    PUSH_PROMISE: FrameReader._push,
    PING: FrameReader._ping,
    GOAWAY: FrameReader._goaway,
    WINDOW_UPDATE: FrameReader._window_update,
    CONTINUATION: FrameReader._continuation,
}
"""Frames of other kinds are passed over: section 4.1."""

_ALLOWED: Final[Mapping[int, tuple[int, int, ErrorCode]]] = {
    Setting.ENABLE_PUSH: (0, 1, ErrorCode.PROTOCOL_ERROR),
    Setting.INITIAL_WINDOW_SIZE: (0, MOST_WINDOW, ErrorCode.FLOW_CONTROL_ERROR),
    Setting.MAX_FRAME_SIZE: (FRAME_BYTES, MOST_FRAME_BYTES, ErrorCode.PROTOCOL_ERROR),
}
"""Values that settings may have: section 6.5.2."""
