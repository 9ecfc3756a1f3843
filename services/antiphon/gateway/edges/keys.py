"""Where HTTP clients put the caller's key: each vendor's SDK has a place of its own."""

from __future__ import annotations

from collections.abc import Mapping

from antiphon.core.auth import Auth, bearer
from antiphon.gateway.edges.query import Query

KEY_HEADERS = frozenset({"authorization", "x-api-key", "x-goog-api-key", "api-key", "cookie"})
"""Headers that are never handed on, nor shown to a wire."""
KEY_QUERY = "key"
PLAIN = ("x-api-key", "x-goog-api-key", "api-key")
"""Anthropic's, Google's and Azure's header, which hold the bare key."""
SEND = "the key as 'Authorization: Bearer <key>', or as the API key of the SDK"


def caller_of(auth: Auth, headers: Mapping[str, str], query: Query) -> str:
    """The name of the caller; empty where keys are off. Raises ServiceError UNAUTHENTICATED."""
    key = bearer(headers.get("authorization", "")) or _plain(headers) or query.get(KEY_QUERY, "").strip()
    return auth.owner(key, send=SEND)


def _plain(headers: Mapping[str, str]) -> str:
    for name in PLAIN:
        if name in headers and (key := headers[name].strip()):
            return key
    return ""
