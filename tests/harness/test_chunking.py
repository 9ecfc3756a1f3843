"""A body can be cut anew in every way that hurts; its bytes and the moments of their arrival stay."""

from __future__ import annotations

import struct
import zlib
from itertools import accumulate
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.harness import Answer, BadRecordingCall, CassetteTransport, RecordingCall, SseEvent
from antiphon.harness.authoring import authored_sse, write_cassette
from antiphon.harness.chunking import CHUNKINGS, chunking_of, rechunked

URL = "https://h.test/v1/chat"
SSE = (("content-type", "text/event-stream"),)


def answer(body: bytes, *, headers: Any = SSE, chunks: Any = None) -> Answer:
    return Answer(status=200, headers=headers, body=body, chunks=chunks)


def pieces(played: Answer) -> list[bytes]:
    chunks = played.chunks if played.chunks is not None else ((0.0, len(played.body)),)
    ends = list(accumulate(length for _, length in chunks))
    return [played.body[end - length : end] for end, (_, length) in zip(ends, chunks, strict=True)]


def cut(body: bytes, word: str, **more: Any) -> list[bytes]:
    return pieces(rechunked(answer(body, **more), chunking_of(word)))


def frame(payload: bytes) -> bytes:
    prelude = struct.pack(">II", 16 + len(payload), 0)
    head = prelude + struct.pack(">I", zlib.crc32(prelude))
    return head + payload + struct.pack(">I", zlib.crc32(head + payload))


@pytest.mark.parametrize(
    ("word", "body", "wanted"),
    [
        ("blob", b"data: 1\n\ndata: 2\n\n", [b"data: 1\n\ndata: 2\n\n"]),
        ("event", b"data: 1\n\ndata: 2\n\n", [b"data: 1\n\n", b"data: 2\n\n"]),
        ("event", b"data: 1\r\n\r\ndata: 2\r\n\r\n", [b"data: 1\r\n\r\n", b"data: 2\r\n\r\n"]),
        ("byte", b"data", [b"d", b"a", b"t", b"a"]),
        ("split-utf8", "aé😀b".encode(), [b"a\xc3", b"\xa9\xf0", b"\x9f", b"\x98", b"\x80b"]),
        ("split-crlf", b"data: 1\r\n\r\nx", [b"data: 1\r", b"\n", b"\r", b"\nx"]),
        ("split-crlf", b"data: 1\n\ndata: 2\n\n", [b"data: 1\n", b"\ndata: 2\n", b"\n"]),
        ("split-crlf", b"plain", [b"plain"]),
    ],
)
def test_a_body_is_cut_where_its_chunking_says(word: str, body: bytes, wanted: list[bytes]) -> None:
    assert cut(body, word) == wanted


def test_json_lines_and_binary_frames_are_cut_by_event() -> None:
    lines = b'{"a":1}\n{"a":2}\n'
    assert cut(lines, "event", headers=(("content-type", "application/x-ndjson"),)) == [b'{"a":1}\n', b'{"a":2}\n']
    kind = (("content-type", "application/vnd.amazon.eventstream"),)
    frames = [frame(b"one"), frame(b"another one")]
    assert cut(b"".join(frames), "event", headers=kind) == frames


def test_frames_are_cut_inside_their_lengths_checksums_and_payload() -> None:
    kind = (("content-type", "application/vnd.amazon.eventstream"),)
    whole = frame(b"payload") + frame(b"second")
    ends = list(accumulate(len(piece) for piece in cut(whole, "split-frame", headers=kind)))
    assert {2, 4, 6, 8, 10, 12, 15, 19, 21, 23} <= set(ends)
    assert ends[-1] == len(whole)


def test_what_is_no_stream_is_one_event() -> None:
    assert cut(b'{"a": [1, 2]}', "event", headers=(("content-type", "application/json"),)) == [b'{"a": [1, 2]}']


def test_a_compressed_body_has_no_events_to_cut_at() -> None:
    packed = zlib.compress(b"data: 1\n\n" * 50)
    assert cut(packed, "event", headers=(*SSE, ("content-encoding", "deflate"))) == [packed]


