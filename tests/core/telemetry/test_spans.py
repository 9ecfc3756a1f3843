"""Our spans are what the SDK would have made, in everything that leaves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from opentelemetry.context import Context
from opentelemetry.propagate import extract, inject
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Decision, Sampler, SamplingResult
from opentelemetry.trace import (
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    get_current_span,
    set_span_in_context,
)

from antiphon.core.call import Call
from antiphon.core.telemetry import names
from antiphon.core.telemetry.genai import operation
from antiphon.core.telemetry.instruments import installed
from antiphon.core.telemetry.recorded import RecordedSpan
from antiphon.core.telemetry.setup import configure
from antiphon.core.telemetry.spans import FAILED, Spans, Starts, noted, notes_of
from tests.core.telemetry.parts import Counted, Measured, attributes

TRACE = "0af7651916cd43dd8448eb211c80319c"


def carried(flags: str, state: str = "") -> Context:
    return extract({"traceparent": f"00-{TRACE}-b7ad6b7169203331-{flags}", "tracestate": state}, Context())


def both(*, sampler: Sampler | None = None) -> list[tuple[Starts, Counted]]:
    """Spans of the SDK, and ours."""
    found: list[tuple[Starts, Counted]] = []
    for own in (False, True):
        counted = Counted()
        provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
        provider.add_span_processor(counted)
        found.append((Spans(provider, [counted], scope="it") if own else provider.get_tracer("it"), counted))
    return found


def told(span: ReadableSpan) -> dict[str, Any]:
    """All of a span that leaves, but for times and its own number."""
    assert span.context is not None
    assert span.start_time is not None
    assert span.end_time is not None
    assert span.start_time <= span.end_time
    return {
        "name": span.name,
        "kind": span.kind,
        "parent": span.parent,
        "trace": span.context.trace_id if span.parent is not None else None,
        "flags": span.context.trace_flags,
        "state": dict(span.context.trace_state),
        "attributes": dict(attributes(span)),
        "status": (span.status.status_code, span.status.description),
        "events": [(event.name, dict(event.attributes or {})) for event in span.events],
        "links": span.links,
        "scope": span.instrumentation_scope,
        "resource": span.resource.attributes["telemetry.sdk.name"],
        "dropped": (span.dropped_attributes, span.dropped_events, span.dropped_links),
    }


@pytest.mark.parametrize("parent", [Context(), carried("01"), carried("03", "a=b,c=d")])
def test_a_span_says_what_the_sdks_would(parent: Context) -> None:
    said = []
    for starts, counted in both():
        span = starts.start_span("work", parent, SpanKind.CLIENT, {"asked": 1}, record_exception=False)
        assert span.is_recording()
        span.set_attribute("one", "x")
        span.set_attributes({"two": 2.5, "three": True, "four": ("a", "b")})
        span.add_event("seen", {"at": 1})
        span.set_status(FAILED)
        span.update_name("worked")
        span.end()
        assert not span.is_recording()
        assert counted.started == len(counted.ended) == 1
        said.append(told(counted.ended[0]))
    assert said[0] == said[1]
    assert isinstance(counted.ended[0], RecordedSpan)


@pytest.mark.parametrize("flags", ["00", "02"])
def test_a_callers_choice_not_to_record_is_kept_and_handed_on(flags: str) -> None:
    said = []
    for starts, counted in both():
        parent = carried(flags, "a=b")
        span = starts.start_span("work", parent, SpanKind.SERVER, {}, record_exception=False)
        assert not span.is_recording()
        carrier: dict[str, str] = {}
        inject(carrier, context=set_span_in_context(span, parent))
        span.end()
        assert counted.ended == []
        version, trace, _, onward = carrier["traceparent"].split("-")
        said.append((version, trace, onward, carrier["tracestate"]))
    assert said[0] == said[1] == ("00", TRACE, flags, "a=b")


def test_what_is_under_a_span_that_nobody_records_is_not_recorded_either() -> None:
    for starts, counted in both():
        above = starts.start_span("above", carried("00", "a=b"), SpanKind.SERVER, {}, record_exception=False)
        context = set_span_in_context(above, Context())
        span = starts.start_span("work", context, SpanKind.CLIENT, {"asked": 1}, record_exception=False)
        notes = notes_of(span)
        notes["more"] = 1
        noted(span, notes)
        span.set_status(FAILED)
        span.end()
        above.end()
        assert counted.ended == []
        one, other = span.get_span_context(), above.get_span_context()
        assert (one.trace_id, one.trace_flags, one.trace_state) == (other.trace_id, TraceFlags(0), other.trace_state)
        assert one.span_id != other.span_id
        assert dict(one.trace_state) == {"a": "b"}


class Marking(Sampler):
    """Records all, hands on that it doesn't, and writes an attribute."""

    def should_sample(self, parent_context: Context | None, trace_id: int, name: str, *more: Any) -> SamplingResult:
        return SamplingResult(Decision.RECORD_ONLY, {**more[1], "rate": 7})

    def get_description(self) -> str:
        return "Marking"


