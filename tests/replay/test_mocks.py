"""Mocks in our own words, read back by the wires and by the vendors' SDKs."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anthropic
import httpx
import openai
import pytest
from google import genai

from antiphon.core.errors import ServiceError
from antiphon.core.fold import fold
from antiphon.harness import Answer, RecordedRequest, RecordingCall, RecordingMissing
from antiphon.harness.controls import Controls
from antiphon.harness.requestfilter import RequestFilter
from antiphon.harness.server import KNOWN, ReplayApp, ReplayListener, upstreams
from antiphon.replay.formats import BY_NAME, FORMATS, ChatFormat, EmbeddingsFormat, asked_in
from antiphon.replay.mocks import MockUnfit, made_vector, mock_handler
from antiphon.v1 import chat_pb2, content_pb2, embeddings_pb2, harness_pb2
from antiphon.wire.base import HttpReply

OPENAI = "https://api.openai.com/v1/chat/completions"
CHATS = [each for each in FORMATS if isinstance(each, ChatFormat)]
VECTORS = [each for each in FORMATS if isinstance(each, EmbeddingsFormat)]
BASES = {
    "openai_chat": "https://api.openai.com/v1",
    "openai_responses": "https://api.openai.com/v1",
    "openai_embeddings": "https://api.openai.com/v1",
    "anthropic_messages": "https://api.anthropic.com",
    "ollama_embeddings": "http://127.0.0.1:11434",
}


def chat_mock(**more: Any) -> harness_pb2.Mock:
    mock = harness_pb2.Mock()
    mock.chat.pieces.add(text="Good ")
    mock.chat.pieces.add(text="day")
    call = mock.chat.pieces.add()
    call.tool_call.name = "weather"
    call.tool_call.arguments_json = '{"city":"Rome"}'
    for number, seconds in enumerate(more.get("delays", ())):
        mock.chat.pieces[number].delay.FromNanoseconds(int(seconds * 1e9))
    return mock


def question(model: str) -> chat_pb2.ChatSpec:
    spec = chat_pb2.ChatSpec(model=model, max_output_tokens=20)
    spec.messages.add(role=content_pb2.ROLE_USER).parts.add().text.text = "How are you?"
    return spec


@asynccontextmanager
async def client(folder: Path, mock: harness_pb2.Mock, **match: Any) -> AsyncIterator[httpx.AsyncClient]:
    controls = Controls()
    controls.mocks.add(mock_handler(mock), RequestFilter(**match))
    async with httpx.AsyncClient(transport=controls.transport(folder)) as http:
        yield http


@asynccontextmanager
async def served(folder: Path, mock: harness_pb2.Mock) -> AsyncIterator[str]:
    controls = Controls()
    controls.mocks.add(mock_handler(mock))
    transport = controls.transport(folder)
    async with ReplayListener(ReplayApp(transport, upstreams(KNOWN))) as listener:
        yield listener.url
    await transport.aclose()


def reply_of(response: httpx.Response) -> HttpReply:
    return HttpReply(status=response.status_code, body=response.content, headers=dict(response.headers))


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("chosen", CHATS, ids=lambda each: each.name)
async def test_one_mock_answers_in_every_chat_format(chosen: ChatFormat, tmp_path: Path, *, stream: bool) -> None:
    model = "anthropic.claude-x" if chosen.name.startswith("bedrock") else "some-model"
    call = chosen.wire.encode_request(question(model), stream=stream)
    base = BASES.get(chosen.name, "https://host.test")
    path = call.path if call.path.startswith("/") else f"/{call.path}"
    async with client(tmp_path, chat_mock()) as http:
        response = await http.request(call.method, base + path, content=call.body, headers=dict(call.headers))
    assert response.status_code == 200
    if stream:
        decoder = chosen.wire.stream_decoder()
        completion = fold([*decoder.feed(response.content), *decoder.close()])
    else:
        completion = chosen.wire.decode_response(reply_of(response))
    parts = [part for message in completion.outputs[0].messages for part in message.parts]
    assert "".join(part.text.text for part in parts) == "Good day"
    (found,) = [part.tool_call for part in parts if part.HasField("tool_call")]
    assert (found.name, json.loads(found.arguments_json)) == ("weather", {"city": "Rome"})
    assert completion.outputs[0].finish_reason == chat_pb2.FINISH_REASON_TOOL_CALLS
    assert (completion.usage.input_tokens, completion.usage.output_tokens) == (3, 3)


@pytest.mark.parametrize("chosen", VECTORS, ids=lambda each: each.name)
async def test_one_mock_gives_vectors_in_every_format(chosen: EmbeddingsFormat, tmp_path: Path) -> None:
    wire: Any = chosen.wire
    model = "amazon.titan-embed-text-v2:0" if chosen.name.startswith("bedrock") else "some-embed"
    request = embeddings_pb2.EmbedRequest(model=model, inputs=[embeddings_pb2.EmbedInput(text="a")])
    if chosen.name.startswith("cohere"):
        request.task_type = embeddings_pb2.TASK_TYPE_RETRIEVAL_QUERY
    call = wire.encode_request(request)
    mock = harness_pb2.Mock()
    mock.embeddings.vectors.add(values=[0.5, -0.25])
    async with client(tmp_path, mock) as http:
        base = BASES.get(chosen.name, "https://host.test")
        response = await http.request(call.method, base + call.path, content=call.body, headers=dict(call.headers))
    (vector,) = wire.decode_response(reply_of(response)).embeddings
    assert list(vector.float32.values or vector.float64.values) == [0.5, -0.25]


def test_made_vectors_are_the_same_for_the_same_content_and_have_length_one() -> None:
    assert made_vector(b"a", 100) == made_vector(b"a", 100)
    assert made_vector(b"a", 10) != made_vector(b"b", 10)
    assert sum(value * value for value in made_vector(b"a", 77)) == pytest.approx(1.0)


async def test_any_completion_answers_whole_and_streamed(tmp_path: Path) -> None:
    mock = harness_pb2.Mock()
    mock.completion.id = "c-1"
    mock.completion.model = "m"
    output = mock.completion.outputs.add(finish_reason=chat_pb2.FINISH_REASON_LENGTH)
    output.messages.add(role=content_pb2.ROLE_ASSISTANT).parts.add().text.text = "cut sh"
    chosen = BY_NAME["anthropic_messages"]
    assert isinstance(chosen, ChatFormat)
    async with client(tmp_path, mock) as http:
        for stream in (False, True):
            call = chosen.wire.encode_request(question("m"), stream=stream)
            response = await http.post("https://api.anthropic.com/v1/messages", content=call.body)
            assert b"cut sh" in response.content
            assert b'"max_tokens"' in response.content


@pytest.mark.parametrize(("stream", "delays", "head"), [(True, [10.0, 20.0, 30.0], 0.0), (False, [], 60.0)])
def test_pieces_come_at_their_times_and_a_whole_answer_after_all_of_them(
    delays: list[float], head: float, *, stream: bool
) -> None:
    handler = mock_handler(chat_mock(delays=[0.01, 0.02, 0.03]))
    chosen = BY_NAME["openai_chat"]
    assert isinstance(chosen, ChatFormat)
    body = chosen.wire.encode_request(question("m"), stream=stream).body
    answer = handler(RecordedRequest(method="POST", url=OPENAI, body=body), RecordingCall())
    assert isinstance(answer, Answer)
    assert [delay for delay, _ in answer.chunks or () if delay] == delays
    assert answer.headers_ms == head


async def test_a_mock_of_chats_leaves_other_requests_alone(tmp_path: Path) -> None:
    async with client(tmp_path, chat_mock()) as http:
        with pytest.raises(RecordingMissing):
            await http.get("https://api.openai.com/v1/models")
        with pytest.raises(MockUnfit, match="messages"):
            await http.post(OPENAI, json={"model": "m", "messages": "no list"})


@pytest.mark.parametrize(
    ("mock", "field"),
    [
        (harness_pb2.Mock(), "mock"),
        (harness_pb2.Mock(chat=harness_pb2.MockChat()), "mock.chat.pieces"),
        (harness_pb2.Mock(chat=harness_pb2.MockChat(pieces=[harness_pb2.MockPiece()])), "mock.chat.pieces"),
        (harness_pb2.Mock(error=harness_pb2.MockError(status=200)), "mock.error.status"),
        (harness_pb2.Mock(http=harness_pb2.MockHttp(status=99)), "mock.http.status"),
        (harness_pb2.Mock(embeddings=harness_pb2.MockEmbeddings(dimensions=-1)), "mock.embeddings.dimensions"),
    ],
)
def test_a_mock_that_can_never_answer_is_refused_at_once(mock: harness_pb2.Mock, field: str) -> None:
    with pytest.raises(ServiceError) as refused:
        mock_handler(mock)
    assert refused.value.violations[0].field.startswith(field)


def test_a_request_of_no_known_format_is_none_in_our_words() -> None:
    assert asked_in(RecordedRequest(method="GET", url="https://api.openai.com/v1/models")) == ("", None)


async def test_openais_sdk_reads_a_mock(tmp_path: Path) -> None:
    async with (
        served(tmp_path, chat_mock()) as url,
        openai.AsyncOpenAI(base_url=f"{url}/openai/v1", api_key="k") as sdk,
    ):
        messages: Any = [{"role": "user", "content": "How are you?"}]
        answer = await sdk.chat.completions.create(model="gpt-x", messages=messages)
        assert (answer.model, answer.choices[0].message.content) == ("gpt-x", "Good day")
        assert answer.choices[0].finish_reason == "tool_calls"
        stream = await sdk.chat.completions.create(model="gpt-x", messages=messages, stream=True)
        text = [chunk.choices[0].delta.content or "" async for chunk in stream]
        assert "".join(text) == "Good day"
        response = await sdk.responses.create(model="gpt-x", input="How are you?")
        assert response.output_text == "Good day"


async def test_openais_sdk_reads_vectors_of_a_mock_packed_as_it_asks(tmp_path: Path) -> None:
    mock = harness_pb2.Mock()
    mock.embeddings.dimensions = 5
    async with served(tmp_path, mock) as url, openai.AsyncOpenAI(base_url=f"{url}/openai/v1", api_key="k") as sdk:
        answer = await sdk.embeddings.create(model="e", input=["a", "b", "a"])
        vectors = [item.embedding for item in answer.data]
        assert vectors[0] == vectors[2] != vectors[1]
        assert [len(vector) for vector in vectors] == [5, 5, 5]


async def test_anthropics_sdk_reads_a_mock(tmp_path: Path) -> None:
    async with (
        served(tmp_path, chat_mock()) as url,
        anthropic.AsyncAnthropic(base_url=f"{url}/anthropic", api_key="k") as sdk,
    ):
        messages: Any = [{"role": "user", "content": "How are you?"}]
        async with sdk.messages.stream(model="claude-x", max_tokens=5, messages=messages) as stream:
            answer = await stream.get_final_message()
        assert [block.type for block in answer.content] == ["text", "tool_use"]
        assert answer.stop_reason == "tool_use"


async def test_geminis_sdk_reads_a_mock(tmp_path: Path) -> None:
    async with served(tmp_path, chat_mock()) as url:
        sdk = genai.Client(api_key="k", http_options={"base_url": f"{url}/gemini"})
        answer = await sdk.aio.models.generate_content(model="gemini-x", contents="How are you?")
        candidates: Any = answer.candidates
        parts = candidates[0].content.parts
        assert [part.text for part in parts if part.text] == ["Good day"]
        assert [part.function_call.name for part in parts if part.function_call] == ["weather"]
        await sdk.aio.aclose()
        sdk.close()
