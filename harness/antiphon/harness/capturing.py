"""Watches exchanges for the log of requests, whichever way they are answered: what came, and what became of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import Any

import httpx

from antiphon.harness.direct import Direct
from antiphon.harness.errors import HarnessError
from antiphon.harness.modes import EXTENSION, RecordingCall
from antiphon.harness.requestlog import End, RequestLog, Seen

CURRENT: ContextVar[Seen | None] = ContextVar("antiphon_seen", default=None)
"""The request that this task is answering, for those who know of it before its answer does."""

Proceed = Callable[[httpx.Request], Awaitable[httpx.Response]]


async def captured(log: RequestLog, request: httpx.Request, call: RecordingCall, proceed: Proceed) -> httpx.Response:
    """Pass a request on, and write it and what becomes of it into a log. Raises what `proceed` raises."""
    body = await request.aread()
    seen = log.add(request, body, call)
    CURRENT.set(seen)
    try:
        response = await proceed(request)
    except asyncio.CancelledError:
        log.end(seen, End.LEFT)
        raise
    except httpx.TransportError as error:
        _note(seen, error.__dict__.get(EXTENSION))
        log.end(seen, End.FAILED, error.reason if isinstance(error, HarnessError) else type(error).__name__)
        raise
    seen.status = response.status_code
    seen.answered = time.monotonic()
    _note(seen, response.extensions.get(EXTENSION))
    log.changed()
    if isinstance(response.stream, httpx.AsyncByteStream):
        response.stream = _Watched(response.stream, seen, log)
    return response


class _Watched(httpx.AsyncByteStream):
    """A body on its way, whose end is noted."""

    def __init__(self, inner: httpx.AsyncByteStream, seen: Seen, log: RequestLog) -> None:
        self.inner = inner
        self._seen = seen
        self._log = log

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)  # whoever knows the stream below finds what it looks for

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self.inner:
                yield chunk
        except httpx.TransportError as error:
            self._log.end(self._seen, End.FAILED, type(error).__name__)
            raise
        self._log.end(self._seen, End.COMPLETE)

    async def aclose(self) -> None:
        try:
            await self.inner.aclose()
        finally:
            self._log.end(self._seen, End.LEFT)


class WatchedReply:
    """A direct answer on its way, whose end is noted."""

    __slots__ = ("_log", "_reply", "_seen", "ended", "headers", "said", "status")

    def __init__(self, reply: Direct, seen: Seen, log: RequestLog) -> None:
        self.status = reply.status
        self.headers = reply.headers
        self.said = reply.said
        self.ended = False
        self._reply = reply
        self._seen = seen
        self._log = log
        seen.status = reply.status
        seen.answered = time.monotonic()
        _note(seen, reply.said)
        log.changed()

    def ready(self) -> bytes:
        """Return the next chunk."""
        chunk = self._reply.ready()
        self.ended = self._reply.ended
        if self.ended and not chunk:
            self._log.end(self._seen, End.COMPLETE)
        return chunk

    async def more(self) -> None:
        """Give other tasks their turn."""
        await self._reply.more()

    def close(self) -> None:
        """Leave the answer where it stands."""
        self._reply.close()
        self._log.end(self._seen, End.LEFT)


def _note(seen: Seen, said: object) -> None:
    if isinstance(said, Mapping):
        seen.synthetic = str(said.get("synthetic", ""))
        cassette = said.get("cassette")
        seen.place = f"{cassette} #{said.get('position', 0)}" if cassette else str(said.get("origin", ""))
