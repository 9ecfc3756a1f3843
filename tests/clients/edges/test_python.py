"""The vendors' own Python SDKs against the whole suite, which replays recorded answers through the real adapter.

Nothing about a client but its base URL is ours, and each SDK talks to each provider.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anthropic
import ollama
import openai
import pytest
from google import genai
from google.genai import errors as google_errors

from antiphon.cli.questions import ANTHROPIC, EMBEDDING_MODEL, OPENAI, SENTENCES, SING, WEATHER, WHAT, weather_in

FUNCTION: dict[str, Any] = {
    "name": "get_weather",
    "description": "The weather in a city now.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string", "description": "Name of the city."}},
        "required": ["city"],
        "additionalProperties": False,
    },
}
ANTHROPICS_LENGTH = 4096
"""Anthropic's requests must say a length; the recordings were made with this one."""

Ask = Callable[[str, str, str], Awaitable[str]]


def user(text: str) -> Any:
    return [{"role": "user", "content": text}]


@asynccontextmanager
async def google_models(base_url: str) -> AsyncIterator[Any]:
    client: Any = genai.Client(api_key="none", http_options=genai.types.HttpOptions(base_url=base_url))
    try:
        yield client.aio.models
    finally:
        await client.aio.aclose()
        client.close()


@asynccontextmanager
async def ollama_client(base_url: str) -> AsyncIterator[Any]:
    client: Any = ollama.AsyncClient(host=base_url)
    try:
        yield client
    finally:
        await client.close()


def openai_client(base_url: str) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{base_url}/v1", api_key="none", max_retries=0)


def anthropic_client(base_url: str) -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(base_url=base_url, api_key="none", max_retries=0)


async def by_openai(base_url: str, model: str, text: str) -> str:
    async with openai_client(base_url) as client:
        answer = await client.chat.completions.create(model=model, messages=user(text))
    assert answer.usage is not None
    assert answer.usage.total_tokens > 10
    return answer.choices[0].message.content or ""


async def by_responses(base_url: str, model: str, text: str) -> str:
    async with openai_client(base_url) as client:
        answer = await client.responses.create(model=model, input=text)
    assert answer.status == "completed"
    return answer.output_text


async def by_anthropic(base_url: str, model: str, text: str) -> str:
    async with anthropic_client(base_url) as client:
        answer = await client.messages.create(model=model, max_tokens=ANTHROPICS_LENGTH, messages=user(text))
    assert answer.stop_reason == "end_turn"
    return "".join(block.text for block in answer.content if block.type == "text")


async def by_google(base_url: str, model: str, text: str) -> str:
    async with google_models(base_url) as models:
        answer = await models.generate_content(model=model, contents=text)
    assert answer.candidates[0].finish_reason == genai.types.FinishReason.STOP
    return str(answer.text)


async def by_ollama(base_url: str, model: str, text: str) -> str:
    async with ollama_client(base_url) as client:
        answer = await client.chat(model=model, messages=user(text))
    assert answer.done
    return str(answer.message.content)


async def streamed_by_openai(base_url: str, model: str, text: str) -> str:
    said, usage = "", []
    async with openai_client(base_url) as client:
        chunks = await client.chat.completions.create(
            model=model, messages=user(text), stream=True, stream_options={"include_usage": True}
        )
        async for chunk in chunks:
            said += "".join(choice.delta.content or "" for choice in chunk.choices)
            usage += [chunk.usage] if chunk.usage else []
    assert len(usage) == 1
    return said


async def streamed_by_responses(base_url: str, model: str, text: str) -> str:
    async with (
        openai_client(base_url) as client,
        client.responses.stream(model=model, input=text) as stream,
    ):
        async for _ in stream:
            pass
        return (await stream.get_final_response()).output_text


async def streamed_by_anthropic(base_url: str, model: str, text: str) -> str:
    async with (
        anthropic_client(base_url) as client,
        client.messages.stream(model=model, max_tokens=ANTHROPICS_LENGTH, messages=user(text)) as stream,
    ):
        said = "".join([piece async for piece in stream.text_stream])
        assert (await stream.get_final_message()).usage.output_tokens > 10
        return said


async def streamed_by_google(base_url: str, model: str, text: str) -> str:
    async with google_models(base_url) as models:
        chunks = [chunk async for chunk in await models.generate_content_stream(model=model, contents=text)]
    assert chunks[-1].usage_metadata.total_token_count > 10
    return "".join(chunk.text or "" for chunk in chunks)


async def streamed_by_ollama(base_url: str, model: str, text: str) -> str:
    async with ollama_client(base_url) as client:
        lines = [line async for line in await client.chat(model=model, messages=user(text), stream=True)]
    assert lines[-1].done
    return "".join(line.message.content or "" for line in lines)


ALL: list[tuple[Ask, str]] = [
    (by_openai, OPENAI),
    (by_openai, ANTHROPIC),
    (by_responses, OPENAI),
    (by_responses, ANTHROPIC),
    (by_anthropic, ANTHROPIC),
    (by_google, OPENAI),
    (by_google, ANTHROPIC),
    (by_ollama, OPENAI),
    (by_ollama, ANTHROPIC),
]
STREAMED: dict[Ask, Ask] = {
    by_openai: streamed_by_openai,
    by_responses: streamed_by_responses,
    by_anthropic: streamed_by_anthropic,
    by_google: streamed_by_google,
    by_ollama: streamed_by_ollama,
}


@pytest.mark.parametrize(("ask", "model"), ALL)
async def test_an_sdk_asks_any_provider(base_url: str, ask: Ask, model: str) -> None:
    assert "antiphon" in (await ask(base_url, model, WHAT)).lower()


