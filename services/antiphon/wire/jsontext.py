"""JSON as providers send it: fast where it can be, exact always.

orjson reads integers past 64 bits as floats and refuses the lone surrogates that some providers emit; those rare texts
go through the standard library.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import orjson

from antiphon.core.errors import Reason, ServiceError

Json = Any
"""A JSON value: dict, list, str, int, float, bool or None."""

JsonObject = dict[str, Any]


_DIGITS = bytes(ord("0") if chr(byte) in "123456789" else byte for byte in range(256))
_LONG = b"0" * 20
"""As many digits as the smallest integer that orjson cannot hold; shorter ones fit 64 bits."""


def loads(text: bytes | str) -> Json:
    """The value of a JSON text. Raises ValueError."""
    try:
        raw = text.encode() if isinstance(text, str) else text
        if _LONG not in raw.translate(_DIGITS):
            return orjson.loads(raw)
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        pass  # the standard library may still read it, or says what is wrong
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def loads_text(text: bytes) -> Json:
    """As `loads`, with lone surrogates replaced by U+FFFD: a protobuf string cannot hold them. Raises ValueError."""
    try:
        if _LONG not in text.translate(_DIGITS):
            return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass  # as in `loads`
    return _whole(loads(text))


def dumps(value: Json) -> bytes:
    """Compact JSON, keys in their order, UTF-8."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        try:
            return text.encode()
        except UnicodeEncodeError:  # a lone surrogate: only its escape is valid UTF-8
            return json.dumps(value, separators=(",", ":")).encode()


def text_of(value: Json) -> str:
    """Compact JSON as text."""
    return dumps(value).decode()


def canonical(value: Json) -> bytes:
    """The same bytes for the same value: sorted keys, 1.0 as 1."""
    return json.dumps(_plain_numbers(value), sort_keys=True, separators=(",", ":")).encode()


def same(left: Json, right: Json) -> bool:
    """Whether two JSON values are equal; unlike Python's ==, true is not 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(value, right[key]) for key, value in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(same(a, b) for a, b in zip(left, right, strict=True))
    return (type(left) is type(right) and left == right) or (_numbers(left, right) and left == right)


def leaves(value: Json) -> int:
    """How many scalar values a JSON value holds; an empty object or list holds none."""
    if isinstance(value, dict):
        return sum(map(leaves, value.values()))
    if isinstance(value, list):
        return sum(map(leaves, value))
    return 1


def word(value: Json) -> str:
    """A JSON string; empty for every other value."""
    return value if isinstance(value, str) else ""


def objects(value: Json) -> list[JsonObject]:
    """The objects in a JSON list; none for every other value."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def fits(value: Json, bits: int = 32) -> bool:
    """Whether a JSON value is an integer that a signed field of so many bits holds."""
    return type(value) is int and -(1 << bits - 1) <= value < 1 << bits - 1


def object_of(body: bytes, what: str, *, read: Callable[[bytes], Json] = loads) -> JsonObject:
    """The JSON object in an upstream body. Raises ServiceError MALFORMED_RESPONSE naming `what`."""
    try:
        value = read(body)
    except ValueError as error:
        raise ServiceError(Reason.MALFORMED_RESPONSE, f"{what} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise ServiceError(Reason.MALFORMED_RESPONSE, f"{what} is a JSON {type(value).__name__}, not an object")
    return value


def _whole(value: Json) -> Json:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_whole(key): _whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return value


def _numbers(left: Json, right: Json) -> bool:
    return isinstance(left, int | float) and isinstance(right, int | float)


def _plain_numbers(value: Json) -> Json:
    if isinstance(value, dict):
        return {key: _plain_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain_numbers(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
