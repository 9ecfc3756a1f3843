"""Arguments of tool calls that stop in their middle, whichever member of whichever provider's JSON holds them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from antiphon.harness.faults.dialect import compact

TEXTS: Final = frozenset({"arguments", "partial_json", "input"})
"""Members that hold arguments as text: OpenAI's, Anthropic's pieces, Converse's pieces."""
OBJECTS: Final = frozenset({"arguments", "args", "input"})
"""Members that hold them as an object: Ollama's, Gemini's, Anthropic's and Converse's."""
_NAMED: Final = frozenset({"name", "toolUseId"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """One place that holds arguments: the event, the object and its member."""

    event: int
    holder: dict[str, Any]
    key: str

    @property
    def value(self) -> Any:
        return self.holder[self.key]


def truncated(events: Sequence[bytes]) -> Mapping[int, bytes]:
    """The events, by number, whose data changes when the last call's arguments lose their end; none without a call.

    Some streams tell arguments in pieces and then whole: both lose the same.
    """
    values = [_value(data) for data in events]
    held = [each for number, value in enumerate(values) for each in _arguments(number, value)]
    texts = [each for each in held if isinstance(each.value, str)]
    pieces = [each for each in texts if not _is_object(each.value)]
    if pieces:
        changed = _shortened(pieces[-1:], [each for each in texts if each.event > pieces[-1].event])
    elif texts:
        changed = _shortened([each for each in texts if each.value == texts[-1].value], [])
    else:
        objects = [each for each in held if isinstance(each.value, dict)]
        for each in objects[-1:]:
            each.value.popitem()
        changed = {each.event for each in objects[-1:]}
    return {number: compact(values[number]) for number in sorted(changed)}


def _shortened(pieces: Sequence[_Held], wholes: Sequence[_Held]) -> set[int]:
    text: str = pieces[0].value
    lost = max(1, len(text) // 2)
    following = [each for each in wholes if each.value.endswith(text)]
    for each in (*pieces, *following):
        each.holder[each.key] = each.value[:-lost]
    return {each.event for each in (*pieces, *following)}


def _arguments(event: int, value: Any) -> Iterator[_Held]:
    if isinstance(value, list):
        for item in value:
            yield from _arguments(event, item)
    elif isinstance(value, dict):
        for key, inner in value.items():
            named = key in TEXTS or (key == "delta" and "arguments" in str(value.get("type")))  # OpenAI's Responses
            text = named and isinstance(inner, str) and inner.strip() != ""
            if text or (key in OBJECTS and isinstance(inner, dict) and inner and not _NAMED.isdisjoint(value)):
                yield _Held(event=event, holder=value, key=key)
            else:
                yield from _arguments(event, inner)


def _value(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return None


def _is_object(text: str) -> bool:
    return isinstance(_value(text.encode("utf-8", "surrogatepass")), dict)
