"""The whole suite as child processes, for as long as an `async with` lasts: what `up`, the demo and the tests share."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from antiphon.cli.process import WITH_EDGES, ServiceCommand, ServiceProcess, SuiteError
from antiphon.triton import (
    TritonOptions,
    TritonRuntime,
    TritonServer,
    TritonStartError,
    TritonUnsupportedError,
    unsupported_reason,
)
from antiphon.triton.runtime import log_reasons

_KILL_AFTER: Final = 5.0
"""Seconds past its own grace that a service gets before it is killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteOptions:
    """What to run. None and empty texts leave the choice to the services' own settings."""

    listen: str = "127.0.0.1:0"
    """Where the gateway listens; port 0 takes a free one."""
    http: str = ""
    """Where the gateway serves HTTP too; port 0 takes a free one, empty for not at all."""
    apart: bool = False
    """Three processes, with gRPC between them, instead of one."""
    mode: str = ""
    allow_modes: tuple[str, ...] = ()
    cassettes: Path | None = None
    pace: float | None = None
    triton: str = "start"
    """`start` one here, where this machine can; `none`; or the address of one that runs."""
    repositories: tuple[Path, ...] = ()
    """Model repositories for the Triton that is started."""
    otlp_endpoint: str = ""
    log_level: str = ""
    grace: float = 10.0
    """Seconds that running calls get at the end."""
    workers: int = 0
    """Processes that share each service's ports; 0 leaves it to the settings."""
    own_environment: bool = True
    """Whether the services read ANTIPHON_* and OTEL_* variables of this process; a test or demo wants its own only."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables for the services beside those of this process."""
    folder: Path | None = None
    """Where logs go; None: a folder that is removed at the end."""
    ready_seconds: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningSuite:
    """A suite that takes calls. In one process all three addresses are the same; `triton_address` may be empty."""

    gateway_address: str
    adapter_address: str
    inference_address: str
    triton_address: str
    triton_missing: str
    """Why no Triton runs and what to do about it; empty where one does."""
    folder: Path
    services: tuple[ServiceProcess, ...]
    triton: TritonRuntime | None = None
    http_address: str = ""
    """Where HTTP is served; empty where it is not."""

    @property
    def address(self) -> str:
        """Where clients call."""
        return self.gateway_address

    async def died(self) -> SuiteError:
        """Wait until a part ends by itself; the error that names it."""
        waits = {asyncio.ensure_future(service.exited()): service for service in self.services}
        triton = asyncio.ensure_future(self.triton.exited()) if self.triton is not None else None
        everything = {*waits, *({triton} if triton is not None else ())}
        try:
            done, _ = await asyncio.wait(everything, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in everything:
                task.cancel()
        first = done.pop()
        if first in waits:
            return waits[first].died()
        said = log_reasons(self.folder / "tritonserver.log")
        return SuiteError(f"tritonserver ended by itself, with status {first.result()}; its log says:\n{said}")


@asynccontextmanager
async def running_suite(options: SuiteOptions) -> AsyncGenerator[RunningSuite, None]:
    """Start everything, hand it over once it takes calls, end everything in order: gateway first, Triton last.

    Raises SuiteError where a service does not start. A Triton that does not is told in `triton_missing`. Should this
    process be killed, the kernel ends the children (Linux).
    """
    async with AsyncExitStack() as stack:
        folder = options.folder
        if folder is None:
            folder = Path(tempfile.mkdtemp(prefix="antiphon-suite-"))
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        start = _Starter(options, folder, stack)
        if options.apart:
            starting = asyncio.create_task(start.triton())  # it takes seconds, and so does a service
            try:
                adapter = await start.service("adapter")
                server, missing = await starting
            finally:
                starting.cancel()
                await asyncio.wait({starting})
            address = _triton_address(options, server)
            inference = await start.service("inference", "--triton", address)
            gateway = await start.service("gateway", "--adapter", adapter.address, "--inference", inference.address)
            services: tuple[ServiceProcess, ...] = (gateway, adapter, inference)
        else:
            server, missing = await start.triton()
            address = _triton_address(options, server)
            whole = await start.service("suite", "--triton", address)
            gateway = adapter = inference = whole
            services = (whole,)
        yield RunningSuite(
            gateway_address=gateway.address,
            adapter_address=adapter.address,
            inference_address=inference.address,
            triton_address="" if missing else address,
            triton_missing=missing,
            folder=folder,
            services=services,
            triton=start.runtime,
            http_address=next((service.http_address for service in services if service.http_address), ""),
        )


class _Starter:
    """Starts parts and books their ends on a stack, so that they end in the reverse order."""

    def __init__(self, options: SuiteOptions, folder: Path, stack: AsyncExitStack) -> None:
        self._options = options
        self._folder = folder
        self._stack = stack
        self.runtime: TritonRuntime | None = None

    async def service(self, role: str, *more: str) -> ServiceProcess:
        options = self._options
        listen = options.listen if role in ("gateway", "suite") else "127.0.0.1:0"
        command = ServiceCommand(
            role=role,
            options=[
                *_flags(options, listen=listen, records=role in ("adapter", "suite")),
                *_http(options, role),
                *more,
            ],
            folder=self._folder,
            environment=_environment(options),
        )
        service = await ServiceProcess.start(command, timeout=options.ready_seconds)
        self._stack.push_async_callback(service.stop, options.grace + _KILL_AFTER)
        return service

    async def triton(self) -> tuple[TritonServer | None, str]:
        """The server if one was started, and why there is none where one was wanted or could have been."""
        options = self._options
        if options.triton == "none":
            return None, "it was not asked for"
        if options.triton != "start":
            return None, ""
        reason = await asyncio.to_thread(unsupported_reason)
        if reason is not None:
            return None, reason
        log_file = self._folder / "tritonserver.log"
        runtime = TritonRuntime(TritonOptions(repositories=options.repositories, log_file=log_file))
        try:
            server = await self._stack.enter_async_context(runtime)
        except (TritonStartError, TritonUnsupportedError) as error:
            return None, str(error)
        self.runtime = runtime
        return server, ""


def _triton_address(options: SuiteOptions, server: TritonServer | None) -> str:
    if server is not None:
        return server.grpc_address
    # Port 9 is never a Triton's: calls of its models then say that none runs.
    return options.triton if options.triton not in ("start", "none") else "127.0.0.1:9"


def _flags(options: SuiteOptions, *, listen: str, records: bool) -> list[str]:
    flags = ["--listen", listen, "--grace", str(options.grace)]
    if options.otlp_endpoint:
        flags += ["--otlp-endpoint", options.otlp_endpoint]
    if options.workers:
        flags += ["--workers", str(options.workers)]
    if options.log_level:
        flags += ["--log-level", options.log_level]
    if not records:
        return flags
    if options.mode:
        flags += ["--mode", options.mode]
    if options.cassettes is not None:
        flags += ["--cassettes", str(options.cassettes)]
    if options.pace is not None:
        flags += ["--pace", str(options.pace)]
    for mode in options.allow_modes:
        flags += ["--allow-mode", mode]
    return flags


def _http(options: SuiteOptions, role: str) -> list[str]:
    return ["--http", options.http] if options.http and role in WITH_EDGES else []


def _environment(options: SuiteOptions) -> dict[str, str]:
    own = dict(os.environ)
    if not options.own_environment:
        own = {name: value for name, value in own.items() if not name.startswith(("ANTIPHON_", "OTEL_"))}
    return own | dict(options.environment)
