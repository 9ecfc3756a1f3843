"""Requests of OpenAI's chat format, read and written."""

from __future__ import annotations

import json
from typing import Any

import pytest

from antiphon.core.errors import Reason, ServiceError
from antiphon.v1 import chat_pb2, content_pb2, tools_pb2
from antiphon.wire.base import HttpCall
from antiphon.wire.openai_chat import OPENAI_REFUSES, OpenAIChat, Quirks, ReasoningStyle
from tests.laws.verdict import first_difference, untyped

WIRE = OpenAIChat()
HELLO = {"role": "user", "content": "hello"}


def lifted(body: Any, path: str = "/v1/chat/completions") -> chat_pb2.ChatSpec:
    return WIRE.decode_request(HttpCall(method="POST", path=path, body=json.dumps(body).encode())).spec


def lowered(spec: chat_pb2.ChatSpec, *, stream: bool = False, **quirks: Any) -> Any:
    return json.loads(OpenAIChat(Quirks(**quirks)).encode_request(spec, stream=stream).body)


def request(**fields: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [HELLO], **fields}


def user_spec(**fields: Any) -> chat_pb2.ChatSpec:
    spec = chat_pb2.ChatSpec(model="m", **fields)
    spec.messages.add(role=content_pb2.ROLE_USER).parts.add().text.text = "hello"
    return spec


def refusal_of(spec: chat_pb2.ChatSpec, **quirks: Any) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        OpenAIChat(Quirks(**quirks)).encode_request(spec, stream=False)
    assert caught.value.reason is Reason.UNSUPPORTED_PARAMETER
    return caught.value


