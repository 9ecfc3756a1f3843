"""OpenAI's edge, in bare HTTP."""

from __future__ import annotations

import base64
import struct

import pytest

from antiphon.v1 import chat_pb2
from antiphon.wire.openai_chat import OpenAIChat
from tests.gateway.edges.opened import chat, events, opened

FUNCTION = {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}


async def test_a_completion_comes_whole() -> None:
    async with opened() as edge:
        answer = await edge.post("/v1/chat/completions", chat("sing to me", temperature=0.5))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["object"] == "chat.completion"
    assert answer.json()["choices"][0]["message"]["content"] == "sing to me"
    assert answer.json()["choices"][0]["finish_reason"] == "stop"
    assert answer.json()["usage"]["completion_tokens"] == 3
    assert edge.choir.specs[0].model == "echo/words"
    assert edge.choir.specs[0].sampling.temperature == 0.5


async def test_not_to_stream_is_the_same_said_or_not() -> None:
    async with opened() as edge:
        await edge.post("/v1/chat/completions", chat("hi"))
        await edge.post("/v1/chat/completions", chat("hi", stream=False))
    plain, said = edge.choir.specs
    sent = [OpenAIChat().encode_request(spec, stream=False).body for spec in (plain, said)]
    assert sent[0] == sent[1]


async def test_a_stream_ends_with_done_and_gives_no_usage_unasked() -> None:
    async with opened() as edge:
        answer = await edge.post("/v1/chat/completions", chat("a b c", stream=True))
    assert answer.headers["content-type"].startswith("text/event-stream")
    got = events(answer.text)
    assert got[-1] == "[DONE]"
    assert "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in got[:-1]) == "a b c"
    assert not any(chunk.get("usage") for chunk in got[:-1])
    assert all(chunk["choices"] for chunk in got[:-1])


@pytest.mark.parametrize(("asked", "given"), [(True, True), (False, False)])
async def test_a_stream_gives_usage_as_asked(asked: bool, given: bool) -> None:
    async with opened() as edge:
        body = chat("a b c", stream=True, stream_options={"include_usage": asked})
        got = events((await edge.post("/v1/chat/completions", body)).text)
    assert [chunk["usage"]["completion_tokens"] for chunk in got[:-1] if chunk.get("usage")] == [3] * given


@pytest.mark.parametrize("stream", [False, True])
async def test_a_tool_call_comes_as_one(stream: bool) -> None:
    async with opened() as edge:
        body = chat("weather", tools=[{"type": "function", "function": FUNCTION}], stream=stream)
        answer = await edge.post("/v1/chat/completions", body)
    if stream:
        chunks = [chunk["choices"][0] for chunk in events(answer.text)[:-1]]
        calls = [call for chunk in chunks for call in chunk["delta"].get("tool_calls", ())]
        assert calls[0]["id"] == "call_1"
        assert "".join(call["function"].get("arguments", "") for call in calls) == '{"city":"Paris"}'
        assert chunks[-1]["finish_reason"] == "tool_calls"
    else:
        choice = answer.json()["choices"][0]
        assert choice["message"]["tool_calls"][0]["function"]["arguments"] == '{"city":"Paris"}'
        assert choice["finish_reason"] == "tool_calls"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_of_functions_gets_a_function_call(stream: bool) -> None:
    async with opened() as edge:
        body = chat("weather", functions=[FUNCTION], function_call="auto", stream=stream)
        answer = await edge.post("/v1/chat/completions", body)
    assert edge.choir.specs[0].tools[0].function.name == "get_weather"
    if stream:
        chunks = [chunk["choices"][0] for chunk in events(answer.text)[:-1]]
        calls = [chunk["delta"]["function_call"] for chunk in chunks if "function_call" in chunk["delta"]]
        assert calls[0]["name"] == "get_weather"
        assert "".join(call.get("arguments", "") for call in calls) == '{"city":"Paris"}'
        assert not any("tool_calls" in chunk["delta"] for chunk in chunks)
        assert chunks[-1]["finish_reason"] == "function_call"
    else:
        choice = answer.json()["choices"][0]
        assert choice["message"]["function_call"] == {"name": "get_weather", "arguments": '{"city":"Paris"}'}
        assert "tool_calls" not in choice["message"]
        assert choice["finish_reason"] == "function_call"


