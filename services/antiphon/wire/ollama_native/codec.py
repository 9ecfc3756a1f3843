"""The codec of Ollama's own chat: what the modules beside this one can do, in one object."""

from __future__ import annotations

from antiphon.core.errors import ServiceError
from antiphon.v1 import chat_pb2
from antiphon.wire.base import ChatCall, HttpCall, HttpReply
from antiphon.wire.ollama_native import errors, request, response
from antiphon.wire.ollama_native.spelling import DEFAULT, WIRE, Quirks
from antiphon.wire.ollama_native.stream import Decoder, Encoder


class OllamaChat:
    """The codec of `/api/chat`. Has no state but the quirks of its provider."""

    name = WIRE

    def __init__(self, quirks: Quirks = DEFAULT) -> None:
        self._quirks = quirks

    def encode_request(self, spec: chat_pb2.ChatSpec, /, *, stream: bool) -> HttpCall:
        """The request for the provider. Raises ServiceError UNSUPPORTED_PARAMETER or INVALID_REQUEST."""
        return request.encode_request(spec, stream=stream, quirks=self._quirks)

    def decode_request(self, call: HttpCall, /) -> ChatCall:
        """What a client asks. Raises ServiceError INVALID_REQUEST with the path in the body."""
        return request.decode_request(call)

    def decode_response(self, reply: HttpReply, /) -> chat_pb2.Completion:
        """The answer in a reply. Raises ServiceError: MALFORMED_RESPONSE, or the error inside it."""
        return response.decode_response(reply)

    def encode_response(self, completion: chat_pb2.Completion, /) -> HttpReply:
        """The answer for a client. Raises ServiceError UNSUPPORTED_PARAMETER for more than one output."""
        return response.encode_response(completion)

    def stream_decoder(self) -> Decoder:
        """A fresh reader for one stream."""
        return Decoder()

    def stream_encoder(self) -> Encoder:
        """A fresh writer for one stream."""
        return Encoder()

    def decode_error(self, reply: HttpReply, /) -> ServiceError:
        """The meaning of an unsuccessful reply, whatever its body."""
        return errors.decode_error(reply)

    def encode_error(self, error: ServiceError, /) -> HttpReply:
        """The error for a client."""
        return errors.encode_error(error)
