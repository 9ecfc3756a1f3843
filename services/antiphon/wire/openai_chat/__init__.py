"""OpenAI chat completions, and every provider that speaks them, both ways."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from antiphon.core.errors import ServiceError
from antiphon.v1 import chat_pb2
from antiphon.wire.base import ChatCall, HttpCall, HttpReply, Relayed, Told
from antiphon.wire.jsontext import dumps
from antiphon.wire.openai_chat.errors import error_object, lift_error, lower_error
from antiphon.wire.openai_chat.quirks import OPENAI_REFUSES, WIRE, Quirks, ReasoningStyle
from antiphon.wire.openai_chat.relay import MOST_AGAIN, read_again, read_answer, relayed_request
from antiphon.wire.openai_chat.relay_chunks import Chunks
from antiphon.wire.openai_chat.relay_stream import Event, RelayReader
from antiphon.wire.openai_chat.request import lift_request, lower_request
from antiphon.wire.openai_chat.response import lift_response, lower_response
from antiphon.wire.openai_chat.stream import ChatStreamDecoder
from antiphon.wire.openai_chat.stream_encoder import ChatStreamEncoder
from antiphon.wire.sse import encode_event


class OpenAIChat:
    """The wire. See `wire.base.ChatWire`; `quirks` are the provider's."""

    def __init__(self, quirks: Quirks | None = None) -> None:
        self._quirks = quirks or Quirks()
        self._chunks = Chunks()

    @property
    def name(self) -> str:
        """The wire's name."""
        return WIRE

    def encode_request(self, spec: chat_pb2.ChatSpec, /, *, stream: bool) -> HttpCall:
        """The request for the provider. Raises ServiceError UNSUPPORTED_PARAMETER; see `HttpCall.warnings`."""
        return lower_request(spec, self._quirks, stream=stream)

    def decode_request(self, call: HttpCall, /) -> ChatCall:
        """What a client asks. Raises ServiceError INVALID_REQUEST with the field's path."""
        return lift_request(call)

    def decode_response(self, reply: HttpReply, /) -> chat_pb2.Completion:
        """The answer in a successful reply. Raises ServiceError."""
        return lift_response(reply)

    def encode_response(self, completion: chat_pb2.Completion, /) -> HttpReply:
        """The answer for a client."""
        return lower_response(completion)

    def stream_decoder(self) -> ChatStreamDecoder:
        """A fresh reader for one stream."""
        return ChatStreamDecoder()

    def stream_encoder(self, *, usage: bool = True) -> ChatStreamEncoder:
        """A fresh writer for one stream; `usage` as the client asked by `stream_options.include_usage`."""
        return ChatStreamEncoder(usage=usage)

    def relay_request(self, request: Mapping[str, Any], size: int, model: str, /) -> Relayed | None:
        """A client's request as the provider gets it; None where it may not go on as it is. See `wire.base.Relays`."""
        return relayed_request(request, size, self._quirks, model)

    def relay_answer(self, reply: HttpReply, /, *, again: bool = False) -> Told | None:
        """What the books want of an answer that may be passed on as it is; None for any other."""
        return read_again(reply.body) if again and len(reply.body) <= MOST_AGAIN else read_answer(reply.body)

    def relay_stream(self, *, usage: bool, write: Callable[[Sequence[Event]], bytes]) -> RelayReader:
        """A fresh reader for one stream on its way."""
        return RelayReader(usage=usage, write=write, chunks=self._chunks)

    def decode_error(self, reply: HttpReply, /) -> ServiceError:
        """The meaning of an unsuccessful reply."""
        return lift_error(reply)

    def encode_error(self, error: ServiceError, /) -> HttpReply:
        """The error for a client."""
        return lower_error(error)

    def encode_stream_error(self, error: ServiceError, /) -> bytes:
        """The last event of a stream that broke."""
        return encode_event(dumps(error_object(error)))


__all__ = ["OPENAI_REFUSES", "WIRE", "ChatStreamDecoder", "ChatStreamEncoder", "OpenAIChat", "Quirks", "ReasoningStyle"]
