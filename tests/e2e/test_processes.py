"""The suite as real processes: pace, one trace over three of them, endings under load, secrets, what is missing."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
import yaml
from grpc_health.v1 import health_pb2, health_pb2_grpc

from antiphon.cli.questions import ANTHROPIC, OPENAI, SING, WHAT
from antiphon.cli.suite import RunningSuite, SuiteOptions, running_suite
from antiphon.cli.tracetree import TraceReceiver
from antiphon.core.call import Call
from antiphon.core.errors import Reason, ServiceError
from antiphon.core.fold import fold
from antiphon.core.remote import RemoteBackend
from antiphon.v1 import chat_pb2, content_pb2
from tests.harness.streaming_server import Reply, StreamingServer

ROOT = Path(__file__).parents[2]
CASSETTES = ROOT / "cassettes"
CANARY = "sk-canary-7f3a9c1e5b2d8f4a6c0e"


def question(text: str, model: str) -> chat_pb2.ChatSpec:
    spec = chat_pb2.ChatSpec(model=model)
    spec.messages.add(role=content_pb2.ROLE_USER).parts.add().text.text = text
    return spec


@asynccontextmanager
async def client(suite: RunningSuite) -> AsyncIterator[RemoteBackend]:
    remote = RemoteBackend("gateway", suite.address)
    try:
        yield remote
    finally:
        await remote.close()


async def streamed(remote: RemoteBackend, spec: chat_pb2.ChatSpec, call: Call) -> list[tuple[float, Any]]:
    """Every event, with the seconds since the call began."""
    began = time.monotonic()
    async with aclosing(remote.stream_chat(chat_pb2.StreamChatRequest(spec=spec), call)) as events:
        return [(time.monotonic() - began, event) async for event in events]


def recorded_delays() -> list[float]:
    """The seconds from the begin of the recorded OpenAI stream to each of its chunks."""
    for path in sorted((CASSETTES / "openai").glob("*.yaml")):
        for interaction in yaml.safe_load(path.read_text(encoding="utf-8"))["interactions"]:
            chunks = interaction["response"]["antiphon"].get("chunks", ())
            if SING in str(interaction["request"]["body"]) and len(chunks) > 5:
                seconds, total = [], 0.0
                for delay, _ in chunks:
                    total += delay / 1000
                    seconds.append(total)
                return seconds
    raise AssertionError("no recorded stream in cassettes/openai")


@pytest.mark.parametrize("apart", [False, True])
async def test_replay_keeps_content_and_pace_and_pace_none_waits_for_nothing(*, apart: bool) -> None:
    options = SuiteOptions(apart=apart, mode="replay", cassettes=CASSETTES, triton="none", own_environment=False)
    async with running_suite(options) as suite, client(suite) as remote:
        spec = question(SING, OPENAI)
        await streamed(remote, spec, Call(metadata={"x-antiphon-pace": "none"}))  # the first call of a process is slow
        at_once = await streamed(remote, spec, Call(metadata={"x-antiphon-pace": "none"}))
        assert at_once[-1][0] < 0.5
        # The first recorded chunk starts the answer; each one after it brings one piece of text.
        first, *wanted = recorded_delays()
        worst = []
        for _ in range(3):  # a busy machine may hold up any one run; the pacing itself may not
            paced = await streamed(remote, spec, Call())
            whole = [[event for _, event in run] for run in (paced, at_once)]
            assert fold(whole[0]) == fold(whole[1])
            assert [event.WhichOneof("event") for event in whole[0]] == [
                event.WhichOneof("event") for event in whole[1]
            ]
            began = next(at for at, event in paced if event.HasField("started"))
            deltas = [at - began for at, event in paced if event.HasField("part_delta")]
            assert len(deltas) > 5
            late = [got - (want - first) for got, want in zip(deltas, wanted, strict=False)]
            worst.append(max(map(abs, late)))
            if worst[-1] < 0.02:
                return
        pytest.fail(f"in each of three runs some delta was off by more than 20 ms: {worst}")


async def test_one_process_and_three_give_the_same_answers() -> None:
    answers = []
    for apart in (False, True):
        options = SuiteOptions(apart=apart, mode="replay", cassettes=CASSETTES, triton="none", own_environment=False)
        async with running_suite(options) as suite, client(suite) as remote:
            answers.append([await remote.chat(question(WHAT, model), Call()) for model in (OPENAI, ANTHROPIC)])
    assert answers[0] == answers[1]


async def test_one_trace_goes_through_three_processes_to_the_provider() -> None:
    async with TraceReceiver() as receiver:
        options = SuiteOptions(
            apart=True,
            mode="replay",
            cassettes=CASSETTES,
            triton="none",
            otlp_endpoint=receiver.endpoint,
            own_environment=False,
            environment={"OTEL_BSP_SCHEDULE_DELAY": "50"},
        )
        trace_id = "0af7651916cd43dd8448eb211c80319c"
        async with running_suite(options) as suite, grpc.aio.insecure_channel(suite.address) as channel:
            chat: Any = channel.unary_unary(
                "/antiphon.v1.ChatService/Chat",
                request_serializer=chat_pb2.ChatRequest.SerializeToString,
                response_deserializer=chat_pb2.ChatResponse.FromString,
            )
            parent = f"00-{trace_id}-b7ad6b7169203331-01"
            await chat(chat_pb2.ChatRequest(spec=question(WHAT, OPENAI)), metadata=(("traceparent", parent),))
            spans = await receiver.wait_for(trace_id, at_least=4, timeout=10)
    by_id = {span.span_id: span for span in spans}
    [provider] = [span for span in spans if span.name.startswith("chat ")]
    path, span = [], provider
    while True:
        path.append(span.service)
        if span.parent_id not in by_id:
            break
        span = by_id[span.parent_id]
    assert span.parent_id == "b7ad6b7169203331"
    assert path[0] == "antiphon-adapter"
    assert path[-1] == "antiphon-gateway"
    assert provider.attributes["gen_ai.usage.output_tokens"]
    assert not any(WHAT in str(value) for each in spans for value in each.attributes.values())


async def test_sigterm_under_load_lets_running_streams_finish_with_a_watch_open() -> None:
    options = SuiteOptions(mode="replay", cassettes=CASSETTES, triton="none", grace=20, own_environment=False)
    async with (
        running_suite(options) as suite,
        client(suite) as remote,
        grpc.aio.insecure_channel(suite.address) as channel,
    ):
        stub: Any = health_pb2_grpc.HealthStub(channel)
        watch = stub.Watch(health_pb2.HealthCheckRequest())
        await watch.read()
        running = [asyncio.ensure_future(streamed(remote, question(SING, OPENAI), Call())) for _ in range(20)]
        await asyncio.sleep(0.5)
        began = time.monotonic()
        os.kill(suite.services[0].pid, signal.SIGTERM)
        runs = await asyncio.gather(*running)
        status = await suite.services[0].exited()
        assert time.monotonic() - began < 15
        assert status == 0
        for run in runs:
            assert run[-1][1].HasField("completed")


async def test_a_key_appears_in_no_log_span_error_or_cassette(tmp_path: Path) -> None:
    """The upstream sends the key back in an answer and in an error, as some really do."""
    async with StreamingServer() as upstream, TraceReceiver() as receiver:
        body = json.dumps(
            {
                "id": "c",
                "object": "chat.completion",
                "created": 1,
                "model": "m",
                "choices": [
                    {
                        "index": 0,
                        "message": {"role": "assistant", "content": f"you sent {CANARY}"},
                        "finish_reason": "stop",
                    }
                ],
            }
        ).encode()
        wrong = json.dumps({"error": {"message": f"Incorrect API key provided: {CANARY}"}}).encode()
        upstream.serve(
            "/chat/completions",
            Reply(steps=[body], headers={"content-type": "application/json"}, length=True),
            Reply(steps=[wrong], status="401 Unauthorized", headers={"content-type": "application/json"}, length=True),
        )
        config = tmp_path / "antiphon.yaml"
        config.write_text(f"providers: {{local: {{base_url: '{upstream.url}', key: CANARY_KEY}}}}\n", encoding="utf-8")
        logs = tmp_path / "logs"
        options = SuiteOptions(
            mode="record",
            cassettes=tmp_path / "cassettes",
            triton="none",
            otlp_endpoint=receiver.endpoint,
            own_environment=False,
            environment={
                "ANTIPHON_CONFIG": str(config),
                "CANARY_KEY": CANARY,
                "OTEL_BSP_SCHEDULE_DELAY": "50",
                "ANTIPHON_LOG_LEVEL": "debug",
            },
            folder=logs,
        )
        errors: list[ServiceError] = []
        async with running_suite(options) as suite, client(suite) as remote:
            for _ in range(2):
                with pytest.raises(ServiceError) as caught:
                    await remote.chat(question("hi", "local/m"), Call())
                errors.append(caught.value)
            await asyncio.sleep(0.3)
        assert len(upstream.requests) == 2
        assert CANARY in upstream.requests[0][1]["authorization"]
        assert errors[0].reason is Reason.SECRET_IN_RECORDING
        spans = receiver.latest(100)
        assert spans
        written = [path for folder in (logs, tmp_path / "cassettes") for path in folder.rglob("*") if path.is_file()]
        assert any(path.stat().st_size for path in written)
        said = [path.read_text(encoding="utf-8", errors="replace") for path in written]
        said += [str(error) + str(error.metadata) for error in errors] + [repr(span) for span in spans]
        assert not [text[:200] for text in said if CANARY in text]


@pytest.mark.parametrize(
    ("model", "text", "reason", "says"),
    [
        ("gpt-4o-mini", WHAT, Reason.MODEL_NOT_FOUND, "antiphon models"),
        ("opnai/gpt-4o-mini", WHAT, Reason.PROVIDER_NOT_FOUND, "openai"),
        (OPENAI, "Nobody recorded this.", Reason.RECORDING_MISSING, "Nobody recorded this."),
        ("triton/ngram", WHAT, Reason.BACKEND_UNAVAILABLE, "antiphon triton up"),
    ],
)
async def test_what_is_missing_is_said_with_what_to_do(
    quiet_suite: RunningSuite, model: str, text: str, reason: Reason, says: str
) -> None:
    async with client(quiet_suite) as remote:
        with pytest.raises(ServiceError) as caught:
            await remote.chat(question(text, model), Call())
    assert caught.value.reason is reason
    assert says in caught.value.message


async def test_a_caller_may_ask_only_for_modes_that_are_allowed(quiet_suite: RunningSuite) -> None:
    async with client(quiet_suite) as remote:
        with pytest.raises(ServiceError) as caught:
            await remote.chat(question(WHAT, OPENAI), Call(metadata={"x-antiphon-mode": "live"}))
    assert caught.value.reason is Reason.MODE_NOT_ALLOWED


async def test_an_unreadable_cassette_is_named(tmp_path: Path) -> None:
    (tmp_path / "openai").mkdir()
    (tmp_path / "openai" / "broken.yaml").write_text("interactions: [\n", encoding="utf-8")
    options = SuiteOptions(mode="replay", cassettes=tmp_path, triton="none", own_environment=False)
    async with running_suite(options) as suite, client(suite) as remote:
        with pytest.raises(ServiceError) as caught:
            await remote.chat(question(WHAT, OPENAI), Call())
    assert caught.value.reason is Reason.CASSETTE_UNREADABLE
    assert "broken.yaml" in caught.value.message


@pytest.fixture
async def quiet_suite() -> AsyncIterator[RunningSuite]:
    options = SuiteOptions(mode="replay", cassettes=CASSETTES, triton="none", own_environment=False)
    async with running_suite(options) as suite:
        yield suite
