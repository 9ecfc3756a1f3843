"""What the tests of telemetry share: a backend that plays a provider, and a look at what was measured."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

from antiphon.core.call import Call
from antiphon.core.errors import Reason, ServiceError
from antiphon.core.telemetry.genai import operation
from antiphon.v1 import chat_pb2, content_pb2, embeddings_pb2, health_pb2, models_pb2, usage_pb2

REASONS = {reason.value for reason in Reason}
PROMPT = "the prompt that must not leave"


class Counted(SpanProcessor):
    """Counts spans that begin, and keeps those that end."""

    def __init__(self) -> None:
        self.started = 0
        self.ended: list[ReadableSpan] = []

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        self.started += 1

    def on_end(self, span: ReadableSpan) -> None:
        self.ended.append(span)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Everything that a test's telemetry has seen."""

    spans: Counted
    reader: InMemoryMetricReader = field(default_factory=InMemoryMetricReader)

    def one(self, name: str, **attributes: Any) -> ReadableSpan:
        """The only span of that name and kind."""
        found = [span for span in self.spans.ended if span.name == name]
        assert len(found) == 1, [span.name for span in self.spans.ended]
        return found[0]

    def points(self, metric: str) -> list[Any]:
        """The data points of a metric."""
        data = self.reader.get_metrics_data()
        if data is None:
            return []
        return [
            point
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for found in scope.metrics
            if found.name == metric
            for point in found.data.data_points
        ]

    def text(self) -> str:
        """All that would leave."""
        data = self.reader.get_metrics_data()
        return "".join(span.to_json() for span in self.spans.ended) + (data.to_json() if data else "")


def attributes(span: ReadableSpan) -> Mapping[str, Any]:
    return span.attributes or {}


async def until(true: Callable[[], bool], seconds: float = 3.0) -> None:
    """Wait for something that other tasks bring about."""
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.01)


def spec(model: str = "openai/gpt-test") -> chat_pb2.ChatSpec:
    message = content_pb2.Message(
        role=content_pb2.ROLE_USER, parts=[content_pb2.Part(text=content_pb2.TextPart(text=PROMPT))]
    )
    return chat_pb2.ChatSpec(model=model, messages=[message])


class PlayedProvider:
    """A backend whose answers are fixed. Models whose names are reasons fail with them; "endless" streams for ever."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.closed_streams = 0

    async def chat(self, spec: chat_pb2.ChatSpec, call: Call) -> chat_pb2.Completion:
        self.calls.append(call)
        provider, _, model = spec.model.partition("/")
        with operation(call, "chat", provider=provider, model=model) as op:
            if model in REASONS:
                raise ServiceError(Reason(model), f"it failed on {PROMPT}")
            if model == "bug":
                raise ValueError(PROMPT)
            if model == "endless":
                await asyncio.sleep(60)
            usage = usage_pb2.Usage(input_tokens=7, output_tokens=3)
            op.finished(usage=usage, model="gpt-test-1", response_id="r1", finish_reasons=["stop"])
        return chat_pb2.Completion(id="r1", model="gpt-test-1", usage=usage)

    async def stream_chat(
        self, request: chat_pb2.StreamChatRequest, call: Call
    ) -> AsyncGenerator[chat_pb2.StreamChatResponse, None]:
        self.calls.append(call)
        provider, _, model = request.spec.model.partition("/")
        usage = usage_pb2.Usage(input_tokens=7, output_tokens=0)
        try:
            with operation(call, "chat", provider=provider, model=model, stream=True) as op:
                op.so_far(usage)
                number = 0
                while model == "endless" or number < 3:
                    op.first_chunk()
                    usage.output_tokens += 1
                    yield chat_pb2.StreamChatResponse(
                        sequence=number, part_delta=chat_pb2.PartDelta(text=f"word {number}")
                    )
                    number += 1
                    await asyncio.sleep(0.01)
                if model in REASONS:
                    raise ServiceError(Reason(model), f"it failed on {PROMPT}")
                op.finished(usage=usage)
                answer = chat_pb2.Completion(usage=usage)
                yield chat_pb2.StreamChatResponse(sequence=number, completed=chat_pb2.Completed(completion=answer))
        finally:
            self.closed_streams += 1

    async def count_tokens(self, spec: chat_pb2.ChatSpec, call: Call) -> chat_pb2.CountTokensResponse:
        return chat_pb2.CountTokensResponse()

    async def embed(self, request: embeddings_pb2.EmbedRequest, call: Call) -> embeddings_pb2.EmbedResponse:
        return embeddings_pb2.EmbedResponse()

    async def list_models(self, request: models_pb2.ListModelsRequest, call: Call) -> models_pb2.ListModelsResponse:
        return models_pb2.ListModelsResponse()

    async def get_model(self, request: models_pb2.GetModelRequest, call: Call) -> models_pb2.Model:
        raise ServiceError(Reason.MODEL_NOT_FOUND, "there is no such model")

    async def list_providers(
        self, request: models_pb2.ListProvidersRequest, call: Call
    ) -> models_pb2.ListProvidersResponse:
        """One provider."""
        return models_pb2.ListProvidersResponse(
            providers=[models_pb2.Provider(name="parts", wire="none", configured=True, features=["chat"])]
        )

    async def get_health(self, request: health_pb2.GetHealthRequest, call: Call) -> health_pb2.GetHealthResponse:
        return health_pb2.GetHealthResponse()

    async def close(self) -> None:
        pass
