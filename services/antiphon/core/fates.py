"""What became of each field of a request: applied, translated, refused, or not sent.

It is found out, not declared: the request is written once more without each field, and what then is missing or
different is where the field went. So the report cannot disagree with what a codec does, and a codec that drops a
field in silence shows. It costs one encoding a field, and is made on request only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from antiphon.core.errors import ServiceError
from antiphon.v1 import chat_pb2, embeddings_pb2

M = TypeVar("M", chat_pb2.ChatSpec, embeddings_pb2.EmbedRequest)
Scalar = str | int | float | bool | bytes | None

_CONTENT: Final = frozenset({"model", "messages", "inputs", "form", "on_unsupported", "report_parameters"})
"""What is asked and how it was spelled; everything else is a parameter."""
_GROUPS: Final = frozenset({"sampling", "reasoning", "cache"})
"""Messages that are parameters side by side, each with a fate of its own."""
_DEPENDENT: Final[Mapping[str, tuple[str, ...]]] = {"tools": ("tool_choice", "parallel_tool_calls")}
"""What means nothing without the field, so that it is left out together with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What a request became: each scalar by its place, and the warnings on what was left out."""

    values: Mapping[str, Scalar]
    warnings: Sequence[chat_pb2.Warning] = ()


def fates(request: M, encode: Callable[[M], Sent], *, prefix: str = "") -> list[chat_pb2.ParameterFate]:
    """The fate of every parameter that `request` sets, by path.

    `encode` writes a request as it would be sent; it has written this one without an error before. `prefix` stands
    before the names of fields, as in the warnings of `encode`.
    """
    whole = encode(request)
    return [_fate(request, path, encode, whole, prefix) for path in sorted(_paths(request))]


def _fate(request: M, path: str, encode: Callable[[M], Sent], whole: Sent, prefix: str) -> chat_pb2.ParameterFate:
    fate = chat_pb2.ParameterFate(field=prefix + path)
    said = [each for each in whole.warnings if _about(each.field, fate.field)]
    places = _places(request, path, encode, whole)
    if places:
        given = [scalar for scalar in _scalars(_value(request, path)) if scalar is not None]
        sent = [whole.values[place] for place in places if place in whole.values]
        plain = bool(given) and all(any(_same(scalar, each) for each in sent) for scalar in given)
        applied = plain and not said
        fate.outcome = chat_pb2.PARAMETER_OUTCOME_APPLIED if applied else chat_pb2.PARAMETER_OUTCOME_TRANSLATED
        fate.sent_as.extend(places)
    elif any(each.code == "UNSUPPORTED_PARAMETER" for each in said):
        fate.outcome = chat_pb2.PARAMETER_OUTCOME_REFUSED
    else:
        fate.outcome = chat_pb2.PARAMETER_OUTCOME_NOT_SENT
        fate.reason = "it asks for what happens anyway, or the provider has no part in it"
    if said:
        fate.reason = "; ".join(each.message for each in said)
    return fate


def _about(place: str, path: str) -> bool:
    """Whether a warning on `place` is on the field at `path`, on a part of it, or on all that it belongs to."""
    if path.startswith(f"{place}."):
        return True
    return place.startswith(path) and place[len(path) : len(path) + 1] in ("", ".", "[")


def _places(request: M, path: str, encode: Callable[[M], Sent], whole: Sent) -> list[str]:
    """Where the field stands: what is missing or different without it, beside what only depends on it."""
    others: list[str] = [name for name in _DEPENDENT.get(path, ()) if _set(request, name)]
    changed = _changed(request, [path, *others], encode, whole)
    for other in others:
        changed -= _changed(request, [other], encode, whole)
    return sorted(changed)


def _changed(request: M, paths: Sequence[str], encode: Callable[[M], Sent], whole: Sent) -> set[str]:
    lacking: Any = type(request)()
    lacking.CopyFrom(request)
    for path in paths:
        holder, name = _holder(lacking, path)
        holder.ClearField(name)
        if holder is not lacking and not holder.ListFields():
            lacking.ClearField(path.partition(".")[0])
    try:
        values = encode(lacking).values
    except ServiceError:
        return set()  # the request means nothing without it, so nothing can be learned this way
    missing = object()
    return {place for place, value in whole.values.items() if not _same(values.get(place, missing), value)}


def _paths(request: Message) -> Iterator[str]:
    for field, value in request.ListFields():
        if field.name in _GROUPS:
            yield from (f"{field.name}.{inner.name}" for inner, _ in value.ListFields())
        elif field.name == "provider_data":
            continue  # the provider's own words, sent as they are
        elif field.name not in _CONTENT:
            yield field.name


def _holder(request: Message, path: str) -> tuple[Any, str]:
    group, _, name = path.rpartition(".")
    return (getattr(request, group) if group else request), name


def _set(request: Message, name: str) -> bool:
    return any(field.name == name for field, _ in request.ListFields())


def _value(request: Message, path: str) -> tuple[FieldDescriptor, Any]:
    holder, name = _holder(request, path)
    return next((field, value) for field, value in holder.ListFields() if field.name == name)


def _scalars(item: tuple[FieldDescriptor, Any]) -> Iterator[Scalar]:
    """The scalars in a field's value, enums by their word."""
    field, value = item
    if field.type == FieldDescriptor.TYPE_ENUM:
        words = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
        for number in words:
            yield _word(field, number)
    elif isinstance(value, Message):
        for inner in value.ListFields():
            yield from _scalars(inner)
    elif isinstance(value, Mapping):
        for each in value.values():
            yield each
    elif isinstance(value, str | bytes | int | float):
        yield value
    else:
        for each in value:
            if isinstance(each, Message):
                for inner in each.ListFields():
                    yield from _scalars(inner)
            else:
                yield each


def _word(field: FieldDescriptor, number: int) -> str:
    """The word of an enum value without the enum's name: HIGH of EFFORT_HIGH as "high"."""
    kind = field.enum_type
    assert kind is not None  # noqa: S101 - told to mypy: the field is an enum
    names = [value.name for value in kind.values]
    shared = next((names[0][:end] for end in range(len(names[0]), 0, -1) if _shared(names, names[0][:end])), "")
    known = kind.values_by_number.get(number)
    return (known.name if known is not None else str(number)).removeprefix(shared).lower()


def _shared(names: Sequence[str], beginning: str) -> bool:
    return beginning.endswith("_") and all(name.startswith(beginning) for name in names)


def _same(one: object, other: object) -> bool:
    """Equal, and a truth value is no number."""
    return isinstance(one, bool) is isinstance(other, bool) and one == other
