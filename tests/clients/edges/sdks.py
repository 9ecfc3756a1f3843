"""The vendors' own SDKs, each behind the same few questions, so that one test asks all of them.

Nothing about a client is ours but its base URL and its key.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import anthropic
import ollama
import openai
import pydantic
from google import genai
from google.genai import errors as google_errors

from antiphon.cli.questions import SENTENCES, WEATHER_TOOL, weather_in

LENGTH = 4096
"""Anthropic's requests must say a length; the recordings were made with this one."""
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PIXEL_TEXT = base64.b64encode(PIXEL).decode()
TOOL_NAME = WEATHER_TOOL.function.name
TOOL_WORDS = WEATHER_TOOL.function.description
TOOL_SCHEMA: dict[str, Any] = json.loads(WEATHER_TOOL.function.parameters_schema_json)


class City(pydantic.BaseModel):
    """The shape that is asked for."""

    city: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Where the edges are, and a key that lets in."""

    url: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Raised:
    """What an SDK raised: the status that it tells, and when to come back if it tells."""

    status: int
    retry_after: str | None = None


class Sdk(Protocol):
    """One SDK at one edge."""

    name: str
    raises: Mapping[int, type[Exception]]
    """What it raises, by the status of an answer."""
    broken: type[Exception]
    """What it raises where a stream says that it failed."""

    async def whole(self, door: Door, model: str, text: str) -> str:
        """The answer to a question."""

    async def streamed(self, door: Door, model: str, text: str) -> list[str]:
        """The pieces of the answer."""

    async def uses_tool(self, door: Door, model: str, text: str) -> str:
        """The answer of a model that first calls the tool."""

    async def streamed_call(self, door: Door, model: str, text: str) -> Any:
        """The arguments of the tool's call, from a stream."""

    async def parsed(self, door: Door, model: str, text: str) -> City:
        """The answer in the shape of a city."""

    async def seen(self, door: Door, model: str, text: str) -> str:
        """The answer to a question about the pixel."""

    def told(self, error: Any) -> Raised:
        """What the SDK's exception says."""


@asynccontextmanager
async def openai_client(door: Door) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{door.url}/v1", api_key=door.key, max_retries=0) as client:
        yield client


@asynccontextmanager
async def anthropic_client(door: Door) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(base_url=door.url, api_key=door.key, max_retries=0) as client:
        yield client


@asynccontextmanager
async def google_models(door: Door) -> AsyncIterator[Any]:
    client: Any = genai.Client(api_key=door.key, http_options=genai.types.HttpOptions(base_url=door.url))
    try:
        yield client.aio.models
    finally:
        await client.aio.aclose()
        client.close()


@asynccontextmanager
async def ollama_client(door: Door) -> AsyncIterator[Any]:
    client: Any = ollama.AsyncClient(host=door.url, headers={"authorization": f"Bearer {door.key}"})
    try:
        yield client
    finally:
        await client.close()


def user(content: Any) -> Any:
    return [{"role": "user", "content": content}]


