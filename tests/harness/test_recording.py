"""Recording from a real server: streams reach the caller undelayed and are kept as they came."""

from __future__ import annotations

import gzip
import time
import zlib
from pathlib import Path

import httpx
import pytest
import yaml

from antiphon.harness import (
    CassetteTransport,
    Mode,
    RecordingCall,
    RecordingMissing,
    RecordingRefused,
)
from tests.harness.recorded import EVENTS, SSE, client, collect, loaded, paced, read, written
from tests.harness.streaming_server import Reply, StreamingServer


async def test_the_first_chunk_arrives_while_the_server_still_sends(server: StreamingServer, tmp_path: Path) -> None:
    url = server.serve("/v1/stream", Reply(steps=[EVENTS[0], 0.6, EVENTS[1]], headers=SSE))
    async with client(tmp_path, Mode.RECORD) as http:
        _, chunks = await read(http, url)
    assert [chunk for _, chunk in chunks] == EVENTS[:2]
    assert chunks[0][0] < 300
    assert chunks[1][0] > 500


async def test_nothing_is_written_before_the_stream_has_ended(server: StreamingServer, tmp_path: Path) -> None:
    url = server.serve("/v1/stream", paced(pause=0.02))
    during: list[list[str]] = []
    async with client(tmp_path, Mode.RECORD) as http:
        await collect(http, url, [], lambda: during.append(written(tmp_path)))
    assert during == [[]] * len(EVENTS)
    assert written(tmp_path) == ["local/case.yaml"]


async def test_chunk_borders_and_delays_are_kept_and_replayed_within_20_ms(
    server: StreamingServer, tmp_path: Path
) -> None:
    url = server.serve("/v1/stream", paced(pause=0.08))
    async with client(tmp_path, Mode.RECORD) as http:
        await read(http, url, model="tiny")
    await server.stop()

    (recording,) = loaded(tmp_path)
    answer = recording.interaction.answer
    assert answer.chunks is not None
    assert [length for _, length in answer.chunks] == [len(event) for event in EVENTS]
    due = [sum(delay for delay, _ in answer.chunks[: n + 1]) for n in range(len(EVENTS))]
    assert due[-1] > 300

    lateness = []
    for _ in range(5):  # a busy machine may be late once; a wrong schedule is late always
        async with client(tmp_path, Mode.REPLAY) as http:
            _, chunks = await read(http, url, model="tiny")
        assert [chunk for _, chunk in chunks] == EVENTS
        lateness.append(max(abs(at - when) for (at, _), when in zip(chunks, due, strict=True)))
        if lateness[-1] < 20:
            break
    assert min(lateness) < 20, lateness


async def test_without_pace_the_same_chunks_come_at_once(server: StreamingServer, tmp_path: Path) -> None:
    url = server.serve("/v1/stream", paced(pause=0.2))
    async with client(tmp_path, Mode.RECORD) as http:
        await read(http, url)
    async with client(tmp_path, Mode.REPLAY, pace=0.0) as http:
        _, chunks = await read(http, url)
    assert [chunk for _, chunk in chunks] == EVENTS
    assert chunks[-1][0] < 200  # recorded: 800


async def test_pace_can_be_scaled_per_call(server: StreamingServer, tmp_path: Path) -> None:
    url = server.serve("/v1/stream", paced(pause=0.1))
    async with client(tmp_path, Mode.RECORD) as http:
        await read(http, url)
    async with client(tmp_path, Mode.REPLAY) as http:
        began = time.perf_counter()
        response = await http.post(url, json={}, extensions={"antiphon": {"pace": 0.25}})
        elapsed = time.perf_counter() - began
    assert response.content == b"".join(EVENTS)
    assert 0.09 < elapsed < 0.35  # recorded: 0.4


