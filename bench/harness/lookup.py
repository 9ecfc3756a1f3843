"""How long a lookup takes, and what a start costs, in a folder of 50,000 recorded exchanges.

    python -m bench.harness.lookup [--exchanges 50000] [--folder DIR] [--json FILE]

Two layouts: one exchange a file, as the recorder writes them, and 500 a file. Each figure comes from a process of its
own: the first start (no index yet), starts with the index, then lookups, reads and misses. Exits with 1 where a goal
is missed. Nothing runs beside it to compare with: these are bounds, not a race.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from antiphon.harness import CassetteStore, RecordedRequest, SseEvent, authored_sse, write_cassette

URL = "https://api.example.test/v1/chat/completions"
GOALS = {"start_s": 3.0, "first_peak_mib": 300.0, "peak_mib": 300.0, "used_peak_mib": 300.0, "lookup_us": 100.0}
LAYOUTS = {"one a file": 1, "500 a file": 500}
ROUNDS = 5


def request_body(number: str) -> dict[str, Any]:
    """A chat request of a common size, about 800 bytes."""
    return {
        "model": "example-model",
        "messages": [
            {"role": "system", "content": "You answer in one sentence. " * 12},
            {"role": "user", "content": f"Question {number}: " + "what is an antiphon, and who sings it? " * 8},
        ],
        "temperature": 0.7,
        "max_tokens": 100,
        "stream": True,
    }


def make(folder: Path, exchanges: int, a_file: int) -> None:
    """Write the folder. One exchange is rendered by the harness, the others are its text with another number."""
    mark = "NNNNNN"
    events = [SseEvent(data={"id": mark, "delta": f"word {n}"}, delay_ms=10) for n in range(20)]
    path = write_cassette(folder, "a/template", [authored_sse(url=URL, request=request_body(mark), events=events)])
    head, item, tail = _parts(path.read_text(encoding="utf-8"))
    path.unlink()
    for start in range(0, exchanges, a_file):
        items = "".join(item.replace(mark, f"{n:06}") for n in range(start, min(start + a_file, exchanges)))
        place = folder / f"provider{start % 7}" / f"post-v1-chat-completions-{start:06}.yaml"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(head + items + tail, encoding="utf-8")


def _parts(text: str) -> tuple[str, str, str]:
    lines = text.splitlines(keepends=True)
    begin = next(n for n, line in enumerate(lines) if line.startswith("- "))
    end = next(n for n, line in enumerate(lines) if n > begin and line[0] not in " -\n#")
    return "".join(lines[:begin]), "".join(lines[begin:end]), "".join(lines[end:])


def asked(number: int) -> RecordedRequest:
    """The request of an exchange, spelled by another client: keys in another order, white space between them."""
    body = json.dumps(dict(reversed(request_body(f"{number:06}").items())), indent=1).encode()
    headers = (("content-type", "application/json"),)
    return RecordedRequest(method="POST", url=URL, headers=headers, body=body)


def start(folder: Path, cache: Path) -> dict[str, float]:
    """Load the folder, in this fresh process."""
    began, worked = time.perf_counter(), time.process_time()
    store = CassetteStore(folder, index_in=cache)
    store.load()
    taken = {"start_s": time.perf_counter() - began, "start_cpu_s": time.process_time() - worked}
    return {**taken, "exchanges": len(store), **_memory()}


def use(folder: Path, cache: Path) -> dict[str, float]:
    """Look up, read and miss, in this fresh process."""
    store = CassetteStore(folder, index_in=cache)
    store.load()
    count = len(store)
    chance = random.Random(7)  # noqa: S311 - a sample
    requests = [asked(chance.randrange(count)) for _ in range(2000)]
    lookups = []
    for session in range(ROUNDS):
        lookups.append(_each(requests, lambda one, s=session: _take(store, one, f"s{s}")))
    recordings = [_take(store, one, "reads") for one in requests[:400]]
    cold = _each(recordings, store.fetch)
    warm = _each(recordings, store.fetch)
    strange = [asked(count + n) for n in range(20)]
    misses = _each(strange, store.nearest)
    return {
        "lookup_us": statistics.median(statistics.median(times) for times in lookups) * 1e6,
        "lookup_p99_us": statistics.median(statistics.quantiles(times, n=100)[98] for times in lookups) * 1e6,
        "read_from_disk_ms": statistics.median(cold) * 1e3,
        "read_from_memory_us": statistics.median(warm) * 1e6,
        "miss_ms": statistics.median(misses) * 1e3,
        **{f"used_{name}": value for name, value in _memory().items()},
    }


def _take(store: CassetteStore, request: RecordedRequest, session: str) -> Any:
    recording = store.take(request, session=session, cassette_name=None, repeat=True)
    if recording is None:
        raise SystemExit("a recorded request was not found")
    return recording


def _each(items: list[Any], action: Callable[[Any], Any]) -> list[float]:
    times = []
    for item in items:
        began = time.perf_counter()
        action(item)
        times.append(time.perf_counter() - began)
    return times


def _memory() -> dict[str, float]:
    told = Path("/proc/self/status").read_text(encoding="ascii")
    kib = {line.split(":")[0]: line.split()[1] for line in told.splitlines() if line.startswith(("VmHWM", "VmRSS"))}
    return {"resident_mib": int(kib["VmRSS"]) / 1024, "peak_mib": int(kib["VmHWM"]) / 1024}


def _child(what: str, folder: Path, cache: Path) -> dict[str, float]:
    """Run `start` or `use` in a process of its own; adds what the process took from its beginning."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "bench.harness.lookup", "--step", what, str(folder), str(cache)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return {**json.loads(done.stdout), "process_s": time.perf_counter() - began}


