"""Citations and search results, in both directions."""

from __future__ import annotations

from typing import Any

from antiphon.v1 import content_pb2
from antiphon.wire.jsontext import JsonObject
from antiphon.wire.openai_chat.parts import lift_part, lower_part
from antiphon.wire.openai_chat.quirks import WIRE
from antiphon.wire.openai_chat.spelling import REQUEST, spell, spelled
from antiphon.wire.remainder import keep, restore

Citation = content_pb2.Citation
FILE = "file"
URL = "url_citation"
_ANNOTATIONS = "annotations"
_URL_TEXTS = {"title": "title", "url": "url", "content": "cited_text"}
_FOUND = {
    "title": "title",
    "url": "source",
    "date": "page_age",
    "last_updated": "last_updated",
    "source": "origin",
}


def lift_annotations(message: content_pb2.Message, annotations: Any, direction: str) -> None:
    """Read `annotations` into the citations of the message's last text part; without one they stay untyped."""
    text = next((part.text for part in reversed(message.parts) if part.WhichOneof("kind") == "text"), None)
    if text is None or not isinstance(annotations, list) or not annotations:
        return
    if not all(isinstance(item, dict) for item in annotations):
        return
    if direction == REQUEST:
        spell(message, direction, _ANNOTATIONS)
    text.citations.extend(lift_citation(item, direction) for item in annotations)


def lower_annotations(message: content_pb2.Message, parts: list[content_pb2.Part], direction: str) -> list[JsonObject]:
    """`annotations` from the citations of text parts. A request replays only what it was read with, and documents
    that the provider has parsed (OpenRouter), so as not to have them parsed again."""
    found = [citation for part in parts if part.WhichOneof("kind") == "text" for citation in part.text.citations]
    if direction == REQUEST and not spelled(message, _ANNOTATIONS, REQUEST):
        found = [citation for citation in found if citation.provider_type == FILE]
    return [lower_citation(citation, direction) for citation in found if is_sayable(citation)]


def is_sayable(citation: Citation) -> bool:
    """Whether clients of this wire can read a citation: they count on an address, which a document of another wire
    does not have."""
    return bool(citation.url) or citation.provider_type == FILE or citation.form.wire.startswith(WIRE)


def lower_citation(citation: Citation, direction: str) -> JsonObject:
    """One element of `annotations`."""
    return restore(citation, WIRE, direction, _lowered(citation, direction))


def lift_citation(data: JsonObject, direction: str) -> Citation:
    """One element of `annotations`."""
    citation = Citation()
    kind = data.get("type")
    citation.provider_type = kind if isinstance(kind, str) else ""
    inner = data.get(citation.provider_type)
    if isinstance(inner, dict) and kind == URL:
        _lift_url(citation, inner)
    elif isinstance(inner, dict) and kind == FILE:
        _lift_file(citation, inner, direction)
    keep(citation, WIRE, direction, _lowered(citation, direction), data)
    return citation


def lift_found(data: JsonObject) -> content_pb2.SearchResult:
    """One element of `search_results` (Perplexity)."""
    found = content_pb2.SearchResult()
    for name, field in _FOUND.items():
        if isinstance(data.get(name), str):
            setattr(found, field, data[name])
    if isinstance(data.get("snippet"), str):
        found.content.add().text.text = data["snippet"]
    return found


def lower_found(found: content_pb2.SearchResult) -> JsonObject:
    """One element of `search_results`."""
    data = {name: getattr(found, field) for name, field in _FOUND.items() if getattr(found, field)}
    if found.content:
        data["snippet"] = "".join(part.text.text for part in found.content)
    return data


def _lift_url(citation: Citation, inner: JsonObject) -> None:
    for name, field in _URL_TEXTS.items():
        if isinstance(inner.get(name), str):
            setattr(citation, field, inner[name])
    for name, field in (("start_index", "start"), ("end_index", "end")):
        if isinstance(inner.get(name), int) and 0 <= inner[name] < 2**31:
            setattr(citation, field, inner[name])


def _lift_file(citation: Citation, inner: JsonObject, direction: str) -> None:
    if isinstance(inner.get("hash"), str):
        citation.file_id = inner["hash"]
    if isinstance(inner.get("name"), str):
        citation.title = inner["name"]
    if isinstance(inner.get("content"), list):
        citation.content.extend(lift_part(item, direction) for item in inner["content"])


def _lowered(citation: Citation, direction: str) -> JsonObject:
    kind = citation.provider_type if citation.form.wire.startswith(WIRE) or citation.provider_type == FILE else ""
    if kind == FILE:
        content = [lower_part(part, direction, "annotations") for part in citation.content]
        return {"type": FILE, FILE: {"hash": citation.file_id, "name": citation.title, "content": content}}
    texts = ((name, getattr(citation, field)) for name, field in _URL_TEXTS.items())
    inner: JsonObject = {name: text for name, text in texts if text or name != "content"}
    inner["start_index"], inner["end_index"] = citation.start, citation.end
    return {"type": kind or URL, kind or URL: inner}
