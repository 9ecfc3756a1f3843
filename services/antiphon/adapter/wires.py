"""Which codec speaks for a provider: the one place where wires are looked up by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from antiphon.adapter.providers import Provider
from antiphon.core.errors import Reason, ServiceError
from antiphon.wire.anthropic_messages import AnthropicMessages
from antiphon.wire.anthropic_messages.quirks import Quirks as AnthropicQuirks
from antiphon.wire.base import ChatWire
from antiphon.wire.openai_chat import OpenAIChat
from antiphon.wire.openai_chat.quirks import Quirks as OpenAIQuirks


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """A wire: how its codec is made, and the type of its quirks."""

    codec: Callable[[Any], ChatWire]
    quirks: type


CHAT_WIRES: Mapping[str, Dialect] = {
    "openai_chat": Dialect(codec=OpenAIChat, quirks=OpenAIQuirks),
    "anthropic_messages": Dialect(codec=AnthropicMessages, quirks=AnthropicQuirks),
}


def chat_wire(provider: Provider) -> ChatWire:
    """The codec that speaks the provider's chat format. Raises ServiceError for a row that contradicts itself."""
    dialect = CHAT_WIRES.get(provider.wire)
    if dialect is None:
        raise ServiceError(
            Reason.INVALID_REQUEST,
            f"providers.{provider.name}.wire is {provider.wire!r}; known: {', '.join(CHAT_WIRES)}",
        )
    quirks = provider.quirks if isinstance(provider.quirks, dialect.quirks) else dialect.quirks()
    return dialect.codec(quirks)
