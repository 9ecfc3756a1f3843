"""The providers' endpoints: what goes through them, in each mode, and what a client may choose."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anthropic
import httpx
import openai
import pytest

from antiphon.harness import Mode, authored_json, write_cassette
from tests.harness.recorded import EVENTS, SSE, loaded, paced, written
from tests.harness.server.opened import opened
from tests.harness.streaming_server import Reply, StreamingServer

CHAT = "https://api.openai.com/v1/chat/completions"
PACKED = Reply(
    steps=[gzip.compress(b'{"packed":true}')],
    headers={"content-type": "application/json", "content-encoding": "gzip"},
    length=True,
)


def texts(folder: Path) -> str:
    return "\n".join(path.read_text() for path in folder.rglob("*") if path.is_file())


@asynccontextmanager
async def sdk(base_url: str, **settings: Any) -> AsyncGenerator[openai.AsyncOpenAI, None]:
    async with openai.AsyncOpenAI(base_url=base_url, api_key="any", **settings) as client:
        yield client


async def say(client: openai.AsyncOpenAI, text: str = "Hello.") -> str | None:
    answer = await client.chat.completions.create(model="tiny-1", messages=[{"role": "user", "content": text}])
    return answer.choices[0].message.content


def completion(text: str) -> dict[str, object]:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {"id": "c-1", "object": "chat.completion", "created": 1, "model": "tiny-1", "choices": [choice]}


@pytest.fixture
def cassettes(tmp_path: Path) -> Path:
    asked = {"model": "tiny-1", "messages": [{"role": "user", "content": "Hello."}]}
    write_cassette(
        tmp_path,
        "openai/chat",
        [authored_json(url=CHAT, request=asked, response=completion(text)) for text in ("one", "two")],
    )
    return tmp_path


async def test_openais_sdk_with_its_base_url_changed_gets_the_recorded_answer(cassettes: Path) -> None:
    async with opened(cassettes, "http://local.test") as server, sdk(f"{server.url}/openai/v1") as client:
        assert await say(client) == "one"


async def test_sessions_by_header_or_by_base_url_each_get_the_answers_from_the_beginning(cassettes: Path) -> None:
    async with opened(cassettes, "http://local.test") as server:
        plain = f"{server.url}/openai/v1"
        named = f"{server.url}/~session=c&cassette=openai%2Fchat/openai/v1"
        async with (
            sdk(plain, default_headers={"x-antiphon-session": "a"}) as first,
            sdk(plain, default_headers={"x-antiphon-session": "b"}) as second,
            sdk(named) as third,
        ):
            got = [await say(client) for client in (first, second, third, first, third)]
    assert got == ["one", "one", "one", "two", "two"]


async def test_a_miss_is_each_sdks_own_not_found_error_with_what_differs_and_is_not_retried(cassettes: Path) -> None:
    async with opened(cassettes, "http://local.test") as server:
        async with sdk(f"{server.url}/openai/v1", max_retries=3) as client:
            with pytest.raises(openai.NotFoundError, match=r"messages\[0\]\.content") as missed:
                await say(client, "Bye.")
        async with anthropic.AsyncAnthropic(base_url=f"{server.url}/anthropic", api_key="any", max_retries=3) as claude:
            with pytest.raises(anthropic.NotFoundError, match="no recording answers POST"):
                await claude.messages.create(model="tiny-1", max_tokens=1, messages=[{"role": "user", "content": "Hi"}])
        assert len(server.served) == 2
    told = missed.value.response.json()["antiphon"]
    assert told["nearest"] == "openai/chat.yaml #0"
    assert len(told["differences"]) == 1


async def test_a_recording_that_is_used_up_is_a_conflict_that_sdks_do_not_retry(cassettes: Path) -> None:
    async with opened(cassettes, "http://local.test") as server:
        async with sdk(f"{server.url}/~session=once&repeat=false/openai/v1", max_retries=3) as client:
            assert [await say(client), await say(client)] == ["one", "two"]
            with pytest.raises(openai.ConflictError) as used_up:
                await say(client)
        assert [served.status for served in server.served] == [200, 200, 409]
    assert used_up.value.response.json()["antiphon"]["nearest"].startswith("openai/chat.yaml")


async def test_a_session_tells_what_it_used_left_over_and_missed_and_can_start_over(cassettes: Path) -> None:
    async with opened(cassettes, "http://local.test") as server, httpx.AsyncClient() as http:
        async with sdk(f"{server.url}/~session=a/openai/v1") as client:
            assert await say(client) == "one"
            with pytest.raises(openai.NotFoundError):
                await say(client, "Bye.")
            told = (await http.get(f"{server.url}/~session=a")).json()
            assert told["used"] == {"openai/chat.yaml #0": 1}
            assert told["unused"] == ["openai/chat.yaml #1"]
            assert "messages[0].content" in told["missing"][0]["differences"][0]
            assert (await http.delete(f"{server.url}/~session=a/")).json() == told
            assert (await http.get(f"{server.url}/~session=a")).json()["used"] == {}
            assert await say(client) == "one"
        unheard = (await http.get(f"{server.url}/~session=b&cassette=openai%2Fchat")).json()
        assert unheard["unused"] == ["openai/chat.yaml #0", "openai/chat.yaml #1"]
        assert (await http.put(f"{server.url}/~session=a")).status_code == 405


@pytest.mark.parametrize(
    ("path", "headers", "says"),
    [
        ("/openai/v1/models", {"x-antiphon-mode": "live"}, "not allowed"),
        ("/openai/v1/models", {"x-antiphon-mode": "often"}, "unknown mode"),
        ("/openai/v1/models", {"x-antiphon-sesion": "a"}, "unknown setting x-antiphon-sesion"),
        ("/openai/v1/models", {"x-antiphon-cassette": "../../etc/passwd"}, "refused"),
        ("/openai/v1/models", {"x-antiphon-repeat": "maybe"}, "true or false"),
        ("/~session/openai/v1/models", {}, "can't be read"),
        ("/~provider=x/openai/v1/models", {}, "unknown setting"),
    ],
)
async def test_settings_that_cannot_be_followed_are_refused_and_say_why(
    tmp_path: Path, path: str, headers: dict[str, str], says: str
) -> None:
    async with opened(tmp_path, "http://local.test", allowed=()) as server, httpx.AsyncClient() as http:
        answer = await http.get(server.url + path, headers=headers)
    assert answer.status_code == 400
    assert says in answer.json()["error"]["message"]


async def test_an_unknown_prefix_names_the_known_ones(tmp_path: Path) -> None:
    async with opened(tmp_path, "http://local.test") as server, httpx.AsyncClient() as http:
        answer = await http.get(f"{server.url}/opanai/v1/models")
        shown = (await http.get(f"{server.url}/")).json()
    assert answer.status_code == 404
    assert "openai" in answer.json()["message"]
    assert shown["upstreams"]["openai"] == "https://api.openai.com"


async def test_what_passes_through_is_recorded_with_its_bytes_chunks_and_replays_as_it_passed(
    server: StreamingServer, tmp_path: Path
) -> None:
    server.serve("/v1/stream", paced(pause=0.02))
    seen = {}
    for mode in (Mode.LIVE, Mode.RECORD, Mode.REPLAY):
        async with opened(tmp_path, server.url, mode=mode) as proxy, httpx.AsyncClient() as http:
            chunks = []
            async with http.stream("POST", f"{proxy.local}/v1/stream", json={"n": 1}) as answer:
                async for chunk in answer.aiter_raw():
                    chunks.append(chunk)
            seen[mode] = (answer.status_code, answer.headers["content-type"], chunks)
    assert seen[Mode.LIVE] == seen[Mode.RECORD] == seen[Mode.REPLAY] == (200, SSE["content-type"], EVENTS)
    assert len(server.requests) == 2
    assert [name.split("/")[0] for name in written(tmp_path)] == ["local"]


async def test_while_it_records_each_piece_reaches_the_client_before_the_next_is_sent(
    server: StreamingServer, tmp_path: Path
) -> None:
    server.serve("/v1/stream", Reply(steps=[EVENTS[0]], headers=SSE, end="hang"))
    async with (
        opened(tmp_path, server.url, mode=Mode.RECORD) as proxy,
        httpx.AsyncClient() as http,
        asyncio.timeout(10),
        http.stream("POST", f"{proxy.local}/v1/stream", json={}) as answer,
    ):
        first = await anext(answer.aiter_raw())
    assert first == EVENTS[0]


async def test_a_compressed_answer_passes_as_it_is_and_replays_as_it_reads(
    server: StreamingServer, tmp_path: Path
) -> None:
    server.serve("/v1/packed", PACKED)
    read, raw = {}, {}
    for mode in (Mode.RECORD, Mode.REPLAY):
        async with opened(tmp_path, server.url, mode=mode) as proxy, httpx.AsyncClient() as http:
            async with http.stream("POST", f"{proxy.local}/v1/packed", json={}) as answer:
                raw[mode] = b"".join([chunk async for chunk in answer.aiter_raw()])
            read[mode] = (await http.post(f"{proxy.local}/v1/packed", json={})).content
    assert raw[Mode.RECORD] == PACKED.steps[0]
    assert read[Mode.RECORD] == read[Mode.REPLAY] == b'{"packed":true}'


async def test_path_query_headers_and_body_reach_the_provider_as_the_client_sent_them(
    server: StreamingServer, tmp_path: Path
) -> None:
    server.serve("/model/a%3Ab%2Fc/invoke", Reply(steps=[b"{}"], length=True))
    async with opened(tmp_path, server.url, mode=Mode.LIVE) as proxy, httpx.AsyncClient() as http:
        headers = {b"X-Vendor": "é".encode(), b"x-antiphon-session": b"s"}
        url = f"{proxy.local}/model/a%3Ab%2Fc/invoke?b=%20&a=%2F"
        await http.post(url, headers=headers, content=b"\x00\xff")
    path, got, body = server.requests[0]
    assert path == "/model/a%3Ab%2Fc/invoke?b=%20&a=%2F"
    assert got["x-vendor"].encode("latin-1").decode() == "é"
    assert got["host"] == server.url.removeprefix("http://")
    assert "x-antiphon-session" not in got
    assert body == b"\x00\xff"


async def test_credentials_pass_to_the_provider_and_are_never_written(server: StreamingServer, tmp_path: Path) -> None:
    server.serve("/v1/chat", Reply(steps=[b'{"ok":1}'], headers={"content-type": "application/json"}, length=True))
    key = "sk-test-0123456789abcdefghij"
    async with opened(tmp_path, server.url, mode=Mode.RECORD) as proxy, httpx.AsyncClient() as http:
        headers = {"authorization": f"Bearer {key}", "x-api-key": key, "cookie": f"s={key}"}
        await http.post(f"{proxy.local}/v1/chat?key={key}", headers=headers, json={})
    assert server.requests[0][1]["authorization"] == f"Bearer {key}"
    assert key in server.requests[0][0]
    assert len(written(tmp_path)) == 1
    assert key not in texts(tmp_path)


@pytest.mark.parametrize("length", [False, True])
async def test_an_answer_that_holds_the_credential_is_cut_before_its_end_and_not_written(
    server: StreamingServer, tmp_path: Path, length: bool
) -> None:
    key = "sk-test-0123456789abcdefghij"
    server.serve("/v1/chat", Reply(steps=[json.dumps({"key": key}).encode()], length=length))
    async with opened(tmp_path, server.url, mode=Mode.RECORD) as proxy, httpx.AsyncClient() as http:
        with pytest.raises(httpx.RemoteProtocolError):
            await http.post(f"{proxy.local}/v1/chat", headers={"authorization": f"Bearer {key}"}, json={})
        assert proxy.served[0].error is not None
    assert written(tmp_path) == []


async def test_when_a_recorded_answer_has_ended_it_is_there_to_be_replayed(
    server: StreamingServer, tmp_path: Path
) -> None:
    server.serve("/v1/chat", Reply(steps=[b'{"ok":1}'], headers={"content-type": "application/json"}, length=True))
    async with opened(tmp_path, server.url) as proxy, httpx.AsyncClient() as http:
        for number in range(20):
            for mode in ("record", "replay"):
                headers = {"x-antiphon-mode": mode, "x-antiphon-cassette": f"local/n{number}"}
                answer = await http.post(f"{proxy.local}/v1/chat", headers=headers, json={})
                assert answer.status_code == 200, (number, mode)


async def test_a_client_that_leaves_ends_the_providers_stream_too(server: StreamingServer, tmp_path: Path) -> None:
    server.serve("/v1/stream", Reply(steps=[EVENTS[0]], headers=SSE, end="hang"))
    async with opened(tmp_path, server.url, mode=Mode.RECORD) as proxy:
        async with httpx.AsyncClient() as http, http.stream("POST", f"{proxy.local}/v1/stream", json={}) as answer:
            await anext(answer.aiter_raw())
        async with asyncio.timeout(10):
            await server.left.wait()
    [recording] = loaded(tmp_path)
    assert recording.interaction.answer.outcome == "cancelled"


async def test_a_request_that_is_too_large_is_refused(tmp_path: Path) -> None:
    from antiphon.harness import CassetteTransport
    from antiphon.harness.server import KNOWN, ReplayApp, ReplayListener, upstreams

    app = ReplayApp(CassetteTransport(tmp_path), upstreams(KNOWN), max_request_bytes=1000)
    async with ReplayListener(app) as listener, httpx.AsyncClient() as http:
        answer = await http.post(f"{listener.url}/openai/v1/chat", content=b"x" * 1001)
    assert answer.status_code == 413


async def test_head_and_bodiless_answers_pass(server: StreamingServer, tmp_path: Path) -> None:
    server.serve("/v1/none", Reply(status="204 No Content", length=True))
    for mode in (Mode.RECORD, Mode.REPLAY):
        async with opened(tmp_path, server.url, mode=mode) as proxy, httpx.AsyncClient() as http:
            answer = await http.post(f"{proxy.local}/v1/none", json={})
        assert (answer.status_code, answer.content) == (204, b"")
