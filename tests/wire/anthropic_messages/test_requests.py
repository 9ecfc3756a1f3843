"""What becomes of requests that were not born on this wire."""

from __future__ import annotations

import json
from typing import Any

import pytest

from antiphon.core.errors import Reason, ServiceError
from antiphon.v1 import chat_pb2, content_pb2, tools_pb2
from antiphon.wire.anthropic_messages.codec import AnthropicMessages
from antiphon.wire.anthropic_messages.quirks import Quirks
from antiphon.wire.base import HttpCall
from antiphon.wire.jsontext import loads

WIRE = AnthropicMessages()
ROLE = content_pb2.Role.Value


def _text(role: str, *texts: str) -> content_pb2.Message:
    parts = [content_pb2.Part(text=content_pb2.TextPart(text=text)) for text in texts]
    return content_pb2.Message(role=ROLE(f"ROLE_{role}"), parts=parts)


def _call(call_id: str, name: str, arguments: str) -> content_pb2.Part:
    return content_pb2.Part(tool_call=content_pb2.ToolCall(call_id=call_id, name=name, arguments_json=arguments))


def _result(call_id: str, text: str) -> content_pb2.Message:
    result = content_pb2.ToolResult(call_id=call_id)
    result.content.add().text.text = text
    return content_pb2.Message(role=content_pb2.ROLE_TOOL, parts=[content_pb2.Part(tool_result=result)])


def _spec(*messages: content_pb2.Message, **fields: Any) -> chat_pb2.ChatSpec:
    return chat_pb2.ChatSpec(model="claude", messages=messages or [_text("USER", "hi")], **fields)


def _body(spec: chat_pb2.ChatSpec, wire: AnthropicMessages = WIRE) -> dict[str, Any]:
    value = loads(wire.encode_request(spec, stream=False).body)
    assert isinstance(value, dict)
    return value


def test_the_required_bound_of_tokens_comes_from_the_quirks() -> None:
    assert _body(_spec())["max_tokens"] == 4096
    assert _body(_spec(), AnthropicMessages(Quirks(default_max_tokens=7)))["max_tokens"] == 7
    assert _body(_spec(max_output_tokens=9))["max_tokens"] == 9


