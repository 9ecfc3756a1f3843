"""Spans of our own, handed to OpenTelemetry's processors when they end.

The SDK's span costs some 60 us: a lock, a bounded copy of its attributes, a check of each value and a second copy at
the end. Ours takes what its one writer gives it, which is of the right types already, and is at once what processors
read. Ids, sampling, trace state and limits are the SDK's and follow its OTEL_* variables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import getrandbits
from typing import Final, Protocol

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import DEFAULT_ON, Decision
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    INVALID_SPAN,
    Span,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.util.types import Attributes, AttributeValue

from antiphon.core.call import Call
from antiphon.core.telemetry.recorded import OURS, PassedSpan, RecordedSpan

FAILED: Final = Status(StatusCode.ERROR)
"""The status of what failed. Without words: providers quote prompts in theirs."""

NO_TRACE: Final = Context()
"""The context of what has no parent."""
(_KEY,) = set_span_in_context(INVALID_SPAN, Context())


def span_in(context: Context) -> Span | None:
    """The span of a context. OpenTelemetry's own way looks at the type, through an ABC, each time."""
    found = context.get(_KEY)
    if type(found) in OURS or found is None:
        return found  # type: ignore[return-value]  # as the type says
    return get_current_span(context)


def begin(
    starts: Starts, name: str, call: Call, kind: SpanKind, attributes: dict[str, AttributeValue]
) -> tuple[Span, Call]:
    """Begin a span under that of `call`; the call to go on with has it for its trace, and all else that was there.

    `attributes` are the span's from now on.
    """
    parent = call.trace
    above = NO_TRACE if parent is None else parent
    if type(starts) is Spans:
        span = starts.begun(name, above, kind, attributes)
    else:
        span = starts.start_span(name, above, kind, attributes, record_exception=False)
    return span, call.within(Context({_KEY: span} if parent is None else {**parent, _KEY: span}))


def notes_of(span: Span) -> dict[str, AttributeValue]:
    """Where its writer may write down further attributes of a span until it ends; then `noted` is due."""
    return span.written if type(span) is RecordedSpan else {}


def noted(span: Span, notes: Mapping[str, AttributeValue]) -> None:
    """The span is to have these attributes, which were written down where `notes_of` said."""
    if type(span) is not RecordedSpan:  # else it has them
        span.set_attributes(notes)


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


class Spans:
    """Begins spans for the processors of a provider.

    `resource` and `scope` are those of every span, `most` and `longest` the limits of its attributes, and `takes` are
    those who take it when it has ended.
    """

    def __init__(self, provider: TracerProvider, processors: Sequence[SpanProcessor], *, scope: str) -> None:
        self.resource: Resource = provider.resource
        self.scope = InstrumentationScope(scope, "", "", None)
        self._sampler = provider.sampler
        self._ids = provider.id_generator
        self._bits = getrandbits if type(self._ids) is RandomIdGenerator else _no_bits
        self._fresh = TraceFlags.SAMPLED | (TraceFlags.RANDOM_TRACE_ID if self._ids.is_trace_id_random() else 0)
        self.takes = tuple(processor.on_end for processor in processors)
        # Most processors don't care about beginnings, the one for production among them.
        self._beginners = tuple(one for one in processors if not isinstance(one, BatchSpanProcessor))
        limits = SpanLimits()
        self.most = limits.max_span_attributes
        self.longest = limits.max_span_attribute_length

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
        return self.begun(name, context, kind, dict(attributes) if attributes else {})

    def begun(self, name: str, context: Context | None, kind: SpanKind, written: dict[str, AttributeValue]) -> Span:
        """The same with attributes that are the span's from now on."""
        above: Span | None = get_current_span() if context is None else span_in(context)
        if type(above) is RecordedSpan or type(above) is PassedSpan:
            trace, flags, state = above.trace, above.flags, above.state
        elif above is not None and (parent := above.get_span_context()).is_valid:
            trace, flags, state = parent.trace_id, int(parent.trace_flags) & 3, parent.trace_state
        else:
            above, state, flags = None, None, self._fresh
            trace = self._bits(128) or self._ids.generate_trace_id()
        if self._sampler is DEFAULT_ON:  # as its parent was, and all that have none
            recorded = flags & TraceFlags.SAMPLED
        else:
            recorded, flags, state = self._sampled(context, trace, name, kind, written, flags)
        number = self._bits(64) or self._ids.generate_span_id()
        if not recorded:
            return PassedSpan(trace, number, flags, state)
        span = RecordedSpan(name, kind, written, above, self, trace, number, flags, state)
        for processor in self._beginners:
            processor.on_start(span, context)  # type: ignore[arg-type]  # the SDK's annotation is its own class
        return span

    def _sampled(
        self,
        context: Context | None,
        trace: int,
        name: str,
        kind: SpanKind,
        written: dict[str, AttributeValue],
        flags: int,
    ) -> tuple[int, int, TraceState | None]:
        """What the sampler says: whether to record, the trace flags, and the trace state."""
        result = self._sampler.should_sample(context, trace, name, kind, written, ())
        recorded = result.decision is not Decision.DROP
        if recorded:
            written.update(result.attributes)  # those of the span itself, and the sampler's
        sampled = TraceFlags.SAMPLED if result.decision is Decision.RECORD_AND_SAMPLE else TraceFlags.DEFAULT
        return recorded, sampled | (flags & TraceFlags.RANDOM_TRACE_ID), result.trace_state


def _no_bits(count: int) -> int:
    """Leaves it to the generator of ids, which is somebody's own."""
    return 0
