"""The policies of the gRPC door, at the HTTP door: keys, checks, errors, telemetry."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from antiphon.core.auth import hash_of, new_key
from antiphon.core.call import Call
from antiphon.core.errors import Reason
from antiphon.core.streams import Events
from antiphon.core.telemetry.setup import configure
from antiphon.v1 import chat_pb2
from tests.core.telemetry.parts import Counted, Measured, attributes
from tests.gateway.edges.opened import JSON, Choir, Opened, chat, message, opened

KEY = new_key()
KEYS = {hash_of(KEY): "team-a"}
PATHS = ("/v1/chat/completions", "/v1/messages")


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {KEY}"},
        {"authorization": f"bearer  {KEY}"},
        {"x-api-key": KEY},
        {"x-goog-api-key": KEY},
        {"api-key": KEY},
    ],
)
async def test_a_key_lets_in_from_where_each_sdk_puts_it(headers: dict[str, str]) -> None:
    async with opened(keys=KEYS) as edge:
        for path in PATHS:
            answer = await edge.post(path, message("hi"), **headers)
            assert answer.status_code == 200
    assert [call.caller for call in edge.choir.calls] == ["team-a", "team-a"]


async def test_a_key_in_the_query_lets_in_and_reaches_no_wire() -> None:
    async with opened(keys=KEYS) as edge:
        answer = await edge.post(f"/v1/chat/completions?key={KEY}", chat("hi"))
    assert answer.status_code == 200
    assert KEY not in str(edge.choir.specs[0])


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer ak-wrong"}, {"x-api-key": "ak-wrong"}])
@pytest.mark.parametrize("path", [*PATHS, "/v1/models", "/api/models", "/health/providers", "/nowhere"])
async def test_strangers_are_kept_out_in_the_edges_own_words(path: str, headers: dict[str, str]) -> None:
    async with opened(keys=KEYS) as edge:
        if path in PATHS:
            answer = await edge.post(path, message("hi"), **headers)
        else:
            answer = await edge.client.get(path, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "caller key" in answer.json()["error"]["message"]
    assert edge.choir.calls == []


async def test_whether_the_server_lives_is_told_to_strangers() -> None:
    async with opened(keys=KEYS) as edge:
        answer = await edge.client.get("/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "healthy"})


async def test_a_request_that_no_backend_can_answer_is_refused_with_its_field() -> None:
    async with opened() as edge:
        nameless = await edge.post("/v1/chat/completions", {"messages": chat("hi")["messages"]})
        empty = await edge.post("/v1/chat/completions", chat("hi", messages=[]))
        streamed = await edge.post("/v1/chat/completions", chat("hi", messages=[], stream=True))
        roleless = await edge.post("/v1/chat/completions", chat("hi", messages=[{"content": "hi"}]))
        vectorless = await edge.post("/v1/embeddings", {"model": "echo/words", "input": []})
        uncounted = await edge.post("/v1/messages/count_tokens", {"messages": chat("hi")["messages"]})
    assert nameless.json()["error"]["param"] == "spec.model"
    assert empty.json()["error"]["param"] == streamed.json()["error"]["param"] == "spec.messages"
    assert roleless.json()["error"]["param"] == "messages[0].role"
    assert vectorless.json()["error"]["param"] == "inputs"
    assert "model" in uncounted.json()["error"]["message"]
    for answer in (nameless, empty, streamed, roleless, vectorless, uncounted):
        assert answer.status_code == 400
    assert edge.choir.calls == []


@pytest.mark.parametrize(
    ("path", "more"),
    [
        ("/v1/chat/completions", {}),
        ("/v1/responses", {"input": "!{}"}),
        ("/v1/messages", {}),
        ("/v1beta/models/echo/words:generateContent", {"contents": [{"role": "user", "parts": [{"text": "!{}"}]}]}),
        ("/api/chat", {"stream": False}),
    ],
)
async def test_every_reason_has_a_status_and_a_shape_and_says_whether_to_retry(path: str, more: dict[str, Any]) -> None:
    async with opened() as edge:
        for reason in Reason:
            body = json.loads(json.dumps({**message("!{}"), **more}).replace("!{}", f"!{reason.value}"))
            answer = await edge.post(path, body)
            assert answer.status_code >= 400
            assert answer.headers["x-should-retry"] in ("true", "false")
            assert f"told to fail with {reason.value}" in answer.text
            assert answer.headers["retry-after"] == "2"


async def test_a_retry_that_would_be_billed_twice_is_advised_against() -> None:
    async with opened() as edge:
        unknown = await edge.post("/v1/chat/completions", chat("!OUTCOME_UNKNOWN"))
        busy = await edge.post("/v1/chat/completions", chat("!OVERLOADED"))
    assert unknown.headers["x-should-retry"] == "false"
    assert busy.headers["x-should-retry"] == "true"


async def test_the_clients_number_of_a_request_comes_back_and_a_bad_one_is_replaced() -> None:
    async with opened() as edge:
        own = await edge.post("/v1/chat/completions", chat("hi"), x_request_id="mine-7")
        odd = await edge.post("/v1/chat/completions", chat("hi"), x_request_id="no spaces please")
        error = await edge.post("/v1/chat/completions", chat("!INTERNAL"), x_request_id="mine-8")
    assert own.headers["x-request-id"] == "mine-7"
    assert odd.headers["x-request-id"].startswith("req_")
    assert error.headers["x-request-id"] == "mine-8"


async def test_what_services_further_on_say_of_an_answer_comes_in_headers() -> None:
    class Saying(Choir):
        async def chat(self, spec: chat_pb2.ChatSpec, call: Call) -> chat_pb2.Completion:
            call.say("synthetic", "no provider\r\nsaid this")
            return await super().chat(spec, call)

        def stream_chat(self, request: chat_pb2.StreamChatRequest, call: Call) -> Events:
            call.say("synthetic", "nor this")
            return super().stream_chat(request, call)

    async with opened(choir=Saying()) as edge:
        whole = await edge.post("/v1/messages", message("hi"))
        failed = await edge.post("/v1/messages", message("!OVERLOADED"))
        stream = await edge.post("/v1/messages", message("hi", stream=True))
    assert whole.headers["x-antiphon-synthetic"] == failed.headers["x-antiphon-synthetic"] == "no provider said this"
    assert stream.headers["x-antiphon-synthetic"] == "nor this"


async def test_a_call_past_the_clients_deadline_fails_as_such() -> None:
    async with opened(pause=5) as edge:
        whole = await edge.post("/v1/chat/completions", chat("hi"), x_antiphon_timeout="0.2")
        stream = await edge.post("/v1/chat/completions", chat("hi there", stream=True), x_antiphon_timeout="0.2")
    assert whole.status_code == 504
    assert whole.json()["error"]["code"] == "deadline_exceeded"
    assert '"deadline_exceeded"' in stream.text
    assert edge.choir.running == 0


async def test_an_unexpected_failure_shows_a_number_and_no_internals(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Choir):
        async def chat(self, spec: chat_pb2.ChatSpec, call: Call) -> chat_pb2.Completion:
            raise RuntimeError("secret internals")

    async with opened(choir=Broken()) as edge:
        answer = await edge.post("/v1/chat/completions", chat("hi"))
    assert answer.status_code == 500
    assert "secret internals" not in answer.text
    number = answer.json()["error"]["message"].rsplit(" ", 1)[1]
    assert any(getattr(record, "error_id", "") == number for record in caplog.records)


@pytest.fixture
async def measured() -> AsyncIterator[Measured]:
    """Telemetry that is looked at."""
    seen = Measured(spans=Counted())
    shutdown = configure("test", span_processors=[seen.spans], metric_readers=[seen.reader])
    yield seen
    await shutdown()


async def test_a_span_continues_the_clients_trace_and_reaches_the_backend(measured: Measured) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    async with opened(keys=KEYS) as edge:
        headers = {"traceparent": f"00-{trace}-b7ad6b7169203331-01", "x-api-key": KEY}
        await edge.post("/v1/chat/completions", chat("private words", stream=True), **headers)
        await edge.post("/v1/messages", message("!INTERNAL"), **headers)
        await edge.post("/v1/messages", message("!MODEL_NOT_FOUND"), **headers)
        await edge.client.get(f"/v1/models/echo/secret?key={KEY}")
    span = measured.one("POST /v1/chat/completions")
    assert f"{span.context.trace_id:032x}" == trace if span.context else False
    assert attributes(span)["http.response.status_code"] == 200
    assert attributes(span)["antiphon.caller"] == "team-a"
    assert span.status.is_ok
    failed, refused = (one for one in measured.spans.ended if one.name == "POST /v1/messages")
    assert attributes(failed)["error.type"] == attributes(failed)["antiphon.error.reason"] == "INTERNAL"
    assert not failed.status.is_ok
    assert refused.status.is_ok
    assert attributes(measured.one("GET /v1/models/{model:path}"))["http.route"] == "/v1/models/{model:path}"
    points = measured.points("http.server.request.duration")
    assert sum(point.count for point in points) == 4
    for secret in (KEY, "private words", "echo/secret"):
        assert secret not in measured.text()
    assert measured.spans.started == len(measured.spans.ended)


async def test_a_line_of_the_log_tells_of_each_request_and_holds_no_key(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with opened(keys=KEYS) as edge:
        await edge.post(f"/v1/chat/completions?key={KEY}", chat("private words"), x_request_id="r-1")
        await edge.post("/v1/chat/completions", chat("!QUOTA_EXCEEDED"), x_api_key=KEY)
    lines = [record.__dict__ for record in caplog.records if record.name == "antiphon.access"]
    assert [(line["route"], line["http_status"], line["caller"]) for line in lines] == [
        ("/v1/chat/completions", 200, "team-a"),
        ("/v1/chat/completions", 429, "team-a"),
    ]
    assert lines[0]["request_id"] == "r-1"
    assert lines[1]["reason"] == "QUOTA_EXCEEDED"
    everything = "".join(str(record.__dict__) for record in caplog.records if record.name != "httpx")
    assert KEY not in everything
    assert "private words" not in everything


async def test_answers_of_many_clients_do_not_mix() -> None:
    async def ask(edge: Opened, number: int) -> None:
        text = f"{number}times " * 5
        async with httpx.AsyncClient(base_url=f"http://{edge.listener.address}", trust_env=False) as client:
            answer = await client.post("/v1/chat/completions", json=chat(text, stream=number % 2 == 0), headers=JSON)
            assert answer.text.count(f" {number}times") + answer.text.count(f'"{number}times') == 5
            assert answer.text.count("times") == 5

    async with opened(pause=0.01) as edge:
        await asyncio.gather(*(ask(edge, number) for number in range(30)))
