"""The server: methods by name, a listening socket, and an end that lets running calls finish.

It has the parts of grpc.aio.Server's interface that generated code calls, so that it takes the same servicers.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import stat
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from antiphon.core.http2.connection import Connection
from antiphon.core.http2.exchange import Exchange
from antiphon.core.http2.limits import Limits

BACKLOG: Final = 1024
UNIX: Final = "unix:"
CANCEL_SECONDS: Final = 5.0
"""How long cancelled calls may take to end."""

Wrap = Callable[[str, Any], Any]
"""Makes another handler of a method's, given its full name such as /antiphon.v1.ChatService/Chat."""


class GrpcServer:
    """A gRPC server. Bind it, then start it; `wrap` is put around every handler, once."""

    def __init__(self, *, limits: Limits | None = None, wrap: Wrap | None = None) -> None:
        self.limits = limits or Limits()
        self.connections: set[Connection] = set()
        self.running: set[Exchange] = set()
        self._wrap = wrap
        self._methods: dict[str, Any] = {}
        self._sockets: list[socket.socket] = []
        self._servers: list[asyncio.Server] = []
        self._files: list[str] = []
        self._emptied: asyncio.Event | None = None

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Sequence[Any]) -> None:
        """What generated code calls beside `add_registered_method_handlers`, which says the same."""

    def add_registered_method_handlers(self, service_name: str, method_handlers: Mapping[str, Any]) -> None:
        """Serve a service: its methods by name, as grpc.RpcMethodHandler."""
        for name, handler in method_handlers.items():
            path = f"/{service_name}/{name}"
            self._methods[path] = handler if self._wrap is None else self._wrap(path, handler)

    def left(self) -> None:
        """A connection or a call has ended."""
        if self._emptied is not None and self._idle():
            self._emptied.set()

    def _idle(self) -> bool:
        return not self.connections and not self.running

    def method(self, path: str) -> Any:
        """The handler of a method, None for none."""
        return self._methods.get(path)

    def bind(self, listen: str, *, reuse_port: bool = False) -> str:
        """Take host:port or unix:path; the address, with the port that port 0 became.

        With `reuse_port`, several processes may take the same. Raises OSError, and ValueError for no address.
        """
        if listen.startswith(UNIX):
            path = listen.removeprefix(UNIX).removeprefix("//")
            self._sockets.append(_unix(path))
            self._files.append(path)
            return listen
        host, _, port = listen.rpartition(":")
        if not port.isdecimal():
            raise ValueError(f"{listen!r} is no host:port")
        bound: list[socket.socket] = []
        try:
            for place in _places(host.strip("[]"), int(port)):
                number = bound[0].getsockname()[1] if bound else place.address[1]
                bound.append(_bound(place, number, reuse_port=reuse_port))
        except OSError:
            for each in bound:
                each.close()
            raise
        self._sockets.extend(bound)
        return f"{host}:{bound[0].getsockname()[1]}"

    async def start(self) -> None:
        """Take calls."""
        loop = asyncio.get_running_loop()
        for bound in self._sockets:
            self._servers.append(
                await loop.create_server(lambda: Connection(self, loop), sock=bound, backlog=BACKLOG)
                if bound.family != socket.AF_UNIX
                else await loop.create_unix_server(lambda: Connection(self, loop), sock=bound, backlog=BACKLOG)
            )

    async def stop(self, grace: float | None) -> None:
        """Take no new calls, let running ones finish within `grace` seconds, then end them and every connection."""
        for server in self._servers:
            server.close()
        for bound in self._sockets:
            bound.close()
        for path in self._files:
            with suppress(OSError):
                os.unlink(path)
        self._files.clear()
        for connection in list(self.connections):
            connection.drain()
        if grace and not self._idle():
            self._emptied = asyncio.Event()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._emptied.wait(), grace)
        for connection in list(self.connections):
            connection.cut()
        tasks = {call.task for call in self.running if call.task is not None}
        if tasks:
            await asyncio.wait(tasks, timeout=CANCEL_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """What a name stands for: one kind of address, and one address."""

    family: int
    address: tuple[Any, ...]


def _places(host: str, port: int) -> list[_Place]:
    """What a host's name stands for, of those kinds of address that this machine has."""
    found: list[_Place] = []
    last: OSError | None = None
    for family, _, _, _, address in socket.getaddrinfo(
        host or "::", port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    ):
        try:  # a machine without IPv6 may still know such addresses
            with socket.socket(family, socket.SOCK_STREAM) as trial:
                trial.bind((address[0], 0, *address[2:]))
        except OSError as error:
            last = error
            continue
        found.append(_Place(family=family, address=address))
    if not found:
        raise last or OSError(errno.EADDRNOTAVAIL, f"{host} has no address here")
    return found


def _bound(place: _Place, port: int, *, reuse_port: bool) -> socket.socket:
    bound = socket.socket(place.family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if place.family == socket.AF_INET6:  # as grpc does: `::` is all addresses of both kinds
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(place.address[0] != "::"))
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # which accepted sockets inherit
        bound.bind((place.address[0], port, *place.address[2:]))
        bound.setblocking(False)
    except OSError:
        bound.close()
        raise
    return bound


def _unix(path: str) -> socket.socket:
    """A socket at a path, where no other process listens; what a process that is gone left behind is replaced."""
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with suppress(FileNotFoundError):
            if stat.S_ISSOCK(os.stat(path).st_mode) and not _answers(path):
                os.unlink(path)
        bound.bind(path)
        bound.setblocking(False)
    except OSError:
        bound.close()
        raise
    return bound


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as trial:
        try:
            trial.connect(path)
        except OSError:
            return False
        return True
