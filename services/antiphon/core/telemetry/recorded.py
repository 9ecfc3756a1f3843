"""The spans themselves: recorded for one writer and the processors, or passed over.

What begins them, and why they are our own, is in `spans`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import time_ns
from typing import Final, Protocol

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState
from opentelemetry.util.types import Attributes, AttributeValue

FLAGS: Final = tuple(TraceFlags(bits) for bits in range(4))
"""Trace flags by their bits: sampled and random."""

UNSET: Final = Status(StatusCode.UNSET)
"""The status of what did not fail."""


class Source(Protocol):
    """What begins spans, as they know it."""

    resource: Resource
    scope: InstrumentationScope
    most: int | None
    """How many attributes a span may have."""
    longest: int | None
    """How long their texts may be."""

    @property
    def takes(self) -> Sequence[Callable[[ReadableSpan], object]]:
        """Who takes a span that has ended."""


class PassedSpan(Span):
    """A span that nobody records: what its trace goes on with, and no more.

    The SDK's makes a SpanContext at once, which costs as much as a span of ours that is recorded.
    """

    def __init__(self, trace: int, number: int, flags: int, state: TraceState | None) -> None:
        self.trace = trace
        self.number = number
        self.flags = flags
        self.state = state

    def get_span_context(self) -> SpanContext:
        """Its ids."""
        return SpanContext(self.trace, self.number, False, FLAGS[self.flags], self.state)

    def is_recording(self) -> bool:
        """Never."""
        return False

    def end(self, end_time: int | None = None) -> None:
        """Does nothing, as all that follows."""

    def set_attribute(self, key: str, value: AttributeValue) -> None:
        """Nothing is kept."""

    def set_attributes(self, attributes: Mapping[str, AttributeValue]) -> None:
        """Nothing is kept."""

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """Nothing is kept."""

    def update_name(self, name: str) -> None:
        """Nothing is kept."""

    def add_event(self, name: str, attributes: Attributes = None, timestamp: int | None = None) -> None:
        """Nothing is kept."""

    def record_exception(
        self,
        exception: BaseException,
        attributes: Attributes = None,
        timestamp: int | None = None,
        escaped: bool = False,
    ) -> None:
        """Nothing is kept."""


class RecordedSpan(ReadableSpan, Span):
    """A span for one writer, who gives texts, numbers, booleans and tuples of them. Read it only when it has ended.

    `trace` and `number` are its ids, `above` the span it is part of, and `source` what began it.
    """

    _end_time: int | None = None
    _status = UNSET
    _events: tuple[Event, ...] = ()

    def __init__(
        self,
        name: str,
        kind: SpanKind,
        attributes: dict[str, AttributeValue],
        above: Span | None,
        source: Source,
        trace: int,
        number: int,
        flags: int,
        state: TraceState | None,
    ) -> None:
        # Not that of ReadableSpan: the rest of what it writes is the same for all, and stands in the class.
        self._name = name
        self._kind = kind
        self._attributes = self.written = attributes
        self._start_time = time_ns()
        self.above = above
        self.source = source
        self.trace = trace
        self.number = number
        self.flags = flags
        self.state = state

    # What is read only where others than ours do; the SDK writes it in every span.
    @property
    def _context(self) -> SpanContext:  # type: ignore[override]
        return SpanContext(self.trace, self.number, False, FLAGS[self.flags], self.state)

    @property
    def _parent(self) -> SpanContext | None:  # type: ignore[override]
        return None if self.above is None else self.above.get_span_context()

    @property
    def _resource(self) -> Resource:  # type: ignore[override]
        return self.source.resource

    @property
    def _instrumentation_scope(self) -> InstrumentationScope:  # type: ignore[override]
        return self.source.scope

    def get_span_context(self) -> SpanContext:
        """Its ids."""
        return self._context

    def is_recording(self) -> bool:
        """Until it ends."""
        return self._end_time is None

    def set_attribute(self, key: str, value: AttributeValue) -> None:
        """Write one attribute."""
        if self._end_time is None:
            self.written[key] = value

    def set_attributes(self, attributes: Mapping[str, AttributeValue]) -> None:
        """Write attributes."""
        if self._end_time is None:
            self.written.update(attributes)

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
            source = self.source
            if source.longest is not None or (source.most is not None and len(self.written) > source.most):
                self._attributes = BoundedAttributes(source.most, self.written, max_value_len=source.longest)
            for take in source.takes:
                take(self)


# What a later SDK's spans hold beside these.
for _name, _value in vars(ReadableSpan("")).items():
    if not hasattr(RecordedSpan, _name):
        setattr(RecordedSpan, _name, _value)

OURS: Final = frozenset({RecordedSpan, PassedSpan})
