"""An exchange as one JSON document: for scripts that read a recording, change it and store it again.

It has the members of vcrpy's format, because these are documented and known. Bodies are text where they are text, else
`{"base64": ...}`, so that a document leads back to the exact bytes.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

from vcr.request import Request as VcrRequest  # type: ignore[import-untyped]  # vcrpy ships no types

from antiphon.harness import rawform
from antiphon.harness.interaction import Interaction

_BASE64: Final = "base64"


class BadExchangeError(ValueError):
    """A document is no exchange; the message names the member."""


def to_document(interaction: Interaction) -> dict[str, Any]:
    """Return an exchange as a JSON object."""
    request, response = rawform.to_raw(interaction)
    return {
        "request": {**request, "body": _shown(request["body"])},
        "response": {**response, "body": {"string": _shown(response["body"]["string"])}},
    }


def from_document(document: Any, *, edited: bool = False) -> Interaction:
    """Return the exchange of a JSON object; raises BadExchangeError.

    `edited` lets go of chunks that no longer add up to the body, which then replays in one piece.
    """
    try:
        given = _mapping(document, "an exchange")
        request = _mapping(given.get("request"), "request")
        response = _mapping(given.get("response"), "response")
        asked = VcrRequest(
            method=request.get("method"),
            uri=request.get("uri"),
            body=_bytes(request.get("body"), "request.body"),
            headers=_mapping(request.get("headers") or {}, "request.headers"),
        )
        holder = response.get("body")
        body = holder.get("string") if isinstance(holder, dict) else holder
        answered = _bytes(body, "response.body")
        extra = response.get(rawform.KEY)
        if edited and isinstance(extra, dict) and not _adds_up(extra.get("chunks"), len(answered)):
            response = {**response, rawform.KEY: {key: value for key, value in extra.items() if key != "chunks"}}
        return rawform.from_raw(asked, {**response, "body": {"string": answered}})
    except (rawform.MalformedError, AttributeError, TypeError) as error:
        raise BadExchangeError(f"it is no exchange: {error}") from error


def _adds_up(chunks: Any, size: int) -> bool:
    try:
        return bool(sum(length for _, length in chunks) == size)
    except (TypeError, ValueError):
        return True  # not for this reason; whoever reads it says what is wrong


def _shown(body: bytes) -> Any:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return {_BASE64: base64.b64encode(body).decode("ascii")}


def _bytes(given: Any, place: str) -> bytes:
    if given is None:
        return b""
    if isinstance(given, str):
        return given.encode("utf-8", "surrogatepass")
    if isinstance(given, Mapping) and isinstance(given.get(_BASE64), str):
        try:
            return base64.b64decode(given[_BASE64], validate=True)
        except binascii.Error as error:
            raise BadExchangeError(f"{place} is no base64") from error
    raise BadExchangeError(f'{place} must be text or {{"base64": text}}')


def _mapping(value: Any, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadExchangeError(f"{place} must be an object")
    return value
