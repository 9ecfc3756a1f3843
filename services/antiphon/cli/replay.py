"""`antiphon replay`: one process that answers over gRPC, the HTTP edges and the providers' own endpoints.

In the modes `record`, `record-on-miss` and `live` the same process is a recording proxy. All ways in share one
transport, so they share recordings and sessions.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from antiphon.cli import terminal
from antiphon.cli.assembly import adapter, auth_for, edges_for, gateway, inference, layers_for
from antiphon.cli.harness_errors import must_be_there
from antiphon.cli.process import http_file, write_whole
from antiphon.cli.provider_rows import provider_rows
from antiphon.cli.recorded import recording_transport
from antiphon.core.errors import Reason, ServiceError
from antiphon.core.server import Server
from antiphon.core.settings import Settings, credentials_environment, load
from antiphon.core.signals import signalled
from antiphon.core.telemetry.logs import configure_logs
from antiphon.harness.controls import Controls
from antiphon.harness.errors import BadRecordingCall
from antiphon.harness.faults import FaultPlan, read_plan
from antiphon.harness.server.app import ReplayApp
from antiphon.harness.server.upstreams import Upstream
from antiphon.harness.store import CassetteStore
from antiphon.harness.transport import CassetteTransport
from antiphon.replay.endpoints import endpoints
from antiphon.replay.service import harness_service

DEFAULT_LISTEN = "127.0.0.1:50051"
DEFAULT_HTTP = "127.0.0.1:50080"
_SHOWN = ("openai", "anthropic", "gemini")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaying:
    """A server that takes calls: its gRPC address, its HTTP URL, what stands behind which prefix, and its faults,
    mocks and captured requests."""

    address: str
    url: str
    upstreams: Mapping[str, Upstream]
    controls: Controls
    store: CassetteStore


@asynccontextmanager
async def replaying(
    settings: Settings,
    environment: Mapping[str, str],
    *,
    given: Sequence[str] = (),
    plan: FaultPlan | None = None,
) -> AsyncGenerator[Replaying, None]:
    """Serve for as long as the `async with` lasts. `given` are upstreams as NAME=URL, `plan` says which faults happen
    by themselves. Raises ServiceError."""
    settings = replace(
        settings,
        listen=settings.listen or DEFAULT_LISTEN,
        http=settings.http or DEFAULT_HTTP,
        allow_anonymous=settings.allow_anonymous or spends_nothing(settings),
    )
    if spends_nothing(settings):  # who may record makes the folder
        must_be_there(settings.cassettes)
    behind = endpoints(provider_rows(settings).values(), environment, given=given)
    auth = auth_for(settings, settings.listen, settings.http)
    controls = Controls(plan=plan)
    transport = recording_transport(settings, environment, controls=controls)
    backend = gateway(
        settings, adapter=adapter(settings, environment, transport=transport), inference=inference(settings)
    )
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(
            edges_for(settings, backend, auth, ReplayApp(transport, behind, store=transport.store))
        )
        server = await stack.enter_async_context(
            Server(
                backend,
                layers_for(auth),
                listen=settings.listen,
                grace=settings.grace,
                doors=[http],
                services=[harness_service(controls, transport.store)],
            )
        )
        yield Replaying(
            address=server.address,
            url=f"http://{http.address}",
            upstreams=behind,
            controls=controls,
            store=transport.store,
        )


@asynccontextmanager
async def over_grpc(transport: CassetteTransport, mode: str) -> AsyncGenerator[str, None]:
    """Serve the suite over gRPC on a free port, through a transport that is there; the address.

    The pytest plugin finds this by its entry point.
    """
    settings = load(listen="127.0.0.1:0", mode=mode, cassettes=transport.store.root)
    providers = adapter(settings, credentials_environment(), transport=transport)
    backend = gateway(settings, adapter=providers, inference=inference(settings))
    auth = auth_for(settings, settings.listen)
    async with Server(backend, layers_for(auth), listen=settings.listen, grace=1.0) as server:
        yield server.address


def spends_nothing(settings: Settings) -> bool:
    """Whether nobody can be called through this server, so that it may stand open to a network of containers."""
    return settings.mode == "replay" and set(settings.allow_modes) <= {"replay"}


async def run(
    settings: Settings, *, given: Sequence[str], ready_file: Path | None, plan: FaultPlan | None = None
) -> None:
    """Serve until SIGTERM or SIGINT. `ready_file` gets the gRPC address, the file beside it the HTTP one."""
    configure_logs(level=settings.log_level.upper(), service="antiphon-replay")
    async with replaying(settings, credentials_environment(), given=given, plan=plan) as server:
        if ready_file is not None:
            write_whole(http_file(ready_file), server.url.removeprefix("http://"))
            write_whole(ready_file, server.address)
        terminal.out().print(panel(server, settings))
        await signalled()


def serve(settings: Settings, *, given: Sequence[str], ready_file: Path | None, faults: Path | None = None) -> None:
    """Run the server in an event loop of its own. `faults` is the file of a plan. Raises ServiceError."""
    try:
        plan = read_plan(faults) if faults is not None else None
    except BadRecordingCall as error:
        raise ServiceError(Reason.INVALID_REQUEST, str(error)) from error
    asyncio.run(run(settings, given=given, ready_file=ready_file, plan=plan))


def panel(server: Replaying, settings: Settings) -> Panel:
    """Where everything is, and which base URLs to give to SDKs."""
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="dim", no_wrap=True)
    rows.add_column(overflow="fold")
    for name in _SHOWN:
        if name in server.upstreams:
            rows.add_row(name, Text(server.upstreams[name].base_url(server.url), style="bold"))
    rows.add_row("others", f"{server.url}/NAME in the place of https://HOST, for {', '.join(sorted(server.upstreams))}")
    rows.add_row("edges", f"{server.url}/v1 (OpenAI's API to every provider)")
    rows.add_row("gRPC", server.address)
    rows.add_row("mode", settings.mode)
    rows.add_row("cassettes", str(settings.cassettes))
    rows.add_row("end", "Ctrl-C")
    return Panel(rows, title="antiphon replays", title_align="left", border_style="green", expand=False)