@pytest.mark.parametrize("sampler", [Marking(), ALWAYS_ON])
def test_a_sampler_is_asked_and_may_write(sampler: Sampler) -> None:
    said = []
    for starts, counted in both(sampler=sampler):
        starts.start_span("work", carried("00"), SpanKind.SERVER, {"asked": 1}, record_exception=False).end()
        said.append(told(counted.ended[0]))
    assert said[0] == said[1]
    assert said[1]["attributes"]["asked"] == 1
    assert said[1]["flags"] == (TraceFlags.SAMPLED if sampler is ALWAYS_ON else TraceFlags.DEFAULT)


@pytest.fixture
async def limited(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Measured]:
    monkeypatch.setenv("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "5")
    monkeypatch.setenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "3")
    found = Measured(spans=Counted())
    shutdown = configure("test", span_processors=[found.spans], metric_readers=[found.reader])
    yield found
    await shutdown()


def test_limits_on_attributes_are_kept(limited: Measured) -> None:
    with operation(Call(), "chat", provider="openai", model="a-long-name") as op:
        op.finished(usage=None, response_id="response-1")
    span = limited.one("chat a-long-name")
    assert len(attributes(span)) == 3
    assert attributes(span)[names.RESPONSE_ID] == "respo"
    assert span.dropped_attributes == 1


@pytest.mark.parametrize(("sampler", "spans"), [("always_off", 0), ("traceidratio", 0), ("always_on", 2)])
async def test_the_sampler_of_the_environment_counts_and_metrics_go_on(
    sampler: str, spans: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler)
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0")
    found = Measured(spans=Counted())
    shutdown = configure("test", span_processors=[found.spans], metric_readers=[found.reader])
    with operation(Call(), "chat", provider="openai", model="m") as outer:
        assert get_current_span(outer.call.trace).get_span_context().is_valid
        with operation(outer.call, "chat", provider="openai", model="m"):
            pass
    assert len(found.spans.ended) == spans
    assert sum(point.count for point in found.points(names.GENAI_DURATION)) == 2
    await shutdown()


async def test_a_disabled_sdk_makes_no_spans(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    found = Measured(spans=Counted())
    shutdown = configure("test", span_processors=[found.spans], metric_readers=[found.reader])
    with operation(Call(), "chat", provider="openai", model="m"):
        pass
    assert found.text() == ""
    await shutdown()


def test_a_span_that_has_ended_does_not_change(measured: Measured) -> None:
    starts = installed()
    assert starts is not None
    span = starts.tracer.start_span("work", Context(), SpanKind.CLIENT, {"a": 1}, record_exception=False)
    span.record_exception(ValueError("private"))
    span.end()
    before = measured.one("work").to_json()
    span.end()
    span.set_attribute("a", 2)
    span.set_attributes({"a": 2})
    span.set_status(Status(StatusCode.ERROR))
    span.add_event("late")
    span.update_name("other")
    assert [one.to_json() for one in measured.spans.ended] == [before]
    assert "private" not in before
