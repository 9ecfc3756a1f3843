"""Two dialects of one JSON: Google's servers take `inlineData` and `inline_data`, and may write enums as numbers.

Codecs know lowerCamelCase and words. What was written otherwise is noted by its place, so that it can be written so
again; objects that belong to the caller (arguments, schemas, labels) are left as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache

from antiphon.wire.jsontext import Json, JsonObject

SNAKE_CASE = "snake_case"
_SNAKE, _NUMBER = "snake_case:", "number:"

FREE = frozenset(
    {
        "args",
        "response",
        "parameters",
        "parametersJsonSchema",
        "responseSchema",
        "responseJsonSchema",
        "labels",
        "headers",
        "customMetadata",
        "partMetadata",
    }
)
"""Keys whose values belong to the caller."""

_CATEGORIES = (
    ("HATE_SPEECH", 1, 8),
    ("DANGEROUS_CONTENT", 2, 10),
    ("HARASSMENT", 3, 7),
    ("SEXUALLY_EXPLICIT", 4, 9),
    ("CIVIC_INTEGRITY", 5, 11),
)
_LEVELS = ("NEGLIGIBLE", "LOW", "MEDIUM", "HIGH")
_WORDS = {
    "finishReason": (
        "FINISH_REASON_UNSPECIFIED",
        "STOP",
        "MAX_TOKENS",
        "SAFETY",
        "RECITATION",
        "OTHER",
        "BLOCKLIST",
        "PROHIBITED_CONTENT",
        "SPII",
        "MALFORMED_FUNCTION_CALL",
        "MODEL_ARMOR",
        "IMAGE_SAFETY",
        "IMAGE_PROHIBITED_CONTENT",
        "IMAGE_RECITATION",
        "IMAGE_OTHER",
        "UNEXPECTED_TOOL_CALL",
        "NO_IMAGE",
    ),
    "modality": ("MODALITY_UNSPECIFIED", "TEXT", "IMAGE", "VIDEO", "AUDIO", "DOCUMENT"),
    "probability": ("HARM_PROBABILITY_UNSPECIFIED", *_LEVELS),
    "severity": ("HARM_SEVERITY_UNSPECIFIED", *(f"HARM_SEVERITY_{level}" for level in _LEVELS)),
    "blockReason": ("BLOCKED_REASON_UNSPECIFIED", "SAFETY", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT"),
    "trafficType": ("TRAFFIC_TYPE_UNSPECIFIED", "ON_DEMAND", "PROVISIONED_THROUGHPUT"),
    "outcome": ("OUTCOME_UNSPECIFIED", "OUTCOME_OK", "OUTCOME_FAILED", "OUTCOME_DEADLINE_EXCEEDED"),
    "language": ("LANGUAGE_UNSPECIFIED", "PYTHON"),
}
NUMBERS: Mapping[str, Mapping[int, str]] = {
    "category": {number: f"HARM_CATEGORY_{word}" for word, *numbers in _CATEGORIES for number in numbers},
    **{key: dict(enumerate(words)) for key, words in _WORDS.items()},
}
"""Words of enums by number, for answers with `enum-encoding=int`; the numbers are Vertex AI's where the two differ."""


def plain(read: Json) -> tuple[Json, tuple[str, ...]]:
    """`read` in camelCase and words, and the names of its spellings. The value itself where nothing was otherwise."""
    if not _is_odd(read):
        return read, ()
    snakes: list[str] = []
    numbers: list[str] = []
    camels: list[str] = []
    value = _read(read, "", snakes, numbers, camels)
    if snakes and not camels:
        return value, (SNAKE_CASE, *numbers)
    return value, (*snakes, *numbers)


def respelled(value: JsonObject, spellings: Iterable[str]) -> JsonObject:
    """`value` written as `spellings` say."""
    names = [name for name in spellings if name.startswith((SNAKE_CASE, _NUMBER))]
    if not names:
        return value
    numbers: dict[str, int] = {}
    for name in names:
        if name.startswith(_NUMBER):
            place, _, number = name[len(_NUMBER) :].rpartition("=")
            numbers[place] = int(number)
    snakes = None if SNAKE_CASE in names else {name[len(_SNAKE) :] for name in names if name.startswith(_SNAKE)}
    written = _write(value, "", snakes, numbers)
    assert isinstance(written, dict)  # noqa: S101 - an object stays one
    return written


@cache
def camel(key: str) -> str:
    """The camelCase of a key; the key itself where that could not be undone."""
    found = re.sub(r"_([a-z0-9])", lambda match: match[1].upper(), key)
    return found if snake(found) == key else key


@cache
def snake(key: str) -> str:
    """The snake_case of a key."""
    return re.sub(r"([A-Z])", lambda match: f"_{match[1].lower()}", key)


def _is_odd(value: Json) -> bool:
    if isinstance(value, dict):
        for key, item in value.items():
            if "_" in key and camel(key) != key:
                return True
            if type(item) is int and key in NUMBERS:
                return True
            if isinstance(item, dict | list) and key not in FREE and _is_odd(item):
                return True
    elif isinstance(value, list):
        return any(isinstance(item, dict | list) and _is_odd(item) for item in value)
    return False


def _read(value: Json, path: str, snakes: list[str], numbers: list[str], camels: list[str]) -> Json:
    if isinstance(value, list):
        return [_read(item, f"{path}/{index}", snakes, numbers, camels) for index, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    found: JsonObject = {}
    for key, item in value.items():
        name = camel(key) if camel(key) not in value else key
        here = f"{path}/{name}"
        if name != key:
            snakes.append(f"{_SNAKE}{here}")
        elif snake(key) != key:
            camels.append(key)
        if type(item) is int and item in NUMBERS.get(name, ()):
            numbers.append(f"{_NUMBER}{here}={item}")
            found[name] = NUMBERS[name][item]
        else:
            found[name] = item if name in FREE else _read(item, here, snakes, numbers, camels)
    return found


def _write(value: Json, path: str, snakes: set[str] | None, numbers: Mapping[str, int]) -> Json:
    if isinstance(value, list):
        return [_write(item, f"{path}/{index}", snakes, numbers) for index, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    written: JsonObject = {}
    for key, item in value.items():
        here = f"{path}/{key}"
        name = snake(key) if (snakes is None or here in snakes) and camel(snake(key)) == key else key
        number = numbers.get(here)
        if number is not None and NUMBERS[key][number] == item:
            written[name] = number
        else:
            written[name] = item if key in FREE else _write(item, here, snakes, numbers)
    return written