async def test_headers_are_kept_by_allow_list_only(server: StreamingServer, tmp_path: Path) -> None:
    headers = {
        "content-type": "application/json",
        "x-request-id": "req-1",
        "x-ratelimit-remaining": "9",
        "set-cookie": "s=1",
        "server": "x",
    }
    url = server.serve("/v1/chat", Reply(steps=[b'{"model":"tiny-1"}'], headers=headers, length=True))
    async with client(tmp_path, Mode.RECORD) as http:
        live = await http.post(url, json={"model": "tiny"}, headers={"x-api-key": "k-0123456789", "openai-beta": "b"})
    assert live.headers["set-cookie"] == "s=1"
    (recording,) = loaded(tmp_path)
    interaction = recording.interaction
    assert dict(interaction.answer.headers) == {
        "content-type": "application/json",
        "content-length": "18",
        "x-request-id": "req-1",
        "x-ratelimit-remaining": "9",
    }
    assert dict(interaction.request.headers) == {
        "accept": "*/*",
        "content-type": "application/json",
        "openai-beta": "b",
    }
    assert "k-0123456789" not in (tmp_path / "local/case.yaml").read_text()


async def test_trailers_and_http_version_are_kept_and_replayed(server: StreamingServer, tmp_path: Path) -> None:
    trailing = {"x-request-id": "req-7", "set-cookie": "s=1"}
    url = server.serve("/v1/stream", Reply(steps=EVENTS, headers=SSE, trailers=trailing))
    async with client(tmp_path, Mode.RECORD) as http:
        await read(http, url)
        await read(http, url)  # over the same connection
    for recording in loaded(tmp_path):
        assert recording.interaction.answer.trailers == (("x-request-id", "req-7"),)
    async with client(tmp_path, Mode.REPLAY) as http:
        response, _ = await read(http, url)
    assert response.extensions["trailing_headers"] == [("x-request-id", "req-7")]
    assert response.http_version == "HTTP/1.1"


async def test_the_file_reads_well_and_says_where_it_comes_from(server: StreamingServer, tmp_path: Path) -> None:
    url = server.serve("/v1/stream", paced(pause=0.0))
    async with client(tmp_path, Mode.RECORD) as http:
        await http.post(url, json={"model": "tiny", "q": "ünï"}, extensions={"antiphon": {"scenario": "chat-plain"}})
    text = (tmp_path / "local/case.yaml").read_text(encoding="utf-8")
    assert "    body: |-\n      {" in text
    assert '      string: |+\n        data: {"model":"tiny-1","n":0,"text":"été 😀"}\n\n        data:' in text
    extra = yaml.safe_load(text)["interactions"][0]["response"]["antiphon"]
    assert extra["outcome"] == "complete"
    facts = extra["provenance"]
    assert facts["origin"] == "recorded"
    assert facts["scenario"] == "chat-plain"
    assert facts["model_asked"] == "tiny"
    assert facts["model_answered"] == "tiny-1"
    assert facts["recorded_at"].endswith("Z")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"plain",
        b"ends\n",
        b"ends twice\n\n",
        b"\n",
        b"\n\n  lead",
        b"  lead\n x",
        b"crlf\r\n\r\n",
        b"trail \t \nx ",
        b"\xff\x00\x80binary",
        "nel\x85 ls\u2028 bom\ufeff".encode(),
        b"bell\x07",
        b"antiphon-body-0",
        b"- a: &x [1]\n# no comment\n...\n---\n",
        "\U0001f600 \ud7ff\ue000".encode(),
        b"'quote\"",
    ],
)
async def test_every_body_comes_back_byte_for_byte(server: StreamingServer, tmp_path: Path, body: bytes) -> None:
    url = server.serve("/v1/raw", Reply(steps=[body] if body else [], length=True))
    for mode in (Mode.RECORD, Mode.REPLAY):
        async with client(tmp_path, mode) as http:
            response = await http.post(url, content=body)
            assert response.content == body, mode
    assert len(server.requests) == 1


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_compressed_streams_are_kept_readable_with_their_chunks(
    server: StreamingServer, tmp_path: Path, encoding: str
) -> None:
    packer = zlib.compressobj(wbits=31 if encoding == "gzip" else 15)
    steps: list[bytes | float] = []
    for event in EVENTS:
        steps += [packer.compress(event) + packer.flush(zlib.Z_SYNC_FLUSH), 0.01]
    url = server.serve(
        "/v1/stream", Reply(steps=[*steps, packer.flush()], headers={**SSE, "content-encoding": encoding})
    )
    async with client(tmp_path, Mode.RECORD) as http:
        live = await http.post(url, json={}, headers={"accept-encoding": "br, gzip, deflate, zstd"})
    assert live.content == b"".join(EVENTS)
    assert server.requests[0][1]["accept-encoding"] == "gzip, deflate"
    async with client(tmp_path, Mode.REPLAY) as http:
        response, chunks = await read(http, url)
    assert [chunk for _, chunk in chunks] == EVENTS
    assert "content-encoding" not in response.headers
    assert f"content_encoding: {encoding}" in (tmp_path / "local/case.yaml").read_text()