def test_all_leading_instructions_become_the_system_prompt() -> None:
    spec = _spec(_text("SYSTEM", "one"), _text("DEVELOPER", "two"), _text("USER", "hi"))
    body = _body(spec)
    assert body["system"] == [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    assert body["messages"] == [{"role": "user", "content": "hi"}]
    assert _body(_spec(_text("DEVELOPER", "only"), _text("USER", "hi")))["system"] == "only"


def test_a_later_system_message_moves_to_the_front_with_a_warning() -> None:
    spec = _spec(_text("USER", "hi"), _text("SYSTEM", "in French"), _text("USER", "well?"))
    call = WIRE.encode_request(spec, stream=False)
    assert loads(call.body)["system"] == "in French"
    assert [(warning.code, warning.field) for warning in call.warnings] == [("MESSAGE_MOVED", "spec.messages[1]")]
    inline = AnthropicMessages(Quirks(inline_system=True))
    assert _body(spec, inline)["messages"][1] == {"role": "system", "content": "in French"}


def test_parallel_tool_results_and_the_next_words_share_one_user_turn() -> None:
    calls = content_pb2.Message(
        role=content_pb2.ROLE_ASSISTANT, parts=[_call("call.1", "get", '{"a": 1}'), _call("call.2", "get", "")]
    )
    spec = _spec(_text("USER", "hi"), calls, _result("call.1", "x"), _result("call.2", "y"), _text("USER", "so?"))
    turns = _body(spec)["messages"]
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user"]
    assert turns[1]["content"] == [
        {"type": "tool_use", "id": "call_1", "name": "get", "input": {"a": 1}},
        {"type": "tool_use", "id": "call_2", "name": "get", "input": {}},
    ]
    assert turns[2]["content"] == [
        {"type": "tool_result", "tool_use_id": "call_1", "content": "x"},
        {"type": "tool_result", "tool_use_id": "call_2", "content": "y"},
        {"type": "text", "text": "so?"},
    ]


def test_turns_and_texts_that_say_nothing_are_not_sent() -> None:
    calling = _text("ASSISTANT", "")
    calling.parts.append(_call("a", "get", "{}"))
    silent = content_pb2.Message(role=content_pb2.ROLE_ASSISTANT)
    empty = _text("SYSTEM", "")
    body = _body(_spec(empty, _text("USER", "hi"), calling, _result("a", ""), silent, _text("ASSISTANT", "")))
    assert "system" not in body
    assert body["messages"] == [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "get", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": ""}]},
    ]


@pytest.mark.parametrize("arguments", ['{"a": ', "[1]", "3", '"text"'])
def test_arguments_that_are_no_object_are_sent_back_as_the_documentation_asks(arguments: str) -> None:
    message = content_pb2.Message(role=content_pb2.ROLE_ASSISTANT, parts=[_call("c", "get", arguments)])
    turns = _body(_spec(_text("USER", "hi"), message))["messages"]
    assert turns[1]["content"][0]["input"] == {"INVALID_JSON": arguments}


def test_reasoning_that_anthropic_did_not_sign_is_left_out_with_a_warning() -> None:
    message = _text("ASSISTANT", "hello")
    message.parts.insert(0, content_pb2.Part(reasoning=content_pb2.ReasoningPart(text="hm")))
    alone = content_pb2.Message(role=content_pb2.ROLE_ASSISTANT, parts=[message.parts[0]])
    call = WIRE.encode_request(_spec(_text("USER", "hi"), message, alone, _text("USER", "so?")), stream=False)
    assert [turn["content"] for turn in loads(call.body)["messages"]] == [
        "hi",
        [{"type": "text", "text": "hello"}],
        "so?",
    ]
    assert [warning.code for warning in call.warnings] == ["REASONING_OMITTED"] * 2
    message.parts[0].signature = b"sig"
    signed = _body(_spec(_text("USER", "hi"), message))["messages"][1]["content"][0]
    assert signed == {"type": "thinking", "thinking": "hm", "signature": "sig"}


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("spec.n", {"n": 2}),
        ("spec.sampling.seed", {"sampling": chat_pb2.Sampling(seed=0)}),
        ("spec.sampling.frequency_penalty", {"sampling": chat_pb2.Sampling(frequency_penalty=0.5)}),
        ("spec.sampling.logprobs", {"sampling": chat_pb2.Sampling(logprobs=True)}),
        ("spec.sampling.logit_bias", {"sampling": chat_pb2.Sampling(logit_bias={1: 2.0})}),
        ("spec.metadata", {"metadata": {"a": "b"}}),
        ("spec.previous_response_id", {"previous_response_id": "x"}),
        ("spec.verbosity", {"verbosity": "low"}),
        (
            "spec.response_format.json_object",
            {"response_format": tools_pb2.ResponseFormat(json_object=tools_pb2.JsonObjectFormat())},
        ),
        ("spec.tools[0]", {"tools": [tools_pb2.Tool(custom=tools_pb2.CustomTool(name="x"))]}),
        (
            "spec.tool_choice",
            {"tool_choice": tools_pb2.ToolChoice(mode=tools_pb2.ToolChoice.MODE_AUTO, allowed_tools=["a"])},
        ),
        (
            "spec.messages[0].parts[0]",
            {
                "messages": [
                    content_pb2.Message(
                        role=content_pb2.ROLE_USER,
                        parts=[content_pb2.Part(media=content_pb2.MediaPart(media_type="audio/wav", data=b"x"))],
                    )
                ]
            },
        ),
    ],
)
def test_what_the_wire_cannot_say_is_an_error_or_a_warning(path: str, fields: dict[str, Any]) -> None:
    spec = chat_pb2.ChatSpec(model="claude", **{"messages": [_text("USER", "hi")], **fields})
    with pytest.raises(ServiceError) as caught:
        WIRE.encode_request(spec, stream=False)
    assert caught.value.reason is Reason.UNSUPPORTED_PARAMETER
    assert caught.value.violations[0].field == path
    spec.on_unsupported = chat_pb2.UNSUPPORTED_POLICY_WARN
    warnings = WIRE.encode_request(spec, stream=False).warnings
    assert [(warning.code, warning.field) for warning in warnings] == [("UNSUPPORTED_PARAMETER", path)]


