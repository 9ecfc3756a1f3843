"""Settings as the environment spells them: a variable a field, JSON for what is not plain, `__` for what is inside.

ANTIPHON_LIMITS='{"connect": 3}' and ANTIPHON_LIMITS__CONNECT=3 say the same. Letters may be large or small.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, get_args, get_origin

from antiphon.core.errors import Reason, ServiceError
from antiphon.core.records import is_record, members, types_of

INSIDE: Final = "__"


def from_environment(kind: type, prefix: str, environment: Mapping[str, str]) -> dict[str, Any]:
    """The values of a dataclass's fields. Raises ServiceError INVALID_REQUEST for a variable that should hold JSON."""
    known = {name.lower(): value for name, value in environment.items() if name.lower().startswith(prefix.lower())}
    found: dict[str, Any] = {}
    for name, wanted in types_of(kind).items():
        key = f"{prefix}{name}".lower()
        if key in known:
            found[name] = _value(known[key], wanted, key)
        if not _is_complex(wanted):
            continue
        for inner, text in known.items():
            if inner.startswith(key + INSIDE):
                path = inner[len(key) + len(INSIDE) :].split(INSIDE)
                found = merged(found, {name: _put(path, _value(text, _inside(wanted, path), inner))})
    return found


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Both together; where both say something, `over` wins, and mappings are merged in their turn."""
    whole = dict(under)
    for name, value in over.items():
        before = whole.get(name)
        whole[name] = merged(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return whole


def _put(path: Sequence[str], value: object) -> object:
    for name in reversed(path):
        value = {name: value}
    return value


def _value(text: str, kind: Any, variable: str) -> object:
    if kind is not Any and not _is_complex(kind):
        return text
    try:
        return json.loads(text)
    except ValueError as error:
        if kind is Any:  # a word in a mapping of anything
            return text
        raise ServiceError(
            Reason.INVALID_REQUEST, f"the configuration is wrong: {variable.upper()} has to hold JSON: {error}"
        ) from error


def _inside(kind: Any, path: Sequence[str]) -> Any:
    """The type at a path inside a type; Any where it takes anything."""
    for name in path:
        record = next((each for each in members(kind) if is_record(each)), None)
        if record is not None:
            kind = types_of(record).get(name, Any)
        else:
            mapping = next((each for each in members(kind) if get_origin(each) is dict), None)
            kind = Any if mapping is None else get_args(mapping)[1]
    return kind


def _is_complex(kind: Any) -> bool:
    return any(is_record(each) or get_origin(each) in (list, dict) for each in members(kind))
