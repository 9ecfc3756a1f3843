"""Trees of processes: started pinned, counted whole, frozen while others are measured, and never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bench.machine import TICK
from bench.places import WORK


class StartError(RuntimeError):
    """Something did not start; the message shows the end of its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to run. `environment` is added to that of this process, less what would configure antiphon or OTel."""

    name: str
    words: Sequence[str]
    environment: Mapping[str, str]
    folder: Path = WORK

    @property
    def log(self) -> Path:
        """Where its output goes."""
        return WORK / "logs" / f"{self.name}.log"


class Tree:
    """Processes that belong together, with all their descendants."""

    def __init__(self, roots: Iterable[subprocess.Popen[bytes]]) -> None:
        self.roots = list(roots)

    def pids(self) -> list[int]:
        """Every process of the tree that lives."""
        found: list[int] = []
        waiting = [root.pid for root in self.roots if root.poll() is None]
        while waiting:
            pid = waiting.pop()
            found.append(pid)
            for task in Path(f"/proc/{pid}/task").glob("*/children"):
                with suppress(OSError):
                    waiting += [int(word) for word in task.read_text().split()]
        return found

    def cpu_seconds(self) -> float:
        """CPU time of the tree, of children that have ended too."""
        total = 0
        for pid in self.pids():
            with suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                total += sum(int(field) for field in fields[11:15])  # utime, stime, cutime, cstime
        return total * TICK

    def memory_bytes(self) -> int:
        """Memory of the tree: proportional set size, so that shared pages count once."""
        total = 0
        for pid in self.pids():
            with suppress(OSError):
                for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                    if line.startswith("Pss:"):
                        total += int(line.split()[1]) * 1024
        return total

    def freeze(self) -> None:
        """Stop the clock of the whole tree."""
        self._tell(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it run on."""
        self._tell(signal.SIGCONT)

    def settle(self, patience: float = 10.0) -> None:
        """Wait until the tree has nothing left to do, so that work of one round is not charged to the next."""
        until = time.monotonic() + patience
        before = self.cpu_seconds()
        while time.monotonic() < until:
            time.sleep(0.1)
            now = self.cpu_seconds()
            if now - before <= 0.02:
                return
            before = now

    def ended(self) -> bool:
        """Whether a root has ended by itself."""
        return any(root.poll() is not None for root in self.roots)

    def stop(self, patience: float = 10.0) -> None:
        """End everything."""
        pids = self.pids()
        self.thaw()
        for root in self.roots:
            if root.poll() is None:
                root.terminate()
        for root in self.roots:
            with suppress(subprocess.TimeoutExpired):
                root.wait(patience)
        for root in self.roots:
            if root.poll() is None:
                root.kill()
                root.wait()
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _tell(self, number: signal.Signals) -> None:
        for pid in self.pids():
            with suppress(ProcessLookupError):
                os.kill(pid, number)


def start(command: Command, pinned: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start a command on a core; the kernel ends it should this process be killed."""
    command.log.parent.mkdir(parents=True, exist_ok=True)
    own = {name: value for name, value in os.environ.items() if not name.startswith(("ANTIPHON_", "OTEL_"))}
    with command.log.open("wb") as log:
        return subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *pinned, *command.words],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=own | dict(command.environment),
            cwd=command.folder,
            start_new_session=True,
        )


def tail(command: Command, lines: int = 12) -> str:
    """The end of a command's log."""
    with suppress(OSError):
        return "\n".join(command.log.read_text(errors="replace").splitlines()[-lines:])
    return "(no log)"