def test_values_that_change_nothing_are_no_loss() -> None:
    sampling = chat_pb2.Sampling(frequency_penalty=0, presence_penalty=0, repetition_penalty=1, logprobs=False)
    assert "sampling" not in _body(_spec(n=1, store=False, sampling=sampling))


@pytest.mark.parametrize(
    ("reasoning", "thinking", "config"),
    [
        (chat_pb2.Reasoning(effort="high"), None, {"effort": "high"}),
        (chat_pb2.Reasoning(effort="minimal"), None, {"effort": "low"}),
        (chat_pb2.Reasoning(effort="none"), {"type": "disabled"}, None),
        (chat_pb2.Reasoning(enabled=True), {"type": "adaptive"}, None),
        (chat_pb2.Reasoning(enabled=True, exclude=True), {"type": "adaptive", "display": "omitted"}, None),
        (chat_pb2.Reasoning(budget_tokens=2000), {"type": "enabled", "budget_tokens": 2000}, None),
        (chat_pb2.Reasoning(display="auto"), {"type": "adaptive", "display": "summarized"}, None),
    ],
)
def test_reasoning_of_any_wire_is_asked_for(
    reasoning: chat_pb2.Reasoning, thinking: dict[str, Any] | None, config: dict[str, Any] | None
) -> None:
    body = _body(_spec(reasoning=reasoning))
    assert (body.get("thinking"), body.get("output_config")) == (thinking, config)


def test_one_call_at_a_time_needs_a_choice_of_tools() -> None:
    tool = tools_pb2.Tool(function=tools_pb2.FunctionTool(name="get"))
    body = _body(_spec(tools=[tool], parallel_tool_calls=False))
    assert body["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    assert body["tools"] == [{"name": "get", "input_schema": {"type": "object", "properties": {}}}]
    assert "tool_choice" not in _body(_spec(tools=[tool], parallel_tool_calls=True))
    assert "tool_choice" not in _body(_spec(parallel_tool_calls=False))


def test_tools_that_the_provider_runs_get_its_version_and_name() -> None:
    tools = [
        tools_pb2.Tool(web_search=tools_pb2.WebSearchTool(max_uses=2), provider_type="web_search_preview"),
        tools_pb2.Tool(code_execution=tools_pb2.CodeExecutionTool(container_id="c1")),
        tools_pb2.Tool(tool_search=tools_pb2.ToolSearchTool(method="regex")),
        tools_pb2.Tool(mcp=tools_pb2.McpTool(server_label="m", server_url="https://e.com", allowed_tools=["a"])),
    ]
    call = WIRE.encode_request(_spec(tools=tools), stream=False)
    body = loads(call.body)
    assert body["tools"] == [
        {"type": "web_search_20250305", "name": "web_search", "max_uses": 2},
        {"type": "code_execution_20250825", "name": "code_execution"},
        {"type": "tool_search_tool_regex_20251119", "name": "tool_search_tool_regex"},
        {
            "type": "mcp_toolset",
            "mcp_server_name": "m",
            "default_config": {"enabled": False},
            "configs": {"a": {"enabled": True}},
        },
    ]
    assert body["mcp_servers"] == [{"type": "url", "name": "m", "url": "https://e.com"}]
    assert body["container"] == "c1"
    assert call.headers["anthropic-beta"] == "code-execution-2025-08-25,mcp-client-2025-11-20"


def test_features_on_trial_are_handed_on_and_derived() -> None:
    body = json.dumps(
        {
            "model": "claude",
            "max_tokens": 5,
            "messages": [
                {"role": "user", "content": [{"type": "image", "source": {"type": "file", "file_id": "file_1"}}]}
            ],
        }
    ).encode()
    call = HttpCall(method="POST", path="", body=body, headers={"Anthropic-Beta": "one-2025-01-01, two-2025-01-01"})
    spec = WIRE.decode_request(call).spec
    headers = WIRE.encode_request(spec, stream=True).headers
    assert headers["anthropic-beta"] == "one-2025-01-01,two-2025-01-01,files-api-2025-04-14"
    assert headers["anthropic-version"] == "2023-06-01"
    plain = AnthropicMessages(Quirks(derive_betas=False)).encode_request(spec, stream=True)
    assert plain.headers["anthropic-beta"] == "one-2025-01-01,two-2025-01-01"


def test_a_request_read_for_one_kind_of_answer_can_ask_for_the_other() -> None:
    plain = {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "hi"}]}
    for value, stream in ((False, True), (True, False), (None, True)):
        read = WIRE.decode_request(
            HttpCall(method="POST", path="", body=json.dumps({**plain, "stream": value}).encode())
        )
        assert read.stream is bool(value)
        assert bool(loads(WIRE.encode_request(read.spec, stream=stream).body).get("stream")) is stream


