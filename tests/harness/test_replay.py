"""Replay: sessions, order, misses, and that plain vcrpy reads the same files."""

from __future__ import annotations

import asyncio
import hashlib
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import vcr  # type: ignore[import-untyped]  # vcrpy ships no types

from antiphon.harness import (
    BadRecordingCall,
    CassetteStore,
    CassetteTransport,
    CassetteUnreadable,
    Interaction,
    Mode,
    RecordingCall,
    RecordingMissing,
    SseEvent,
    authored_json,
    authored_sse,
    write_cassette,
)
from tests.harness.streaming_server import Reply, StreamingServer

URL = "https://api.example.test/v1/chat"


def answer(n: int, **request: Any) -> Interaction:
    return authored_json(url=URL, request=request or {"q": 1}, response={"n": n})


def client(folder: Path, **settings: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=CassetteTransport(folder, **settings))


async def ask(http: httpx.AsyncClient, session: str = "", **body: Any) -> Any:
    settings = {"session": session}
    return (await http.post(URL, json=body or {"q": 1}, extensions={"antiphon": settings})).json()["n"]


async def test_equal_requests_answer_in_recorded_order_then_repeat_the_last(tmp_path: Path) -> None:
    write_cassette(tmp_path, "a/one", [answer(1), answer(2)])
    write_cassette(tmp_path, "b/two", [answer(3)])
    async with client(tmp_path) as http:
        assert [await ask(http) for _ in range(5)] == [1, 2, 3, 3, 3]


async def test_without_repeat_a_used_up_recording_is_a_miss(tmp_path: Path) -> None:
    write_cassette(tmp_path, "a/one", [answer(1)])
    async with client(tmp_path, repeat=False) as http:
        assert await ask(http) == 1
        with pytest.raises(RecordingMissing, match="used up in this session"):
            await ask(http)


async def test_concurrent_sessions_do_not_disturb_each_other(tmp_path: Path) -> None:
    write_cassette(tmp_path, "a/one", [answer(n) for n in range(10)])

    async def walk(http: httpx.AsyncClient, session: str) -> list[int]:
        seen = []
        for _ in range(10):
            seen.append(await ask(http, session))
            await asyncio.sleep(0)
        return seen

    async with client(tmp_path) as http:
        walks = await asyncio.gather(*(walk(http, f"s{n}") for n in range(50)))
    assert walks == [list(range(10))] * 50


async def test_a_session_can_start_over(tmp_path: Path) -> None:
    write_cassette(tmp_path, "a/one", [answer(1), answer(2)])
    store = CassetteStore(tmp_path)
    async with httpx.AsyncClient(transport=CassetteTransport(store)) as http:
        assert [await ask(http, "s"), await ask(http, "s")] == [1, 2]
        store.forget("s")
        assert await ask(http, "s") == 1


async def test_a_named_cassette_is_the_only_one_asked(tmp_path: Path) -> None:
    write_cassette(tmp_path, "a/one", [answer(1)])
    write_cassette(tmp_path, "a/two", [answer(2)])
    async with client(tmp_path) as http:
        for name, n in (("a/two", 2), ("two", 2), ("one.yaml", 1)):
            call = RecordingCall(cassette=name)
            assert (await http.post(URL, json={"q": 1}, extensions={"antiphon": call})).json() == {"n": n}
        with pytest.raises(RecordingMissing, match="cassette wo"):
            await http.post(URL, json={"q": 1}, extensions={"antiphon": {"cassette": "wo"}})


async def test_a_miss_never_goes_live(server: StreamingServer, tmp_path: Path) -> None:
    url = server.serve("/v1/chat", Reply(steps=[b"{}"]))
    write_cassette(tmp_path, "a/one", [answer(1)])
    inner = httpx.AsyncHTTPTransport()
    async with client(tmp_path, inner=inner) as http:
        with pytest.raises(RecordingMissing):
            await http.post(url, json={"q": 1})
    assert server.requests == []


