"""The adapter as a backend: our message to provider JSON, one upstream request, provider JSON to our message."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any

from antiphon.adapter.catalog import Catalog
from antiphon.adapter.codecs import Codecs
from antiphon.adapter.credentials import Credentials
from antiphon.adapter.health import Observations
from antiphon.adapter.labels import label, note, refused
from antiphon.adapter.providers import Provider, Providers
from antiphon.adapter.recording import RecordingPolicy
from antiphon.adapter.relay import ProviderRelay
from antiphon.adapter.streaming import Streaming, finish
from antiphon.adapter.targets import Targets
from antiphon.adapter.upstream import Target, Upstream
from antiphon.core.backends import Relay
from antiphon.core.call import Call
from antiphon.core.errors import Reason, ServiceError
from antiphon.core.fates import fates
from antiphon.core.health import answered
from antiphon.core.streams import Batches, Events, published_together
from antiphon.core.telemetry.genai import operation
from antiphon.v1 import chat_pb2, embeddings_pb2, health_pb2, models_pb2, usage_pb2
from antiphon.wire.base import ChatWire, CountsTokens, HttpCall
from antiphon.wire.sent import sent

HealthSource = Callable[[], Sequence[health_pb2.ComponentHealth]]


class ProviderAdapter:
    """Every provider behind the services of the contract. One upstream request a call: no retries here."""

    def __init__(
        self,
        *,
        providers: Providers,
        credentials: Credentials,
        upstream: Upstream,
        policy: RecordingPolicy,
        also_health: HealthSource = tuple,
    ) -> None:
        self._providers = providers
        self._credentials = credentials
        self._upstream = upstream
        self._policy = policy
        self._codecs = Codecs(providers, credentials)
        self._observed = Observations(providers, credentials, policy)
        self._also_health = also_health
        self._targets = Targets(credentials, policy)
        self._catalog = Catalog(providers, upstream, target=self._target, configured=self._configured)

    async def chat(self, spec: chat_pb2.ChatSpec, call: Call) -> chat_pb2.Completion:
        """The provider's answer."""
        provider, own = self._providers.resolve(spec.model)
        wire = await self._codecs.chat(provider)
        wired = _encoded(partial(wire.encode_request, stream=False), spec, own)
        with self._observed.watch(provider), operation(call, "chat", provider=provider.name, model=own) as op:
            async with self._upstream.open(self._target(provider, own, wired, call), wired, op.call) as reply:
                note(op, reply)
                body = await reply.whole()
            if body.status >= 400:
                raise refused(provider, own, wire.decode_error(body), reply)
            completion = wire.decode_response(body)
            label(completion, provider, reply)
            completion.warnings.extend(wired.warnings)
            completion.parameter_fates.extend(_chat_fates(wire, spec, own, stream=False))
            finish(op, completion, [output.provider_finish_reason for output in completion.outputs])
            return completion

    def stream_chat(self, request: chat_pb2.StreamChatRequest, call: Call) -> Events:
        """The provider's answer as numbered events."""
        used = usage_pb2.Usage()
        return published_together(self._events(request.spec, call, used), request, lambda: used)

    async def _events(self, spec: chat_pb2.ChatSpec, call: Call, used: usage_pb2.Usage) -> Batches:
        provider, own = self._providers.resolve(spec.model)
        wire = await self._codecs.chat(provider)
        wired = _encoded(partial(wire.encode_request, stream=True), spec, own)
        with (
            self._observed.watch(provider),
            operation(call, "chat", provider=provider.name, model=own, stream=True) as op,
        ):
            fates_of = partial(_chat_fates, wire, spec, own, stream=True)
            decoder = wire.stream_decoder()
            streaming = Streaming(decoder, op, provider, warnings=wired.warnings, fates=fates_of, used=used)
            try:
                async with self._upstream.open(self._target(provider, own, wired, call), wired, op.call) as reply:
                    note(op, reply)
                    if reply.status >= 400:
                        raise refused(provider, own, wire.decode_error(await reply.whole()), reply)
                    async with aclosing(streaming.events(reply)) as together:
                        async for events in together:
                            yield events
            finally:
                streaming.end()

    def relay(self, wire: str, request: Mapping[str, Any], size: int, call: Call) -> Relay | None:
        """The way of a request whose wire is the provider's own."""
        provider, own = self._providers.resolve(request["model"])
        codec = self._codecs.relaying(provider, wire)
        wired = None if codec is None else codec.relay_request(request, size, own)
        if codec is None or wired is None:
            return None
        target = partial(self._target, provider, own, wired.call)
        return ProviderRelay(provider, own, codec, wired, target, self._upstream, self._observed, call)

    async def count_tokens(self, spec: chat_pb2.ChatSpec, call: Call) -> chat_pb2.CountTokensResponse:
        """The provider's own count. Raises ServiceError UNSUPPORTED_OPERATION where it offers none."""
        provider, own = self._providers.resolve(spec.model)
        wire = await self._codecs.chat(provider)
        if not isinstance(wire, CountsTokens):
            raise ServiceError(
                Reason.UNSUPPORTED_OPERATION,
                f"{provider.name} counts no tokens before a call; the usage of an answer tells",
                metadata={"provider": provider.name},
            )
        wired = _encoded(wire.encode_count_request, spec, own)
        with self._observed.watch(provider), operation(call, "count_tokens", provider=provider.name, model=own) as op:
            async with self._upstream.open(self._target(provider, own, wired, call), wired, op.call) as reply:
                note(op, reply)
                body = await reply.whole()
            if body.status >= 400:
                raise refused(provider, own, wire.decode_error(body), reply)
            return wire.decode_count_response(body)

    async def embed(self, request: embeddings_pb2.EmbedRequest, call: Call) -> embeddings_pb2.EmbedResponse:
        """The provider's vectors, one an input, in their order."""
        provider, own = self._providers.resolve(request.model)
        wire = await self._codecs.embeddings(provider)
        if wire is None:
            able = ", ".join(sorted(each.name for each in self._providers if each.embeddings))
            raise ServiceError(
                Reason.UNSUPPORTED_OPERATION,
                f"{provider.name} offers no embeddings; these do: {able}",
                metadata={"provider": provider.name},
            )
        renamed = embeddings_pb2.EmbedRequest()
        renamed.CopyFrom(request)
        renamed.model = own
        wired = wire.encode_request(renamed)
        with self._observed.watch(provider), operation(call, "embeddings", provider=provider.name, model=own) as op:
            async with self._upstream.open(self._target(provider, own, wired, call), wired, op.call) as reply:
                note(op, reply)
                body = await reply.whole()
            if body.status >= 400:
                raise refused(provider, own, wire.decode_error(body), reply)
            response = wire.decode_response(body)
            if len(response.embeddings) != len(request.inputs):
                raise ServiceError(
                    Reason.MALFORMED_RESPONSE,
                    f"{provider.name} sent {len(response.embeddings)} vectors for {len(request.inputs)} inputs",
                    metadata={"provider": provider.name, "model": own},
                )
            response.provider = provider.name
            response.replayed = bool(reply.recording.get("replayed"))
            response.warnings.extend(wired.warnings)
            if request.report_parameters:
                response.parameter_fates.extend(fates(renamed, lambda each: sent(wire.encode_request(each))))
            op.finished(usage=response.usage, model=response.model, response_id=response.id)
            return response

    async def list_models(self, request: models_pb2.ListModelsRequest, call: Call) -> models_pb2.ListModelsResponse:
        """The models of every configured provider."""
        return await self._catalog.list_models(request, call)

    async def get_model(self, request: models_pb2.GetModelRequest, call: Call) -> models_pb2.Model:
        """One model."""
        return await self._catalog.get_model(request.name, call)

    async def list_providers(
        self, request: models_pb2.ListProvidersRequest, call: Call
    ) -> models_pb2.ListProvidersResponse:
        """Every row, and what is missing where it cannot be called."""
        return models_pb2.ListProvidersResponse(
            providers=[self._fact(each) for each in sorted(self._providers, key=lambda each: each.name)]
        )

    async def get_health(self, request: health_pb2.GetHealthRequest, call: Call) -> health_pb2.GetHealthResponse:
        """The adapter and each of its providers, by what was last seen of them."""
        parts = [*self._observed.components(), *self._also_health()]
        return answered("adapter", parts, request)

    async def close(self) -> None:
        """Close the connections to providers."""
        await self._upstream.close()

    def _fact(self, provider: Provider) -> models_pb2.Provider:
        configured = self._configured(provider)
        lacking = self._credentials.lacking(provider)
        if self._policy.mode == "replay":
            lacking = "record something, or choose another mode: it has no recordings here"
        return models_pb2.Provider(
            name=provider.name,
            wire=provider.wire,
            configured=configured,
            missing="" if configured else lacking,
            warning=self._credentials.warning(provider),
            key_required=provider.key_required,
            local=provider.local,
            default_model=provider.default_model,
            features=provider.features + (("embeddings",) if provider.embeddings else ()),
            key_names=provider.key_names,
        )

    def _configured(self, provider: Provider) -> bool:
        if self._policy.mode == "replay":
            return provider.name in self._policy.recorded
        return self._credentials.configured(provider)

    def _target(self, provider: Provider, own: str, wired: HttpCall, call: Call) -> Target:
        return self._targets.of(provider, own, wired, call)


def _encoded(encode: Callable[[chat_pb2.ChatSpec], HttpCall], spec: chat_pb2.ChatSpec, own: str) -> HttpCall:
    """The request with the provider's own name of the model, lent to `spec` meanwhile: a conversation may be large, so
    it is not copied for one word."""
    asked, spec.model = spec.model, own
    try:
        return encode(spec)
    finally:
        spec.model = asked


def _chat_fates(wire: ChatWire, spec: chat_pb2.ChatSpec, own: str, *, stream: bool) -> Sequence[chat_pb2.ParameterFate]:
    if not spec.report_parameters:
        return ()
    renamed = chat_pb2.ChatSpec()
    renamed.CopyFrom(spec)
    renamed.model = own
    return fates(renamed, lambda each: sent(wire.encode_request(each, stream=stream)), prefix="spec.")
