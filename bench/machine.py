"""The machine: which core serves, which core loads, and how quiet it is beside us. Linux only."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TICK: Final = 1.0 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cores:
    """One core for what is measured, one for the load and the stand-in provider. None: the same for both."""

    server: int | None
    load: int | None
    said: str
    """How it is, in words for the report."""

    @classmethod
    def choose(cls) -> Cores:
        """Two cores of those that this process may use, where there are two."""
        usable = sorted(os.sched_getaffinity(0))
        if len(usable) < 2:
            return cls(
                server=None, load=None, said="NOT pinned: only one core can be used, so load and server share it"
            )
        return cls(
            server=usable[0],
            load=usable[1],
            said=f"server pinned to core {usable[0]}; load, stand-in provider and collector to core {usable[1]}",
        )

    def server_command(self) -> list[str]:
        """What to write before a server's command."""
        return _pinned(self.server)

    def load_command(self) -> list[str]:
        """What to write before a load generator's command."""
        return _pinned(self.load)

    def check(self, pid: int) -> bool:
        """Whether a server really runs on its core alone."""
        return self.server is None or os.sched_getaffinity(pid) == {self.server}


def busy_seconds() -> float:
    """CPU seconds that all processes of this machine have used, and what the hypervisor took."""
    fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    user, nice, system, _, _, irq, softirq, steal = fields[:8]
    return (user + nice + system + irq + softirq + steal) * TICK


def described() -> dict[str, str]:
    """The machine in words."""
    model = ""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    memory = int(Path("/proc/meminfo").read_text().split()[1]) // 1024
    return {
        "cpu": f"{model}, {os.cpu_count()} cores",
        "memory": f"{memory} MB",
        "kernel": f"{platform.system()} {platform.release()}",
        "load average at start": " ".join(f"{value:.2f}" for value in os.getloadavg()),
    }


def _pinned(core: int | None) -> list[str]:
    return [] if core is None else ["taskset", "-c", str(core)]