@pytest.mark.parametrize(("ask", "model"), ALL)
async def test_a_stream_says_what_the_whole_answer_says(base_url: str, ask: Ask, model: str) -> None:
    whole = await ask(base_url, model, SING)
    assert len(whole) > 50
    assert await STREAMED[ask](base_url, model, SING) == whole


@pytest.mark.parametrize("model", [OPENAI, ANTHROPIC])
async def test_openais_sdk_calls_a_tool_and_uses_its_result(base_url: str, model: str) -> None:
    messages = user(WEATHER)
    tools: Any = [{"type": "function", "function": FUNCTION}]
    async with openai_client(base_url) as client:
        first = (await client.chat.completions.create(model=model, messages=messages, tools=tools)).choices[0]
        assert first.finish_reason == "tool_calls"
        messages.append({"role": "assistant", "content": None, "tool_calls": first.message.model_dump()["tool_calls"]})
        for call in first.message.tool_calls or ():
            assert call.type == "function"
            result = json.dumps(weather_in(call.function.arguments))
            messages.append({"role": "tool", "tool_call_id": call.id, "content": result, "name": call.function.name})
        last = await client.chat.completions.create(model=model, messages=messages, tools=tools)
    assert "Paris" in (last.choices[0].message.content or "")


async def test_anthropics_sdk_calls_a_tool_and_uses_its_result(base_url: str) -> None:
    messages = user(WEATHER)
    schema = FUNCTION["parameters"]
    tools: Any = [{"name": FUNCTION["name"], "description": FUNCTION["description"], "input_schema": schema}]
    async with anthropic_client(base_url) as client:
        asked: Any = {"model": ANTHROPIC, "max_tokens": ANTHROPICS_LENGTH, "tools": tools}
        first = await client.messages.create(messages=messages, **asked)
        assert first.stop_reason == "tool_use"
        calls = [block for block in first.content if block.type == "tool_use"]
        said: Any = [block.model_dump(exclude_none=True) for block in first.content]
        messages.append({"role": "assistant", "content": said})
        results = [
            {"type": "tool_result", "tool_use_id": call.id, "content": json.dumps(weather_in(json.dumps(call.input)))}
            for call in calls
        ]
        messages.append({"role": "user", "content": results})
        last = await client.messages.create(messages=messages, **asked)
    assert "Paris" in "".join(block.text for block in last.content if block.type == "text")


@pytest.mark.parametrize("model", [OPENAI, ANTHROPIC])
async def test_other_sdks_get_the_call_of_a_tool(base_url: str, model: str) -> None:
    async with openai_client(base_url) as client:
        tool: Any = {"type": "function", "strict": None, **FUNCTION}
        answer = await client.responses.create(model=model, input=WEATHER, tools=[tool])
    assert [item.arguments for item in answer.output if item.type == "function_call"] == ['{"city":"Paris"}']

    declared = {
        "name": FUNCTION["name"],
        "description": FUNCTION["description"],
        "parameters_json_schema": FUNCTION["parameters"],
    }
    tools: Any = [{"function_declarations": [declared]}]
    config = genai.types.GenerateContentConfig(tools=tools)
    async with google_models(base_url) as models:
        told = await models.generate_content(model=model, contents=WEATHER, config=config)
    assert [call.args for call in told.function_calls] == [{"city": "Paris"}]


async def test_vectors_come_in_both_encodings(base_url: str) -> None:
    async with openai_client(base_url) as client:
        floats = await client.embeddings.create(model=EMBEDDING_MODEL, input=list(SENTENCES), encoding_format="float")
        packed = await client.embeddings.create(model=EMBEDDING_MODEL, input=list(SENTENCES))
    assert len(floats.data) == len(SENTENCES)
    for plain, unpacked in zip(floats.data, packed.data, strict=True):
        assert plain.embedding == pytest.approx(unpacked.embedding, rel=1e-6)


async def test_every_sdk_lists_the_models_of_every_provider(base_url: str) -> None:
    async with openai_client(base_url) as ours, anthropic_client(base_url) as theirs, google_models(base_url) as models:
        listed = {model.id for model in (await ours.models.list()).data}
        assert OPENAI in listed
        assert {model.id async for model in theirs.models.list(limit=2)} == listed
        assert (await ours.models.retrieve(OPENAI)).id == OPENAI
        assert (await theirs.models.retrieve(OPENAI)).id == OPENAI
        assert {model.name.removeprefix("models/") async for model in await models.list()} == listed
    async with ollama_client(base_url) as client:
        assert {model.model for model in (await client.list()).models} == listed


async def test_an_unknown_model_is_each_sdks_own_error(base_url: str) -> None:
    async with openai_client(base_url) as client:
        with pytest.raises(openai.NotFoundError, match="no-such-model"):
            await client.chat.completions.create(model="openai/no-such-model", messages=user(WHAT))
        with pytest.raises(openai.NotFoundError, match="no-such-model"):
            await client.chat.completions.create(model="openai/no-such-model", messages=user(WHAT), stream=True)
        with pytest.raises(openai.NotFoundError, match="neither 'provider/model' nor an alias"):
            await client.chat.completions.create(model="gpt-4o-mini", messages=user(WHAT))
    async with anthropic_client(base_url) as theirs:
        asked: Any = {"model": "anthropic/no-such-model", "max_tokens": ANTHROPICS_LENGTH, "messages": user(WHAT)}
        with pytest.raises(anthropic.NotFoundError, match="no-such-model"):
            await theirs.messages.create(**asked)
    async with google_models(base_url) as models:
        with pytest.raises(google_errors.ClientError, match="no-such-model"):
            await models.generate_content(model="openai/no-such-model", contents=WHAT)
