"""Usage: Google counts thoughts beside the answer and tool results beside the prompt, the contract within."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from antiphon.v1 import content_pb2, usage_pb2
from antiphon.wire.fields import RESPONSE, Fields, Place, count_of, objects
from antiphon.wire.gemini.quirks import WIRE
from antiphon.wire.gemini.spelling import plain
from antiphon.wire.gemini.writer import Writer
from antiphon.wire.jsontext import Json, JsonObject, dumps

MODALITIES: Mapping[str, content_pb2.Modality.ValueType] = {
    "TEXT": content_pb2.MODALITY_TEXT,
    "IMAGE": content_pb2.MODALITY_IMAGE,
    "AUDIO": content_pb2.MODALITY_AUDIO,
    "VIDEO": content_pb2.MODALITY_VIDEO,
    "DOCUMENT": content_pb2.MODALITY_DOCUMENT,
    "MODALITY_UNSPECIFIED": content_pb2.MODALITY_UNSPECIFIED,
}
_WORDS = {modality: word for word, modality in MODALITIES.items()}
_USAGE = Fields(
    usage_pb2.Usage,
    cachedContentTokenCount="cache_read_tokens",
    thoughtsTokenCount="reasoning_tokens",
    toolUsePromptTokenCount="tool_prompt_tokens",
    totalTokenCount="total_tokens",
    serviceTier="service_tier",
    trafficType="traffic_type",
)
_PROMPT, _ANSWER, _THOUGHTS = "promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount"
_LISTS = (
    ("promptTokensDetails", "input_by_modality"),
    ("candidatesTokensDetails", "output_by_modality"),
    ("toolUsePromptTokensDetails", "tool_prompt_by_modality"),
)
_CACHED = "cacheTokensDetails"
_ZERO = "zero:"
"""Spelling: a count of 0 that was written out; Google leaves it away."""
_LENIENT = Place(RESPONSE)


def lift_usage(read: Json, target: usage_pb2.Usage) -> None:
    """Set `target` from `usageMetadata`; the block itself goes to `raw`."""
    if not isinstance(read, dict):
        return
    value, _ = plain(read)
    writer = Writer(direction=RESPONSE)
    target.SetInParent()
    for key in (_PROMPT, _ANSWER, _THOUGHTS):
        if value.get(key) == 0:
            writer.spell(target, f"{_ZERO}{key}")
    if all(count_of(count) is not None for key, count in value.items() if key.endswith("TokenCount")):
        _USAGE.lift(value, target, _LENIENT)
        # Fields of a proto answer that are 0 are left away, so that a block that is there counts everything.
        target.input_tokens = value.get(_PROMPT, 0) + target.tool_prompt_tokens
        target.output_tokens = value.get(_ANSWER, 0) + target.reasoning_tokens
        if not target.HasField("total_tokens"):
            target.total_tokens = target.input_tokens + target.output_tokens
    for key, name in _LISTS:
        lift_details(value.get(key), getattr(target, name))
    lift_cached(value.get(_CACHED), target)
    target.raw.wire, target.raw.media_type, target.raw.data = WIRE, "application/json", dumps(read)
    writer.keep(target, _lower(target, writer), read)


def lower_usage(source: usage_pb2.Usage) -> JsonObject:
    """`usageMetadata`, its remainder included."""
    writer = Writer(direction=RESPONSE)
    return writer.restore(source, _lower(source, writer))


def lower_details(details: Iterable[usage_pb2.ModalityTokens], name: str = "tokens") -> list[JsonObject]:
    """Counts by kind of content."""
    return [
        {"modality": _WORDS[item.modality], "tokenCount": getattr(item, name)}
        for item in details
        if item.HasField(name)  # type: ignore[arg-type]  # one of two names
    ]


def _lower(source: usage_pb2.Usage, writer: Writer) -> JsonObject:
    lowered: JsonObject = {}
    if source.HasField("input_tokens"):
        lowered[_PROMPT] = max(source.input_tokens - source.tool_prompt_tokens, 0)
    if source.HasField("output_tokens"):
        lowered[_ANSWER] = max(source.output_tokens - source.reasoning_tokens, 0)
    _USAGE.lower(source, lowered)
    if source.raw.wire != WIRE:
        lowered.pop("serviceTier", None)  # another provider's word
    if source.cache_read_tokens == 0:
        lowered.pop("cachedContentTokenCount", None)
    for key in (_PROMPT, _ANSWER, _THOUGHTS):
        if lowered.get(key) == 0 and not writer.spelled(source, f"{_ZERO}{key}"):
            del lowered[key]
    for key, name in _LISTS:
        if details := lower_details(getattr(source, name)):
            lowered[key] = details
    if cached := lower_details(source.input_by_modality, "cached_tokens"):
        lowered[_CACHED] = cached
    return lowered


def lift_details(details: Json, target: Any) -> None:
    """Read counts by kind of content."""
    for item in objects(details):
        word, count = item.get("modality"), item.get("tokenCount", 0)
        if isinstance(word, str) and word in MODALITIES and count_of(count) is not None:
            target.add(modality=MODALITIES[word], tokens=count)


def lift_cached(details: Json, target: usage_pb2.Usage) -> None:
    """Cached tokens by kind of content, beside all tokens of that kind."""
    for item in objects(details):
        word, count = item.get("modality"), item.get("tokenCount", 0)
        if not isinstance(word, str) or word not in MODALITIES or count_of(count) is None:
            continue
        found = next((one for one in target.input_by_modality if one.modality == MODALITIES[word]), None)
        found = target.input_by_modality.add(modality=MODALITIES[word]) if found is None else found
        found.cached_tokens = count
