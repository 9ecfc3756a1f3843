"""What requests mean, beside that they are written as they were read."""

from __future__ import annotations

from typing import Any

import pytest

from antiphon.core.errors import Reason, ServiceError
from antiphon.v1 import chat_pb2, content_pb2, tools_pb2
from antiphon.wire.base import HttpCall
from antiphon.wire.jsontext import dumps, loads
from antiphon.wire.openai_responses.codec import OpenAIResponses
from antiphon.wire.openai_responses.quirks import OPENAI, Quirks
from tests.wire.openai_responses.requests import ITEMS, PNG

WIRE = OpenAIResponses()
Part = content_pb2.Part


def _spec(**body: Any) -> chat_pb2.ChatSpec:
    call = HttpCall(method="POST", path="/v1/responses", body=dumps({"model": "m", "input": "x", **body}))
    return WIRE.decode_request(call).spec


def _body(spec: chat_pb2.ChatSpec, wire: OpenAIResponses = WIRE) -> Any:
    return loads(wire.encode_request(spec, stream=False).body)


def _text(text: str) -> Part:
    return Part(text=content_pb2.TextPart(text=text))


def _said(role: content_pb2.Role.ValueType, *parts: Part) -> content_pb2.Message:
    return content_pb2.Message(role=role, parts=parts)


def test_instructions_are_the_first_message() -> None:
    spec = _spec(instructions="Be brief.")
    assert spec.messages[0].role == content_pb2.ROLE_SYSTEM
    assert spec.messages[0].parts[0].text.text == "Be brief."
    assert spec.messages[1].parts[0].text.text == "x"


def test_a_system_message_of_another_wire_becomes_instructions() -> None:
    spec = chat_pb2.ChatSpec(model="m")
    spec.messages.append(_said(content_pb2.ROLE_SYSTEM, _text("Be brief.")))
    spec.messages.append(_said(content_pb2.ROLE_USER, _text("Hello")))
    body = _body(spec)
    assert body["instructions"] == "Be brief."
    assert body["input"] == [{"type": "message", "role": "user", "content": "Hello"}]


def test_state_is_continued_by_the_identifier_of_an_answer() -> None:
    spec = _spec(previous_response_id="resp_1", store=True)
    assert spec.previous_response_id == "resp_1"
    assert spec.store
    assert _body(spec)["previous_response_id"] == "resp_1"


def test_results_side_by_side_are_one_message_of_role_tool() -> None:
    spec = _spec(input=ITEMS["functions"])
    assert [message.role for message in spec.messages] == [content_pb2.ROLE_ASSISTANT, content_pb2.ROLE_TOOL]
    calls = [part.tool_call for part in spec.messages[0].parts]
    assert [call.arguments_json for call in calls] == ['{"city": "Oslo"}', "{"]
    assert (calls[1].namespace, calls[1].caller_type, calls[1].caller_call_id) == ("nature", "program", "prog_1")
    results = [part.tool_result for part in spec.messages[1].parts]
    assert [result.call_id for result in results] == ["call_1", "call_2", "call_3"]
    assert results[1].content[1].media.media_type == "image/png"


def test_a_tool_that_the_provider_ran_is_a_call_and_its_result() -> None:
    parts = _spec(input=ITEMS["code"]).messages[0].parts
    call, result = parts[0].tool_call, parts[1].tool_result
    assert (call.name, call.executor, call.container_id) == ("code_interpreter", 2, "cntr_1")
    assert loads(call.arguments_json) == {"code": "print(1)"}
    assert (result.call_id, result.executor) == ("ci_1", content_pb2.TOOL_EXECUTOR_PROVIDER)
    assert result.content[0].code_result.stdout == "1\n"
    assert result.content[1].media.url == "https://example.org/plot.png"


def test_one_reasoning_item_is_a_part_a_text_and_the_last_has_the_cipher() -> None:
    parts = _spec(input=ITEMS["an answer replayed"]).messages[1].parts
    reasoning = [part for part in parts if part.HasField("reasoning")]
    assert [part.reasoning.text for part in reasoning] == ["First.", "Then.", "Hm.", ""]
    assert [part.reasoning.summary for part in reasoning] == [True, True, False, False]
    assert [part.reasoning.encrypted for part in reasoning] == [b"", b"", b"gAAAA", b""]
    assert [part.id for part in reasoning] == ["rs_1", "rs_1", "rs_1", "rs_2"]


def test_a_message_holds_one_item_of_type_message_and_keeps_its_identifier() -> None:
    messages = _spec(input=ITEMS["an answer replayed"]).messages
    assert [message.id for message in messages] == ["", "msg_1", ""]
    assert messages[1].phase == "final_answer"


