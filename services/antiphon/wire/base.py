"""What every wire format offers: one codec for requests, answers, streams and errors, both ways."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from antiphon.core.errors import ServiceError
from antiphon.v1 import chat_pb2, embeddings_pb2, models_pb2, usage_pb2


@dataclass(slots=True, kw_only=True)
class HttpCall:
    """A request as a wire writes it. `path` is relative to the provider's base URL, with its query. Not frozen, as
    `HttpReply`: a frozen dataclass is made by a call for each of its fields, and every call makes one of each.

    `warnings` tell which fields of the contract the request does not say, where the caller allowed that
    (`on_unsupported` WARN) or where leaving them out changes no meaning that the provider could act on; whoever sends
    the call adds them to the answer.
    """

    method: str
    path: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[chat_pb2.Warning, ...] = ()


@dataclass(slots=True, kw_only=True)
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


class Counted(Protocol):
    """Usage in plain numbers."""

    @property
    def counts(self) -> Mapping[str, int]:
        """Counts by their names in Usage."""

    def put(self, usage: usage_pb2.Usage, /) -> None:
        """Write all that is known into an empty `usage`."""


class Told:
    """What the books want of an answer that was passed on as it came; `finish_reasons` in the provider's words.

    The books are content with the numbers of `plain` usage: its message is made for who asks.
    """

    __slots__ = ("_usage", "finish_reasons", "id", "model", "plain")

    def __init__(
        self,
        *,
        id: str = "",  # noqa: A002 - as the field of an answer
        model: str = "",
        usage: usage_pb2.Usage | None = None,
        plain: Counted | None = None,
        finish_reasons: Sequence[str] = (),
    ) -> None:
        self.id = id
        self.model = model
        self.plain = plain
        self.finish_reasons = finish_reasons
        self._usage = usage

    @property
    def usage(self) -> usage_pb2.Usage:
        """What was used, as a message."""
        if self._usage is None:
            self._usage = usage_pb2.Usage()
            if self.plain is not None:
                self.plain.put(self._usage)
        return self._usage

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Told):
            return NotImplemented
        ours = (self.id, self.model, self.usage, self.finish_reasons)
        return ours == (other.id, other.model, other.usage, other.finish_reasons)

    __hash__ = None  # type: ignore[assignment]  # it is compared by what it says, which may change

    def __repr__(self) -> str:
        return f"Told({self.id!r}, {self.model!r}, {self.usage!r}, {self.finish_reasons!r})"


@dataclass(slots=True, kw_only=True)
class Relayed:
    """A request that goes on as it came but for its model: as the provider gets it, whether its answer is streamed,
    and whether the client wants usage at the end of its stream."""

    call: HttpCall
    stream: bool
    usage: bool


class StreamDecoder(Protocol):
    """Reads one streamed answer. Events carry no sequence number: the service that sends them counts."""

    def feed(self, chunk: bytes) -> list[chat_pb2.StreamChatResponse]:
        """The events that `chunk` completes; chunks may be cut anywhere. Raises ServiceError.

        Events that come before an error are never lost to it: a chunk that holds both gives its events, and the next
        call raises. So after events, `feed(b"")` tells at once whether an error follows them.

        A decoder may have a method `feed_together` beside this one, which may join texts that follow one another in the
        same part: how `chunk` was cut then shows in its events, and only there.
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


class StreamRelay(Protocol):
    """Reads one streamed answer on its way: bytes of the provider in, bytes for the client out."""

    begun: bool
    """Whether the answer has begun, even if there is nothing to send yet."""
    spoken: bool
    """Whether any of the answer's content has come."""
    ended: bool
    """Whether the answer is whole."""
    error: ServiceError | None
    """What the stream failed with, behind all that was sent of it."""

    def feed(self, chunk: bytes) -> bytes:
        """What the client gets for `chunk`; chunks may be cut anywhere."""

    def close(self) -> bytes:
        """What the client gets at the end of the stream."""

    def told(self) -> Told:
        """What the books want of an answer that is whole."""

    def usage(self) -> usage_pb2.Usage:
        """What is known to have been used so far, for an answer that is cut."""


@runtime_checkable
class Relays(Protocol):
    """A chat format between two speakers of it: what is plain goes on as it came, because reading and writing it would
    change nothing."""

    def relay_request(self, request: Mapping[str, Any], size: int, model: str, /) -> Relayed | None:
        """A client's request as the provider gets it; None where it may not go on as it is. `request` is its JSON and
        `size` its length in bytes; `model` is the provider's own name."""

    def relay_answer(self, reply: HttpReply, /, *, again: bool = False) -> Told | None:
        """What the books want of a successful answer that may be passed on as it is; None for any other. `again` is
        whether the very same answer may come again, as a recorded one may."""

    def relay_stream(
        self, *, usage: bool, write: Callable[[Sequence[chat_pb2.StreamChatResponse]], bytes]
    ) -> StreamRelay:
        """A fresh reader for one stream. `usage` is whether the client wants it, and `write` writes events for this
        client, for what of the stream may not go on as it is."""


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
