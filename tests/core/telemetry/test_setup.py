"""Where telemetry goes, and that its absence or its failure costs the calls nothing."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from antiphon.cli.tracetree import TraceReceiver
from antiphon.core.call import Call
from antiphon.core.telemetry import names
from antiphon.core.telemetry.genai import operation
from antiphon.core.telemetry.instruments import installed
from antiphon.core.telemetry.rpc import client_call
from antiphon.core.telemetry.setup import configure
from tests.core.telemetry.parts import Measured, until

ENDING = """
import asyncio, sys, time
from antiphon.core.call import Call
from antiphon.core.telemetry.genai import operation
from antiphon.core.telemetry.setup import configure

async def main():
    shutdown = configure("ending", otlp_endpoint=sys.argv[1])
    for _ in range(2000):
        with operation(Call(), "chat", provider="openai", model="m") as op:
            op.finished(usage=None)
    began = time.monotonic()
    await shutdown()
    print(time.monotonic() - began)

asyncio.run(main())
"""


@pytest.fixture
def deaf() -> Iterator[str]:
    """A collector that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


async def test_nothing_is_measured_unless_somewhere_is_told() -> None:
    for endpoint in (None, ""):
        shutdown = configure("gateway", otlp_endpoint=endpoint)
        assert installed() is None
        call = Call()
        with client_call(call, "antiphon.v1.ChatService/Chat", "127.0.0.1:1") as onward:
            assert onward is call
        await shutdown()


async def test_shutdown_turns_telemetry_off(measured: Measured) -> None:
    shutdown = configure("again", span_processors=[measured.spans])
    assert installed() is not None
    await shutdown()
    assert installed() is None


async def test_spans_and_metrics_reach_a_collector_by_the_end_at_the_latest() -> None:
    async with TraceReceiver() as receiver:
        # No scheme: as most people write it.
        shutdown = configure("gateway", instance="one", otlp_endpoint=receiver.endpoint.removeprefix("http://"))
        with operation(Call(), "chat", provider="openai", model="m") as op:
            op.finished(usage=None)
            assert op.call.trace is not None
        await shutdown()
        await until(lambda: bool(receiver.metric_names))
        (span,) = receiver.latest(1)
        assert (span.service, span.name) == ("gateway", "chat m")
        assert names.GENAI_DURATION in receiver.metric_names


@pytest.mark.parametrize("kind", ["absent", "deaf"])
async def test_a_dead_collector_delays_neither_calls_nor_the_end_of_the_process(kind: str, deaf: str) -> None:
    endpoint = deaf if kind == "deaf" else "http://127.0.0.1:1"
    began = time.monotonic()
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", ENDING, endpoint], capture_output=True, text=True, timeout=30, check=True
    )
    took = float(done.stdout)
    assert took < 2.5
    assert time.monotonic() - began < took + 8  # starting python and importing grpc included
