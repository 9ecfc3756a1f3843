"""A replay server for clients in other languages: authored cassettes, and a local provider to record from."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from antiphon.cli.replay import replaying
from antiphon.core.settings import Settings
from antiphon.harness import SseEvent, authored_json, authored_sse, write_cassette
from tests.harness.streaming_server import Reply, StreamingServer

OPENAI = "https://api.openai.com/v1/chat/completions"
ANTHROPIC = "https://api.anthropic.com/v1/messages"
HELLO = {"model": "tiny-1", "messages": [{"role": "user", "content": "Hello."}]}


def completion(text: str) -> dict[str, object]:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return {"id": "c-1", "object": "chat.completion", "created": 1, "model": "tiny-1", "choices": [choice]}


def piece(text: str) -> dict[str, object]:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    return {"id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": "tiny-1", "choices": [choice]}


def message(text: str) -> dict[str, object]:
    usage = {"input_tokens": 3, "output_tokens": 2}
    said = {"id": "m-1", "type": "message", "role": "assistant", "content": [{"type": "text", "text": text}]}
    return {**said, "model": "tiny-1", "stop_reason": "end_turn", "stop_sequence": None, "usage": usage}


def author(folder: Path) -> None:
    words = [SseEvent(data=piece(word), delay_ms=1.0) for word in ("la ", "la ", "là 🎶")]
    chats = [authored_json(url=OPENAI, request=HELLO, response=completion(text)) for text in ("one", "two")]
    stream = authored_sse(url=OPENAI, request={**HELLO, "stream": True}, events=[*words, SseEvent(data="[DONE]")])
    claude = authored_json(url=ANTHROPIC, request={**HELLO, "max_tokens": 16}, response=message("Good day."))
    write_cassette(folder, "openai/chat", chats)
    write_cassette(folder, "openai/stream", [stream])
    write_cassette(folder, "anthropic/chat", [claude])


@pytest.fixture
async def replay_url(tmp_path: Path) -> AsyncIterator[str]:
    """Where the server is. It lets callers record, from the provider behind `/local`."""
    author(tmp_path)
    settings = Settings(
        listen="127.0.0.1:0",
        http="127.0.0.1:0",
        mode="replay",
        allow_modes=["record"],
        cassettes=tmp_path,
        grace=1.0,
    )
    body = json.dumps(completion("from afar")).encode()
    async with StreamingServer() as provider:
        provider.serve(
            "/v1/chat/completions", Reply(steps=[body], headers={"content-type": "application/json"}, length=True)
        )
        async with replaying(settings, {}, given=[f"local={provider.url}"]) as running:
            yield running.url
