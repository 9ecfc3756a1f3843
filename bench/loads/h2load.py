"""Load by nghttp2's h2load, for both doors: HTTP/2 with prior knowledge for gRPC, HTTP/1.1 for HTTP.

Calls are counted, not timed out: every call that is begun is finished, so nobody is charged for answers that were cut
off, and CPU time a call is exact. A gRPC error is told from an answer by its size, as HTTP says 200 for both.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.machine import TICK
from bench.places import WORK
from bench.systems.base import Target

CONNECTIONS: Final = 8
"""Most connections of a gRPC load: callers share them, as the callers in one client process do."""
_UNITS: Final = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}


class LoadError(RuntimeError):
    """A load that cannot be counted; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a load brought. `cpu` is the generator's own CPU seconds; `latencies` are there where they were logged."""

    calls: int
    seconds: float
    bytes_a_call: float
    cpu: float
    latencies: Sequence[float] = ()


def version() -> str:
    """h2load's own word."""
    return subprocess.run(["h2load", "--version"], capture_output=True, text=True, check=True).stdout.split()[-1]


def run(
    target: Target,
    *,
    calls: int,
    callers: int,
    pinned: Sequence[str],
    least_bytes: int,
    rate: float | None = None,
    timeout: float = 600.0,
) -> Load:
    """Send `calls` calls from `callers` callers. With `rate` (a second), begin no more than that, and log latencies.

    Raises LoadError where calls failed or answers are too small to be whole.
    """
    connections = min(callers, CONNECTIONS) if target.door == "grpc" else callers
    streams = -(-callers // connections)
    calls = max(calls, callers)
    words = [*pinned, "h2load", "-n", str(calls), "-c", str(connections), "-m", str(streams), "-t", "1"]
    words += ["--window-bits=30", "--connection-window-bits=30"] if target.door == "grpc" else ["--h1"]
    words += ["-d", str(target.body_file())]
    for name, value in target.headers.items():
        words += ["-H", f"{name}: {value}"]
    log = WORK / "latencies.tsv"
    if rate is not None:
        log.unlink(missing_ok=True)
        words += ["--rps", f"{max(rate / connections, 0.1):.2f}", "--log-file", str(log)]
        # All connections tick at their own pace from when they were opened: opened one after the other, they don't
        # all call at once.
        period = max(1, round(1000 / rate))
        words += ["-r", str(max(1, round(rate * period / 1000))), f"--rate-period={period}ms"]
    process = subprocess.Popen(
        [*words, f"http://{target.address}{target.path}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        said, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired as error:
        process.kill()
        process.wait()
        raise LoadError(f"{calls} calls took longer than {timeout:g} s") from error
    latencies = _latencies(log) if rate is not None else []
    return _read(said, calls, least_bytes, latencies)


def children_seconds() -> float:
    """CPU seconds of this process's children that have ended: the generators."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) * TICK


def _read(said: str, calls: int, least_bytes: int, latencies: Sequence[float]) -> Load:
    finished = re.search(r"finished in ([\d.]+)(us|ms|s|m),", said)
    requests = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", said)
    statuses = re.search(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", said)
    traffic = re.search(r"\((\d+)\) data", said)
    if not (finished and requests and statuses and traffic):
        raise LoadError(f"h2load said nothing that can be read:\n{said[-1500:]}")
    good = int(requests[1])
    if good != calls or int(statuses[1]) != calls:
        raise LoadError(f"of {calls} calls {good} succeeded; {requests[0]}; {statuses[0]}")
    bytes_a_call = int(traffic[1]) / calls
    if bytes_a_call < least_bytes:
        raise LoadError(f"answers have {bytes_a_call:.0f} bytes and a whole one has at least {least_bytes}")
    return Load(
        calls=calls,
        seconds=float(finished[1]) * _UNITS[finished[2]],
        bytes_a_call=bytes_a_call,
        cpu=0.0,
        latencies=latencies,
    )


def _latencies(log: Path) -> list[float]:
    if not log.exists():
        return []
    return [int(line.split("\t")[2]) / 1e6 for line in log.read_text().splitlines()]
