"""An ASGI application on a port, served by uvicorn in the event loop that is there.

uvicorn's signals, logs and guesses stay off, and the application is given its client's connection, so that it
can end one as a provider's ended.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any, Final, Self, cast

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from antiphon.harness.server.app import Receive, Scope, Send
from antiphon.harness.server.ending import CONNECTION

HEAD_BYTES: Final = 64 * 1024
KEEP_ALIVE_SECONDS: Final = 75
GRACE_SECONDS: Final = 1


class ReplayListener:
    """A port for an application. Use `async with`; `url` is known inside, such as `http://127.0.0.1:40123`."""

    def __init__(self, app: Any, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self._host = host
        self._port = port
        config = uvicorn.Config(
            app,
            http=cast("Any", _Protocol),
            ws="none",
            loop="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=GRACE_SECONDS,
            h11_max_incomplete_event_size=HEAD_BYTES,
        )
        self._server = _Uvicorn(config)
        self._serving: asyncio.Task[None] | None = None
        self.url = ""

    async def __aenter__(self) -> Self:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        # The protocol is said, because asyncio sets TCP_NODELAY only where it is: without, each answer waits 40 ms.
        bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind((self._host, self._port))
            bound.setblocking(False)
        except OSError:
            bound.close()
            raise
        host, port = bound.getsockname()[:2]
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        self._serving = asyncio.create_task(self._server.serve(sockets=[bound]))
        while not self._server.started:
            if self._serving.done():
                self._serving.result()
            await asyncio.sleep(0.001)
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Take no more requests and close every connection; a stream under way is cut after a second."""
        self._server.ended.set()
        if self._serving is not None:
            await asyncio.wait({self._serving})
            self._serving.result()
        tasks = set(self._server.server_state.tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=GRACE_SECONDS)
        for connection in list(self._server.server_state.connections):
            connection.transport.abort()


class _Protocol(H11Protocol):
    """A connection that is known to the application."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        app = cast("Any", self.app)

        async def bound(scope: Scope, receive: Receive, send: Send) -> None:
            scope[CONNECTION] = transport
            await app(scope, receive, send)

        self.app = cast("Any", bound)


class _Uvicorn(uvicorn.Server):
    """uvicorn's server, with signals left to whoever runs the process."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ended = asyncio.Event()

    async def main_loop(self) -> None:
        """Wait for the end, and keep the date that answers carry; the original looks ten times a second."""
        while not self.ended.is_set():
            await self.on_tick(0)
            with suppress(TimeoutError):
                await asyncio.wait_for(self.ended.wait(), 1.0)

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Capture none."""
        yield
