"""Messages out of DATA: length-prefixed (gRPC's PROTOCOL-HTTP2, "Delimited-Message"), and compressed where said so."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final

import grpc

from antiphon.core.http2.heads import Refusal

PREFIX: Final = 5
"""Bytes before each message: whether it is compressed, and its length."""

_WINDOW_BITS: Final = {"gzip": 31, "deflate": 15}


class RefusedError(Exception):
    """What came cannot be handed to a handler."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(details)
        self.refusal = Refusal(code=code, details=details)


class Inbox:
    """The bytes of one call's request. `most` is the bytes of a message, before and after decompression."""

    __slots__ = ("_encoding", "_have", "_most", "_pieces", "_want")

    def __init__(self, encoding: str, most: int) -> None:
        self._encoding = encoding
        self._most = most
        self._pieces: list[bytes] = []
        self._have = 0
        self._want = PREFIX

    @property
    def waiting(self) -> int:
        """Bytes of a message that is not whole."""
        return self._have

    @property
    def missing(self) -> int:
        """Bytes that it still needs, as far as is known."""
        return self._want - self._have

    def drop(self) -> int:
        """Forget what waits; how many bytes it was."""
        dropped, self._have = self._have, 0
        self._pieces.clear()
        return dropped

    def take(self, data: bytes) -> Iterator[bytes]:
        """The messages that these bytes complete. Raises RefusedError."""
        self._pieces.append(data)
        self._have += len(data)
        while self._have >= self._want:
            data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
            if self._want == PREFIX:
                length = int.from_bytes(data[1:PREFIX], "big")
                if length > self._most:
                    raise too_long(length, self._most)
                self._want += length
                if length and self._have < self._want:
                    self._pieces = [data]
                    return
            message, rest = data[PREFIX : self._want], data[self._want :]
            compressed = data[0]
            self._pieces = [rest] if rest else []
            self._have = len(rest)
            self._want = PREFIX
            yield unpacked(message, self._encoding, self._most) if compressed else message


def too_long(length: int, most: int) -> RefusedError:
    """The error of a message over the limit, in grpc's own words."""
    return RefusedError(
        grpc.StatusCode.RESOURCE_EXHAUSTED, f"SERVER: Received message larger than max ({length} vs. {most})"
    )


def unpacked(message: bytes, encoding: str, most: int) -> bytes:
    """A compressed message as it was. Raises RefusedError."""
    bits = _WINDOW_BITS.get(encoding)
    if bits is None:
        raise RefusedError(grpc.StatusCode.INTERNAL, "a message is compressed, and grpc-encoding does not say how")
    reader = zlib.decompressobj(bits)
    try:
        whole = reader.decompress(message, most + 1)
    except zlib.error as error:
        raise RefusedError(grpc.StatusCode.INTERNAL, f"a message is no {encoding}: {error}") from error
    if len(whole) > most:
        raise RefusedError(
            grpc.StatusCode.RESOURCE_EXHAUSTED, f"SERVER: Decompressed message larger than max (over {most})"
        )
    if not reader.eof:
        raise RefusedError(grpc.StatusCode.INTERNAL, f"a message is {encoding} without its end")
    return whole
