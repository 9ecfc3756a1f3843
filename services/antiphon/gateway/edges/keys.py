"""Where HTTP clients put the caller's key: each vendor's SDK has a place of its own."""

from __future__ import annotations

from starlette.datastructures import Headers, QueryParams

from antiphon.core.auth import Auth, bearer

KEY_HEADERS = frozenset({"authorization", "x-api-key", "x-goog-api-key", "api-key", "cookie"})
"""Headers that are never handed on, nor shown to a wire."""
KEY_QUERY = "key"
PLAIN = ("x-api-key", "x-goog-api-key", "api-key")
"""Anthropic's, Google's and Azure's header, which hold the bare key."""
SEND = "the key as 'Authorization: Bearer <key>', or as the API key of the SDK"


def caller_of(auth: Auth, headers: Headers, query: QueryParams) -> str:
    """The name of the caller; empty where keys are off. Raises ServiceError UNAUTHENTICATED."""
    found = bearer(headers.get("authorization", ""))
    candidates = (found, *(headers.get(name, "") for name in PLAIN), query.get(KEY_QUERY, ""))
    return auth.owner(next((key.strip() for key in candidates if key), ""), send=SEND)
