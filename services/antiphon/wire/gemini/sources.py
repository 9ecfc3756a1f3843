"""What Google found for an answer: sources of several kinds, one row each, and pages that it was told to read."""

from __future__ import annotations

from collections.abc import Mapping

from antiphon.v1 import content_pb2
from antiphon.wire.fields import RESPONSE, Fields, Place, whole_text
from antiphon.wire.gemini.writer import Writer
from antiphon.wire.jsontext import JsonObject

URL_CONTEXT = "url_context"
_Found = content_pb2.SearchResult
_KINDS: Mapping[str, tuple[str, Fields]] = {
    "web": ("web", Fields(_Found, uri="source", title="title", domain="domain")),
    "retrievedContext": (
        "retrieved_context",
        Fields(_Found, uri="source", title="title", fileSearchStore="store_id", documentName="document_id"),
    ),
    "maps": ("maps", Fields(_Found, uri="source", title="title", placeId="place_id")),
    "image": ("image", Fields(_Found, sourceUri="source", title="title", domain="domain", imageUri="image_url")),
}
_KEYS = {origin: key for key, (origin, _) in _KINDS.items()}
_URL = Fields(_Found, retrievedUrl="source", urlRetrievalStatus="status")
_LENIENT = Place(RESPONSE)


def lift_source(chunk: JsonObject) -> content_pb2.SearchResult:
    """One of `groundingChunks`."""
    found = _Found()
    key = next((name for name in _KINDS if isinstance(chunk.get(name), dict)), "")
    if key:
        found.origin, fields = _KINDS[key]
        fields.lift(chunk[key], found, _LENIENT)
        text = chunk[key].get("text")
        if isinstance(text, str):
            found.content.add().text.text = whole_text(text)
    Writer(direction=RESPONSE).keep(found, _lower_source(found), chunk)
    return found


def lower_source(found: content_pb2.SearchResult) -> JsonObject:
    """One of `groundingChunks`."""
    return Writer(direction=RESPONSE).restore(found, _lower_source(found))


def lift_page(page: JsonObject) -> content_pb2.SearchResult:
    """One of `urlMetadata`."""
    found = _Found(origin=URL_CONTEXT)
    _URL.lift(page, found, _LENIENT)
    Writer(direction=RESPONSE).keep(found, _URL.lower(found, {}), page)
    return found


def lower_page(found: content_pb2.SearchResult) -> JsonObject:
    """One of `urlMetadata`."""
    return Writer(direction=RESPONSE).restore(found, _URL.lower(found, {}))


def _lower_source(found: content_pb2.SearchResult) -> JsonObject:
    if not found.ListFields():
        return {}
    key = _KEYS.get(found.origin, "web")
    lowered = _KINDS[key][1].lower(found, {})
    if found.content and key in ("retrievedContext", "maps"):
        lowered["text"] = "".join(part.text.text for part in found.content)
    return {key: lowered}
