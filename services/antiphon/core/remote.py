"""A backend over a channel: the other side of `servicers`."""

from __future__ import annotations

from typing import Final, TypeVar

import grpc
import grpc.aio
from google.protobuf.message import Message

from antiphon.core.call import Call
from antiphon.core.channel import connect, outgoing
from antiphon.core.errors import Reason, ServiceError
from antiphon.core.status import from_rpc_error
from antiphon.core.streams import Events, received
from antiphon.core.telemetry.rpc import client_call
from antiphon.v1 import (
    chat_pb2,
    chat_pb2_grpc,
    embeddings_pb2,
    embeddings_pb2_grpc,
    health_pb2,
    health_pb2_grpc,
    models_pb2,
    models_pb2_grpc,
)

Q = TypeVar("Q", bound=Message)
A = TypeVar("A", bound=Message)

CHAT: Final = "antiphon.v1.ChatService/Chat"
STREAM_CHAT: Final = "antiphon.v1.ChatService/StreamChat"
COUNT_TOKENS: Final = "antiphon.v1.ChatService/CountTokens"
EMBED: Final = "antiphon.v1.EmbeddingsService/Embed"
LIST_MODELS: Final = "antiphon.v1.ModelsService/ListModels"
GET_MODEL: Final = "antiphon.v1.ModelsService/GetModel"
LIST_PROVIDERS: Final = "antiphon.v1.ModelsService/ListProviders"
GET_HEALTH: Final = "antiphon.v1.HealthService/GetHealth"


class RemoteBackend:
    """A service elsewhere. `name` is what errors call it, such as "adapter"; `hint` says how to start it."""

    def __init__(self, name: str, address: str, *, hint: str = "", token: str = "") -> None:
        self._name = name
        self._address = address
        self._hint = hint
        self._token = (("authorization", f"Bearer {token}"),) if token else ()
        self._channel = connect(address)
        self._chat = chat_pb2_grpc.ChatServiceStub(self._channel)
        self._embeddings = embeddings_pb2_grpc.EmbeddingsServiceStub(self._channel)
        self._models = models_pb2_grpc.ModelsServiceStub(self._channel)
        self._health = health_pb2_grpc.HealthServiceStub(self._channel)

    async def chat(self, spec: chat_pb2.ChatSpec, call: Call) -> chat_pb2.Completion:
        """The answer to a conversation."""
        response = await self._answer(CHAT, self._chat.Chat, chat_pb2.ChatRequest(spec=spec), call)
        return response.completion

    async def stream_chat(self, request: chat_pb2.StreamChatRequest, call: Call) -> Events:
        """The answer as numbered events."""
        with client_call(call, STREAM_CHAT, self._address) as onward:
            stream = self._chat.StreamChat(request, timeout=onward.timeout(), metadata=self._metadata(onward))
            messages = received(stream)
            try:
                async for event in messages:
                    yield event
                call.hear(await stream.trailing_metadata())
            except grpc.RpcError as error:
                raise self._error(error, call) from error
            finally:
                await messages.aclose()

    async def count_tokens(self, spec: chat_pb2.ChatSpec, call: Call) -> chat_pb2.CountTokensResponse:
        """How many tokens the conversation has."""
        request = chat_pb2.CountTokensRequest(spec=spec)
        return await self._answer(COUNT_TOKENS, self._chat.CountTokens, request, call)

    async def embed(self, request: embeddings_pb2.EmbedRequest, call: Call) -> embeddings_pb2.EmbedResponse:
        """One vector an input."""
        return await self._answer(EMBED, self._embeddings.Embed, request, call)

    async def list_models(self, request: models_pb2.ListModelsRequest, call: Call) -> models_pb2.ListModelsResponse:
        """The models, by name."""
        return await self._answer(LIST_MODELS, self._models.ListModels, request, call)

    async def get_model(self, request: models_pb2.GetModelRequest, call: Call) -> models_pb2.Model:
        """One model."""
        response = await self._answer(GET_MODEL, self._models.GetModel, request, call)
        return response.model

    async def list_providers(
        self, request: models_pb2.ListProvidersRequest, call: Call
    ) -> models_pb2.ListProvidersResponse:
        """The providers, by name."""
        return await self._answer(LIST_PROVIDERS, self._models.ListProviders, request, call)

    async def get_health(self, request: health_pb2.GetHealthRequest, call: Call) -> health_pb2.GetHealthResponse:
        """How the parts are now."""
        return await self._answer(GET_HEALTH, self._health.GetHealth, request, call)

    async def close(self) -> None:
        """Close the channel."""
        await self._channel.close()

    def _metadata(self, call: Call) -> tuple[tuple[str, str], ...]:
        return (*outgoing(call), *self._token)

    async def _answer(self, name: str, method: grpc.aio.UnaryUnaryMultiCallable[Q, A], request: Q, call: Call) -> A:
        with client_call(call, name, self._address) as onward:
            try:
                answering = method(request, timeout=onward.timeout(), metadata=self._metadata(onward))
                answer: A = await answering
                call.hear(await answering.trailing_metadata())
            except grpc.RpcError as error:
                raise self._error(error, call) from error
            return answer

    def _error(self, error: grpc.RpcError, call: Call) -> ServiceError:
        """The typed error; one that grpc itself made says which service, where, and what to do."""
        if isinstance(error, grpc.aio.AioRpcError):
            call.hear(error.trailing_metadata())
        typed = from_rpc_error(error)
        if typed.reason is Reason.BACKEND_UNAVAILABLE and "backend" not in typed.metadata:
            typed.message = f"the {self._name} at {self._address} cannot be reached: {typed.message}"
            if self._hint:
                typed.message += f"; {self._hint}"
            typed.metadata["backend"] = self._name
        return typed
