"""Which wire a request is written in, by its URL: to say in our own words what a client asks a provider, and to
answer it in the provider's."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from antiphon.gateway.edges.openai import WithoutUsage, wants_usage
from antiphon.harness.interaction import RecordedRequest
from antiphon.harness.requestfacts import streams_as_array
from antiphon.v1 import embeddings_pb2
from antiphon.wire.anthropic_messages.codec import AnthropicMessages
from antiphon.wire.base import ChatCall, ChatWire, HttpCall, HttpReply, StreamEncoder
from antiphon.wire.bedrock_converse import BedrockConverse
from antiphon.wire.bedrock_converse.embeddings import BedrockEmbeddings
from antiphon.wire.bedrock_converse.invoke import BedrockAnthropic
from antiphon.wire.cohere_v2 import CohereChat
from antiphon.wire.cohere_v2.embeddings import CohereEmbeddings
from antiphon.wire.gemini.codec import Gemini
from antiphon.wire.gemini.embeddings import GeminiEmbeddings
from antiphon.wire.jsontext import loads
from antiphon.wire.ollama_native.codec import OllamaChat
from antiphon.wire.ollama_native.embeddings import OllamaEmbeddings
from antiphon.wire.openai_chat import OpenAIChat
from antiphon.wire.openai_embeddings import OpenAIEmbeddings
from antiphon.wire.openai_responses.codec import OpenAIResponses

SSE: Final = "text/event-stream; charset=utf-8"


class ReadsEmbeddings(Protocol):
    """The half of an embeddings wire that answers."""

    def decode_request(self, call: HttpCall, /) -> embeddings_pb2.EmbedRequest:
        """What a client asks. Raises ServiceError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatFormat:
    """A chat format: `path` finds its requests, `held` is text that the body has to hold besides."""

    name: str
    path: str
    wire: ChatWire
    encoder: Callable[[ChatCall, RecordedRequest], StreamEncoder]
    content_type: Callable[[RecordedRequest], str] = lambda asked: SSE
    held: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingsFormat:
    """A format of embeddings."""

    name: str
    path: str
    wire: ReadsEmbeddings
    encode: Callable[[embeddings_pb2.EmbedResponse, RecordedRequest], HttpReply]
    held: bytes = b""


Format = ChatFormat | EmbeddingsFormat


def format_of(asked: RecordedRequest) -> Format | None:
    """The format of a request; None where its URL is no chat's and no embedding's that is known here."""
    if asked.method.upper() != "POST":
        return None
    path = urlsplit(asked.url).path.rstrip("/")
    return next((each for each, paths in _BY_PATH if paths.search(path) and each.held in asked.body), None)


def http_call(asked: RecordedRequest) -> HttpCall:
    """A captured request as a wire reads it."""
    parts = urlsplit(asked.url)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    return HttpCall(method=asked.method, path=path, body=asked.body, headers=dict(asked.headers))


def asked_in(asked: RecordedRequest) -> tuple[str, ChatCall | embeddings_pb2.EmbedRequest | None]:
    """The name of a request's format, empty for none, and what it asks. Raises ServiceError where it is no request of
    that format."""
    found = format_of(asked)
    if found is None:
        return "", None
    return found.name, _decoded(found, http_call(asked))


def _decoded(found: Format, call: HttpCall) -> ChatCall | embeddings_pb2.EmbedRequest:
    return found.wire.decode_request(call)


def _array(asked: RecordedRequest) -> str:
    return "application/json; charset=UTF-8" if streams_as_array(asked) else SSE


def _openai_vectors(response: embeddings_pb2.EmbedResponse, asked: RecordedRequest) -> HttpReply:
    wanted: Any = loads(asked.body).get("encoding_format")
    return _OPENAI_EMBEDDINGS.encode_response(response, encoding_format="base64" if wanted == "base64" else "float")


def _gemini_vectors(response: embeddings_pb2.EmbedResponse, asked: RecordedRequest) -> HttpReply:
    batch = urlsplit(asked.url).path.endswith(":batchEmbedContents")
    return _GEMINI_EMBEDDINGS.encode_response(response, batch=batch)


