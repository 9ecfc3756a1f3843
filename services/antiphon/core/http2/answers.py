"""The heads and trailers of answers, as header blocks that need no table: constant bytes where they say the same."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable
from typing import Final, TypeAlias

import grpc

from antiphon.core.http2.frames import END_HEADERS, END_STREAM, HEADERS, frame
from antiphon.core.http2.heads import ENCODINGS, Refusal

Metadata: TypeAlias = Iterable[tuple[str, str | bytes]]

_STATUS_200: Final = b"\x88"
_KEY: Final = re.compile(r"[0-9a-z_.-]+")
_LITERAL: Final = re.compile(r"[\x20-\x7e]*")
_PLAIN: Final = frozenset(range(0x20, 0x7F)) - {0x25}
"""Bytes of a message that need no percent-encoding."""


def _length(size: int) -> bytes:
    """A length of HPACK without Huffman's bit: RFC 7541, section 5.1."""
    if size < 0x7F:
        return bytes((size,))
    rest = size - 0x7F
    out = bytearray((0x7F,))
    while rest >= 0x80:
        out.append(0x80 | rest & 0x7F)
        rest >>= 7
    out.append(rest)
    return bytes(out)


def literal(name: bytes, value: bytes) -> bytes:
    """A field that no table keeps: RFC 7541, section 6.2.2."""
    return b"\x00" + _length(len(name)) + name + _length(len(value)) + value


HEAD_BLOCK: Final = (
    _STATUS_200
    + literal(b"content-type", b"application/grpc")
    + literal(b"grpc-accept-encoding", ",".join(ENCODINGS).encode())
)
"""The head of every answer that has a message, or may have one."""
OK_BLOCK: Final = literal(b"grpc-status", b"0")
"""The trailers of an answer that ended well and says nothing more."""


def _around(block: bytes, flags: int) -> tuple[bytes, bytes]:
    whole = frame(HEADERS, flags, 0, block)
    return whole[:5], whole[9:]


HEAD_BEFORE, HEAD_AFTER = _around(HEAD_BLOCK, END_HEADERS)
"""A HEADERS frame but for the four bytes of the stream's number, which go in between."""
OK_BEFORE, OK_AFTER = _around(OK_BLOCK, END_HEADERS | END_STREAM)


def custom(metadata: Metadata) -> bytes:
    """Metadata as fields. Raises ValueError for what gRPC cannot carry."""
    fields = []
    for key, value in metadata:
        if _KEY.fullmatch(key) is None or (key.startswith("grpc-") and not key.startswith("grpc-status-details")):
            raise ValueError(f"{key!r} is no name of metadata")
        if key.endswith("-bin"):
            raw = value if isinstance(value, bytes) else value.encode()
            fields.append(literal(key.encode(), b64encode(raw).rstrip(b"=")))
            continue
        text = value if isinstance(value, str) else value.decode("latin-1")
        if _LITERAL.fullmatch(text) is None:
            raise ValueError(f"the metadata {key!r} holds more than printable ASCII")
        fields.append(literal(key.encode(), text.encode()))
    return b"".join(fields)


def trailers(code: grpc.StatusCode, details: str, more: bytes) -> bytes:
    """The trailers of an answer; `more` are further fields."""
    fields = literal(b"grpc-status", b"%d" % code.value[0])
    if details:
        fields += literal(b"grpc-message", escaped(details))
    return fields + more


def refused(refusal: Refusal) -> bytes:
    """The fields of an answer that is nothing but a status."""
    status = _STATUS_200 if refusal.http == 200 else literal(b":status", b"%d" % refusal.http)
    head = HEAD_BLOCK[len(_STATUS_200) :]
    return status + head + trailers(refusal.code, refusal.details, b"")


def escaped(text: str) -> bytes:
    """A message with all but printable ASCII as %XX."""
    raw = text.encode("utf-8", "replace")
    if all(byte in _PLAIN for byte in raw):
        return raw
    return b"".join(bytes((byte,)) if byte in _PLAIN else b"%%%02X" % byte for byte in raw)
