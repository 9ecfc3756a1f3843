"""OpenAI's Responses, in bare HTTP."""

from __future__ import annotations

from tests.gateway.edges.opened import events, opened


async def test_a_response_comes_whole() -> None:
    async with opened() as edge:
        answer = await edge.post("/v1/responses", {"model": "echo/words", "input": "sing to me"})
    body = answer.json()
    assert (body["object"], body["status"]) == ("response", "completed")
    assert body["output"][0]["content"][0]["text"] == "sing to me"
    assert body["usage"]["output_tokens"] == 3
    assert body["id"]
    assert body["created_at"] > 0


async def test_a_stream_tells_the_response_in_events_that_are_numbered() -> None:
    async with opened() as edge:
        answer = await edge.post("/v1/responses", {"model": "echo/words", "input": "a b", "stream": True})
    got = events(answer.text)
    assert [event["sequence_number"] for event in got] == list(range(len(got)))
    assert got[0]["type"] == "response.created"
    assert got[-1]["type"] == "response.completed"
    assert "".join(event["delta"] for event in got if event["type"] == "response.output_text.delta") == "a b"
    assert got[0]["response"]["created_at"] == got[-1]["response"]["created_at"]


async def test_an_error_after_the_first_event_is_an_event() -> None:
    async with opened() as edge:
        answer = await edge.post("/v1/responses", {"model": "echo/words", "input": "a !OVERLOADED", "stream": True})
    last = events(answer.text)[-1]
    assert (last["type"], last["code"]) == ("error", "overloaded")
    assert last["error"]["message"] == last["message"]  # which makes OpenAI's SDKs raise


async def test_tokens_are_counted() -> None:
    async with opened() as edge:
        answer = await edge.post("/v1/responses/input_tokens", {"model": "echo/words", "input": "one two three"})
    assert answer.json()["input_tokens"] == 3