TYPED: dict[str, dict[str, Any]] = {
    "sampling": {
        "temperature": 0,
        "top_p": 0.5,
        "top_k": 40,
        "min_p": 0.1,
        "frequency_penalty": -1.5,
        "presence_penalty": 1,
        "repetition_penalty": 1.1,
        "seed": 7,
        "stop": ["a", "b"],
        "logit_bias": {"5": -100},
        "logprobs": True,
        "top_logprobs": 3,
    },
    "one stop text": {"stop": "END"},
    "mistral seed": {"random_seed": 3},
    "old bound": {"max_tokens": 5},
    "new bound": {"max_completion_tokens": 5},
    "both bounds": {"max_tokens": 5, "max_completion_tokens": 5},
    "account": {"user": "u", "store": False, "metadata": {"k": "v"}, "service_tier": "flex", "n": 2},
    "safety identifier": {"safety_identifier": "hash"},
    "caching": {"prompt_cache_key": "k", "prompt_cache_retention": "24h", "cache_control": {"type": "ephemeral"}},
    "wordiness": {"verbosity": "low", "parallel_tool_calls": False},
    "speech": {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}},
    "prediction": {"prediction": {"type": "content", "content": "expected"}},
    "prediction in parts": {"prediction": {"type": "content", "content": [{"type": "text", "text": "x"}]}},
    "moderation": {"moderation": {"model": "omni"}},
    "effort": {"reasoning_effort": "none"},
    "reasoning object": {"reasoning": {"effort": "low", "exclude": True}},
    "reasoning bound": {"reasoning": {"max_tokens": 100, "enabled": True}},
    "thinking": {"thinking": {"type": "enabled", "budget_tokens": 9}, "reasoning_effort": "high"},
    "thinking off": {"thinking": {"type": "disabled"}},
    "qwen": {"enable_thinking": False, "thinking_budget": 5},
    "groq": {"reasoning_format": "parsed", "include_reasoning": False},
    "cerebras": {"disable_reasoning": True},
    "text": {"response_format": {"type": "text"}},
    "json": {"response_format": {"type": "json_object"}},
    "schema": {
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "n", "description": "d", "schema": {"type": "object", "b": 1.0}, "strict": True},
        }
    },
    "regex": {"response_format": {"type": "regex", "regex": {"regex": "a+"}}},
    "grammar": {"response_format": {"type": "grammar", "grammar": "root ::= x"}},
    "functions": {
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"z": 1, "a": 2}, "strict": True}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
    },
    "a cached function": {
        "tools": [{"type": "function", "function": {"name": "f"}, "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        "tool_choice": "required",
    },
    "custom tool": {
        "tools": [
            {
                "type": "custom",
                "custom": {
                    "name": "c",
                    "description": "d",
                    "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "x"}},
                },
            }
        ],
        "tool_choice": {"type": "custom", "custom": {"name": "c"}},
    },
    "allowed tools": {
        "tools": [{"type": "function", "function": {"name": "f"}}],
        "tool_choice": {
            "type": "allowed_tools",
            "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "f"}}]},
        },
    },
    "legacy functions": {"functions": [{"name": "f", "parameters": {}}], "function_call": {"name": "f"}},
    "legacy choice": {"functions": [{"name": "f"}], "function_call": "none"},
    "any": {"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "any"},
    "search": {
        "web_search_options": {
            "search_context_size": "low",
            "user_location": {"type": "approximate", "approximate": {"country": "GB", "city": "London"}},
        }
    },
    "router search": {"tools": [{"type": "openrouter:web_search", "parameters": {"max_uses": 1}}]},
    "streamed": {"stream": True, "stream_options": {"include_usage": True}},
    "streamed without usage": {"stream": True, "stream_options": {"include_usage": False}},
    "streamed plainly": {"stream": True},
    "not streamed": {"stream": False},
    "nulls": {"temperature": None, "tools": None, "stop": None, "seed": None, "metadata": {}, "tools_": None},
}


@pytest.mark.parametrize("name", TYPED)
def test_request_fields_are_typed_and_come_back(name: str) -> None:
    body = request(**TYPED[name])
    call = WIRE.decode_request(HttpCall(method="POST", path="/", body=json.dumps(body).encode()))
    again = json.loads(WIRE.encode_request(call.spec, stream=call.stream).body)
    assert first_difference(body, again) is None
    assert untyped(call.spec, WIRE.name) == 0


MESSAGES: dict[str, list[dict[str, Any]]] = {
    "roles": [
        {"role": "system", "content": "s"},
        {"role": "developer", "content": "d", "name": "ops"},
        {"role": "user", "content": ""},
        {"role": "assistant", "content": "a", "refusal": None},
    ],
    "a list of one text": [{"role": "user", "content": [{"type": "text", "text": "x"}]}],
    "media": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "see", "cache_control": {"type": "ephemeral", "ttl": "5m"}},
                {"type": "image_url", "image_url": {"url": "https://x.test/a.png", "detail": "high"}},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAEC"}},
                {"type": "image_url", "image_url": "https://x.test/b.png"},
                {"type": "input_audio", "input_audio": {"data": "AAEC", "format": "wav"}},
                {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAEC", "filename": "a.pdf"}},
                {"type": "file", "file": {"file_id": "file-1"}},
                {"type": "video_url", "video_url": {"url": "https://x.test/a.mp4"}},
                {"type": "document_url", "document_url": "https://x.test/a.pdf"},
            ],
        }
    ],
    "calls": [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "1",
                    "type": "function",
                    "function": {"name": "f", "arguments": '{"big": 123456789012345678901}'},
                },
                {"id": "2", "type": "custom", "custom": {"name": "c", "input": "free"}},
            ],
        },
        {"role": "tool", "tool_call_id": "1", "content": "ok", "name": "f"},
        {"role": "tool", "tool_call_id": "2", "content": [{"type": "text", "text": "ok"}]},
        {"role": "tool", "tool_call_id": "3", "content": ""},
    ],
    "calls without content": [
        {
            "role": "assistant",
            "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": ""}}],
        }
    ],
    "legacy calls": [
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "42"},
    ],
    "reasoning": [
        {"role": "assistant", "content": "x", "reasoning_content": "r"},
        {"role": "assistant", "content": "x", "reasoning": "r"},
        {"role": "assistant", "content": "x", "reasoning": "r", "reasoning_content": "r"},
        {"role": "assistant", "content": "x", "reasoning_content": ""},
        {
            "role": "assistant",
            "content": "x",
            "reasoning_details": [
                {"type": "reasoning.text", "text": "t", "signature": "s", "format": "f", "index": 0, "id": "r1"},
                {"type": "reasoning.encrypted", "data": "e", "format": None, "index": 1},
            ],
        },
    ],
    "thinking in content": [
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": [{"type": "text", "text": "r"}], "closed": True},
                {"type": "text", "text": "x"},
            ],
        }
    ],
    "spoken before": [{"role": "assistant", "audio": {"id": "audio_1"}}],
    "refused before": [
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
        {"role": "assistant", "content": None, "refusal": "no"},
    ],
    "signed call": [
        {
            "role": "assistant",
            "tool_calls": [
                {
                    "id": "1",
                    "type": "function",
                    "function": {"name": "f", "arguments": "{}"},
                    "extra_content": {"google": {"thought_signature": "AB=="}},
                }
            ],
        }
    ],
}


