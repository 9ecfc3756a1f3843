"""What a service does, apart from how it is reached.

The gateway, the provider adapter and the Triton service are backends alike. `servicers` exposes one over gRPC and
`remote` is one over a channel, so parts can be called directly, chained, or composed in one process by the same code.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from antiphon.core.call import Call
from antiphon.v1 import chat_pb2, embeddings_pb2, health_pb2, models_pb2


class ChatBackend(Protocol):
    """Answers conversations. Every method raises ServiceError."""

    async def chat(self, spec: chat_pb2.ChatSpec, call: Call) -> chat_pb2.Completion:
        """The answer to a conversation."""

    def stream_chat(
        self, request: chat_pb2.StreamChatRequest, call: Call
    ) -> AsyncGenerator[chat_pb2.StreamChatResponse, None]:
        """The answer as numbered events: an async generator, to be closed by whoever leaves it early."""

    async def count_tokens(self, spec: chat_pb2.ChatSpec, call: Call) -> chat_pb2.CountTokensResponse:
        """How many tokens the conversation has."""


class EmbeddingsBackend(Protocol):
    """Turns content into vectors."""

    async def embed(self, request: embeddings_pb2.EmbedRequest, call: Call) -> embeddings_pb2.EmbedResponse:
        """One vector an input, in their order. Raises ServiceError."""


class ModelsBackend(Protocol):
    """Tells which models there are."""

    async def list_models(self, request: models_pb2.ListModelsRequest, call: Call) -> models_pb2.ListModelsResponse:
        """The models, by name. A provider that cannot be asked is named in the answer, not raised."""

    async def get_model(self, request: models_pb2.GetModelRequest, call: Call) -> models_pb2.Model:
        """One model. Raises ServiceError MODEL_NOT_FOUND."""


class ProvidersBackend(Protocol):
    """Tells which providers there are."""

    async def list_providers(
        self, request: models_pb2.ListProvidersRequest, call: Call
    ) -> models_pb2.ListProvidersResponse:
        """The providers, by name, configured or not. Asks none of them."""


class HealthBackend(Protocol):
    """Tells how its parts are."""

    async def get_health(self, request: health_pb2.GetHealthRequest, call: Call) -> health_pb2.GetHealthResponse:
        """How the parts are now; a part that fails is told, not raised."""


class Relay(Protocol):
    """A request of some wire, on its way to a provider that speaks the same wire. One of the two is to be asked, once,
    as `stream` says."""

    stream: bool
    """Whether the client asked for a stream."""

    async def whole(self) -> bytes | chat_pb2.Completion:
        """The provider's answer as it came, or read where it may not be passed on so. Raises ServiceError."""

    async def pour(
        self,
        write: Callable[[Sequence[chat_pb2.StreamChatResponse]], bytes],
        put: Callable[[bytes], bool],
        room: Callable[[], Awaitable[None]],
    ) -> None:
        """Give the answer's bytes for the client to `put` as they come, the first of them when the answer begins,
        perhaps empty, and await `room` where that says that the client is behind. `write` writes events for this
        client, where the answer may not be passed on as it is. Raises ServiceError, also in the midst."""


class RelayBackend(Protocol):
    """A backend that may hand a request on without reading it into our messages and writing it again."""

    def relay(self, wire: str, request: Mapping[str, Any], size: int, call: Call) -> Relay | None:
        """The way of a request; None where there is none, and the request is to be read. `wire` names its format,
        `request` is its JSON, with a model, and `size` its length in bytes. Raises ServiceError."""


class Backend(ChatBackend, EmbeddingsBackend, ModelsBackend, ProvidersBackend, HealthBackend, Protocol):
    """A whole service."""

    async def close(self) -> None:
        """Give back connections. No call may follow."""
