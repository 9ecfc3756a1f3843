"""What a candidate says about its own text: where Google found it, what it repeats, how likely its tokens were.

Google counts places in bytes of the whole text of a candidate, thoughts left out, whatever parts it came in; or, where
it gives a `partIndex`, of that part. The contract counts in characters of the part.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from antiphon.v1 import chat_pb2, content_pb2
from antiphon.wire.fields import RESPONSE, Fields, Place, count_of, object_at, objects, whole_text
from antiphon.wire.gemini.sources import URL_CONTEXT, lift_page, lift_source, lower_page, lower_source
from antiphon.wire.gemini.writer import Writer
from antiphon.wire.jsontext import Json, JsonObject

Citation = content_pb2.Citation
RECITED = "citation_source"
"""Kind of a citation of protected text that the model repeated; others say where a statement comes from."""
_GROUNDED = "grounding"
_BY_PART = "by_part"
_LENIENT = Place(RESPONSE)
_QUERIES = Fields(
    chat_pb2.Grounding,
    webSearchQueries="queries",
    imageSearchQueries="image_queries",
    retrievalQueries="retrieval_queries",
    googleMapsWidgetContextToken="widget_token",
)
_RECITED = Fields(Citation, uri="url", license="license", title="title")


@dataclass(frozen=True, slots=True)
class _Piece:
    """A text part: where its bytes begin in the text of the candidate."""

    number: int
    part: content_pb2.Part
    data: bytes
    start: int


def lift_metadata(candidate: JsonObject, output: chat_pb2.Output, found: list[content_pb2.SearchResult]) -> None:
    """Read `groundingMetadata`, `urlContextMetadata` and `citationMetadata`; what was found is added to `found`."""
    pieces = _pieces(output)
    grounding = object_at(candidate, "groundingMetadata")
    first = len(found)
    found.extend(map(lift_source, objects(grounding.get("groundingChunks"))))
    sources = found[first:]
    for support in objects(grounding.get("groundingSupports")):
        _lift_support(support, pieces, sources, first)
    pages = object_at(candidate, "urlContextMetadata").get("urlMetadata")
    found.extend(map(lift_page, objects(pages)))
    if grounding or len(found) > first:
        _lift_queries(grounding, output.grounding)
        output.grounding.search_results.start, output.grounding.search_results.end = first, len(found)
    for citation in objects(_recited(candidate)):
        _lift_recited(citation, pieces)


def lower_metadata(output: chat_pb2.Output, completion: chat_pb2.Completion) -> JsonObject:
    """`groundingMetadata`, `urlContextMetadata` and `citationMetadata`, as far as there is something to say."""
    lowered: JsonObject = {}
    mine, first = _mine(output, completion)
    sources = [lower_source(one) for one in mine if one.origin != URL_CONTEXT]
    pages = [lower_page(one) for one in mine if one.origin == URL_CONTEXT]
    addresses = [one.source for one in mine if one.origin != URL_CONTEXT]
    supports = list(_lower_supports(output, sources, addresses, first))
    grounding = _lower_queries(output.grounding)
    if sources:
        grounding["groundingChunks"] = sources
    if supports:
        grounding["groundingSupports"] = supports
    if grounding:
        lowered["groundingMetadata"] = grounding
    if pages:
        lowered["urlContextMetadata"] = {"urlMetadata": pages}
    writer = Writer(direction=RESPONSE)
    recited = [
        _lower_recited(citation, piece)
        for piece in _pieces(output)
        for citation in piece.part.text.citations
        if citation.provider_type == RECITED
    ]
    if recited:
        key = "citations" if writer.spelled(output, "citations") else "citationSources"
        lowered["citationMetadata"] = {key: recited}
    return lowered


def _recited(candidate: JsonObject) -> Json:
    metadata = object_at(candidate, "citationMetadata")
    return metadata.get("citationSources", metadata.get("citations"))


def _pieces(output: chat_pb2.Output) -> list[_Piece]:
    pieces: list[_Piece] = []
    start, number = 0, 0
    for message in output.messages:
        for part in message.parts:
            if part.WhichOneof("kind") == "text":
                data = part.text.text.encode()
                pieces.append(_Piece(number, part, data, start))
                start += len(data)
            number += 1
    return pieces


def _lift_queries(grounding: JsonObject, target: chat_pb2.Grounding) -> None:
    _QUERIES.lift(grounding, target, _LENIENT)
    rendered = object_at(grounding, "searchEntryPoint").get("renderedContent")
    if isinstance(rendered, str):
        target.rendered_html = whole_text(rendered)
    score = object_at(grounding, "retrievalMetadata").get("googleSearchDynamicRetrievalScore")
    if isinstance(score, int | float) and not isinstance(score, bool):
        target.search_score = score


def _lower_queries(grounding: chat_pb2.Grounding) -> JsonObject:
    lowered = _QUERIES.lower(grounding, {})
    if grounding.rendered_html:
        lowered["searchEntryPoint"] = {"renderedContent": grounding.rendered_html}
    if grounding.HasField("search_score"):
        lowered["retrievalMetadata"] = {"googleSearchDynamicRetrievalScore": grounding.search_score}
    return lowered


def _mine(output: chat_pb2.Output, completion: chat_pb2.Completion) -> tuple[list[content_pb2.SearchResult], int]:
    """The search results that belong to an output, and the number of the first."""
    if output.HasField("grounding") and output.grounding.HasField("search_results"):
        span = output.grounding.search_results
        return list(completion.search_results[span.start : span.end]), span.start
    if any(one.HasField("grounding") for one in completion.outputs) or output.index:
        return [], 0
    return list(completion.search_results), 0


def _lift_support(
    support: JsonObject, pieces: Sequence[_Piece], sources: Sequence[content_pb2.SearchResult], first: int
) -> None:
    segment = object_at(support, "segment")
    place = _place(segment, pieces)
    if place is None:
        return
    piece, by_part = place
    indices = support.get("groundingChunkIndices", [])
    scores = support.get("confidenceScores")
    numbers = indices if isinstance(indices, list) else []
    for order, number in enumerate(numbers or [None]):
        citation = piece.part.text.citations.add(provider_type=_GROUNDED)
        start, end = (_offset(segment, key) - (0 if by_part else piece.start) for key in ("startIndex", "endIndex"))
        citation.start, citation.end = _characters(piece.data, start), _characters(piece.data, end)
        if by_part:
            Writer(direction=RESPONSE).spell(citation, _BY_PART)
        if type(number) is int and 0 <= number < len(sources):
            citation.found_index = first + number
            citation.url, citation.title = sources[number].source, sources[number].title
        if isinstance(scores, list) and order < len(scores) and isinstance(scores[order], int | float):
            citation.score = scores[order]


def _place(segment: JsonObject, pieces: Sequence[_Piece]) -> tuple[_Piece, bool] | None:
    """The text part that a segment begins in, and whether it is counted from there; None where it fits none."""
    start, end, number = (_offset(segment, key) for key in ("startIndex", "endIndex", "partIndex"))
    own = next((piece for piece in pieces if piece.number == number), None)
    if own is not None and "partIndex" in segment and own.start and end <= len(own.data):
        return own, True
    holding = (piece for piece in pieces if piece.start <= start < max(piece.start + len(piece.data), 1))
    found = next(holding, None)
    return None if found is None or end < start else (found, False)


def _offset(segment: JsonObject, key: str) -> int:
    return count_of(segment.get(key)) or 0


def _characters(data: bytes, offset: int) -> int:
    """How many characters are before a byte; those past the end count as they would in ASCII."""
    return len(data[:offset].decode("utf-8", "ignore")) + max(offset - len(data), 0)


def _bytes(data: bytes, offset: int) -> int:
    text = data.decode()
    return len(text[:offset].encode()) + max(offset - len(text), 0)


def _lower_supports(
    output: chat_pb2.Output, sources: list[JsonObject], addresses: list[str], first: int
) -> Iterator[JsonObject]:
    """One support for every passage; sources that citations name and nobody listed are added to `sources`."""
    whole = b"".join(piece.data for piece in _pieces(output))
    for piece in _pieces(output):
        support: JsonObject = {}
        passage: tuple[int, int] | None = None
        for citation in piece.part.text.citations:
            if citation.provider_type == RECITED:
                continue
            start = citation.start if citation.HasField("start") else 0
            end = citation.end if citation.HasField("end") else len(piece.part.text.text)
            number = _number(citation, sources, addresses, first)
            if passage != (start, end) or number is None:
                if support:
                    yield support
                passage, support = (start, end), {"segment": _segment(citation, piece, start, end, whole)}
            if number is not None:
                support.setdefault("groundingChunkIndices", []).append(number)
            if citation.HasField("score"):
                support.setdefault("confidenceScores", []).append(citation.score)
        if support:
            yield support


def _number(citation: Citation, sources: list[JsonObject], addresses: list[str], first: int) -> int | None:
    if citation.HasField("found_index"):
        return citation.found_index - first
    if not citation.url and not citation.title:
        return None
    if citation.url in addresses:
        return addresses.index(citation.url)
    sources.append(lower_source(content_pb2.SearchResult(source=citation.url, title=citation.title, origin="web")))
    addresses.append(citation.url)
    return len(sources) - 1


def _segment(citation: Citation, piece: _Piece, start: int, end: int, whole: bytes) -> JsonObject:
    by_part = Writer(direction=RESPONSE).spelled(citation, _BY_PART)
    from_byte, to_byte = _bytes(piece.data, start), _bytes(piece.data, end)
    text = (piece.data if by_part else whole[piece.start :])[from_byte:to_byte].decode("utf-8", "replace")
    base = 0 if by_part else piece.start
    segment: JsonObject = {"endIndex": base + to_byte}
    if base + from_byte:
        segment["startIndex"] = base + from_byte
    if by_part:
        segment["partIndex"] = piece.number
    if text:
        segment["text"] = text
    return segment


def _lift_recited(read: JsonObject, pieces: Sequence[_Piece]) -> None:
    place = _place(read, pieces)
    if place is None:
        return
    piece, _ = place
    citation = piece.part.text.citations.add(provider_type=RECITED)
    _RECITED.lift(read, citation, _LENIENT)
    start, end = (_offset(read, key) - piece.start for key in ("startIndex", "endIndex"))
    citation.start, citation.end = _characters(piece.data, start), _characters(piece.data, end)
    citation.publication_date = _date(object_at(read, "publicationDate"))


def _lower_recited(citation: Citation, piece: _Piece) -> JsonObject:
    lowered = _RECITED.lower(citation, {})
    for key, offset in (("startIndex", citation.start), ("endIndex", citation.end)):
        if place := piece.start + _bytes(piece.data, offset):
            lowered[key] = place
    if citation.publication_date:
        numbers = citation.publication_date.split("-")
        lowered["publicationDate"] = {
            key: int(number) for key, number in zip(("year", "month", "day"), numbers, strict=False)
        }
    return lowered


def _date(date: JsonObject) -> str:
    numbers = [date.get(key) for key in ("year", "month", "day")]
    known = [number for number in numbers if type(number) is int]
    return "-".join(f"{number:02}" for number in known) if numbers[: len(known)] == known else ""
