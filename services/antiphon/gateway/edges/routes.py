"""The table of routes: which path is whose, and who answers.

Each protocol brings a codec, and most installations are asked in one or two of them: the others are imported with
their first request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from antiphon.gateway.edges import openai, proxy
from antiphon.gateway.edges.exchange import Answer, Exchange, Handler, PassedOn, Relayed, Row, Streamed
from antiphon.gateway.edges.shapes import ANTHROPIC, ANTHROPICS_OWN, GEMINI, GOOGLES_OWN, OLLAMA, OPENAI

Handlers: TypeAlias = Mapping[str, Handler]


class Edge:
    """The handlers of one protocol. `load` imports them: in a thread, so that no other request waits meanwhile."""

    def __init__(self, load: Callable[[], Handlers]) -> None:
        self._load = load
        self._handlers: Handlers | None = None

    def __getitem__(self, name: str) -> Handler:
        """The handler of that name."""

        async def handle(exchange: Exchange) -> Answer | Streamed | PassedOn | Relayed:
            if self._handlers is None:
                self._handlers = await asyncio.to_thread(self._load)
            return await self._handlers[name](exchange)

        return handle


def _anthropic() -> Handlers:
    from antiphon.gateway.edges.anthropic import HANDLERS

    return HANDLERS


def _gemini() -> Handlers:
    from antiphon.gateway.edges.gemini import HANDLERS

    return HANDLERS


def _ollama() -> Handlers:
    from antiphon.gateway.edges.ollama import HANDLERS

    return HANDLERS


def _responses() -> Handlers:
    from antiphon.gateway.edges.openai_responses import HANDLERS

    return HANDLERS


def _lists() -> Handlers:
    from antiphon.gateway.edges.openai_lists import HANDLERS

    return HANDLERS


_ANTHROPIC: Final = Edge(_anthropic)
_GEMINI: Final = Edge(_gemini)
_OLLAMA: Final = Edge(_ollama)
_RESPONSES: Final = Edge(_responses)
_LISTS: Final = Edge(_lists)

GEMINI_METHODS: Final = (
    "generateContent",
    "streamGenerateContent",
    "countTokens",
    "embedContent",
    "batchEmbedContents",
)
GEMINI_VERSIONS: Final[Mapping[str, tuple[str, ...]]] = {"v1beta": (), "v1alpha": (), "v1": GOOGLES_OWN}
"""Versions of the API, and the headers that tell its requests from those of others who use the same paths."""


def _gemini_rows(version: str, given: tuple[str, ...]) -> tuple[Row, ...]:
    base = f"/{version}/models"
    model = "{model:path}"
    return (
        *(
            Row(method="POST", path=f"{base}/{model}:{name}", shape=GEMINI, handler=_GEMINI[name])
            for name in GEMINI_METHODS
        ),
        Row(method="GET", path=base, shape=GEMINI, handler=_GEMINI["models"], given=given),
        Row(method="GET", path=f"{base}/{model}", shape=GEMINI, handler=_GEMINI["model"], given=given),
    )


_ANTHROPIC_ROWS: Final = (
    Row(method="POST", path="/v1/messages", shape=ANTHROPIC, handler=_ANTHROPIC["messages"]),
    Row(method="POST", path="/v1/messages/count_tokens", shape=ANTHROPIC, handler=_ANTHROPIC["count_tokens"]),
    Row(method="GET", path="/v1/models", shape=ANTHROPIC, handler=_ANTHROPIC["models"], given=ANTHROPICS_OWN),
    Row(
        method="GET",
        path="/v1/models/{model:path}",
        shape=ANTHROPIC,
        handler=_ANTHROPIC["model"],
        given=ANTHROPICS_OWN,
    ),
)
_OPENAI_ROWS: Final = (
    Row(method="POST", path="/v1/chat/completions", shape=OPENAI, handler=openai.HANDLERS["chat"]),
    Row(method="POST", path="/v1/responses", shape=OPENAI, handler=_RESPONSES["responses"]),
    Row(method="POST", path="/v1/responses/input_tokens", shape=OPENAI, handler=_RESPONSES["input_tokens"]),
    Row(method="POST", path="/v1/embeddings", shape=OPENAI, handler=_LISTS["embeddings"]),
    Row(method="GET", path="/v1/models", shape=OPENAI, handler=_LISTS["models"]),
    Row(method="GET", path="/v1/models/{model:path}", shape=OPENAI, handler=_LISTS["model"]),
)
_OLLAMA_ROWS: Final = (
    Row(method="POST", path="/api/chat", shape=OLLAMA, handler=_OLLAMA["chat"]),
    Row(method="POST", path="/api/embed", shape=OLLAMA, handler=_OLLAMA["embeddings"]),
    Row(method="POST", path="/api/embeddings", shape=OLLAMA, handler=_OLLAMA["embeddings"]),
    Row(method="GET", path="/api/tags", shape=OLLAMA, handler=_OLLAMA["tags"]),
    Row(method="POST", path="/api/show", shape=OLLAMA, handler=_OLLAMA["show"]),
)

ROWS: Final[tuple[Row, ...]] = (
    *(row for version, given in GEMINI_VERSIONS.items() for row in _gemini_rows(version, given)),
    *_ANTHROPIC_ROWS,
    *_OPENAI_ROWS,
    *proxy.ROWS,
    *_OLLAMA_ROWS,
)
"""Every route; the first that fits wins, so paths that say more stand before those that say less."""
