"""JSON is read and written exactly, also where a fast library refuses it."""

from __future__ import annotations

import pytest

from antiphon.core.errors import Reason, ServiceError
from antiphon.wire.jsontext import canonical, dumps, fits, leaves, loads, object_of, objects, same, word


def test_integers_past_64_bits_survive() -> None:
    assert loads(dumps({"n": 2**80})) == {"n": 2**80}


def test_lone_surrogates_survive() -> None:
    assert loads(b'"\\ud83d"') == "\ud83d"
    assert loads(dumps({"s": "\ud83d"})) == {"s": "\ud83d"}


def test_canonical_text_ignores_order_and_kind_of_number() -> None:
    assert canonical({"b": 1.0, "a": [2]}) == canonical({"a": [2.0], "b": 1})
    assert canonical(1.5) != canonical(1)


def test_true_is_not_one() -> None:
    assert not same(True, 1)
    assert not same([0], [False])
    assert same({"a": [1.0, "x"]}, {"a": [1, "x"]})


def test_leaves_are_scalars() -> None:
    assert leaves({"a": [1, None, {"b": ""}], "c": [], "d": {}}) == 3


def test_values_of_the_wrong_kind_are_no_values() -> None:
    assert (word("x"), word(1), word(None)) == ("x", "", "")
    assert objects([{"a": 1}, 2]) == [{"a": 1}]
    assert objects("x") == []
    assert [fits(2**31 - 1), fits(2**31), fits(True), fits(1.0), fits(-(2**31))] == [True, False, False, False, True]


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"1"])
def test_a_body_that_is_no_object_is_malformed(body: bytes) -> None:
    with pytest.raises(ServiceError) as caught:
        object_of(body, "the answer")
    assert caught.value.reason is Reason.MALFORMED_RESPONSE
