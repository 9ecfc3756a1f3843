"""The codec of OpenAI Responses: what the modules beside this one can do, in one object."""

from __future__ import annotations

from antiphon.core.errors import ServiceError
from antiphon.v1 import chat_pb2
from antiphon.wire.base import ChatCall, HttpCall, HttpReply
from antiphon.wire.openai_responses import errors, request, response
from antiphon.wire.openai_responses.quirks import DEFAULT, WIRE, Quirks
from antiphon.wire.openai_responses.stream_decoder import Decoder
from antiphon.wire.openai_responses.stream_encoder import Encoder


class OpenAIResponses:
    """The codec. Has no state but the quirks of its provider."""

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

    def encode_count_request(self, spec: chat_pb2.ChatSpec, /) -> HttpCall:
        """The request that counts the tokens of `spec`; options that do not count are left out."""
        return request.encode_request(spec, stream=False, quirks=self._quirks, count=True)

    def decode_count_request(self, call: HttpCall, /) -> chat_pb2.ChatSpec:
        """What a client wants counted. Raises ServiceError INVALID_REQUEST."""
        return request.decode_request(call).spec

    def decode_count_response(self, reply: HttpReply, /) -> chat_pb2.CountTokensResponse:
        """The count in a reply. Raises ServiceError."""
        return response.decode_count(reply)

    def encode_count_response(self, count: chat_pb2.CountTokensResponse, /) -> HttpReply:
        """The count for a client."""
        return response.encode_count(count)

    def decode_error(self, reply: HttpReply, /) -> ServiceError:
        """The meaning of an unsuccessful reply, whatever its body."""
        return errors.lift_error(reply)

    def encode_error(self, error: ServiceError, /) -> HttpReply:
        """The error for a client."""
        return errors.lower_error(error)
