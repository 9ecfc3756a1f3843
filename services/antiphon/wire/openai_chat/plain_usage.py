"""The usage block that OpenAI itself writes, read in one pass.

Nearly every answer has it, and it says nothing that needs the search and the comparison in `usage`: its counts stand
where this wire's inventor put them, so there is no spelling and no remainder. Whatever else stands in a block sends it
to `usage`; a test holds both ways of reading to the same result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from antiphon.v1 import content_pb2, usage_pb2
from antiphon.wire.jsontext import JsonObject, dumps
from antiphon.wire.openai_chat.quirks import WIRE

_LIMIT = 2**63
_AUDIO = content_pb2.MODALITY_AUDIO
_COUNTS: Mapping[str, str] = {
    "prompt_tokens": "input_tokens",
    "completion_tokens": "output_tokens",
    "total_tokens": "total_tokens",
}
_INPUT: Mapping[str, str] = {"cached_tokens": "cache_read_tokens", "audio_tokens": ""}
_OUTPUT: Mapping[str, str] = {
    "reasoning_tokens": "reasoning_tokens",
    "audio_tokens": "",
    "accepted_prediction_tokens": "accepted_prediction_tokens",
    "rejected_prediction_tokens": "rejected_prediction_tokens",
}
_DETAILS: Mapping[str, Mapping[str, str]] = {"prompt_tokens_details": _INPUT, "completion_tokens_details": _OUTPUT}
_WRITTEN: Mapping[str, tuple[str, str]] = {
    **{field: ("", key) for key, field in _COUNTS.items()},
    **{field: (outer, key) for outer, names in _DETAILS.items() for key, field in names.items() if field},
}
"""Where each count is written: the object inside `usage`, or none, and the key."""
_AUDIO_IN: Mapping[str, str] = {
    "input_by_modality": "prompt_tokens_details",
    "output_by_modality": "completion_tokens_details",
}
_ELSEWHERE = frozenset({"time_info", "stats"})
"""Fields of an answer in which some providers put further counts."""


@dataclass(slots=True)
class PlainUsage:
    """Counts by the names that Usage has for them, those of audio, and the block as it was."""

    counts: dict[str, int]
    audio: list[tuple[str, int]]
    block: JsonObject

    def put(self, usage: usage_pb2.Usage) -> None:
        """Write into an empty `usage`."""
        usage.SetInParent()
        for field, value in self.counts.items():
            setattr(usage, field, value)
        for field, value in self.audio:
            getattr(usage, field).add(modality=_AUDIO, tokens=value)
        raw = usage.raw
        raw.wire, raw.type, raw.media_type, raw.data = WIRE, "usage", "application/json", dumps(self.block)


def lift_plain(answer: JsonObject, usage: usage_pb2.Usage) -> bool:
    """Read the counts of an answer into an empty `usage`; False, with `usage` empty, where they are not plain."""
    found = read_plain(answer)
    if found is not None:
        found.put(usage)
    return found is not None


def read_plain(answer: JsonObject) -> PlainUsage | None:
    """The counts of an answer; None where they are not plain."""
    block = answer.get("usage")
    if not isinstance(block, dict) or not _ELSEWHERE.isdisjoint(answer):
        return None
    audio: list[tuple[str, int]] = []
    counts: dict[str, int] = {}
    for key, value in block.items():
        field = _COUNTS.get(key)
        if field is not None:
            if type(value) is not int or not 0 <= value < _LIMIT:
                return None
            counts[field] = value
        elif not isinstance(value, dict) or not _lift_details(key, value, counts, audio):
            return None
    reasoning = counts.get("reasoning_tokens", 0)
    read = counts.get("input_tokens", 0)
    if reasoning and read + counts.get("output_tokens", 0) + reasoning == counts.get("total_tokens"):
        return None  # counted beside the completion: `usage` adds them up
    if read - counts.get("cache_read_tokens", 0) == -1:
        return None
    return PlainUsage(counts, audio, block)


def lower_plain(usage: usage_pb2.Usage) -> JsonObject | None:
    """The `usage` block of counts that stand where `lift_plain` reads them; None where there is more to say."""
    block: JsonObject = {}
    for descriptor, value in usage.ListFields():
        name = descriptor.name
        if name in _WRITTEN:
            outer, key = _WRITTEN[name]
            (block.setdefault(outer, {}) if outer else block)[key] = value
        elif name in _AUDIO_IN:
            if len(value) != 1 or value[0].modality != _AUDIO or not value[0].HasField("tokens"):
                return None
            block.setdefault(_AUDIO_IN[name], {})["audio_tokens"] = value[0].tokens
        elif name != "raw":
            return None
    return block


def _lift_details(key: str, details: JsonObject, counts: dict[str, int], audio: list[tuple[str, int]]) -> bool:
    names = _DETAILS.get(key)
    if names is None or not details:
        return False
    for name, value in details.items():
        field = names.get(name)
        if field is None or type(value) is not int or not 0 <= value < _LIMIT:
            return False
        if field:
            counts[field] = value
        else:
            audio.append(("input_by_modality" if names is _INPUT else "output_by_modality", value))
    return True
