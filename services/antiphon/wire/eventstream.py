"""Amazon's binary event stream (`application/vnd.amazon.eventstream`), in and out.

A message is a prelude (its length, the length of its headers, a CRC-32 of both), typed headers, a payload and a CRC-32
of everything before it. The parser takes chunks cut anywhere; both checksums are verified.
"""

from __future__ import annotations

import struct
import uuid
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

_PRELUDE = struct.Struct(">III")
_CRC = struct.Struct(">I")
_OVERHEAD = _PRELUDE.size + _CRC.size
_MOST_HEADERS = 128 * 1024
"""What Amazon's own readers take."""


class HeaderType(IntEnum):
    """The types of header values, by their number on the wire."""

    TRUE = 0
    FALSE = 1
    BYTE = 2
    SHORT = 3
    INTEGER = 4
    LONG = 5
    BYTES = 6
    STRING = 7
    TIMESTAMP = 8
    UUID = 9


Value = bool | int | bytes | str | uuid.UUID


@dataclass(frozen=True, slots=True)
class Header:
    """One header value. A TIMESTAMP is milliseconds since 1970."""

    type: HeaderType
    value: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One message of a stream."""

    headers: Mapping[str, Header] = field(default_factory=dict)
    payload: bytes = b""

    def text(self, name: str) -> str:
        """The header of that name where it is a string; else ""."""
        header = self.headers.get(name)
        return header.value if header is not None and isinstance(header.value, str) else ""


class FrameParser:
    """Bytes in, messages out. Holds at most one unfinished message."""

    def __init__(self, *, max_frame_bytes: int = 64 * 1024 * 1024) -> None:
        self._limit = max_frame_bytes
        self._rest = bytearray()

    def feed(self, chunk: bytes) -> list[Frame]:
        """The messages that `chunk` completes. Raises ValueError for a wrong checksum, length or header."""
        self._rest += chunk
        frames: list[Frame] = []
        start = 0
        try:
            while len(self._rest) - start >= _PRELUDE.size:
                total, headers = self._prelude(start)
                if len(self._rest) - start < total:
                    break
                frames.append(_frame(bytes(self._rest[start : start + total]), headers))
                start += total
        except ValueError as error:
            if not frames:
                raise
            del self._rest[:start]
            raise BrokenFrames(frames, str(error)) from error
        del self._rest[:start]
        return frames

    @property
    def unfinished(self) -> bool:
        """Whether a message has begun that has not come whole."""
        return bool(self._rest)

    def _prelude(self, start: int) -> tuple[int, int]:
        total, headers, checksum = _PRELUDE.unpack_from(self._rest, start)
        if zlib.crc32(self._rest[start : start + 8]) != checksum:
            raise ValueError("the checksum of a message's prelude is wrong")
        if total > self._limit:
            raise ValueError(f"a message of the stream is larger than {self._limit} bytes")
        if headers > _MOST_HEADERS or total < headers + _OVERHEAD:
            raise ValueError("the lengths of a message do not fit one another")
        return total, headers


class BrokenFrames(ValueError):  # noqa: N818 - it says what came, not only that it failed
    """A chunk held whole messages and then a broken one; `frames` are those that came whole."""

    def __init__(self, frames: list[Frame], message: str) -> None:
        super().__init__(message)
        self.frames = frames


def encode_frame(frame: Frame) -> bytes:
    """The bytes of a message. Raises ValueError for a header that its type cannot hold."""
    headers = b"".join(_encoded_header(name, header) for name, header in frame.headers.items())
    lengths = struct.pack(">II", len(headers) + len(frame.payload) + _OVERHEAD, len(headers))
    body = lengths + _CRC.pack(zlib.crc32(lengths)) + headers + frame.payload
    return body + _CRC.pack(zlib.crc32(body))


def event_frame(name: str, payload: bytes) -> bytes:
    """An event with a JSON payload."""
    return _json_frame({":event-type": name, ":content-type": "application/json", ":message-type": "event"}, payload)


def exception_frame(name: str, payload: bytes) -> bytes:
    """An exception with a JSON payload; it ends the stream."""
    headers = {":exception-type": name, ":content-type": "application/json", ":message-type": "exception"}
    return _json_frame(headers, payload)


def _json_frame(headers: Mapping[str, str], payload: bytes) -> bytes:
    typed = {name: Header(HeaderType.STRING, value) for name, value in headers.items()}
    return encode_frame(Frame(headers=typed, payload=payload))


def _frame(data: bytes, headers: int) -> Frame:
    (checksum,) = _CRC.unpack_from(data, len(data) - _CRC.size)
    if zlib.crc32(data[: -_CRC.size]) != checksum:
        raise ValueError("the checksum of a message is wrong")
    end = _PRELUDE.size + headers
    try:
        return Frame(headers=_headers(data[_PRELUDE.size : end]), payload=data[end : -_CRC.size])
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise ValueError(f"the headers of a message cannot be read: {error}") from error


def _headers(data: bytes) -> dict[str, Header]:
    headers: dict[str, Header] = {}
    place = 0
    while place < len(data):
        length = data[place]
        name = data[place + 1 : place + 1 + length].decode()
        place += 1 + length
        kind = data[place]
        place += 1
        if kind not in _READ:
            raise ValueError(f"a header of a message has the unknown type {kind}")
        value, place = _READ[kind](data, place)
        headers[name] = Header(HeaderType(kind), value)
    return headers


def _number(form: str) -> Callable[[bytes, int], tuple[Value, int]]:
    packed = struct.Struct(form)

    def read(data: bytes, place: int) -> tuple[Value, int]:
        return packed.unpack_from(data, place)[0], place + packed.size

    return read


def _sized(data: bytes, place: int) -> tuple[bytes, int]:
    (length,) = struct.unpack_from(">H", data, place)
    end = place + 2 + length
    if end > len(data):
        raise ValueError("a header of a message is longer than the headers")
    return data[place + 2 : end], end


def _text(data: bytes, place: int) -> tuple[Value, int]:
    raw, end = _sized(data, place)
    return raw.decode(), end


def _uuid(data: bytes, place: int) -> tuple[Value, int]:
    if place + 16 > len(data):
        raise ValueError("a header of a message is longer than the headers")
    return uuid.UUID(bytes=data[place : place + 16]), place + 16


_READ: Mapping[int, Callable[[bytes, int], tuple[Value, int]]] = {
    HeaderType.TRUE: lambda data, place: (True, place),
    HeaderType.FALSE: lambda data, place: (False, place),
    HeaderType.BYTE: _number(">b"),
    HeaderType.SHORT: _number(">h"),
    HeaderType.INTEGER: _number(">i"),
    HeaderType.LONG: _number(">q"),
    HeaderType.BYTES: _sized,
    HeaderType.STRING: _text,
    HeaderType.TIMESTAMP: _number(">q"),
    HeaderType.UUID: _uuid,
}
_FORMS = {
    HeaderType.BYTE: ">b",
    HeaderType.SHORT: ">h",
    HeaderType.INTEGER: ">i",
    HeaderType.LONG: ">q",
    HeaderType.TIMESTAMP: ">q",
}


def _encoded_header(name: str, header: Header) -> bytes:
    raw = name.encode()
    if not 0 < len(raw) < 256:
        raise ValueError(f"the name of a header has {len(raw)} bytes: 1 to 255 fit")
    return bytes([len(raw)]) + raw + bytes([header.type]) + _encoded_value(header)


def _encoded_value(header: Header) -> bytes:
    value = header.value
    if header.type in (HeaderType.TRUE, HeaderType.FALSE):
        return b""
    if header.type in _FORMS:
        try:
            return struct.pack(_FORMS[header.type], value)
        except struct.error as error:
            raise ValueError(f"{value!r} is no {header.type.name} of a header") from error
    if isinstance(value, uuid.UUID):
        return value.bytes
    data = value.encode() if isinstance(value, str) else value
    if not isinstance(data, bytes) or len(data) >= 1 << 16:
        raise ValueError(f"a header of type {header.type.name} holds less than 64 KiB of text or bytes")
    return struct.pack(">H", len(data)) + data
