"""Settings as the environment spells them: a variable a field, JSON for what is not plain, `__` for what is inside.

ANTIPHON_LIMITS='{"connect": 3}' and ANTIPHON_LIMITS__CONNECT=3 say the same. Letters may be large or small.
pydantic-settings does this too, and takes longer to import than everything else that is known of settings.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import NoneType, UnionType
from typing import Any, Final, Union, get_args, get_origin

from pydantic import BaseModel

from antiphon.core.errors import Reason, ServiceError

INSIDE: Final = "__"


def from_environment(model: type[BaseModel], prefix: str, environment: Mapping[str, str]) -> dict[str, Any]:
    """The values of a model's fields. Raises ServiceError INVALID_REQUEST for a variable that should hold JSON."""
    known = {name.lower(): value for name, value in environment.items() if name.lower().startswith(prefix.lower())}
    found: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        key = f"{prefix}{name}".lower()
        if key in known:
            found[name] = _value(known[key], field.annotation, key)
        if not _is_complex(field.annotation):
            continue
        for inner, text in known.items():
            if inner.startswith(key + INSIDE):
                path = inner[len(key) + len(INSIDE) :].split(INSIDE)
                kind = _inside(field.annotation, path)
                found = merged(found, {name: _put(path, _value(text, kind, inner))})
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
        model = next((each for each in _members(kind) if _is_model(each)), None)
        if model is not None:
            field = model.model_fields.get(name)
            kind = Any if field is None else field.annotation
        else:
            mapping = next((each for each in _members(kind) if get_origin(each) is dict), None)
            kind = Any if mapping is None else get_args(mapping)[1]
    return kind


def _is_complex(kind: Any) -> bool:
    return any(_is_model(each) or get_origin(each) in (list, dict) for each in _members(kind))


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _members(kind: Any) -> tuple[Any, ...]:
    if get_origin(kind) in (Union, UnionType):
        return tuple(each for each in get_args(kind) if each is not NoneType)
    return (kind,)
