"""Ollama's edge, in bare HTTP."""

from __future__ import annotations

import json

from tests.gateway.edges.opened import chat, opened


async def test_chat_streams_lines_unless_it_is_told_not_to() -> None:
    async with opened() as edge:
        stream = await edge.post("/api/chat", chat("a b c"))
        whole = await edge.post("/api/chat", chat("a b c", stream=False))
    assert stream.headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in stream.text.splitlines()]
    assert "".join(line["message"]["content"] for line in lines) == "a b c"
    assert [line["done"] for line in lines] == [False] * (len(lines) - 1) + [True]
    assert lines[-1]["eval_count"] == 3
    assert (whole.json()["message"]["content"], whole.json()["done"]) == ("a b c", True)


async def test_calls_without_identifiers_are_numbered_and_each_result_joins_the_oldest_open_one() -> None:
    def call(city: str) -> dict[str, object]:
        return {"function": {"name": "get_weather", "arguments": {"city": city}}}

    def result(text: str, **more: str) -> dict[str, str]:
        return {"role": "tool", "content": text, **more}

    async with opened() as edge:
        body = chat("weather", stream=False)
        body["messages"] += [
            {"role": "assistant", "content": "", "tool_calls": [call("Paris"), call("Rome")]},
            result("rain", tool_name="get_weather"),
            result("sun"),
            {"role": "user", "content": "thanks"},
        ]
        await edge.post("/api/chat", body)
    parts = [part for said in edge.choir.specs[0].messages for part in said.parts]
    calls = [part.tool_call.call_id for part in parts if part.HasField("tool_call")]
    assert len(set(calls)) == 2
    assert all(calls)
    assert [part.tool_result.call_id for part in parts if part.HasField("tool_result")] == calls


async def test_an_error_after_the_first_line_is_a_line() -> None:
    async with opened() as edge:
        stream = await edge.post("/api/chat", chat("one !OVERLOADED"))
        whole = await edge.post("/api/chat", chat("!MODEL_NOT_FOUND", stream=False))
    assert json.loads(stream.text.splitlines()[-1])["error"] == "told to fail with OVERLOADED"
    assert (whole.status_code, whole.json()) == (404, {"error": "told to fail with MODEL_NOT_FOUND"})


async def test_models_are_listed_under_the_names_to_call_them_by() -> None:
    async with opened() as edge:
        tags = (await edge.client.get("/api/tags")).json()
        shown = await edge.post("/api/show", {"model": "echo/words"})
    assert [(model["name"], model["model"]) for model in tags["models"]] == [("echo/words", "echo/words")]
    assert shown.status_code == 200


async def test_vectors_come_as_lists() -> None:
    async with opened() as edge:
        answer = await edge.post("/api/embed", {"model": "echo/words", "input": ["four", "sixsix"]})
        older = await edge.post("/api/embeddings", {"model": "echo/words", "prompt": "four"})
    assert answer.json()["embeddings"] == [[4.0], [6.0]]
    assert edge.choir.closed is False
    assert 4.0 in (older.json().get("embedding") or older.json()["embeddings"][0])


async def test_an_unknown_route_is_answered_in_ollamas_shape() -> None:
    async with opened() as edge:
        answer = await edge.post("/api/pull", {"model": "echo/words"})
    assert answer.status_code == 404
    assert "/api/pull" in answer.json()["error"]
