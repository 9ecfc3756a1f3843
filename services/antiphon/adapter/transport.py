"""HTTP/1.1 to providers: httpx's transport seam over connections of our own.

httpx's own transport costs more than everything else of a call together, and more with every open connection, for it
looks at all of them (measured in `bench`). The seam stays httpx's, so recording fits between and any other httpx
transport can stand here; `ask` is a narrower one, for who has written the whole request itself. HTTP/1.1 alone:
providers serve it all, and a connection a call is what streams want.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from typing import Final

import httpx

from antiphon.adapter.connection import Connection

IDLE_SECONDS: Final = 55.0
"""How long a connection may wait for its next request: less than the 60 s after which load balancers drop one."""
MAX_IDLE: Final = 100
"""Connections that wait, for each origin."""
CONNECT_SECONDS: Final = 5.0

Origin = tuple[bytes, str, int]
_PORTS: Final = {b"http": 80, b"https": 443}


class PooledTransport(httpx.AsyncBaseTransport):
    """Sends each request over a connection of its own, kept for the next request to the same origin."""

    def __init__(self, *, verify: ssl.SSLContext | None = None) -> None:
        self._verify = verify
        self._idle: dict[Origin, list[Connection]] = {}
        self._closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request. Raises httpx.ConnectError, ConnectTimeout, ReadError, RemoteProtocolError and the like."""
        if request.method == "HEAD":
            raise httpx.LocalProtocolError("HEAD is not spoken here: no provider needs it")
        message = _message(request, await request.aread())
        limits = request.extensions.get("timeout") or {}
        try:
            connection = await self.ask(origin_of(request.url), message, connect=limits.get("connect", CONNECT_SECONDS))
        except httpx.TransportError as error:
            error.request = request
            raise
        return self.response(connection, request)

    async def ask(self, origin: Origin, message: bytes, *, connect: float) -> Connection:
        """Send a whole request, head and body, and wait for the head of its answer: what `handle_async_request` does,
        without the objects. The connection is to be released. `connect` is in seconds. Raises httpx.TransportError."""
        connection = self._kept(origin) or await self._connected(origin, connect)
        try:
            await connection.send(message)
        except BaseException:
            connection.close()
            raise
        return connection

    def resting(self, origin: Origin) -> Connection | None:
        """A connection that was kept, for a request; None where one is to be made, by `ask`."""
        return self._kept(origin)

    def response(self, connection: Connection, request: httpx.Request | None = None) -> httpx.Response:
        """The answer of a connection as httpx knows it; closing it releases the connection."""
        return httpx.Response(
            connection.status,
            headers=connection.raw_headers,
            stream=_Body(connection),
            extensions={
                "http_version": connection.http_version,
                "reason_phrase": connection.reason,
                "trailing_headers": connection.trailers,  # filled when the body has ended
            },
            request=request,
        )

    async def aclose(self) -> None:
        """Close what waits; answers under way end with their readers."""
        self._closed = True
        for waiting in self._idle.values():
            for connection in waiting:
                connection.close()
        self._idle.clear()

    def _kept(self, origin: Origin) -> Connection | None:
        waiting = self._idle.get(origin)
        while waiting:
            connection = waiting.pop()
            if connection.idle_since > connection.now() - IDLE_SECONDS and connection.rested():
                return connection
            connection.close()
        return None

    async def _connected(self, origin: Origin, seconds: float) -> Connection:
        scheme, host, port = origin
        loop = asyncio.get_running_loop()
        context = self._context() if scheme == b"https" else None
        try:
            async with asyncio.timeout(seconds):
                _, connection = await loop.create_connection(
                    lambda: Connection(lambda each: self._keep(origin, each)), host, port, ssl=context
                )
        except TimeoutError as error:
            raise httpx.ConnectTimeout(f"no connection to {host}:{port} in time") from error
        except OSError as error:  # ssl.SSLError is one too
            raise httpx.ConnectError(str(error) or type(error).__name__) from error
        return connection

    def _keep(self, origin: Origin, connection: Connection) -> None:
        waiting = self._idle.setdefault(origin, [])
        if self._closed or len(waiting) >= MAX_IDLE or not connection.reusable:
            connection.close()
            return
        connection.idle_since = connection.now()
        waiting.append(connection)

    def _context(self) -> ssl.SSLContext:
        if self._verify is None:
            self._verify = httpx.create_ssl_context()
        return self._verify


class _Body(httpx.AsyncByteStream):
    """The body of one answer; closing it gives the connection back, or breaks it off."""

    def __init__(self, connection: Connection) -> None:
        self._connection: Connection | None = connection

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._connection is not None:
            async for chunk in self._connection.chunks():
                yield chunk

    async def aclose(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.release()


def origin_of(url: httpx.URL) -> Origin:
    """Where a request goes. Raises httpx.UnsupportedProtocol."""
    scheme = url.raw_scheme
    if scheme not in _PORTS:
        raise httpx.UnsupportedProtocol(f"the address {url} begins with neither http:// nor https://")
    return scheme, url.host, url.port or _PORTS[scheme]


def _message(request: httpx.Request, body: bytes) -> bytes:
    lines = [request.method.encode("ascii") + b" " + request.url.raw_path + b" HTTP/1.1"]
    for name, value in request.headers.raw:
        if b"\n" in value or b"\r" in value or b"\0" in value:
            raise httpx.LocalProtocolError(f"the header {name.decode('latin-1')} holds a line break")
        lines.append(name + b": " + value)
    return b"\r\n".join((*lines, b"", body))
