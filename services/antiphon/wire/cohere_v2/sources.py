"""Documents that the caller gives, the outputs of tools as documents, and citations of both."""

from __future__ import annotations

from antiphon.v1 import content_pb2
from antiphon.wire.cohere_v2.spelling import reader
from antiphon.wire.fields import RESPONSE, Fields, Place, objects, whole_text
from antiphon.wire.jsontext import Json, JsonObject
from antiphon.wire.plain_text import as_text
from antiphon.wire.scribe import Scribe

Part = content_pb2.Part
_DATA = Fields(content_pb2.SearchResult, title="title", url="source")
_TEXTS = ("text", "snippet", "content")
"""Names under which callers give the text of a document; the first that it has counts."""
_CITATION = Fields(content_pb2.Citation, start="start", end="end", text="cited_text", type="provider_type")
_LENIENT = Place(RESPONSE)
_BARE, _PLAIN, _REPEATED = "data_is_text", "document_is_text", "id_within"
_CONTENT_INDEX = "content_index"
_HOLDERS = {"tool": "tool_output", "document": "document"}
PLAN, THINKING = "PLAN", "THINKING_CONTENT"


def lift_document(item: Json, direction: str) -> Part | None:
    """A document; None where it is neither a text nor an object."""
    part, scribe = Part(), reader(direction)
    part.search_result.SetInParent()
    if isinstance(item, str):
        part.search_result.content.add().text.text = whole_text(item)
        scribe.spell(part, _PLAIN)
        return part
    if not isinstance(item, dict):
        return None
    _lift(item, "data", part, scribe)
    scribe.keep(part, _lowered(part, "data", scribe), item)
    return part


def lower_document(part: Part, scribe: Scribe) -> Json:
    """A document, or any part that text can say, as one."""
    if part.WhichOneof("kind") != "search_result":
        return _lowered_other(part)
    if scribe.spelled(part, _PLAIN) and len(part.search_result.content) == 1:
        return part.search_result.content[0].text.text
    return scribe.restore(part, _lowered(part, "data", scribe))


def lift_citation(data: JsonObject, direction: str) -> content_pb2.Citation:
    """One citation, but for the content that it is about."""
    citation, scribe = content_pb2.Citation(), reader(direction)
    _CITATION.lift(data, citation, _LENIENT)
    sources = objects(data.get("sources"))
    citation.content.extend(_lift_source(source, direction) for source in sources)
    if citation.content:  # for clients of wires whose citations have one source
        found = citation.content[0].search_result
        citation.title, citation.url = found.title, found.source
    if type(data.get(_CONTENT_INDEX)) is int:
        scribe.spell(citation, _CONTENT_INDEX)
    rest = {key: value for key, value in data.items() if key != _CONTENT_INDEX}
    scribe.keep(citation, _lowered_citation(citation, scribe), rest)
    return citation


def lower_citation(citation: content_pb2.Citation, scribe: Scribe, index: int | None) -> JsonObject:
    """One citation; `index` is that of the content that it is about, None where it goes without saying."""
    data = scribe.restore(citation, _lowered_citation(citation, scribe))
    if index is not None:
        data[_CONTENT_INDEX] = index
    return data


def tells_index(citation: content_pb2.Citation, scribe: Scribe) -> bool:
    """Whether a citation was read with the number of its content."""
    return scribe.spelled(citation, _CONTENT_INDEX)


def _lift_source(source: JsonObject, direction: str) -> Part:
    part, scribe = Part(), reader(direction)
    part.search_result.SetInParent()
    kind = source.get("type")
    if isinstance(kind, str):
        part.search_result.origin = whole_text(kind)
    _lift(source, _HOLDERS.get(str(kind), "document"), part, scribe)
    scribe.keep(part, _lowered_source(part, scribe), source)
    return part


def _lowered_source(part: Part, scribe: Scribe) -> JsonObject:
    kind = part.search_result.origin
    if kind not in _HOLDERS:
        kind = "document"
    lowered: JsonObject = {"type": part.search_result.origin or kind}
    return lowered | _lowered(part, _HOLDERS[kind], scribe)


def _lowered_citation(citation: content_pb2.Citation, scribe: Scribe) -> JsonObject:
    data = _CITATION.lower(citation, {})
    if data.get("type") not in (None, PLAN, THINKING, "TEXT_CONTENT") and not citation.form.wire:
        data["type"] = "TEXT_CONTENT"  # the word of another wire
    found = [part for part in citation.content if part.WhichOneof("kind") == "search_result"]
    data["sources"] = [scribe.restore(part, _lowered_source(part, scribe)) for part in found]
    if not found and (citation.url or citation.title):
        document = {key: value for key, value in (("title", citation.title), ("url", citation.url)) if value}
        data["sources"] = [{"type": "document", "id": citation.url or citation.title, "document": document}]
    return data


def _lift(item: JsonObject, key: str, part: Part, scribe: Scribe) -> None:
    if isinstance(item.get("id"), str):
        part.id = whole_text(item["id"])
    data = item.get(key)
    if isinstance(data, str):
        part.search_result.content.add().text.text = whole_text(data)
        scribe.spell(part, _BARE)
    elif isinstance(data, dict):
        _DATA.lift(data, part.search_result, _LENIENT)
        if part.id and data.get("id") == part.id:
            scribe.spell(part, _REPEATED)
        name = next((name for name in _TEXTS if isinstance(data.get(name), str)), None)
        if name is not None:
            part.search_result.content.add().text.text = whole_text(data[name])
            if name != _TEXTS[0]:
                scribe.spell(part, f"in {name}")


def _lowered(part: Part, key: str, scribe: Scribe) -> JsonObject:
    found = part.search_result
    lowered: JsonObject = {"id": part.id} if part.id else {}
    text = "\n".join(as_text(item) or "" for item in found.content)
    if scribe.spelled(part, _BARE):
        return lowered | {key: text}
    data = _DATA.lower(found, {"id": part.id} if scribe.spelled(part, _REPEATED) else {})
    if found.content:
        data[scribe.spelling(part, "in ") or _TEXTS[0]] = text
    return lowered | {key: data}


def _lowered_other(part: Part) -> JsonObject:
    """A document in text of another wire."""
    media = part.media
    data = {"title": media.title or media.filename} if media.title or media.filename else {}
    return {"data": {**data, "text": as_text(part) or ""}}
