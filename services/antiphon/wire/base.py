"""What every wire format offers: one codec for requests, answers, streams and errors, both ways."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from antiphon.core.errors import ServiceError
from antiphon.v1 import chat_pb2, embeddings_pb2, models_pb2, usage_pb2


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpCall:
    """A request as a wire writes it. `path` is relative to the provider's base URL, with its query.

    `warnings` tell which fields of the contract the request does not say, where the caller allowed that
    (`on_unsupported` WARN) or where leaving them out changes no meaning that the provider could act on; whoever sends
    the call adds them to the answer.
    """

    method: str
    path: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[chat_pb2.Warning, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpReply:
    """An answer as a wire reads or writes it. Header names are in lower case. `warnings` tell which parts of an answer
    the wire has no word for; whoever sends the reply tells them beside it."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[chat_pb2.Warning, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatCall:
    """A decoded chat request: what is asked, and whether it is to be streamed."""

    spec: chat_pb2.ChatSpec
    stream: bool


class StreamDecoder(Protocol):
    """Reads one streamed answer. Events carry no sequence number: the service that sends them counts."""

    def feed(self, chunk: bytes) -> list[chat_pb2.StreamChatResponse]:
        """The events that `chunk` completes; chunks may be cut anywhere. Raises ServiceError.

        Events that come before an error are never lost to it: a chunk that holds both gives its events, and the next
        call raises. So after events, `feed(b"")` tells at once whether an error follows them.
        """

    def close(self) -> list[chat_pb2.StreamChatResponse]:
        """The last events, `completed` among them. Raises ServiceError where the stream broke off."""

    def usage(self) -> usage_pb2.Usage:
        """What is known to have been used so far, for an answer that is cut."""


class StreamEncoder(Protocol):
    """Writes one streamed answer."""

    def encode(self, event: chat_pb2.StreamChatResponse) -> bytes:
        """The bytes of an event; may be empty."""


class ChatWire(Protocol):
    """A chat format. `Quirks`, what a provider does otherwise than the format's inventor, are each wire's own
    frozen dataclass, given when the wire is made: `OpenAIChat(quirks)`."""

    @property
    def name(self) -> str:
        """Such as "openai_chat"; the key of its untyped fields in `provider_data`."""

    def encode_request(self, spec: chat_pb2.ChatSpec, /, *, stream: bool) -> HttpCall:
        """The request for the provider. `spec.model` is the provider's own model name here. Raises ServiceError
        UNSUPPORTED_PARAMETER for a field that the wire cannot say."""

    def decode_request(self, call: HttpCall, /) -> ChatCall:
        """What a client of this wire asks. Raises ServiceError INVALID_REQUEST with the field's path."""

    def decode_response(self, reply: HttpReply, /) -> chat_pb2.Completion:
        """The answer in a successful reply. Raises ServiceError: MALFORMED_RESPONSE, or the error inside it."""

    def encode_response(self, completion: chat_pb2.Completion, /) -> HttpReply:
        """The answer for a client of this wire."""

    def stream_decoder(self) -> StreamDecoder:
        """A fresh reader for one stream."""

    def stream_encoder(self) -> StreamEncoder:
        """A fresh writer for one stream."""

    def decode_error(self, reply: HttpReply, /) -> ServiceError:
        """The meaning of an unsuccessful reply, whatever its body."""

    def encode_error(self, error: ServiceError, /) -> HttpReply:
        """The error for a client of this wire."""


@runtime_checkable
class CountsTokens(Protocol):
    """A chat format with a request that only counts."""

    def encode_count_request(self, spec: chat_pb2.ChatSpec, /) -> HttpCall:
        """The request that counts the tokens of `spec`."""

    def decode_count_response(self, reply: HttpReply, /) -> chat_pb2.CountTokensResponse:
        """The count in a reply. Raises ServiceError."""


class EmbeddingsWire(Protocol):
    """A format of embeddings, as the side that asks uses it."""

    def encode_request(self, request: embeddings_pb2.EmbedRequest, /) -> HttpCall:
        """The request for the provider; `request.model` is the provider's own name. Raises ServiceError."""

    def decode_response(self, reply: HttpReply, /) -> embeddings_pb2.EmbedResponse:
        """The vectors in a successful reply. Raises ServiceError."""

    def decode_error(self, reply: HttpReply, /) -> ServiceError:
        """The meaning of an unsuccessful reply."""


class ModelsWire(Protocol):
    """A format of model lists, as the side that asks uses it."""

    def encode_list_request(self) -> HttpCall:
        """The request for the list."""

    def decode_list(self, reply: HttpReply, /) -> models_pb2.ListModelsResponse:
        """The models in a successful reply, with `provider_model_id`, and the token of a next page. Raises
        ServiceError."""

    def decode_error(self, reply: HttpReply, /) -> ServiceError:
        """The meaning of an unsuccessful reply."""
