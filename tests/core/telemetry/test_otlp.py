"""What we encode for OTLP is what the SDK's encoder would have said."""

from __future__ import annotations

import logging
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from antiphon.core.telemetry import names, otlp
from antiphon.core.telemetry.memo import MOST
from antiphon.core.telemetry.otlp import OWN, Encoder, encode
from antiphon.core.telemetry.recorded import UNSET, RecordedSpan
from antiphon.core.telemetry.spans import FAILED, Spans
from tests.core.telemetry.parts import Counted

RESOURCE = Resource({"service.name": "test", "number": 7}, schema_url="https://example.org/schema")
SPANS = Spans(TracerProvider(resource=RESOURCE, shutdown_on_exit=False), [Counted()], scope="it")
OTHERS = Spans(TracerProvider(shutdown_on_exit=False), [Counted()], scope="it")

ids = st.integers(1, 2**64 - 1)
plain = st.one_of(st.text(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False))
odd = st.one_of(
    *(st.none(), st.binary(), st.lists(plain), st.integers(2**63, 2**70), st.just("\ud800"), st.builds(object)),
    st.dictionaries(st.text(), plain),
)
values = st.one_of(
    plain,
    st.lists(st.text()).map(tuple),
    st.lists(plain).map(tuple),
    st.sampled_from([0, False, 0.0, -0.0, 1, True, 1.0, (1,), (True,), (), ("",)]),
)
keys = st.one_of(st.text(), st.sampled_from([names.RESPONSE_ID, names.RPC_METHOD, names.CANCELLED]))
statuses = st.one_of(
    st.sampled_from([UNSET, FAILED, Status(StatusCode.OK)]),
    st.text().map(lambda words: Status(StatusCode.ERROR, words)),
)
states = st.sampled_from([None, TraceState(), TraceState([("a", "b"), ("c", "d")])])


class Above(ReadableSpan):
    """A span of somebody else."""

    def __init__(self, context: SpanContext) -> None:
        super().__init__("above", context)


@st.composite
def parents(draw: st.DrawFn) -> Any:
    if draw(st.booleans()):
        return draw(st.sampled_from([None, made("above", SpanKind.SERVER, {}, None, (5, 6, None))]))
    return Above(SpanContext(draw(ids), draw(ids), draw(st.booleans()), TraceFlags(1), draw(states)))


def made(name: str, kind: SpanKind, written: Any, above: Any, about: tuple[int, int, Any], **more: Any) -> RecordedSpan:
    trace, number, state = about
    span = RecordedSpan(name, kind, written, above, more.get("source", SPANS), trace, number, 1, state)
    span._start_time, span._end_time = more.get("times", (1, 2))
    span._status = more.get("status", UNSET)
    return span


@st.composite
def spans(draw: st.DrawFn, values: Any = values) -> RecordedSpan:
    span = made(
        draw(st.text()),
        draw(st.sampled_from(SpanKind)),
        draw(st.dictionaries(keys, values, max_size=6)),
        draw(parents()),
        (draw(st.integers(1, 2**128 - 1)), draw(ids), draw(states)),
        times=(draw(st.integers(0, 2**64 - 1)), draw(st.integers(0, 2**64 - 1))),
        status=draw(statuses),
    )
    if draw(st.integers(0, 9)) == 0:
        span._end_time = None
        span.add_event("seen", {"at": 1}, 5)
        span._end_time = 6
    return span


def said(data: bytes) -> ExportTraceServiceRequest:
    return ExportTraceServiceRequest.FromString(data)


@given(st.lists(spans(), min_size=1, max_size=4))
def test_any_spans_are_said_as_the_sdk_says_them(batch: list[RecordedSpan]) -> None:
    assert said(Encoder()(batch)) == encode_spans(batch)


@given(spans())
def test_every_span_without_events_is_encoded_here(span: RecordedSpan) -> None:
    span._events = ()
    frame = Encoder()._frame(span)
    assert frame is not None
    assert said(otlp._request(frame, [encode(span, SPANS)])) == encode_spans([span])


@given(spans(values=st.one_of(values, odd)))
def test_what_otlp_has_no_word_for_is_left_to_the_sdk(span: RecordedSpan) -> None:
    logging.disable(logging.CRITICAL)  # the SDK says which attribute it leaves out
    try:
        assert said(Encoder()([span])) == encode_spans([span])
    finally:
        logging.disable(logging.NOTSET)


def test_a_number_that_is_none_keeps_its_bits() -> None:
    (attribute,) = (
        said(Encoder()([made("n", SpanKind.CLIENT, {"a": math.nan}, None, (1, 2, None))]))
        .resource_spans[0]
        .scope_spans[0]
        .spans[0]
        .attributes
    )
    assert math.isnan(attribute.value.double_value)


def test_spans_of_others_are_left_to_the_sdk() -> None:
    ours = made("ours", SpanKind.CLIENT, {}, None, (1, 2, None))
    elsewhere = made("elsewhere", SpanKind.CLIENT, {}, None, (3, 4, None), source=OTHERS)
    theirs = ReadableSpan("theirs", SpanContext(5, 6, False), resource=RESOURCE)
    encoder = Encoder()
    for batch in ([ours, elsewhere], [ours, theirs], [theirs], [elsewhere], [ours], []):
        assert said(encoder(batch)) == encode_spans(batch)


def test_a_span_that_was_cut_says_how_much() -> None:
    counted = Counted()
    spans = Spans(TracerProvider(shutdown_on_exit=False), [counted], scope="it")
    spans.most, spans.longest = 1, 3
    spans.start_span("work", Context(), SpanKind.CLIENT, {"a": "long", "b": "longer"}).end()
    request = said(Encoder()(counted.ended))
    assert request == encode_spans(counted.ended)
    (span,) = request.resource_spans[0].scope_spans[0].spans
    assert span.dropped_attributes_count == 1


def test_an_encoder_that_says_more_is_used_instead(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def later(batch: Any) -> ExportTraceServiceRequest:
        request = encode_spans(batch)
        for span in request.resource_spans[0].scope_spans[0].spans:
            span.dropped_links_count = 9
        return request

    monkeypatch.setattr(otlp, "encode_spans", later)
    span = made("work", SpanKind.CLIENT, {"a": 1}, None, (1, 2, None))
    encoder = Encoder()
    assert said(encoder([span])) == said(encoder([span])) == later([span])
    assert len(caplog.records) == 1


def test_what_is_kept_does_not_grow() -> None:
    def one(key: str, value: str) -> RecordedSpan:
        return made(value, SpanKind.CLIENT, {key: value}, None, (1, 2, None))

    texts = otlp._encodings[str]
    for key in (*OWN, "often"):
        before = len(texts)
        for number in range(MOST + 10):
            encode(one(key, f"{key} {number}"), SPANS)
        assert len(texts) == before if key in OWN else len(texts) <= MOST
    assert len(otlp._heads) <= MOST
