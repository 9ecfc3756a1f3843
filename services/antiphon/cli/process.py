"""One service as a child process: started, waited for until it takes calls, ended, and never left behind."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_PR_SET_PDEATHSIG: Final = 1  # <linux/prctl.h>
_POLL_SECONDS: Final = 0.02
_TAIL_LINES: Final = 15
_TAIL_BYTES: Final = 64 * 1024


WITH_EDGES: Final = ("gateway", "suite")
"""Roles that serve HTTP too, where they are told at which address."""
NO_EDGES: Final = "none"
"""Said instead of such an address: serve no HTTP."""


def http_file(ready_file: Path) -> Path:
    """The file beside a ready file that holds the address of the HTTP edges; written before it."""
    return ready_file.with_name(f"{ready_file.name}.http")


class SuiteError(RuntimeError):
    """A part of the suite did not start, or ended by itself; the message names it and shows the end of its log."""


DEFAULT_LISTEN: Final[Mapping[str, str]] = {
    "gateway": "127.0.0.1:50051",
    "suite": "127.0.0.1:50051",
    "adapter": "127.0.0.1:50052",
    "inference": "127.0.0.1:50053",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceCommand:
    """What to run: a role with its options, and the folder for its log and ready file."""

    role: str
    options: Sequence[str]
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def log_file(self) -> Path:
        """Where the service's log goes."""
        return self.folder / f"{self.role}.log"


class ServiceProcess:
    """A running service. Made by `start`; to be ended by `stop`."""

    def __init__(self, command: ServiceCommand, process: asyncio.subprocess.Process) -> None:
        self.role = command.role
        self.log_file = command.log_file
        self.address = ""
        self.http_address = ""
        self._process = process

    @classmethod
    async def start(cls, command: ServiceCommand, *, timeout: float) -> ServiceProcess:  # noqa: ASYNC109
        """Start the service and return once it takes calls. Raises SuiteError; then nothing is left running.

        The kernel ties the child to the thread that starts it, so that has to be one that lives on: the main one.
        """
        ready = command.folder / f"{command.role}.address"
        http = http_file(ready)
        for file in (ready, http):
            file.unlink(missing_ok=True)
        with command.log_file.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                # -P: a file in the user's folder must not be taken for a module of ours.
                *(sys.executable, "-P", "-m", "antiphon.cli", "serve", command.role),
                *(*command.options, "--ready-file", str(ready), "--parent", str(os.getpid())),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=asyncio.subprocess.STDOUT,
                env=dict(command.environment),
                start_new_session=True,  # Ctrl-C is for us to answer: we end the parts in order
            )
        service = cls(command, process)
        try:
            async with asyncio.timeout(timeout):
                while not ready.exists():
                    if process.returncode is not None:
                        raise service.died("before it took calls")
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError as error:
            await service.stop(0)
            raise SuiteError(
                f"{command.role} took no calls within {timeout:g} s; its log ends:\n{service.tail()}"
            ) from error
        except BaseException:
            await service.stop(0)
            raise
        service.address = ready.read_text(encoding="utf-8")
        service.http_address = http.read_text(encoding="utf-8") if http.exists() else ""
        return service

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    async def exited(self) -> int:
        """Wait until the process ends; its status."""
        return await self._process.wait()

    def died(self, when: str = "by itself") -> SuiteError:
        """The error of a service that ended unasked."""
        status = self._process.returncode
        how = f"status {status}" if status is None or status >= 0 else f"signal {signal.Signals(-status).name}"
        return SuiteError(f"{self.role} ended {when}, with {how}; its log ends:\n{self.tail()}")

    def tail(self) -> str:
        """The last lines of the log."""
        with self.log_file.open("rb") as log:
            log.seek(max(0, self.log_file.stat().st_size - _TAIL_BYTES))
            lines = log.read().decode("utf-8", "replace").splitlines()
        return "\n".join(lines[-_TAIL_LINES:]) or "(nothing)"

    async def stop(self, grace: float) -> None:
        """Ask the service to drain, and kill it where it takes longer than `grace` seconds."""
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.terminate()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), grace)
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.kill()
        await self._process.wait()


def follow_parent(parent: int) -> None:
    """Have the kernel end this process (SIGTERM) when its parent dies. Linux only; nothing elsewhere.

    `parent` is the process that started this one: where it is gone already, this process ends at once.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it died before the kernel knew
        sys.exit(1)


def write_whole(path: Path, text: str) -> None:
    """A file that is there whole or not at all: whoever waits for it reads it at once."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
