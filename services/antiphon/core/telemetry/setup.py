"""Where spans and metrics go: to an OTLP collector, to a test, or nowhere.

Exports run in threads of their own behind bounded queues: a collector that is slow or gone costs lost spans, never a
call, and at most two seconds at the end.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from socket import gethostname

from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, Tracer, TracerProvider

from antiphon.core.telemetry.export import Batches, exporter
from antiphon.core.telemetry.histograms import Histograms
from antiphon.core.telemetry.instruments import SCOPE, Instruments, install
from antiphon.core.telemetry.spans import Spans

log = logging.getLogger(__name__)

FLUSH_SECONDS = 2.0
"""How long the end of a process waits for its last spans and metrics to leave."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shutdown:
    """To be awaited once, when no call runs any more: sends what is left, the log's lines too, and turns telemetry off.

    Takes at most `seconds`, also where the collector is gone; never raises.
    """

    flushes: tuple[Callable[[], object], ...]
    closes: tuple[Callable[[], object], ...]
    seconds: float = FLUSH_SECONDS

    async def __call__(self) -> None:
        """Send what is left, and stop."""
        install(None)
        loop = asyncio.get_running_loop()
        waiting = [asyncio.ensure_future(_in_thread(loop, flush)) for flush in self.flushes]
        if waiting:
            _, late = await asyncio.wait(waiting, timeout=self.seconds)
            for task in late:
                task.cancel()
            if late:
                log.warning("telemetry was not sent within %g s: is the collector up?", self.seconds)
        for close in self.closes:
            close()


def configure(
    service: str,
    *,
    instance: str = "",
    version: str = "",
    otlp_endpoint: str | None = None,
    metric_seconds: float = 60.0,
    span_processors: Sequence[SpanProcessor] = (),
    metric_readers: Sequence[MetricReader] = (),
) -> Shutdown:
    """Set where the spans and metrics of this process go.

    `otlp_endpoint` is a collector's gRPC address, such as http://localhost:4317 (https:// for TLS); without it, and
    without processors or readers of a test, telemetry is off and costs nothing. `metric_seconds` is the time between
    two sendings of metrics. Sampling, headers, limits and delays follow OpenTelemetry's own OTEL_* variables. Call it
    after a fork, never before one.
    """
    processors = list(span_processors)
    readers = list(metric_readers)
    closes: list[Callable[[], object]] = []
    if otlp_endpoint:
        endpoint = otlp_endpoint if "://" in otlp_endpoint else f"http://{otlp_endpoint}"
        span_exporter = exporter(endpoint)
        metric_exporter = OTLPMetricExporter(endpoint=endpoint)
        processors.append(Batches(span_exporter))
        readers.append(PeriodicExportingMetricReader(metric_exporter, export_interval_millis=metric_seconds * 1000))
        closes += [span_exporter.shutdown, metric_exporter.shutdown]
    if not processors and not readers:
        install(None)
        return Shutdown(flushes=(_flush_log,), closes=())
    resource = Resource.create(
        {
            "service.name": service,
            "service.namespace": "antiphon",
            "service.instance.id": instance or f"{gethostname()}:{os.getpid()}",
            "service.version": version or _version(),
        }
    )
    tracers = TracerProvider(resource=resource, shutdown_on_exit=False, meter_provider=NoOpMeterProvider())
    for processor in processors:
        tracers.add_span_processor(processor)
    meters = MeterProvider(metric_readers=readers, resource=resource, shutdown_on_exit=False)
    # A disabled SDK (OTEL_SDK_DISABLED) gives another kind of tracer, which does nothing.
    spans = Spans(tracers, processors, scope=SCOPE) if isinstance(tracers.get_tracer(SCOPE), Tracer) else None
    histograms = Histograms.joined(readers, scope=SCOPE, resource=resource)
    install(Instruments.of(tracers, meters, spans=spans, histograms=histograms))
    return Shutdown(flushes=(_flush_log, tracers.shutdown, meters.shutdown), closes=tuple(closes))


def _flush_log() -> None:
    for handler in logging.getLogger().handlers:
        handler.flush()


def _version() -> str:
    try:
        return metadata.version("antiphon")
    except metadata.PackageNotFoundError:  # run from a checkout
        return ""


async def _in_thread(loop: asyncio.AbstractEventLoop, work: Callable[[], object]) -> None:
    """Run `work` in a daemon thread: asyncio's own threads are joined at the end, however long they hang."""
    done = asyncio.Event()

    def run() -> None:
        try:
            work()
        except Exception:  # a failed flush must not fail the shutdown
            log.warning("telemetry could not be flushed", exc_info=True)
        finally:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(done.set)

    threading.Thread(target=run, name="antiphon-telemetry-flush", daemon=True).start()
    await done.wait()
