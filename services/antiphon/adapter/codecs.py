"""The codecs of providers, made when they are first needed: to import one takes time, and most are never asked for."""

from __future__ import annotations

import asyncio
from typing import cast

from antiphon.adapter.credentials import Credentials
from antiphon.adapter.providers import Provider, Providers
from antiphon.adapter.relay import RelayingWire
from antiphon.adapter.wires import chat_wire, embeddings_wire
from antiphon.wire.base import ChatWire, EmbeddingsWire, Relays


class Codecs:
    """Who speaks for a provider. Those of providers that can be called, as far as can be told, are there at once.

    Others are imported in a thread with their first call, so that no other call has to wait.
    """

    def __init__(self, providers: Providers, credentials: Credentials) -> None:
        called = (each for each in providers if each.key_required and credentials.configured(each))
        self._chats: dict[str, ChatWire] = {each.name: chat_wire(each) for each in called}
        self._relays: dict[tuple[str, str], RelayingWire] = {}
        self._embeddings: dict[str, EmbeddingsWire] = {}

    async def chat(self, provider: Provider) -> ChatWire:
        """The codec of a provider's chat."""
        wire = self._chats.get(provider.name)
        if wire is None:
            wire = self._chats[provider.name] = await asyncio.to_thread(chat_wire, provider)
        return wire

    def relaying(self, provider: Provider, wire: str) -> RelayingWire | None:
        """The codec of a provider's chat where it is `wire` and passes plain requests on.

        None before the first call that needs the codec, which is then made for it.
        """
        key = (provider.name, wire)
        known = self._relays.get(key)
        if known is None:
            codec = self._chats.get(provider.name)
            if codec is not None and codec.name == wire and isinstance(codec, Relays):
                known = self._relays[key] = cast("RelayingWire", codec)
        return known

    async def embeddings(self, provider: Provider) -> EmbeddingsWire | None:
        """The codec of a provider's embeddings; None where it has none."""
        wire = self._embeddings.get(provider.name)
        if wire is None:
            wire = await asyncio.to_thread(embeddings_wire, provider)
            if wire is not None:
                self._embeddings[provider.name] = wire
        return wire
