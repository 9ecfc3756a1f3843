"""Faults that change an answer, as the pure functions that they are, over streams of every framing."""

from __future__ import annotations

import json
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.harness import Answer, BadRecordingCall, Outcome
from antiphon.harness.faults import DIALECTS, KINDS, FaultNotApplicable, dialect_of, fault_of
from antiphon.harness.framing import framing_of, header, payload, spans
from tests.harness.faults.samples import STREAMS, URLS, asked, stream, whole

EACH = pytest.mark.parametrize("provider", STREAMS)


def struck(word: str, provider: str = "openai", answer: Answer | None = None) -> Answer:
    answer = answer or stream(provider)
    changed = fault_of(word).changed(answer, asked(provider))
    assert sum(length for _, length in changed.chunks or ()) == len(changed.body)
    return changed


def events(answer: Answer) -> list[bytes]:
    framing = framing_of(answer)
    return [payload(answer.body[start:end], framing) for start, end in spans(answer.body, framing)]


def values(answer: Answer) -> list[Any]:
    return [json.loads(data) if data[:1] == b"{" else data.decode() for data in events(answer)]


@EACH
def test_events_cover_the_body_without_gaps_and_hold_json(provider: str) -> None:
    answer = stream(provider)
    found = spans(answer.body, framing_of(answer))
    assert [start for start, _ in found[1:]] == [end for _, end in found[:-1]]
    assert (found[0][0], found[-1][1]) == (0, len(answer.body))
    assert len(values(answer)) == {"gemini": 2, "gemini-array": 2, "ollama": 3}.get(provider, len(found))


@EACH
def test_cut_at_an_event_gives_so_many_events_and_then_breaks(provider: str) -> None:
    before = stream(provider)
    after = struck("cut@event=1", provider)
    assert before.body.startswith(after.body)
    assert values(after)[:1] == values(before)[:1]
    assert len(after.body) == spans(before.body, framing_of(before))[0][1]
    assert after.outcome is Outcome.TRUNCATED
    assert after.failure is not None
    assert (after.failure.error, after.failure.phase) == ("RemoteProtocolError", "body")


def test_cut_at_a_byte_splits_the_chunk_and_keeps_the_pace_before_it() -> None:
    after = struck("cut@byte=10")
    assert after.chunks == ((1.0, 7), (1.0, 3))
    assert after.body == stream().body[:10]


def test_a_cut_behind_the_end_is_refused_and_behind_the_last_event_is_before_it() -> None:
    with pytest.raises(FaultNotApplicable, match="has 9"):
        struck("cut@byte=999999", answer=Answer(status=200, body=b"{} {} {} "))
    before = stream()
    assert struck("cut@event=99").body == before.body[: spans(before.body, framing_of(before))[-1][0]]


def test_an_answer_that_is_no_stream_is_cut_in_its_middle_with_the_length_still_promised() -> None:
    answer = whole({"text": "x" * 100})
    after = struck("cut@event=1", answer=answer)
    assert len(after.body) == len(answer.body) // 2
    assert header(after, "content-length") == str(len(answer.body))


def test_reset_is_before_the_answer_or_at_its_place() -> None:
    assert not struck("reset").answered
    after = struck("reset@event=2")
    assert after.answered
    assert after.failure is not None
    assert after.failure.error == "ReadError"


def test_stall_puts_the_silence_where_it_is_asked_for() -> None:
    assert struck("stall;seconds=2").headers_ms == 2000
    assert struck("stall@byte=10;seconds=2").chunks[:4] == ((1.0, 7), (1.0, 3), (2000.0, 4), (1.0, 7))  # type: ignore[index]
    assert struck("stall@byte=7;seconds=2").chunks[:3] == ((1.0, 7), (2001.0, 7), (1.0, 7))  # type: ignore[index]
    size = len(stream().body)
    assert struck(f"stall@byte={size};seconds=2").chunks[-1] == (2000.0, 0)  # type: ignore[index]


