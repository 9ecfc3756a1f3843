"""The models of all configured providers, asked at the same time; one that fails is named, not raised."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from antiphon.adapter.providers import Provider, Providers
from antiphon.adapter.upstream import Target, Upstream
from antiphon.adapter.wires import models_wire
from antiphon.core.call import Call
from antiphon.core.errors import Reason, ServiceError
from antiphon.core.paging import page
from antiphon.v1 import models_pb2
from antiphon.wire.base import HttpCall

PATIENCE = 10.0
"""Seconds that one provider's list may take before it counts as unreachable."""


class Catalog:
    """Lists of models, from the providers themselves."""

    def __init__(
        self,
        providers: Providers,
        upstream: Upstream,
        *,
        target: Callable[[Provider, str, HttpCall, Call], Target],
        configured: Callable[[Provider], bool],
    ) -> None:
        self._providers = providers
        self._upstream = upstream
        self._target = target
        self._configured = configured

    async def list_models(self, request: models_pb2.ListModelsRequest, call: Call) -> models_pb2.ListModelsResponse:
        """The models of the wanted providers that are configured."""
        if request.provider:
            asked = [self._providers.get(request.provider)]
        else:
            # Local servers are often simply not running: they are asked only when named.
            asked = [each for each in self._providers if each.models and not each.local and self._configured(each)]
        results = await asyncio.gather(*(self._ask(provider, call) for provider in asked))
        models: list[models_pb2.Model] = []
        unreachable: list[models_pb2.UnreachableProvider] = []
        for result in results:
            if isinstance(result, models_pb2.UnreachableProvider):
                unreachable.append(result)
            else:
                models.extend(result)
        return page(models, request, unreachable)

    async def get_model(self, name: str, call: Call) -> models_pb2.Model:
        """One model by "provider/model". Raises ServiceError MODEL_NOT_FOUND, or why its provider cannot be asked."""
        provider, own = self._providers.resolve(name)
        models = await self._models(provider, call)
        for model in models:
            if model.provider_model_id == own:
                return model
        raise ServiceError(
            Reason.MODEL_NOT_FOUND,
            f"{provider.name} lists no model {own!r}; `antiphon models --provider {provider.name}` lists what there is",
            metadata={"provider": provider.name, "model": own},
        )

    async def _ask(self, provider: Provider, call: Call) -> list[models_pb2.Model] | models_pb2.UnreachableProvider:
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._models(provider, call)
        except ServiceError as error:
            return models_pb2.UnreachableProvider(
                provider=provider.name, reason=error.reason.value, message=error.message
            )
        except TimeoutError:
            return models_pb2.UnreachableProvider(
                provider=provider.name,
                reason=Reason.PROVIDER_UNAVAILABLE.value,
                message=f"no list of models within {PATIENCE:g} s",
            )

    async def _models(self, provider: Provider, call: Call) -> list[models_pb2.Model]:
        wire = models_wire(provider)
        if wire is None:
            raise ServiceError(
                Reason.UNSUPPORTED_OPERATION,
                f"{provider.name} offers no list of models; its documentation names them",
                metadata={"provider": provider.name},
            )
        wired = wire.encode_list_request()
        reply = await self._upstream.answer(self._target(provider, "", wired, call), wired, call)
        if reply.status >= 400:
            raise wire.decode_error(reply)
        models = list(wire.decode_list(reply).models)
        for model in models:
            model.provider = provider.name
            model.name = f"{provider.name}/{model.provider_model_id}"
        return models
