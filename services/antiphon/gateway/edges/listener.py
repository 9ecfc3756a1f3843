"""The edges on a port: uvicorn in the event loop that is there, without its signals, logs and guesses."""

from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import Generator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Self, cast

import uvicorn

from antiphon.core.errors import Reason, ServiceError
from antiphon.core.server import GRACE_SECONDS
from antiphon.gateway.edges.app import Edges
from antiphon.gateway.edges.guard import ConnectionLimits, GuardedProtocol

KEEP_ALIVE_SECONDS = 75
"""How long a connection may rest between requests: longer than the clients' own pools keep them."""
BACKLOG = 1024


class Listener:
    """A port for the edges. Use `async with`; `address` is known inside."""

    def __init__(
        self, edges: Edges, *, listen: str, limits: ConnectionLimits | None = None, grace: float = GRACE_SECONDS
    ) -> None:
        self._edges = edges
        self._listen = listen
        self._grace = grace
        config = uvicorn.Config(
            cast("Any", edges),
            http=cast("Any", partial(GuardedProtocol, limits=limits or ConnectionLimits())),
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
            timeout_graceful_shutdown=max(1, math.ceil(grace)),
        )
        self._server = _Uvicorn(config)
        self._serving: asyncio.Task[None] | None = None
        self.address = ""

    @property
    def peers(self) -> list[asyncio.Transport]:
        """The connections that are open now."""
        return [cast("GuardedProtocol", connection).transport for connection in self._server.server_state.connections]

    async def __aenter__(self) -> Self:
        bound = _bound(self._listen)
        host, port = bound.getsockname()[:2]
        self.address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._serving = asyncio.create_task(self._server.serve(sockets=[bound]))
        while not self._server.started:
            if self._serving.done():
                self._serving.result()
            await asyncio.sleep(0.005)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.drain()

    async def drain(self) -> None:
        """Take no new requests, let running ones finish within the grace, then close every connection."""
        self._edges.door.draining = True
        self._server.ended.set()
        if self._serving is not None:
            await asyncio.wait({self._serving})
            self._serving.result()
        if tasks := set(self._server.server_state.tasks):
            await asyncio.wait(tasks, timeout=2.0)
        for peer in self.peers:
            peer.abort()


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


def _bound(listen: str) -> socket.socket:
    """A socket at host:port. Raises ServiceError where that cannot be."""
    host, _, port = listen.rpartition(":")
    if not port.isdecimal():
        raise ServiceError(Reason.INVALID_REQUEST, f"cannot serve HTTP on {listen!r}; give host:port")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is said, because asyncio sets TCP_NODELAY only where it is: without, each answer waits 40 ms.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, int(port)))
        bound.setblocking(False)
    except OSError as error:
        bound.close()
        raise ServiceError(
            Reason.INTERNAL, f"cannot listen on {listen}: is another process using it? ({error.strerror})"
        ) from error
    return bound
