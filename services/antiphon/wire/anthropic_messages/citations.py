"""Citations: five kinds of place, one table each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from antiphon.v1 import content_pb2
from antiphon.wire.anthropic_messages.fields import RESPONSE, Fields, Place, whole_text
from antiphon.wire.anthropic_messages.quirks import WIRE
from antiphon.wire.jsontext import JsonObject, dumps, leaves, loads
from antiphon.wire.remainder import merge

_MOST = 1 << 31
_LENIENT = Place(RESPONSE)


@dataclass(frozen=True, slots=True)
class _Form:
    fields: Fields
    span: str = ""
    start: str = ""
    end: str = ""
    always: tuple[str, ...] = ("cited_text",)
    """Keys that are written even when empty: the wire requires them."""


_Citation = content_pb2.Citation
_DOCUMENT = Fields(
    _Citation, cited_text="cited_text", document_index="document_index", document_title="title", file_id="file_id"
)
_FORMS: Mapping[str, _Form] = {
    "char_location": _Form(_DOCUMENT, "char_span", "start_char_index", "end_char_index"),
    "page_location": _Form(_DOCUMENT, "page_span", "start_page_number", "end_page_number"),
    "content_block_location": _Form(_DOCUMENT, "block_span", "start_block_index", "end_block_index"),
    "search_result_location": _Form(
        Fields(
            _Citation, cited_text="cited_text", search_result_index="search_result_index", source="url", title="title"
        ),
        "block_span",
        "start_block_index",
        "end_block_index",
    ),
    "web_search_result_location": _Form(
        Fields(_Citation, cited_text="cited_text", encrypted_index="encrypted_index", title="title", url="url"),
        always=("cited_text", "url", "encrypted_index"),
    ),
}


def lift_citation(source: JsonObject, target: content_pb2.Citation) -> None:
    """Set the fields of `target`; what the table does not know goes to its provider_data."""
    kind = source.get("type")
    target.provider_type = whole_text(kind) if isinstance(kind, str) else ""
    form = _FORMS.get(target.provider_type)
    if form is not None:
        form.fields.lift(source, target, _LENIENT)
        start, end = source.get(form.start), source.get(form.end)
        if type(start) is int and type(end) is int and 0 <= start < _MOST and 0 <= end < _MOST:
            span = getattr(target, form.span)
            span.start, span.end = start, end
    lowered = lower_citation(target)
    rest = {key: value for key, value in source.items() if key not in lowered and value is not None and leaves(value)}
    if rest or form is None:
        target.provider_data[WIRE] = dumps(rest).decode()


def lower_citation(source: content_pb2.Citation) -> JsonObject:
    """The JSON of a citation, whatever wire it came from."""
    kind = source.provider_type if source.provider_type in _FORMS else _kind(source)
    lowered: JsonObject = {"type": kind}
    if kind in _FORMS:
        form = _FORMS[kind]
        lowered.update(dict.fromkeys(form.always, ""))
        form.fields.lower(source, lowered)
        if form.span and source.HasField(form.span):  # type: ignore[arg-type]  # one of the table's names
            span = getattr(source, form.span)
            lowered[form.start], lowered[form.end] = span.start, span.end
    if WIRE in source.provider_data:
        merge(lowered, loads(source.provider_data[WIRE]))
    return lowered


def _kind(source: content_pb2.Citation) -> str:
    """The kind of a citation that another wire gave, or that this contract does not know."""
    if WIRE in source.provider_data:
        return source.provider_type
    if source.HasField("search_result_index"):
        return "search_result_location"
    return {
        "char_span": "char_location",
        "page_span": "page_location",
        "block_span": "content_block_location",
        "chunk_id": "web_search_result_location",
    }.get(source.WhichOneof("location") or "", "web_search_result_location")