@pytest.mark.parametrize("name", MESSAGES)
def test_messages_are_typed_and_come_back(name: str) -> None:
    spec = lifted({"model": "m", "messages": MESSAGES[name]})
    assert first_difference(MESSAGES[name], lowered(spec)["messages"]) is None
    assert untyped(spec, WIRE.name) == 0


def test_unknown_fields_reach_the_same_wire_only() -> None:
    spec = lifted(request(provider={"order": ["x"]}, stream_options={"include_obfuscation": False}))
    assert json.loads(spec.provider_data[WIRE.name])["provider"] == {"order": ["x"]}
    assert lowered(spec)["provider"] == {"order": ["x"]}
    spec.provider_data["groq"] = '{"citation_options":"enabled"}'
    assert "citation_options" not in lowered(spec)
    assert lowered(spec, provider="groq")["citation_options"] == "enabled"


def test_unknown_parts_and_tools_are_kept_whole() -> None:
    part = {"type": "hologram", "hologram": {"a": [1]}}
    tool = {"type": "browser_search", "depth": 2}
    spec = lifted({"model": "m", "messages": [{"role": "user", "content": [part]}], "tools": [tool]})
    assert lowered(spec)["messages"][0]["content"] == [part]
    assert lowered(spec)["tools"] == [tool]


def test_azure_names_the_model_in_the_path() -> None:
    spec = lifted({"messages": [HELLO]}, "/openai/deployments/gpt-4o/chat/completions")
    assert spec.model == "gpt-4o"
    assert "model" not in lowered(spec)
    spec.model = "other"
    assert lowered(spec)["model"] == "other"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"model": "m"}, "messages"),
        ({"messages": ["x"]}, "messages[0]"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": ["user"]}]}, "messages[0].role"),
        (request(temperature="hot"), "temperature"),
        (request(n=1.5), "n"),
        (request(store="yes"), "store"),
    ],
)
def test_a_request_that_means_nothing_is_refused_by_field(body: Any, field: str) -> None:
    with pytest.raises(ServiceError) as caught:
        lifted(body)
    assert caught.value.reason is Reason.INVALID_REQUEST
    assert [violation.field for violation in caught.value.violations] == [field]


@pytest.mark.parametrize("body", [b"", b"{", b"[]"])
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(ServiceError) as caught:
        WIRE.decode_request(HttpCall(method="POST", path="/", body=body))
    assert caught.value.reason is Reason.INVALID_REQUEST


def test_what_the_wire_cannot_say_is_refused_by_path() -> None:
    spec = user_spec(previous_response_id="r", safety=[chat_pb2.SafetySetting(category="c")])
    fields = [violation.field for violation in refusal_of(spec).violations]
    assert fields == ["spec.previous_response_id", "spec.safety"]


def test_what_a_provider_refuses_is_refused_by_path() -> None:
    spec = user_spec(sampling=chat_pb2.Sampling(top_k=5))
    assert lowered(spec)["top_k"] == 5
    assert refusal_of(spec, refuses=OPENAI_REFUSES).violations[0].field == "spec.sampling.top_k"


def test_asking_for_what_happens_anyway_is_not_refused() -> None:
    wire = OpenAIChat(Quirks(refuses=frozenset({"n"})))
    call = wire.encode_request(user_spec(n=1), stream=False)
    assert "n" not in json.loads(call.body)
    assert not call.warnings
    assert refusal_of(user_spec(n=2), refuses=frozenset({"n"})).violations[0].field == "spec.n"


def test_a_lenient_caller_is_warned_instead() -> None:
    spec = user_spec(sampling=chat_pb2.Sampling(top_k=5), on_unsupported=chat_pb2.UNSUPPORTED_POLICY_WARN)
    call = OpenAIChat(Quirks(refuses=OPENAI_REFUSES)).encode_request(spec, stream=False)
    assert [(warning.code, warning.field) for warning in call.warnings] == [
        ("UNSUPPORTED_PARAMETER", "spec.sampling.top_k")
    ]
    assert "top_k" not in json.loads(call.body)


