"""The edges on a port, in the event loop that is there."""

from __future__ import annotations

import asyncio
import math
import socket
from contextlib import suppress
from typing import Self

from antiphon.core.errors import Reason, ServiceError
from antiphon.core.server import GRACE_SECONDS
from antiphon.gateway.edges.app import Edges
from antiphon.gateway.edges.guard import ConnectionLimits, GuardedProtocol
from antiphon.gateway.edges.serving import Serving

KEEP_ALIVE_SECONDS = 75
"""How long a connection may rest between requests: longer than the clients' own pools keep them."""
BACKLOG = 1024


class Listener:
    """A port for the edges. Use `async with`; `address` is known inside. With `reuse_port`, other processes may listen
    there too, and the kernel shares the connections out."""

    def __init__(
        self,
        edges: Edges,
        *,
        listen: str,
        limits: ConnectionLimits | None = None,
        grace: float = GRACE_SECONDS,
        reuse_port: bool = False,
    ) -> None:
        self._edges = edges
        self._listen = listen
        self._grace = grace
        self._reuse_port = reuse_port
        self._limits = limits or ConnectionLimits()
        self._serving = Serving()
        self._server: asyncio.Server | None = None
        self.address = ""

    @property
    def peers(self) -> list[asyncio.Transport]:
        """The connections that are open now."""
        return [connection.transport for connection in self._serving.connections]

    async def __aenter__(self) -> Self:
        bound = _bound(self._listen, reuse_port=self._reuse_port)
        host, port = bound.getsockname()[:2]
        self.address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._serving.keep_date()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connected, sock=bound, backlog=BACKLOG)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.drain()

    async def drain(self) -> None:
        """Take no new requests, let running ones finish within the grace, then close every connection."""
        self._edges.door.draining = True
        serving, server = self._serving, self._server
        if server is not None:
            server.close()
        for connection in list(serving.connections):
            connection.shutdown()
        if serving.connections:
            with suppress(TimeoutError):
                await asyncio.wait_for(serving.empty.wait(), max(1, math.ceil(self._grace)))
        for task in serving.tasks:
            task.cancel()
        if tasks := set(serving.tasks):
            await asyncio.wait(tasks, timeout=2.0)
        for peer in self.peers:
            peer.abort()
        serving.stop()

    def _connected(self) -> GuardedProtocol:
        return GuardedProtocol(self._edges, self._serving, limits=self._limits, rest_seconds=KEEP_ALIVE_SECONDS)


def _bound(listen: str, *, reuse_port: bool) -> socket.socket:
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
        if reuse_port:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind((host, int(port)))
        bound.setblocking(False)
    except OSError as error:
        bound.close()
        raise ServiceError(
            Reason.INTERNAL, f"cannot listen on {listen}: is another process using it? ({error.strerror})"
        ) from error
    return bound