async def test_a_miss_shows_the_nearest_recording_and_the_difference(tmp_path: Path) -> None:
    request = {"model": "m", "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "a"}]}
    write_cassette(tmp_path, "x/far", [answer(1, other=[1, 2, 3], things="many")])
    write_cassette(tmp_path, "x/near", [answer(0, q=9, z=1), answer(2, **request, stream=True)])
    asked = {**request, "messages": [request["messages"][0], {"role": "user", "content": "b"}], "tools": []}
    async with client(tmp_path) as http:
        with pytest.raises(RecordingMissing) as caught:
            await http.post(URL + "?v=2", json=asked)
    miss = caught.value
    assert isinstance(miss, httpx.TransportError)
    assert miss.reason == "RECORDING_MISSING"
    assert miss.nearest == "x/near.yaml #1"
    assert miss.differences == [
        "query.v: missing in the recording",
        "messages[1].content: 'b' != 'a'",
        "stream: only in the recording",
        "tools: missing in the recording",
    ]
    assert "record-on-miss" in str(miss)
    assert str(tmp_path) in str(miss)


async def test_a_miss_is_small_and_keeps_credentials_to_itself(tmp_path: Path) -> None:
    write_cassette(tmp_path, "a/one", [answer(1)])
    body = {f"key{n}": "x" * 10_000 for n in range(500)} | {"q": "canary-0123456789", "r": "header-0123456789"}
    async with client(tmp_path, secrets=["canary-0123456789"]) as http:
        with pytest.raises(RecordingMissing) as caught:
            await http.post(
                URL + "?key=query-0123456789",
                json=dict(reversed(body.items())),
                headers={"authorization": "Bearer header-0123456789"},
            )
    shown = str(caught.value) + repr(caught.value.differences)
    assert len(shown) < 4000
    assert "0123456789" not in shown


async def test_an_empty_or_missing_folder_is_a_miss_that_says_so(tmp_path: Path) -> None:
    async with client(tmp_path / "nowhere") as http:
        with pytest.raises(RecordingMissing, match="holds no recording"):
            await ask(http)


async def test_an_unreadable_cassette_fails_every_call_and_is_never_overwritten(
    server: StreamingServer, tmp_path: Path
) -> None:
    url = server.serve("/v1/chat", Reply(steps=[b"{}"]))
    file = tmp_path / "a" / "bad.yaml"
    file.parent.mkdir()
    file.write_bytes(b"interactions:\n- \xff\n")
    for mode in (Mode.REPLAY, Mode.RECORD_ON_MISS, Mode.RECORD):
        async with client(tmp_path, default=RecordingCall(mode=mode, cassette="a/bad")) as http:
            for _ in range(2):
                with pytest.raises(CassetteUnreadable, match=r"bad\.yaml, line 2: it isn't UTF-8"):
                    await http.post(url, json={})
    assert file.read_bytes() == b"interactions:\n- \xff\n"


async def test_replay_is_the_same_every_time(tmp_path: Path) -> None:
    events = [SseEvent(data={"n": n, "text": "é"}) for n in range(50)]
    write_cassette(tmp_path, "a/s", [authored_sse(url=URL, request={"q": 1}, events=events)])
    digests = set()
    for _ in range(5):
        async with client(tmp_path) as http, http.stream("POST", URL, json={"q": 1}) as response:
            chunks = [chunk async for chunk in response.aiter_raw()]
        digests.add((len(chunks), hashlib.sha256(b"|".join(chunks)).hexdigest()))
    assert len(digests) == 1
    assert digests.pop()[0] == 50


async def test_a_replayed_answer_says_so(tmp_path: Path) -> None:
    write_cassette(tmp_path, "a/one", [answer(1)])
    async with client(tmp_path) as http:
        response = await http.post(URL, json={"q": 1})
    assert response.extensions["antiphon"] == {
        "replayed": True,
        "cassette": "a/one",
        "position": 0,
        "outcome": "complete",
        "origin": "authored",
    }
    assert response.reason_phrase == "OK"


async def test_200_streams_replay_at_once_without_drift(tmp_path: Path) -> None:
    events = [SseEvent(data={"n": n}, delay_ms=10) for n in range(20)]
    write_cassette(tmp_path, "a/s", [authored_sse(url=URL, request={"q": 1}, events=events)])

    async def one(http: httpx.AsyncClient) -> int:
        async with http.stream("POST", URL, json={"q": 1}) as response:
            return len([chunk async for chunk in response.aiter_raw()])

    async with client(tmp_path) as http:
        began = time.perf_counter()
        counts = await asyncio.gather(*(one(http) for _ in range(200)))
        elapsed = time.perf_counter() - began
    assert counts == [20] * 200
    assert elapsed < 5  # 0.2 s is recorded; one after the other would be 40


async def test_a_slow_reader_does_not_shift_the_schedule(tmp_path: Path) -> None:
    events = [SseEvent(data=n, delay_ms=20) for n in range(40)]
    write_cassette(tmp_path, "a/s", [authored_sse(url=URL, request={"q": 1}, events=events)])
    async with client(tmp_path) as http, http.stream("POST", URL, json={"q": 1}) as response:
        began = time.perf_counter()
        async for _ in response.aiter_raw():
            await asyncio.sleep(0.012)
        elapsed = time.perf_counter() - began
    assert 0.75 < elapsed < 1.1  # recorded: 0.8; delays counted from the last read would make it 1.28


async def test_a_cancelled_replay_ends_at_once(tmp_path: Path) -> None:
    events = [SseEvent(data=1), SseEvent(data=2, delay_ms=60_000)]
    write_cassette(tmp_path, "a/s", [authored_sse(url=URL, request={"q": 1}, events=events)])
    async with client(tmp_path) as http:
        began = time.perf_counter()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await http.post(URL, json={"q": 1}, timeout=None)
    assert time.perf_counter() - began < 1


async def test_the_transport_works_without_a_client(server: StreamingServer, tmp_path: Path) -> None:
    url = server.serve("/v1/chat", Reply(steps=[b'{"n":', b"1}"]))
    for mode in (Mode.RECORD, Mode.REPLAY):
        transport = CassetteTransport(tmp_path, default=RecordingCall(mode=mode))
        response = await transport.handle_async_request(httpx.Request("POST", url, json={}))
        assert [chunk async for chunk in response.aiter_raw()] == [b'{"n":', b"1}"]
        await response.aclose()
        await transport.aclose()
    missing = httpx.Request("POST", url, json={"other": 1})
    with pytest.raises(RecordingMissing) as caught:
        await CassetteTransport(tmp_path).handle_async_request(missing)
    assert caught.value.request is missing


async def test_a_mode_that_is_not_allowed_is_refused(tmp_path: Path) -> None:
    async with client(tmp_path, allowed=[Mode.REPLAY]) as http:
        with pytest.raises(BadRecordingCall, match="'live' is not allowed"):
            await http.post(URL, json={}, extensions={"antiphon": {"mode": "live"}})


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"mode": "rewind"}, "unknown mode 'rewind'"),
        ({"pace": "fast"}, "pace must be"),
        ({"pace": -1}, "pace must be"),
        ({"pace": float("nan")}, "pace must be"),
        ({"pace": []}, "pace must be"),
        ({"speed": 1}, r"unknown recording settings \['speed'\]"),
        ({"session": 3}, "'session' must be text"),
        ("replay", "must be a mapping"),
        ({"cassette": "../x"}, "refused"),
        ({"cassette": "/etc/x"}, "refused"),
        ({"cassette": "a/../../x"}, "refused"),
        ({"cassette": "a\\b"}, "refused"),
        ({"cassette": "a/.hidden"}, "refused"),
        ({"cassette": "x" * 300}, "refused"),
        ({"provider": "../x", "mode": "record"}, "refused"),
    ],
)
async def test_settings_of_a_call_that_cannot_be_meant_are_refused(tmp_path: Path, settings: Any, problem: str) -> None:
    async with client(tmp_path) as http:
        with pytest.raises(BadRecordingCall, match=problem):
            await http.post(URL, json={}, extensions={"antiphon": settings})


