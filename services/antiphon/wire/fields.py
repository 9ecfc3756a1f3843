"""Tables between JSON keys and typed fields, so that each object of the wire is one line a field.

What the JSON type has to be follows from the field's descriptor. Two conventions keep the tables short: a field
whose name ends in `_json` holds the value as JSON text, and a bytes field holds a string that only the provider
reads, as UTF-8.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from antiphon.core.errors import invalid
from antiphon.wire.jsontext import Json, JsonObject, loads, text_of

REQUEST, RESPONSE = "request", "response"
_MOST = 1 << 53


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a document a value stands. In requests a wrong type is the client's error, and named; in answers it
    is left to the remainder, because providers change."""

    direction: str
    path: str = ""

    def at(self, key: str | int) -> Place:
        """The place of a member."""
        return Place(self.direction, f"{self.path}.{key}" if self.path else str(key))

    def wrong(self, key: str | int, what: str) -> None:
        """Refuse a member of a request; in an answer, do nothing."""
        if self.direction == REQUEST:
            raise invalid(self.at(key).path, what)


def word(data: bytes) -> str:
    """A string that only a provider reads. Bytes that are no text come from another wire, and go as base64."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return base64.b64encode(data).decode()


def whole_text(text: str) -> str:
    """`text` with lone surrogates replaced, for a protobuf string cannot hold them."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


class Fields:
    """One object of the wire: JSON key = field of the message."""

    def __init__(self, message: type[Message], /, **names: str) -> None:
        self._rows: list[tuple[str, str, bool, bool, _Kind]] = []
        for key, name in names.items():
            field = message.DESCRIPTOR.fields_by_name[name]
            kind = _JSON if name.endswith("_json") else _KINDS[field.type]
            self._rows.append((key, name, field.is_repeated, field.has_presence, kind))
        self.keys = frozenset(names)

    def lift(self, source: JsonObject, target: Message, place: Place) -> None:
        """Set the fields of `target` that `source` has. Null is absence."""
        for key, name, repeated, _, kind in self._rows:
            value = source.get(key)
            if value is None:
                continue
            if repeated:
                if isinstance(value, list) and all(kind.fits(item) for item in value):
                    getattr(target, name).extend(kind.read(item) for item in value)
                else:
                    place.wrong(key, f"must be a list; each item {kind.what}")
            elif kind.fits(value):
                setattr(target, name, kind.read(value))
            else:
                place.wrong(key, f"must be {kind.what}")

    def lower(self, source: Message, target: JsonObject) -> JsonObject:
        """Put the set fields of `source` into `target`, and return it."""
        for key, name, repeated, presence, kind in self._rows:
            if presence:
                if source.HasField(name):
                    target[key] = kind.write(getattr(source, name))
                continue
            value = getattr(source, name)
            if value:
                target[key] = [kind.write(item) for item in value] if repeated else kind.write(value)
        return target


def count_of(value: Json) -> int | None:
    """A count; None where `value` is none, or more than any provider counts."""
    return value if type(value) is int and 0 <= value < _MOST else None


def objects(value: Json) -> Iterable[JsonObject]:
    """The objects in a list; none where it is no list of objects."""
    return value if isinstance(value, list) and all(isinstance(item, dict) for item in value) else ()


def object_at(source: JsonObject, key: str) -> JsonObject:
    """The object at `key`; empty where there is none."""
    value = source.get(key)
    return value if isinstance(value, dict) else {}


def sorted_text(value: Json) -> str:
    """JSON text with sorted keys: a stream and a unary answer give the same fields in different order."""
    return text_of(_sorted(value))


@dataclass(frozen=True, slots=True)
class _Kind:
    what: str
    fits: Callable[[Json], bool]
    read: Callable[[Any], Any]
    write: Callable[[Any], Json]


def _same(value: Any) -> Any:
    return value


def _sorted(value: Json) -> Json:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value


def _whole(bits: int) -> Callable[[Json], bool]:
    bound = 1 << (bits - 1)

    def fits(value: Json) -> bool:
        if isinstance(value, float):
            return value.is_integer() and -bound <= value < bound
        return isinstance(value, int) and not isinstance(value, bool) and -bound <= value < bound

    return fits


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_JSON = _Kind("a JSON value", lambda _: True, text_of, loads)
_KINDS: dict[int, _Kind] = {
    FieldDescriptor.TYPE_STRING: _Kind("a string", lambda v: isinstance(v, str), whole_text, _same),
    FieldDescriptor.TYPE_BYTES: _Kind("a string", lambda v: isinstance(v, str), lambda v: whole_text(v).encode(), word),
    FieldDescriptor.TYPE_BOOL: _Kind("true or false", lambda v: isinstance(v, bool), _same, _same),
    FieldDescriptor.TYPE_INT32: _Kind("a whole number", _whole(32), int, _same),
    FieldDescriptor.TYPE_INT64: _Kind("a whole number", _whole(64), int, _same),
    FieldDescriptor.TYPE_DOUBLE: _Kind("a number", _is_number, float, _same),
}
