"""What every edge does with chat: decode by its wire, check, ask the backend, encode by its wire."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from antiphon.core.errors import Reason, ServiceError
from antiphon.core.streams import Events
from antiphon.core.validation import check
from antiphon.gateway.edges.exchange import Answer, Exchange, Handler, Streamed
from antiphon.gateway.edges.sender import random_hex, warning_text
from antiphon.v1 import chat_pb2
from antiphon.wire.base import ChatCall, HttpCall, HttpReply, StreamEncoder
from antiphon.wire.sse import encode_comment

T = TypeVar("T")

EVENT_STREAM = "text/event-stream; charset=utf-8"


class Served(Protocol):
    """The half of a chat wire that an edge needs."""

    def decode_request(self, call: HttpCall, /) -> ChatCall:
        """What a client asks. Raises ServiceError."""

    def encode_response(self, completion: chat_pb2.Completion, /) -> HttpReply:
        """The answer for a client."""


class Failing(StreamEncoder, Protocol):
    """An encoder that also writes the error that ends a stream."""

    def error(self, error: ServiceError) -> bytes:
        """The bytes of the error."""


class Counted(Protocol):
    """The half of a wire that counts tokens."""

    def decode_count_request(self, call: HttpCall, /) -> chat_pb2.ChatSpec:
        """What a client wants counted. Raises ServiceError."""

    def encode_count_response(self, count: chat_pb2.CountTokensResponse, /) -> HttpReply:
        """The count for a client."""


class Manner(Protocol):
    """What an edge tells its wire beside the message."""

    def prepare(self, asked: ChatCall) -> None:
        """Change what was read before anything else sees it."""

    def encode(self, completion: chat_pb2.Completion, spec: chat_pb2.ChatSpec) -> HttpReply:
        """The whole answer for a client."""

    def stream(self, events: Events, spec: chat_pb2.ChatSpec, exchange: Exchange) -> Streamed:
        """The answer as events for a client."""


class Plain:
    """The manner of a wire that needs to be told nothing. `complete` puts into a request what its format lacks."""

    def __init__(
        self,
        wire: Served,
        encoder: Callable[[Exchange], Failing],
        *,
        content_type: Callable[[Exchange], str] = lambda exchange: EVENT_STREAM,
        note: Callable[[chat_pb2.Warning], bytes] | None = None,
        complete: Callable[[chat_pb2.ChatSpec], None] = lambda spec: None,
    ) -> None:
        self._wire = wire
        self._encoder = encoder
        self._content_type = content_type
        self._note = note
        self._complete = complete

    def prepare(self, asked: ChatCall) -> None:
        """Complete the request."""
        self._complete(asked.spec)

    def encode(self, completion: chat_pb2.Completion, spec: chat_pb2.ChatSpec) -> HttpReply:
        """The answer."""
        return self._wire.encode_response(completion)

    def stream(self, events: Events, spec: chat_pb2.ChatSpec, exchange: Exchange) -> Streamed:
        """The events."""
        encoder = self._encoder(exchange)
        kind = self._content_type(exchange)
        return Streamed(events=events, encoder=encoder, failed=encoder.error, content_type=kind, note=self._note)


def chat(wire: Served, manner: Manner, *, call: Callable[[Exchange], HttpCall] = Exchange.wired) -> Handler:
    """The handler of a chat route, unary and streamed, as the request says. `call` makes the wire's request."""

    async def handle(exchange: Exchange) -> Answer | Streamed:
        asked = decoded(wire.decode_request, call(exchange))
        manner.prepare(asked)
        spec = asked.spec
        exchange.put_policy(spec)
        if asked.stream:
            request = chat_pb2.StreamChatRequest(spec=spec)
            check(request)
            streamed = manner.stream(exchange.backend.stream_chat(request, exchange.call), spec, exchange)
            streamed.encoder = Stamping(streamed.encoder)
            return streamed
        check(chat_pb2.ChatRequest(spec=spec))
        completion = await exchange.backend.chat(spec, exchange.call)
        Stamp().put(completion)
        reply = manner.encode(completion, spec)
        return Answer(reply=reply, warnings=[*completion.warnings, *reply.warnings])

    return handle


def count(wire: Counted, *, call: Callable[[Exchange], HttpCall] = Exchange.wired) -> Handler:
    """The handler of a route that counts tokens."""

    async def handle(exchange: Exchange) -> Answer:
        spec = decoded(wire.decode_count_request, call(exchange))
        exchange.put_policy(spec)
        check(chat_pb2.CountTokensRequest(spec=spec))
        return Answer(reply=wire.encode_count_response(await exchange.backend.count_tokens(spec, exchange.call)))

    return handle


def decoded(decode: Callable[[HttpCall], T], call: HttpCall) -> T:
    """What a client asks. Raises ServiceError INVALID_REQUEST, also for text that is none."""
    try:
        return decode(call)
    except UnicodeEncodeError as error:
        text = "the body holds half of a surrogate pair, such as \\ud83d alone: it is no text; send whole characters"
        raise ServiceError(Reason.INVALID_REQUEST, text) from error


def as_comment(warning: chat_pb2.Warning) -> bytes:
    """A late warning as a comment of server-sent events, which every client may skip."""
    return encode_comment(f"warning {warning_text(warning)}".encode())


class Stamp:
    """What clients count on and not every provider says: an identifier, a time, a sum."""

    def __init__(self) -> None:
        self._id = random_hex()
        self._seconds = int(time.time())

    def put(self, completion: chat_pb2.Completion) -> None:
        """Fill in what is missing."""
        if not completion.id:
            completion.id = f"antiphon-{self._id}"
        if not completion.HasField("create_time"):
            completion.create_time.seconds = self._seconds
        usage = completion.usage
        if completion.HasField("usage") and not usage.HasField("total_tokens"):
            usage.total_tokens = usage.input_tokens + usage.output_tokens


class Stamping:
    """An encoder whose answer has a stamp, the same at its start and its end."""

    def __init__(self, inner: StreamEncoder) -> None:
        self._encode = inner.encode
        self._stamp = Stamp()

    def encode(self, event: chat_pb2.StreamChatResponse) -> bytes:
        """The bytes of an event."""
        if event.HasField("part_delta"):  # nearly every one
            return self._encode(event)
        kind = event.WhichOneof("event")
        if kind in ("started", "completed"):
            self._stamp.put(getattr(event, kind).completion)
        return self._encode(event)
