"""What is declared volatile never counts, wherever it stands, and nothing else is left out."""

from __future__ import annotations

from typing import Any

import pytest

from antiphon.harness import Matcher, RecordedRequest, jsonbody, volatile

BODY = {"user": "u1", "messages": [{"id": "a", "content": "x", "meta": {"id": "b"}}, {"id": "c"}], "a.b": {"*": 1}}


@pytest.mark.parametrize(
    ("path", "left"),
    [
        ("user", {**BODY, "user": None}),
        ("messages[*].id", {**BODY, "messages": [{"content": "x", "meta": {"id": "b"}}, {}]}),
        ("messages[1]", {**BODY, "messages": [BODY["messages"][0], None]}),  # type: ignore[index]
        ("messages[9].id", BODY),
        ("messages.*.id", {**BODY, "messages": [{"content": "x", "meta": {"id": "b"}}, {}]}),
        ("**.id", {**BODY, "messages": [{"content": "x", "meta": {}}, {}]}),
        ("messages.**.id", {**BODY, "messages": [{"content": "x", "meta": {}}, {}]}),
        ("messages", {"user": "u1", "a.b": {"*": 1}}),
        ('["a.b"]', {"user": "u1", "messages": BODY["messages"]}),
        ('["a.b"]["*"]', {**BODY, "a.b": {}}),
        ("user.name", BODY),
    ],
)
def test_a_path_takes_out_what_it_names(path: str, left: dict[str, Any]) -> None:
    left = {key: value for key, value in left.items() if value is not None}
    assert volatile.without(BODY, [path]) == left


@pytest.mark.parametrize(
    "path", ["", ".", "a.", ".a", "a..b", "a[", "a[x]", "a]", "**", "a.**", "**.**.a", "a***", 'a"b', "a[-1]", "[*]b"]
)
def test_a_path_that_cannot_be_read_is_refused(path: str) -> None:
    with pytest.raises(volatile.BadPathError, match="names with dots"):
        volatile.steps_of(path)


def test_a_deep_body_is_compared_as_bytes_instead_of_failing() -> None:
    body = b'{"a":' * 900 + b"1" + b"}" * 900
    matcher = Matcher(ignored_body=("**.id",))
    request = RecordedRequest(method="POST", url="https://h.test", body=body)
    assert matcher.key(request) == matcher.key(request)
    assert matcher.differences(request, request) == []


@pytest.mark.parametrize(
    ("shape", "one", "other"),
    [
        ("date", "on 2024-01-02.", "on 2025-12-31."),
        ("datetime", "at 2024-01-02T03:04:05.678Z", "at 2025-01-02 03:04+01:00"),
        ("uuid", "6f1e4b52-6b3c-4f6e-9a52-0c3f2b1a9d00", "00000000-0000-4000-8000-000000000000"),
        ("ulid", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "01BX5ZZKBKACTAV9WEVGEMMVRZ"),
        ("id", "call_abcdefghijKLMNOP1234", "call_0000000000000000"),
    ],
)
def test_text_of_a_named_shape_is_alike_and_only_then(shape: str, one: str, other: str) -> None:
    left, right = (
        RecordedRequest(method="POST", url="https://h.test", body=b'{"t":"%b"}' % t.encode()) for t in (one, other)
    )
    assert Matcher(alike=(shape,)).key(left) == Matcher(alike=(shape,)).key(right)
    assert Matcher(alike=(shape,)).differences(left, right) == []
    assert Matcher().key(left) != Matcher().key(right)


def test_shapes_count_in_the_path_and_the_query_too() -> None:
    left, right = (
        RecordedRequest(method="GET", url=f"https://h.test/v1/{one}/x?at={day}")
        for one, day in (
            ("6f1e4b52-6b3c-4f6e-9a52-0c3f2b1a9d00", "2024-01-01"),
            ("00000000-0000-4000-8000-000000000000", "2024-02-02"),
        )
    )
    assert Matcher(alike=("uuid", "date")).key(left) == Matcher(alike=("uuid", "date")).key(right)
    assert Matcher(alike=("uuid",)).differences(left, right) == ["query.at[0]: '2024-01-01' != '2024-02-02'"]


def test_segments_of_the_path_can_be_volatile() -> None:
    left, right, longer = (
        RecordedRequest(method="GET", url=f"https://h.test/v1/threads/{part}/runs") for part in ("a", "b", "a/b")
    )
    matcher = Matcher(paths=("/v1/threads/*/runs",))
    assert matcher.key(left) == matcher.key(right) != matcher.key(longer)
    assert Matcher().key(left) != Matcher().key(right)


def test_the_host_can_be_left_out() -> None:
    left, right = (RecordedRequest(method="GET", url=f"https://{host}/v1") for host in ("a.test", "b.test:8080"))
    assert Matcher(any_host=True).key(left) == Matcher(any_host=True).key(right)


def test_masking_leaves_the_value_itself_alone() -> None:
    value = jsonbody.parse(b'{"a":["2024-01-01",1,null]}')
    assert volatile.masked(value, ["date"]) == {"a": ["<date>", 1, None]}
    assert value == {"a": ["2024-01-01", 1, None]}