class OpenAIChat:
    """OpenAI's SDK, chat completions."""

    name = "openai chat"
    broken: type[Exception] = openai.APIError
    raises: Mapping[int, type[Exception]] = {
        400: openai.BadRequestError,
        401: openai.AuthenticationError,
        404: openai.NotFoundError,
        429: openai.RateLimitError,
        500: openai.InternalServerError,
        503: openai.InternalServerError,
    }
    tool: ClassVar[Any] = {
        "type": "function",
        "function": {"name": TOOL_NAME, "description": TOOL_WORDS, "parameters": TOOL_SCHEMA},
    }

    async def whole(self, door: Door, model: str, text: str) -> str:
        async with openai_client(door) as client:
            answer = await client.chat.completions.create(model=model, messages=user(text))
        assert answer.choices[0].finish_reason == "stop"
        assert answer.usage is not None
        assert answer.usage.total_tokens > 10
        return answer.choices[0].message.content or ""

    async def streamed(self, door: Door, model: str, text: str) -> list[str]:
        said, usage = [], []
        async with openai_client(door) as client:
            chunks = await client.chat.completions.create(
                model=model, messages=user(text), stream=True, stream_options={"include_usage": True}
            )
            async for chunk in chunks:
                said += [choice.delta.content for choice in chunk.choices if choice.delta.content]
                usage += [chunk.usage] if chunk.usage else []
        assert len(usage) == 1
        return said

    async def uses_tool(self, door: Door, model: str, text: str) -> str:
        messages = user(text)
        async with openai_client(door) as client:
            asked: Any = {"model": model, "messages": messages, "tools": [self.tool]}
            first = (await client.chat.completions.create(**asked)).choices[0]
            assert first.finish_reason == "tool_calls"
            calls = first.message.model_dump()["tool_calls"]
            messages.append({"role": "assistant", "content": None, "tool_calls": calls})
            for call in calls:
                result = json.dumps(weather_in(call["function"]["arguments"]))
                messages.append({"role": "tool", "tool_call_id": call["id"], "content": result})
            last = await client.chat.completions.create(**asked)
        return last.choices[0].message.content or ""

    async def streamed_call(self, door: Door, model: str, text: str) -> Any:
        async with (
            openai_client(door) as client,
            client.chat.completions.stream(model=model, messages=user(text), tools=[self.tool]) as stream,
        ):
            calls = (await stream.get_final_completion()).choices[0].message.tool_calls or []
        (call,) = calls
        assert call.function.name == TOOL_NAME
        return json.loads(call.function.arguments)

    async def parsed(self, door: Door, model: str, text: str) -> City:
        async with openai_client(door) as client:
            answer = await client.chat.completions.parse(model=model, messages=user(text), response_format=City)
        assert answer.choices[0].message.parsed is not None
        return answer.choices[0].message.parsed

    async def seen(self, door: Door, model: str, text: str) -> str:
        url = f"data:image/png;base64,{PIXEL_TEXT}"
        content = [{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": url}}]
        async with openai_client(door) as client:
            answer = await client.chat.completions.create(model=model, messages=user(content))
        return answer.choices[0].message.content or ""

    def told(self, error: Any) -> Raised:
        return Raised(status=error.status_code, retry_after=error.response.headers.get("retry-after"))


class OpenAIResponses:
    """OpenAI's SDK, responses."""

    name = "openai responses"
    broken: type[Exception] = openai.APIError
    raises = OpenAIChat.raises
    tool: ClassVar[Any] = {
        "type": "function",
        "name": TOOL_NAME,
        "description": TOOL_WORDS,
        "parameters": TOOL_SCHEMA,
        "strict": None,
    }

    async def whole(self, door: Door, model: str, text: str) -> str:
        async with openai_client(door) as client:
            answer = await client.responses.create(model=model, input=text)
        assert answer.status == "completed"
        assert answer.usage is not None
        assert answer.usage.total_tokens > 10
        return answer.output_text

    async def streamed(self, door: Door, model: str, text: str) -> list[str]:
        said = []
        async with openai_client(door) as client, client.responses.stream(model=model, input=text) as stream:
            async for event in stream:
                if event.type == "response.output_text.delta":
                    said.append(event.delta)
            assert (await stream.get_final_response()).output_text == "".join(said)
        return said

    async def uses_tool(self, door: Door, model: str, text: str) -> str:
        turns: Any = user(text)
        async with openai_client(door) as client:
            first = await client.responses.create(model=model, input=turns, tools=[self.tool])
            for item in first.output:
                assert item.type == "function_call"
                turns.append(item.model_dump(exclude_none=True))
                result = json.dumps(weather_in(item.arguments))
                turns.append({"type": "function_call_output", "call_id": item.call_id, "output": result})
            last = await client.responses.create(model=model, input=turns, tools=[self.tool])
        return last.output_text

    async def streamed_call(self, door: Door, model: str, text: str) -> Any:
        async with (
            openai_client(door) as client,
            client.responses.stream(model=model, input=text, tools=[self.tool]) as stream,
        ):
            (item,) = (await stream.get_final_response()).output
        assert item.type == "function_call"
        return json.loads(item.arguments)

    async def parsed(self, door: Door, model: str, text: str) -> City:
        async with openai_client(door) as client:
            parsed = (await client.responses.parse(model=model, input=text, text_format=City)).output_parsed
        assert parsed is not None
        return parsed

    async def seen(self, door: Door, model: str, text: str) -> str:
        url = f"data:image/png;base64,{PIXEL_TEXT}"
        content = [{"type": "input_text", "text": text}, {"type": "input_image", "image_url": url, "detail": "auto"}]
        async with openai_client(door) as client:
            return (await client.responses.create(model=model, input=user(content))).output_text

    def told(self, error: Any) -> Raised:
        return Raised(status=error.status_code, retry_after=error.response.headers.get("retry-after"))


class Anthropic:
    """Anthropic's SDK."""

    name = "anthropic"
    broken: type[Exception] = anthropic.APIError
    raises: Mapping[int, type[Exception]] = {
        400: anthropic.BadRequestError,
        401: anthropic.AuthenticationError,
        404: anthropic.NotFoundError,
        429: anthropic.RateLimitError,
        500: anthropic.InternalServerError,
        503: anthropic.InternalServerError,
    }
    tool: ClassVar[Any] = {"name": TOOL_NAME, "description": TOOL_WORDS, "input_schema": TOOL_SCHEMA}

    async def whole(self, door: Door, model: str, text: str) -> str:
        async with anthropic_client(door) as client:
            answer = await client.messages.create(model=model, max_tokens=LENGTH, messages=user(text))
        assert answer.stop_reason == "end_turn"
        assert answer.usage.output_tokens > 10
        return _text(answer)

    async def streamed(self, door: Door, model: str, text: str) -> list[str]:
        async with (
            anthropic_client(door) as client,
            client.messages.stream(model=model, max_tokens=LENGTH, messages=user(text)) as stream,
        ):
            said = [piece async for piece in stream.text_stream]
            assert (await stream.get_final_message()).usage.output_tokens > 10
        return said

    async def uses_tool(self, door: Door, model: str, text: str) -> str:
        messages = user(text)
        asked: Any = {"model": model, "max_tokens": LENGTH, "tools": [self.tool], "messages": messages}
        async with anthropic_client(door) as client:
            first = await client.messages.create(**asked)
            assert first.stop_reason == "tool_use"
            messages.append(
                {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in first.content]}
            )
            results = [
                {
                    "type": "tool_result",
                    "tool_use_id": block.id,
                    "content": json.dumps(weather_in(json.dumps(block.input))),
                }
                for block in first.content
                if block.type == "tool_use"
            ]
            messages.append({"role": "user", "content": results})
            return _text(await client.messages.create(**asked))

    async def streamed_call(self, door: Door, model: str, text: str) -> Any:
        async with (
            anthropic_client(door) as client,
            client.messages.stream(model=model, max_tokens=LENGTH, messages=user(text), tools=[self.tool]) as stream,
        ):
            (block,) = (await stream.get_final_message()).content
        assert block.type == "tool_use"
        return block.input

    async def parsed(self, door: Door, model: str, text: str) -> City:
        async with anthropic_client(door) as client:
            answer = await client.messages.parse(
                model=model, max_tokens=LENGTH, messages=user(text), output_format=City
            )
        assert answer.parsed_output is not None
        return answer.parsed_output

    async def seen(self, door: Door, model: str, text: str) -> str:
        source = {"type": "base64", "media_type": "image/png", "data": PIXEL_TEXT}
        content = [{"type": "text", "text": text}, {"type": "image", "source": source}]
        async with anthropic_client(door) as client:
            return _text(await client.messages.create(model=model, max_tokens=LENGTH, messages=user(content)))

    def told(self, error: Any) -> Raised:
        return Raised(status=error.status_code, retry_after=error.response.headers.get("retry-after"))


def _text(message: Any) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


class Google:
    """Google's SDK."""

    name = "google-genai"
    broken: type[Exception] = google_errors.APIError
    raises: Mapping[int, type[Exception]] = {
        **dict.fromkeys((400, 401, 404, 429), google_errors.ClientError),
        **dict.fromkeys((500, 503), google_errors.ServerError),
    }
    tools: ClassVar[Any] = [
        {
            "function_declarations": [
                {"name": TOOL_NAME, "description": TOOL_WORDS, "parameters_json_schema": TOOL_SCHEMA}
            ]
        }
    ]

    async def whole(self, door: Door, model: str, text: str) -> str:
        async with google_models(door) as models:
            answer = await models.generate_content(model=model, contents=text)
        assert answer.candidates[0].finish_reason == genai.types.FinishReason.STOP
        assert answer.usage_metadata.total_token_count > 10
        return str(answer.text)

    async def streamed(self, door: Door, model: str, text: str) -> list[str]:
        async with google_models(door) as models:
            chunks = [chunk async for chunk in await models.generate_content_stream(model=model, contents=text)]
        assert chunks[-1].usage_metadata.total_token_count > 10
        return [chunk.text for chunk in chunks if chunk.text]

    async def uses_tool(self, door: Door, model: str, text: str) -> str:
        config = genai.types.GenerateContentConfig(tools=self.tools)
        turns = [genai.types.Content(role="user", parts=[genai.types.Part(text=text)])]
        async with google_models(door) as models:
            first = await models.generate_content(model=model, contents=turns, config=config)
            turns.append(first.candidates[0].content)
            for call in first.function_calls:
                result = genai.types.FunctionResponse(
                    id=call.id, name=call.name, response=dict(weather_in(json.dumps(call.args)))
                )
                turns.append(genai.types.Content(role="user", parts=[genai.types.Part(function_response=result)]))
            return str((await models.generate_content(model=model, contents=turns, config=config)).text)

    async def streamed_call(self, door: Door, model: str, text: str) -> Any:
        config = genai.types.GenerateContentConfig(tools=self.tools)
        async with google_models(door) as models:
            stream = await models.generate_content_stream(model=model, contents=text, config=config)
            calls = [call async for chunk in stream for call in chunk.function_calls or ()]
        (call,) = calls
        return call.args

    async def parsed(self, door: Door, model: str, text: str) -> City:
        config = genai.types.GenerateContentConfig(response_mime_type="application/json", response_schema=City)
        async with google_models(door) as models:
            parsed = (await models.generate_content(model=model, contents=text, config=config)).parsed
        assert isinstance(parsed, City)
        return parsed

    async def seen(self, door: Door, model: str, text: str) -> str:
        image = genai.types.Part.from_bytes(data=PIXEL, mime_type="image/png")
        async with google_models(door) as models:
            return str((await models.generate_content(model=model, contents=[text, image])).text)

    def told(self, error: Any) -> Raised:
        return Raised(status=error.code, retry_after=error.response.headers.get("retry-after"))


class Ollama:
    """Ollama's SDK."""

    name = "ollama"
    broken: type[Exception] = ollama.ResponseError
    raises: Mapping[int, type[Exception]] = dict.fromkeys((400, 401, 404, 429, 500, 503), ollama.ResponseError)
    tool: ClassVar[Any] = OpenAIChat.tool

    async def whole(self, door: Door, model: str, text: str) -> str:
        async with ollama_client(door) as client:
            answer = await client.chat(model=model, messages=user(text))
        assert answer.done
        assert answer.eval_count > 10
        return str(answer.message.content)

    async def streamed(self, door: Door, model: str, text: str) -> list[str]:
        async with ollama_client(door) as client:
            lines = [line async for line in await client.chat(model=model, messages=user(text), stream=True)]
        assert lines[-1].done
        return [line.message.content for line in lines if line.message.content]

    async def uses_tool(self, door: Door, model: str, text: str) -> str:
        messages = user(text)
        async with ollama_client(door) as client:
            first = await client.chat(model=model, messages=messages, tools=[self.tool])
            messages.append(first.message)
            for call in first.message.tool_calls:
                result = json.dumps(weather_in(json.dumps(call.function.arguments)))
                messages.append({"role": "tool", "tool_name": call.function.name, "content": result})
            return str((await client.chat(model=model, messages=messages, tools=[self.tool])).message.content)

    async def streamed_call(self, door: Door, model: str, text: str) -> Any:
        async with ollama_client(door) as client:
            lines = await client.chat(model=model, messages=user(text), tools=[self.tool], stream=True)
            calls = [call async for line in lines for call in line.message.tool_calls or ()]
        (call,) = calls
        return call.function.arguments

    async def parsed(self, door: Door, model: str, text: str) -> City:
        async with ollama_client(door) as client:
            answer = await client.chat(model=model, messages=user(text), format=City.model_json_schema())
        return City.model_validate_json(answer.message.content)

    async def seen(self, door: Door, model: str, text: str) -> str:
        message = ollama.Message(role="user", content=text, images=[ollama.Image(value=PIXEL)])
        async with ollama_client(door) as client:
            return str((await client.chat(model=model, messages=[message])).message.content)

    def told(self, error: Any) -> Raised:
        return Raised(status=error.status_code)


SDKS: tuple[Sdk, ...] = (OpenAIChat(), OpenAIResponses(), Anthropic(), Google(), Ollama())


async def vectors_by(name: str, door: Door, model: str) -> list[list[float]]:
    """The vectors of the sentences, by the SDKs that have such a call."""
    texts = list(SENTENCES)
    if name == "openai chat":
        async with openai_client(door) as client:
            return [item.embedding for item in (await client.embeddings.create(model=model, input=texts)).data]
    if name == "google-genai":
        async with google_models(door) as models:
            answer = await models.embed_content(model=model, contents=texts)
            return [item.values for item in answer.embeddings]
    async with ollama_client(door) as client:
        return [list(vector) for vector in (await client.embed(model=model, input=texts)).embeddings]


async def counted_by(name: str, door: Door, model: str, text: str) -> int:
    """The tokens of a question, by the SDKs that have such a call."""
    if name == "openai responses":
        async with openai_client(door) as client:
            return (await client.responses.input_tokens.count(model=model, input=text)).input_tokens
    if name == "anthropic":
        async with anthropic_client(door) as theirs:
            return (await theirs.messages.count_tokens(model=model, messages=user(text))).input_tokens
    async with google_models(door) as models:
        return int((await models.count_tokens(model=model, contents=text)).total_tokens)
