"""Server-sent events survive any cut and any line end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.wire.sse import SseEvent, SseParser, encode_comment, encode_event

LINES = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), min_size=1, max_size=12)
NAMES = st.text(st.characters(categories=["Ll"]), max_size=5)


def parsed(chunks: list[bytes]) -> list[SseEvent]:
    parser = SseParser()
    return [event for chunk in chunks for event in parser.feed(chunk)] + parser.close()


@given(st.lists(st.tuples(LINES, NAMES), max_size=5), st.sampled_from(["\n", "\r\n", "\r"]), st.data())
def test_cuts_and_line_ends_change_nothing(events: list[tuple[str, str]], ending: str, data: st.DataObject) -> None:
    body = b"".join(encode_event(text.encode(), event=name) for text, name in events)
    body = body.replace(b"\n", ending.encode())
    places = sorted(data.draw(st.sets(st.integers(0, len(body)))))
    chunks = [body[a:b] for a, b in zip([0, *places], [*places, len(body)], strict=True)]
    assert [(e.data.decode(), e.event) for e in parsed(chunks)] == events


@given(st.lists(LINES, min_size=1, max_size=4))
def test_data_of_several_lines_is_one_event(lines: list[str]) -> None:
    text = "\n".join(lines).encode()
    assert [event.data for event in parsed([encode_event(text)])] == [text]


@given(st.binary(max_size=200), st.integers(1, 9))
def test_any_bytes_are_read_the_same_however_they_are_cut(body: bytes, size: int) -> None:
    assert parsed([body[i : i + size] for i in range(0, len(body), size)]) == parsed([body])


def test_unicode_line_separators_do_not_cut() -> None:
    text = '{"a":"x\u2028y\u2029z\x85"}'.encode()
    assert [event.data for event in parsed([b"data: " + text + b"\n\n"])] == [text]


def test_a_byte_order_mark_and_a_missing_space_are_read() -> None:
    assert [event.data for event in parsed([b"\xef\xbb", b"\xbfdata:x\n\n"])] == [b"x"]


def test_a_missing_last_blank_line_does_not_lose_the_event() -> None:
    assert [event.data for event in parsed([b"data: a\n\ndata: b"])] == [b"a", b"b"]


def test_comments_are_told_and_hold_no_data() -> None:
    assert [event.comment for event in parsed([b": waiting\n\n", encode_comment(b"x")])] == [b"waiting", b"x"]


def test_names_and_ids_belong_to_their_event() -> None:
    first, second = parsed([b"event: a\nid: 1\ndata: x\n\ndata: y\n\n"])
    assert (first.event, first.id) == ("a", "1")
    assert second.event == ""


def test_a_carriage_return_at_the_end_of_a_chunk_ends_the_line_at_once() -> None:
    parser = SseParser()
    assert [event.data for event in parser.feed(b"data: x\r\r")] == [b"x"]
    assert parser.feed(b"\ndata: y\r\n\r\n") != []


def test_an_endless_event_is_refused() -> None:
    parser = SseParser(max_event_bytes=100)
    with pytest.raises(ValueError, match="larger than 100 bytes"):
        for _ in range(20):
            parser.feed(b"data: 0123456789\n")
