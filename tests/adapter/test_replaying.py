"""What a gRPC caller may choose of replay, each call by its metadata, and what a miss tells it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from antiphon.adapter.credentials import Credentials
from antiphon.adapter.limits import Limits
from antiphon.adapter.providers import Providers
from antiphon.adapter.recording import SETTINGS, RecordingPolicy
from antiphon.adapter.rows import built_in
from antiphon.adapter.service import ProviderAdapter
from antiphon.adapter.upstream import Upstream
from antiphon.core.call import HANDED_ON, Call
from antiphon.core.errors import Reason, ServiceError
from antiphon.core.remote import RemoteBackend
from antiphon.core.server import Server
from antiphon.harness import CassetteTransport, Interaction, RecordingCall, authored_json, write_cassette
from antiphon.harness.playback import Playback
from antiphon.v1 import chat_pb2, content_pb2

URL = "https://api.openai.com/v1/chat/completions"


class Seen:
    """A shaper that notes what the calls asked for."""

    def __init__(self) -> None:
        self.calls: list[RecordingCall] = []

    def shape(self, playback: Playback, asked: object, call: RecordingCall, /) -> Playback:
        self.calls.append(call)
        return playback


def exchange(text: str, answer: str) -> Interaction:
    choice = {"index": 0, "message": {"role": "assistant", "content": answer}, "finish_reason": "stop"}
    body = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    asked = {"model": "m", "messages": [{"role": "user", "content": text}]}
    return authored_json(url=URL, request=asked, response=body)


@asynccontextmanager
async def opened(folder: Path, seen: Seen | None = None, *, mode: str = "replay") -> AsyncIterator[RemoteBackend]:
    default = RecordingCall(mode=mode, pace=0.0)  # type: ignore[arg-type]  # words are read
    transport = CassetteTransport(folder, default=default, shapers=[seen] if seen is not None else ())
    adapter = ProviderAdapter(
        providers=Providers(built_in()),
        credentials=Credentials({}),
        upstream=Upstream(transport, Limits()),
        policy=RecordingPolicy(mode=mode, overridable=frozenset({"replay"}), recorded=frozenset({"openai"})),
    )
    async with Server(adapter, (), listen="127.0.0.1:0") as server:
        remote = RemoteBackend("adapter", server.address)
        try:
            yield remote
        finally:
            await remote.close()
            await adapter.close()


async def ask(remote: RemoteBackend, text: str = "Hi", **said: str) -> str:
    spec = chat_pb2.ChatSpec(model="openai/m")
    spec.messages.add(role=content_pb2.ROLE_USER).parts.add().text.text = text
    metadata = {f"x-antiphon-{word}": value for word, value in said.items()}
    completion = await remote.chat(spec, Call(metadata=metadata))
    return completion.outputs[0].messages[0].parts[0].text.text


async def refused(remote: RemoteBackend, text: str = "Hi", **said: str) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        await ask(remote, text, **said)
    return caught.value


async def test_every_word_of_a_caller_reaches_the_recording_transport(tmp_path: Path) -> None:
    write_cassette(tmp_path, "openai/chat", [exchange("Hi", "Hello")])
    seen = Seen()
    said: dict[str, Any] = {
        "session": "s",
        "cassette": "chat",
        "scenario": "greeting",
        "pace": "0.5",
        "chunking": "byte",
        "fault": "",
        "repeat": "true",
    }
    assert set(said) == set(SETTINGS)
    assert all(HANDED_ON.fullmatch(f"x-antiphon-{word}") for word in (*SETTINGS, "mode"))
    async with opened(tmp_path, seen) as remote:
        assert await ask(remote, **said, mode="replay") == "Hello"
    (call,) = seen.calls
    wanted = {**said, "pace": 0.5, "repeat": True, "provider": "openai"}
    assert {name: getattr(call, name) for name in wanted} == wanted


async def test_sessions_and_repeats_are_chosen_by_metadata(tmp_path: Path) -> None:
    write_cassette(tmp_path, "openai/chat", [exchange("Hi", "one"), exchange("Hi", "two")])
    async with opened(tmp_path) as remote:
        assert [await ask(remote, session="a"), await ask(remote, session="b")] == ["one", "one"]
        assert await ask(remote, session="a") == "two"
        error = await refused(remote, session="a")
        assert await ask(remote, session="a", repeat="true") == "two"
    assert error.reason is Reason.RECORDING_MISSING
    assert error.metadata["used_up"] == "true"
    assert error.metadata["nearest"] == "openai/chat.yaml #1"


async def test_a_miss_is_a_typed_error_with_the_nearest_recording_and_each_difference(tmp_path: Path) -> None:
    write_cassette(tmp_path, "openai/chat", [exchange("Hi", "Hello")])
    async with opened(tmp_path) as remote:
        error = await refused(remote, "Ho")
    assert error.reason is Reason.RECORDING_MISSING
    told = {name: error.metadata.get(name) for name in ("asked", "nearest", "difference_1", "provider", "used_up")}
    assert told == {
        "asked": "POST api.openai.com/v1/chat/completions",
        "nearest": "openai/chat.yaml #0",
        "difference_1": "messages[0].content: 'Ho' != 'Hi'",
        "provider": "openai",
        "used_up": None,
    }
    assert "messages[0].content" in error.message


@pytest.mark.parametrize(
    ("word", "value", "says"),
    [
        ("chunking", "slices", "one of recorded, blob, event, byte"),
        ("pace", "fast", "pace must be"),
        ("repeat", "maybe", "repeat must be true or false"),
        ("cassette", "../../etc/passwd", "is refused"),
    ],
)
async def test_a_word_that_cannot_be_read_is_an_invalid_request(
    tmp_path: Path, word: str, value: str, says: str
) -> None:
    write_cassette(tmp_path, "openai/chat", [exchange("Hi", "Hello")])
    async with opened(tmp_path) as remote:
        error = await refused(remote, **{word: value})
    assert error.reason is Reason.INVALID_REQUEST
    assert says in error.message


async def test_a_mode_that_the_operator_does_not_allow_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    async with opened(tmp_path) as remote:
        error = await refused(remote, mode="record")
    assert error.reason is Reason.MODE_NOT_ALLOWED
