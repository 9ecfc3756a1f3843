"""Provider calls as spans and metrics, however they end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest
from opentelemetry.trace import SpanKind, StatusCode, get_current_span

from antiphon.core.call import Call
from antiphon.core.errors import Reason, ServiceError
from antiphon.core.telemetry import names
from antiphon.core.telemetry.genai import operation
from antiphon.v1 import chat_pb2, usage_pb2
from tests.core.telemetry.parts import PROMPT, Measured, attributes


def test_a_whole_answer_is_a_client_span_with_tokens_cost_and_reasons(measured: Measured) -> None:
    usage = usage_pb2.Usage(
        input_tokens=12, output_tokens=30, cache_read_tokens=4, cache_write_tokens=2, reasoning_tokens=9
    )
    usage.costs.add(meter="input", usd="0.0001")
    usage.costs.add(meter="total", usd="0.000320")
    with operation(Call(), "chat", provider="xai", model="grok") as op:
        op.request_id("req-1")
        op.finished(usage=usage, model="grok-1", response_id="r1", finish_reasons=["stop", "length"])
    span = measured.one("chat grok")
    assert span.kind is SpanKind.CLIENT
    assert span.status.status_code is StatusCode.UNSET
    assert dict(attributes(span)) == {
        names.OPERATION: "chat",
        names.PROVIDER: "x_ai",
        names.REQUEST_MODEL: "grok",
        names.UPSTREAM_REQUEST_ID: "req-1",
        names.RESPONSE_MODEL: "grok-1",
        names.RESPONSE_ID: "r1",
        names.FINISH_REASONS: ("stop", "length"),
        names.INPUT_TOKENS: 12,
        names.OUTPUT_TOKENS: 30,
        names.CACHE_READ_TOKENS: 4,
        names.CACHE_WRITE_TOKENS: 2,
        names.REASONING_TOKENS: 9,
        names.COST: "0.000320",
    }
    assert {point.attributes[names.TOKEN_TYPE]: point.sum for point in measured.points(names.GENAI_TOKENS)} == {
        "input": 12,
        "output": 30,
    }
    (duration,) = measured.points(names.GENAI_DURATION)
    assert duration.attributes[names.RESPONSE_MODEL] == "grok-1"
    assert duration.explicit_bounds == names.GENAI_SECONDS


def test_tokens_that_the_provider_does_not_tell_are_absent_not_zero(measured: Measured) -> None:
    with operation(Call(), "chat", provider="openai", model="m") as op:
        op.finished(usage=usage_pb2.Usage(input_tokens=0))
    found = attributes(measured.one("chat m"))
    assert found[names.INPUT_TOKENS] == 0
    assert names.OUTPUT_TOKENS not in found
    assert names.COST not in found


def test_only_the_first_chunk_is_timed(measured: Measured) -> None:
    with operation(Call(), "chat", provider="openai", model="m", stream=True) as op:
        op.first_chunk()
        op.first_chunk()
        op.finished(usage=None)
    (point,) = measured.points(names.GENAI_FIRST_CHUNK)
    assert point.count == 1
    assert attributes(measured.one("chat m"))[names.FIRST_CHUNK] == point.sum
    assert attributes(measured.one("chat m"))[names.REQUEST_STREAM] is True


def test_the_first_chunk_of_what_is_no_stream_is_not_timed(measured: Measured) -> None:
    with operation(Call(), "chat", provider="openai", model="m") as op:
        op.first_chunk()
        op.finished(usage=None)
    assert measured.points(names.GENAI_FIRST_CHUNK) == []
    assert names.FIRST_CHUNK not in attributes(measured.one("chat m"))


async def test_a_stream_that_its_caller_leaves_ends_its_span_with_the_usage_so_far(measured: Measured) -> None:
    async def stream() -> AsyncGenerator[int, None]:
        with operation(Call(), "chat", provider="openai", model="m", stream=True) as op:
            op.so_far(usage_pb2.Usage(input_tokens=5, output_tokens=1))
            yield 1
            yield 2

    events = stream()
    await anext(events)
    await events.aclose()
    span = measured.one("chat m")
    assert span.status.status_code is StatusCode.UNSET
    assert attributes(span)[names.CANCELLED] is True
    assert attributes(span)[names.USAGE_PARTIAL] is True
    assert attributes(span)[names.OUTPUT_TOKENS] == 1
    assert all(point.attributes[names.USAGE_PARTIAL] for point in measured.points(names.GENAI_TOKENS))
    assert measured.points(names.GENAI_DURATION)[0].attributes[names.CANCELLED] is True


async def test_a_cancelled_task_is_no_error(measured: Measured) -> None:
    async def work() -> None:
        with operation(Call(), "chat", provider="openai", model="m"):
            await asyncio.sleep(60)

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    span = measured.one("chat m")
    assert span.status.status_code is StatusCode.UNSET
    assert attributes(span)[names.CANCELLED] is True
    assert measured.spans.started == len(measured.spans.ended)


def test_a_failure_is_told_by_its_reason_and_never_by_its_text(measured: Measured) -> None:
    partial = chat_pb2.PartialResult(usage=usage_pb2.Usage(input_tokens=5))
    error = ServiceError(Reason.OVERLOADED, PROMPT, partial=partial)
    with pytest.raises(ServiceError), operation(Call(), "chat", provider="openai", model="m"):
        raise error
    span = measured.one("chat m")
    assert span.status.status_code is StatusCode.ERROR
    assert attributes(span)[names.ERROR_TYPE] == "OVERLOADED"
    assert attributes(span)[names.INPUT_TOKENS] == 5
    assert attributes(span)[names.USAGE_PARTIAL] is True
    assert measured.points(names.GENAI_DURATION)[0].attributes[names.ERROR_TYPE] == "OVERLOADED"
    assert PROMPT not in measured.text()


def test_a_bug_is_told_by_its_type(measured: Measured) -> None:
    with pytest.raises(ValueError, match=PROMPT), operation(Call(), "chat", provider="openai", model="m"):
        raise ValueError(PROMPT)
    assert attributes(measured.one("chat m"))[names.ERROR_TYPE] == "ValueError"
    assert PROMPT not in measured.text()


def test_a_replayed_answer_says_so_in_span_and_metrics(measured: Measured) -> None:
    with operation(Call(), "chat", provider="openai", model="m") as op:
        op.replayed("openai/hello.yaml")
        op.finished(usage=usage_pb2.Usage(input_tokens=1, output_tokens=1))
    span = measured.one("chat m")
    assert attributes(span)[names.REPLAYED] is True
    assert attributes(span)[names.CASSETTE] == "openai/hello.yaml"
    for metric in (names.GENAI_TOKENS, names.GENAI_DURATION):
        points = measured.points(metric)
        assert points
        assert all(point.attributes[names.REPLAYED] for point in points)
        assert all(names.CASSETTE not in point.attributes for point in points)


def test_the_span_is_in_the_call_and_never_current(measured: Measured) -> None:
    with operation(Call(), "chat", provider="openai", model="outer") as outer:
        assert not get_current_span().get_span_context().is_valid
        with operation(outer.call, "chat", provider="openai", model="inner") as inner:
            inner.finished(usage=None)
        outer.finished(usage=None)
    parent, child = measured.one("chat outer"), measured.one("chat inner")
    assert child.parent is not None
    assert parent.context is not None
    assert child.parent.span_id == parent.context.span_id


def test_without_telemetry_the_call_goes_through_untouched() -> None:
    call = Call()
    with operation(call, "chat", provider="openai", model="m") as op:
        op.first_chunk()
        op.replayed("x")
        op.request_id("y")
        op.so_far(usage_pb2.Usage())
        op.finished(usage=None, model="m", response_id="r", finish_reasons=["stop"])
        assert op.call is call
