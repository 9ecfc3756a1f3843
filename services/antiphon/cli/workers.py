"""Several processes on the same ports: each runs the whole role with an event loop of its own, and the kernel shares
the connections out among them (SO_REUSEPORT).

This process serves nobody. It holds the ports, so that port 0 is one port for all; starts the workers, and starts one
again that ends by itself; and hands the order to end on to all of them.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from antiphon.cli.process import DEFAULT_LISTEN, NO_EDGES, WITH_EDGES, http_file, write_whole
from antiphon.core.errors import Reason, ServiceError
from antiphon.core.settings import Settings
from antiphon.core.signals import signalled
from antiphon.core.telemetry.logs import configure_logs

log = logging.getLogger(__name__)

READY_SECONDS: Final = 60.0
"""How long a worker may take until it takes calls."""
_POLL_SECONDS: Final = 0.02
_KILL_AFTER: Final = 5.0
"""Seconds past its own grace that a worker gets before it is killed."""
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 30.0
_SETTLED: Final = 60.0
"""A worker that has lived so long did not fail at its start: the next pause is the first one again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the workers are: `options` as they are said to each, but for the ports and files."""

    role: str
    count: int
    options: Sequence[str]
    listen: str
    http: str = ""
    grace: float
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)


def check(role: str, settings: Settings) -> None:
    """Raises ServiceError for what only one process can do."""
    if settings.workers == 1:
        return
    if role in ("adapter", "suite") and (settings.mode != "live" or settings.allow_modes):
        said = f"mode {settings.mode}" if settings.mode != "live" else f"callers may ask for {settings.allow_modes[0]}"
        raise ServiceError(
            Reason.INVALID_REQUEST,
            f"{settings.workers} workers can only serve live, but {said}: recordings, sessions, faults and captured "
            "requests are known to one process alone, so two would answer each from its own. Use one worker, or mode "
            "live without allow_modes",
        )
    if settings.listen.startswith("unix:"):
        raise ServiceError(
            Reason.INVALID_REQUEST, f"{settings.workers} workers share a port, and {settings.listen} has none"
        )
    if not hasattr(socket, "SO_REUSEPORT"):
        raise ServiceError(Reason.INVALID_REQUEST, "this system shares no port among workers; use one")


async def supervise(plan: Plan, *, log_level: str, ready_file: Path | None) -> None:
    """Run the workers until SIGTERM or SIGINT. `ready_file` gets the address once all take calls. Raises ServiceError
    where a port is taken, or a worker does not start."""
    configure_logs(level=log_level.upper(), service=f"antiphon-{plan.role}")
    with ExitStack() as stack:
        plan = replace(plan, listen=_held(stack, plan.listen))
        if plan.http:
            plan = replace(plan, http=_held(stack, plan.http))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="antiphon-workers-")))
        ending = asyncio.create_task(signalled())
        workers = [_Worker(plan, number, folder) for number in range(1, plan.count + 1)]
        async with _ended(workers, plan.grace):
            starting = asyncio.gather(*(worker.start() for worker in workers))
            either: set[asyncio.Future[Any]] = {starting, ending}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not starting.done():
                starting.cancel()
                return
            starting.result()
            log.info("antiphon %s: %d workers take calls on %s", plan.role, plan.count, plan.listen)
            if ready_file is not None:
                if plan.http:
                    write_whole(http_file(ready_file), plan.http)
                write_whole(ready_file, plan.listen)
            keeping = [asyncio.create_task(worker.keep()) for worker in workers]
            await ending
            for task in keeping:
                task.cancel()
            await asyncio.wait(keeping)


class _Worker:
    """One of the processes, whichever runs in its place now."""

    def __init__(self, plan: Plan, number: int, folder: Path) -> None:
        self._plan = plan
        self._number = number
        self._ready = folder / f"worker-{number}"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it and wait until it takes calls. Raises ServiceError; what it said of itself is in the log."""
        plan = self._plan
        self._ready.unlink(missing_ok=True)
        ports = ["--listen", plan.listen, *(["--http", plan.http] if plan.http else [])]
        self._process = process = await asyncio.create_subprocess_exec(
            # -P: a file in the user's folder must not be taken for a module of ours.
            *(sys.executable, "-P", "-m", "antiphon.cli", "serve", plan.role, *plan.options, *ports),
            *("--worker", str(self._number), "--ready-file", str(self._ready), "--parent", str(os.getpid())),
            stdin=asyncio.subprocess.DEVNULL,
            env=dict(plan.environment),
            start_new_session=True,  # Ctrl-C is for this process to answer: it ends the workers
        )
        until = time.monotonic() + READY_SECONDS
        while not self._ready.exists():
            if process.returncode is not None:
                raise ServiceError(
                    Reason.INTERNAL,
                    f"worker {self._number} ended before it took calls, with {_how(process.returncode)}; "
                    "what it wrote stands above",
                )
            if time.monotonic() > until:
                raise ServiceError(Reason.INTERNAL, f"worker {self._number} took no calls within {READY_SECONDS:g} s")
            await asyncio.sleep(_POLL_SECONDS)

    async def keep(self) -> None:
        """Start it again whenever it ends, later each time that it fails at once. Lasts until it is cancelled."""
        pause = _FIRST_PAUSE
        began = time.monotonic()
        while True:
            assert self._process is not None  # noqa: S101 - started before it is kept
            status = await self._process.wait()
            pause = _FIRST_PAUSE if time.monotonic() - began > _SETTLED else pause
            log.error(
                "worker %d (process %d) ended by itself, with %s; it starts again in %g s",
                *(self._number, self._process.pid, _how(status), pause),
            )
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
            began = time.monotonic()
            try:
                await self.start()
            except ServiceError as error:
                log.error("%s", error.message)  # noqa: TRY400 - its own words say it all
                await self.end(0.0)
            else:
                log.info("worker %d (process %d) takes calls", self._number, self._process.pid)

    async def end(self, grace: float) -> None:
        """Ask it to drain, and kill it where it takes longer than `grace` seconds."""
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.terminate()
            with suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), grace)
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
        await process.wait()


