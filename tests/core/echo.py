"""A small backend for tests of everything around backends: it says what it was asked, and fails on demand."""

from __future__ import annotations

import asyncio

from antiphon.core.call import Call
from antiphon.core.errors import Reason, ServiceError
from antiphon.core.health import answered
from antiphon.core.streams import Events, published
from antiphon.v1 import chat_pb2, content_pb2, embeddings_pb2, health_pb2, models_pb2, usage_pb2


def question(text: str, model: str = "echo/words") -> chat_pb2.ChatSpec:
    """A request with one user turn."""
    spec = chat_pb2.ChatSpec(model=model)
    spec.messages.add(role=content_pb2.ROLE_USER).parts.add().text.text = text
    return spec


class Echo:
    """Answers with the words it was sent. `!<REASON>` raises it; `slowly` waits `pause` seconds a word."""

    def __init__(self, *, pause: float = 0.0) -> None:
        self.pause = pause
        self.calls: list[Call] = []
        self.running = 0
        self.closed = False

    async def chat(self, spec: chat_pb2.ChatSpec, call: Call) -> chat_pb2.Completion:
        """The words, joined again."""
        self.calls.append(call)
        words = self._words(spec)
        await asyncio.sleep(self.pause)
        completion = chat_pb2.Completion(id="echo-1", model=spec.model)
        completion.usage.output_tokens = len(words)
        message = completion.outputs.add(finish_reason=chat_pb2.FINISH_REASON_STOP).messages.add(
            role=content_pb2.ROLE_ASSISTANT
        )
        message.parts.add().text.text = " ".join(words)
        return completion

    def stream_chat(self, request: chat_pb2.StreamChatRequest, call: Call) -> Events:
        """The words, one by one."""
        self.calls.append(call)
        used = usage_pb2.Usage()
        return published(self._events(request.spec, used), request, lambda: used)

    async def _events(self, spec: chat_pb2.ChatSpec, used: usage_pb2.Usage) -> Events:
        self.running += 1
        try:
            about = chat_pb2.Completion(id="echo-1", model=spec.model)
            yield chat_pb2.StreamChatResponse(started=chat_pb2.Started(completion=about))
            begin = chat_pb2.PartStarted(role=content_pb2.ROLE_ASSISTANT)
            begin.part.text.SetInParent()
            yield chat_pb2.StreamChatResponse(part_started=begin)
            for number, word in enumerate(spec.messages[-1].parts[0].text.text.split()):
                await asyncio.sleep(self.pause)
                if word.startswith("!"):
                    raise ServiceError(Reason(word[1:]), f"told to fail with {word[1:]}")
                used.output_tokens += 1
                delta = chat_pb2.PartDelta(text=word if number == 0 else f" {word}")
                yield chat_pb2.StreamChatResponse(part_delta=delta)
            yield chat_pb2.StreamChatResponse(part_done=chat_pb2.PartDone())
            output = chat_pb2.Output(finish_reason=chat_pb2.FINISH_REASON_STOP)
            yield chat_pb2.StreamChatResponse(output_done=chat_pb2.OutputDone(output=output))
            about.usage.CopyFrom(used)
            yield chat_pb2.StreamChatResponse(completed=chat_pb2.Completed(completion=about))
        finally:
            self.running -= 1

    async def count_tokens(self, spec: chat_pb2.ChatSpec, call: Call) -> chat_pb2.CountTokensResponse:
        """A token a word."""
        return chat_pb2.CountTokensResponse(usage=usage_pb2.Usage(input_tokens=len(self._words(spec))))

    async def embed(self, request: embeddings_pb2.EmbedRequest, call: Call) -> embeddings_pb2.EmbedResponse:
        """One number a text: its length."""
        response = embeddings_pb2.EmbedResponse(model=request.model)
        for index, item in enumerate(request.inputs):
            response.embeddings.add(index=index).float32.values.append(len(item.text))
        return response

    async def list_models(self, request: models_pb2.ListModelsRequest, call: Call) -> models_pb2.ListModelsResponse:
        """One model."""
        return models_pb2.ListModelsResponse(models=[models_pb2.Model(name="echo/words", provider="echo")])

    async def get_model(self, request: models_pb2.GetModelRequest, call: Call) -> models_pb2.Model:
        """That model, whatever the name."""
        return models_pb2.Model(name=request.name, provider="echo")

    async def list_providers(
        self, request: models_pb2.ListProvidersRequest, call: Call
    ) -> models_pb2.ListProvidersResponse:
        """One provider."""
        return models_pb2.ListProvidersResponse(
            providers=[models_pb2.Provider(name="echo", wire="none", configured=True, features=["chat"])]
        )

    async def get_health(self, request: health_pb2.GetHealthRequest, call: Call) -> health_pb2.GetHealthResponse:
        """Always well."""
        return answered("echo", [], request)

    async def close(self) -> None:
        """Remember it."""
        self.closed = True

    def _words(self, spec: chat_pb2.ChatSpec) -> list[str]:
        words = spec.messages[-1].parts[0].text.text.split()
        for word in words:
            if word.startswith("!"):
                raise ServiceError(
                    Reason(word[1:]), f"told to fail with {word[1:]}", metadata={"provider": "echo"}, retry_after=1.5
                )
        return words
