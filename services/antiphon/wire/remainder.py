"""What a codec's typed fields cannot say of an object: found by comparison, kept beside it, put back when encoding.

A codec lifts a JSON object into typed fields and can lower those back into JSON. Whatever differs is the remainder,
in two kinds. Fields the contract does not type (a name with a value) go to `provider_data`, where a caller finds
them. Spelling (a null or an empty text for an absent field, an empty list, another type of number) goes to a JSON
Patch in `WireForm`, which has no meaning and serves only the same wire in the same direction. A step of the patch
never overrides an edit: what it replaces or removes must still be as it was (its `test` step), and what it adds must
still be absent; else that step alone is left out. Because the remainder is found
by comparison, a value that a codec types wrongly shows up here instead of being lost, and counts against the typed
share (law L5).
"""

from __future__ import annotations

from collections.abc import MutableMapping
from copy import deepcopy
from functools import lru_cache
from typing import Literal, Protocol

from antiphon.v1 import content_pb2
from antiphon.wire.jsontext import Json, JsonObject, dumps, leaves, loads, same

Patch = list[JsonObject]
_SHORT = 1024


class Carrier(Protocol):
    """A message of the contract that has room for a remainder."""

    @property
    def provider_data(self) -> MutableMapping[str, str]:
        """Untyped fields as JSON object text, by wire or provider name."""

    @property
    def form(self) -> content_pb2.WireForm:
        """The spelling."""

    def HasField(self, field_name: Literal["form"], /) -> bool:  # noqa: N802 - protobuf's name
        """Whether a field is set."""


def keep(carrier: Carrier, wire: str, direction: str, lowered: JsonObject, read: JsonObject) -> None:
    """Store in `carrier` what `lowered`, the codec's own output for it, lacks of `read`.

    `direction` is "request" or "response": the spelling of an answer does not serve a request that replays it.
    """
    fields: JsonObject = {}
    patch: Patch = []
    _compare(lowered, read, "", fields, patch)
    if fields:
        carrier.provider_data[wire] = dumps(fields).decode()
    if patch:
        carrier.form.wire = f"{wire}/{direction}"
        carrier.form.patch_json = dumps(patch).decode()


def restore(carrier: Carrier, wire: str, direction: str, lowered: JsonObject, *names: str) -> JsonObject:
    """`lowered` with the untyped fields of `carrier` merged in and its spelling put back.

    `names` are further keys of `provider_data` that apply, such as the provider's name. Fields are merged even
    where the typed fields have changed since; steps of the patch that no longer fit are left out.
    """
    for name in (wire, *names):
        if name in carrier.provider_data:
            merge(lowered, loads(carrier.provider_data[name]))
    if carrier.HasField("form") and carrier.form.patch_json and carrier.form.wire == f"{wire}/{direction}":
        return apply(_steps(carrier.form.patch_json), lowered)
    return lowered


def _steps(patch_json: str) -> Patch:
    """The steps of a patch. Most patches are a few short texts, told again in every answer: those are read once."""
    steps: Patch = _short_steps(patch_json) if len(patch_json) < _SHORT else loads(patch_json)
    return steps


@lru_cache(maxsize=512)
def _short_steps(patch_json: str) -> Patch:
    steps: Patch = loads(patch_json)
    return steps


def untyped_leaves(carrier: Carrier, wire: str) -> int:
    """How many scalar values sit in the remainder of `carrier` rather than in typed fields (for law L5)."""
    count = leaves(loads(carrier.provider_data[wire])) if wire in carrier.provider_data else 0
    if carrier.HasField("form") and carrier.form.patch_json:
        steps = loads(carrier.form.patch_json)
        values = [step["value"] for step in steps if step["op"] in ("add", "replace")]
        count += sum(leaves(value) for value in values if not says_nothing(value))
    return count


def says_nothing(value: Json) -> bool:
    """Whether a value says no more than an absent field: null, an empty text, or a container of such."""
    if isinstance(value, dict):
        return all(map(says_nothing, value.values()))
    if isinstance(value, list):
        return all(map(says_nothing, value))
    return value is None or value == ""


def merge(target: JsonObject, extra: JsonObject) -> None:
    """Put the fields of `extra` into `target`, object into object; other values replace."""
    for key, value in extra.items():
        if isinstance(value, dict) and isinstance(target.get(key), dict):
            merge(target[key], value)
        else:
            target[key] = value


def apply(patch: Patch, document: JsonObject) -> JsonObject:
    """`document` with a patch of add, replace and remove steps (RFC 6902), in place.

    Other than in the RFC, a step that does not fit is skipped alone.
    """
    fits = True
    for step in patch:
        if step["op"] == "test":
            fits = _holds(step, document)
        elif fits:
            _take(step, document)
        else:
            fits = True
    return document


def _place(step: JsonObject, document: Json) -> tuple[Json, str]:
    *path, last = [part.replace("~1", "/").replace("~0", "~") for part in step["path"].split("/")[1:]]
    for part in path:
        document = document[int(part)] if isinstance(document, list) else document[part]
    return document, last


def _holds(step: JsonObject, document: JsonObject) -> bool:
    try:
        place, last = _place(step, document)
        return same(place[int(last)] if isinstance(place, list) else place[last], step["value"])
    except (KeyError, IndexError, TypeError, ValueError):
        return False


def _take(step: JsonObject, document: JsonObject) -> None:
    try:
        place, last = _place(step, document)
        if step["op"] == "remove":
            del place[last]
        elif isinstance(place, list):
            place[int(last)] = deepcopy(step["value"])  # the steps serve again; see `_steps`
        elif step["op"] == "replace" or last not in place:
            place[last] = deepcopy(step["value"])
    except (KeyError, IndexError, TypeError, ValueError):
        return


def _compare(lowered: Json, read: Json, path: str, fields: JsonObject | None, patch: Patch) -> None:
    """Collect the difference; `fields` is None below a list, where merging by name cannot reach."""
    if isinstance(lowered, dict) and isinstance(read, dict):
        _compare_objects(lowered, read, path, fields, patch)
    elif isinstance(lowered, list) and isinstance(read, list) and len(lowered) == len(read):
        for index, (one, other) in enumerate(zip(lowered, read, strict=True)):
            _compare(one, other, f"{path}/{index}", None, patch)
    elif not same(lowered, read):
        patch.append({"op": "test", "path": path, "value": lowered})
        patch.append({"op": "replace", "path": path, "value": read})


def _compare_objects(lowered: JsonObject, read: JsonObject, path: str, fields: JsonObject | None, patch: Patch) -> None:
    for key in lowered.keys() - read.keys():
        here = f"{path}/{_escape(key)}"
        patch.append({"op": "test", "path": here, "value": lowered[key]})
        patch.append({"op": "remove", "path": here})
    for key, value in read.items():
        if key in lowered and same(lowered[key], value):
            continue  # the common case, without the cost of a path
        here = f"{path}/{_escape(key)}"
        if key in lowered:
            inner: JsonObject | None = {} if fields is not None else None
            _compare(lowered[key], value, here, inner, patch)
            if inner and fields is not None:
                fields[key] = inner
        elif fields is not None and not says_nothing(value):
            fields[key] = value
        else:
            patch.append({"op": "add", "path": here, "value": value})


def _escape(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
