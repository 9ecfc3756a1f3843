"""The one HTTP door to providers.

It talks to an `httpx.AsyncBaseTransport` directly: the client layer above it costs more than all the rest, and the
recording harness is such a transport too. To a transport of ours, and where nothing records or signs, it hands whole
requests as bytes: httpx's objects cost more than the bytes do. Waiting has four limits (connect, first byte, idle
between chunks, total) and every failure becomes a ServiceError that says whether the provider may have done the work.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from functools import lru_cache, partial
from types import TracebackType
from typing import Any

import httpx

from antiphon.adapter.clock import Clock
from antiphon.adapter.connection import Connection
from antiphon.adapter.limits import Limits
from antiphon.adapter.replies import DecodedBody, OpenReply, ReadHead
from antiphon.adapter.seam import Asked, Recall, Replays
from antiphon.adapter.transport import Origin, PooledTransport, origin_of
from antiphon.core.alarms import Alarms
from antiphon.core.call import Call
from antiphon.core.errors import Reason, ServiceError
from antiphon.wire.base import HttpCall, HttpReply

_OWN: Mapping[str, str] = {"accept-encoding": "gzip", "user-agent": "antiphon"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What every request to a target begins with, as bytes: all of its head that does not hang on the call.

    `names` are its headers, which a call's own may not say again.
    """

    origin: Origin
    data: bytes
    names: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a call goes: the provider's name for messages, the URL, and headers beside the wire's own.

    `sign` adds what identifies us by the request's own content. `heads` keeps what requests begin with, by method; a
    target that serves many calls writes it once.
    """

    provider: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    recording: Mapping[str, Any] | None = None
    sign: Callable[[httpx.Request], None] | None = None
    heads: dict[str, Head | None] = field(default_factory=dict, repr=False, compare=False)


class Upstream:
    """HTTP to providers over one transport, which it owns."""

    def __init__(self, transport: httpx.AsyncBaseTransport, limits: Limits) -> None:
        self._transport = transport
        self._pool = transport if isinstance(transport, PooledTransport) else None
        self._replays = transport if isinstance(transport, Replays) else None
        self._limits = limits
        self._alarms = Alarms()

    def _clock(self, target: Target, call: Call) -> Clock:
        return Clock(target.provider, self._limits, call, self._alarms)

    async def answer(self, target: Target, wired: HttpCall, call: Call) -> HttpReply:
        """The whole reply, whatever its status. Raises ServiceError where there is none."""
        async with self.open(target, wired, call) as reply:
            return await reply.whole()

    def open(self, target: Target, wired: HttpCall, call: Call) -> AbstractAsyncContextManager[OpenReply]:
        """The reply as soon as its headers are there. Leaving closes the connection at once."""
        if self._pool is not None and target.recording is None and target.sign is None:
            written = _written(target, wired)
            if written is not None:
                return _Exchange(self._pool, *written, self._clock(target, call), self._limits)
        elif self._replays is not None and target.recording is not None and target.sign is None:
            asked = _asked(target, wired)
            if asked is not None:
                otherwise = partial(self._open, target, wired, call)
                return Recall(self._replays, asked, otherwise, partial(self._clock, target, call), self._limits)
        return self._open(target, wired, call)

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    @asynccontextmanager
    async def _open(self, target: Target, wired: HttpCall, call: Call) -> AsyncGenerator[OpenReply, None]:
        clock = self._clock(target, call)
        request = self._request(target, wired)
        try:
            response = await clock.wait(self._transport.handle_async_request(request), self._limits.first_token)
            response.request = request
            clock.note(response.extensions)
            body = None
            try:
                head = ReadHead({key.lower(): value for key, value in response.headers.items()})
                body = DecodedBody(response, plain=head.plain)
                said = response.extensions.get("antiphon")
                yield OpenReply(
                    response.status_code, head, body, clock, self._limits, said if isinstance(said, Mapping) else {}
                )
            finally:
                if body is not None:
                    await body.aclose()
                await response.aclose()
        finally:
            clock.stop()

    def _request(self, target: Target, wired: HttpCall) -> httpx.Request:
        extensions: dict[str, Any] = {"timeout": {"connect": self._limits.connect, "pool": self._limits.connect}}
        if target.recording is not None:
            extensions["antiphon"] = target.recording
        try:
            url = _parsed(target.url)
        except httpx.InvalidURL as error:
            raise ServiceError(
                Reason.PROVIDER_UNAVAILABLE, f"the base URL of {target.provider} cannot be used: {error}"
            ) from error
        named = {**_OWN, **wired.headers, **target.headers}
        headers = [(b"host", url.netloc), *((name.encode(), value.encode()) for name, value in named.items())]
        if wired.body:
            headers.append((b"content-length", b"%d" % len(wired.body)))
        # With whole headers and a stream, httpx has nothing to work out: an eighth of the cost.
        body = httpx.ByteStream(wired.body)
        request = httpx.Request(wired.method, url, headers=headers, stream=body, extensions=extensions)
        if target.sign is not None:
            request.read()
            target.sign(request)
        return request


class _Exchange:
    """One request over the pool, written beforehand, and its reply."""

    __slots__ = ("_clock", "_connection", "_limits", "_message", "_origin", "_pool", "_response")

    def __init__(self, pool: PooledTransport, origin: Origin, message: bytes, clock: Clock, limits: Limits) -> None:
        self._pool = pool
        self._origin = origin
        self._message = message
        self._clock = clock
        self._limits = limits
        self._connection: Connection | None = None
        self._response: httpx.Response | None = None

    async def __aenter__(self) -> OpenReply:
        clock, limits = self._clock, self._limits
        try:
            connection = self._pool.resting(self._origin)
            if connection is None:
                asked = self._pool.ask(self._origin, self._message, connect=limits.connect)
                self._connection = connection = await clock.wait(asked, limits.first_token)
            else:
                self._connection = connection
                try:
                    await clock.see(connection.send(self._message), limits.first_token)
                except BaseException:
                    connection.close()
                    raise
        except BaseException:
            clock.stop()
            raise
        if connection.plain:
            return OpenReply(connection.status, connection, connection, clock, limits)
        self._response = self._pool.response(connection)
        body = DecodedBody(self._response, plain=False)
        return OpenReply(connection.status, connection, body, clock, limits)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._clock.stop()
        if self._response is not None:
            await self._response.aclose()
        elif self._connection is not None:
            self._connection.release()


def _asked(target: Target, wired: HttpCall) -> Asked | None:
    """A request for a transport that may have its answer at hand, said as the general way says it."""
    address = _address(target.url)
    if address is None:
        return None
    url, host = address
    headers = {"host": host, **_OWN, **wired.headers, **target.headers}
    if wired.body:
        headers["content-length"] = str(len(wired.body))
    return wired.method, url, headers, wired.body, target.recording


def _written(target: Target, wired: HttpCall) -> tuple[Origin, bytes] | None:
    """Where a request goes, and the whole of it; None where only the general way says what is wrong with it."""
    try:
        head = target.heads[wired.method]
    except KeyError:
        head = target.heads[wired.method] = _head(target, wired.method)
    lines = _lines(tuple(wired.headers.items()))
    if head is None or lines is None or not head.names.isdisjoint(wired.headers):
        return None
    if wired.body:
        return head.origin, b"%b%bcontent-length: %d\r\n\r\n%b" % (head.data, lines, len(wired.body), wired.body)
    return head.origin, b"%b%b\r\n" % (head.data, lines)


def _head(target: Target, method: str) -> Head | None:
    named = {**_OWN, **target.headers}
    lines = _lines(tuple(named.items()))
    try:
        url = _parsed(target.url)
        origin = origin_of(url)
    except (httpx.InvalidURL, httpx.UnsupportedProtocol):
        return None
    if lines is None or method == "HEAD":
        return None
    data = b"%b %b HTTP/1.1\r\nhost: %b\r\n%b" % (method.encode("ascii"), url.raw_path, url.netloc, lines)
    return Head(origin=origin, data=data, names=frozenset(named))


@lru_cache(maxsize=256)
def _lines(headers: tuple[tuple[str, str], ...]) -> bytes | None:
    """Headers as they are sent; None where one holds a line break."""
    if any(mark in value for _, value in headers for mark in "\r\n\0"):
        return None
    return b"".join(b"%b: %b\r\n" % (name.encode(), value.encode()) for name, value in headers)


@lru_cache(maxsize=1024)
def _address(url: str) -> tuple[str, str] | None:
    """A URL as httpx spells it, and its host; None where it cannot be used."""
    try:
        parsed = _parsed(url)
    except httpx.InvalidURL:
        return None
    return str(parsed), parsed.netloc.decode("ascii")


@lru_cache(maxsize=1024)
def _parsed(url: str) -> httpx.URL:
    """Raises httpx.InvalidURL."""
    return httpx.URL(url)
