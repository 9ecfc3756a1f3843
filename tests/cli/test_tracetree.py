"""The trace as a tree, from spans that came by the real protocol."""

from __future__ import annotations

import asyncio
import time
from io import StringIO

from rich.console import Console

from antiphon.cli.tracetree import ReceivedSpan, TraceReceiver, tree
from antiphon.core.call import Call
from antiphon.core.telemetry import names
from antiphon.core.telemetry.genai import operation
from antiphon.core.telemetry.rpc import client_call
from antiphon.core.telemetry.setup import configure
from antiphon.v1 import usage_pb2

TRACE = "0af7651916cd43dd8448eb211c80319c"


def printed(spans: list[ReceivedSpan]) -> list[str]:
    out = StringIO()
    Console(file=out, width=200, color_system=None).print(tree(spans))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def span(number: int, parent: int | None = None, **more: object) -> ReceivedSpan:
    fields: dict[str, object] = {
        "trace_id": TRACE,
        "span_id": f"{number:016x}",
        "parent_id": "" if parent is None else f"{parent:016x}",
        "service": "gateway",
        "name": f"span {number}",
        "start_ns": number * 1_000_000,
        "end_ns": number * 1_000_000 + 2_500_000,
        **more,
    }
    return ReceivedSpan(**fields)  # type: ignore[arg-type]


async def test_what_a_service_sends_is_received_whole() -> None:
    async with TraceReceiver() as receiver:
        shutdown = configure("adapter", otlp_endpoint=receiver.endpoint)
        with client_call(Call(), "antiphon.v1.ChatService/Chat", "127.0.0.1:7000") as onward:
            usage = usage_pb2.Usage(input_tokens=12, output_tokens=34)
            usage.costs.add(meter="total", usd="0.0012")
            with operation(onward, "chat", provider="openai", model="gpt-test", stream=True) as op:
                op.first_chunk()
                op.replayed("openai/hello.yaml")
                op.finished(usage=usage, finish_reasons=["stop"])
        await shutdown()
        first = receiver.latest(1)[0]
        spans = await receiver.wait_for(first.trace_id, at_least=2, timeout=3)
    outer, inner = spans
    assert inner.parent_id == outer.span_id
    assert outer.parent_id == ""
    assert outer.attributes[names.SERVER_PORT] == 7000
    assert inner.attributes[names.FINISH_REASONS] == ("stop",)
    assert inner.service == "adapter"
    top, first_line, second_line = printed(spans)
    assert top == f"trace {first.trace_id}"
    assert "adapter  antiphon.v1.ChatService/Chat  " in first_line
    for part in ("chat gpt-test", " ms", "12 in, 34 out", "first chunk", "$0.0012", "replayed"):
        assert part in second_line


def test_children_hang_below_their_parents_in_the_order_of_their_start() -> None:
    spans = [span(4, 1), span(3, 2), span(1), span(2, 1)]
    assert printed(spans) == [
        f"trace {TRACE}",
        "└── gateway  span 1  2.5 ms",
        "    ├── gateway  span 2  2.5 ms",
        "    │   └── gateway  span 3  2.5 ms",
        "    └── gateway  span 4  2.5 ms",
    ]


def test_a_span_whose_parent_is_missing_is_still_shown() -> None:
    assert printed([span(5, 99)]) == [f"trace {TRACE}", "└── gateway  span 5  2.5 ms"]
    assert printed([]) == ["no spans have arrived"]


def test_failures_cancellations_and_partial_usage_are_said() -> None:
    failed = span(1, failed=True, attributes={names.REASON: "OVERLOADED", names.ERROR_TYPE: "UNAVAILABLE"})
    left = span(2, attributes={names.CANCELLED: True, names.INPUT_TOKENS: 5, names.USAGE_PARTIAL: True})
    _, first, second = printed([failed, left])
    assert first.endswith("OVERLOADED")
    assert second.endswith("5 in, ? out, partial  cancelled")


def test_markup_in_a_name_is_text() -> None:
    assert "[red]x[/red]" in printed([span(1, name="[red]x[/red]")])[1]


async def test_waiting_ends_at_its_timeout_with_what_there_is() -> None:
    async with TraceReceiver() as receiver:
        began = time.monotonic()
        assert await receiver.wait_for(TRACE, at_least=1, timeout=0.1) == []
        assert 0.09 < time.monotonic() - began < 1
        waiting = asyncio.create_task(receiver.wait_for(TRACE, at_least=2, timeout=3))
        await receiver.take([span(1)])
        await asyncio.sleep(0)
        await receiver.take([span(2), span(3, trace_id="other")])
        assert [found.name for found in await waiting] == ["span 1", "span 2"]
