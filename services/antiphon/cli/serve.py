"""Runs one role as a server until it is told to stop."""

from __future__ import annotations

import asyncio
import gc
import logging
from contextlib import AsyncExitStack
from pathlib import Path

from antiphon.cli.assembly import auth_for, backend_for, edges_for, layers_for
from antiphon.cli.process import DEFAULT_LISTEN, NO_EDGES, WITH_EDGES, http_file, write_whole
from antiphon.core.server import Server
from antiphon.core.settings import Settings, credentials_environment
from antiphon.core.signals import signalled
from antiphon.core.telemetry.instruments import Instruments, installed
from antiphon.core.telemetry.logs import configure_logs, follow_structlog
from antiphon.core.telemetry.setup import configure
from antiphon.inference.statistics import Statistics
from antiphon.inference.triton import Triton

log = logging.getLogger(__name__)


async def serve(role: str, settings: Settings, *, ready_file: Path | None = None, shared: bool = False) -> None:
    """Serve until SIGTERM or SIGINT, then drain. `ready_file` gets the address once calls are taken, and
    the file of `http_file` the address of the HTTP edges just before. `shared` ports are those of other workers too.

    Raises ServiceError where the settings are wrong or the port is taken.
    """
    configure_logs(level=settings.log_level.upper(), service=f"antiphon-{role}")
    listen = settings.listen or DEFAULT_LISTEN[role]
    http = settings.http if role in WITH_EDGES and settings.http != NO_EDGES else ""
    auth = auth_for(settings, listen, *filter(None, [http]))
    environment = credentials_environment()
    endpoint = settings.otlp_endpoint or environment.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")
    stop_telemetry = configure(f"antiphon-{role}", otlp_endpoint=endpoint or None)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(stop_telemetry)
        instruments = installed()
        if instruments is not None and role in ("inference", "suite"):
            _watch_triton(stack, settings, instruments)
        backend = backend_for(role, settings, environment)
        follow_structlog()  # a plug-in may have brought it
        doors = [await stack.enter_async_context(edges_for(settings, backend, auth, reuse_port=shared))] if http else []
        server = await stack.enter_async_context(
            Server(backend, layers_for(auth), listen=listen, grace=settings.grace, doors=doors, reuse_port=shared)
        )
        log.info("antiphon %s listening on %s", role, server.address)
        for door in doors:
            log.info("antiphon %s serves HTTP on %s", role, door.address)
            if ready_file is not None:
                write_whole(http_file(ready_file), door.address)
        if ready_file is not None:
            write_whole(ready_file, server.address)
        gc.freeze()  # modules and tables stay: to search them for garbage took 20 ms, in which every call stood still
        gc.set_threshold(10_000, 20, 20)  # a call makes hundreds of objects and hardly a cycle
        await signalled()
        log.info("antiphon %s drains: running calls have %g s to finish", role, settings.grace)
        await server.drain()


def _watch_triton(stack: AsyncExitStack, settings: Settings, instruments: Instruments) -> None:
    triton = Triton(settings.triton)
    stack.push_async_callback(triton.close)
    watching = asyncio.create_task(Statistics(triton, instruments.meter).run())

    async def stop() -> None:
        watching.cancel()
        await asyncio.wait({watching})

    stack.push_async_callback(stop)
