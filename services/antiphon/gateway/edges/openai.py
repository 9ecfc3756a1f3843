"""OpenAI's edge: chat completions, embeddings and models, for its SDKs and for all that speak like them."""

from __future__ import annotations

from antiphon.core.errors import ServiceError
from antiphon.core.streams import Events
from antiphon.core.validation import check
from antiphon.gateway.edges import legacy
from antiphon.gateway.edges.callids import put_call_ids
from antiphon.gateway.edges.chats import Plain, as_comment, chat, count, decoded
from antiphon.gateway.edges.exchange import Answer, Exchange, Row, Streamed
from antiphon.gateway.edges.listing import every_model, missing, one_model
from antiphon.gateway.edges.shapes import OPENAI
from antiphon.v1 import chat_pb2, embeddings_pb2
from antiphon.wire.base import ChatCall, HttpReply, StreamEncoder
from antiphon.wire.jsontext import dumps, loads
from antiphon.wire.openai_chat import OpenAIChat
from antiphon.wire.openai_chat.errors import error_object
from antiphon.wire.openai_embeddings import OpenAIEmbeddings
from antiphon.wire.openai_models import OpenAIModels
from antiphon.wire.openai_responses import OpenAIResponses
from antiphon.wire.sse import encode_event

CHAT = OpenAIChat()
EMBEDDINGS = OpenAIEmbeddings()
MODELS = OpenAIModels()
RESPONSES = OpenAIResponses()

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


def wants_usage(spec: chat_pb2.ChatSpec) -> bool:
    """Whether the stream ends with usage."""
    return not any(name in spec.form.spellings for name in WITHOUT_USAGE)


async def embeddings(exchange: Exchange) -> Answer:
    """Vectors, as floats or base64."""
    call = exchange.wired()
    request = decoded(EMBEDDINGS.decode_request, call)
    exchange.put_policy(request)
    wanted = loads(call.body).get("encoding_format")
    if wanted in ("float", "base64"):  # how the numbers are written here, and no matter of the provider
        request.encoding = embeddings_pb2.VECTOR_ENCODING_UNSPECIFIED
    check(request)
    response = await exchange.backend.embed(request, exchange.call)
    reply = EMBEDDINGS.encode_response(response, encoding_format=wanted if wanted == "base64" else "float")
    return Answer(reply=reply, warnings=response.warnings)


async def models(exchange: Exchange) -> Answer:
    """All models."""
    response = await every_model(exchange)
    return Answer(reply=MODELS.encode_list(response), warnings=missing(response.unreachable_providers))


async def model(exchange: Exchange) -> Answer:
    """One model; its name may hold a slash."""
    return Answer(reply=MODELS.encode_model(await one_model(exchange, exchange.parameters["model"])))


_chat = chat(CHAT, ChatManner())
_responses = chat(RESPONSES, Plain(RESPONSES, lambda exchange: Raised(), note=as_comment))

ROWS: tuple[Row, ...] = (
    Row(method="POST", path="/v1/chat/completions", shape=OPENAI, handler=_chat),
    Row(method="POST", path="/v1/responses", shape=OPENAI, handler=_responses),
    Row(method="POST", path="/v1/responses/input_tokens", shape=OPENAI, handler=count(RESPONSES)),
    Row(method="POST", path="/v1/embeddings", shape=OPENAI, handler=embeddings),
    Row(method="GET", path="/v1/models", shape=OPENAI, handler=models),
    Row(method="GET", path="/v1/models/{model:path}", shape=OPENAI, handler=model),
)