@asynccontextmanager
async def _ended(workers: Sequence[_Worker], grace: float) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        await asyncio.gather(*(worker.end(grace + _KILL_AFTER) for worker in workers))


def _how(status: int) -> str:
    return f"status {status}" if status >= 0 else f"signal {signal.Signals(-status).name}"


def _held(stack: ExitStack, address: str) -> str:
    """The address with its port, which stays ours: bound, but not listened on. Raises ServiceError."""
    host, _, port = address.rpartition(":")
    if not port.isdecimal():
        raise ServiceError(Reason.INVALID_REQUEST, f"cannot listen on {address!r}; give host:port")
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(
            host.strip("[]") or None, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        if int(port):
            # Alone first: else the port of another server that shares its own would be shared with it unseen.
            with socket.socket(family, kind, protocol) as alone:
                alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                alone.bind(where)
        held = stack.enter_context(socket.socket(family, kind, protocol))
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind(where)
    except OSError as error:
        raise ServiceError(
            Reason.INTERNAL, f"cannot listen on {address}: is another process using it? ({error.strerror})"
        ) from error
    return f"{host}:{held.getsockname()[1]}"


def plan_for(role: str, settings: Settings, said: Mapping[str, Any]) -> Plan:
    """The workers of a role. `said` are the settings of the command line by the names of their options."""
    http = settings.http if role in WITH_EDGES and settings.http != NO_EDGES else ""
    options: list[str] = []
    for name, value in said.items():
        if value is None or name in ("listen", "http", "workers"):
            continue
        for each in value if isinstance(value, list) else [value]:
            options.append(f"--{name}={each}")
    return Plan(
        role=role,
        count=settings.workers,
        options=options,
        listen=settings.listen or DEFAULT_LISTEN[role],
        http=http,
        grace=settings.grace,
    )
