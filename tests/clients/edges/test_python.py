"""The vendors' own Python SDKs against the whole suite, which replays recorded answers through the real adapter."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from antiphon.cli.questions import ANTHROPIC, EMBEDDING_MODEL, OPENAI, SENTENCES, SING, WEATHER, WHAT
from tests.clients.edges import authored
from tests.clients.edges.sdks import (
    SDKS,
    City,
    Door,
    OpenAIChat,
    Sdk,
    anthropic_client,
    counted_by,
    google_models,
    ollama_client,
    openai_client,
    user,
    vectors_by,
)

BY_NAME = {sdk.name: sdk for sdk in SDKS}
EVERY = pytest.mark.parametrize("sdk", SDKS, ids=lambda sdk: sdk.name)
ACROSS = [(sdk, model) for sdk in SDKS for model in (OPENAI, ANTHROPIC) if sdk.name != "anthropic" or model != OPENAI]
"""Anthropic's requests say a length, with which only Anthropic's recordings were made."""


def some(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("sdk", [BY_NAME[name] for name in names], ids=lambda sdk: sdk.name)


def home(sdk: Sdk) -> str:
    return ANTHROPIC if sdk.name == "anthropic" else OPENAI


@pytest.mark.feature("unary")
@pytest.mark.parametrize(("sdk", "model"), ACROSS, ids=lambda value: getattr(value, "name", value))
async def test_an_sdk_asks_any_provider(door: Door, sdk: Sdk, model: str) -> None:
    assert "antiphon" in (await sdk.whole(door, model, WHAT)).lower()


@pytest.mark.feature("stream")
@pytest.mark.parametrize(("sdk", "model"), ACROSS, ids=lambda value: getattr(value, "name", value))
async def test_a_stream_says_in_pieces_what_the_whole_answer_says(door: Door, sdk: Sdk, model: str) -> None:
    pieces = await sdk.streamed(door, model, SING)
    assert len(pieces) > 20
    assert "".join(pieces) == await sdk.whole(door, model, SING)


@pytest.mark.feature("tools")
@EVERY
async def test_a_tool_is_called_and_its_result_used(door: Door, sdk: Sdk) -> None:
    assert "18 °C" in await sdk.uses_tool(door, home(sdk), WEATHER)


@pytest.mark.feature("tools")
@some("openai chat")
async def test_a_tool_of_one_vendors_sdk_is_called_by_another_vendors_model(door: Door, sdk: Sdk) -> None:
    assert "18 °C" in await sdk.uses_tool(door, ANTHROPIC, WEATHER)


@pytest.mark.feature("streamed call")
@EVERY
async def test_the_call_of_a_tool_comes_in_pieces(door: Door, sdk: Sdk) -> None:
    assert await sdk.streamed_call(door, home(sdk), WEATHER) == {"city": "Paris"}


@pytest.mark.feature("structured")
@EVERY
async def test_an_answer_comes_in_the_shape_that_was_asked_for(door: Door, sdk: Sdk) -> None:
    assert await sdk.parsed(door, home(sdk), authored.CITY) == City(city="Paris")


@pytest.mark.feature("image")
@EVERY
async def test_an_image_is_seen(door: Door, sdk: Sdk) -> None:
    assert await sdk.seen(door, home(sdk), authored.LOOK) == authored.SEEN


@pytest.mark.feature("vectors")
@some("openai chat", "google-genai", "ollama")
async def test_texts_become_vectors(door: Door, sdk: Sdk) -> None:
    vectors = await vectors_by(sdk.name, door, EMBEDDING_MODEL)
    assert [len(vector) for vector in vectors] == [1536] * len(SENTENCES)
    assert sum(number**2 for number in vectors[0]) == pytest.approx(1, rel=1e-3)


@pytest.mark.feature("count")
@some("openai responses", "anthropic", "google-genai")
async def test_tokens_are_counted_before_a_call(door: Door, sdk: Sdk) -> None:
    assert await counted_by(sdk.name, door, ANTHROPIC, authored.COUNTED) == authored.TOKENS


async def listed_by(sdk: Sdk, door: Door) -> set[str]:
    if sdk.name == "openai chat":
        async with openai_client(door) as ours:
            return {model.id async for model in ours.models.list()}
    if sdk.name == "anthropic":
        async with anthropic_client(door) as theirs:
            return {model.id async for model in theirs.models.list(limit=2)}
    if sdk.name == "google-genai":
        async with google_models(door) as models:
            return {model.name.removeprefix("models/") async for model in await models.list()}
    async with ollama_client(door) as client:
        return {model.model for model in (await client.list()).models}


@pytest.mark.feature("models")
@some("openai chat", "anthropic", "google-genai", "ollama")
async def test_the_models_of_every_provider_are_listed(door: Door, sdk: Sdk) -> None:
    assert {OPENAI, "anthropic/claude-haiku-4-5-20251001"} <= await listed_by(sdk, door)


@pytest.mark.feature("models")
@some("openai chat")
async def test_one_model_is_found(door: Door, sdk: Sdk) -> None:
    async with openai_client(door) as ours, anthropic_client(door) as theirs, google_models(door) as models:
        assert (await ours.models.retrieve(OPENAI)).id == OPENAI
        assert (await theirs.models.retrieve(OPENAI)).id == OPENAI
        assert (await models.get(model=OPENAI)).name == f"models/{OPENAI}"


@pytest.mark.feature("errors")
@pytest.mark.parametrize("status", [400, 404, 429, 500, 503])
@EVERY
async def test_what_a_provider_refuses_is_the_sdks_own_exception(door: Door, sdk: Sdk, status: int) -> None:
    with pytest.raises(sdk.raises[status], match=f"the provider says {status}") as caught:
        await sdk.whole(door, home(sdk), authored.FAILING[status])
    told = sdk.told(caught.value)
    assert told.status == status if status < 500 else told.status >= 500
    if status == 429 and sdk.name != "ollama":  # whose exceptions hold no headers
        assert told.retry_after == str(authored.RETRY_AFTER)


@pytest.mark.feature("errors")
@EVERY
async def test_a_key_that_nobody_knows_is_the_sdks_own_exception(door: Door, sdk: Sdk) -> None:
    with pytest.raises(sdk.raises[401], match="caller key") as caught:
        await sdk.whole(replace(door, key="ak-unknown"), home(sdk), WHAT)
    assert sdk.told(caught.value).status == 401


@pytest.mark.feature("errors")
@EVERY
async def test_an_unknown_model_is_the_sdks_own_exception(door: Door, sdk: Sdk) -> None:
    for model, words in (
        (f"{home(sdk).partition('/')[0]}/no-such-model", "no-such-model"),
        ("bare-name", "neither 'provider/model' nor an alias"),
    ):
        with pytest.raises(sdk.raises[404], match=words):
            await sdk.whole(door, model, WHAT)
        with pytest.raises(sdk.raises[404], match=words):
            await sdk.streamed(door, model, WHAT)


@pytest.mark.feature("errors")
@EVERY
async def test_a_stream_that_breaks_off_is_the_sdks_own_exception(door: Door, sdk: Sdk) -> None:
    with pytest.raises(sdk.broken, match="the provider says it broke"):
        await sdk.streamed(door, home(sdk), authored.BROKEN)


@pytest.mark.feature("functions")
@pytest.mark.parametrize("model", [OPENAI, ANTHROPIC])
@some("openai chat")
async def test_functions_of_old_are_still_called(door: Door, sdk: Sdk, model: str) -> None:
    async with openai_client(door) as client:
        asked: Any = {"model": model, "messages": user(WEATHER), "functions": [OpenAIChat.tool["function"]]}
        answer = (await client.chat.completions.create(**asked)).choices[0]
    assert answer.finish_reason == "function_call"
    assert answer.message.function_call is not None
    assert answer.message.function_call.arguments == '{"city":"Paris"}'
