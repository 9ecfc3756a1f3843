"""OpenAI's edge: chat completions, for its SDKs and for all that speak like them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from antiphon.core.streams import Events
from antiphon.gateway.edges import legacy
from antiphon.gateway.edges.callids import put_call_ids
from antiphon.gateway.edges.chats import as_comment, chat
from antiphon.gateway.edges.exchange import Exchange, Handler, Streamed
from antiphon.gateway.edges.relays import relaying
from antiphon.v1 import chat_pb2
from antiphon.wire.base import ChatCall, HttpReply, StreamEncoder
from antiphon.wire.openai_chat import OpenAIChat
from antiphon.wire.sse import encode_event

CHAT = OpenAIChat()

DONE = encode_event(b"[DONE]")
SAID_FALSE = "stream_false"
"""How the wire spells a request that says `stream: false` instead of nothing."""
WITHOUT_USAGE = ("no_stream_usage", "stream_usage_false")
"""How the wire spells a request that wants no usage at the end of its stream. That is between the client and this
edge: providers are asked for it all the same, because the traces and the books want the numbers."""


class ChatManner:
    """How chat completions are answered."""

    def prepare(self, asked: ChatCall) -> None:
        """Give calls of the old `functions` the identifiers that other providers want, and forget how not to stream
        was said: the provider is asked the same either way, so a recording answers both."""
        if SAID_FALSE in asked.spec.form.spellings:
            asked.spec.form.spellings.remove(SAID_FALSE)
        if legacy.is_legacy(asked.spec):
            put_call_ids(asked.spec)

    def encode(self, completion: chat_pb2.Completion, spec: chat_pb2.ChatSpec) -> HttpReply:
        """The answer, its calls as the client knows them."""
        reply = CHAT.encode_response(completion)
        return legacy.reply(reply) if legacy.is_legacy(spec) else reply

    def stream(self, events: Events, spec: chat_pb2.ChatSpec, exchange: Exchange) -> Streamed:
        """The events, with usage where the client asked for it."""
        encoder: StreamEncoder = CHAT.stream_encoder() if wants_usage(spec) else WithoutUsage()
        if legacy.is_legacy(spec):
            encoder = legacy.Encoder(encoder)
        return Streamed(events=events, encoder=encoder, failed=CHAT.encode_stream_error, note=as_comment)


class WithoutUsage:
    """Chunks that all have a choice: clients that asked for no usage read `choices[0]` without looking."""

    def __init__(self) -> None:
        self._encode = CHAT.stream_encoder(usage=False).encode

    def encode(self, event: chat_pb2.StreamChatResponse) -> bytes:
        """The bytes of an event."""
        return DONE if event.HasField("completed") else self._encode(event)


def wants_usage(spec: chat_pb2.ChatSpec) -> bool:
    """Whether the stream ends with usage."""
    return not any(name in spec.form.spellings for name in WITHOUT_USAGE)


HANDLERS: Final[Mapping[str, Handler]] = {
    "chat": relaying(
        CHAT.name,
        chat(CHAT, ChatManner()),
        encode=CHAT.encode_response,
        encoder=lambda usage: CHAT.stream_encoder() if usage else WithoutUsage(),
        failed=CHAT.encode_stream_error,
    )
}
