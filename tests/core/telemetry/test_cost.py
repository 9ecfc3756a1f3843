"""What watching costs, in calls of Python and C functions: a count that no other load of the machine moves."""

from __future__ import annotations

import logging
import sys
from collections.abc import AsyncIterator, Callable
from io import StringIO
from typing import Any

import pytest
import structlog
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from antiphon.core.call import CURRENT, Call
from antiphon.core.remote import CHAT
from antiphon.core.telemetry.export import Batches
from antiphon.core.telemetry.genai import operation
from antiphon.core.telemetry.instruments import installed
from antiphon.core.telemetry.logs import configure_logs
from antiphon.core.telemetry.rpc import Telemetry
from antiphon.core.telemetry.setup import configure
from antiphon.v1 import chat_pb2, usage_pb2

TIMES = 20


class Nowhere(SpanExporter):
    """Takes spans."""

    def export(self, spans: Any) -> SpanExportResult:
        return SpanExportResult.SUCCESS


class Received:
    """A call as far as the layer reads it."""

    def __init__(self) -> None:
        self.notes: dict[str, Any] = {}

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return (("user-agent", "test"), ("x-antiphon-mode", "live"))


@pytest.fixture
async def as_shipped(root_logger: logging.Logger) -> AsyncIterator[None]:
    processor = Batches(Nowhere())
    shutdown = configure("test", span_processors=[processor], metric_readers=[InMemoryMetricReader()])
    yield
    await shutdown()
    structlog.reset_defaults()


def calls(work: Callable[[], object]) -> float:
    """Calls of functions that `work` makes, once it is warm."""
    for _ in range(TIMES):
        work()
    made = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal made
        made += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        for _ in range(TIMES):
            work()
    finally:
        sys.setprofile(before)
    return made / TIMES


async def test_a_measurement_costs_a_few_calls(as_shipped: None) -> None:
    instruments = installed()
    assert instruments is not None
    assert calls(lambda: instruments.tokens.of["chat", "openai", "m"].record(7)) <= 5
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "m"}
    assert calls(lambda: instruments.tokens.record(7, attributes)) <= 8


async def test_watching_a_provider_call_stays_within_its_budget(as_shipped: None) -> None:
    usage = usage_pb2.Usage(input_tokens=7, output_tokens=3)
    call = Call()

    def work() -> None:
        with operation(call, "chat", provider="openai", model="gpt-test") as op:
            op.finished(usage=usage, model="gpt-test-1", response_id="r1", finish_reasons=["stop"])

    assert calls(work) <= 51


async def test_watching_a_hop_and_writing_its_line_stay_within_theirs(as_shipped: None) -> None:
    configure_logs(stream=StringIO())
    layer = Telemetry()
    request = chat_pb2.ChatRequest()

    received: Any = Received()

    def work() -> None:
        CURRENT.set(Call())
        layer.begin(f"/{CHAT}", request, received)(None)

    def nothing() -> None:
        CURRENT.set(Call())

    assert calls(work) - calls(nothing) <= 54
