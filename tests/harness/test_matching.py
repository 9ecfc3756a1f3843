"""Requests are equal by meaning, and a difference is named by its path."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.harness import Matcher, RecordedRequest, jsonbody

MATCHER = Matcher()
URL = "https://h.test/v1/chat"


def request(body: bytes = b"", *, url: str = URL, method: str = "POST") -> RecordedRequest:
    return RecordedRequest(method=method, url=url, body=body)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (request(b'{"a":1,"b":[1.0,0.70]}'), request(b' {"b" : [1e0, 7e-1], "a":1}\n')),
        (request(b'{"a":"\\u00e9"}'), request('{"a":"é"}'.encode())),
        (request(b'{"a":-0.0}'), request(b'{"a":0}')),
        (request(b'{"a":1e20}'), request(b'{"a":100000000000000000000}')),
        (request(url=URL + "?b=2&a=1"), request(url=URL + "?a=1&b=2")),
        (request(url=URL + "?key=one"), request(url=URL)),
        (request(url="https://h.test:443/v1/chat"), request(url="https://H.test/v1/chat")),
        (request(method="post"), request(method="POST")),
    ],
)
def test_spelling_does_not_matter(left: RecordedRequest, right: RecordedRequest) -> None:
    assert MATCHER.key(left) == MATCHER.key(right)
    assert MATCHER.differences(left, right) == []


@pytest.mark.parametrize(
    ("left", "right", "difference"),
    [
        (request(b'{"a":1}'), request(b'{"a":"1"}'), "a: 1 != '1'"),
        (request(b'{"a":1}'), request(b'{"a":true}'), "a: 1 != true"),
        (request(b'{"a":null}'), request(b"{}"), "a: missing in the recording"),
        (request(b"{}"), request(b'{"a":{"b":1}}'), "a: only in the recording"),
        (request(b'{"a":[1,2]}'), request(b'{"a":[1]}'), "a: 2 items != 1 items"),
        (request(b'{"a":[{"b":1}]}'), request(b'{"a":[{"b":2}]}'), "a[0].b: 1 != 2"),
        (
            request(b'{"a":9007199254740993}'),
            request(b'{"a":9007199254740992}'),
            "a: 9007199254740993 != 9007199254740992",
        ),
        (request(b"abc"), request(b"abd"), "body: 3 bytes != 3 bytes, first difference at byte 2"),
        (request(b'{"a":1,"a":2}'), request(b'{"a":2}'), "body: 13 bytes != 7 bytes, first difference at byte 5"),
        (request(url="https://g.test/v1/chat"), request(), "host: 'g.test' != 'h.test'"),
        (request(url="https://h.test:8443/v1/chat"), request(), "host: 'h.test:8443' != 'h.test'"),
        (request(url="https://h.test/v1%2Fchat"), request(), "path: '/v1%2Fchat' != '/v1/chat'"),
        (request(method="GET"), request(), "method: 'GET' != 'POST'"),
        (request(url=URL + "?a=1&a=2"), request(url=URL + "?a=1"), "query.a: 2 items != 1 items"),
    ],
)
def test_a_difference_is_named_by_its_path(left: RecordedRequest, right: RecordedRequest, difference: str) -> None:
    assert MATCHER.key(left) != MATCHER.key(right)
    assert MATCHER.differences(left, right)[0] == difference


def test_long_texts_are_shown_where_they_part() -> None:
    left = request(json.dumps({"a": "x" * 5000 + "left" + "y" * 100}).encode())
    right = request(json.dumps({"a": "x" * 5000 + "right"}).encode())
    (line,) = MATCHER.differences(left, right)
    assert "xxxleft" in line
    assert "xxxright" in line
    assert len(line) < 200


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b'{"a":' * 50_000 + b"1" + b"}" * 50_000, b'{"a":1e999}', b'{"a":NaN}']
)
def test_hostile_json_is_compared_as_bytes(body: bytes) -> None:
    with pytest.raises(jsonbody.NotJsonError):
        jsonbody.canonical(jsonbody.parse(body))
    assert MATCHER.key(request(body)) == MATCHER.key(request(body))
    assert MATCHER.differences(request(body), request(b"{}"))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(left=VALUES, right=VALUES)
def test_two_requests_match_exactly_when_no_difference_is_named(left: object, right: object) -> None:
    one, other = (request(json.dumps({"v": value}).encode()) for value in (left, right))
    respelled = request(json.dumps({"v": left}, indent=1, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    assert MATCHER.differences(one, one) == []
    assert (MATCHER.key(one) == MATCHER.key(other)) == (MATCHER.differences(one, other) == [])
    assert MATCHER.key(one) == MATCHER.key(respelled)


def form(parts: list[tuple[str, bytes]], boundary: str, *, ending: bytes = b"--\r\n") -> RecordedRequest:
    body = b"".join(
        b"--%b\r\nContent-Disposition: form-data; %b\r\n\r\n%b\r\n" % (boundary.encode(), head.encode(), content)
        for head, content in parts
    )
    return RecordedRequest(
        method="POST",
        url=URL,
        headers=(("content-type", f"multipart/form-data; boundary={boundary}"),),
        body=body + b"--" + boundary.encode() + ending,
    )


PARTS = [('name="purpose"', b"batch"), ('name="file"; filename="a.json"', b'{"a": 1, "b": 2}')]


def test_multipart_bodies_are_equal_whatever_their_boundary_and_the_spelling_of_their_json() -> None:
    left = form(PARTS, "one")
    right = form([PARTS[0], (PARTS[1][0], b'{"b":2,"a":1.0}')], "other", ending=b"--")
    assert MATCHER.key(left) == MATCHER.key(right)
    assert MATCHER.differences(left, right) == []


@pytest.mark.parametrize(
    ("number", "part", "difference"),
    [
        (0, ('name="purpose"', b"tune"), "parts[0].text: 'batch' != 'tune'"),
        (0, ('name="goal"', b"batch"), "parts[0].name: 'purpose' != 'goal'"),
        (1, ('name="file"; filename="b.json"', PARTS[1][1]), "parts[1].filename: 'a.json' != 'b.json'"),
        (1, (PARTS[1][0], b'{"a":1,"b":3}'), "parts[1].json.b: 2 != 3"),
    ],
)
def test_a_difference_of_a_part_is_named_by_its_place(number: int, part: tuple[str, bytes], difference: str) -> None:
    other = [part if n == number else old for n, old in enumerate(PARTS)]
    assert MATCHER.key(form(PARTS, "x")) != MATCHER.key(form(other, "y"))
    assert MATCHER.differences(form(PARTS, "x"), form(other, "y")) == [difference]


def test_files_of_a_form_are_compared_by_their_content() -> None:
    def upload(content: bytes, boundary: str) -> RecordedRequest:
        return form([('name="file"; filename="a.mp3"', content)], boundary)

    song = b"\xff\xfb\x90\r\n--one" * 100
    assert MATCHER.key(upload(song, "b1")) == MATCHER.key(upload(song, "b2"))
    sha256, size = MATCHER.differences(upload(song, "b1"), upload(song + b"!", "b2"))
    assert sha256.startswith("parts[0].sha256: ")
    assert size == "parts[0].size: 1000 != 1001"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--x",
        b"--x\r\n\r\n",
        b"--x--",
        b"junk--x\r\n\r\n\r\n--x--",
        b"--x\r\nno end of the head--x--",
        b"\xff" * 9,
    ],
)
def test_a_form_that_is_not_well_formed_is_compared_as_bytes(body: bytes) -> None:
    broken = RecordedRequest(
        method="POST", url=URL, headers=(("content-type", "multipart/form-data; boundary=x"),), body=body
    )
    assert MATCHER.key(broken) == MATCHER.key(broken)
    assert MATCHER.differences(broken, request(b"other"))


def test_form_fields_are_equal_whatever_their_order() -> None:
    def fields(body: bytes) -> RecordedRequest:
        kind = (("content-type", "application/x-www-form-urlencoded; charset=utf-8"),)
        return RecordedRequest(method="POST", url=URL, headers=kind, body=body)

    assert MATCHER.key(fields(b"grant=a&scope=b+c")) == MATCHER.key(fields(b"scope=b%20c&grant=a"))
    assert MATCHER.differences(fields(b"a=1&a=2"), fields(b"a=2&a=1")) == ["a[0]: '1' != '2'", "a[1]: '2' != '1'"]
    assert MATCHER.key(fields(b"\xff")) == MATCHER.key(fields(b"\xff"))


@settings(max_examples=100, deadline=None)
@given(
    content=st.binary(max_size=60),
    declared=st.sampled_from(["multipart/form-data; boundary=x", "", "multipart/form-data"]),
)
def test_any_bytes_have_a_key_and_no_difference_from_themselves(content: bytes, declared: str) -> None:
    for body in (content, b"--x\r\n" + content + b"\r\n--x--"):
        one = RecordedRequest(method="POST", url=URL, headers=(("content-type", declared),), body=body)
        assert MATCHER.key(one) == MATCHER.key(one)
        assert MATCHER.differences(one, one) == []