def test_parts_keep_their_order_without_their_spelling() -> None:
    spec = _spec(input=ITEMS["an answer replayed"])
    for message in spec.messages:
        message.ClearField("form")
        for part in message.parts:
            part.ClearField("form")
    spec.ClearField("form")
    kinds = [(item["type"], item.get("id")) for item in _body(spec)["input"]]
    assert kinds == [
        ("message", None),
        ("reasoning", "rs_1"),
        ("reasoning", "rs_2"),
        ("message", "msg_1"),
        ("message", None),
    ]


def test_reasoning_of_another_provider_is_left_out_and_noted() -> None:
    spec = chat_pb2.ChatSpec(model="m")
    thought = Part(reasoning=content_pb2.ReasoningPart(text="Hm."), signature=b"of Anthropic")
    spec.messages.append(_said(content_pb2.ROLE_ASSISTANT, thought, _text("Hi")))
    call = WIRE.encode_request(spec, stream=False)
    assert loads(call.body)["input"] == [{"type": "message", "role": "assistant", "content": "Hi"}]
    assert [warning.code for warning in call.warnings] == ["REASONING_OMITTED"]


def test_reasoning_in_the_clear_goes_to_a_provider_that_takes_it() -> None:
    spec = chat_pb2.ChatSpec(model="m")
    spec.messages.append(_said(content_pb2.ROLE_ASSISTANT, Part(reasoning=content_pb2.ReasoningPart(text="Hm."))))
    wire = OpenAIResponses(Quirks(provider="deepseek", takes_reasoning_text=True))
    assert _body(spec, wire)["input"] == [
        {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "Hm."}]}
    ]


def test_a_call_of_a_tool_that_another_provider_ran_is_left_out_with_a_warning() -> None:
    spec = chat_pb2.ChatSpec(model="m")
    ran = content_pb2.ToolCall(call_id="s_1", name="web_search", executor=content_pb2.TOOL_EXECUTOR_PROVIDER)
    spec.messages.append(_said(content_pb2.ROLE_ASSISTANT, Part(tool_call=ran)))
    warnings = WIRE.encode_request(spec, stream=False).warnings
    assert [(warning.code, warning.field) for warning in warnings] == [("NOT_SENT", "spec.messages[0].parts[0]")]
    assert _body(spec)["input"] == []


def test_the_result_of_a_custom_tool_answers_in_kind() -> None:
    spec = chat_pb2.ChatSpec(model="m")
    asked = content_pb2.ToolCall(call_id="c_1", name="sql", text="select 1")
    answer = content_pb2.ToolResult(call_id="c_1", content=[_text("1")])
    spec.messages.append(_said(content_pb2.ROLE_ASSISTANT, Part(tool_call=asked)))
    spec.messages.append(_said(content_pb2.ROLE_TOOL, Part(tool_result=answer)))
    assert _body(spec)["input"] == [
        {"type": "custom_tool_call", "call_id": "c_1", "name": "sql", "input": "select 1"},
        {"type": "custom_tool_call_output", "call_id": "c_1", "output": "1"},
    ]


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("spec.sampling.stop", {"sampling": chat_pb2.Sampling(stop=["x"])}),
        ("spec.n", {"n": 2}),
        ("spec.prediction", {"prediction": [_text("x")]}),
        ("spec.reasoning.budget_tokens", {"reasoning": chat_pb2.Reasoning(budget_tokens=9)}),
        ("spec.audio", {"audio": chat_pb2.AudioOutput(voice="v")}),
        ("spec.cache.cached_content", {"cache": chat_pb2.CachePolicy(cached_content="c")}),
        ("spec.tools[0]", {"tools": [tools_pb2.Tool(memory=tools_pb2.MemoryTool())]}),
        (
            "spec.tools[0].web_search.max_uses",
            {"tools": [tools_pb2.Tool(web_search=tools_pb2.WebSearchTool(max_uses=1))]},
        ),
        (
            "spec.response_format.choice",
            {"response_format": tools_pb2.ResponseFormat(choice=tools_pb2.ChoiceFormat(choices=["a"]))},
        ),
    ],
)
def test_what_the_wire_cannot_say_is_an_error_or_a_warning(path: str, change: dict[str, Any]) -> None:
    spec = chat_pb2.ChatSpec(model="m", messages=[_said(content_pb2.ROLE_USER, _text("x"))], **change)
    with pytest.raises(ServiceError) as caught:
        WIRE.encode_request(spec, stream=False)
    assert caught.value.reason is Reason.UNSUPPORTED_PARAMETER
    assert caught.value.violations[0].field == path
    spec.on_unsupported = chat_pb2.UNSUPPORTED_POLICY_WARN
    assert [warning.field for warning in WIRE.encode_request(spec, stream=False).warnings] == [path]