async def test_an_encoding_that_cannot_be_searched_is_refused(server: StreamingServer, tmp_path: Path) -> None:
    url = server.serve("/v1/x", Reply(steps=[gzip.compress(b"x")], headers={"content-encoding": "snappy"}))
    async with client(tmp_path, Mode.RECORD) as http:
        with pytest.raises(RecordingRefused, match="snappy"):
            await http.get(url)
    assert written(tmp_path) == []


async def test_record_on_miss_asks_once_and_then_replays(server: StreamingServer, tmp_path: Path) -> None:
    url = server.serve("/v1/chat", Reply(steps=[b'{"n":1}']), Reply(steps=[b'{"n":2}']))
    async with client(tmp_path, Mode.RECORD_ON_MISS, cassette=None) as http:
        first = await http.post(url, json={"a": 1, "b": 2.0})
        again = await http.post(url, content=b'{"b": 2, "a": 1e0}', headers={"content-type": "application/json"})
        other = await http.post(url, json={"a": 2})
    assert [first.json(), again.json(), other.json()] == [{"n": 1}, {"n": 1}, {"n": 2}]
    assert first.extensions["antiphon"]["replayed"] is False
    assert again.extensions["antiphon"]["replayed"] is True
    assert len(server.requests) == 2
    names = written(tmp_path)
    host = server.url.removeprefix("http://").replace(":", "-")
    assert len(names) == 2
    assert all(name.startswith(f"{host}/post-v1-chat-") for name in names)


async def test_recording_again_replaces_equal_requests_once_a_session(server: StreamingServer, tmp_path: Path) -> None:
    url = server.serve("/v1/chat", *(Reply(steps=[b'{"n":%d}' % n]) for n in range(9)))
    for session in ("first", "second"):
        transport = CassetteTransport(
            tmp_path, default=RecordingCall(mode=Mode.RECORD, cassette="local/case", session=session)
        )
        async with httpx.AsyncClient(transport=transport) as http:
            for body in ({"q": 1}, {"q": 2}, {"q": 1}):
                await http.post(url, json=body)
    bodies = [(r.interaction.request.body, r.interaction.answer.body) for r in loaded(tmp_path)]
    assert bodies == [(b'{"q":1}', b'{"n":3}'), (b'{"q":2}', b'{"n":4}'), (b'{"q":1}', b'{"n":5}')]


async def test_a_call_chooses_its_mode_itself(server: StreamingServer, tmp_path: Path) -> None:
    url = server.serve("/v1/chat", Reply(steps=[b'{"n":1}']))
    async with client(tmp_path, Mode.REPLAY) as http:
        with pytest.raises(RecordingMissing):
            await http.post(url, json={})
        await http.post(url, json={}, extensions={"antiphon": RecordingCall(mode=Mode.LIVE)})
        assert written(tmp_path) == []
        await http.post(url, json={}, extensions={"antiphon": {"mode": "record", "cassette": "a/b"}})
        answer = await http.post(url, json={}, extensions={"antiphon": {"cassette": "b"}})
        assert answer.extensions["antiphon"]["cassette"] == "a/b"
    assert len(server.requests) == 2
