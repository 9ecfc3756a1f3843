"""JSON bodies as values that compare by meaning, and the paths of the text inside them.

Matching and the secret scan both need to see through key order, number spelling and escapes; both
must survive any bytes at all, so whatever isn't plain JSON is reported as such and compared as bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

Json = Any
"""None, bool, int, float, str, list or dict as the json module makes them."""


class NotJsonError(ValueError):
    """The bytes aren't one unambiguous JSON object or array."""


def parse(body: bytes) -> Json:
    """Return the value of a JSON object or array; raises NotJsonError for everything else.

    `1.0`, `1e0` and `1` become the same int; fractions compare as IEEE doubles. A repeated key makes
    the body ambiguous between readers, so it isn't taken as JSON.
    """
    if body.lstrip(b" \t\r\n")[:1] not in (b"{", b"["):
        raise NotJsonError("not an object or array")
    try:
        return _DECODER.decode(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise NotJsonError(str(error)) from error


def canonical(value: Json) -> str:
    """Return one text for all spellings of a value; raises NotJsonError where it nests too deeply."""
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    except RecursionError as error:
        raise NotJsonError("nested too deeply") from error


def texts(value: Json) -> Iterator[tuple[str, str]]:
    """Yield (path, text) of every string in a value, keys included under their parent's path.

    Paths hold the keys in full: shortened, a credential in a key could no longer be recognised.
    """
    stack: list[tuple[str, Json]] = [("", value)]
    while stack:
        path, item = stack.pop()
        if isinstance(item, str):
            yield path, item
        elif isinstance(item, dict):
            for key, child in item.items():
                yield path or "(top)", key
                stack.append((f"{path}.{key}" if path else key, child))
        elif isinstance(item, list):
            stack.extend((f"{path}[{index}]", child) for index, child in enumerate(item))


def below(path: str, key: str) -> str:
    """Return the path of a member, shortened where a key is very long."""
    key = key.encode("utf-8", "backslashreplace").decode()  # a lone surrogate can't be sent in an error
    shown = key if len(key) <= _KEY_SHOWN else key[:_KEY_SHOWN] + "..."
    return f"{path}.{shown}" if path else shown


def _number(text: str) -> int | float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError("a number beyond a double's range")
    return int(value) if value.is_integer() else value


def _constant(text: str) -> Json:
    raise ValueError(f"{text} is not JSON")


def _members(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a key is repeated")
    return members


_KEY_SHOWN: Final = 40
_DECODER: Final = json.JSONDecoder(parse_float=_number, parse_constant=_constant, object_pairs_hook=_members)
