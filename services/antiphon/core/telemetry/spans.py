"""Spans of our own, handed to OpenTelemetry's processors when they end.

The SDK's span costs some 60 us: a lock, a bounded copy of its attributes, a check of each value and a second copy at
the end. Ours takes what its one writer gives it, which is of the right types already, and is at once what processors
read. Ids, sampling, trace state and limits are the SDK's and follow its OTEL_* variables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import time_ns
from typing import Final, Protocol

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import DEFAULT_ON, Decision
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    get_current_span,
)
from opentelemetry.util.types import Attributes, AttributeValue

FAILED: Final = Status(StatusCode.ERROR)
"""The status of what failed. Without words: providers quote prompts in theirs."""

FLAGS: Final = tuple(TraceFlags(bits) for bits in range(4))
"""Trace flags by their bits: sampled and random."""


class Starts(Protocol):
    """What begins spans: ours or a tracer of OpenTelemetry."""

    def start_span(
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = ...,
        attributes: Attributes = None,
        *,
        record_exception: bool = ...,
    ) -> Span:
        """Begin a span under the one in `context`; where there is none, it begins a trace."""


class RecordedSpan(ReadableSpan, Span):
    """A span for one writer, who gives texts, numbers, booleans and tuples of them. Read it only when it has ended."""

    def __init__(
        self,
        name: str,
        own: SpanContext,
        parent: SpanContext | None,
        kind: SpanKind,
        attributes: dict[str, AttributeValue],
        spans: Spans,
    ) -> None:
        super().__init__(
            name,
            own,
            parent,
            spans.resource,
            attributes,
            kind=kind,
            start_time=time_ns(),
            instrumentation_scope=spans.scope,
        )
        self._own = own
        self._written = attributes
        self._spans = spans

    def get_span_context(self) -> SpanContext:
        """Its ids."""
        return self._own

    def is_recording(self) -> bool:
        """Until it ends."""
        return self._end_time is None

    def set_attribute(self, key: str, value: AttributeValue) -> None:
        """Write one attribute."""
        if self._end_time is None:
            self._written[key] = value

    def set_attributes(self, attributes: Mapping[str, AttributeValue]) -> None:
        """Write attributes."""
        if self._end_time is None:
            self._written.update(attributes)

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """Say how it ended."""
        if self._end_time is None:
            self._status = status if isinstance(status, Status) else Status(status, description)

    def update_name(self, name: str) -> None:
        """Call it something else."""
        if self._end_time is None:
            self._name = name

    def add_event(self, name: str, attributes: Attributes = None, timestamp: int | None = None) -> None:
        """Write down that something happened."""
        if self._end_time is None:
            self._events = (*self._events, Event(name, attributes, timestamp))

    def record_exception(
        self,
        exception: BaseException,
        attributes: Attributes = None,
        timestamp: int | None = None,
        escaped: bool = False,
    ) -> None:
        """Does nothing: texts and tracebacks of errors hold prompts."""

    def end(self, end_time: int | None = None) -> None:
        """End it and hand it on; only the first time counts."""
        if self._end_time is None:
            self._end_time = time_ns() if end_time is None else end_time
            self._spans.ended(self)

    def cut(self, most: int | None, longest: int | None) -> None:
        """Keep to limits on the number of attributes and their length."""
        self._attributes = BoundedAttributes(most, self._written, max_value_len=longest)


class Spans:
    """Begins spans for the processors of a provider. `resource` and `scope` are those of every span."""

    def __init__(self, provider: TracerProvider, processors: Sequence[SpanProcessor], *, scope: str) -> None:
        self.resource: Resource = provider.resource
        self.scope = InstrumentationScope(scope, "", "", None)
        self._sampler = provider.sampler
        self._ids = provider.id_generator
        self._random = TraceFlags.RANDOM_TRACE_ID if self._ids.is_trace_id_random() else 0
        self._processors = tuple(processors)
        # Most processors don't care about beginnings, the one for production among them.
        self._beginners = tuple(one for one in processors if not isinstance(one, BatchSpanProcessor))
        limits = SpanLimits()
        self._most = limits.max_span_attributes
        self._longest = limits.max_span_attribute_length

    def start_span(
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        *,
        record_exception: bool = False,
    ) -> Span:
        """Begin a span under the one in `context`; where there is none, it begins a trace.

        `attributes` are copied. What goes wrong is never written down by itself, whatever `record_exception` says.
        """
        parent: SpanContext | None = get_current_span(context).get_span_context()
        if parent is not None and parent.is_valid:
            trace, flags, state = parent.trace_id, int(parent.trace_flags) & 3, parent.trace_state
        else:
            parent, state = None, None
            trace, flags = self._ids.generate_trace_id(), TraceFlags.SAMPLED | self._random
        written = dict(attributes) if attributes else {}
        if self._sampler is DEFAULT_ON:  # as its parent was, and all that have none
            recorded = bool(flags & TraceFlags.SAMPLED)
        else:
            recorded, flags, state = self._sampled(context, trace, name, kind, written, flags)
        own = SpanContext(trace, self._ids.generate_span_id(), False, FLAGS[flags], state)
        if not recorded:
            return NonRecordingSpan(own)
        span = RecordedSpan(name, own, parent, kind, written, self)
        for processor in self._beginners:
            processor.on_start(span, context)  # type: ignore[arg-type]  # the SDK's annotation is its own class
        return span

    def ended(self, span: RecordedSpan) -> None:
        """Hand a span to the processors."""
        if self._longest is not None or (self._most is not None and len(span._written) > self._most):
            span.cut(self._most, self._longest)
        for processor in self._processors:
            processor.on_end(span)

    def _sampled(
        self,
        context: Context | None,
        trace: int,
        name: str,
        kind: SpanKind,
        written: dict[str, AttributeValue],
        flags: int,
    ) -> tuple[bool, int, TraceState | None]:
        """What the sampler says: whether to record, the trace flags, and the trace state."""
        result = self._sampler.should_sample(context, trace, name, kind, written, ())
        recorded = result.decision is not Decision.DROP
        if recorded:
            written.update(result.attributes)  # those of the span itself, and the sampler's
        sampled = TraceFlags.SAMPLED if result.decision is Decision.RECORD_AND_SAMPLE else TraceFlags.DEFAULT
        return recorded, sampled | (flags & TraceFlags.RANDOM_TRACE_ID), result.trace_state