def test_slow_takes_as_long_as_its_rate_says() -> None:
    after = struck("slow@rate=50")
    assert sum(delay for delay, _ in after.chunks or ()) == pytest.approx(len(after.body) / 50 * 1000)
    assert max(length for _, length in after.chunks or ()) == 5


@EACH
def test_an_error_event_ends_a_good_stream_in_the_providers_words(provider: str) -> None:
    after = struck("error-event@event=1;status=529", provider)
    before = values(stream(provider))
    found = values(after)
    assert found[0] == before[0]
    assert len(found) == 2
    assert "verloaded" in json.dumps(found[1]) or "unable to process" in json.dumps(found[1])
    assert after.outcome is Outcome.COMPLETE
    if provider == "gemini-array":
        assert json.loads(after.body)[1]["error"]["status"] == "UNAVAILABLE"
    if provider == "bedrock":
        assert b"serviceUnavailableException" in after.body
    if provider == "anthropic":
        assert b"event: error\n" in after.body


@EACH
def test_malformed_json_spoils_one_event_and_nothing_else(provider: str) -> None:
    before, after = events(stream(provider)), events(struck("malformed-json@event=1", provider))
    with pytest.raises(json.JSONDecodeError):
        json.loads(after[0])
    if provider != "gemini-array":  # there the rest of the array cannot be told from the broken object
        assert after[1:] == before[1:]


@EACH
def test_invalid_utf8_stands_inside_a_text(provider: str) -> None:
    after = struck("invalid-utf8", provider)
    with pytest.raises(UnicodeDecodeError):
        after.body[after.body.index(b"\xff\xfe") :].decode()
    assert after.body.replace(b"\xff\xfe", b"")[-3:] == stream(provider).body[-3:] or provider == "bedrock"


@EACH
def test_missing_done_leaves_out_the_end_alone(provider: str) -> None:
    before, after = values(stream(provider)), values(struck("missing-done", provider))
    dropped = {"bedrock": 2}.get(provider, 1)
    assert after == before[:-dropped]
    if provider == "gemini-array":
        assert json.loads(struck("missing-done", provider).body) == before[:-1]


@EACH
def test_duplicated_finish_says_twice_why_it_ended(provider: str) -> None:
    before, after = values(stream(provider)), values(struck("duplicated-finish", provider))
    assert len(after) == len(before) + 1
    twice = next(n for n in range(len(after) - 1) if after[n] == after[n + 1])
    assert [*after[:twice], *after[twice + 1 :]] == before
    if provider == "gemini-array":
        assert len(json.loads(struck("duplicated-finish", provider).body)) == 3


@EACH
def test_truncated_arguments_lose_their_end_and_the_stream_keeps_its_events(provider: str) -> None:
    before, after = values(stream(provider)), values(struck("truncated-arguments", provider))
    assert len(after) == len(before)
    assert "Rome" in json.dumps(before)
    lost = json.dumps(after)
    if provider.startswith("gemini"):
        assert "unit" not in lost
    else:
        assert 'Rome\\"}' not in lost
        assert '"Rome"' not in lost
    changed = [n for n, (old, new) in enumerate(zip(before, after, strict=True)) if old != new]
    assert len(changed) == {"openai-responses": 3}.get(provider, 1)


def test_truncated_arguments_need_a_tool_call() -> None:
    with pytest.raises(FaultNotApplicable, match="tool calls"):
        struck("truncated-arguments", answer=whole({"choices": [{"message": {"content": "no"}}]}))


def test_whole_answers_lose_the_end_of_their_arguments_too() -> None:
    call = {"id": "1", "function": {"name": "w", "arguments": '{"city":"Rome"}'}}
    after = struck("truncated-arguments", answer=whole({"choices": [{"message": {"tool_calls": [call]}}]}))
    found = json.loads(after.body)["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"]
    assert '{"city":"Rome"}'.startswith(found)
    assert found
    assert header(after, "content-length") == str(len(after.body))


def test_a_wrong_content_type_changes_the_header_alone() -> None:
    after = struck("wrong-content-type")
    assert header(after, "content-type") == "text/html; charset=utf-8"
    assert after.body == stream().body


