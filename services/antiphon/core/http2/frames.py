"""Frames of HTTP/2 (RFC 9113, section 6): their numbers, and the bytes of those that a server sends."""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from typing import Final

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""What a client says first."""
HEAD: Final = Struct(">HBBBI")
"""The nine bytes before a payload: length in two parts, kind, flags, stream."""
HEAD_SIZE: Final = 9
FRAME_BYTES: Final = 16384
"""The longest payload that both sides may send without having agreed on more."""
MOST_FRAME_BYTES: Final = (1 << 24) - 1
WINDOW: Final = 65535
"""What a window holds before anything was agreed."""
MOST_WINDOW: Final = (1 << 31) - 1
MOST_STREAM: Final = (1 << 31) - 1

DATA: Final = 0
HEADERS: Final = 1
PRIORITY: Final = 2
RST_STREAM: Final = 3
SETTINGS: Final = 4
PUSH_PROMISE: Final = 5
PING: Final = 6
GOAWAY: Final = 7
WINDOW_UPDATE: Final = 8
CONTINUATION: Final = 9

ACK: Final = 0x1
END_STREAM: Final = 0x1
END_HEADERS: Final = 0x4
PADDED: Final = 0x8
HAS_PRIORITY: Final = 0x20

MESSAGE: Final = Struct(">HBBBIBI")
"""The head of a DATA frame, and that of the gRPC message that it holds whole."""
_ONE: Final = Struct(">I")


class ErrorCode(IntEnum):
    """Why a stream or a connection ends: section 7."""

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FLOW_CONTROL_ERROR = 3
    SETTINGS_TIMEOUT = 4
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9
    CONNECT_ERROR = 10
    ENHANCE_YOUR_CALM = 11
    INADEQUATE_SECURITY = 12
    HTTP_1_1_REQUIRED = 13


class Setting(IntEnum):
    """What the sides agree on: section 6.5.2."""

    HEADER_TABLE_SIZE = 1
    ENABLE_PUSH = 2
    MAX_CONCURRENT_STREAMS = 3
    INITIAL_WINDOW_SIZE = 4
    MAX_FRAME_SIZE = 5
    MAX_HEADER_LIST_SIZE = 6


class ProtocolError(Exception):
    """The peer breaks the protocol, so the connection has to end."""

    def __init__(self, code: ErrorCode, why: str) -> None:
        super().__init__(why)
        self.code = code
        self.why = why


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One frame."""
    size = len(payload)
    return HEAD.pack(size >> 8, size & 0xFF, kind, flags, stream) + payload


def settings(values: dict[Setting, int]) -> bytes:
    """SETTINGS with these values."""
    payload = b"".join(key.to_bytes(2, "big") + value.to_bytes(4, "big") for key, value in values.items())
    return frame(SETTINGS, 0, 0, payload)


SETTINGS_ACK: Final = frame(SETTINGS, ACK, 0)


def window_update(stream: int, size: int) -> bytes:
    """Room for `size` bytes more; stream 0 is the connection."""
    return frame(WINDOW_UPDATE, 0, stream, _ONE.pack(size))


def reset(stream: int, code: ErrorCode) -> bytes:
    """The end of one stream."""
    return frame(RST_STREAM, 0, stream, _ONE.pack(code))


def ping(payload: bytes, *, ack: bool = False) -> bytes:
    """A question whether the peer is there, or the answer to its own."""
    return frame(PING, ACK if ack else 0, 0, payload)


def goaway(last: int, code: ErrorCode = ErrorCode.NO_ERROR, why: str = "") -> bytes:
    """No stream above `last` is served."""
    return frame(GOAWAY, 0, 0, _ONE.pack(last) + _ONE.pack(code) + why.encode("utf-8", "replace")[:200])


def header_frames(stream: int, block: bytes, *, end: bool) -> bytes:
    """HEADERS, and CONTINUATION where the block is longer than one frame."""
    flags = END_STREAM if end else 0
    if len(block) <= FRAME_BYTES:
        return frame(HEADERS, flags | END_HEADERS, stream, block)
    pieces = [block[start : start + FRAME_BYTES] for start in range(0, len(block), FRAME_BYTES)]
    frames = [frame(HEADERS, flags, stream, pieces[0])]
    frames.extend(frame(CONTINUATION, 0, stream, piece) for piece in pieces[1:-1])
    frames.append(frame(CONTINUATION, END_HEADERS, stream, pieces[-1]))
    return b"".join(frames)
