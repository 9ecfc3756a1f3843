"""One caller with a clock: seconds to the first content and to the end of one call, over plain sockets.

Both doors are spoken with as little as possible, so that the clock shows the server and not a client library: HTTP/1.1
as written text, HTTP/2 as frames with literal headers.
"""

from __future__ import annotations

import socket
import struct
import time
from dataclasses import dataclass
from typing import Final, Protocol

from bench.processes import StartError, Tree
from bench.systems.base import Target

_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _GOAWAY, _WINDOW = 0, 1, 3, 4, 6, 7, 8
_ACK = _END_STREAM = 1
_END_HEADERS = 4
_WIDE: Final = 2**30
_TIMEOUT: Final = 60.0
PATIENCE: Final = 120.0
"""Seconds until a system that was started has to answer."""


class ProbeError(RuntimeError):
    """The call brought no whole answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One call. `first` is when the marker had come, 0 where none was looked for. Seconds."""

    first: float
    total: float
    size: int


class Probe(Protocol):
    """A connection that is used for one call after the other."""

    def call(self, marker: bytes = b"") -> Seen:
        """One call. Raises ProbeError or OSError."""

    def close(self) -> None:
        """End the connection."""


def connect(target: Target) -> Probe:
    """A probe on a fresh connection. Raises OSError."""
    return _Grpc(target) if target.door == "grpc" else _Http(target)


def first_answer(target: Target, tree: Tree) -> None:
    """Ask until there is a whole answer. Raises StartError."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            connection = connect(target)
            try:
                connection.call()
            finally:
                connection.close()
        except (OSError, ProbeError) as error:
            if tree.ended():
                raise StartError("it ended before it answered") from error
            time.sleep(0.005)
        else:
            return
    raise StartError(f"no answer within {PATIENCE:g} s")


class _Http:
    def __init__(self, target: Target) -> None:
        self._socket = _connected(target.address)
        head = [f"POST {target.path} HTTP/1.1", f"host: {target.address}", f"content-length: {len(target.body)}"]
        head += [f"{name}: {value}" for name, value in target.headers.items()]
        self._request = "\r\n".join([*head, "", ""]).encode() + target.body

    def call(self, marker: bytes = b"") -> Seen:
        """One call."""
        began = time.perf_counter()
        self._socket.sendall(self._request)
        received = bytearray()
        first = 0.0
        body = length = -1
        while True:
            piece = self._socket.recv(1 << 18)
            if not piece:
                raise ProbeError("the connection was closed")
            received += piece
            if marker and not first and marker in received:
                first = time.perf_counter() - began
            if body < 0:
                body = received.find(b"\r\n\r\n") + 4
                if body < 4:
                    body = -1
                    continue
                head = bytes(received[:body]).lower()
                if not head.startswith(b"http/1.1 200"):
                    raise ProbeError(received[:300].decode("latin-1"))
                _, found, rest = head.partition(b"\r\ncontent-length:")
                length = int(rest.split(b"\r\n", 1)[0]) if found else -1
            whole = len(received) - body == length if length >= 0 else received.endswith(b"\r\n0\r\n\r\n")
            if whole:
                return Seen(first=first, total=time.perf_counter() - began, size=len(received) - body)

    def close(self) -> None:
        """End the connection."""
        self._socket.close()


class _Grpc:
    def __init__(self, target: Target) -> None:
        self._socket = _connected(target.address)
        self._stream = 1
        pseudo = {":method": "POST", ":scheme": "http", ":path": target.path, ":authority": target.address}
        self._headers = b"".join(_literal(name, value) for name, value in (pseudo | dict(target.headers)).items())
        self._body = target.body
        if len(target.body) > 16384:
            raise ProbeError("bodies over one frame are for h2load")
        settings = struct.pack(">HI", 4, _WIDE)
        self._socket.sendall(
            _PREFACE + _frame(_SETTINGS, 0, 0, settings) + _frame(_WINDOW, 0, 0, struct.pack(">I", _WIDE))
        )
        self._rest = bytearray()

    def call(self, marker: bytes = b"") -> Seen:
        """One call."""
        stream, self._stream = self._stream, self._stream + 2
        began = time.perf_counter()
        self._socket.sendall(
            _frame(_HEADERS, _END_HEADERS, stream, self._headers) + _frame(_DATA, _END_STREAM, stream, self._body)
        )
        received = bytearray()
        first = 0.0
        while True:
            kind, flags, number, payload = self._next()
            if kind == _DATA:
                received += payload
                if marker and not first and marker in received:
                    first = time.perf_counter() - began
            elif kind == _SETTINGS and not flags & _ACK:
                self._socket.sendall(_frame(_SETTINGS, _ACK, 0, b""))
            elif kind == _PING and not flags & _ACK:
                self._socket.sendall(_frame(_PING, _ACK, 0, payload))
            elif kind in (_RESET, _GOAWAY):
                raise ProbeError(f"the stream was ended: frame {kind}, {payload!r}")
            if number == stream and kind in (_DATA, _HEADERS) and flags & _END_STREAM:
                if not received:
                    raise ProbeError("no message came: the call failed")
                return Seen(first=first, total=time.perf_counter() - began, size=len(received))

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def _next(self) -> tuple[int, int, int, bytes]:
        while True:
            if len(self._rest) >= 9:
                size = int.from_bytes(self._rest[:3], "big")
                if len(self._rest) >= 9 + size:
                    kind, flags = self._rest[3], self._rest[4]
                    number = int.from_bytes(self._rest[5:9], "big") & 0x7FFFFFFF
                    payload = bytes(self._rest[9 : 9 + size])
                    del self._rest[: 9 + size]
                    return kind, flags, number, payload
            piece = self._socket.recv(1 << 18)
            if not piece:
                raise ProbeError("the connection was closed")
            self._rest += piece


def _connected(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    connection = socket.create_connection((host, int(port)), timeout=_TIMEOUT)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _literal(name: str, value: str) -> bytes:
    """A header without compression: RFC 7541, 6.2.2, without indexing."""
    return b"\x00" + _text(name) + _text(value)


def _text(text: str) -> bytes:
    data = text.encode()
    if len(data) < 127:
        return bytes([len(data)]) + data
    rest = len(data) - 127
    length = bytearray([127])
    while rest >= 128:
        length.append(rest % 128 + 128)
        rest //= 128
    length.append(rest)
    return bytes(length) + data
