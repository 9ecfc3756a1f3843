"""One span and its metrics around every call of a provider, by OpenTelemetry's GenAI conventions.

The numbers hold however the call ends: a stream that its caller left has a span that says so, with the usage known by
then. No content of messages is recorded, and no text of an error: providers quote prompts in theirs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from time import perf_counter
from types import TracebackType
from typing import Final, Literal, Self

from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind
from opentelemetry.util.types import AttributeValue

from antiphon.core.call import Call
from antiphon.core.errors import ServiceError
from antiphon.core.telemetry import names
from antiphon.core.telemetry.histograms import Values
from antiphon.core.telemetry.instruments import Instruments, Measured, installed
from antiphon.core.telemetry.redaction import label, words
from antiphon.core.telemetry.spans import FAILED, begin, noted, notes_of
from antiphon.v1 import usage_pb2

Count = Literal["input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens"]
COUNTS: Final[tuple[tuple[Count, str, str | None], ...]] = (
    ("input_tokens", names.INPUT_TOKENS, "input"),
    ("output_tokens", names.OUTPUT_TOKENS, "output"),
    ("cache_read_tokens", names.CACHE_READ_TOKENS, None),
    ("cache_write_tokens", names.CACHE_WRITE_TOKENS, None),
    ("reasoning_tokens", names.REASONING_TOKENS, None),
)
"""Fields of Usage, their span attributes, and their types in the metric, if they are in it.

Totals only are metrics: the conventions count each token once.
"""


class Operation:
    """One call of a provider, watched: a plain context manager that also works inside an async generator.

    `name` is the conventions' word: "chat", "embeddings", "text_completion". `provider` is its name in this system and
    `model` the one asked for, in the provider's words.
    """

    __slots__ = (
        *(
            "_answered",
            "_began",
            "_cancelled",
            "_context",
            "_counts",
            "_error",
            "_first",
            "_found",
            "_instruments",
            "_model",
        ),
        *("_name", "_provider", "_replayed", "_span", "_stream", "_synthetic", "_usage", "_whole", "call"),
    )

    def __init__(self, call: Call, name: str, *, provider: str, model: str, stream: bool = False) -> None:
        self.call = call
        """The call whose trace is this span, from entry on: hand this one to whatever works for the operation."""
        self._instruments = installed()
        self._usage: usage_pb2.Usage | None = None
        self._counts: Mapping[str, int] | None = None
        self._whole = False
        self._stream = stream
        self._first: float | None = None
        if self._instruments is None:
            return
        self._span: Span = INVALID_SPAN
        self._context: Context | None = None
        self._found: dict[str, AttributeValue] = {}  # what the span will say of the answer
        self._name = name
        self._provider = names.PROVIDERS.get(provider, provider)
        self._model = words[model]
        # What the metrics say of the answer beside that.
        self._answered: str | None = None
        self._error: str | None = None
        self._replayed: bool | None = None
        self._synthetic: bool | None = None
        self._cancelled: bool | None = None

    def __enter__(self) -> Self:
        if self._instruments is not None:
            asked: dict[str, AttributeValue] = {
                names.OPERATION: self._name,
                names.PROVIDER: self._provider,
                names.REQUEST_MODEL: self._model,
            }
            if self._stream:
                asked[names.REQUEST_STREAM] = True
            name = f"{self._name} {self._model}" if self._model else self._name
            self._span, self.call = begin(self._instruments.tracer, name, self.call, SpanKind.CLIENT, asked)
            self._context = self.call.trace
            self._found = notes_of(self._span)
        self._began = perf_counter()
        return self

    def first_chunk(self) -> None:
        """The provider has begun to stream its answer. Only the first time counts, and only of a stream."""
        if self._first is not None or not self._stream:
            return
        self._first = perf_counter() - self._began
        if self._instruments is not None:
            self._found[names.FIRST_CHUNK] = self._first
            self._instruments.first_chunk_seconds.of[self._dimensions()].record(self._first, self._context)

    def so_far(self, usage: usage_pb2.Usage) -> None:
        """What is known to have been used by now: recorded, as partial, if the call ends before `finished`."""
        self._usage = usage

    def finished(
        self,
        *,
        usage: usage_pb2.Usage | None,
        counts: Mapping[str, int] | None = None,
        model: str = "",
        response_id: str = "",
        finish_reasons: Sequence[str] = (),
    ) -> None:
        """The answer is whole. `model` is the one that answered; empty texts are not recorded. `counts` stand
        for a usage that says nothing else, by its names."""
        self._counts = counts
        self._whole = True
        self._usage = usage if usage is not None else self._usage
        if self._instruments is None:
            return
        if model:
            self._found[names.RESPONSE_MODEL] = self._answered = words[model]
        if response_id:
            self._found[names.RESPONSE_ID] = label(response_id)
        if finish_reasons:
            self._found[names.FINISH_REASONS] = tuple([words[reason] for reason in finish_reasons])

    def replayed(self, cassette: str) -> None:
        """The answer comes from a recording. Spans and metrics say so: nothing was paid for these tokens."""
        if self._instruments is not None:
            self._found[names.REPLAYED] = self._replayed = True
            self._found[names.CASSETTE] = words[cassette]

    def synthetic(self, word: str) -> None:
        """The answer is no provider's own: this fault or mock made or changed it. Spans and metrics say so."""
        if self._instruments is not None:
            self._synthetic = True
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
            dimensions = self._dimensions()
            measured = self._instruments.genai[dimensions]
            if self._counts is not None:
                self._count(measured, self._counts)
            elif self._usage is not None:
                self._book(self._instruments, self._usage, dimensions)
            measured.seconds.record(seconds, self._context)
        finally:
            noted(self._span, self._found)
            self._span.end()

    def _conclude(self, error: BaseException) -> None:
        if isinstance(error, asyncio.CancelledError | GeneratorExit):
            self._found[names.CANCELLED] = self._cancelled = True
            return
        reason = type(error).__qualname__
        if isinstance(error, ServiceError):
            reason = error.reason.value
            self._found[names.REASON] = reason
            if synthetic := error.metadata.get("synthetic"):
                self.synthetic(synthetic)
            if self._usage is None and error.partial is not None and error.partial.HasField("usage"):
                self._usage = error.partial.usage
        self._found[names.ERROR_TYPE] = self._error = reason
        self._span.set_status(FAILED)

    def _dimensions(self) -> Values:
        """In the order of `names.GENAI_DIMENSIONS`."""
        return (
            *(self._name, self._provider, self._model, self._answered),
            *(self._replayed, self._synthetic, self._error, self._cancelled),
        )

    def _count(self, measured: Measured, counts: Mapping[str, int]) -> None:
        for field, name, kind in COUNTS:
            value = counts.get(field)
            if value is not None:
                self._found[name] = value
                if kind is not None:
                    measured.tokens[kind].record(value, self._context)

    def _book(self, instruments: Instruments, usage: usage_pb2.Usage, dimensions: Values) -> None:
        partial = None
        if usage.partial or not self._whole:
            self._found[names.USAGE_PARTIAL] = partial = True
        for field, name, kind in COUNTS:
            if usage.HasField(field):
                value: int = getattr(usage, field)
                self._found[name] = value
                if kind is not None:
                    instruments.tokens.of[*dimensions, partial, kind].record(value, self._context)
        for cost in usage.costs:
            if cost.meter == "total":
                self._found[names.COST] = label(cost.usd)


operation = Operation
"""As it reads after `with`."""
