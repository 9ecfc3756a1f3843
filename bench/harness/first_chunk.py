"""What recording adds to the time until a caller has the first chunk of a stream: ours, plain vcrpy, nothing.

    python -m bench.harness.first_chunk [--rounds 40] [--json FILE]

A server in a process of its own streams ten events, 30 ms apart, so the whole stream takes 270 ms. The three take
turns in every round, in another order each time; figures are medians over the rounds, each counted from the call to
the first chunk in the caller's hands. Exits with 1 where ours adds 2 ms or more.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from pathlib import Path

import httpx
import vcr  # type: ignore[import-untyped]  # vcrpy ships no types

from antiphon.harness import CassetteTransport, Mode, RecordingCall

EVENTS = 10
PAUSE_S = 0.03
GOAL_MS = 2.0
NOISE_MS = 0.1
"""What ours adds is at times less than the rounds scatter; the ratio takes it for this at least."""
BODY = {"model": "bench", "messages": [{"role": "user", "content": "Say something."}], "stream": True}
EVENT = b'data: {"id":"chatcmpl-bench","choices":[{"index":0,"delta":{"content":"word "}}]}\n\n'


async def serve() -> None:
    """Stream to whoever asks, and print the port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                await reader.readexactly(int(head.split(b"content-length:")[1].split(b"\r\n")[0]))
                writer.write(
                    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
                )
                for number in range(EVENTS):
                    if number:
                        await asyncio.sleep(PAUSE_S)
                    writer.write(b"%x\r\n%b\r\n" % (len(EVENT), EVENT))
                    await writer.drain()
                writer.write(b"0\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def first_chunk(http: httpx.AsyncClient, url: str) -> float:
    """Return the milliseconds from the call to the first chunk; the stream is read to its end after it."""
    began = time.perf_counter()
    elapsed = 0.0
    async with http.stream("POST", url, json=BODY) as response:
        async for _ in response.aiter_raw():
            elapsed = elapsed or (time.perf_counter() - began) * 1000
    return elapsed


async def measure(url: str, rounds: int) -> dict[str, list[float]]:
    """Return the milliseconds of every round by system."""
    taken: dict[str, list[float]] = {"nothing": [], "antiphon": [], "vcrpy": []}
    with tempfile.TemporaryDirectory() as folder:
        default = RecordingCall(mode=Mode.RECORD, cassette="bench/stream")
        async with (
            httpx.AsyncClient() as plain,
            httpx.AsyncClient() as taped,
            httpx.AsyncClient(transport=CassetteTransport(folder, default=default)) as ours,
        ):

            async def with_vcrpy() -> float:
                with vcr.use_cassette(str(Path(folder) / "vcrpy.yaml"), record_mode="all"):
                    return await first_chunk(taped, url)

            systems: dict[str, Callable[[], Awaitable[float]]] = {
                "nothing": lambda: first_chunk(plain, url),
                "antiphon": lambda: first_chunk(ours, url),
                "vcrpy": with_vcrpy,
            }
            for system in systems.values():  # connections open, modules load
                await system()
            names = list(systems)
            for _ in range(rounds):
                random.shuffle(names)
                for name in names:
                    taken[name].append(await systems[name]())
                (Path(folder) / "vcrpy.yaml").unlink(missing_ok=True)  # its file would grow, and be read each time
    return taken


def report(taken: dict[str, list[float]]) -> dict[str, object]:
    """Return the figures: medians and what is added to plain HTTP, in milliseconds."""
    medians = {name: statistics.median(values) for name, values in taken.items()}
    added = {name: medians[name] - medians["nothing"] for name in ("antiphon", "vcrpy")}
    return {
        "rounds": len(taken["nothing"]),
        "stream_ms": (EVENTS - 1) * PAUSE_S * 1000,
        "median_ms": {name: round(value, 3) for name, value in medians.items()},
        "quartiles_ms": {name: [round(q, 3) for q in statistics.quantiles(v, n=4)[::2]] for name, v in taken.items()},
        "added_ms": {name: round(value, 3) for name, value in added.items()},
        "vcrpy_adds_times": round(added["vcrpy"] / max(added["antiphon"], NOISE_MS)),
        "goal_added_ms": GOAL_MS,
        "met": added["antiphon"] < GOAL_MS,
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("httpx", "vcrpy")},
    }


def main() -> int:
    """Run the server and the rounds; print a table, or write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        asyncio.run(serve())
    command = [sys.executable, "-m", "bench.harness.first_chunk", "--serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None  # noqa: S101 - told to mypy; it was asked for
            url = f"http://127.0.0.1:{int(server.stdout.readline())}/v1/chat/completions"
            figures = report(asyncio.run(measure(url, asked.rounds)))
        finally:
            server.terminate()
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=2))
    return 0 if figures["met"] else 1


if __name__ == "__main__":
    sys.exit(main())
