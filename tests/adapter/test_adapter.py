"""The provider adapter against a real HTTP server on loopback that answers by script."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest

from antiphon.adapter.credentials import Credentials
from antiphon.adapter.limits import Limits
from antiphon.adapter.providers import Providers
from antiphon.adapter.recording import RecordingPolicy
from antiphon.adapter.rows import built_in
from antiphon.adapter.service import ProviderAdapter
from antiphon.adapter.upstream import Upstream
from antiphon.core.call import Call
from antiphon.core.errors import Reason, ServiceError
from antiphon.core.fold import fold
from antiphon.v1 import chat_pb2, content_pb2, embeddings_pb2, health_pb2, models_pb2
from tests.harness.streaming_server import Reply, StreamingServer

KEYS = {"OPENAI_API_KEY": "sk-test-canary-0123456789", "ANTHROPIC_API_KEY": "sk-ant-test-canary-0123456789"}
JSON = {"content-type": "application/json"}
SSE = {"content-type": "text/event-stream"}

ANSWER: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1700000000,
    "model": "gpt-test-2024",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello there"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
}


def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    body = {"id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-test", "choices": [choice]}
    return b"data: " + json.dumps(body).encode() + b"\n\n"


USAGE = b'data: {"id":"c-1","object":"chat.completion.chunk","created":1,"model":"gpt-test","choices":[],' + (
    b'"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}\n\n'
)
DONE = b"data: [DONE]\n\n"
STREAM = (chunk({"role": "assistant", "content": ""}), chunk({"content": "Hel"}), chunk({"content": "lo"}))
END = (chunk({}, "stop"), USAGE, DONE)


@pytest.fixture
async def server() -> AsyncIterator[StreamingServer]:
    async with StreamingServer() as running:
        yield running


@asynccontextmanager
async def adapter(
    server: StreamingServer, *, keys: dict[str, str] | None = None, **limits: float
) -> AsyncIterator[ProviderAdapter]:
    rows = built_in()
    for name in ("openai", "anthropic"):
        rows[name] = replace(rows[name], base_url=server.url)
    service = ProviderAdapter(
        providers=Providers(rows),
        credentials=Credentials(KEYS if keys is None else keys),
        upstream=Upstream(httpx.AsyncHTTPTransport(), Limits(**limits)),  # type: ignore[arg-type]
        policy=RecordingPolicy(),
    )
    try:
        yield service
    finally:
        await service.close()


def question(model: str = "openai/gpt-test") -> chat_pb2.ChatSpec:
    spec = chat_pb2.ChatSpec(model=model)
    spec.messages.add(role=content_pb2.ROLE_USER).parts.add().text.text = "Say hello"
    return spec


def streaming() -> chat_pb2.StreamChatRequest:
    return chat_pb2.StreamChatRequest(spec=question())


def reply(body: Any, status: str = "200 OK", **headers: str) -> Reply:
    return Reply(steps=[json.dumps(body).encode()], status=status, headers={**JSON, **headers}, length=True)


async def test_a_chat_is_one_request_with_our_key_and_the_providers_own_model_name(server: StreamingServer) -> None:
    server.serve("/chat/completions", reply(ANSWER, **{"x-request-id": "req-9"}))
    async with adapter(server) as service:
        completion = await service.chat(question(), Call())
    assert completion.outputs[0].messages[0].parts[0].text.text == "Hello there"
    assert (completion.provider, completion.model) == ("openai", "gpt-test-2024")
    assert completion.upstream_request_id == "req-9"
    assert completion.usage.total_tokens == 5
    [(_, headers, body)] = server.requests
    assert headers["authorization"] == f"Bearer {KEYS['OPENAI_API_KEY']}"
    assert json.loads(body)["model"] == "gpt-test"


async def test_a_provider_alone_means_its_default_model(server: StreamingServer) -> None:
    server.serve("/chat/completions", reply(ANSWER))
    async with adapter(server) as service:
        await service.chat(question("openai"), Call())
    assert json.loads(server.requests[0][2])["model"] == built_in()["openai"].default_model


async def test_a_stream_is_numbered_labelled_and_ends_with_usage(server: StreamingServer) -> None:
    server.serve("/chat/completions", Reply(steps=[*STREAM, *END], headers=SSE))
    async with adapter(server) as service, aclosing(service.stream_chat(streaming(), Call())) as events:
        got = [event async for event in events]
    assert [event.sequence for event in got] == list(range(len(got)))
    whole = fold(got)
    assert whole.outputs[0].messages[0].parts[0].text.text == "Hello"
    assert whole.usage.total_tokens == 5
    assert whole.provider == "openai"


async def test_the_first_event_comes_before_the_stream_ends(server: StreamingServer) -> None:
    server.serve("/chat/completions", Reply(steps=[*STREAM, 1.0, *END], headers=SSE))
    async with adapter(server) as service, aclosing(service.stream_chat(streaming(), Call())) as events:
        began = time.monotonic()
        async for event in events:
            if event.HasField("part_delta"):
                break
        assert time.monotonic() - began < 0.5


async def test_leaving_a_stream_closes_the_upstream_connection_within_a_second(server: StreamingServer) -> None:
    server.serve("/chat/completions", Reply(steps=[*STREAM, 30.0], headers=SSE))
    async with adapter(server) as service:
        async with aclosing(service.stream_chat(streaming(), Call())) as events:
            async for event in events:
                if event.HasField("part_delta"):
                    break
            assert server.open == 1
        left = time.monotonic()
        while server.open and time.monotonic() - left < 3:
            await asyncio.sleep(0.01)
        assert server.open == 0
        assert time.monotonic() - left < 1


async def test_cancelling_a_unary_call_closes_the_upstream_connection(server: StreamingServer) -> None:
    server.serve("/chat/completions", Reply(before=30.0))
    async with adapter(server) as service:
        running = asyncio.ensure_future(service.chat(question(), Call()))
        while not server.requests:
            await asyncio.sleep(0.01)
        running.cancel()
        left = time.monotonic()
        while server.open and time.monotonic() - left < 3:
            await asyncio.sleep(0.01)
        assert time.monotonic() - left < 1
        with pytest.raises(asyncio.CancelledError):
            await running


async def failure(service: ProviderAdapter, call: Call | None = None, *, stream: bool = False) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        if stream:
            async with aclosing(service.stream_chat(streaming(), call or Call())) as events:
                async for _ in events:
                    pass
        else:
            await service.chat(question(), call or Call())
    return caught.value


@pytest.mark.parametrize(
    ("status", "body", "headers", "reason"),
    [
        ("400 Bad Request", {"error": {"message": "bad", "type": "invalid_request_error"}}, {}, "INVALID_REQUEST"),
        ("401 Unauthorized", {"error": {"message": "no", "code": "invalid_api_key"}}, {}, "INVALID_CREDENTIALS"),
        ("404 Not Found", {"error": {"message": "no", "code": "model_not_found"}}, {}, "MODEL_NOT_FOUND"),
        ("429 Too Many", {"error": {"message": "slow"}}, {"retry-after": "7"}, "RATE_LIMIT_EXCEEDED"),
        ("500 Oops", {"error": {"message": "oops"}}, {}, "PROVIDER_UNAVAILABLE"),
        ("502 Bad Gateway", {"error": {"message": "no"}}, {}, "PROVIDER_UNAVAILABLE"),
        ("529 Overloaded", {"error": {"message": "busy"}}, {}, "OVERLOADED"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_an_upstream_error_is_typed(
    server: StreamingServer, status: str, body: Any, headers: dict[str, str], reason: str, *, stream: bool
) -> None:
    server.serve("/chat/completions", reply(body, status, **headers))
    async with adapter(server) as service:
        error = await failure(service, stream=stream)
    assert error.reason == reason
    assert error.metadata["provider"] == "openai"
    assert error.metadata["http_status"] == status[:3]
    assert error.partial is None
    if headers:
        assert error.retry_after == 7


async def test_an_upstream_that_is_not_there_is_a_network_error_that_may_be_retried(server: StreamingServer) -> None:
    async with adapter(server) as service:
        await server.stop()
        error = await failure(service)
    assert error.reason is Reason.NETWORK_ERROR
    assert error.retryable


async def test_silence_before_the_first_byte_has_its_own_limit(server: StreamingServer) -> None:
    server.serve("/chat/completions", Reply(before=30.0))
    async with adapter(server, first_token=0.2) as service:
        error = await failure(service)
    assert error.reason is Reason.OUTCOME_UNKNOWN
    assert not error.retryable
    assert "0.2 s" in error.message


async def test_silence_between_chunks_has_its_own_limit_and_tells_what_was_sent(server: StreamingServer) -> None:
    server.serve("/chat/completions", Reply(steps=[*STREAM, 30.0], headers=SSE))
    async with adapter(server, idle=0.2) as service:
        error = await failure(service, stream=True)
    assert error.reason is Reason.OUTCOME_UNKNOWN
    assert error.partial is not None
    assert error.partial.output_emitted
    assert error.partial.response_id == "c-1"


async def test_a_trickle_runs_into_the_total_limit(server: StreamingServer) -> None:
    trickle = [step for _ in range(100) for step in (chunk({"content": "x"}), 0.05)]
    server.serve("/chat/completions", Reply(steps=[STREAM[0], *trickle, *END], headers=SSE))
    async with adapter(server, total=0.5, idle=5.0) as service:
        error = await failure(service, stream=True)
    assert "total limit" in error.message


async def test_a_caller_s_deadline_shortens_every_wait(server: StreamingServer) -> None:
    server.serve("/chat/completions", Reply(before=30.0))
    async with adapter(server) as service:
        began = time.monotonic()
        error = await failure(service, Call(deadline=asyncio.get_running_loop().time() + 0.3))
        assert time.monotonic() - began < 1
    assert error.reason is Reason.DEADLINE_EXCEEDED


@pytest.mark.parametrize("end", ["cut", "reset"])
async def test_a_connection_that_breaks_midway_is_told_with_what_was_sent(server: StreamingServer, end: str) -> None:
    server.serve("/chat/completions", Reply(steps=[*STREAM], headers=SSE, end=end))
    async with adapter(server) as service:
        error = await failure(service, stream=True)
    assert error.reason is Reason.OUTCOME_UNKNOWN
    assert error.partial is not None


@pytest.mark.parametrize("body", [b"<html>gateway</html>", b"{", b"[]", b""])
async def test_an_answer_that_cannot_be_read_is_malformed(server: StreamingServer, body: bytes) -> None:
    server.serve("/chat/completions", Reply(steps=[body], headers=JSON, length=True))
    async with adapter(server) as service:
        error = await failure(service)
    assert error.reason is Reason.MALFORMED_RESPONSE


async def test_a_missing_key_names_the_variable_to_set_and_asks_nobody(server: StreamingServer) -> None:
    async with adapter(server, keys={}) as service:
        error = await failure(service)
    assert error.reason is Reason.CREDENTIALS_MISSING
    assert "OPENAI_API_KEY" in error.message
    assert not server.requests


async def test_an_unknown_provider_lists_those_that_there_are(server: StreamingServer) -> None:
    async with adapter(server) as service:
        with pytest.raises(ServiceError) as caught:
            await service.chat(question("opnai/gpt"), Call())
    assert caught.value.reason is Reason.PROVIDER_NOT_FOUND
    assert "openai" in caught.value.message


async def test_a_mode_that_the_operator_does_not_allow_is_refused(server: StreamingServer) -> None:
    async with adapter(server) as service:
        error = await failure(service, Call(metadata={"x-antiphon-mode": "record"}))
        assert error.reason is Reason.MODE_NOT_ALLOWED
        error = await failure(service, Call(metadata={"x-antiphon-mode": "rewind"}))
        assert error.reason is Reason.INVALID_REQUEST


async def test_embeddings_come_back_in_order_and_a_short_answer_is_an_error(server: StreamingServer) -> None:
    def vectors(*numbers: float) -> Any:
        data = [{"object": "embedding", "index": i, "embedding": [n, 0.5]} for i, n in enumerate(numbers)]
        return {"object": "list", "data": data, "model": "e", "usage": {"prompt_tokens": 2, "total_tokens": 2}}

    server.serve("/embeddings", reply(vectors(1.0, 2.0)), reply(vectors(1.0)))
    request = embeddings_pb2.EmbedRequest(
        model="openai/e", inputs=[embeddings_pb2.EmbedInput(text="a"), embeddings_pb2.EmbedInput(text="b")]
    )
    async with adapter(server) as service:
        response = await service.embed(request, Call())
        assert [item.index for item in response.embeddings] == [0, 1]
        assert response.provider == "openai"
        with pytest.raises(ServiceError) as caught:
            await service.embed(request, Call())
    assert caught.value.reason is Reason.MALFORMED_RESPONSE


async def test_models_of_configured_providers_are_listed_and_failures_named(server: StreamingServer) -> None:
    server.serve(
        "/models", reply({"object": "list", "data": [{"id": "m1", "object": "model", "created": 1, "owned_by": "x"}]})
    )
    async with adapter(server) as service:
        listed = await service.list_models(models_pb2.ListModelsRequest(), Call())
        assert {model.name for model in listed.models} == {"openai/m1", "anthropic/m1"}
        one = await service.get_model(models_pb2.GetModelRequest(name="openai/m1"), Call())
        assert one.provider_model_id == "m1"
        with pytest.raises(ServiceError) as caught:
            await service.get_model(models_pb2.GetModelRequest(name="openai/m2"), Call())
        assert caught.value.reason is Reason.MODEL_NOT_FOUND
        server.serve("/models", reply({"error": {"message": "no"}}, "500 Oops"))
        listed = await service.list_models(models_pb2.ListModelsRequest(), Call())
        assert {item.provider for item in listed.unreachable_providers} == {"openai", "anthropic"}


async def test_health_tells_what_was_last_seen_of_each_provider(server: StreamingServer) -> None:
    server.serve("/chat/completions", reply(ANSWER), reply({"error": {"message": "oops"}}, "500 Oops"))
    async with adapter(server) as service:

        async def seen() -> dict[str, health_pb2.ComponentHealth]:
            health = await service.get_health(health_pb2.GetHealthRequest(), Call())
            return {part.name: part for part in health.components}

        assert (await seen())["provider/openai"].status == health_pb2.STATUS_UNSPECIFIED
        assert (await seen())["provider/groq"].status == health_pb2.STATUS_UNCONFIGURED
        await service.chat(question(), Call())
        assert (await seen())["provider/openai"].status == health_pb2.STATUS_SERVING
        await failure(service)
        after = (await seen())["provider/openai"]
        assert (after.status, after.reason) == (health_pb2.STATUS_NOT_SERVING, "PROVIDER_UNAVAILABLE")


async def test_anthropic_is_asked_with_its_own_header_and_counts_tokens(server: StreamingServer) -> None:
    server.serve("/messages/count_tokens", reply({"input_tokens": 11}))
    async with adapter(server) as service:
        counted = await service.count_tokens(question("anthropic/claude-test"), Call())
        assert counted.usage.input_tokens == 11
        with pytest.raises(ServiceError) as caught:
            await service.count_tokens(question(), Call())
        assert caught.value.reason is Reason.UNSUPPORTED_OPERATION
    [(_, headers, _)] = server.requests
    assert headers["x-api-key"] == KEYS["ANTHROPIC_API_KEY"]
    assert headers["anthropic-version"]