async def test_plain_vcrpy_replays_our_file(server: StreamingServer, tmp_path: Path) -> None:
    body = 'data: {"t":"é 😀 "}\n\ndata: [DONE]\n\n'.encode()
    url = server.serve("/v1/chat", Reply(steps=[body], headers={"content-type": "text/event-stream"}))
    default = RecordingCall(mode=Mode.RECORD, cassette="local/chat")
    async with client(tmp_path, default=default) as http:
        await http.post(url, json={"q": "ü"})
        await http.post(url, content=b"\xff\x00")
    await server.stop()
    file = tmp_path / "local/chat.yaml"
    with vcr.use_cassette(str(file), record_mode="none", match_on=["method", "uri", "body"]) as played:
        async with httpx.AsyncClient() as http:
            response = await http.post(url, json={"q": "ü"})
            binary = await http.post(url, content=b"\xff\x00")
    assert response.content == binary.content == body
    assert response.headers["content-type"] == "text/event-stream"
    assert played.play_count == 2


async def test_vcrpy_keeps_our_keys_when_it_writes_and_we_replay_its_files(
    server: StreamingServer, tmp_path: Path
) -> None:
    url = server.serve("/v1/chat", Reply(steps=[b'{"n":1}'], headers={"content-type": "application/json"}))
    write_cassette(tmp_path, "a/one", [answer(5)])
    before = next(iter(loaded(tmp_path))).interaction.answer
    file = tmp_path / "a/one.yaml"
    with vcr.use_cassette(str(file), record_mode="new_episodes"):
        async with httpx.AsyncClient() as http:
            await http.post(url, json={"by": "vcrpy"})
    recordings = list(loaded(tmp_path))
    assert recordings[0].interaction.answer == before
    await server.stop()
    async with client(tmp_path) as http:
        response = await http.post(url, json={"by": "vcrpy"})
    assert response.json() == {"n": 1}


def loaded(folder: Path) -> CassetteStore:
    store = CassetteStore(folder)
    store.load()
    return store
