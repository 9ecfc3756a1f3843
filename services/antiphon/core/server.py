"""A server around a backend: health, reflection, limits, and an end that lets running calls finish."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, Protocol, Self

from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

from antiphon.core.backends import Backend
from antiphon.core.chain import STALL_SECONDS, Chain, Layer
from antiphon.core.channel import SLACK
from antiphon.core.errors import Reason, ServiceError
from antiphon.core.http2.limits import Limits
from antiphon.core.http2.server import GrpcServer
from antiphon.core.servicers import add_servicers
from antiphon.core.signals import signalled
from antiphon.core.validation import MAX_BYTES

log = logging.getLogger(__name__)

GRACE_SECONDS = 30.0
"""How long running calls may go on after the order to end."""


class StandardHealth(health.aio.HealthServicer):
    """grpc.health.v1, whose Watch streams end when the server drains: else each would use up the whole grace."""

    def __init__(self, draining: asyncio.Event) -> None:
        super().__init__()
        self._draining = draining

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: Any) -> None:  # noqa: N802
        """The status, and every change of it until the server drains."""
        watching = asyncio.ensure_future(super().Watch(request, context))
        draining = asyncio.ensure_future(self._draining.wait())
        try:
            await asyncio.wait({watching, draining}, return_when=asyncio.FIRST_COMPLETED)
            if watching.done():
                watching.result()
        finally:
            watching.cancel()
            draining.cancel()


class Door(Protocol):
    """Another way in to the same backend."""

    async def drain(self) -> None:
        """Take no new calls, and let running ones finish within the door's own grace."""


class Server:
    """A backend on a port. Use `async with`; `address` is known inside.

    `doors` are other ways in to the same backend: they drain together with the server, before the backend closes.
    `services` are more services on the same port: each puts itself on the server and returns its full name.
    With `reuse_port`, other processes may listen there too, and the kernel shares the connections out.
    """

    def __init__(
        self,
        backend: Backend,
        layers: Sequence[Layer],
        *,
        listen: str,
        grace: float = GRACE_SECONDS,
        stall_seconds: float = STALL_SECONDS,
        doors: Sequence[Door] = (),
        services: Sequence[Callable[[GrpcServer], str]] = (),
        reuse_port: bool = False,
    ) -> None:
        self._backend = backend
        self._services = tuple(services)
        self._doors = tuple(doors)
        self._listen = listen
        self._reuse_port = reuse_port
        self._grace = grace
        self._draining = asyncio.Event()
        self._health = StandardHealth(self._draining)
        self._server = GrpcServer(
            limits=Limits(message=MAX_BYTES + SLACK, stall=stall_seconds),
            wrap=Chain(layers, stall_seconds=stall_seconds).wrap,
        )
        self.address = ""

    async def __aenter__(self) -> Self:
        more = [add(self._server) for add in self._services]
        names = (*add_servicers(self._server, self._backend, self._draining), *more)
        taker: Any = self._server  # it has what generated code calls, and is none of grpc's own classes
        health_pb2_grpc.add_HealthServicer_to_server(self._health, taker)
        known = (*names, health.SERVICE_NAME, reflection.SERVICE_NAME)
        add_reflection: Any = reflection_pb2_grpc.add_ServerReflectionServicer_to_server
        add_reflection(reflection.aio.ReflectionServicer(known), taker)
        for name in ("", *names):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        try:
            self.address = self._server.bind(self._listen, reuse_port=self._reuse_port)
        except ValueError as error:
            raise ServiceError(Reason.INVALID_REQUEST, f"cannot listen on {self._listen!r}: {error}") from error
        except OSError as error:
            raise ServiceError(
                Reason.INTERNAL,
                f"cannot listen on {self._listen}: is another process using it? ({error.strerror or error})",
            ) from error
        await self._server.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.drain()

    async def drain(self) -> None:
        """Take no new calls, end watches, let running calls finish within the grace, then close the backend."""
        if self._draining.is_set():
            return
        self._draining.set()
        await self._health.enter_graceful_shutdown()
        await asyncio.gather(self._server.stop(self._grace), *(door.drain() for door in self._doors))
        await self._backend.close()

    async def until_signalled(self) -> None:
        """Return at SIGTERM or SIGINT."""
        await signalled()
