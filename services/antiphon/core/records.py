"""Plain data read into dataclasses by their annotations, with everything that is wrong named at once.

It does for settings what pydantic does, in the few types that settings have: to import pydantic takes a fifth of a
second, which is a quarter of the start of a server.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Final, Literal, TypeAlias, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")

_WORDS: Final = {
    **dict.fromkeys(("1", "true", "t", "yes", "y", "on"), True),
    **dict.fromkeys(("0", "false", "f", "no", "n", "off"), False),
}
Checks: TypeAlias = Callable[[Any], str]
"""What is wrong with a value, in words; empty for nothing."""
CHECK: Final = "check"
"""The key of a field's metadata that holds its check."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A value that cannot be taken: its path, and why."""

    path: str
    why: str


class WrongError(ValueError):
    """Some values cannot be taken."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(f"{fault.path}: {fault.why}" for fault in faults))
        self.faults = faults


def above(bound: float) -> Mapping[str, Checks]:
    """Metadata of a field whose number has to be greater."""
    return {CHECK: lambda value: "" if value > bound else f"has to be greater than {bound:g}"}


def at_least(bound: float) -> Mapping[str, Checks]:
    """Metadata of a field whose number may not be less."""
    return {CHECK: lambda value: "" if value >= bound else f"has to be {bound:g} or more"}


def read(kind: type[T], given: Mapping[str, object]) -> T:
    """A dataclass from values by name; texts may stand for numbers and the like. Raises WrongError."""
    faults: list[Fault] = []
    made: T = _record(kind, given, "", faults)
    if faults:
        raise WrongError(faults)
    return made


@cache
def types_of(kind: type) -> Mapping[str, Any]:
    """The fields of a dataclass by name, each with its type."""
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}


def members(kind: Any) -> tuple[Any, ...]:
    """The types that a value may have, None aside."""
    if get_origin(kind) in (Union, UnionType):
        return tuple(each for each in get_args(kind) if each is not NoneType)
    return (kind,)


def is_record(kind: Any) -> bool:
    """Whether a type is a dataclass."""
    return isinstance(kind, type) and is_dataclass(kind)


def _record(kind: Any, value: object, path: str, faults: list[Fault]) -> Any:
    if isinstance(value, kind):
        return value
    if not isinstance(value, Mapping):
        return _fault(path, "has to hold values by name", faults)
    types, found = types_of(kind), dict[str, object]()
    checks = {field.name: field.metadata.get(CHECK) for field in fields(kind)}
    for name, item in value.items():
        where = f"{path}.{name}" if path else str(name)
        if name not in types:
            _fault(where, f"is no setting; known here: {', '.join(types)}", faults)
            continue
        known = len(faults)
        found[name] = _value(types[name], item, where, faults)
        check = checks[name]
        if check is not None and len(faults) == known and (why := check(found[name])):
            _fault(where, why, faults)
    return None if faults else kind(**found)


def _value(kind: Any, value: object, path: str, faults: list[Fault]) -> Any:
    if kind is Any or (value is None and NoneType in get_args(kind)):
        return value
    able = members(kind)
    if len(able) == 1:
        return _one(able[0], value, path, faults)
    tried: list[Fault] = []
    for each in able:
        wrong: list[Fault] = []
        made = _one(each, value, path, wrong)
        if not wrong:
            return made
        tried.extend(wrong)
    return _fault(path, " or ".join(fault.why for fault in tried), faults)


def _one(kind: Any, value: object, path: str, faults: list[Fault]) -> Any:
    origin = get_origin(kind)
    if is_record(kind):
        return _record(kind, value, path, faults)
    if origin is Literal:
        words = get_args(kind)
        return value if value in words else _fault(path, f"has to be one of {', '.join(map(str, words))}", faults)
    if origin is list:
        if not isinstance(value, list | tuple):
            return _fault(path, "has to be a list", faults)
        (inner,) = get_args(kind)
        return [_value(inner, item, f"{path}.{number}", faults) for number, item in enumerate(value)]
    if origin is dict:
        if not isinstance(value, Mapping):
            return _fault(path, "has to hold values by name", faults)
        _, inner = get_args(kind)
        return {str(name): _value(inner, item, f"{path}.{name}", faults) for name, item in value.items()}
    why, made = _PLAIN[kind](value)
    return _fault(path, why, faults) if why else made


def _fault(path: str, why: str, faults: list[Fault]) -> None:
    faults.append(Fault(path=path, why=why))


def _text(value: object) -> tuple[str, object]:
    return ("", value) if isinstance(value, str) else ("has to be a text", None)


def _truth(value: object) -> tuple[str, object]:
    known = _WORDS.get(str(value).lower()) if isinstance(value, bool | int | str) else None
    return ("has to be true or false", None) if known is None else ("", known)


def _whole(value: object) -> tuple[str, object]:
    why = "has to be a whole number"
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return why, None
    try:
        number = int(value)
    except (ValueError, OverflowError):
        return why, None
    return ("", number) if isinstance(value, str) or number == value else (why, None)


def _number(value: object) -> tuple[str, object]:
    why = "has to be a number"
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return why, None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return why, None
    return (why, None) if math.isnan(number) else ("", number)


def _path(value: object) -> tuple[str, object]:
    return ("", Path(value)) if isinstance(value, str | Path) else ("has to be a path", None)


_PLAIN: Final[Mapping[type, Callable[[object], tuple[str, object]]]] = {
    str: _text,
    bool: _truth,
    int: _whole,
    float: _number,
    Path: _path,
}