def test_a_field_that_a_provider_refuses_is_an_error() -> None:
    spec = _spec(presence_penalty=1.0)
    assert _body(spec)["presence_penalty"] == 1.0
    with pytest.raises(ServiceError, match="presence_penalty"):
        OpenAIResponses(OPENAI).encode_request(spec, stream=False)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("model", {"model": 1}),
        ("input", {"input": 3}),
        ("input[0]", {"input": ["x"]}),
        ("input.0.role", {"input": [{"type": "message", "role": "queen", "content": "x"}]}),
        ("input.0.content", {"input": [{"role": "user", "content": 1}]}),
        ("input.0.output", {"input": [{"type": "function_call_output", "call_id": "c"}]}),
        ("tools", {"tools": "all"}),
        ("tool_choice", {"tool_choice": "perhaps"}),
        ("temperature", {"temperature": "hot"}),
        ("stream", {"stream": "yes"}),
    ],
)
def test_a_wrong_request_is_refused_with_the_path(path: str, body: dict[str, Any]) -> None:
    with pytest.raises(ServiceError) as caught:
        _spec(**body)
    assert caught.value.reason is Reason.INVALID_REQUEST
    assert caught.value.violations[0].field == path


@pytest.mark.parametrize("text", [b"{", b"[]", b'"x"'])
def test_a_body_that_is_no_object_is_refused(text: bytes) -> None:
    with pytest.raises(ServiceError) as caught:
        WIRE.decode_request(HttpCall(method="POST", path="/v1/responses", body=text))
    assert caught.value.reason is Reason.INVALID_REQUEST


def test_azure_may_name_the_model_in_the_path() -> None:
    call = HttpCall(method="POST", path="/openai/deployments/gpt/responses", body=b'{"input": "x"}')
    assert WIRE.decode_request(call).spec.model == "gpt"


def test_media_of_another_wire_are_written_with_what_the_wire_wants() -> None:
    media = content_pb2.MediaPart
    parts = [
        Part(media=media(data=b"\x89PNG\r\n\x1a\n", media_type="image/png")),
        Part(media=media(data=b"%PDF-", media_type="application/pdf")),
        Part(media=media(url="https://example.org/a.pdf", modality=content_pb2.MODALITY_DOCUMENT, title="A")),
        Part(media=media(inline_text="plain", media_type="text/plain")),
    ]
    spec = chat_pb2.ChatSpec(model="m", messages=[_said(content_pb2.ROLE_USER, *parts)])
    assert _body(spec)["input"][0]["content"] == [
        {"type": "input_image", "image_url": PNG, "detail": "auto"},
        {"type": "input_file", "file_data": "data:application/pdf;base64,JVBERi0=", "filename": "document.pdf"},
        {"type": "input_file", "file_url": "https://example.org/a.pdf", "filename": "A"},
        {"type": "input_text", "text": "plain"},
    ]


def test_a_breakpoint_that_a_provider_does_not_take_is_left_out_and_noted() -> None:
    part = _text("x")
    part.cache_breakpoint.ttl.seconds = 300
    spec = chat_pb2.ChatSpec(model="m", messages=[_said(content_pb2.ROLE_USER, part)])
    mark = _body(spec)["input"][0]["content"][0]["prompt_cache_breakpoint"]
    assert mark == {"mode": "explicit", "ttl": "30m"}
    wire = OpenAIResponses(Quirks(refuses=frozenset({"prompt_cache_breakpoint"})))
    call = wire.encode_request(spec, stream=False)
    assert "prompt_cache_breakpoint" not in loads(call.body)["input"][0]["content"][0]
    assert [warning.code for warning in call.warnings] == ["NOT_SENT"]


def test_counting_leaves_out_what_does_not_count() -> None:
    call = WIRE.encode_count_request(_spec(instructions="Be brief.", temperature=1.0, store=True))
    assert call.path == "/responses/input_tokens"
    assert loads(call.body).keys() == {"model", "input", "instructions"}


def test_untyped_fields_for_the_provider_are_merged() -> None:
    spec = _spec()
    spec.provider_data["openrouter"] = '{"provider": {"only": ["openai"]}}'
    assert "provider" not in _body(spec)
    assert _body(spec, OpenAIResponses(Quirks(provider="openrouter")))["provider"] == {"only": ["openai"]}
