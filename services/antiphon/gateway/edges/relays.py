"""Chats that go on as they came, where the edge and the provider behind it speak one wire.

Whether a request and its answer may is decided where their wire is known: here a request is only parsed and offered.
Whatever is not taken goes the way of `chats`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import cast

import orjson

from antiphon.core.backends import RelayBackend
from antiphon.core.errors import ServiceError
from antiphon.core.streams import together
from antiphon.gateway.edges.asked import UNSUPPORTED_HEADER
from antiphon.gateway.edges.chats import Stamp, Stamping
from antiphon.gateway.edges.exchange import Answer, Exchange, Handler, PassedOn, Relayed, Streamed
from antiphon.v1 import chat_pb2
from antiphon.wire.base import HttpReply, StreamEncoder


def relaying(
    wire: str,
    general: Handler,
    *,
    encode: Callable[[chat_pb2.Completion], HttpReply],
    encoder: Callable[[bool], StreamEncoder],
    failed: Callable[[ServiceError], bytes],
) -> Handler:
    """The handler of a chat route: requests that the backend can hand on so, and all others by `general`.

    `encode` and `encoder` write an answer that may not be passed on as it is, as `general` would; the encoder is for a
    stream with or without usage at its end.
    """

    async def handle(exchange: Exchange) -> Answer | Streamed | PassedOn | Relayed:
        backend = exchange.backend
        if not hasattr(backend, "relay") or UNSUPPORTED_HEADER in exchange.headers:
            return await general(exchange)
        body = exchange.body
        try:
            asked = orjson.loads(body)
        except orjson.JSONDecodeError:
            return await general(exchange)
        if type(asked) is not dict or type(asked.get("model")) is not str or not asked["model"]:
            return await general(exchange)
        relay = cast("RelayBackend", backend).relay(wire, asked, len(body), exchange.call)
        if relay is None:
            return await general(exchange)
        if relay.stream:
            options = asked.get("stream_options")
            stamping = Stamping(encoder(bool(options and options["include_usage"])))
            return Relayed(pour=partial(relay.pour, _writing(stamping)), failed=failed)
        answer = await relay.whole()
        if type(answer) is bytes:
            return PassedOn(body=answer)
        completion = cast("chat_pb2.Completion", answer)
        Stamp().put(completion)
        reply = encode(completion)
        return Answer(reply=reply, warnings=[*completion.warnings, *reply.warnings])

    return handle


def _writing(encoder: StreamEncoder) -> Callable[[Sequence[chat_pb2.StreamChatResponse]], bytes]:
    def write(events: Sequence[chat_pb2.StreamChatResponse]) -> bytes:
        return b"".join(map(encoder.encode, together(list(events))))

    return write
