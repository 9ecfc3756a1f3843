"""One process, three ways in, the same recordings and sessions behind all of them."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import grpc
import httpx
import openai
import orjson
import pytest

from antiphon.cli.replay import Replaying, replaying
from antiphon.core.errors import ServiceError
from antiphon.core.settings import ProviderSettings, Settings
from antiphon.harness import authored_json, write_cassette
from antiphon.v1 import chat_pb2, chat_pb2_grpc, content_pb2
from tests.harness.server.opened import asked
from tests.harness.streaming_server import Reply, StreamingServer

CHAT = "https://api.openai.com/v1/chat/completions"
READY_SECONDS = 60
SPEC = chat_pb2.ChatSpec(model="openai/tiny-1")
SPEC.messages.add(role=content_pb2.ROLE_USER).parts.add().text.text = "Hello."


def completion(text: str) -> dict[str, object]:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return {"id": "c-1", "object": "chat.completion", "created": 1, "model": "tiny-1", "choices": [choice]}


@pytest.fixture
def cassettes(tmp_path: Path) -> Path:
    asked = {"model": "tiny-1", "messages": [{"role": "user", "content": "Hello."}]}
    write_cassette(
        tmp_path,
        "openai/chat",
        [authored_json(url=CHAT, request=asked, response=completion(said)) for said in ("one", "two", "three")],
    )
    return tmp_path


def settings(cassettes: Path, **more: Any) -> Settings:
    own = Settings(listen="127.0.0.1:0", http="127.0.0.1:0", mode="replay", cassettes=cassettes, grace=1.0)
    return replace(own, **more)


@pytest.fixture
async def server(cassettes: Path) -> AsyncIterator[Replaying]:
    async with replaying(settings(cassettes), {}) as running:
        yield running


async def over_grpc(address: str, session: str) -> str:
    async with grpc.aio.insecure_channel(address) as channel:
        stub = chat_pb2_grpc.ChatServiceStub(channel)
        metadata = (("x-antiphon-session", session),)
        answer = await stub.Chat(chat_pb2.ChatRequest(spec=SPEC), timeout=30, metadata=metadata)
    return str(answer.completion.outputs[0].messages[0].parts[0].text.text)


async def over_http(base_url: str, session: str, model: str) -> str | None:
    headers = {"x-antiphon-session": session}
    async with openai.AsyncOpenAI(base_url=base_url, api_key="any", default_headers=headers) as client:
        answer = await client.chat.completions.create(model=model, messages=[{"role": "user", "content": "Hello."}])
    return answer.choices[0].message.content


async def test_endpoints_edges_and_grpc_share_a_session(server: Replaying) -> None:
    for session in ("a", "b"):
        heard = [
            await over_http(f"{server.url}/openai/v1", session, "tiny-1"),
            await over_grpc(server.address, session),
            await over_http(f"{server.url}/v1", session, "openai/tiny-1"),
        ]
        assert heard == ["one", "two", "three"], session


@pytest.mark.parametrize(("fault", "end"), [("reset", "reset"), ("cut@byte=10", "closed")])
async def test_an_answer_that_breaks_does_so_beside_the_edges_too(server: Replaying, fault: str, end: str) -> None:
    body = b'{"model": "tiny-1", "messages": [{"role": "user", "content": "Hello."}]}'
    words = quote(fault, safe="")
    got = await asked(f"{server.url}/~fault={words}/openai/v1/chat/completions", body=body)
    assert got.end == end
    assert len(got.body) == (10 if fault.startswith("cut") else 0)


async def test_a_miss_names_the_same_recording_and_differences_by_every_way_in(server: Replaying) -> None:
    spec = chat_pb2.ChatSpec()
    spec.CopyFrom(SPEC)
    spec.messages[0].parts[0].text.text = "Bye."
    async with grpc.aio.insecure_channel(server.address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as missed:
            await chat_pb2_grpc.ChatServiceStub(channel).Chat(chat_pb2.ChatRequest(spec=spec), timeout=30)
    async with httpx.AsyncClient() as http:
        body = {"model": "tiny-1", "messages": [{"role": "user", "content": "Bye."}]}
        answer = await http.post(f"{server.url}/openai/v1/chat/completions", json=body)
    told = answer.json()["antiphon"]
    assert answer.status_code == 404
    assert missed.value.code() is grpc.StatusCode.NOT_FOUND
    said = missed.value.details() or ""
    for fact in (told["nearest"], *told["differences"]):
        assert fact in said


async def test_recording_through_the_endpoint_replays_over_grpc(tmp_path: Path) -> None:
    reply = Reply(
        steps=[orjson.dumps(completion("from afar"))], headers={"content-type": "application/json"}, length=True
    )
    async with StreamingServer() as provider:
        provider.serve("/v1/chat/completions", reply)
        given = [f"openai={provider.url}"]
        changes = settings(tmp_path, mode="record")
        async with replaying(changes, {}, given=given) as recording:
            heard = await over_http(f"{recording.url}/openai/v1", "a", "tiny-1")
        assert len(provider.requests) == 1
        row = {"openai": ProviderSettings(base_url=f"{provider.url}/v1")}
        again = Settings(
            listen="127.0.0.1:0", http="127.0.0.1:0", mode="replay", cassettes=tmp_path, providers=row, grace=1.0
        )
        async with replaying(again, {}, given=given) as replay:
            replayed = await over_grpc(replay.address, "b")
        assert len(provider.requests) == 1
    assert heard == replayed == "from afar"


async def test_only_a_server_that_can_spend_nothing_may_stand_open(cassettes: Path) -> None:
    with pytest.raises(ServiceError, match="caller keys"):
        async with replaying(settings(cassettes, http="0.0.0.0:0", mode="record"), {}):
            pass
    async with replaying(settings(cassettes, http="0.0.0.0:0"), {}) as running:
        assert running.url


@pytest.mark.timeout(READY_SECONDS + 60)
async def test_the_command_says_where_it_is_answers_and_ends_when_told(cassettes: Path, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "antiphon.cli", "replay", "--cassettes", str(cassettes)),
        *("--http", "127.0.0.1:0", "--listen", "127.0.0.1:0", "--ready-file", str(ready)),
        env={name: value for name, value in os.environ.items() if not name.startswith("ANTIPHON_")},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(READY_SECONDS):
            while not ready.exists():
                assert process.returncode is None
                await asyncio.sleep(0.05)
        url = f"http://{ready.with_name('ready.http').read_text()}"
        assert await over_http(f"{url}/openai/v1", "a", "tiny-1") == "one"
        process.send_signal(signal.SIGTERM)
        said, _ = await asyncio.wait_for(process.communicate(), 30)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0
    assert f"{url}/openai/v1" in said.decode()