def test_every_reasoning_field_is_said_or_refused() -> None:
    values = {"effort": "low", "budget_tokens": 5, "display": "raw", "adaptive": True, "exclude": True}
    for name, value in {**values, "include_encrypted": True}.items():
        spec = user_spec(on_unsupported=chat_pb2.UNSUPPORTED_POLICY_WARN)
        setattr(spec.reasoning, name, value)
        for style in ReasoningStyle:
            call = OpenAIChat(Quirks(reasoning_style=style)).encode_request(spec, stream=False)
            said = bool(json.loads(call.body).keys() - {"model", "messages"})
            refused = [warning.field for warning in call.warnings]
            assert refused == ([] if said and refused == [] else [f"spec.reasoning.{name}"])


def test_reasoning_is_turned_off_in_every_style() -> None:
    spec = user_spec(reasoning=chat_pb2.Reasoning(enabled=False))
    bodies = {style: lowered(spec, reasoning_style=style) for style in ReasoningStyle}
    assert bodies[ReasoningStyle.EFFORT]["reasoning_effort"] == "none"
    assert bodies[ReasoningStyle.OBJECT]["reasoning"] == {"enabled": False}
    assert bodies[ReasoningStyle.THINKING]["thinking"] == {"type": "disabled"}
    assert bodies[ReasoningStyle.ENABLE_THINKING]["enable_thinking"] is False


def test_quirks_win_over_the_spelling_of_the_client() -> None:
    spec = lifted(request(max_completion_tokens=5, stream=True, tool_choice="required"))
    body = lowered(spec, stream=True, max_tokens_field="max_tokens", stream_usage=True, required_word="any")
    assert body["max_tokens"] == 5
    assert "max_completion_tokens" not in body
    assert body["stream_options"] == {"include_usage": True}
    assert body["tool_choice"] == "any"
    assert "stream_options" not in lowered(spec, stream=True, stream_usage=False)


def test_developers_become_system_where_a_provider_knows_no_developer() -> None:
    spec = lifted({"model": "m", "messages": [{"role": "developer", "content": "d"}]})
    assert lowered(spec, developer_role="system")["messages"][0]["role"] == "system"


def test_reasoning_is_replayed_by_the_name_that_the_provider_takes() -> None:
    answer = {"role": "assistant", "content": "x", "reasoning": "r"}
    spec = lifted({"model": "m", "messages": [answer]})
    assert lowered(spec, reasoning_field="reasoning_content")["messages"][0]["reasoning_content"] == "r"
    call = OpenAIChat(Quirks(reasoning_field="")).encode_request(spec, stream=False)
    assert "reasoning" not in json.loads(call.body)["messages"][0]
    assert [warning.field for warning in call.warnings] == ["spec.messages[0].parts"]


def test_results_beside_text_become_messages_of_their_own() -> None:
    spec = chat_pb2.ChatSpec(model="m")
    message = spec.messages.add(role=content_pb2.ROLE_USER)
    for call_id in ("1", "2"):
        result = message.parts.add().tool_result
        result.call_id = call_id
        result.content.add().text.text = f"result {call_id}"
    message.parts.add().text.text = "and now?"
    assert lowered(spec)["messages"] == [
        {"role": "tool", "content": "result 1", "tool_call_id": "1"},
        {"role": "tool", "content": "result 2", "tool_call_id": "2"},
        {"role": "user", "content": "and now?"},
    ]


def test_an_edited_message_is_sent_as_edited() -> None:
    spec = lifted({"model": "m", "messages": [{"role": "assistant", "tool_calls": [], "content": None, "x": 1}]})
    spec.messages[0].parts.add().text.text = "edited"
    assert lowered(spec)["messages"][0]["content"] == "edited"
    assert lowered(spec)["messages"][0]["x"] == 1


def test_tools_that_a_provider_runs_elsewhere_are_refused() -> None:
    spec = user_spec(tools=[tools_pb2.Tool(code_execution=tools_pb2.CodeExecutionTool())])
    assert refusal_of(spec).violations[0].field == "spec.tools[0]"


def test_an_idempotency_key_travels_as_a_header() -> None:
    call = WIRE.encode_request(user_spec(idempotency_key="k"), stream=False)
    assert call.headers["idempotency-key"] == "k"


def test_a_schema_without_a_name_gets_one_unless_it_was_read_so() -> None:
    form = {"type": "json_schema", "json_schema": {"schema": {"type": "object"}}}
    assert lowered(lifted(request(response_format=form)))["response_format"] == form
    schema = tools_pb2.JsonSchemaFormat(schema_json='{"type":"object"}')
    named = user_spec(response_format=tools_pb2.ResponseFormat(json_schema=schema))
    assert lowered(named)["response_format"]["json_schema"] == {"name": "answer", "schema": {"type": "object"}}
