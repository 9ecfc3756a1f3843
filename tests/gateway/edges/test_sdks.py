"""Each vendor's SDK raises its own exceptions for our errors, and takes our answers."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anthropic
import ollama
import openai
import pydantic
import pytest
from google import genai
from google.genai import errors as google_errors

from antiphon.core.auth import hash_of, new_key
from antiphon.core.errors import Reason
from tests.gateway.edges.opened import Opened, opened

KEY = new_key()
R = Reason
Ask = Callable[[Opened, str], Awaitable[Any]]


def _openai(edge: Opened, key: str = "none") -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"http://{edge.listener.address}/v1", api_key=key, max_retries=0)


def _anthropic(edge: Opened, key: str = "none") -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(base_url=f"http://{edge.listener.address}", api_key=key, max_retries=0)


@asynccontextmanager
async def _google(edge: Opened, key: str = "none", version: str | None = None) -> AsyncIterator[Any]:
    options = genai.types.HttpOptions(base_url=f"http://{edge.listener.address}", api_version=version)
    client: Any = genai.Client(api_key=key, http_options=options)
    try:
        yield client.aio.models
    finally:
        await client.aio.aclose()
        client.close()


@asynccontextmanager
async def _ollama(edge: Opened) -> AsyncIterator[Any]:
    client: Any = ollama.AsyncClient(host=f"http://{edge.listener.address}")
    try:
        yield client
    finally:
        await client.close()


async def ask_openai(edge: Opened, text: str) -> Any:
    async with _openai(edge) as client:
        return await client.chat.completions.create(model="echo/words", messages=[{"role": "user", "content": text}])


async def ask_responses(edge: Opened, text: str) -> Any:
    async with _openai(edge) as client:
        return await client.responses.create(model="echo/words", input=text)


async def ask_anthropic(edge: Opened, text: str) -> Any:
    async with _anthropic(edge) as client:
        messages: Any = [{"role": "user", "content": text}]
        return await client.messages.create(model="echo/words", max_tokens=10, messages=messages)


async def ask_google(edge: Opened, text: str) -> Any:
    async with _google(edge) as models:
        return await models.generate_content(model="echo/words", contents=text)


async def ask_google_beta(edge: Opened, text: str) -> Any:
    async with _google(edge, version="v1beta") as models:
        return await models.generate_content(model="echo/words", contents=text)


async def ask_ollama(edge: Opened, text: str) -> Any:
    async with _ollama(edge) as client:
        return await client.chat(model="echo/words", messages=[{"role": "user", "content": text}])


@pytest.mark.parametrize(
    ("ask", "reason", "raised"),
    [
        (ask_openai, R.INVALID_REQUEST, openai.BadRequestError),
        (ask_openai, R.UNAUTHENTICATED, openai.AuthenticationError),
        (ask_openai, R.PERMISSION_DENIED, openai.PermissionDeniedError),
        (ask_openai, R.MODEL_NOT_FOUND, openai.NotFoundError),
        (ask_openai, R.RATE_LIMIT_EXCEEDED, openai.RateLimitError),
        (ask_openai, R.INTERNAL, openai.InternalServerError),
        (ask_responses, R.RATE_LIMIT_EXCEEDED, openai.RateLimitError),
        (ask_anthropic, R.INVALID_REQUEST, anthropic.BadRequestError),
        (ask_anthropic, R.UNAUTHENTICATED, anthropic.AuthenticationError),
        (ask_anthropic, R.PERMISSION_DENIED, anthropic.PermissionDeniedError),
        (ask_anthropic, R.MODEL_NOT_FOUND, anthropic.NotFoundError),
        (ask_anthropic, R.MESSAGE_TOO_LARGE, anthropic.APIStatusError),
        (ask_anthropic, R.RATE_LIMIT_EXCEEDED, anthropic.RateLimitError),
        (ask_anthropic, R.OVERLOADED, anthropic.InternalServerError),
        (ask_google, R.INVALID_REQUEST, google_errors.ClientError),
        (ask_google, R.RATE_LIMIT_EXCEEDED, google_errors.ClientError),
        (ask_google_beta, R.INVALID_REQUEST, google_errors.ClientError),
        (ask_google, R.OVERLOADED, google_errors.ServerError),
        (ask_ollama, R.MODEL_NOT_FOUND, ollama.ResponseError),
        (ask_ollama, R.INTERNAL, ollama.ResponseError),
    ],
)
async def test_an_sdk_raises_its_own_exception(ask: Ask, reason: Reason, raised: type[Exception]) -> None:
    async with opened() as edge:
        with pytest.raises(raised) as caught:
            await ask(edge, f"!{reason.value}")
    assert f"told to fail with {reason.value}" in str(caught.value)


@pytest.mark.parametrize("ask", [ask_openai, ask_responses, ask_anthropic, ask_google, ask_ollama])
async def test_an_sdk_takes_an_answer_that_lacks_what_its_vendor_always_says(ask: Ask) -> None:
    async with opened() as edge:
        answer = await ask(edge, "sing to me")
    whole = answer.model_dump(mode="json")
    type(answer).model_validate(whole)  # strictly: SDKs themselves take whatever comes
    assert "sing to me" in str(whole)


async def test_an_error_in_a_stream_is_raised_by_the_sdk() -> None:
    text = "one two !OVERLOADED"
    async with opened() as edge:
        with pytest.raises(openai.APIError, match="told to fail"):
            async with _openai(edge) as client:
                chunks = await client.chat.completions.create(
                    model="echo/words", messages=[{"role": "user", "content": text}], stream=True
                )
                async for _ in chunks:
                    pass
        with pytest.raises(anthropic.APIError, match="told to fail"):
            async with (
                _anthropic(edge) as theirs,
                theirs.messages.stream(
                    model="echo/words", max_tokens=10, messages=[{"role": "user", "content": text}]
                ) as stream,
            ):
                async for _ in stream:
                    pass
        with pytest.raises(google_errors.APIError, match="told to fail"):
            async with _google(edge) as models:
                async for _ in await models.generate_content_stream(model="echo/words", contents=text):
                    pass
        with pytest.raises(ollama.ResponseError, match="told to fail"):
            async with _ollama(edge) as client:
                messages = [{"role": "user", "content": text}]
                async for _ in await client.chat(model="echo/words", messages=messages, stream=True):
                    pass
    assert edge.choir.running == 0


async def test_each_sdks_own_key_lets_in() -> None:
    async with opened(keys={hash_of(KEY): "team-a"}) as edge:
        async with _openai(edge, KEY) as ours, _anthropic(edge, KEY) as theirs:
            assert [model.id for model in (await ours.models.list()).data] == ["echo/words"]
            assert [model.id for model in (await theirs.models.list()).data] == ["echo/words"]
        async with _openai(edge, "ak-wrong") as stranger:
            with pytest.raises(openai.AuthenticationError):
                await stranger.models.list()
        async with _google(edge, KEY) as models:
            assert (await models.get(model="echo/words")).name == "models/echo/words"
        async with _google(edge, "ak-wrong") as models:
            with pytest.raises(google_errors.ClientError):
                await models.get(model="echo/words")


async def test_an_sdk_sends_again_what_is_worth_it_and_nothing_else() -> None:
    async with opened() as edge:
        base = f"http://{edge.listener.address}/v1"
        for reason, calls in ((R.OVERLOADED, 2), (R.OUTCOME_UNKNOWN, 1)):
            edge.choir.calls.clear()
            async with openai.AsyncOpenAI(base_url=base, api_key="x", max_retries=1) as client:
                with pytest.raises(openai.APIStatusError):
                    await client.chat.completions.create(
                        model="echo/words", messages=[{"role": "user", "content": f"!{reason.value}"}]
                    )
            assert len(edge.choir.calls) == calls


PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


class City(pydantic.BaseModel):
    """What is asked for."""

    city: str


async def see_openai(edge: Opened) -> None:
    url = f"data:image/png;base64,{base64.b64encode(PIXEL).decode()}"
    content: Any = [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": url}}]
    async with _openai(edge) as client:
        await client.chat.completions.create(model="echo/words", messages=[{"role": "user", "content": content}])


async def see_responses(edge: Opened) -> None:
    url = f"data:image/png;base64,{base64.b64encode(PIXEL).decode()}"
    content: Any = [{"type": "input_text", "text": "look"}, {"type": "input_image", "image_url": url, "detail": "auto"}]
    async with _openai(edge) as client:
        await client.responses.create(model="echo/words", input=[{"role": "user", "content": content}])


async def see_anthropic(edge: Opened) -> None:
    data = base64.b64encode(PIXEL).decode()
    source = {"type": "base64", "media_type": "image/png", "data": data}
    content: Any = [{"type": "text", "text": "look"}, {"type": "image", "source": source}]
    async with _anthropic(edge) as client:
        messages: Any = [{"role": "user", "content": content}]
        await client.messages.create(model="echo/words", max_tokens=10, messages=messages)


async def see_google(edge: Opened) -> None:
    image = genai.types.Part.from_bytes(data=PIXEL, mime_type="image/png")
    async with _google(edge) as models:
        await models.generate_content(model="echo/words", contents=["look", image])


async def see_ollama(edge: Opened) -> None:
    async with _ollama(edge) as client:
        message = ollama.Message(role="user", content="look", images=[ollama.Image(value=PIXEL)])
        await client.chat(model="echo/words", messages=[message])


@pytest.mark.parametrize("see", [see_openai, see_responses, see_anthropic, see_google, see_ollama])
async def test_an_image_reaches_the_backend_as_it_was(see: Callable[[Opened], Awaitable[None]]) -> None:
    async with opened() as edge:
        await see(edge)
    text, image = edge.choir.specs[0].messages[-1].parts
    assert text.text.text == "look"
    assert image.media.data == PIXEL
    assert image.media.media_type == "image/png"


async def shape_openai(edge: Opened, text: str) -> Any:
    async with _openai(edge) as client:
        answer = await client.chat.completions.parse(
            model="echo/words", messages=[{"role": "user", "content": text}], response_format=City
        )
        return answer.choices[0].message.parsed


async def shape_responses(edge: Opened, text: str) -> Any:
    async with _openai(edge) as client:
        return (await client.responses.parse(model="echo/words", input=text, text_format=City)).output_parsed


async def shape_anthropic(edge: Opened, text: str) -> Any:
    async with _anthropic(edge) as client:
        messages: Any = [{"role": "user", "content": text}]
        answer = await client.messages.parse(model="echo/words", max_tokens=9, messages=messages, output_format=City)
        return answer.parsed_output


async def shape_google(edge: Opened, text: str) -> Any:
    config = genai.types.GenerateContentConfig(response_mime_type="application/json", response_schema=City)
    async with _google(edge) as models:
        return (await models.generate_content(model="echo/words", contents=text, config=config)).parsed


async def shape_ollama(edge: Opened, text: str) -> Any:
    async with _ollama(edge) as client:
        schema = City.model_json_schema()
        answer = await client.chat(model="echo/words", messages=[{"role": "user", "content": text}], format=schema)
        return City.model_validate_json(answer.message.content or "")


@pytest.mark.parametrize("shape", [shape_openai, shape_responses, shape_anthropic, shape_google, shape_ollama])
async def test_a_wanted_shape_reaches_the_backend_and_the_answer_is_parsed(shape: Ask) -> None:
    async with opened() as edge:
        assert await shape(edge, '{"city":"Paris"}') == City(city="Paris")
    wanted = json.loads(edge.choir.specs[0].response_format.json_schema.schema_json)
    assert list(wanted["properties"]) == ["city"]
    assert wanted["required"] == ["city"]


async def test_ollamas_sdk_gets_the_call_of_a_tool() -> None:
    tool = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}
    async with opened() as edge, _ollama(edge) as client:
        answer = await client.chat(model="echo/words", messages=[{"role": "user", "content": "hi"}], tools=[tool])
    (call,) = answer.message.tool_calls
    assert (call.function.name, call.function.arguments) == ("get_weather", {"city": "Paris"})
