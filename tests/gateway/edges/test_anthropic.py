"""Anthropic's edge, in bare HTTP."""

from __future__ import annotations

import pytest

from antiphon.core.call import Call
from antiphon.v1 import models_pb2
from tests.gateway.edges.opened import Choir, events, message, opened

VERSION = {"anthropic-version": "2023-06-01"}


class Library(Choir):
    """Has five models."""

    async def list_models(self, request: models_pb2.ListModelsRequest, call: Call) -> models_pb2.ListModelsResponse:
        """A to e, two a page."""
        letters = "abcde"
        first = int(request.page_token or 0)
        answer = models_pb2.ListModelsResponse(
            models=[models_pb2.Model(name=f"echo/{letter}", provider="echo") for letter in letters[first : first + 2]]
        )
        if first + 2 < len(letters):
            answer.next_page_token = str(first + 2)
        else:
            answer.unreachable_providers.add(provider="dead", reason="NETWORK_ERROR", message="no route")
        return answer


async def test_a_message_comes_whole() -> None:
    async with opened() as edge:
        answer = await edge.post("/v1/messages", message("sing to me", system="be brief"))
    body = answer.json()
    assert answer.status_code == 200
    assert (body["type"], body["role"], body["stop_reason"]) == ("message", "assistant", "end_turn")
    assert body["content"] == [{"type": "text", "text": "sing to me"}]
    assert body["usage"]["output_tokens"] == 3
    assert answer.headers["request-id"] == answer.headers["x-request-id"]


async def test_a_stream_has_anthropics_events_in_order() -> None:
    async with opened() as edge:
        answer = await edge.post("/v1/messages", message("a b", stream=True))
    got = events(answer.text)
    assert [event["type"] for event in got] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert "[DONE]" not in answer.text
    assert got[-2]["usage"]["output_tokens"] == 2


async def test_a_tool_call_comes_as_a_block() -> None:
    tool = {"name": "get_weather", "input_schema": {"type": "object"}}
    async with opened() as edge:
        whole = (await edge.post("/v1/messages", message("weather", tools=[tool]))).json()
        stream = events((await edge.post("/v1/messages", message("weather", tools=[tool], stream=True))).text)
    assert whole["content"][0] == {
        "type": "tool_use",
        "id": "call_1",
        "name": "get_weather",
        "input": {"city": "Paris"},
    }
    assert whole["stop_reason"] == "tool_use"
    pieces = [event["delta"]["partial_json"] for event in stream if event["type"] == "content_block_delta"]
    assert "".join(pieces) == '{"city":"Paris"}'


async def test_tokens_are_counted() -> None:
    async with opened() as edge:
        body = message("one two three")
        del body["max_tokens"]
        answer = await edge.post("/v1/messages/count_tokens", body)
    assert answer.json() == {"input_tokens": 3}


async def test_models_come_in_anthropics_shape_to_who_says_its_version() -> None:
    async with opened() as edge:
        theirs = (await edge.client.get("/v1/models", headers=VERSION)).json()
        one = (await edge.client.get("/v1/models/echo/words", headers=VERSION)).json()
        ours = (await edge.client.get("/v1/models")).json()
    assert theirs["data"] == [one]
    assert (one["type"], one["id"], one["created_at"]) == ("model", "echo/words", "1970-01-01T00:00:00Z")
    assert theirs["has_more"] is False
    assert ours["object"] == "list"


@pytest.mark.parametrize(
    ("query", "letters", "more"),
    [
        ("", "abcde", False),
        ("?limit=2", "ab", True),
        ("?limit=2&after_id=echo/b", "cd", True),
        ("?limit=2&after_id=echo/d", "e", False),
        ("?limit=2&before_id=echo/d", "bc", True),
        ("?limit=3&before_id=echo/d", "abc", False),
    ],
)
async def test_pages_of_models_follow_anthropics_cursors(query: str, letters: str, more: bool) -> None:
    async with opened(choir=Library()) as edge:
        answer = await edge.client.get(f"/v1/models{query}", headers=VERSION)
    body = answer.json()
    assert [item["id"] for item in body["data"]] == [f"echo/{letter}" for letter in letters]
    assert body["has_more"] is more
    assert (body["first_id"], body["last_id"]) == (f"echo/{letters[0]}", f"echo/{letters[-1]}")
    assert "dead" in answer.headers["x-antiphon-warning"]


async def test_an_error_has_anthropics_shape() -> None:
    async with opened() as edge:
        limited = await edge.post("/v1/messages", message("!RATE_LIMIT_EXCEEDED"))
        page = await edge.client.get("/v1/models?limit=many", headers=VERSION)
        nowhere = await edge.client.get("/v1/messages/batches")
        stranger = await edge.client.get("/v1/nowhere", headers=VERSION)
    assert limited.status_code == 429
    assert limited.json()["type"] == "error"
    assert limited.json()["error"]["type"] == "rate_limit_error"
    assert limited.headers["retry-after"] == "2"
    assert page.status_code == 400
    for answer in (nowhere, stranger):
        assert answer.status_code == 404
        assert answer.json()["error"]["type"] == "not_found_error"
