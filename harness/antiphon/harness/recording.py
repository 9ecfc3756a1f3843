"""The tee: hands each chunk on as it arrives and keeps what is needed to replay it.

Only `append` runs per chunk. Decoding, scanning and writing wait until the stream has ended, so a
recorded stream reaches the caller as soon as a live one.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import httpx

from antiphon.harness.errors import RecordingRefused
from antiphon.harness.interaction import (
    BODY,
    CONNECT,
    HEADERS,
    NO_ANSWER_STATUS,
    REPLAYABLE,
    TLS,
    Answer,
    Failure,
    grouped,
    outcome_of,
)
from antiphon.harness.modes import Outcome
from antiphon.harness.trailers import trailers_of

DECODABLE: Final = ("gzip", "x-gzip", "deflate")
"""Content encodings that a recording can be read back from; recording asks the server for no other."""

DRAIN_SECONDS: Final = 0.05
"""Many clients stop reading at the protocol's last event, a moment before HTTP's own end. So a stream
that is closed unread gets this long to end by itself before it counts as left by the caller."""

_DROPPED_ON_DECODE: Final = frozenset({"content-encoding", "content-length"})


class Tape:
    """What is known of one exchange so far."""

    def __init__(self) -> None:
        self._last = time.perf_counter()
        self._headers_ms = 0.0
        self._head: httpx.Response | None = None
        self._chunks: list[tuple[float, bytes]] = []

    def start(self) -> None:
        """Start the clock: the request leaves now."""
        self._last = time.perf_counter()

    def head(self, response: httpx.Response) -> None:
        """Note that the status line and headers have arrived."""
        self._head = response
        self._headers_ms = self._lap()

    def append(self, chunk: bytes) -> None:
        """Note one chunk of the body, as the wire gave it."""
        self._chunks.append((self._lap(), chunk))

    def answer(self, outcome: Outcome, failure: Failure | None) -> Answer:
        """Return the exchange as it will be stored; raises RecordingRefused for an unreadable encoding."""
        if self._head is None:
            return Answer(
                status=NO_ANSWER_STATUS, reason=f"antiphon: {outcome.value}", outcome=outcome, failure=failure
            )
        headers = [(name.lower(), value) for name, value in self._head.headers.multi_items()]
        encoding = self._head.headers.get("content-encoding", "").strip().lower()
        chunks = self._chunks
        if encoding not in ("", "identity"):
            chunks = _decoded(chunks, encoding)
            headers = [(name, value) for name, value in headers if name not in _DROPPED_ON_DECODE]
        http_version = self._head.extensions.get("http_version", b"HTTP/1.1")
        return Answer(
            status=self._head.status_code,
            reason=self._head.reason_phrase,
            headers=grouped(headers),
            body=b"".join(chunk for _, chunk in chunks),
            headers_ms=self._headers_ms,
            chunks=tuple((delay, len(chunk)) for delay, chunk in chunks),
            outcome=outcome,
            failure=failure,
            http_version=http_version.decode("ascii", "replace"),
            trailers=grouped(trailers_of(self._head)) if outcome is Outcome.COMPLETE else (),
        )

    @property
    def content_encoding(self) -> str | None:
        """The encoding of the wire, None for none."""
        return self._head.headers.get("content-encoding") if self._head is not None else None

    def failed(self, error: httpx.TransportError) -> tuple[Outcome, Failure]:
        """Return the outcome and failure that an error stands for at this moment."""
        outcome = outcome_of(error)
        phase = BODY if self._head is not None else _phase(error)
        failure = Failure(error=_kind(error), phase=phase, message=str(error)[:200], after_ms=self._lap())
        return outcome, failure

    def left(self) -> tuple[Outcome, Failure]:
        """Return the outcome and failure of a caller who leaves now."""
        phase = BODY if self._head is not None else HEADERS
        return Outcome.CANCELLED, Failure(error="Cancelled", phase=phase, after_ms=self._lap())

    def _lap(self) -> float:
        now = time.perf_counter()
        elapsed, self._last = now - self._last, now
        return round(elapsed * 1000, 3)


Finish = Callable[[Outcome, Failure | None], Awaitable[None]]
"""Stores the tape. It must survive the cancellation of whoever awaits it."""


class RecordingStream(httpx.AsyncByteStream):
    """A response body that is recorded while it is read. One reader, as every response body."""

    def __init__(self, inner: httpx.AsyncByteStream, tape: Tape, finish: Finish) -> None:
        self._inner = inner
        self._chunks: AsyncIterator[bytes] | None = None
        self._tape = tape
        self._finish = finish
        self._ended = False
        self._cut = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            chunk = await self._next()
        except StopAsyncIteration:
            await self._end(Outcome.COMPLETE, None)
            raise
        except httpx.TransportError as error:
            await self._end(*self._tape.failed(error))
            raise
        except asyncio.CancelledError:
            self._cut = True  # httpcore has closed the connection; reading on would look like an end
            raise
        self._tape.append(chunk)
        return chunk

    async def aclose(self) -> None:
        """Close the connection first, then store; what is left unread counts as the caller leaving."""
        if self._ended:
            await self._inner.aclose()
            return
        ending: tuple[Outcome, Failure | None] = self._tape.left()
        try:
            if await self._drained():
                ending = (Outcome.COMPLETE, None)
        finally:
            try:
                await self._inner.aclose()
            finally:
                await self._end(*ending)

    async def _next(self) -> bytes:
        if self._chunks is None:
            self._chunks = aiter(self._inner)
        return await anext(self._chunks)

    async def _drained(self) -> bool:
        task = asyncio.current_task()
        if self._cut or (task is not None and task.cancelling()):
            return False
        rest = []
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                with contextlib.suppress(StopAsyncIteration):
                    while True:
                        rest.append(await self._next())
        except (TimeoutError, httpx.TransportError):
            return False
        for chunk in rest:
            self._tape.append(chunk)
        return True

    async def _end(self, outcome: Outcome, failure: Failure | None) -> None:
        if not self._ended:
            self._ended = True
            await self._finish(outcome, failure)


def _decoded(chunks: list[tuple[float, bytes]], encoding: str) -> list[tuple[float, bytes]]:
    """Return the chunks as a client decodes them, each at the time its bytes became readable."""
    if encoding not in DECODABLE:
        raise RecordingRefused(
            f"the server answered with content-encoding {encoding[:40]!r}, which can't be searched for "
            "secrets, so nothing was written; let the client accept gzip or identity only"
        )
    read: list[tuple[float, bytes]] = []
    waited = 0.0
    decoder = None
    try:
        for delay, chunk in chunks:
            if decoder is None and chunk:
                decoder = zlib.decompressobj(_window(encoding, chunk))
            waited += delay
            if decoder is not None and (text := decoder.decompress(chunk)):
                read.append((round(waited, 3), text))
                waited = 0.0
        if decoder is not None and (text := decoder.flush()):
            read.append((round(waited, 3), text))
    except zlib.error as error:
        raise RecordingRefused(
            f"the body isn't the {encoding} that its header says ({error}), so nothing was written"
        ) from error
    return read


def _window(encoding: str, first: bytes) -> int:
    if encoding != "deflate":
        return 16 + zlib.MAX_WBITS
    return zlib.MAX_WBITS if first[0] & 0x0F == 0x08 else -zlib.MAX_WBITS  # some servers omit zlib's header


def _phase(error: httpx.TransportError) -> str:
    """Return how far a request came that has no answer."""
    if not isinstance(error, _UNSENT):
        return HEADERS
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return TLS
        cause = cause.__cause__ or cause.__context__
    return CONNECT


def _kind(error: httpx.TransportError) -> str:
    """Return the name of the nearest class that replay can raise."""
    for kind in type(error).__mro__:
        if kind.__name__ in REPLAYABLE:
            return kind.__name__
    return httpx.ReadError.__name__


_UNSENT: Final = (
    httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol,
)  # fmt: skip
