"""Which codec speaks for a provider: the one place where wires are looked up by name.

A wire is imported when it is first asked for: they are half of all code, and an installation calls few of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from antiphon.adapter.providers import Provider
from antiphon.core.errors import Reason, ServiceError
from antiphon.wire.base import ChatWire, EmbeddingsWire, ModelsWire


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How a codec is made from its quirks, and what type these have."""

    codec: Callable[[Any], Any]
    quirks: type


Load: TypeAlias = Callable[[], Dialect]


def _openai_chat() -> Dialect:
    from antiphon.wire.openai_chat import OpenAIChat
    from antiphon.wire.openai_chat.quirks import Quirks

    return Dialect(codec=OpenAIChat, quirks=Quirks)


def _openai_responses() -> Dialect:
    from antiphon.wire.openai_responses.codec import OpenAIResponses
    from antiphon.wire.openai_responses.quirks import Quirks

    return Dialect(codec=OpenAIResponses, quirks=Quirks)


def _anthropic_messages() -> Dialect:
    from antiphon.wire.anthropic_messages.codec import AnthropicMessages
    from antiphon.wire.anthropic_messages.quirks import Quirks

    return Dialect(codec=AnthropicMessages, quirks=Quirks)


def _gemini() -> Dialect:
    from antiphon.wire.gemini.codec import Gemini
    from antiphon.wire.gemini.quirks import Quirks

    return Dialect(codec=Gemini, quirks=Quirks)


def _bedrock_converse() -> Dialect:
    from antiphon.wire.bedrock_converse import BedrockConverse, Quirks

    return Dialect(codec=BedrockConverse, quirks=Quirks)


def _cohere_chat() -> Dialect:
    from antiphon.wire.cohere_v2 import CohereChat, Quirks

    return Dialect(codec=CohereChat, quirks=Quirks)


def _ollama_chat() -> Dialect:
    from antiphon.wire.ollama_native.codec import OllamaChat
    from antiphon.wire.ollama_native.spelling import Quirks

    return Dialect(codec=OllamaChat, quirks=Quirks)


def _openai_embeddings() -> Dialect:
    from antiphon.wire.embedding_quirks import EmbeddingQuirks
    from antiphon.wire.openai_embeddings import OpenAIEmbeddings

    return Dialect(codec=OpenAIEmbeddings, quirks=EmbeddingQuirks)


def _gemini_embeddings() -> Dialect:
    from antiphon.wire.gemini.embeddings import GeminiEmbeddings
    from antiphon.wire.gemini.quirks import Quirks

    return Dialect(codec=GeminiEmbeddings, quirks=Quirks)


def _bedrock_embeddings() -> Dialect:
    from antiphon.wire.bedrock_converse import Quirks
    from antiphon.wire.bedrock_converse.embeddings import BedrockEmbeddings

    return Dialect(codec=BedrockEmbeddings, quirks=Quirks)


def _cohere_embeddings() -> Dialect:
    from antiphon.wire.cohere_v2 import Quirks
    from antiphon.wire.cohere_v2.embeddings import CohereEmbeddings

    return Dialect(codec=CohereEmbeddings, quirks=Quirks)


def _ollama_embeddings() -> Dialect:
    from antiphon.wire.ollama_native.embeddings import OllamaEmbeddings
    from antiphon.wire.ollama_native.spelling import Quirks

    return Dialect(codec=OllamaEmbeddings, quirks=Quirks)


def _openai_models() -> Dialect:
    from antiphon.wire.openai_models import OpenAIModels

    return Dialect(codec=lambda _: OpenAIModels(), quirks=type(None))


def _gemini_models() -> Dialect:
    from antiphon.wire.gemini.models import GeminiModels
    from antiphon.wire.gemini.quirks import Quirks

    return Dialect(codec=GeminiModels, quirks=Quirks)


def _ollama_models() -> Dialect:
    from antiphon.wire.ollama_native.models import OllamaModels
    from antiphon.wire.ollama_native.spelling import Quirks

    return Dialect(codec=OllamaModels, quirks=Quirks)


CHAT_WIRES: Mapping[str, Load] = {
    "openai_chat": _openai_chat,
    "openai_responses": _openai_responses,
    "anthropic_messages": _anthropic_messages,
    "gemini": _gemini,
    "bedrock_converse": _bedrock_converse,
    "cohere_chat": _cohere_chat,
    "ollama_chat": _ollama_chat,
}

EMBEDDING_WIRES: Mapping[str, Load] = {
    "openai_embeddings": _openai_embeddings,
    "gemini_embeddings": _gemini_embeddings,
    "bedrock_embeddings": _bedrock_embeddings,
    "cohere_embeddings": _cohere_embeddings,
    "ollama_embeddings": _ollama_embeddings,
}

MODEL_WIRES: Mapping[str, Load] = {
    "openai_models": _openai_models,
    "gemini_models": _gemini_models,
    "ollama_models": _ollama_models,
}


def check_wires(provider: Provider) -> None:
    """Raise ServiceError for a row that names a wire which does not exist. Imports none."""
    where = f"providers.{provider.name}"
    _known(CHAT_WIRES, provider.wire, f"{where}.wire")
    if provider.embeddings:
        _known(EMBEDDING_WIRES, provider.embeddings, f"{where}.embeddings")
    if provider.models:
        _known(MODEL_WIRES, provider.models, f"{where}.models")


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


def _made(wires: Mapping[str, Load], name: str, quirks: Any, where: str) -> Any:
    dialect = _known(wires, name, where)()
    return dialect.codec(quirks if isinstance(quirks, dialect.quirks) else dialect.quirks())


def _known(wires: Mapping[str, Load], name: str, where: str) -> Load:
    load = wires.get(name)
    if load is None:
        raise ServiceError(Reason.INVALID_REQUEST, f"{where} is {name!r}; known: {', '.join(wires)}")
    return load
