"""`antiphon chaos`: walks faults while somebody's own client runs against a replay server, and reports what it did."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import tempfile
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from antiphon.cli import exits, terminal
from antiphon.cli.replay import Replaying, replaying
from antiphon.core.errors import Reason, ServiceError
from antiphon.core.settings import Settings, credentials_environment
from antiphon.core.telemetry.logs import configure_logs
from antiphon.harness.chaos import (
    Cell,
    Limits,
    Observation,
    Run,
    Verdict,
    Walk,
    chosen,
    junit_of,
    line_of,
    read_cells,
    text_of,
)
from antiphon.harness.errors import BadRecordingCall
from antiphon.harness.requestfilter import RequestFilter

NO_KEY: Final = "antiphon-replays-without-a-key"
"""Stands where an SDK asks for a key to be set: nothing that is replayed is sent anywhere."""
_OUTPUT: Final = 4000
"""Bytes of the client's output that the report keeps."""
_FAREWELL: Final = 2.0
"""Seconds that a client gets to end by itself once it is told to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What to walk, and how. An empty `command` watches a client that runs on."""

    command: Sequence[str] = ()
    faults: Sequence[str] = ()
    plan: Path | None = None
    url: str = ""
    model: str = ""
    limits: Limits = field(default_factory=Limits)
    after: int = 0
    times: int = 1
    junit: Path | None = None
    upstreams: Sequence[str] = ()

    def cells(self) -> tuple[Cell, ...]:
        """The faults to walk. Raises ServiceError INVALID_REQUEST."""
        try:
            return read_cells(self.plan) if self.plan is not None else chosen(self.faults)
        except BadRecordingCall as error:
            raise ServiceError(Reason.INVALID_REQUEST, str(error)) from error


def run(options: Options, settings: Settings) -> int:
    """Walk, print the report, write the XML; returns the exit status. Raises ServiceError."""
    configure_logs(level=settings.log_level.upper(), service="antiphon-chaos")
    observations = asyncio.run(_walked(options, settings))
    out = terminal.out()
    out.print(text_of(observations).splitlines()[-1], markup=False)
    if options.junit is not None:
        options.junit.parent.mkdir(parents=True, exist_ok=True)
        options.junit.write_bytes(junit_of(observations))
    failed = any(each.verdict is Verdict.FAILED for each in observations)
    reached = any(each.attempts for each in observations)
    return exits.OK if reached and not failed else exits.FAILED


async def _walked(options: Options, settings: Settings) -> list[Observation]:
    cells = options.cells()
    observations: list[Observation] = []
    async with replaying(settings, credentials_environment(), given=options.upstreams) as server:
        walk = Walk(
            controls=server.controls,
            store=server.store,
            cells=cells,
            match=RequestFilter(url=options.url, model=options.model),
            limits=options.limits,
            after=options.after,
            times=options.times,
        )
        async with contextlib.aclosing(_steps(walk, options, server)) as steps:
            async for each in steps:
                observations.append(each)
                terminal.out().print(line_of(each), markup=False, soft_wrap=True)
    return observations


async def _steps(walk: Walk, options: Options, server: Replaying) -> AsyncGenerator[Observation, None]:
    if not options.command:
        terminal.err().print(waiting(server), markup=False)
        async for each in walk.windows():
            yield each
        return
    client = Client(options.command, environment_for(server, os.environ), options.limits.patience)
    ended, seen = await walk.baseline(client.run)
    if ended.hung or ended.exit_code != 0:
        how = "did not end" if ended.hung else f"ended with status {ended.exit_code}"
        tail = f"; it wrote:\n{ended.output}" if ended.output else ""
        raise ServiceError(
            Reason.INVALID_REQUEST, f"the client {how} although nothing was wrong yet; mend that first{tail}"
        )
    if not seen:
        raise ServiceError(
            Reason.INVALID_REQUEST,
            f"the client asked nothing of {server.url}; it has to read its base URL from the environment, such as "
            "OPENAI_BASE_URL",
        )
    async for each in walk.commands(client.run):
        yield each


def environment_for(server: Replaying, own: Mapping[str, str]) -> dict[str, str]:
    """The environment of a client: its own, with the base URLs of SDKs leading here, and keys where it has none."""
    found = {**own, "ANTIPHON_SERVER": server.address, "ANTIPHON_REPLAY_URL": server.url}
    for upstream in server.upstreams.values():
        found |= dict.fromkeys(upstream.url_variables, upstream.base_url(server.url))
        found |= {name: NO_KEY for name in upstream.key_variables if not own.get(name)}
    for name in ("NO_PROXY", "no_proxy"):
        found[name] = ",".join(filter(None, [own.get(name, ""), "127.0.0.1,localhost"]))
    return found


def waiting(server: Replaying) -> str:
    """What to do with a client that runs on."""
    urls = [f"  {name}: {server.upstreams[name].base_url(server.url)}" for name in ("openai", "anthropic", "gemini")]
    return "\n".join(["waiting for a client at, for instance:", *urls, f"  gRPC: {server.address}"])


class Client:
    """Somebody's command, run again for every fault. It and its children are stopped where it hangs."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], patience: float) -> None:
        self._command = tuple(command)
        self._environment = dict(environment)
        self._patience = patience

    async def run(self) -> Run:
        """Run it once. Raises ServiceError where it cannot be started."""
        with tempfile.TemporaryFile() as output:
            began = time.monotonic()
            try:
                process = await asyncio.create_subprocess_exec(
                    *self._command,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env=self._environment,
                    start_new_session=True,
                )
            except OSError as error:
                raise ServiceError(
                    Reason.INVALID_REQUEST, f"{self._command[0]!r} cannot be started: {error.strerror or error}"
                ) from error
            hung = False
            try:
                async with asyncio.timeout(self._patience):
                    await process.wait()
            except TimeoutError:
                hung = True
            finally:
                await _stopped(process)
            seconds = time.monotonic() - began
            return Run(
                seconds=seconds,
                exit_code=None if hung else process.returncode,
                hung=hung,
                output=_tail(output),
            )


async def _stopped(process: asyncio.subprocess.Process) -> None:
    """End the process and its group, if anything of them is left."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        if process.returncode is not None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FAREWELL):
                await process.wait()


def _tail(output: IO[bytes]) -> str:
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - _OUTPUT))
    return output.read().decode("utf-8", "replace").strip()
