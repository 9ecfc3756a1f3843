"""What typed fields cannot say is kept beside them, and put back."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from antiphon.v1 import content_pb2
from antiphon.wire.jsontext import canonical
from antiphon.wire.remainder import keep, restore, says_nothing, untyped_leaves

KEYS = st.text("ab/~0", max_size=3)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(KEYS, JSON, max_size=4)


def kept(lowered: dict[str, Any], read: dict[str, Any]) -> content_pb2.Part:
    part = content_pb2.Part()
    keep(part, "w", "request", lowered, read)
    return part


def back(part: content_pb2.Part, lowered: dict[str, Any], direction: str = "request", *names: str) -> Any:
    return restore(part, "w", direction, copy.deepcopy(lowered), *names)


@given(OBJECTS, OBJECTS)
def test_any_object_comes_back(lowered: dict[str, Any], read: dict[str, Any]) -> None:
    assert canonical(back(kept(lowered, read), lowered)) == canonical(read)


@given(OBJECTS)
def test_what_the_codec_says_itself_leaves_no_remainder(read: dict[str, Any]) -> None:
    part = kept(copy.deepcopy(read), read)
    assert not part.provider_data
    assert not part.HasField("form")


def test_unknown_fields_are_found_by_name_and_counted() -> None:
    part = kept({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}, "d": [3, 4]})
    assert json.loads(part.provider_data["w"]) == {"a": {"c": 2}, "d": [3, 4]}
    assert untyped_leaves(part, "w") == 3


def test_null_and_empty_are_spelling_and_count_nothing() -> None:
    part = kept({}, {"a": None, "b": [], "c": "", "d": {"e": None}})
    assert not part.provider_data
    assert untyped_leaves(part, "w") == 0
    assert says_nothing({"a": [None, ""]})
    assert not says_nothing({"a": 0})


def test_a_value_typed_wrongly_counts_as_untyped() -> None:
    assert untyped_leaves(kept({"a": 1}, {"a": "one"}), "w") == 1


def test_an_edit_is_never_overridden_by_spelling() -> None:
    replaced = kept({"a": 1}, {"a": "1"})
    assert back(replaced, {"a": 2}) == {"a": 2}
    removed = kept({"content": None}, {})
    assert back(removed, {"content": "new"}) == {"content": "new"}
    added = kept({}, {"limit": None})
    assert back(added, {"limit": 5}) == {"limit": 5}


def test_a_step_that_no_longer_fits_leaves_the_others() -> None:
    part = kept({"list": [{"x": 1}], "a": 1}, {"list": [{"x": 1, "n": None}], "a": "1"})
    assert back(part, {"list": [], "a": 1}) == {"list": [], "a": "1"}


def test_spelling_serves_its_own_direction_alone_and_fields_serve_both() -> None:
    part = kept({}, {"known": None, "extra": 1})
    assert back(part, {}, "response") == {"extra": 1}
    assert back(part, {}) == {"known": None, "extra": 1}


def test_fields_for_a_provider_are_merged_by_name() -> None:
    part = content_pb2.Part()
    part.provider_data["groq"] = '{"a":{"b":1}}'
    assert back(part, {"a": {"c": 2}}, "request", "groq") == {"a": {"b": 1, "c": 2}}
    assert back(part, {"a": {"c": 2}}, "request") == {"a": {"c": 2}}
