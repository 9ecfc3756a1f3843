"""Shows one call's trace as a tree in the terminal, with no collector and no browser.

The demo's services send their spans to a receiver in this process by the real protocol, OTLP over gRPC, so that what
is shown is what any collector would get.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Self

import grpc.aio
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.trace.v1 import trace_pb2
from rich.text import Text
from rich.tree import Tree

from antiphon.core.telemetry import names

MAX_SPANS = 10_000
"""Spans that are kept; the oldest go first."""
MAX_METRIC_NAMES = 1_000

Value = str | bool | int | float | tuple[Any, ...] | None


def _nothing() -> Mapping[str, Value]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedSpan:
    """A span as it arrived. Identifiers are lower-case hex, `parent_id` empty at the root; times in nanoseconds."""

    trace_id: str
    span_id: str
    parent_id: str = ""
    service: str = ""
    name: str = ""
    start_ns: int = 0
    end_ns: int = 0
    failed: bool = False
    attributes: Mapping[str, Value] = field(default_factory=_nothing)


class TraceReceiver:
    """An OTLP receiver on a loopback port. Use `async with`; `endpoint` is known inside."""

    def __init__(self) -> None:
        self._spans: deque[ReceivedSpan] = deque(maxlen=MAX_SPANS)
        self._arrived = asyncio.Condition()
        self._server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
        self.endpoint = ""
        """Where senders send to, such as http://127.0.0.1:4317."""
        self.metric_names: set[str] = set()
        """Names of the metrics that have arrived."""

    async def __aenter__(self) -> Self:
        # The stubs of opentelemetry-proto are untyped.
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(  # type: ignore[no-untyped-call]
            _Traces(self.take), self._server
        )
        metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(  # type: ignore[no-untyped-call]
            _Metrics(self.metric_names), self._server
        )
        port = self._server.add_insecure_port("127.0.0.1:0")
        self.endpoint = f"http://127.0.0.1:{port}"
        await self._server.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._server.stop(0.5)

    def latest(self, count: int) -> list[ReceivedSpan]:
        """The spans that arrived last, of any trace, oldest first."""
        return list(self._spans)[-count:]

    def spans(self, trace_id: str) -> list[ReceivedSpan]:
        """The spans of a trace that have arrived, by their start."""
        return sorted((span for span in self._spans if span.trace_id == trace_id), key=lambda span: span.start_ns)

    async def wait_for(self, trace_id: str, *, at_least: int, timeout: float) -> list[ReceivedSpan]:  # noqa: ASYNC109
        """The spans of a trace once so many have arrived, or what has arrived after `timeout` seconds: no error."""
        try:
            async with asyncio.timeout(timeout), self._arrived:
                await self._arrived.wait_for(lambda: len(self.spans(trace_id)) >= at_least)
        except TimeoutError:
            pass  # a tree with a missing branch says more than no tree
        return self.spans(trace_id)

    async def take(self, spans: Iterable[ReceivedSpan]) -> None:
        """Keep these spans, and tell those who wait."""
        async with self._arrived:
            self._spans.extend(spans)
            self._arrived.notify_all()


class _Traces(trace_service_pb2_grpc.TraceServiceServicer):
    def __init__(self, take: Callable[[list[ReceivedSpan]], Awaitable[None]]) -> None:
        self._take = take

    async def Export(  # noqa: N802 - the name in the protocol
        self, request: trace_service_pb2.ExportTraceServiceRequest, context: Any
    ) -> trace_service_pb2.ExportTraceServiceResponse:
        await self._take(received_spans(request))
        return trace_service_pb2.ExportTraceServiceResponse()


class _Metrics(metrics_service_pb2_grpc.MetricsServiceServicer):
    def __init__(self, found: set[str]) -> None:
        self._found = found

    async def Export(  # noqa: N802 - the name in the protocol
        self, request: metrics_service_pb2.ExportMetricsServiceRequest, context: Any
    ) -> metrics_service_pb2.ExportMetricsServiceResponse:
        for resource in request.resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    if len(self._found) < MAX_METRIC_NAMES:
                        self._found.add(metric.name)
        return metrics_service_pb2.ExportMetricsServiceResponse()


def received_spans(request: trace_service_pb2.ExportTraceServiceRequest) -> list[ReceivedSpan]:
    """The spans of one sending."""
    return [
        ReceivedSpan(
            trace_id=span.trace_id.hex(),
            span_id=span.span_id.hex(),
            parent_id=span.parent_span_id.hex(),
            service=str(_attributes(resource.resource.attributes).get("service.name", "")),
            name=span.name,
            start_ns=span.start_time_unix_nano,
            end_ns=span.end_time_unix_nano,
            failed=span.status.code == trace_pb2.Status.STATUS_CODE_ERROR,
            attributes=_attributes(span.attributes),
        )
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def _attributes(pairs: Iterable[common_pb2.KeyValue]) -> dict[str, Value]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: common_pb2.AnyValue) -> Value:
    match value.WhichOneof("value"):
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case "int_value":
            return value.int_value
        case "double_value":
            return value.double_value
        case "array_value":
            return tuple(_value(item) for item in value.array_value.values)
        case _:  # bytes and maps: no attribute of ours has them
            return None


def tree(spans: Sequence[ReceivedSpan]) -> Tree:
    """One trace as a tree to print: who called whom, how long each took, and what the provider calls used.

    A span whose parent is not among them stands at the top: its parent is the caller's, or has not arrived.
    """
    ordered = sorted(spans, key=lambda span: span.start_ns)
    known = {span.span_id for span in ordered}
    top = Tree(Text(f"trace {ordered[0].trace_id}" if ordered else "no spans have arrived", style="bold"))
    children: dict[str, list[ReceivedSpan]] = {}
    for span in ordered:
        children.setdefault(span.parent_id if span.parent_id in known else "", []).append(span)
    waiting = deque((top, span) for span in children.get("", ()))
    while waiting:
        branch, span = waiting.popleft()
        twig = branch.add(label(span))
        waiting.extend((twig, child) for child in children.get(span.span_id, ()))
    return top


def label(span: ReceivedSpan) -> Text:
    """One span in one line."""
    said = span.attributes
    text = Text()
    text.append(span.service or "?", style="cyan")
    text.append(f"  {span.name}", style="bold red" if span.failed else "bold")
    text.append(f"  {(span.end_ns - span.start_ns) / 1e6:.1f} ms", style="green")
    tokens = [said.get(names.INPUT_TOKENS), said.get(names.OUTPUT_TOKENS)]
    if any(count is not None for count in tokens):
        into, out = ("?" if count is None else str(count) for count in tokens)
        text.append(f"  {into} in, {out} out{', partial' if said.get(names.USAGE_PARTIAL) else ''}", style="magenta")
    first = said.get(names.FIRST_CHUNK)
    if isinstance(first, float | int):
        text.append(f"  first chunk {first * 1e3:.1f} ms", style="green")
    if names.COST in said:
        text.append(f"  ${said[names.COST]}", style="yellow")
    if said.get(names.REPLAYED):
        text.append("  replayed", style="blue")
    if said.get(names.CANCELLED):
        text.append("  cancelled", style="yellow")
    if span.failed:
        text.append(f"  {said.get(names.REASON) or said.get(names.ERROR_TYPE) or 'failed'}", style="red")
    return text
