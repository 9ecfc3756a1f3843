"""Answers that end badly do so for the replay server's client as for the one that was recorded."""

from __future__ import annotations

import socket
from pathlib import Path

import httpx
import pytest

from antiphon.harness import (
    Answer,
    Failure,
    Interaction,
    Mode,
    Outcome,
    RecordedRequest,
    authored_json,
    write_cassette,
)
from tests.harness.recorded import EVENTS, loaded, paced
from tests.harness.server.opened import asked, opened
from tests.harness.streaming_server import Reply, StreamingServer


@pytest.mark.parametrize(("end", "seen_as"), [("cut", "closed"), ("reset", "reset")])
async def test_a_broken_stream_breaks_after_the_same_byte_and_in_the_same_way(
    server: StreamingServer, tmp_path: Path, end: str, seen_as: str
) -> None:
    server.serve("/v1/stream", paced(pause=0.01, end=end))
    for mode in (Mode.RECORD, Mode.REPLAY):
        async with opened(tmp_path, server.url, mode=mode) as proxy:
            got = await asked(f"{proxy.local}/v1/stream")
        assert got.status == 200, mode
        assert got.body == b"".join(EVENTS), mode
        assert not got.data.endswith(b"0\r\n\r\n"), mode
        assert got.end == seen_as, mode


async def test_a_large_body_is_delivered_whole_before_its_connection_is_reset(
    server: StreamingServer, tmp_path: Path
) -> None:
    pieces = [bytes([65 + n]) * 300_000 for n in range(8)]
    server.serve("/v1/large", Reply(steps=[*pieces, 0.2], end="reset"))
    for mode in (Mode.RECORD, Mode.REPLAY):
        async with opened(tmp_path, server.url, mode=mode) as proxy:
            got = await asked(f"{proxy.local}/v1/large")
        assert (len(got.body), got.end) == (2_400_000, "reset"), mode


async def test_a_cut_body_with_a_length_keeps_the_length_that_was_announced(tmp_path: Path) -> None:
    url = "http://local.test/v1/cut"
    failure = Failure(error="RemoteProtocolError", phase="body", message="cut")
    answer = Answer(
        status=200,
        headers=(("content-length", "10"),),
        body=b"12345",
        outcome=Outcome.TRUNCATED,
        failure=failure,
    )
    _write(tmp_path, url, answer)
    async with opened(tmp_path, "http://local.test") as proxy:
        got = await asked(f"{proxy.local}/v1/cut")
    assert b"content-length: 10\r\n" in got.data.lower()
    assert (got.body, got.end) == (b"12345", "closed")


@pytest.mark.parametrize("length", ["3", "500"])
async def test_a_length_that_a_decoding_recorder_left_behind_is_not_sent(tmp_path: Path, length: str) -> None:
    headers = (("content-length", length), ("content-encoding", "gzip"), ("content-type", "application/json"))
    _write(tmp_path, "http://local.test/v1/chat", Answer(status=200, headers=headers, body=b'{"a": 1}'))
    async with opened(tmp_path, "http://local.test") as proxy, httpx.AsyncClient() as http:
        answer = await http.post(f"{proxy.local}/v1/chat", json={})
    assert answer.json() == {"a": 1}


async def test_a_provider_that_cannot_be_reached_is_a_502_live_and_no_answer_when_replayed(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: it refuses
        origin = f"http://127.0.0.1:{taken.getsockname()[1]}"
        async with opened(tmp_path, origin, mode=Mode.RECORD) as proxy:
            live = await asked(f"{proxy.local}/v1/chat")
    async with opened(tmp_path, origin) as proxy:
        replayed = await asked(f"{proxy.local}/v1/chat")
    assert live.status == 502
    assert b"can't be reached" in live.body
    assert (replayed.data, replayed.end) == (b"", "reset")
    assert loaded(tmp_path)[0].interaction.answer.outcome is Outcome.REFUSED


async def test_a_recorded_timeout_is_silence_until_the_client_leaves(tmp_path: Path) -> None:
    failure = Failure(error="ReadTimeout", phase="headers", after_ms=1)
    answer = Answer(status=599, outcome=Outcome.TIMEOUT, failure=failure)
    _write(tmp_path, "http://local.test/v1/chat", answer)
    async with opened(tmp_path, "http://local.test") as proxy:
        async with httpx.AsyncClient() as http:
            with pytest.raises(httpx.ReadTimeout):
                await http.post(f"{proxy.local}/v1/chat", json={}, timeout=0.3)
        assert isinstance(proxy.served[0].error, httpx.ReadTimeout)


async def test_silence_ends_with_a_reset_where_the_client_stays(tmp_path: Path) -> None:
    failure = Failure(error="ReadTimeout", phase="headers", after_ms=1)
    _write(tmp_path, "http://local.test/v1/chat", Answer(status=599, outcome=Outcome.TIMEOUT, failure=failure))
    async with opened(tmp_path, "http://local.test", hold=0.1) as proxy:
        got = await asked(f"{proxy.local}/v1/chat")
    assert (got.data, got.end) == (b"", "reset")


async def test_after_a_cut_the_server_goes_on(server: StreamingServer, tmp_path: Path) -> None:
    write_cassette(tmp_path, "local/ok", [authored_json(url=f"{server.url}/v1/ok", request={}, response={"ok": True})])
    server.serve("/v1/stream", paced(pause=0.01, end="reset"))
    async with opened(tmp_path, server.url, mode=Mode.RECORD_ON_MISS) as proxy, httpx.AsyncClient() as http:
        for _ in range(3):
            assert (await asked(f"{proxy.local}/v1/stream")).end == "reset"
            assert (await http.post(f"{proxy.local}/v1/ok", json={})).json() == {"ok": True}


def _write(folder: Path, url: str, answer: Answer) -> None:
    asked_for = RecordedRequest(method="POST", url=url, body=b"{}")
    write_cassette(folder, "local/case", [Interaction(request=asked_for, answer=answer)])
