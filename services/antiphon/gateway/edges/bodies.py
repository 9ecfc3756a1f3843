"""Request bodies: received within a deadline, unpacked within a limit, and counted, so that memory stays bounded.

A server that only awaits the next chunk waits for ever: each request may take `receipt` seconds, and as much longer
as its size takes on a slow line.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeAlias

from antiphon.core.errors import Reason, ServiceError
from antiphon.core.validation import MAX_BYTES
from antiphon.gateway.edges.exchange import ClientLeft, HttpFault

SLOWEST = 64 * 1024
"""Bytes a second that a client has to reach once `receipt` is used up."""
PIECE = 256 * 1024
"""Bytes unpacked at a time: the event loop answers others in between."""
CLOSE = {"connection": "close"}

Receive: TypeAlias = Callable[[], Awaitable[tuple[bytes, bool] | None]]
"""Gives what has come of a body, and whether more will; None where the client has left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyLimits:
    """Bounds of request bodies: bytes of one, bytes of all at the same time, seconds to receive one."""

    max_bytes: int = MAX_BYTES
    in_flight: int = 1024 * 1024 * 1024
    receipt: float = 20.0


class Bodies:
    """Receives bodies."""

    def __init__(self, limits: BodyLimits) -> None:
        self._limits = limits
        self._held = 0

    @property
    def held(self) -> int:
        """Bytes of bodies in memory now."""
        return self._held

    def hold(self, headers: Mapping[str, str], body: bytes) -> None:
        """Hold a body that has come whole and is not packed, until it is released.

        Raises HttpFault or ServiceError where it is no JSON or too large; then it is not held.
        """
        if headers.get("content-type") != "application/json":
            _check_type(headers)
        if len(body) > self._limits.max_bytes:
            raise self._too_large()
        try:
            self._hold(len(body))
        except ServiceError:
            self._held -= len(body)
            raise

    def release(self, body: bytes) -> None:
        """A body that was held is wanted no more."""
        self._held -= len(body)

    @asynccontextmanager
    async def received(self, headers: Mapping[str, str], receive: Receive) -> AsyncIterator[bytes]:
        """The body of a request, unpacked; it counts as held until the context ends.

        Raises HttpFault or ServiceError where it is no JSON, too large, too slow or not unpackable, and ClientLeft.
        """
        _check_type(headers)
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._limits.max_bytes:
            raise self._too_large()
        intake = _Intake(_unpacker(headers))
        body = bytearray()
        held = 0
        try:
            async with asyncio.timeout(self._limits.receipt) as clock:
                async for piece in self._pieces(intake, receive, clock):
                    held += len(piece)
                    self._hold(len(piece))
                    if held > self._limits.max_bytes:
                        raise self._too_large()
                    body += piece
        except BaseException as error:
            self._held -= held
            if isinstance(error, TimeoutError) and clock.expired():
                raise self._too_slow(intake.received) from error
            raise
        try:
            yield bytes(body)
        finally:
            self._held -= held

    async def _pieces(self, intake: _Intake, receive: Receive, clock: asyncio.Timeout) -> AsyncIterator[bytes]:
        began = asyncio.get_running_loop().time()
        more = True
        while more:
            came = await receive()
            if came is None:
                raise ClientLeft
            chunk, more = came
            for piece in intake.pieces(chunk, last=not more):
                yield piece
                if intake.packed:
                    await asyncio.sleep(0)  # unpacking takes time; others go on in between
            clock.reschedule(began + self._limits.receipt + intake.received / SLOWEST)

    def _hold(self, size: int) -> None:
        self._held += size
        if self._held > self._limits.in_flight:
            raise ServiceError(
                Reason.OVERLOADED, "the server holds as many requests as it has room for", retry_after=1.0
            )

    def _too_large(self) -> ServiceError:
        limit = self._limits.max_bytes
        text = (
            f"the body is larger than the {limit} bytes that are allowed, unpacked: send less history, or media by URL"
        )
        return ServiceError(Reason.MESSAGE_TOO_LARGE, text)

    def _too_slow(self, received: int) -> HttpFault:
        text = f"the body came too slowly: {received} bytes within {self._limits.receipt:g} s and more; send it again"
        return HttpFault(408, ServiceError(Reason.INVALID_REQUEST, text), CLOSE)


class _Intake:
    """Chunks as they come, unpacked where they are packed."""

    def __init__(self, unpacker: zlib._Decompress | None) -> None:
        self._unpacker = unpacker
        self.packed = unpacker is not None
        self.received = 0

    def pieces(self, chunk: bytes, *, last: bool) -> Iterator[bytes]:
        """What `chunk` holds, at most PIECE bytes at a time. Raises ServiceError INVALID_REQUEST."""
        self.received += len(chunk)
        if self._unpacker is None:
            yield chunk
            return
        try:
            while True:
                piece = self._unpacker.decompress(chunk, PIECE)
                yield piece
                chunk = self._unpacker.unconsumed_tail
                if not chunk and len(piece) < PIECE:
                    break
        except zlib.error as error:
            raise _unpackable(str(error)) from error
        if self._unpacker.unused_data:
            raise _unpackable("something follows the packed data")
        if last and not self._unpacker.eof:
            raise _unpackable("the packed data breaks off")


def _check_type(headers: Mapping[str, str]) -> None:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        # Not only manners: a page in a browser can post any other type to this server without asking.
        text = f"the body has the type {kind[:60] or 'unknown'!r}; send JSON with 'content-type: application/json'"
        raise HttpFault(415, ServiceError(Reason.INVALID_REQUEST, text))


def _unpacker(headers: Mapping[str, str]) -> zlib._Decompress | None:
    coding = headers.get("content-encoding", "identity").strip().lower() or "identity"
    if coding == "identity":
        return None
    if coding in ("gzip", "x-gzip", "deflate"):
        return zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # 32: whichever of both headers there is
    text = f"the content-encoding {coding[:40]!r} is not known here; send gzip, deflate or none"
    raise HttpFault(415, ServiceError(Reason.INVALID_REQUEST, text), {"accept-encoding": "gzip, deflate"})


def _unpackable(why: str) -> ServiceError:
    return ServiceError(Reason.INVALID_REQUEST, f"the body cannot be unpacked as its content-encoding says: {why}")
