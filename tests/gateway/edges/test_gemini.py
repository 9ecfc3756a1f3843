"""Gemini's edge, in bare HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.gateway.edges.opened import events, opened

MODELS = "/v1beta/models"


def said(text: str, **more: Any) -> dict[str, Any]:
    """A request in Gemini's shape."""
    return {"contents": [{"role": "user", "parts": [{"text": text}]}], **more}


def words(chunk: Any) -> str:
    return "".join(
        part.get("text", "") for one in chunk["candidates"] for part in one.get("content", {}).get("parts", ())
    )


@pytest.mark.parametrize("model", ["echo/words", "echo%2Fwords", "echo/words:8b", "alias"])
async def test_the_model_of_the_path_may_hold_slashes_and_colons(model: str) -> None:
    async with opened() as edge:
        answer = await edge.post(f"{MODELS}/{model}:generateContent", said("sing to me"))
    assert answer.status_code == 200, answer.text
    assert edge.choir.specs[0].model == model.replace("%2F", "/")
    assert words(answer.json()) == "sing to me"
    assert answer.json()["candidates"][0]["finishReason"] == "STOP"
    assert answer.json()["usageMetadata"]["candidatesTokenCount"] == 3


async def test_a_stream_comes_as_events_where_asked_and_as_one_array_else() -> None:
    async with opened() as edge:
        stream = await edge.post(f"{MODELS}/echo/words:streamGenerateContent?alt=sse", said("a b c"))
        array = await edge.post(f"{MODELS}/echo/words:streamGenerateContent", said("a b c"))
    assert stream.headers["content-type"].startswith("text/event-stream")
    assert array.headers["content-type"].startswith("application/json")
    assert "".join(map(words, events(stream.text))) == "a b c"
    assert "".join(map(words, json.loads(array.text))) == "a b c"
    assert events(stream.text)[-1]["usageMetadata"]["candidatesTokenCount"] == 3


async def test_an_error_after_the_first_chunk_ends_the_stream_as_google_says_errors() -> None:
    async with opened() as edge:
        stream = await edge.post(f"{MODELS}/echo/words:streamGenerateContent?alt=sse", said("one !OVERLOADED"))
        array = await edge.post(f"{MODELS}/echo/words:streamGenerateContent", said("one !OVERLOADED"))
        first = await edge.post(f"{MODELS}/echo/words:generateContent", said("!RATE_LIMIT_EXCEEDED"))
    assert events(stream.text)[-1]["error"]["status"] == "UNAVAILABLE"
    assert json.loads(array.text)[-1]["error"]["status"] == "UNAVAILABLE"
    assert (first.status_code, first.json()["error"]["status"]) == (429, "RESOURCE_EXHAUSTED")


async def test_vectors_come_one_alone_and_in_batches() -> None:
    one = {"content": {"parts": [{"text": "four"}]}}
    two = {"requests": [{"model": "models/echo/words", **one}, {"model": "models/echo/words", **one}]}
    async with opened() as edge:
        single = await edge.post(f"{MODELS}/echo/words:embedContent", one)
        batch = await edge.post(f"{MODELS}/echo/words:batchEmbedContents", two)
    assert list(single.json()["embedding"]) == ["values"]
    assert len(batch.json()["embeddings"]) == 2


async def test_tokens_are_counted() -> None:
    async with opened() as edge:
        answer = await edge.post(f"{MODELS}/echo/words:countTokens", said("one two three"))
    assert answer.json()["totalTokens"] == 3


async def test_models_are_listed_and_found() -> None:
    async with opened() as edge:
        listed = (await edge.client.get(f"{MODELS}?pageSize=5")).json()
        found = (await edge.client.get(f"{MODELS}/echo/words")).json()
    assert [model["name"] for model in listed["models"]] == ["models/echo/words"]
    assert found["name"] == "models/echo/words"


async def test_an_unknown_route_is_answered_in_googles_shape() -> None:
    async with opened() as edge:
        nowhere = await edge.client.get("/v1beta/nowhere")
        method = await edge.post(f"{MODELS}/echo/words:sing", {})
    assert nowhere.json()["error"]["status"] == "NOT_FOUND"
    assert method.status_code == 405
