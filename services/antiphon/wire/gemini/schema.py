"""Google's schemas are OpenAPI's with types in capitals; everyone else's are JSON Schema."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from antiphon.core.errors import invalid
from antiphon.wire.gemini.writer import Writer
from antiphon.wire.jsontext import Json, JsonObject, loads, text_of

_GOOGLE = "google_schema:"
"""Spelling: the key under which a schema was written in Google's way, and how its types were."""
_WORDS = {word: word.lower() for word in ("STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL")}
_INNER = ("items", "additionalProperties", "not")
_MAPS = ("properties", "$defs", "defs", "patternProperties")
_LISTS = ("anyOf", "prefixItems", "oneOf", "allOf")


def lift_schema(schema: Json, carrier: Any, key: str, writer: Writer) -> str:
    """The JSON Schema text of a schema of Google's that stood at `key`."""
    for capitals in (True, False):
        standard = _standard(schema)
        if standard != schema and _google(standard, capitals=capitals) == schema:
            writer.spell(carrier, f"{_GOOGLE}{key}{'' if capitals else ':small'}")
            return text_of(standard)
    writer.spell(carrier, f"{_GOOGLE}{key}:as_is")
    return text_of(schema)


def lower_schema(text: str, carrier: Any, google_key: str, json_key: str, writer: Writer, path: str) -> JsonObject:
    """The schema under Google's key where it was read from there, else under the key of JSON Schemas. Raises
    ServiceError INVALID_REQUEST for a text that is no JSON."""
    try:
        schema = loads(text)
    except ValueError as error:
        raise invalid(path, f"is not JSON: {error}") from error
    for suffix, capitals in (("", True), (":small", False)):
        if writer.spelled(carrier, f"{_GOOGLE}{google_key}{suffix}"):
            return {google_key: _google(schema, capitals=capitals)}
    if writer.spelled(carrier, f"{_GOOGLE}{google_key}:as_is"):
        return {google_key: schema}
    return {json_key: schema}


def _mapped(schema: Json, change: Callable[[JsonObject], JsonObject]) -> Json:
    """`schema` with `change` applied to it and to every schema in it."""
    if not isinstance(schema, dict):
        return schema
    found: JsonObject = {}
    for key, value in schema.items():
        if key in _INNER:
            found[key] = _mapped(value, change)
        elif key in _MAPS and isinstance(value, dict):
            found[key] = {name: _mapped(item, change) for name, item in value.items()}
        elif key in _LISTS and isinstance(value, list):
            found[key] = [_mapped(item, change) for item in value]
        else:
            found[key] = value
    return change(found)


def _standard(schema: Json) -> Json:
    def change(one: JsonObject) -> JsonObject:
        kind = one.get("type")
        if isinstance(kind, str):
            one["type"] = _WORDS.get(kind, kind)
            if one.get("nullable") is True:
                one["type"] = [one["type"], "null"]
                del one["nullable"]
        return one

    return _mapped(schema, change)


def _google(schema: Json, *, capitals: bool) -> Json:
    def word(kind: Json) -> Json:
        return kind.upper() if capitals and isinstance(kind, str) else kind

    def change(one: JsonObject) -> JsonObject:
        kind = one.get("type")
        if isinstance(kind, list) and len(kind) == 2 and kind[1] == "null":
            one["type"], one["nullable"] = word(kind[0]), True
        elif isinstance(kind, str):
            one["type"] = word(kind)
        return one

    return _mapped(schema, change)