def test_an_allow_list_of_a_toolset_is_read_as_one() -> None:
    body = {
        "model": "m",
        "messages": [],
        "mcp_servers": [{"type": "url", "url": "https://e.com", "name": "m"}],
        "tools": [
            {
                "type": "mcp_toolset",
                "mcp_server_name": "m",
                "default_config": {"enabled": False},
                "configs": {"a": {"enabled": True}},
            }
        ],
    }
    spec = WIRE.decode_request(HttpCall(method="POST", path="", body=json.dumps(body).encode())).spec
    wanted = tools_pb2.McpTool(server_label="m", server_url="https://e.com", allowed_tools=["a"])
    assert [tool.mcp for tool in spec.tools] == [wanted]


def test_fields_for_this_wire_reach_it_and_no_others() -> None:
    spec = _spec()
    spec.provider_data["anthropic_messages"] = '{"fallbacks":"default"}'
    spec.provider_data["anthropic"] = '{"user_profile":"x"}'
    spec.provider_data["openai_chat"] = '{"logit":1}'
    body = _body(spec)
    assert (body["fallbacks"], body["user_profile"]) == ("default", "x")
    assert "logit" not in body


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ("nonsense", ""),
        ([], ""),
        ({"messages": []}, "model"),
        ({"model": "m"}, "messages"),
        ({"model": "m", "messages": [{"role": "tool", "content": "x"}]}, "messages.0"),
        ({"model": "m", "messages": [{"role": "user"}]}, "messages.0.content"),
        ({"model": "m", "messages": [{"role": "user", "content": 5}]}, "messages.0.content"),
        ({"model": "m", "messages": [{"role": "user", "content": [{"text": "x"}]}]}, "messages.0.content.0.type"),
        (
            {"model": "m", "messages": [{"role": "user", "content": [{"type": "text", "text": 5}]}]},
            "messages.0.content.0.text",
        ),
        (
            {"model": "m", "messages": [{"role": "user", "content": [{"type": "tool_result", "content": 5}]}]},
            "messages.0.content.0.content",
        ),
        ({"model": "m", "messages": [], "max_tokens": "many"}, "max_tokens"),
        ({"model": "m", "messages": [], "max_tokens": True}, "max_tokens"),
        ({"model": "m", "messages": [], "stop_sequences": [1]}, "stop_sequences"),
        ({"model": "m", "messages": [], "stream": "yes"}, "stream"),
        ({"model": "m", "messages": [], "system": 5}, "system"),
        ({"model": "m", "messages": [], "system": [{"type": "text"}]}, "system.0.text"),
        ({"model": "m", "messages": [], "tools": "get"}, "tools"),
        ({"model": "m", "messages": [], "tools": [{"name": 5}]}, "tools.0.name"),
        ({"model": "m", "messages": [], "tool_choice": {"type": "some"}}, "tool_choice.type"),
        ({"model": "m", "messages": [], "mcp_servers": [{"url": "x"}]}, "mcp_servers.0.name"),
    ],
)
def test_a_malformed_request_names_the_field(body: Any, field: str) -> None:
    sent = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    with pytest.raises(ServiceError) as caught:
        WIRE.decode_request(HttpCall(method="POST", path="", body=sent))
    assert caught.value.reason is Reason.INVALID_REQUEST
    assert [violation.field for violation in caught.value.violations] in ([field], [])
    assert field in str(caught.value)
