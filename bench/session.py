"""One run of the bench: what is started, who runs while the others are frozen, and what one measurement is."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from bench import machine
from bench.loads import h2load
from bench.places import ROOT
from bench.processes import StartError, Tree
from bench.systems.base import Door, Running, Site, System, Target
from bench.systems.table import SYSTEMS
from bench.traffic import Work
from bench.upstream import started

Round = dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What was asked for. `seconds` is how long one measurement should take; `callers` the cases of the load rows."""

    systems: frozenset[str]
    rows: Sequence[str]
    rounds: int = 5
    seconds: float = 5.0
    callers: Sequence[int] = (1, 32, 200)


@dataclass(slots=True, kw_only=True)
class Subject:
    """One system at one door in one case of a row, and what was found. `failed` says why nothing more was."""

    system: str
    door: Door
    rounds: list[Round] = field(default_factory=list)
    failed: str = ""

    @property
    def name(self) -> str:
        """What tables call it."""
        doors = SYSTEMS[self.system].doors
        return f"{self.system} ({self.door})" if len(doors) > 1 else self.system

    def median(self) -> Round:
        """The median of each figure."""
        names = self.rounds[0] if self.rounds else ()
        return {name: statistics.median(one[name] for one in self.rounds) for name in names}


@dataclass(slots=True, kw_only=True)
class Case:
    """One table of the report. `unit` is what one unit of `rate` is."""

    row: str
    case: str
    unit: str
    subjects: list[Subject]


class Session:
    """Starts the stand-in provider, the collector, and systems as rows ask for them. Use as a context manager."""

    def __init__(self, options: Options, say: Callable[[str], None]) -> None:
        self.options = options
        self.say = say
        self.cores = machine.Cores.choose()
        self.site: Site
        self.unable: dict[str, str] = {}
        """Systems that could not be measured, and why."""
        self.versions: dict[str, str] = {}
        self._collector: subprocess.Popen[bytes]
        self._running: dict[str, Running] = {}
        self._rates: dict[tuple[str, str, str, int], float] = {}

    def __enter__(self) -> Session:
        provider = started(self.cores.load_command())
        self._collector = subprocess.Popen(
            [*self.cores.load_command(), sys.executable, "-m", "bench.systems.collector"],
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )
        assert self._collector.stdout is not None  # noqa: S101 - it was asked for
        port = int(self._collector.stdout.readline())
        self.site = Site(cores=self.cores, upstream=provider, collector=f"127.0.0.1:{port}")
        return self

    def __exit__(self, *error: object) -> None:
        self.stop_all()
        self.site.upstream.tree.stop()
        self._collector.kill()
        self._collector.wait()

    def able(self, name: str) -> bool:
        """Whether a system was asked for and can run; notes why not."""
        if name not in self.options.systems or name in self.unable:
            return False
        if name not in self.versions:
            if reason := SYSTEMS[name].lacking():
                self.unable[name] = reason
                self.say(f"{name} is left out: {reason}")
                return False
            self.versions[name] = SYSTEMS[name].version()
        return True

    def running(self, name: str) -> Running | None:
        """A system, started and frozen; None where it can't run."""
        if not self.able(name):
            return None
        if name not in self._running:
            self.say(f"starting {name}")
            try:
                running = SYSTEMS[name].start(self.site)
            except StartError as error:
                self.unable[name] = str(error)
                self.say(f"{name} is left out: {error}")
                return None
            self._running[name] = running
            if not all(self.cores.check(pid) for pid in running.tree.pids()) and name != "direct":
                self.say(f"{name} runs on more than its core: its figures are not per core")
            self._freeze(running)
        return self._running[name]

    def fresh(self, name: str) -> System | None:
        """A system that a row starts by itself; nothing else may run meanwhile, so `stop_all` comes first."""
        return SYSTEMS[name] if self.able(name) else None

    def stop_all(self) -> None:
        """End every system."""
        for running in self._running.values():
            if running.name != "direct":
                running.tree.stop()
        self._running.clear()

    @contextmanager
    def only(self, running: Running) -> Iterator[None]:
        """Let one system run while all others stand still; afterwards wait until it has nothing left to do."""
        if running.name == "direct":
            yield
            return
        running.tree.thaw()
        try:
            yield
        finally:
            running.tree.settle()
            self._freeze(running)

    def load(self, running: Running, work: Work, door: Door, callers: int, *, warm: bool = False) -> Round:
        """One measurement of a load. Figures: see `bench/README.md`. Raises LoadError."""
        target = running.aim(work, door)
        key = (running.name, door, work.name, callers)
        with self.only(running):
            if warm or key not in self._rates:
                self._rates[key] = self._calibrated(target, work, callers)
            calls = max(callers, round(self._rates[key] * self.options.seconds))
            calls = -(-calls // callers) * callers  # whole waves
            found = self.measured(running, target, work, calls=calls, callers=callers)
        self._rates[key] = found["calls_per_s"]
        return found

    def measured(
        self, running: Running, target: Target, work: Work, *, calls: int, callers: int, rate: float | None = None
    ) -> Round:
        """A load of so many calls, with everything counted beside it."""
        provider = self.site.upstream.tree
        helpers = Tree([self._collector])
        before = _clocks(running.tree, provider, helpers)
        began = time.perf_counter()
        load = h2load.run(
            target,
            calls=calls,
            callers=callers,
            pinned=self.cores.load_command(),
            least_bytes=work.least_bytes,
            rate=rate,
        )
        if running.name != "direct":
            running.tree.settle(2.0)
        wall = time.perf_counter() - began
        spent = {name: after - before[name] for name, after in _clocks(running.tree, provider, helpers).items()}
        ours = spent["server"] + spent["generator"] + spent["own"] + spent["helpers"]
        ours += 0 if running.name == "direct" else spent["provider"]
        loading = spent["generator"] + spent["provider"] + spent["helpers"]
        found = {
            "calls": float(load.calls),
            "calls_per_s": load.calls / load.seconds,
            "rate": load.calls * work.units / load.seconds,
            "cpu_us": spent["server"] / load.calls * 1e6,
            "server_busy": spent["server"] / load.seconds,
            "load_busy": loading / load.seconds,
            "foreign_busy": max(0.0, spent["machine"] - ours) / wall / (os.cpu_count() or 1),
            "bytes_a_call": load.bytes_a_call,
        }
        if load.latencies:
            ordered = sorted(load.latencies)
            found |= {"p50_ms": _at(ordered, 0.5) * 1e3, "p99_ms": _at(ordered, 0.99) * 1e3}
        return found

    def _calibrated(self, target: Target, work: Work, callers: int) -> float:
        """Calls a second, roughly, after warming up: ever longer loads until one is long enough to believe."""
        calls = callers
        enough = min(1.0, self.options.seconds / 2)
        while True:
            load = h2load.run(
                target,
                calls=calls,
                callers=callers,
                pinned=self.cores.load_command(),
                least_bytes=work.least_bytes,
            )
            rate = load.calls / load.seconds
            if load.seconds >= enough:
                return rate
            calls = max(calls * 2, round(rate * enough * 1.2))

    def _freeze(self, running: Running) -> None:
        if running.name != "direct":
            running.tree.freeze()


def _clocks(server: Tree, provider: Tree, helpers: Tree) -> Mapping[str, float]:
    own = os.times()
    return {
        "server": server.cpu_seconds(),
        "provider": provider.cpu_seconds(),
        "helpers": helpers.cpu_seconds(),
        "generator": h2load.children_seconds(),
        "own": own.user + own.system,
        "machine": machine.busy_seconds(),
    }


def _at(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
