"""Which codec speaks for a provider: the one place where wires are looked up by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from antiphon.adapter.providers import Provider
from antiphon.core.errors import Reason, ServiceError
from antiphon.wire.anthropic_messages import AnthropicMessages
from antiphon.wire.anthropic_messages.quirks import Quirks as AnthropicQuirks
from antiphon.wire.base import ChatWire, EmbeddingsWire, ModelsWire
from antiphon.wire.bedrock_converse import BedrockConverse
from antiphon.wire.bedrock_converse import Quirks as BedrockQuirks
from antiphon.wire.bedrock_converse.embeddings import BedrockEmbeddings
from antiphon.wire.cohere_v2 import CohereChat
from antiphon.wire.cohere_v2 import Quirks as CohereQuirks
from antiphon.wire.cohere_v2.embeddings import CohereEmbeddings
from antiphon.wire.gemini import Gemini
from antiphon.wire.gemini.embeddings import GeminiEmbeddings
from antiphon.wire.gemini.models import GeminiModels
from antiphon.wire.gemini.quirks import Quirks as GeminiQuirks
from antiphon.wire.ollama_native import OllamaChat
from antiphon.wire.ollama_native import Quirks as OllamaQuirks
from antiphon.wire.ollama_native.embeddings import OllamaEmbeddings
from antiphon.wire.ollama_native.models import OllamaModels
from antiphon.wire.openai_chat import OpenAIChat
from antiphon.wire.openai_chat.quirks import Quirks as OpenAIQuirks
from antiphon.wire.openai_embeddings import EmbeddingQuirks, OpenAIEmbeddings
from antiphon.wire.openai_models import OpenAIModels
from antiphon.wire.openai_responses import OpenAIResponses
from antiphon.wire.openai_responses import Quirks as ResponsesQuirks


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How a codec is made from its quirks, and what type these have."""

    codec: Callable[[Any], Any]
    quirks: type


CHAT_WIRES: Mapping[str, Dialect] = {
    "openai_chat": Dialect(codec=OpenAIChat, quirks=OpenAIQuirks),
    "openai_responses": Dialect(codec=OpenAIResponses, quirks=ResponsesQuirks),
    "anthropic_messages": Dialect(codec=AnthropicMessages, quirks=AnthropicQuirks),
    "gemini": Dialect(codec=Gemini, quirks=GeminiQuirks),
    "bedrock_converse": Dialect(codec=BedrockConverse, quirks=BedrockQuirks),
    "cohere_chat": Dialect(codec=CohereChat, quirks=CohereQuirks),
    "ollama_chat": Dialect(codec=OllamaChat, quirks=OllamaQuirks),
}

EMBEDDING_WIRES: Mapping[str, Dialect] = {
    "openai_embeddings": Dialect(codec=OpenAIEmbeddings, quirks=EmbeddingQuirks),
    "gemini_embeddings": Dialect(codec=GeminiEmbeddings, quirks=GeminiQuirks),
    "bedrock_embeddings": Dialect(codec=BedrockEmbeddings, quirks=BedrockQuirks),
    "cohere_embeddings": Dialect(codec=CohereEmbeddings, quirks=CohereQuirks),
    "ollama_embeddings": Dialect(codec=OllamaEmbeddings, quirks=OllamaQuirks),
}

MODEL_WIRES: Mapping[str, Dialect] = {
    "openai_models": Dialect(codec=lambda _: OpenAIModels(), quirks=type(None)),
    "gemini_models": Dialect(codec=GeminiModels, quirks=GeminiQuirks),
    "ollama_models": Dialect(codec=OllamaModels, quirks=OllamaQuirks),
}


def chat_wire(provider: Provider) -> ChatWire:
    """The codec of the provider's chat. Raises ServiceError for a row that contradicts itself."""
    wire: ChatWire = _made(CHAT_WIRES, provider.wire, provider.quirks, f"providers.{provider.name}.wire")
    return wire


def embeddings_wire(provider: Provider) -> EmbeddingsWire | None:
    """The codec of the provider's embeddings; None where it has none."""
    if not provider.embeddings:
        return None
    quirks = provider.embedding_quirks or provider.quirks
    wire: EmbeddingsWire = _made(EMBEDDING_WIRES, provider.embeddings, quirks, f"providers.{provider.name}.embeddings")
    return wire


def models_wire(provider: Provider) -> ModelsWire | None:
    """The codec of the provider's model list; None where it has none."""
    if not provider.models:
        return None
    wire: ModelsWire = _made(MODEL_WIRES, provider.models, provider.quirks, f"providers.{provider.name}.models")
    return wire


def _made(wires: Mapping[str, Dialect], name: str, quirks: Any, where: str) -> Any:
    dialect = wires.get(name)
    if dialect is None:
        raise ServiceError(Reason.INVALID_REQUEST, f"{where} is {name!r}; known: {', '.join(wires)}")
    return dialect.codec(quirks if isinstance(quirks, dialect.quirks) else dialect.quirks())