async def test_calls_of_functions_get_identifiers_that_join_them_to_their_results() -> None:
    async with opened() as edge:
        body = chat("weather", functions=[FUNCTION])
        body["messages"] += [
            {"role": "assistant", "content": None, "function_call": {"name": "get_weather", "arguments": "{}"}},
            {"role": "function", "name": "get_weather", "content": "rain"},
        ]
        await edge.post("/v1/chat/completions", body)
    said = edge.choir.specs[0].messages
    assert said[1].parts[0].tool_call.call_id
    assert said[1].parts[0].tool_call.call_id == said[2].parts[0].tool_result.call_id


async def test_embeddings_come_as_floats_or_base64_as_asked() -> None:
    async with opened() as edge:
        body = {"model": "echo/words", "input": ["four", "sixsix"]}
        plain = (await edge.post("/v1/embeddings", body)).json()
        floats = (await edge.post("/v1/embeddings", {**body, "encoding_format": "float"})).json()
        packed = (await edge.post("/v1/embeddings", {**body, "encoding_format": "base64"})).json()
        single = (await edge.post("/v1/embeddings", {**body, "input": "four"})).json()
    assert [item["embedding"] for item in floats["data"]] == [[4.0], [6.0]]
    assert plain["data"] == floats["data"]
    assert [struct.unpack("<f", base64.b64decode(item["embedding"])) for item in packed["data"]] == [(4.0,), (6.0,)]
    assert [item["index"] for item in floats["data"]] == [0, 1]
    assert len(single["data"]) == 1


@pytest.mark.parametrize("path", ["/v1/models/echo/words", "/v1/models/echo%2Fwords"])
async def test_a_model_with_a_slash_is_found_raw_and_encoded(path: str) -> None:
    async with opened() as edge:
        listed = (await edge.client.get("/v1/models")).json()
        found = (await edge.client.get(path)).json()
    assert listed["object"] == "list"
    assert [model["id"] for model in listed["data"]] == ["echo/words"]
    assert found["id"] == "echo/words"


async def test_what_the_caller_says_in_headers_reaches_the_backend() -> None:
    async with opened() as edge:
        await edge.post(
            "/v1/chat/completions",
            chat("hi"),
            x_antiphon_mode="replay",
            x_antiphon_session="s1",
            x_antiphon_cassette="openai/what",
            x_antiphon_pace="none",
            x_antiphon_chunking="bytes",
            x_antiphon_fault="429",
            x_antiphon_repeat="false",
            x_antiphon_timeout="7.5",
            x_antiphon_unsupported="warn",
            x_other="no",
        )
    call = edge.choir.calls[0]
    assert dict(call.metadata) == {
        "x-antiphon-mode": "replay",
        "x-antiphon-session": "s1",
        "x-antiphon-cassette": "openai/what",
        "x-antiphon-pace": "none",
        "x-antiphon-chunking": "bytes",
        "x-antiphon-fault": "429",
        "x-antiphon-repeat": "false",
    }
    assert 7 < (call.remaining() or 0) <= 7.5
    assert edge.choir.specs[0].on_unsupported == chat_pb2.UNSUPPORTED_POLICY_WARN


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("x_antiphon_timeout", "soon"),
        ("x_antiphon_timeout", "-1"),
        ("x_antiphon_unsupported", "maybe"),
        ("x_antiphon_session", "gr\xf6\xdfe"),  # which gRPC could not hand on
        ("x_antiphon_session", "x" * 5000),
    ],
)
async def test_a_header_that_cannot_be_read_is_refused_by_name(header: str, value: str) -> None:
    async with opened() as edge:
        answer = await edge.post("/v1/chat/completions", chat("hi"), **{header: value})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == header.replace("_", "-")


async def test_warnings_come_in_a_header_or_as_a_comment_of_the_stream() -> None:
    async with opened() as edge:
        edge.choir.warning = "top_k was left\r\nout: größer"
        whole = await edge.post("/v1/chat/completions", chat("hi"))
        stream = await edge.post("/v1/chat/completions", chat("hi", stream=True))
    wanted = "UNSUPPORTED_PARAMETER spec.sampling: top_k was left out: gr\\xf6\\xdfer"
    assert whole.headers["x-antiphon-warning"] == wanted
    assert "\n: warning UNSUPPORTED_PARAMETER: top_k was left out" in stream.text
    assert events(stream.text)[-1] == "[DONE]"
