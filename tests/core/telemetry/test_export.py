"""Spans leave as the SDK's processor and exporter would send them."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import SpanKind

from antiphon.cli.tracetree import TraceReceiver
from antiphon.core.telemetry import export
from antiphon.core.telemetry.export import Batches, Exporter, exporter
from antiphon.core.telemetry.spans import Spans
from tests.core.telemetry.parts import until


class Collected(SpanExporter):
    """Keeps batches, and can hold them up."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.open = threading.Event()
        self.open.set()

    def export(self, spans: Any) -> SpanExportResult:
        self.open.wait(10)
        self.batches.append([span.name for span in spans])
        return SpanExportResult.SUCCESS

    @property
    def count(self) -> int:
        return sum(map(len, self.batches))


Begin = Callable[..., tuple[Spans, Batches]]


@pytest.fixture
def begin(monkeypatch: pytest.MonkeyPatch) -> Iterator[Begin]:
    """Spans into an exporter, with OTEL_BSP_* settings and perhaps a sampler."""
    started: list[Batches] = []

    def begun(kept: SpanExporter, sampler: Sampler | None = None, **settings: int) -> tuple[Spans, Batches]:
        for name, value in settings.items():
            monkeypatch.setenv(f"OTEL_BSP_{name.upper()}", str(value))
        started.append(Batches(kept))
        provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
        return Spans(provider, [started[-1]], scope="it"), started[-1]

    yield begun
    for batches in started:
        end(batches)


def end(batches: Batches) -> None:
    batches.shutdown()  # type: ignore[no-untyped-call]  # the SDK's


def work(spans: Spans, count: int) -> None:
    for number in range(count):
        spans.start_span(str(number), Context(), SpanKind.CLIENT, {"number": number}).end()


async def test_a_whole_batch_leaves_at_once_and_the_rest_at_the_end(begin: Begin) -> None:
    kept = Collected()
    spans, batches = begin(kept, schedule_delay=3_600_000, max_export_batch_size=10)
    work(spans, 9)
    await asyncio.sleep(0.05)
    assert kept.batches == []
    work(spans, 1)
    await until(lambda: kept.count == 10)
    work(spans, 3)
    assert batches.force_flush()
    work(spans, 2)
    end(batches)
    assert [len(batch) for batch in kept.batches] == [10, 3, 2]
    assert kept.batches[1] == ["0", "1", "2"]


async def test_spans_leave_after_the_delay(begin: Begin) -> None:
    kept = Collected()
    spans, _ = begin(kept, schedule_delay=20)
    work(spans, 3)
    await until(lambda: kept.count == 3)


async def test_a_full_queue_drops_spans_and_says_so(begin: Begin, caplog: pytest.LogCaptureFixture) -> None:
    kept = Collected()
    kept.open.clear()
    spans, batches = begin(kept, schedule_delay=3_600_000, max_export_batch_size=4, max_queue_size=8)
    work(spans, 4)
    await until(lambda: not batches._waiting)  # the exporter has them, and hangs
    work(spans, 20)
    kept.open.set()
    end(batches)
    assert kept.count == 12
    assert "Queue full" in caplog.text


def test_after_the_end_nothing_is_taken(begin: Begin) -> None:
    kept = Collected()
    spans, batches = begin(kept)
    end(batches)
    work(spans, 3)
    assert kept.batches == []
    assert not batches._waiting


class Unsampled(Sampler):
    """Records spans that are not to be sent."""

    def should_sample(self, *about: Any, **more: Any) -> SamplingResult:
        return SamplingResult(Decision.RECORD_ONLY)

    def get_description(self) -> str:
        return "Unsampled"


def test_what_is_not_sampled_is_not_sent(begin: Begin) -> None:
    kept = Collected()
    spans, batches = begin(kept, Unsampled())
    work(spans, 3)
    end(batches)
    assert kept.batches == []


def test_a_processor_without_the_known_parts_takes_every_span_its_own_way(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[str] = []

    def start(self: Any, exporter: SpanExporter) -> None:
        """Keeps nothing that ours knows."""

    def take(self: Any, span: ReadableSpan) -> None:
        taken.append(span.name)

    monkeypatch.setattr(BatchSpanProcessor, "__init__", start)
    monkeypatch.setattr(BatchSpanProcessor, "on_end", take)
    monkeypatch.setattr(BatchSpanProcessor, "shutdown", lambda self: None)
    spans, _ = begin(Collected())
    work(spans, 2)
    assert taken == ["0", "1"]


def test_an_exporter_without_the_known_parts_is_used_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert type(exporter("http://127.0.0.1:1")) is Exporter
    monkeypatch.setattr(export, "SEAMS", ("_translate_data", "_not_there"))
    assert type(exporter("http://127.0.0.1:1")) is OTLPSpanExporter


async def test_a_new_connection_takes_bytes_too(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    async with TraceReceiver() as receiver:
        sends = Exporter(endpoint=receiver.endpoint)
        spans, batches = begin(sends)
        work(spans, 1)
        await asyncio.to_thread(batches.force_flush)
        sends._initialize_channel_and_stub()
        work(spans, 2)
        await asyncio.to_thread(batches.force_flush)
        await until(lambda: len(receiver.latest(10)) == 3)
        assert [span.attributes["number"] for span in receiver.latest(10)] == [0, 0, 1]
        await asyncio.to_thread(batches.shutdown)


async def test_headers_and_compression_are_those_of_the_environment(
    begin: Begin, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=me")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    caplog.set_level(logging.WARNING)
    async with TraceReceiver() as receiver:
        sends = Exporter(endpoint=receiver.endpoint)
        assert sends._headers == (("x-tenant", "me"),)
        spans, batches = begin(sends)
        work(spans, 50)
        await asyncio.to_thread(batches.shutdown)
        assert len(receiver.latest(100)) == 50
    assert not caplog.records
