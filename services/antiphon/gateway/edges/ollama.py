"""Ollama's edge: chat as JSON lines, embeddings, and models as if they lay on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from antiphon.core.validation import check
from antiphon.gateway.edges.callids import put_call_ids
from antiphon.gateway.edges.chats import Plain, chat, decoded
from antiphon.gateway.edges.exchange import Answer, Exchange, Handler
from antiphon.gateway.edges.listing import every_model, missing, one_model
from antiphon.v1 import models_pb2
from antiphon.wire.ollama_native.codec import OllamaChat
from antiphon.wire.ollama_native.embeddings import OllamaEmbeddings
from antiphon.wire.ollama_native.models import OllamaModels

CHAT = OllamaChat()
EMBEDDINGS = OllamaEmbeddings()
MODELS = OllamaModels()

MANNER = Plain(
    CHAT,
    lambda exchange: CHAT.stream_encoder(),
    content_type=lambda exchange: "application/x-ndjson",
    complete=put_call_ids,  # its SDKs know no identifiers
)


async def embeddings(exchange: Exchange) -> Answer:
    """Vectors."""
    request = decoded(EMBEDDINGS.decode_request, exchange.wired())
    exchange.put_policy(request)
    check(request)
    response = await exchange.backend.embed(request, exchange.call)
    return Answer(reply=EMBEDDINGS.encode_response(response), warnings=response.warnings)


async def tags(exchange: Exchange) -> Answer:
    """All models."""
    response = await every_model(exchange)
    shown = models_pb2.ListModelsResponse(models=map(_named, response.models))
    return Answer(reply=MODELS.encode_list(shown), warnings=missing(response.unreachable_providers))


async def show(exchange: Exchange) -> Answer:
    """One model."""
    name = decoded(MODELS.decode_model_request, exchange.wired())
    return Answer(reply=MODELS.encode_model(await one_model(exchange, name)))


def _named(model: models_pb2.Model) -> models_pb2.Model:
    """The model under the name by which clients of this edge call it: Ollama's lists know no other."""
    named = models_pb2.Model()
    named.CopyFrom(model)
    named.provider_model_id = named.display_name = model.name
    return named


HANDLERS: Final[Mapping[str, Handler]] = {
    "chat": chat(CHAT, MANNER),
    "embeddings": embeddings,
    "tags": tags,
    "show": show,
}
