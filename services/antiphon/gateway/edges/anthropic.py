"""Anthropic's edge: messages, counts of tokens, and models in Anthropic's own shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from antiphon.core.errors import invalid
from antiphon.gateway.edges.chats import Plain, as_comment, chat, count
from antiphon.gateway.edges.exchange import Answer, Exchange, Handler
from antiphon.gateway.edges.listing import every_model, missing, one_model
from antiphon.v1 import models_pb2
from antiphon.wire.anthropic_messages.codec import AnthropicMessages
from antiphon.wire.base import HttpReply
from antiphon.wire.jsontext import JsonObject, dumps

MESSAGES = AnthropicMessages()
MANNER = Plain(MESSAGES, lambda exchange: MESSAGES.stream_encoder(), note=as_comment)
PAGE = 20
MOST = 1000


async def models(exchange: Exchange) -> Answer:
    """A page of models. `limit`, `after_id` and `before_id` are as Anthropic has them."""
    response = await every_model(exchange)
    names = [model.name for model in response.models]
    limit = _limit(exchange.query.get("limit", str(PAGE)))
    first, last = 0, len(names)
    if after := exchange.query.get("after_id"):
        first = _place(names, after, "after_id") + 1
        last = min(last, first + limit)
        more = last < len(names)
    elif before := exchange.query.get("before_id"):
        last = _place(names, before, "before_id")
        first = max(0, last - limit)
        more = first > 0
    else:
        last = min(last, limit)
        more = last < len(names)
    shown = response.models[first:last]
    body: JsonObject = {
        "data": [lower_model(model) for model in shown],
        "has_more": more,
        "first_id": shown[0].name if shown else None,
        "last_id": shown[-1].name if shown else None,
    }
    return Answer(reply=_json(body), warnings=missing(response.unreachable_providers))


async def model(exchange: Exchange) -> Answer:
    """One model."""
    return Answer(reply=_json(lower_model(await one_model(exchange, exchange.parameters["model"]))))


def lower_model(model: models_pb2.Model) -> JsonObject:
    """A model as Anthropic lists it; an unknown day of birth is the epoch, as there."""
    body: JsonObject = {
        "type": "model",
        "id": model.name,
        "display_name": model.display_name or model.name,
        "created_at": model.create_time.ToDatetime().strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    if model.HasField("context_window_tokens"):
        body["max_input_tokens"] = model.context_window_tokens
    if model.HasField("max_output_tokens"):
        body["max_tokens"] = model.max_output_tokens
    return body


def _limit(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST:
        raise invalid("limit", f"is {text[:40]!r}; give a number from 1 to {MOST}")
    return int(text)


def _place(names: list[str], name: str, field: str) -> int:
    try:
        return names.index(name)
    except ValueError as error:
        raise invalid(field, f"{name[:100]!r} is no model of this list") from error


def _json(body: JsonObject) -> HttpReply:
    return HttpReply(status=200, body=dumps(body), headers={"content-type": "application/json"})


HANDLERS: Final[Mapping[str, Handler]] = {
    "messages": chat(MESSAGES, MANNER),
    "count_tokens": count(MESSAGES),
    "models": models,
    "model": model,
}
