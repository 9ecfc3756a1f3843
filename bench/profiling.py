"""Where a system spends its time under a load: py-spy's samples, folded into shares by function.

Samples that wait are left out: for a lock, a timer, or a socket. What the kernel does for a socket is left out too,
so the threads' own clocks stand beside. Others who use the machine stretch all samples alike, so the shares hold.
`whole` counts a function with all that it calls, `own` without.
"""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.loads import h2load
from bench.places import VENVS, WORK
from bench.session import Session
from bench.systems.base import Door
from bench.traffic import Work

PY_SPY: Final = VENVS / "tools" / "bin" / "py-spy"
RATE: Final = 250
CALLERS: Final = 32
WAITING: Final = frozenset(
    {
        "epoll_wait (libc.so.6)",
        "poll (libc.so.6)",
        "lock_PyThread_acquire_lock (libpython3.11.so.1.0)",
        "Condition.wait (threading.py)",
    }
)
"""Frames of threads that wait, wherever in a stack they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Shares of all samples, most first; CPU time a call while nobody sampled, in all and by thread."""

    samples: int
    cpu_us: float
    threads: list[tuple[str, float]]
    whole: list[tuple[str, float]]
    own: list[tuple[str, float]]
    raw: Path


def taken(session: Session, system: str, work: Work, door: Door, seconds: float) -> Profile:
    """Profile a system under a load. Raises RuntimeError where it can't run or py-spy can't look."""
    running = session.running(system)
    if running is None:
        raise RuntimeError(session.unable.get(system, f"{system} can't run"))
    session.load(running, work, door, CALLERS, warm=True)
    before = _threads(running.tree.pids())
    found = session.load(running, work, door, CALLERS)
    spent = {
        name: (after - before.get(name, 0.0)) / found["calls"] * 1e6
        for name, after in _threads(running.tree.pids()).items()
    }
    raw = WORK / "profiles" / f"{system}-{door}-{work.name}.raw"
    raw.parent.mkdir(parents=True, exist_ok=True)
    target = running.aim(work, door)
    with session.only(running):
        pid = running.tree.pids()[0]
        words = [str(PY_SPY), "record", "--native", "--threads", "--format", "raw", "--rate", str(RATE)]
        words += ["--duration", str(max(1, round(seconds))), "--output", str(raw), "--pid", str(pid)]
        spy = subprocess.Popen(
            [*session.cores.load_command(), *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        until = time.monotonic() + 10 * seconds + 60
        while spy.poll() is None and time.monotonic() < until:
            h2load.run(
                target,
                calls=CALLERS * 20,
                callers=CALLERS,
                pinned=session.cores.load_command(),
                least_bytes=work.least_bytes,
            )
        said, _ = spy.communicate(timeout=60)
    if spy.returncode:
        raise RuntimeError(f"py-spy failed: {said.decode(errors='replace')[-500:]}")
    return _folded(raw, found["cpu_us"], sorted(spent.items(), key=lambda item: -item[1]))


def shown(profile: Profile, lines: int) -> str:
    """The profile as text."""
    text = [f"{profile.samples} samples, {profile.cpu_us:,.0f} us of CPU a call; stacks in {profile.raw}"]
    text += ["", "us a call by thread: " + ", ".join(f"{name} {us:,.0f}" for name, us in profile.threads if us >= 0.5)]
    for title, shares in (("whole", profile.whole), ("own", profile.own)):
        text += ["", f"{'share':>7}  {title}"]
        text += [f"{share:7.1%}  {name}" for name, share in shares[:lines]]
    return "\n".join(text)


def _folded(raw: Path, cpu_us: float, threads: list[tuple[str, float]]) -> Profile:
    whole: Counter[str] = Counter()
    own: Counter[str] = Counter()
    samples = 0
    for line in raw.read_text(errors="replace").splitlines():
        stack, _, count = line.rpartition(" ")
        frames = [_named(frame) for frame in stack.split(";")]
        if not WAITING.isdisjoint(frames):
            continue
        number = int(count)
        samples += number
        own[frames[-1]] += number
        for name in set(frames):
            whole[name] += number
    total = max(1, samples)
    return Profile(
        samples=samples,
        cpu_us=cpu_us,
        threads=threads,
        whole=[(name, count / total) for name, count in whole.most_common()],
        own=[(name, count / total) for name, count in own.most_common()],
        raw=raw,
    )


def _named(frame: str) -> str:
    """A frame without its line number: the same function is one function."""
    return frame.rpartition(":")[0] + ")" if frame.endswith(")") and ":" in frame.rpartition("(")[2] else frame


def _threads(pids: Sequence[int]) -> dict[str, float]:
    """CPU seconds by name of thread, over all processes."""
    found: Counter[str] = Counter()
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                name = "main" if task.name == str(pid) else (task / "comm").read_text().strip()
                found[name] += int((task / "schedstat").read_text().split()[0])  # nanoseconds
    return {name: spent / 1e9 for name, spent in found.items()}