@EACH
def test_an_oversized_body_means_the_same(provider: str) -> None:
    before, after = stream(provider), struck("oversized;bytes=300000", provider)
    assert len(after.body) >= len(before.body) + 300_000
    assert values(after)[-len(values(before)) :] == values(before)
    assert max(length for _, length in after.chunks or ()) < 200_000


def test_bad_gzip_says_gzip_and_cannot_be_unpacked() -> None:
    after = struck("bad-gzip")
    assert header(after, "content-encoding") == "gzip"
    with pytest.raises(zlib.error):
        zlib.decompressobj(31).decompress(after.body)


def test_faults_add_up_in_their_order() -> None:
    after = struck("error-event@event=1+wrong-content-type;type=text/plain+slow@rate=1000")
    assert header(after, "content-type") == "text/plain"
    assert b"server_error" in after.body
    assert sum(delay for delay, _ in after.chunks or ()) == pytest.approx(len(after.body))


@pytest.mark.parametrize("word", ["error-event", "missing-done", "duplicated-finish"])
def test_faults_of_streams_refuse_an_answer_that_is_none(word: str) -> None:
    with pytest.raises(FaultNotApplicable, match="this answer is none"):
        struck(word, answer=whole({"a": 1}))


@pytest.mark.parametrize(
    ("word", "complaint"),
    [
        ("429x", "there is no fault '429x'"),
        ("", "has no name"),
        ("cut@event", "not of the form"),
        ("cut@event=x", "whole number"),
        ("cut@event=-1", "give 0 to"),
        ("cut@place=1", "has no setting place; it has: event, byte"),
        ("429;retry-after=nan", "give 0 to 86400"),
        ("stall;seconds=1e9", "give 0 to 3600"),
        ("429;times=x", "whole number"),
        ("cut+429", "has to come first"),
        ("cut;event=1;event=2", "twice"),
        ("cut" + "+cut" * 200, "enough for any"),
        ("wrong-content-type;type=a\r\nb: c", "plain text"),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(word: str, complaint: str) -> None:
    with pytest.raises(BadRecordingCall, match=complaint):
        fault_of(word)


@pytest.mark.parametrize("provider", URLS)
def test_a_url_leads_to_its_own_dialect(provider: str) -> None:
    assert dialect_of(asked(provider)).name == provider.removesuffix("-array")
    assert set(DIALECTS) >= {provider.removesuffix("-array")}


WORDS = [word for word, kind in KINDS.items() if kind.over is not None and word != "oversized"]
KINDS_OF_BODY = ["text/event-stream", "application/x-ndjson", "application/vnd.amazon.eventstream", "application/json"]
LUMPS = st.sampled_from(
    [b"data: ", b"\n\n", b"\r\n\r\n", b'{"arguments":"{}"}', b"[", b"]", b"{", b"}", b'"', b"\x00\x00\x00\x10"]
)


@settings(max_examples=400, deadline=None)
@given(
    word=st.sampled_from(WORDS),
    place=st.sampled_from(["", "@event=1", "@event=3", "@byte=4"]),
    kind=st.sampled_from(KINDS_OF_BODY),
    body=st.lists(st.one_of(LUMPS, st.binary(max_size=12)), max_size=30).map(b"".join),
    piece=st.integers(1, 50),
)
def test_no_body_makes_a_fault_fail_in_another_way_than_saying_so(
    word: str, place: str, kind: str, body: bytes, piece: int
) -> None:
    sizes = [min(piece, len(body) - start) for start in range(0, len(body), piece)]
    answer = Answer(status=200, headers=(("content-type", kind),), body=body, chunks=tuple((0.0, n) for n in sizes))
    try:
        fault = fault_of(word + place)
    except BadRecordingCall:
        fault = fault_of(word)
    try:
        changed = fault.changed(answer, asked())
    except FaultNotApplicable:
        return
    assert sum(length for _, length in changed.chunks or ()) == len(changed.body)
    assert all(length >= 0 and delay >= 0 for delay, length in changed.chunks or ())
