"""OpenAI's edge: embeddings and models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from antiphon.core.validation import check
from antiphon.gateway.edges.chats import decoded
from antiphon.gateway.edges.exchange import Answer, Exchange, Handler
from antiphon.gateway.edges.listing import every_model, missing, one_model
from antiphon.v1 import embeddings_pb2
from antiphon.wire.jsontext import loads
from antiphon.wire.openai_embeddings import OpenAIEmbeddings
from antiphon.wire.openai_models import OpenAIModels

EMBEDDINGS = OpenAIEmbeddings()
MODELS = OpenAIModels()


async def embeddings(exchange: Exchange) -> Answer:
    """Vectors, as floats or base64."""
    call = exchange.wired()
    request = decoded(EMBEDDINGS.decode_request, call)
    exchange.put_policy(request)
    wanted = loads(call.body).get("encoding_format")
    if wanted in ("float", "base64"):  # how the numbers are written here, and no matter of the provider
        request.encoding = embeddings_pb2.VECTOR_ENCODING_UNSPECIFIED
    check(request)
    response = await exchange.backend.embed(request, exchange.call)
    reply = EMBEDDINGS.encode_response(response, encoding_format=wanted if wanted == "base64" else "float")
    return Answer(reply=reply, warnings=response.warnings)


async def models(exchange: Exchange) -> Answer:
    """All models."""
    response = await every_model(exchange)
    return Answer(reply=MODELS.encode_list(response), warnings=missing(response.unreachable_providers))


async def model(exchange: Exchange) -> Answer:
    """One model; its name may hold a slash."""
    return Answer(reply=MODELS.encode_model(await one_model(exchange, exchange.parameters["model"])))


HANDLERS: Final[Mapping[str, Handler]] = {"embeddings": embeddings, "models": models, "model": model}
