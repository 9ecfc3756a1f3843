"""Annotations of a text, one table a kind."""

from __future__ import annotations

from collections.abc import Mapping

from antiphon.v1 import content_pb2
from antiphon.wire.fields import Fields, Place, whole_text
from antiphon.wire.jsontext import JsonObject
from antiphon.wire.openai_responses.quirks import WIRE
from antiphon.wire.openai_responses.writer import Writer

_Citation = content_pb2.Citation
URL = "url_citation"
FILE = "file_citation"
_KINDS: Mapping[str, Fields] = {
    URL: Fields(_Citation, url="url", title="title", start_index="start", end_index="end", content="cited_text"),
    FILE: Fields(_Citation, file_id="file_id", filename="title", index="index"),
    "container_file_citation": Fields(
        _Citation,
        container_id="container_id",
        file_id="file_id",
        filename="title",
        start_index="start",
        end_index="end",
    ),
    "file_path": Fields(_Citation, file_id="file_id", index="index"),
}
_REQUIRED: Mapping[str, JsonObject] = {
    URL: {"url": "", "title": "", "start_index": 0, "end_index": 0},
    FILE: {"file_id": "", "filename": "", "index": 0},
    "container_file_citation": {"container_id": "", "file_id": "", "filename": "", "start_index": 0, "end_index": 0},
    "file_path": {"file_id": "", "index": 0},
}
"""What clients of this wire count on; it matters for citations that another wire gave."""


def lift_citation(read: JsonObject, place: Place) -> content_pb2.Citation:
    """One annotation."""
    citation = _Citation()
    kind = read.get("type")
    citation.provider_type = whole_text(kind) if isinstance(kind, str) else ""
    if citation.provider_type in _KINDS:
        _KINDS[citation.provider_type].lift(read, citation, Place("response"))
    writer = Writer(direction=place.direction)
    writer.keep(citation, _lowered(citation), read)
    return citation


def lower_citation(citation: content_pb2.Citation, writer: Writer) -> JsonObject:
    """One annotation, whatever wire the citation came from."""
    return writer.restore(citation, _lowered(citation))


def _lowered(citation: content_pb2.Citation) -> JsonObject:
    kind = citation.provider_type
    if kind not in _KINDS:
        if citation.form.wire.startswith(WIRE) or WIRE in citation.provider_data:
            return {"type": kind} if kind else {}
        kind = FILE if citation.file_id and not citation.url else URL
    lowered = {"type": kind, **_REQUIRED[kind]}
    return _KINDS[kind].lower(citation, lowered)
