"""The gateway as a backend in front of backends, in this process or others, by the same code."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, cast

from antiphon.core.backends import Backend, Relay, RelayBackend
from antiphon.core.call import Call
from antiphon.core.errors import ServiceError
from antiphon.core.health import answered, component
from antiphon.core.paging import page
from antiphon.core.streams import Events
from antiphon.gateway.routing import Router
from antiphon.v1 import chat_pb2, embeddings_pb2, health_pb2, models_pb2


class Gateway:
    """One door. `backends` are all that there are, by the names that health and lists call them."""

    def __init__(self, *, backends: Mapping[str, Backend], router: Router) -> None:
        self._backends = dict(backends)
        self._router = router

    async def chat(self, spec: chat_pb2.ChatSpec, call: Call) -> chat_pb2.Completion:
        """The routed backend's answer."""
        route = self._router.route(spec.model)
        return await route.backend.chat(_renamed(spec, route.model), call)

    def stream_chat(self, request: chat_pb2.StreamChatRequest, call: Call) -> Events:
        """The routed backend's events, untouched: they were numbered where they began."""
        route = self._router.route(request.spec.model)
        if route.model != request.spec.model:
            original, request = request, chat_pb2.StreamChatRequest()
            request.CopyFrom(original)
            request.spec.model = route.model
        return route.backend.stream_chat(request, call)

    def relay(self, wire: str, request: Mapping[str, Any], size: int, call: Call) -> Relay | None:
        """The way through the routed backend, where that has one."""
        route = self._router.route(request["model"])
        if not hasattr(route.backend, "relay"):
            return None
        renamed = request if route.model == request["model"] else {**request, "model": route.model}
        return cast("RelayBackend", route.backend).relay(wire, renamed, size, call)

    async def count_tokens(self, spec: chat_pb2.ChatSpec, call: Call) -> chat_pb2.CountTokensResponse:
        """The routed backend's count."""
        route = self._router.route(spec.model)
        return await route.backend.count_tokens(_renamed(spec, route.model), call)

    async def embed(self, request: embeddings_pb2.EmbedRequest, call: Call) -> embeddings_pb2.EmbedResponse:
        """The routed backend's vectors."""
        route = self._router.route(request.model)
        if route.model != request.model:
            original, request = request, embeddings_pb2.EmbedRequest()
            request.CopyFrom(original)
            request.model = route.model
        return await route.backend.embed(request, call)

    async def list_models(self, request: models_pb2.ListModelsRequest, call: Call) -> models_pb2.ListModelsResponse:
        """The models of all backends; a backend that cannot be asked is named."""
        if request.provider:
            backends = {request.provider: self._router.route(f"{request.provider}/").backend}
        else:
            backends = self._backends
        answers = await asyncio.gather(*(_listed(name, each, request, call) for name, each in backends.items()))
        models = [model for answer in answers for model in answer.models]
        for model in models:
            model.aliases.extend(self._router.aliases_of(model.name))
        return page(models, request, (item for answer in answers for item in answer.unreachable_providers))

    async def get_model(self, request: models_pb2.GetModelRequest, call: Call) -> models_pb2.Model:
        """The routed backend's model."""
        route = self._router.route(request.name)
        model = await route.backend.get_model(models_pb2.GetModelRequest(name=route.model), call)
        model.aliases.extend(self._router.aliases_of(model.name))
        return model

    async def list_providers(
        self, request: models_pb2.ListProvidersRequest, call: Call
    ) -> models_pb2.ListProvidersResponse:
        """The providers of all backends; a backend that cannot be asked is shown as one that is not configured."""
        answers = await asyncio.gather(
            *(_providers(name, each, request, call) for name, each in self._backends.items())
        )
        everyone = (provider for answer in answers for provider in answer)
        return models_pb2.ListProvidersResponse(providers=sorted(everyone, key=lambda each: each.name))

    async def get_health(self, request: health_pb2.GetHealthRequest, call: Call) -> health_pb2.GetHealthResponse:
        """The gateway, its backends and their parts."""
        everything = health_pb2.GetHealthRequest()
        answers = await asyncio.gather(
            *(_health(name, each, everything, call) for name, each in self._backends.items())
        )
        return answered("gateway", [part for answer in answers for part in answer], request)

    async def close(self) -> None:
        """Close every backend."""
        await asyncio.gather(*(backend.close() for backend in self._backends.values()))


def _renamed(spec: chat_pb2.ChatSpec, model: str) -> chat_pb2.ChatSpec:
    if spec.model == model:
        return spec
    renamed = chat_pb2.ChatSpec()
    renamed.CopyFrom(spec)
    renamed.model = model
    return renamed


async def _listed(
    name: str, backend: Backend, request: models_pb2.ListModelsRequest, call: Call
) -> models_pb2.ListModelsResponse:
    """All that a backend has for the request: pages are cut after merging."""
    whole = models_pb2.ListModelsResponse()
    asked = models_pb2.ListModelsRequest(provider=request.provider, search=request.search)
    try:
        while True:
            answer = await backend.list_models(asked, call)
            whole.MergeFrom(answer)
            if not answer.next_page_token:
                return whole
            asked.page_token = answer.next_page_token
    except ServiceError as error:
        if request.provider:
            raise
        whole.unreachable_providers.add(provider=name, reason=error.reason.value, message=error.message)
        return whole


async def _providers(
    name: str, backend: Backend, request: models_pb2.ListProvidersRequest, call: Call
) -> list[models_pb2.Provider]:
    try:
        return list((await backend.list_providers(request, call)).providers)
    except ServiceError as error:
        return [models_pb2.Provider(name=name, missing=error.message)]


async def _health(
    name: str, backend: Backend, request: health_pb2.GetHealthRequest, call: Call
) -> list[health_pb2.ComponentHealth]:
    try:
        return list((await backend.get_health(request, call)).components)
    except ServiceError as error:
        return [component(name, health_pb2.STATUS_NOT_SERVING, error=error)]
