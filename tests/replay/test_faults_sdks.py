"""The matrix of faults as the vendors' own SDKs meet it, through the replay server."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anthropic
import httpx
import openai
import pytest

from antiphon.harness import SseEvent, authored_json, authored_sse, write_cassette
from antiphon.harness.controls import Controls
from antiphon.harness.faults import STATUSES
from antiphon.harness.server import KNOWN, ReplayApp, ReplayListener, upstreams
from tests.harness.faults.samples import openai_call, openai_chunk

OPENAI = "https://api.openai.com/v1/chat/completions"
ANTHROPIC = "https://api.anthropic.com/v1/messages"
MESSAGES: Any = [{"role": "user", "content": "Hi"}]
CALL = {"id": "1", "type": "function", "function": {"name": "w", "arguments": '{"city":"Rome"}'}}
OPENAI_ANSWER = {
    "id": "c",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "tool_calls": [CALL]}, "finish_reason": "tool_calls"}],
}
OPENAI_EVENTS = [
    openai_chunk({"role": "assistant", "content": "Hel"}),
    openai_chunk({"content": "lo"}),
    openai_call('{"city":'),
    openai_call('"Rome"}'),
    openai_chunk({}, "stop"),
]
ANTHROPIC_ANSWER = {
    "id": "m",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [{"type": "text", "text": "Hello"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 1, "output_tokens": 2},
}
ANTHROPIC_EVENTS: list[dict[str, Any]] = [
    {"type": "message_start", "message": {**ANTHROPIC_ANSWER, "content": [], "stop_reason": None}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hel"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "lo"}},
    {"type": "content_block_stop", "index": 0},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": 2},
    },
    {"type": "message_stop"},
]
OPENAI_ASKED = {"messages": MESSAGES, "model": "m"}
ANTHROPIC_ASKED = {"max_tokens": 9, "messages": MESSAGES, "model": "m"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    sent = [*(SseEvent(data=each) for each in OPENAI_EVENTS), SseEvent(data="[DONE]")]
    write_cassette(
        tmp_path,
        "openai/chat",
        [
            authored_json(url=OPENAI, request=OPENAI_ASKED, response=OPENAI_ANSWER),
            authored_sse(url=OPENAI, request={**OPENAI_ASKED, "stream": True}, events=sent),
        ],
    )
    events = [SseEvent(data=each, event=str(each["type"])) for each in ANTHROPIC_EVENTS]
    write_cassette(
        tmp_path,
        "anthropic/chat",
        [
            authored_json(url=ANTHROPIC, request=ANTHROPIC_ASKED, response=ANTHROPIC_ANSWER),
            authored_sse(url=ANTHROPIC, request={**ANTHROPIC_ASKED, "stream": True}, events=events),
        ],
    )
    return tmp_path


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[tuple[str, Controls]]:
    controls = Controls()
    transport = controls.transport(folder)
    async with ReplayListener(ReplayApp(transport, upstreams(KNOWN))) as listener:
        yield listener.url, controls
    await transport.aclose()


@asynccontextmanager
async def openai_sdk(folder: Path, retries: int = 0) -> AsyncIterator[tuple[openai.AsyncOpenAI, Controls]]:
    async with served(folder) as (url, controls):
        base = f"{url}/openai/v1"
        async with openai.AsyncOpenAI(base_url=base, api_key="k", max_retries=retries, timeout=5.0) as sdk:
            yield sdk, controls


@asynccontextmanager
async def anthropic_sdk(folder: Path, retries: int = 0) -> AsyncIterator[tuple[anthropic.AsyncAnthropic, Controls]]:
    async with served(folder) as (url, controls):
        base = f"{url}/anthropic"
        async with anthropic.AsyncAnthropic(base_url=base, api_key="k", max_retries=retries, timeout=5.0) as sdk:
            yield sdk, controls


async def ask_openai(sdk: openai.AsyncOpenAI, fault: str) -> Any:
    return await sdk.chat.completions.create(model="m", messages=MESSAGES, extra_headers={"x-antiphon-fault": fault})


async def stream_openai(sdk: openai.AsyncOpenAI, fault: str, got: list[Any] | None = None) -> list[Any]:
    chunks: list[Any] = got if got is not None else []
    headers = {"x-antiphon-fault": fault}
    stream = await sdk.chat.completions.create(model="m", messages=MESSAGES, stream=True, extra_headers=headers)
    async for chunk in stream:
        chunks.append(chunk)
    return chunks


async def stream_anthropic(sdk: anthropic.AsyncAnthropic, fault: str, got: list[Any] | None = None) -> list[Any]:
    events: list[Any] = got if got is not None else []
    stream = await sdk.messages.create(
        model="m", max_tokens=9, messages=MESSAGES, stream=True, extra_headers={"x-antiphon-fault": fault}
    )
    async for event in stream:
        events.append(event)
    return events


def openai_class(status: int) -> type[openai.APIStatusError]:
    if status >= 500:
        return openai.InternalServerError
    return {
        400: openai.BadRequestError,
        401: openai.AuthenticationError,
        403: openai.PermissionDeniedError,
        404: openai.NotFoundError,
        409: openai.ConflictError,
        422: openai.UnprocessableEntityError,
        429: openai.RateLimitError,
    }.get(status, openai.APIStatusError)


@pytest.mark.parametrize("status", STATUSES)
async def test_openais_sdk_raises_its_own_class_for_every_status(folder: Path, status: int) -> None:
    async with openai_sdk(folder) as (sdk, _):
        with pytest.raises(openai_class(status)) as caught:
            await ask_openai(sdk, str(status))
    assert caught.value.status_code == status
    assert caught.value.request_id == "req_antiphon_fault"
    assert caught.value.response.headers["x-antiphon-synthetic"] == str(status)
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["type"]


@pytest.mark.parametrize("status", STATUSES)
async def test_anthropics_sdk_reads_its_own_error_for_every_status(folder: Path, status: int) -> None:
    async with anthropic_sdk(folder) as (sdk, _):
        with pytest.raises(anthropic.APIStatusError) as caught:
            await sdk.messages.create(
                model="m", max_tokens=9, messages=MESSAGES, extra_headers={"x-antiphon-fault": str(status)}
            )
    body: Any = caught.value.body
    assert (caught.value.status_code, body["type"]) == (status, "error")
    assert body["error"]["type"] == {529: "overloaded_error", 429: "rate_limit_error", 401: "authentication_error"}.get(
        status, body["error"]["type"]
    )


@pytest.mark.parametrize("status", [s for s in STATUSES if s in (408, 409, 429) or s >= 500])
async def test_both_sdks_come_back_after_what_may_pass_and_get_the_recording(folder: Path, status: int) -> None:
    word = f"{status};retry-after=0.01;times=1"
    async with openai_sdk(folder, retries=2) as (sdk, controls):
        assert (await ask_openai(sdk, word)).choices[0].finish_reason == "tool_calls"
        assert [each.status for each in controls.requests] == [status, 200]
    async with anthropic_sdk(folder, retries=2) as (other, controls):
        assert len(await stream_anthropic(other, word)) == len(ANTHROPIC_EVENTS)
        assert [each.status for each in controls.requests] == [status, 200]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
async def test_neither_sdk_comes_back_after_what_will_not_pass(folder: Path, status: int) -> None:
    async with openai_sdk(folder, retries=2) as (sdk, controls):
        with pytest.raises(openai.APIStatusError):
            await ask_openai(sdk, str(status))
        assert len(controls.requests) == 1
    async with anthropic_sdk(folder, retries=2) as (other, controls):
        with pytest.raises(anthropic.APIStatusError):
            await stream_anthropic(other, str(status))
        assert len(controls.requests) == 1


async def test_a_retry_after_is_waited_for(folder: Path) -> None:
    async with openai_sdk(folder, retries=1) as (sdk, controls):
        await ask_openai(sdk, "429;retry-after=1;times=1")
        first, second = controls.requests
        assert second.began - (first.ended or 0) >= 0.95


@pytest.mark.parametrize("word", ["refused", "reset", "timeout;seconds=0.05", "cut", "cut@byte=3", "reset@event=1"])
async def test_a_broken_connection_is_a_connection_error_and_a_retry_gets_the_recording(
    folder: Path, word: str
) -> None:
    async with openai_sdk(folder) as (sdk, _):
        with pytest.raises(openai.APIConnectionError):
            await ask_openai(sdk, word)
    async with openai_sdk(folder, retries=1) as (sdk, controls):
        assert (await ask_openai(sdk, f"{word};times=1")).choices[0].finish_reason == "tool_calls"
        assert [each.synthetic for each in controls.requests] == [f"{word};times=1", ""]


async def test_silence_ends_by_the_clients_own_timeout(folder: Path) -> None:
    async with openai_sdk(folder) as (sdk, controls):
        with pytest.raises(openai.APITimeoutError):
            await ask_openai(sdk.with_options(timeout=0.2), "stall;seconds=60")
        got: list[Any] = []
        with pytest.raises((openai.APITimeoutError, httpx.ReadTimeout)):
            await stream_openai(sdk.with_options(timeout=0.2), "stall@event=2;seconds=60", got)
        assert len(got) == 2
    assert [each.synthetic for each in controls.requests] == ["stall;seconds=60", "stall@event=2;seconds=60"]


STREAM_FAULTS: list[tuple[str, type[Exception] | tuple[type[Exception], ...], int]] = [
    ("error-event@event=2", openai.APIError, 2),
    ("cut@event=2", (httpx.RemoteProtocolError, openai.APIConnectionError), 2),
    ("reset@event=2", (httpx.ReadError, openai.APIConnectionError), 2),
    ("malformed-json@event=2", json.JSONDecodeError, 1),
    ("invalid-utf8@event=2", UnicodeDecodeError, 1),
]


@pytest.mark.parametrize(("word", "error", "whole"), STREAM_FAULTS)
async def test_openais_sdk_gets_what_came_before_the_fault_and_then_the_error(
    folder: Path, word: str, error: type[Exception] | tuple[type[Exception], ...], whole: int
) -> None:
    got: list[Any] = []
    async with openai_sdk(folder) as (sdk, _):
        with pytest.raises(error):
            await stream_openai(sdk, word, got)
    assert [chunk.choices[0].delta.content for chunk in got] == ["Hel", "lo"][:whole]


async def test_anthropics_sdk_raises_the_error_inside_a_stream(folder: Path) -> None:
    got: list[Any] = []
    async with anthropic_sdk(folder) as (sdk, _):
        with pytest.raises(anthropic.APIStatusError) as caught:
            await stream_anthropic(sdk, "error-event@event=3;status=529", got)
        with pytest.raises(Exception, match="peer closed connection"):  # of the HTTP library that it happens to use
            await stream_anthropic(sdk, "cut@event=3")
    body: Any = caught.value.body
    assert body["error"]["type"] == "overloaded_error"
    assert len(got) == 3


async def test_ends_that_lack_or_repeat_something_reach_the_sdk_as_they_are(folder: Path) -> None:
    async with openai_sdk(folder) as (sdk, _):
        assert len(await stream_openai(sdk, "missing-done")) == len(OPENAI_EVENTS)
        twice = await stream_openai(sdk, "duplicated-finish")
        assert [chunk.choices[0].finish_reason for chunk in twice][-2:] == ["stop", "stop"]
        cut = await stream_openai(sdk, "truncated-arguments")
        calls = [chunk.choices[0].delta.tool_calls for chunk in cut]
        arguments = "".join(call[0].function.arguments for call in calls if call)
        assert '{"city":"Rome"}'.startswith(arguments)
        assert arguments != '{"city":"Rome"}'
    async with anthropic_sdk(folder) as (other, _):
        without = await stream_anthropic(other, "missing-done")
        assert [event.type for event in without][-1] == "message_delta"


async def test_bodies_that_lie_about_themselves_reach_the_sdk_as_they_are(folder: Path) -> None:
    async with openai_sdk(folder) as (sdk, _):
        with pytest.raises(openai.APIError):
            await ask_openai(sdk, "bad-gzip")
        raw = await sdk.chat.completions.with_raw_response.create(
            model="m", messages=MESSAGES, extra_headers={"x-antiphon-fault": "wrong-content-type;type=text/plain"}
        )
        assert raw.headers["content-type"] == "text/plain"
        large = await sdk.chat.completions.with_raw_response.create(
            model="m", messages=MESSAGES, extra_headers={"x-antiphon-fault": "oversized;bytes=3000000"}
        )
        assert len(large.content) > 3_000_000
        assert (large.parse()).choices[0].finish_reason == "tool_calls"