_OPENAI: Final = OpenAIChat()
_RESPONSES: Final = OpenAIResponses()
_ANTHROPIC: Final = AnthropicMessages()
_GEMINI: Final = Gemini()
_CONVERSE: Final = BedrockConverse()
_INVOKE: Final = BedrockAnthropic()
_COHERE: Final = CohereChat()
_OLLAMA: Final = OllamaChat()
_OPENAI_EMBEDDINGS: Final = OpenAIEmbeddings()
_GEMINI_EMBEDDINGS: Final = GeminiEmbeddings()
_BEDROCK_EMBEDDINGS: Final = BedrockEmbeddings()
_COHERE_EMBEDDINGS: Final = CohereEmbeddings()
_OLLAMA_EMBEDDINGS: Final = OllamaEmbeddings()
_FRAMES: Final = "application/vnd.amazon.eventstream"


def _openai_encoder(call: ChatCall, asked: RecordedRequest) -> StreamEncoder:
    return _OPENAI.stream_encoder() if wants_usage(call.spec) else WithoutUsage()


FORMATS: Final[tuple[Format, ...]] = (
    ChatFormat(name="openai_chat", path=r"/chat/completions$", wire=_OPENAI, encoder=_openai_encoder),
    ChatFormat(
        name="openai_responses", path=r"/responses$", wire=_RESPONSES, encoder=lambda *_: _RESPONSES.stream_encoder()
    ),
    ChatFormat(
        name="anthropic_messages",
        path=r"/v1/messages$",
        wire=_ANTHROPIC,
        encoder=lambda *_: _ANTHROPIC.stream_encoder(),
    ),
    ChatFormat(
        name="gemini",
        path=r":(generateContent|streamGenerateContent)$",
        wire=_GEMINI,
        encoder=lambda call, asked: _GEMINI.stream_encoder(array=streams_as_array(asked)),
        content_type=_array,
    ),
    ChatFormat(
        name="bedrock_converse",
        path=r"/(converse|converse-stream)$",
        wire=_CONVERSE,
        encoder=lambda *_: _CONVERSE.stream_encoder(),
        content_type=lambda asked: _FRAMES,
    ),
    ChatFormat(
        name="bedrock_anthropic",
        path=r"/model/[^/]+/(invoke|invoke-with-response-stream)$",
        wire=_INVOKE,
        encoder=lambda *_: _INVOKE.stream_encoder(),
        content_type=lambda asked: _FRAMES,
        held=b"anthropic_version",
    ),
    ChatFormat(name="cohere_chat", path=r"/v2/chat$", wire=_COHERE, encoder=lambda *_: _COHERE.stream_encoder()),
    ChatFormat(
        name="ollama_chat",
        path=r"/api/chat$",
        wire=_OLLAMA,
        encoder=lambda *_: _OLLAMA.stream_encoder(),
        content_type=lambda asked: "application/x-ndjson",
    ),
    EmbeddingsFormat(
        name="ollama_embeddings",
        path=r"/api/(embed|embeddings)$",
        wire=_OLLAMA_EMBEDDINGS,
        encode=lambda response, asked: _OLLAMA_EMBEDDINGS.encode_response(response),
    ),
    EmbeddingsFormat(name="openai_embeddings", path=r"/embeddings$", wire=_OPENAI_EMBEDDINGS, encode=_openai_vectors),
    EmbeddingsFormat(
        name="gemini_embeddings",
        path=r":(embedContent|batchEmbedContents)$",
        wire=_GEMINI_EMBEDDINGS,
        encode=_gemini_vectors,
    ),
    EmbeddingsFormat(
        name="bedrock_embeddings",
        path=r"/model/[^/]*embed[^/]*/invoke$",
        wire=_BEDROCK_EMBEDDINGS,
        encode=lambda response, asked: _BEDROCK_EMBEDDINGS.encode_response(response),
    ),
    EmbeddingsFormat(
        name="cohere_embeddings",
        path=r"/v2/embed$",
        wire=_COHERE_EMBEDDINGS,
        encode=lambda response, asked: _COHERE_EMBEDDINGS.encode_response(response),
    ),
)
"""Every format that is answered here; the first that fits wins."""
_BY_PATH: Final = tuple((each, re.compile(each.path)) for each in FORMATS)
BY_NAME: Final[Mapping[str, Format]] = {each.name: each for each in FORMATS}
