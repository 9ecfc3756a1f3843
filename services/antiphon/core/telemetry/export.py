"""How spans leave: the SDK's own processor and exporter, with a shorter way in and our own encoder.

Queue, delay, batches, drops, retries, headers, TLS and compression stay the SDK's and follow its OTEL_* variables.
Where a version of the SDK lacks what this leans on, its own classes are used as they are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, Final

import grpc
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import TraceFlags

from antiphon.core.telemetry.otlp import Encoder
from antiphon.core.telemetry.recorded import RecordedSpan

EXPORT: Final = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

SEAMS: Final = ("_initialize_channel_and_stub", "_translate_data")
"""What our exporter leans on in the SDK's."""


class _Stub:
    """The collector's service, for a request that is bytes already."""

    def __init__(self, channel: grpc.Channel) -> None:
        # grpc's types know no channel without a serializer, which passes bytes on as they are.
        self.Export: Any = channel.unary_unary(EXPORT, response_deserializer=ExportTraceServiceResponse.FromString)


class Exporter(OTLPSpanExporter):
    """The SDK's exporter with an encoder of our own."""

    def __init__(self, *, endpoint: str) -> None:
        self._encode = Encoder()
        super().__init__(endpoint=endpoint)

    def _initialize_channel_and_stub(self) -> None:
        """Called at the start, and again for a new connection."""
        super()._initialize_channel_and_stub()  # type: ignore[no-untyped-call]
        channel: Any = self._channel
        self._client: Any = _Stub(channel)

    def _translate_data(self, data: Sequence[ReadableSpan]) -> Any:
        return self._encode(data) if isinstance(self._client, _Stub) else super()._translate_data(data)


class Batches(BatchSpanProcessor):
    """The SDK's processor. While a batch still grows, a span is put into its queue and nothing else happens.

    The SDK asks for the process's number, and whether to wake its thread, for every span.
    """

    def __init__(self, exporter: SpanExporter) -> None:
        super().__init__(exporter)
        inner: Any = getattr(self, "_batch_processor", None)
        known = all(hasattr(inner, seam) for seam in ("_queue", "_max_export_batch_size", "_shutdown"))
        self._inner = inner
        self._waiting: deque[ReadableSpan] = inner._queue if known else deque()
        self._growing: int = inner._max_export_batch_size - 1 if known else 0

    def on_end(self, span: ReadableSpan) -> None:
        """Take a span."""
        if (
            len(self._waiting) < self._growing
            and type(span) is RecordedSpan
            and span.flags & TraceFlags.SAMPLED
            and not self._inner._shutdown
        ):
            self._waiting.appendleft(span)
        else:
            super().on_end(span)


def exporter(endpoint: str) -> OTLPSpanExporter:
    """What sends spans to the collector at this address."""
    if all(hasattr(OTLPSpanExporter, seam) for seam in SEAMS):
        return Exporter(endpoint=endpoint)
    return OTLPSpanExporter(endpoint=endpoint)
