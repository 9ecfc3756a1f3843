"""What a request's header block says to gRPC (its PROTOCOL-HTTP2 document): method, metadata, deadline, encoding."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from dataclasses import dataclass, field
from typing import Any, Final

import grpc

from antiphon.core.http2.blocks import Blocks, Fields
from antiphon.core.http2.limits import HEADER_LIST_BYTES

ENCODINGS: Final = ("identity", "deflate", "gzip")
"""How requests may be compressed."""

_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]+")
"""Names of fields, RFC 9110, section 5.1, in the lower case that RFC 9113 wants."""
_VALUE: Final = re.compile(rb"[^\x00\r\n]*")
_PSEUDO: Final = frozenset({b":method", b":scheme", b":path", b":authority"})
_OF_CONNECTIONS: Final = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"}
)
"""Fields of HTTP/1.1 that make a request malformed: RFC 9113, section 8.2.2."""
_OWN: Final = frozenset({b"te", b"content-type", b"content-length", b"grpc-encoding", b"grpc-accept-encoding"})
"""Fields of the transport, which handlers do not see."""
_GRPC: Final = re.compile(rb"application/grpc(?:$|[+;])")
_TIMEOUT: Final = re.compile(rb"([0-9]{1,8})([HMSmun])")
_SECONDS: Final = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}
_REMEMBERED: Final = 32


class MalformedError(Exception):
    """The fields are no request of HTTP/2: its stream is reset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a call is answered without asking its handler. `http` is the HTTP status, for what is no gRPC at all."""

    code: grpc.StatusCode
    details: str
    http: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """One request's head. Calls whose blocks are the same share it, and with it `notes`: what their handlers found
    out from the metadata alone. `timeout` is in seconds."""

    path: str
    metadata: tuple[tuple[str, str | bytes], ...] = ()
    timeout: float | None = None
    encoding: str = "identity"
    refusal: Refusal | None = None
    notes: dict[str, Any] = field(default_factory=dict, compare=False)


class Heads:
    """The heads on one connection."""

    def __init__(self) -> None:
        self._blocks = Blocks()
        self._changes = 0
        self._known: dict[bytes, Head] = {}

    def read(self, block: bytes) -> Head:
        """The head in a block. Raises ProtocolError, and MalformedError."""
        blocks = self._blocks
        if blocks.changes != self._changes:  # then the same bytes may mean something else
            self._changes = blocks.changes
            self._known.clear()
        known = self._known.get(block)
        if known is not None:
            return known
        head = head_of(blocks.read(block))
        if blocks.changes == self._changes:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[block] = head
        return head

    def skip(self, block: bytes) -> Fields:
        """Read a block of which only the tables' changes matter. Raises ProtocolError."""
        return self._blocks.read(block)


def head_of(fields: Fields) -> Head:
    """The head that these fields are. Raises MalformedError."""
    pseudo: dict[bytes, bytes] = {}
    metadata: list[tuple[str, str | bytes]] = []
    own: dict[bytes, bytes] = {}
    timeout: float | None = None
    refusal: Refusal | None = None
    size = 0
    for name, value in fields:
        size += len(name) + len(value) + 32
        if name[:1] == b":":
            if name not in _PSEUDO or name in pseudo or metadata or own:
                raise MalformedError(f"the pseudo field {name!r} is unknown, said twice, or too late")
            pseudo[name] = value
        elif name in _OWN:
            own[name] = value
        elif name == b"grpc-timeout":
            timeout = _timeout(value)
            if timeout is None:
                refusal = Refusal(code=grpc.StatusCode.INTERNAL, details=f"grpc-timeout {value[:20]!r} is no time")
        else:
            if name in _OF_CONNECTIONS or _NAME.fullmatch(name) is None or _VALUE.fullmatch(value) is None:
                raise MalformedError(f"the field {name[:80]!r} is not allowed in HTTP/2")
            if name[-4:] == b"-bin":
                try:
                    metadata.extend((name.decode(), _unpacked(each)) for each in value.split(b","))
                except binascii.Error:
                    details = f"the metadata {name[:80].decode()} is no base64"
                    refusal = Refusal(code=grpc.StatusCode.INTERNAL, details=details)
            else:
                metadata.append((name.decode(), _text(value)))
    if b":method" not in pseudo or b":scheme" not in pseudo or not pseudo.get(b":path"):
        raise MalformedError("a request has a method, a scheme and a path")
    if own.get(b"te", b"trailers").lower() != b"trailers":
        raise MalformedError("te says something else than trailers")
    encoding = own.get(b"grpc-encoding", b"identity").decode("latin-1")
    return Head(
        path=_text(pseudo[b":path"]),
        metadata=tuple(metadata),
        timeout=timeout,
        encoding=encoding,
        refusal=_refused(pseudo[b":method"], own.get(b"content-type", b""), encoding, size) or refusal,
    )


def _refused(method: bytes, kind: bytes, encoding: str, size: int) -> Refusal | None:
    if size > HEADER_LIST_BYTES:
        details = f"the metadata has {size} bytes and {HEADER_LIST_BYTES} are allowed"
        return Refusal(code=grpc.StatusCode.RESOURCE_EXHAUSTED, details=details)
    if method != b"POST":
        return Refusal(code=grpc.StatusCode.UNIMPLEMENTED, details="a gRPC call is a POST", http=405)
    if _GRPC.match(kind.lower()) is None:
        return Refusal(code=grpc.StatusCode.UNKNOWN, details="the content type is not application/grpc", http=415)
    if encoding not in ENCODINGS:
        details = f"requests in the encoding {encoding[:40]!r} are not understood; send one of {', '.join(ENCODINGS)}"
        return Refusal(code=grpc.StatusCode.UNIMPLEMENTED, details=details)
    return None


def _timeout(value: bytes) -> float | None:
    found = _TIMEOUT.fullmatch(value)
    return None if found is None else int(found[1]) * _SECONDS[found[2]]


def _unpacked(value: bytes) -> bytes:
    """Base64 with or without its padding."""
    bare = value.strip().rstrip(b"=")
    return b64decode(bare + b"=" * (-len(bare) % 4), validate=True)


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
