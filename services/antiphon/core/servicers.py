"""A backend over gRPC: the generated servicers, which do nothing but hand on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, TypeAlias

from antiphon.core.backends import Backend
from antiphon.core.call import CURRENT
from antiphon.core.http2.server import GrpcServer
from antiphon.core.streams import Events
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

Context: TypeAlias = object

WATCH_SECONDS = 5.0
"""How often WatchHealth looks for changes."""


class ChatServicer(chat_pb2_grpc.ChatServiceServicer):
    """Chat over gRPC."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def Chat(self, request: chat_pb2.ChatRequest, context: Context) -> chat_pb2.ChatResponse:  # noqa: N802
        """Answer a conversation."""
        return chat_pb2.ChatResponse(completion=await self._backend.chat(request.spec, CURRENT.get()))

    def StreamChat(self, request: chat_pb2.StreamChatRequest, context: Context) -> Events:  # noqa: N802
        """Answer a conversation as events."""
        return self._backend.stream_chat(request, CURRENT.get())

    async def CountTokens(  # noqa: N802
        self, request: chat_pb2.CountTokensRequest, context: Context
    ) -> chat_pb2.CountTokensResponse:
        """Count tokens."""
        return await self._backend.count_tokens(request.spec, CURRENT.get())


class EmbeddingsServicer(embeddings_pb2_grpc.EmbeddingsServiceServicer):
    """Embeddings over gRPC."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def Embed(self, request: embeddings_pb2.EmbedRequest, context: Context) -> embeddings_pb2.EmbedResponse:  # noqa: N802
        """Embed a batch."""
        return await self._backend.embed(request, CURRENT.get())


class ModelsServicer(models_pb2_grpc.ModelsServiceServicer):
    """Models over gRPC."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def ListModels(  # noqa: N802
        self, request: models_pb2.ListModelsRequest, context: Context
    ) -> models_pb2.ListModelsResponse:
        """List models."""
        return await self._backend.list_models(request, CURRENT.get())

    async def ListProviders(  # noqa: N802
        self, request: models_pb2.ListProvidersRequest, context: Context
    ) -> models_pb2.ListProvidersResponse:
        """List providers."""
        return await self._backend.list_providers(request, CURRENT.get())

    async def GetModel(self, request: models_pb2.GetModelRequest, context: Context) -> models_pb2.GetModelResponse:  # noqa: N802
        """Describe a model."""
        return models_pb2.GetModelResponse(model=await self._backend.get_model(request, CURRENT.get()))


class HealthServicer(health_pb2_grpc.HealthServiceServicer):
    """Health of the parts over gRPC. Watches end when `draining` is set."""

    def __init__(self, backend: Backend, draining: asyncio.Event, *, watch_seconds: float = WATCH_SECONDS) -> None:
        self._backend = backend
        self._draining = draining
        self._watch_seconds = watch_seconds

    async def GetHealth(self, request: health_pb2.GetHealthRequest, context: Context) -> health_pb2.GetHealthResponse:  # noqa: N802
        """Health now."""
        return await self._backend.get_health(request, CURRENT.get())

    async def WatchHealth(  # noqa: N802
        self, request: health_pb2.WatchHealthRequest, context: Context
    ) -> AsyncGenerator[health_pb2.WatchHealthResponse, None]:
        """Health now, then every change of status, reason or message."""
        known: dict[str, tuple[object, ...]] = {}
        asked = health_pb2.GetHealthRequest(components=request.components)
        while not self._draining.is_set():
            for part in (await self._backend.get_health(asked, CURRENT.get())).components:
                state = (part.status, part.reason, part.message)
                if known.get(part.name) != state:
                    known[part.name] = state
                    yield health_pb2.WatchHealthResponse(component=part)
            try:
                await asyncio.wait_for(self._draining.wait(), self._watch_seconds)
            except TimeoutError:
                continue


def add_servicers(server: GrpcServer, backend: Backend, draining: asyncio.Event) -> tuple[str, ...]:
    """Put a backend's services on a server; returns their full names."""
    taker: Any = server  # it has what generated code calls, and is none of grpc's own classes
    chat_pb2_grpc.add_ChatServiceServicer_to_server(ChatServicer(backend), taker)
    embeddings_pb2_grpc.add_EmbeddingsServiceServicer_to_server(EmbeddingsServicer(backend), taker)
    models_pb2_grpc.add_ModelsServiceServicer_to_server(ModelsServicer(backend), taker)
    health_pb2_grpc.add_HealthServiceServicer_to_server(HealthServicer(backend, draining), taker)
    return tuple(
        file.DESCRIPTOR.services_by_name[name].full_name
        for file, name in (
            (chat_pb2, "ChatService"),
            (embeddings_pb2, "EmbeddingsService"),
            (models_pb2, "ModelsService"),
            (health_pb2, "HealthService"),
        )
    )
