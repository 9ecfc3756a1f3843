"""How a document is held to a vendor's types: nothing missing, nothing of another type, and no key that the types lack.

The vendors' models let unknown keys pass, for their servers may be newer than they are; here an unknown key is a key
that a client would never read, so it counts as a mistake.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic_core import PydanticUndefined

Json = Any


class MisfitError(AssertionError):
    """A document is not what the vendor's types say."""


@cache
def adapter_of(declared: Any) -> TypeAdapter[Any]:
    """The validator of a list of such TypedDicts, in which no key is unknown at any depth: settings of a validator
    reach only types inside it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "TypedDict class .* allows extra items")  # which is for the vendor to say
        return TypeAdapter(list[declared], config=ConfigDict(extra="forbid"))


def fits_typed_dict(declared: Any, document: Mapping[str, Json]) -> None:
    """Raise pydantic's ValidationError unless `document` is such a TypedDict."""
    drain(adapter_of(declared).validate_python([document]))


def drain(value: Any) -> None:
    """Iterables are checked only when somebody walks them."""
    if isinstance(value, Mapping):
        for item in value.values():
            drain(item)
    elif isinstance(value, Iterable) and not isinstance(value, str | bytes | BaseModel):
        for item in value:
            drain(item)


def fits_model(model: type[BaseModel], document: Json, allowed: frozenset[str] = frozenset()) -> Any:
    """The model of `document`. Raise ValidationError or MisfitError unless it is one, apart from the keys `allowed`."""
    value = model.model_validate(document)
    fits_value(value, document, allowed)
    return value


def fits_value(value: Any, document: Json, allowed: frozenset[str] = frozenset()) -> None:
    """Raise MisfitError where `document` has a key that `value`, which was read from it, has no field for."""
    found = sorted(set(strangers(value, document)) - allowed)
    if found:
        raise MisfitError(f"unknown to {type(value).__name__}: {', '.join(found)}")


def strangers(value: Any, document: Json, path: str = "") -> Iterator[str]:
    """The paths in `document` that no field of `value` was read from. Indices are left out of paths."""
    if isinstance(value, BaseModel) and isinstance(document, dict):
        if "Unknown" in type(value).__name__:  # the vendor's way to read a type that it does not know
            yield path or "."
        names = {}
        for name, field in type(value).model_fields.items():
            for key in (name, field.alias, field.serialization_alias, _text(field.validation_alias)):
                if key:
                    names[key] = name
        for key, inner in document.items():
            here = f"{path}.{key}" if path else key
            if key not in names:
                yield here
            else:
                yield from strangers(getattr(value, names[key]), inner, here)
    elif isinstance(value, Mapping) and isinstance(document, dict):
        for key, inner in document.items():
            yield from strangers(value.get(key), inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list | tuple) and isinstance(document, list):
        for one, other in zip(value, document, strict=False):
            yield from strangers(one, other, path)


def _text(alias: Any) -> str:
    return alias if isinstance(alias, str) and alias is not PydanticUndefined else ""


def told(error: Exception) -> list[str]:
    """What is wrong, in few lines: of a union, only the branches whose `type` or `role` is the document's."""
    if not isinstance(error, ValidationError):
        return [f"{type(error).__name__}: {error}"]
    found = [(item["loc"], item["type"], item["msg"], item.get("input")) for item in error.errors()]
    wrong = {loc[:-1] for loc, kind, *_ in found if kind == "literal_error" and loc[-1] in ("type", "role")}
    kept = [row for row in found if not any(row[0][: len(prefix)] == prefix for prefix in wrong)] or found[:3]
    return sorted({f"{_path(loc)}: {message} ({given!r:.60})" for loc, _, message, given in kept})


def _path(loc: tuple[int | str, ...]) -> str:
    return ".".join(str(item) for item in loc if isinstance(item, str))
