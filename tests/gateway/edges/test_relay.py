"""Plain chats that are passed on as they came: for clients, books and errors the same as if they were read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from antiphon.adapter.limits import Limits
from antiphon.core.telemetry import names
from tests.core.telemetry.conftest import measured  # noqa: F401 - a fixture
from tests.core.telemetry.parts import Measured, attributes
from tests.gateway.edges.opened import events, until
from tests.gateway.edges.relayed import chained
from tests.harness.streaming_server import Reply
from tests.wire.openai_chat.test_plain import PLAIN
from tests.wire.openai_chat.test_relay_stream import COUNTED, FIRST, PADDED, STOP, USUAL, WORDS, sse

SSE = {"content-type": "text/event-stream"}
JSON = {"content-type": "application/json"}
SAYS = [{"role": "user", "content": "hi"}]
ASKED: dict[str, Any] = {"model": "openai/gpt-test", "messages": SAYS, "temperature": 0.5, "max_tokens": 9}
STREAMED = {**ASKED, "stream": True, "stream_options": {"include_usage": True}}
WHOLE = Reply(steps=[json.dumps(PLAIN).encode()], headers=JSON)
STREAM = Reply(steps=[USUAL], headers=SSE)
TEXT = 'Hello "you"\\\u2028!'


def text_of(body: str) -> str:
    said = [each for each in events(body) if each != "[DONE]" and each.get("choices")]
    return "".join(each["choices"][0]["delta"].get("content") or "" for each in said)


async def test_a_plain_answer_comes_byte_for_byte_and_the_provider_gets_the_same_request_either_way() -> None:
    got: list[Any] = []
    asked: list[Any] = []
    for relay in (True, False):
        async with chained(WHOLE, relay=relay) as chain:
            answer = await chain.post(ASKED)
            assert chain.taken == ["relay" if relay else "general"]
            got.append((answer.status_code, answer.json(), sorted(answer.headers)))
            asked.append((json.loads(chain.provider.requests[0][2]), chain.provider.requests[0][1].keys()))
            if relay:
                assert answer.content == WHOLE.steps[0]
    assert got[0] == got[1]
    assert asked[0] == asked[1]


async def test_an_alias_is_followed() -> None:
    async with chained(WHOLE) as chain:
        await chain.post({**ASKED, "model": "fast"})
        assert chain.taken == ["relay"]
        assert json.loads(chain.provider.requests[0][2])["model"] == "gpt-test"


@pytest.mark.parametrize("body", [USUAL, PADDED])
async def test_a_plain_stream_comes_as_the_provider_sent_it(body: bytes) -> None:
    async with chained(Reply(steps=[body[:700], 0.02, body[700:1501], 0.02, body[1501:]], headers=SSE)) as chain:
        answer = await chain.post(STREAMED)
        assert chain.taken == ["relay"]
        assert answer.content == body
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["x-request-id"].startswith("req_")


async def test_a_client_that_asked_for_no_usage_gets_no_word_of_it_though_the_provider_is_asked() -> None:
    async with chained(STREAM) as chain:
        answer = await chain.post({**ASKED, "stream": True})
        assert chain.taken == ["relay"]
        assert b"usage" not in answer.content
        assert text_of(answer.text) == TEXT
        assert events(answer.text)[-1] == "[DONE]"
        assert all(each == "[DONE]" or each["choices"] for each in events(answer.text))
        assert json.loads(chain.provider.requests[0][2])["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize(
    "more",
    [
        {"functions": [{"name": "f", "parameters": {}}]},
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]},
        {"messages": []},
        {"reasoning_effort": "low"},
        {"n": 0},
    ],
)
async def test_what_is_not_plain_takes_the_general_way(more: dict[str, Any]) -> None:
    async with chained(WHOLE) as chain:
        await chain.post({**ASKED, **more})
        assert "relay" not in chain.taken


async def test_what_a_caller_says_of_unsupported_fields_takes_the_general_way() -> None:
    async with chained(WHOLE) as chain:
        await chain.post(ASKED, x_antiphon_unsupported="warn")
        assert chain.taken == ["general"]
        assert (await chain.post(ASKED, x_antiphon_unsupported="maybe")).status_code == 400


@pytest.mark.parametrize("model", ["nobody/x", "x", "openai/gpt-test"])
async def test_a_call_that_cannot_be_made_fails_alike(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    got = []
    for relay in (True, False):
        async with chained(WHOLE, relay=relay) as chain:
            if model.startswith("openai"):
                monkeypatch.setattr(chain.adapter._credentials, "values", {})
            answer = await chain.post({**ASKED, "model": model})
            got.append((answer.status_code, answer.json()))
            assert not chain.provider.requests
    assert got[0] == got[1]


ODD_ANSWERS = {
    "without a time": {**PLAIN, "created": None},
    "with another field": {**PLAIN, "x": 1},
    "with thoughts": {**PLAIN, "choices": [{**PLAIN["choices"][0], "message": {**PLAIN["choices"][0]["message"],
                                                                            "reasoning_content": "hm"}}]},
    "no answer": {"x": 1},
    "an error": {"error": {"message": "no", "type": "server_error"}},
}  # fmt: skip


@pytest.mark.parametrize("name", ODD_ANSWERS)
async def test_an_answer_that_is_not_plain_is_read_and_written(name: str) -> None:
    got = []
    for relay in (True, False):
        async with chained(Reply(steps=[json.dumps(ODD_ANSWERS[name]).encode()], headers=JSON), relay=relay) as chain:
            answer = await chain.post(ASKED)
            body = answer.json()
            if name == "without a time":
                assert body.pop("created") is None or answer.is_success
            got.append((answer.status_code, body))
    assert got[0] == got[1]


FAILURES = {
    "refused": Reply(steps=[b'{"error":{"message":"too much","type":"x"}}'], status="429 Too Many Requests",
                     headers={**JSON, "retry-after": "7"}),
    "down": Reply(steps=[b"<html>"], status="503 Service Unavailable"),
    "reset": Reply(steps=[], end="reset"),
    "cut in the midst": Reply(steps=[sse(FIRST, *WORDS, done=False)], headers=SSE, end="cut"),
    "ended in the midst": Reply(steps=[sse(FIRST, *WORDS, done=False)], headers=SSE),
    "an error in the midst": Reply(steps=[sse(FIRST, *WORDS, {"error": {"message": "no", "code": 500}})], headers=SSE),
    "an error first": Reply(steps=[sse({"error": {"message": "no", "code": 500}})], headers=SSE),
    "no JSON": Reply(steps=[sse(FIRST, *WORDS, done=False), b"data: {\n\n"], headers=SSE),
    "silent in the midst": Reply(steps=[sse(FIRST, *WORDS, done=False), 5.0, USUAL], headers=SSE),
    "silent": Reply(steps=[5.0, USUAL], headers=SSE),
}  # fmt: skip


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("name", FAILURES)
async def test_a_failure_is_told_alike(name: str, stream: bool, measured: Measured) -> None:  # noqa: F811
    got: list[Any] = []
    spans: list[Any] = []
    for relay in (True, False):
        limits = Limits(first_token=0.3, idle=0.3)
        async with chained(FAILURES[name], relay=relay, limits=limits) as chain:
            answer = await chain.post(STREAMED if stream else ASKED)
            assert chain.taken == ["relay" if relay else "general"]
            if answer.headers["content-type"].startswith("text/event-stream"):
                last = events(answer.text)[-1]
                assert "error" in last
                got.append((answer.status_code, text_of(answer.text.rpartition("data: ")[0]), last))
            else:
                got.append((answer.status_code, answer.json(), answer.headers.get("retry-after"),
                            answer.headers["x-should-retry"]))  # fmt: skip
        await until(lambda: len(measured.spans.ended) == 2)
        spans.append(books(measured))
        measured.spans.ended.clear()
    assert got[0] == got[1]
    assert spans[0] == spans[1]


def books(measured: Measured) -> list[tuple[str, dict[str, Any], Any]]:  # noqa: F811
    """The spans but for what differs by the clock."""
    timed = {names.FIRST_CHUNK}
    return [
        (
            span.name,
            {key: value for key, value in attributes(span).items() if key not in timed},
            span.status.status_code,
        )
        for span in sorted(measured.spans.ended, key=lambda span: span.name)
    ]


@pytest.mark.parametrize("body", [ASKED, STREAMED, {**ASKED, "stream": True}])
async def test_spans_and_metrics_say_the_same_either_way(body: dict[str, Any], measured: Measured) -> None:  # noqa: F811
    spans: list[Any] = []
    for relay in (True, False):
        async with chained(STREAM if body.get("stream") else WHOLE, relay=relay) as chain:
            await chain.post(body)
        await until(lambda: len(measured.spans.ended) == 2)
        spans.append(books(measured))
        timed = [names.FIRST_CHUNK in attributes(span) for span in measured.spans.ended]
        assert any(timed) == bool(body.get("stream"))
        measured.spans.ended.clear()
    assert spans[0] == spans[1]
    found = next(found for name, found, _ in spans[0] if name.startswith("chat"))
    assert found[names.INPUT_TOKENS] == 3
    assert found[names.FINISH_REASONS] == ("stop",)
    for metric in (names.GENAI_TOKENS, names.GENAI_DURATION, names.HTTP_SERVER_DURATION):
        assert all(point.count == 2 for point in measured.points(metric)), metric


async def test_a_client_that_leaves_closes_the_providers_socket_and_its_usage_is_partial(measured: Measured) -> None:  # noqa: F811
    async with chained(Reply(steps=[sse(FIRST, *WORDS, done=False), 600.0], headers=SSE)) as chain:
        async with chain.client.stream("POST", "/v1/chat/completions", json=STREAMED) as answer:
            async for _ in answer.aiter_bytes():
                break
            assert chain.provider.open == 1
        await until(lambda: chain.provider.open == 0, seconds=10)
        await until(lambda: chain.edges.door.bodies.held == 0)
        await until(lambda: len(measured.spans.ended) == 2)
        found = next(attributes(span) for span in measured.spans.ended if span.name.startswith("chat"))
        assert found[names.CANCELLED] is True
        assert found[names.USAGE_PARTIAL] is True


async def test_the_head_comes_with_the_first_chunk_and_words_while_the_answer_is_still_made() -> None:
    async with (
        chained(Reply(steps=[sse(FIRST, WORDS[0], done=False), 600.0], headers=SSE)) as chain,
        chain.client.stream("POST", "/v1/chat/completions", json=STREAMED) as answer,
    ):
        assert answer.status_code == 200
        async for text in answer.aiter_text():
            assert "Hel" in text
            break


async def test_a_stream_that_stops_being_plain_is_told_to_its_end() -> None:
    call = {"index": 0, "delta": {"tool_calls": [{"index": 0, "id": "c", "type": "function",
            "function": {"name": "f", "arguments": "{}"}}]}, "finish_reason": None}  # fmt: skip
    odd = {**FIRST, "choices": [call]}
    async with chained(
        Reply(steps=[sse(FIRST, *WORDS, done=False), 0.02, sse(odd, STOP, COUNTED)], headers=SSE)
    ) as chain:
        answer = await chain.post(STREAMED)
    chunks = events(answer.text)
    assert text_of(answer.text) == TEXT
    assert sum("role" in choice["delta"] for each in chunks[:-1] for choice in each["choices"]) == 1
    assert any(choice["delta"].get("tool_calls") for each in chunks[:-1] for choice in each["choices"])
    assert chunks[-2]["usage"]["total_tokens"] == 7
    assert chunks[-1] == "[DONE]"