def measure(folder: Path, exchanges: int) -> dict[str, dict[str, float]]:
    """All figures, by layout."""
    figures = {}
    for layout, a_file in LAYOUTS.items():
        place, cache = folder / f"of-{a_file}", folder / f"index-of-{a_file}"
        if not place.exists():
            make(place, exchanges, a_file)
        first = _child("start", place, cache)
        starts = [_child("start", place, cache) for _ in range(ROUNDS)]
        warm = {name: statistics.median(one[name] for one in starts) for name in starts[0]}
        figures[layout] = {"first_start_s": first["start_s"], "first_peak_mib": first["peak_mib"]}
        figures[layout] |= warm | _child("use", place, cache)
        figures[layout]["index_mib"] = sum(file.stat().st_size for file in cache.iterdir()) / 2**20
    return figures


def main() -> int:
    """Measure, print and judge."""
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("--exchanges", type=int, default=50_000)
    reader.add_argument("--folder", type=Path, help="keep the cassettes there, to measure again sooner")
    reader.add_argument("--json", type=Path, help="write the figures there too")
    reader.add_argument("--step", nargs=3, help=argparse.SUPPRESS)
    given = reader.parse_args()
    if given.step is not None:
        what, folder, cache = given.step
        print(json.dumps({"start": start, "use": use}[what](Path(folder), Path(cache))))
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        figures = measure(given.folder or Path(temporary), given.exchanges)
    names = sorted({name for row in figures.values() for name in row})
    print(f"{given.exchanges} exchanges, Python {platform.python_version()}, httpx {version('httpx')}")
    print(f"{'':24}" + "".join(f"{layout:>14}" for layout in figures) + "          goal")
    for name in names:
        goal = f"{GOALS[name]:14g}" if name in GOALS else ""
        print(f"{name:24}" + "".join(f"{row.get(name, 0):14.3f}" for row in figures.values()) + goal)
    if given.json is not None:
        told = {"exchanges": given.exchanges, "python": platform.python_version(), "goals": GOALS, "figures": figures}
        given.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    missed = [f"{layout}: {name}" for layout, row in figures.items() for name in GOALS if row[name] >= GOALS[name]]
    for miss in missed:
        print(f"missed: {miss}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
