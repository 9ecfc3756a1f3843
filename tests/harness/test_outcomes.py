"""Failures are recordings too: cut, refused, late or left, each replays as itself."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from pathlib import Path

import httpx
import pytest

from antiphon.harness import (
    Mode,
    Outcome,
    RecordingEnded,
)
from tests.harness.recorded import EVENTS, SSE, client, collect, loaded, paced, read
from tests.harness.streaming_server import Reply, StreamingServer


@pytest.mark.parametrize("end", ["cut", "reset"])
async def test_a_broken_stream_is_recorded_and_replays_as_itself(
    server: StreamingServer, tmp_path: Path, end: str
) -> None:
    url = server.serve("/v1/stream", paced(pause=0.02, end=end))
    seen = {}
    for mode in (Mode.RECORD, Mode.REPLAY):
        got: list[bytes] = []
        async with client(tmp_path, mode) as http:
            with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)) as caught:
                await collect(http, url, got)
        seen[mode] = (type(caught.value), str(caught.value), b"".join(got))
    assert seen[Mode.RECORD] == seen[Mode.REPLAY]
    assert seen[Mode.RECORD][2].startswith(EVENTS[0])
    assert loaded(tmp_path)[0].interaction.answer.outcome is Outcome.TRUNCATED
    assert len(server.requests) == 1


async def test_a_refused_connection_is_recorded_and_replays_as_itself(server: StreamingServer, tmp_path: Path) -> None:
    url = server.url + "/v1/chat"
    await server.stop()
    messages = []
    for mode in (Mode.RECORD, Mode.REPLAY):
        async with client(tmp_path, mode) as http:
            with pytest.raises(httpx.ConnectError) as caught:
                await http.post(url, json={})
            messages.append(str(caught.value))
    assert messages[0] == messages[1]
    assert loaded(tmp_path)[0].interaction.answer.outcome is Outcome.REFUSED


async def test_a_tls_error_is_recorded_and_replays_as_itself(tmp_path: Path) -> None:
    def speak_no_tls(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    seen = []
    async with await asyncio.start_server(speak_no_tls, "127.0.0.1", 0) as plain:
        url = f"https://127.0.0.1:{plain.sockets[0].getsockname()[1]}/v1/chat"
        for mode in (Mode.RECORD, Mode.REPLAY):
            async with client(tmp_path, mode) as http:
                with pytest.raises(httpx.ConnectError) as caught:
                    await http.post(url, json={})
            seen.append(str(caught.value))
    assert seen[0] == seen[1] != ""
    assert isinstance(caught.value.__cause__, ssl.SSLError)
    answer = loaded(tmp_path)[0].interaction.answer
    assert (answer.outcome, answer.failure.phase) == (Outcome.REFUSED, "tls")


async def test_a_connect_timeout_is_recorded_as_one_and_replays_as_itself(tmp_path: Path) -> None:
    with socket.socket() as full, contextlib.ExitStack() as waiting:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):  # nobody accepts, so the queue of connections is full
            one = waiting.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        url = f"http://127.0.0.1:{full.getsockname()[1]}/v1/chat"
        for mode in (Mode.RECORD, Mode.REPLAY):
            async with client(tmp_path, mode) as http:
                with pytest.raises(httpx.ConnectTimeout):
                    await http.post(url, json={}, timeout=httpx.Timeout(5, connect=0.2))
    answer = loaded(tmp_path)[0].interaction.answer
    assert (answer.outcome, answer.failure.phase) == (Outcome.TIMEOUT, "connect")


@pytest.mark.parametrize("length", [False, True], ids=["chunked", "by length"])
async def test_an_answer_cut_at_a_byte_keeps_the_bytes_before_it(
    server: StreamingServer, tmp_path: Path, length: bool
) -> None:
    steps = [b"0123456789", b"abcde"]
    promised = {"content-length": "99"} if length else {"transfer-encoding": "chunked"}
    raw = b"".join(steps) if length else b"a\r\n0123456789\r\n63\r\nabcde"
    url = server.serve("/v1/cut", Reply(steps=[raw], headers=promised, end="cut", framed=False))
    for mode in (Mode.RECORD, Mode.REPLAY):
        got: list[bytes] = []
        async with client(tmp_path, mode) as http:
            with pytest.raises(httpx.RemoteProtocolError):
                await collect(http, url, got)
        assert b"".join(got) == b"".join(steps), mode
    assert loaded(tmp_path)[0].interaction.answer.outcome is Outcome.TRUNCATED


@pytest.mark.parametrize("steps", [[], [EVENTS[0]]], ids=["before headers", "in the body"])
async def test_a_timeout_is_recorded_and_replays_as_itself(
    server: StreamingServer, tmp_path: Path, steps: list[bytes]
) -> None:
    url = server.serve("/v1/slow", Reply(steps=steps, before=0.0 if steps else 30.0, end="hang"))
    for mode in (Mode.RECORD, Mode.REPLAY):
        got: list[bytes] = []
        async with client(tmp_path, mode) as http:
            began = time.perf_counter()
            with pytest.raises(httpx.ReadTimeout):
                await collect(http, url, got, read_timeout=0.3)
            assert time.perf_counter() - began > 0.25, mode
        assert got == steps
    assert loaded(tmp_path)[0].interaction.answer.outcome is Outcome.TIMEOUT


async def test_a_shorter_read_timeout_fires_on_replay_too(server: StreamingServer, tmp_path: Path) -> None:
    url = server.serve("/v1/stream", paced(pause=0.5))
    async with client(tmp_path, Mode.RECORD) as http:
        await read(http, url)
    async with client(tmp_path, Mode.REPLAY) as http:
        with pytest.raises(httpx.ReadTimeout):
            await http.post(url, json={}, timeout=0.1)


async def test_a_cancelled_call_closes_the_connection_and_is_recorded_as_cancelled(
    server: StreamingServer, tmp_path: Path
) -> None:
    url = server.serve("/v1/stream", Reply(steps=EVENTS[:2], headers=SSE, end="hang"))
    got: list[bytes] = []
    two = asyncio.Event()
    async with client(tmp_path, Mode.RECORD) as http:
        task = asyncio.create_task(collect(http, url, got, lambda: two.set() if len(got) == 2 else None))
        await asyncio.wait_for(two.wait(), 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(server.left.wait(), 1)
        assert server.open == 0
    (recording,) = loaded(tmp_path)
    assert recording.interaction.answer.outcome is Outcome.CANCELLED
    assert recording.interaction.answer.body == b"".join(EVENTS[:2])

    got.clear()
    async with client(tmp_path, Mode.REPLAY) as http:
        with pytest.raises(RecordingEnded, match="the caller left"):
            await collect(http, url, got)
    assert got == EVENTS[:2]


async def test_a_timeout_scope_around_the_read_counts_as_the_caller_leaving(
    server: StreamingServer, tmp_path: Path
) -> None:
    url = server.serve("/v1/stream", Reply(steps=EVENTS[:1], headers=SSE, end="hang"))
    async with client(tmp_path, Mode.RECORD) as http:
        request = http.build_request("POST", url, json={})
        response = await http.send(request, stream=True)
        chunks = response.aiter_raw()
        assert await anext(chunks) == EVENTS[0]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await anext(chunks)
        await response.aclose()
    assert loaded(tmp_path)[0].interaction.answer.outcome is Outcome.CANCELLED


async def test_a_cancel_before_the_headers_is_recorded(server: StreamingServer, tmp_path: Path) -> None:
    url = server.serve("/v1/slow", Reply(before=30))
    async with client(tmp_path, Mode.RECORD) as http:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await http.post(url, json={})
    assert loaded(tmp_path)[0].interaction.answer.outcome is Outcome.CANCELLED
    async with client(tmp_path, Mode.REPLAY) as http:
        with pytest.raises(RecordingEnded):
            await http.post(url, json={})


async def test_a_client_that_stops_at_the_last_event_records_a_whole_answer(
    server: StreamingServer, tmp_path: Path
) -> None:
    url = server.serve("/v1/stream", Reply(steps=[*EVENTS, b"data: [DONE]\n\n", 0.01], headers=SSE))
    async with client(tmp_path, Mode.RECORD) as http, http.stream("POST", url, json={}) as response:
        async for chunk in response.aiter_raw():
            if b"[DONE]" in chunk:
                break
    assert loaded(tmp_path)[0].interaction.answer.outcome is Outcome.COMPLETE


async def test_record_on_miss_asks_again_where_the_recorded_caller_left(
    server: StreamingServer, tmp_path: Path
) -> None:
    url = server.serve("/v1/s", Reply(steps=EVENTS[:1], headers=SSE, end="hang"), Reply(steps=EVENTS, headers=SSE))
    async with client(tmp_path, Mode.RECORD_ON_MISS) as http:
        async with http.stream("POST", url, json={}) as response:
            async for _ in response.aiter_raw():
                break
        assert (await http.post(url, json={})).content == b"".join(EVENTS)
    (recording,) = loaded(tmp_path)
    assert recording.interaction.answer.outcome is Outcome.COMPLETE
