"""One span and its metrics around every call of a provider, by OpenTelemetry's GenAI conventions.

The numbers hold however the call ends: a stream that its caller left has a span that says so, with the usage known by
then. No content of messages is recorded, and no text of an error: providers quote prompts in theirs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import perf_counter
from types import TracebackType
from typing import Final, Self

from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, set_span_in_context
from opentelemetry.util.types import AttributeValue

from antiphon.core.call import Call
from antiphon.core.errors import ServiceError
from antiphon.core.telemetry import names
from antiphon.core.telemetry.instruments import Instruments, installed
from antiphon.core.telemetry.redaction import label, word
from antiphon.core.telemetry.spans import FAILED
from antiphon.v1 import usage_pb2

COUNTS: Final = {
    "input_tokens": names.INPUT_TOKENS,
    "output_tokens": names.OUTPUT_TOKENS,
    "cache_read_tokens": names.CACHE_READ_TOKENS,
    "cache_write_tokens": names.CACHE_WRITE_TOKENS,
    "reasoning_tokens": names.REASONING_TOKENS,
}
"""Fields of Usage and their span attributes."""
METERED: Final = {"input_tokens": "input", "output_tokens": "output"}
"""Fields of Usage that are metrics, and their type there. Totals only: the conventions count each token once."""


def operation(call: Call, name: str, *, provider: str, model: str, stream: bool = False) -> Operation:
    """One call of a provider. `name` is the conventions' word: "chat", "embeddings", "text_completion".

    `provider` is its name in this system and `model` the one asked for, in the provider's words.
    """
    return Operation(call, name, provider=provider, model=model, stream=stream)


class Operation:
    """A provider call being watched: a plain context manager that also works inside an async generator."""

    __slots__ = (
        *("_began", "_context", "_dimensions", "_first", "_found", "_instruments", "_name", "_span"),
        *("_stream", "_usage", "_whole", "call"),
    )

    def __init__(self, call: Call, name: str, *, provider: str, model: str, stream: bool) -> None:
        self.call = call
        """The call whose trace is this span, from entry on: hand this one to whatever works for the operation."""
        self._instruments = installed()
        self._span: Span = INVALID_SPAN
        self._context: Context | None = None
        self._usage: usage_pb2.Usage | None = None
        self._whole = False
        self._stream = stream
        self._first: float | None = None
        self._began = 0.0
        self._found: dict[str, AttributeValue] = {}  # what the span will say of the answer, written once, at its end
        if self._instruments is None:
            return
        model = word(model)
        self._name = f"{name} {model}" if model else name
        self._dimensions: dict[str, AttributeValue] = {
            names.OPERATION: name,
            names.PROVIDER: names.PROVIDERS.get(provider, provider),
            names.REQUEST_MODEL: model,
        }

    def __enter__(self) -> Self:
        if self._instruments is not None:
            parent = self.call.trace if self.call.trace is not None else Context()
            asked = {**self._dimensions, names.REQUEST_STREAM: True} if self._stream else self._dimensions
            self._span = self._instruments.tracer.start_span(
                self._name, parent, SpanKind.CLIENT, asked, record_exception=False
            )
            self._context = set_span_in_context(self._span, parent)
            self.call = self.call.within(self._context)
        self._began = perf_counter()
        return self

    def first_chunk(self) -> None:
        """The provider has begun to stream its answer. Only the first time counts, and only of a stream."""
        if self._first is not None or not self._stream:
            return
        self._first = perf_counter() - self._began
        if self._instruments is not None:
            self._found[names.FIRST_CHUNK] = self._first
            self._instruments.first_chunk_seconds.record(self._first, self._dimensions, self._context)

    def so_far(self, usage: usage_pb2.Usage) -> None:
        """What is known to have been used by now: recorded, as partial, if the call ends before `finished`."""
        self._usage = usage

    def finished(
        self,
        *,
        usage: usage_pb2.Usage | None,
        model: str = "",
        response_id: str = "",
        finish_reasons: Sequence[str] = (),
    ) -> None:
        """The answer is whole. `model` is the one that answered; empty texts are not recorded."""
        self._whole = True
        self._usage = usage if usage is not None else self._usage
        if self._instruments is None:
            return
        if model:
            self._found[names.RESPONSE_MODEL] = self._dimensions[names.RESPONSE_MODEL] = word(model)
        if response_id:
            self._found[names.RESPONSE_ID] = label(response_id)
        if finish_reasons:
            self._found[names.FINISH_REASONS] = tuple([word(reason) for reason in finish_reasons])

    def replayed(self, cassette: str) -> None:
        """The answer comes from a recording. Spans and metrics say so: nothing was paid for these tokens."""
        if self._instruments is not None:
            self._found[names.REPLAYED] = self._dimensions[names.REPLAYED] = True
            self._found[names.CASSETTE] = label(cassette)

    def synthetic(self, word: str) -> None:
        """The answer is no provider's own: this fault or mock made or changed it. Spans and metrics say so."""
        if self._instruments is not None:
            self._dimensions[names.SYNTHETIC] = True
            self._found[names.SYNTHETIC] = label(word)

    def request_id(self, upstream: str) -> None:
        """The provider's number of the request."""
        if upstream and self._instruments is not None:
            self._found[names.UPSTREAM_REQUEST_ID] = label(upstream)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._instruments is None:
            return
        seconds = perf_counter() - self._began
        try:
            if error is not None:
                self._conclude(error)
            self._book(self._instruments)
            self._instruments.genai_seconds.record(seconds, self._dimensions, self._context)
        finally:
            self._span.set_attributes(self._found)
            self._span.end()

    def _conclude(self, error: BaseException) -> None:
        if isinstance(error, asyncio.CancelledError | GeneratorExit):
            self._found[names.CANCELLED] = self._dimensions[names.CANCELLED] = True
            return
        reason = type(error).__qualname__
        if isinstance(error, ServiceError):
            reason = error.reason.value
            self._found[names.REASON] = reason
            if synthetic := error.metadata.get("synthetic"):
                self.synthetic(synthetic)
            if self._usage is None and error.partial is not None and error.partial.HasField("usage"):
                self._usage = error.partial.usage
        self._found[names.ERROR_TYPE] = self._dimensions[names.ERROR_TYPE] = reason
        self._span.set_status(FAILED)

    def _book(self, instruments: Instruments) -> None:
        usage = self._usage
        if usage is None:
            return
        dimensions = self._dimensions
        if usage.partial or not self._whole:
            self._found[names.USAGE_PARTIAL] = True
            dimensions = {**dimensions, names.USAGE_PARTIAL: True}
        for field, value in usage.ListFields():
            name = field.name
            if name in COUNTS:
                self._found[COUNTS[name]] = value
                if name in METERED:
                    instruments.tokens.record(value, {**dimensions, names.TOKEN_TYPE: METERED[name]}, self._context)
            elif name == "costs":
                for cost in value:
                    if cost.meter == "total":
                        self._found[names.COST] = label(cost.usd)