def test_random_cuts_are_the_same_for_the_same_seed() -> None:
    body = bytes(range(256)) * 4
    assert cut(body, "random;seed=7") == cut(body, "random;seed=7")
    assert cut(body, "random;seed=7") != cut(body, "random;seed=8")
    assert max(map(len, cut(body, "random;seed=7;most=3"))) <= 3


def test_each_piece_arrives_when_its_last_byte_did() -> None:
    recorded = answer(b"abcdefgh", chunks=((10.0, 3), (20.0, 3), (30.0, 2), (5.0, 0)))
    assert rechunked(recorded, chunking_of("byte")).chunks == (
        (10.0, 1), (0.0, 1), (0.0, 1), (20.0, 1), (0.0, 1), (0.0, 1), (30.0, 1), (0.0, 1), (5.0, 0),
    )  # fmt: skip
    assert rechunked(recorded, chunking_of("blob")).chunks == ((60.0, 8), (5.0, 0))
    assert rechunked(recorded, chunking_of("recorded")) == recorded


@pytest.mark.parametrize(
    "word", ["", "bytes", "random;seed", "random;seed=x", "random;seed=-1", "byte;seed=1", "random;seed=" + "9" * 99]
)
def test_a_chunking_that_cannot_be_read_is_refused_and_all_are_named(word: str) -> None:
    with pytest.raises(BadRecordingCall, match="split-utf8, split-crlf, split-frame"):
        chunking_of(word)


@settings(max_examples=150, deadline=None)
@given(
    body=st.binary(max_size=200)
    | st.text(max_size=80).map(str.encode)
    | st.sampled_from([frame(b"x"), b"data: 1\n\n"]),
    kind=st.sampled_from(["text/event-stream", "application/vnd.amazon.eventstream", "application/x-ndjson", ""]),
    name=st.sampled_from(CHUNKINGS),
    cuts=st.lists(st.integers(0, 200), max_size=6),
    delay=st.floats(0, 1000, allow_nan=False),
)
def test_no_chunking_changes_a_byte_or_the_time_of_the_last(
    body: bytes, kind: str, name: str, cuts: list[int], delay: float
) -> None:
    ends = sorted({min(end, len(body)) for end in cuts} | {len(body)})
    chunks = tuple((delay, end - start) for start, end in zip([0, *ends[:-1]], ends, strict=True))
    played = rechunked(answer(body, headers=(("content-type", kind),), chunks=chunks), chunking_of(name))
    assert b"".join(pieces(played)) == body
    assert played.chunks is not None
    assert sum(d for d, _ in played.chunks) == pytest.approx(delay * len(chunks), abs=0.01)


@pytest.mark.parametrize("name", CHUNKINGS)
async def test_a_call_chooses_its_chunking_and_the_answer_says_so(tmp_path: Path, name: str) -> None:
    events = [SseEvent(data={"n": n, "text": "é😀"}, delay_ms=1) for n in range(5)]
    write_cassette(tmp_path, "a/s", [authored_sse(url=URL, request={"q": 1}, events=events)])
    body = b"".join(event.encoded() for event in events)
    async with httpx.AsyncClient(transport=CassetteTransport(tmp_path)) as http:
        call = RecordingCall(chunking=name, pace="none")  # type: ignore[arg-type]  # words are read
        async with http.stream("POST", URL, json={"q": 1}, extensions={"antiphon": call}) as response:
            got = [chunk async for chunk in response.aiter_raw()]
    assert b"".join(got) == body
    assert response.extensions["antiphon"]["chunking"] == name
    counts = {"recorded": 5, "blob": 1, "event": 5, "byte": len(body), "split-utf8": 1 + 4 * 5, "split-crlf": 6}
    assert len(got) == counts.get(name, len(got))


async def test_an_unknown_chunking_is_refused_in_every_mode_but_live(tmp_path: Path) -> None:
    async with httpx.AsyncClient(transport=CassetteTransport(tmp_path)) as http:
        for mode in ("replay", "record", "record-on-miss"):
            with pytest.raises(BadRecordingCall, match="unknown chunking 'slices'"):
                await http.post(URL, json={}, extensions={"antiphon": {"chunking": "slices", "mode": mode}})
