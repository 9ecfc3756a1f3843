"""Gemini's edge: generateContent and its kin. The model stands in the path, and may hold slashes and colons."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import quote

from antiphon.core.validation import check
from antiphon.gateway.edges.chats import EVENT_STREAM, Plain, chat, count, decoded
from antiphon.gateway.edges.exchange import Answer, Exchange, Handler
from antiphon.gateway.edges.listing import missing, one_model
from antiphon.wire.base import HttpCall
from antiphon.wire.gemini.codec import Gemini
from antiphon.wire.gemini.embeddings import GeminiEmbeddings
from antiphon.wire.gemini.models import GeminiModels

CHAT = Gemini()
EMBEDDINGS = GeminiEmbeddings()
MODELS = GeminiModels()


def _method(name: str) -> Callable[[Exchange], HttpCall]:
    """The call as the wire reads it: with the model quoted, so that its colons are none of the path's."""

    def call(exchange: Exchange) -> HttpCall:
        path = f"/v1beta/models/{quote(exchange.parameters['model'], safe='/')}:{name}"
        return replace(exchange.wired(), path=path)

    return call


def _is_array(exchange: Exchange) -> bool:
    return exchange.query.get("alt") != "sse"


MANNER = Plain(
    CHAT,
    lambda exchange: CHAT.stream_encoder(array=_is_array(exchange)),
    content_type=lambda exchange: "application/json; charset=utf-8" if _is_array(exchange) else EVENT_STREAM,
    # No late warnings: Google's SDK takes a comment for a piece of JSON.
)


def embeddings(name: str, *, batch: bool) -> Handler:
    """The handler of one content, or of several."""
    read = _method(name)

    async def handle(exchange: Exchange) -> Answer:
        request = decoded(EMBEDDINGS.decode_request, read(exchange))
        exchange.put_policy(request)
        check(request)
        response = await exchange.backend.embed(request, exchange.call)
        return Answer(reply=EMBEDDINGS.encode_response(response, batch=batch), warnings=response.warnings)

    return handle


async def models(exchange: Exchange) -> Answer:
    """A page of models."""
    request = MODELS.decode_list_request(exchange.wired())
    check(request)
    response = await exchange.backend.list_models(request, exchange.call)
    return Answer(reply=MODELS.encode_list(response), warnings=missing(response.unreachable_providers))


async def model(exchange: Exchange) -> Answer:
    """One model."""
    return Answer(reply=MODELS.encode_model(await one_model(exchange, exchange.parameters["model"])))


HANDLERS: Final[Mapping[str, Handler]] = {
    "generateContent": chat(CHAT, MANNER, call=_method("generateContent")),
    "streamGenerateContent": chat(CHAT, MANNER, call=_method("streamGenerateContent")),
    "countTokens": count(CHAT, call=_method("countTokens")),
    "embedContent": embeddings("embedContent", batch=False),
    "batchEmbedContents": embeddings("batchEmbedContents", batch=True),
    "models": models,
    "model": model,
}
