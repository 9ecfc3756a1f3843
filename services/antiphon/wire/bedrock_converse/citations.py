"""Citations: where a source is, by one of five words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from antiphon.v1 import content_pb2
from antiphon.wire.bedrock_converse.spelling import reader
from antiphon.wire.fields import RESPONSE, Fields, Place, object_at, objects, whole_text
from antiphon.wire.jsontext import JsonObject
from antiphon.wire.scribe import Scribe


@dataclass(frozen=True, slots=True)
class _Location:
    fields: Fields
    span: str = ""


_Citation = content_pb2.Citation
_DOCUMENT = Fields(_Citation, documentIndex="document_index")
_LOCATIONS: Mapping[str, _Location] = {
    "web": _Location(Fields(_Citation, url="url", domain="domain")),
    "documentChar": _Location(_DOCUMENT, "char_span"),
    "documentPage": _Location(_DOCUMENT, "page_span"),
    "documentChunk": _Location(_DOCUMENT, "block_span"),
    "searchResultLocation": _Location(Fields(_Citation, searchResultIndex="search_result_index"), "block_span"),
}
_LENIENT = Place(RESPONSE)
_MOST = 1 << 31
_TITLE = Fields(_Citation, title="title")
_SOURCE = "source"


def lift_citation(data: JsonObject, direction: str) -> content_pb2.Citation:
    """One citation."""
    citation = content_pb2.Citation()
    scribe = reader(direction)
    _TITLE.lift(data, citation, _LENIENT)
    texts = [item["text"] for item in objects(data.get("sourceContent")) if isinstance(item.get("text"), str)]
    if len(texts) == 1:
        citation.cited_text = whole_text(texts[0])
    for text in texts if len(texts) > 1 else ():
        citation.content.add().text.text = whole_text(text)
    location = object_at(data, "location")
    kind = next((word for word in _LOCATIONS if isinstance(location.get(word), dict)), "")
    if kind:
        citation.provider_type = kind
        _lift_location(location[kind], citation, _LOCATIONS[kind])
    source = data.get("source")
    if isinstance(source, str) and citation.url in ("", source):
        scribe.spell(citation, _SOURCE)
        citation.url = whole_text(source)
    scribe.keep(citation, _lowered(citation, scribe), data)
    return citation


def lower_citation(citation: content_pb2.Citation, scribe: Scribe) -> JsonObject:
    """The JSON of a citation, whatever wire it came from."""
    return scribe.restore(citation, _lowered(citation, scribe))


def _lift_location(place: JsonObject, citation: content_pb2.Citation, known: _Location) -> None:
    known.fields.lift(place, citation, _LENIENT)
    start, end = place.get("start"), place.get("end")
    if known.span and type(start) is int and type(end) is int and 0 <= start < _MOST and 0 <= end < _MOST:
        span = getattr(citation, known.span)
        span.SetInParent()
        span.start, span.end = start, end


def _lowered(citation: content_pb2.Citation, scribe: Scribe) -> JsonObject:
    data = _TITLE.lower(citation, {})
    kind = citation.provider_type if citation.provider_type in _LOCATIONS else _kind(citation)
    if scribe.spelled(citation, _SOURCE) or (citation.url and kind != "web"):
        data["source"] = citation.url
    texts = [citation.cited_text] if citation.cited_text else [part.text.text for part in citation.content]
    if any(texts):
        data["sourceContent"] = [{"text": text} for text in texts]
    if kind:
        known = _LOCATIONS[kind]
        place = known.fields.lower(citation, {})
        if known.span and citation.HasField(known.span):  # type: ignore[arg-type]  # one of the table's names
            span = getattr(citation, known.span)
            place["start"], place["end"] = span.start, span.end
        data["location"] = {kind: place}
    return data


def _kind(citation: content_pb2.Citation) -> str:
    """The word for the place of a citation that another wire gave."""
    if citation.HasField("search_result_index"):
        return "searchResultLocation"
    where = citation.WhichOneof("location") or ""
    spans = {"char_span": "documentChar", "page_span": "documentPage", "block_span": "documentChunk"}
    return spans.get(where, "web" if citation.url else "")
