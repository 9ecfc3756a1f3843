"""How each edge says errors, and what it sends to keep a silent stream open."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from antiphon.core.errors import ServiceError
from antiphon.wire.anthropic_messages.errors import encode_error as anthropic_error
from antiphon.wire.base import HttpReply
from antiphon.wire.gemini.errors import encode_error as gemini_error
from antiphon.wire.ollama_native.errors import encode_error as ollama_error
from antiphon.wire.openai_chat.errors import lower_error as openai_error
from antiphon.wire.sse import encode_comment, encode_event


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One edge's manners."""

    name: str
    encode_error: Callable[[ServiceError], HttpReply]
    beat: bytes = b""
    """What a silent stream sends; empty where the format has nothing for it."""
    id_headers: tuple[str, ...] = ("x-request-id",)
    """The response headers in which its SDK looks for the number of the request."""
    prefixes: tuple[str, ...] = field(default=())
    """Paths that are its own, whether there is a route or not."""


OPENAI = Shape(name="openai", encode_error=openai_error, beat=encode_comment())
ANTHROPIC = Shape(
    name="anthropic",
    encode_error=anthropic_error,
    beat=encode_event(b'{"type":"ping"}', event="ping"),
    id_headers=("x-request-id", "request-id"),
    prefixes=("/v1/messages",),
)
PROXY = Shape(name="proxy", encode_error=openai_error, prefixes=("/api/models", "/api/condense", "/health"))

GEMINI = Shape(name="gemini", encode_error=gemini_error, prefixes=("/v1beta/", "/v1alpha/"))
OLLAMA = Shape(name="ollama", encode_error=ollama_error, prefixes=("/api/",))

GOOGLES_OWN = ("x-goog-api-client", "x-goog-api-key")
ANTHROPICS_OWN = ("anthropic-version",)
"""Headers that only clients of one edge send."""

SHAPES: tuple[Shape, ...] = (ANTHROPIC, PROXY, GEMINI, OLLAMA)
"""Those that are known by their paths; the first that fits wins."""


def shape_for(path: str, headers: Mapping[str, str]) -> Shape:
    """The shape of a request that no route takes: by its path, else by its headers, else OpenAI's."""
    for shape in SHAPES:
        if path.startswith(shape.prefixes):
            return shape
    for own, shape in ((ANTHROPICS_OWN, ANTHROPIC), (GOOGLES_OWN, GEMINI)):
        if any(name in headers for name in own):
            return shape
    return OPENAI
