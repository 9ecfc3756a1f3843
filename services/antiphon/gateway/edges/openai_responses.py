"""OpenAI's edge: responses, and counts of their tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from antiphon.core.errors import ServiceError
from antiphon.gateway.edges.chats import Plain, as_comment, chat, count
from antiphon.gateway.edges.exchange import Handler
from antiphon.v1 import chat_pb2
from antiphon.wire.jsontext import dumps, loads
from antiphon.wire.openai_chat.errors import error_object
from antiphon.wire.openai_responses.codec import OpenAIResponses

RESPONSES = OpenAIResponses()


class Raised:
    """The events of a response, whose error is also written as chat completions have it: only that makes OpenAI's SDKs
    raise, for the documented form is to them an event like any other."""

    def __init__(self) -> None:
        self._inner = RESPONSES.stream_encoder()

    def encode(self, event: chat_pb2.StreamChatResponse) -> bytes:
        """The bytes of an event."""
        return self._inner.encode(event)

    def error(self, error: ServiceError) -> bytes:
        """The event that ends a stream that fails."""
        head, mark, text = self._inner.error(error).partition(b"data: ")
        return head + mark + dumps({**loads(text), **error_object(error)}) + b"\n\n"


HANDLERS: Final[Mapping[str, Handler]] = {
    "responses": chat(RESPONSES, Plain(RESPONSES, lambda exchange: Raised(), note=as_comment)),
    "input_tokens": count(RESPONSES),
}
