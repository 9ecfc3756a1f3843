"""Usage: tokens, what is billed of them, and images, which Cohere counts beside the tokens of text."""

from __future__ import annotations

from antiphon.v1 import content_pb2, usage_pb2
from antiphon.wire.cohere_v2.spelling import WIRE, reader
from antiphon.wire.fields import RESPONSE, Fields, Place, count_of, object_at, whole_text
from antiphon.wire.jsontext import Json, JsonObject, dumps
from antiphon.wire.scribe import Scribe

_OUTER = Fields(usage_pb2.Usage, cached_tokens="cache_read_tokens")
_TOKENS = Fields(usage_pb2.Usage, output_tokens="output_tokens", reasoning_tokens="reasoning_tokens")
_LENIENT = Place(RESPONSE)
_IMAGES = "image_tokens"
_UNITS = frozenset({"input_tokens", "output_tokens", "search_units", "classifications", "images"})
"""What Cohere bills by; other providers have units of their own."""


def lift_usage(read: Json, target: usage_pb2.Usage) -> None:
    """Set `target` from the wire's block; the block itself goes to `raw`."""
    target.SetInParent()
    if not isinstance(read, dict):
        return
    scribe = reader(RESPONSE)
    _OUTER.lift(read, target, _LENIENT)
    tokens = object_at(read, "tokens")
    _TOKENS.lift(_whole(tokens), target, _LENIENT)
    images, plain = count_of(_number(tokens.get(_IMAGES))), count_of(_number(tokens.get("input_tokens")))
    if images is not None:
        target.input_by_modality.add(modality=content_pb2.MODALITY_IMAGE, tokens=images)
    if plain is not None:
        target.input_tokens = plain + (images or 0)
    for key, value in object_at(read, "billed_units").items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            target.billed_units[whole_text(key)] = value
    target.raw.wire, target.raw.media_type, target.raw.data = WIRE, "application/json", dumps(read)
    scribe.keep(target, _lowered(target), read)


def lower_usage(source: usage_pb2.Usage, scribe: Scribe) -> JsonObject:
    """The wire's block, its remainder included."""
    return scribe.restore(source, _lowered(source))


def _lowered(source: usage_pb2.Usage) -> JsonObject:
    lowered: JsonObject = {}
    own = source.raw.wire == WIRE
    units = sorted((key, value) for key, value in source.billed_units.items() if own or key in _UNITS)
    if units:
        lowered["billed_units"] = {key: int(value) if value.is_integer() else value for key, value in units}
    by_image = (item for item in source.input_by_modality if item.modality == content_pb2.MODALITY_IMAGE)
    images = next((item.tokens for item in by_image), None)
    tokens: JsonObject = {}
    if source.HasField("input_tokens"):
        tokens["input_tokens"] = max(source.input_tokens - ((images or 0) if own else 0), 0)
    _TOKENS.lower(source, tokens)
    if images is not None and own:
        tokens[_IMAGES] = images
    if not own:
        tokens.pop("reasoning_tokens", None)  # within the output tokens, and no client of this wire knows them
    if tokens:
        lowered["tokens"] = tokens
    return _OUTER.lower(source, lowered)


def _whole(counts: JsonObject) -> JsonObject:
    return {key: _number(value) for key, value in counts.items()}


def _number(value: Json) -> Json:
    """A count; Cohere also writes 12 as 12.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
