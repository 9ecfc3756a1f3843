"""What a request of the contract becomes for Google, and what a client of Google's format asks."""

from __future__ import annotations

import json
from typing import Any

import pytest

from antiphon.core.errors import Reason, ServiceError
from antiphon.v1 import chat_pb2, content_pb2, tools_pb2
from antiphon.wire.base import HttpCall
from antiphon.wire.gemini.codec import Gemini
from antiphon.wire.gemini.quirks import vertex
from antiphon.wire.jsontext import loads
from tests.wire.gemini.requests import PATH, REQUESTS, Json, ask

WIRE = Gemini()
PROJECT = "/v1beta1/projects/p/locations/us-central1"


def _spec(*messages: content_pb2.Message, model: str = "gemini-2.5-flash", **fields: Any) -> chat_pb2.ChatSpec:
    asked = messages or (_message(content_pb2.ROLE_USER, content_pb2.Part(text=content_pb2.TextPart(text="hi"))),)
    return chat_pb2.ChatSpec(model=model, messages=asked, **fields)


def _message(role: content_pb2.Role.ValueType, *parts: content_pb2.Part) -> content_pb2.Message:
    return content_pb2.Message(role=role, parts=parts)


def _text(text: str) -> content_pb2.Part:
    return content_pb2.Part(text=content_pb2.TextPart(text=text))


def _call(call_id: str, name: str = "get", arguments: str = "{}", signature: bytes = b"") -> content_pb2.Part:
    call = content_pb2.ToolCall(call_id=call_id, name=name, arguments_json=arguments)
    return content_pb2.Part(tool_call=call, signature=signature)


def _result(call_id: str, text: str, **fields: Any) -> content_pb2.Part:
    return content_pb2.Part(tool_result=content_pb2.ToolResult(call_id=call_id, content=[_text(text)], **fields))


def _body(spec: chat_pb2.ChatSpec, wire: Gemini = WIRE) -> Json:
    body: Json = loads(wire.encode_request(spec, stream=False).body)
    return body


def _read(body: Json, path: str = PATH) -> chat_pb2.ChatSpec:
    return WIRE.decode_request(HttpCall(method="POST", path=path, body=json.dumps(body).encode())).spec


@pytest.mark.parametrize(
    ("path", "model", "stream"),
    [
        (PATH, "gemini-2.5-flash", False),
        ("/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", "gemini-2.5-flash", True),
        (f"{PROJECT}/publishers/google/models/gemini-3-pro:generateContent?$alt=json", "gemini-3-pro", False),
        (f"{PROJECT}/endpoints/123:streamGenerateContent", "endpoints/123", True),
        ("/v1beta/tunedModels/my-model:generateContent", "tunedModels/my-model", False),
        ("models/openai%2Fgpt-4o:generateContent", "openai/gpt-4o", False),
    ],
)
def test_the_path_says_the_model_and_whether_to_stream(path: str, model: str, stream: bool) -> None:
    call = WIRE.decode_request(HttpCall(method="POST", path=path, body=json.dumps(ask()).encode()))
    assert (call.spec.model, call.stream) == (model, stream)


def test_each_door_has_its_paths() -> None:
    spec, tuned = _spec(), _spec(model="endpoints/123")
    door = Gemini(vertex("p", "us-central1"))
    stream = WIRE.encode_request(spec, stream=True)
    assert stream.path == "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse"
    assert door.encode_request(spec, stream=False).path == (
        f"{PROJECT}/publishers/google/models/gemini-2.5-flash:generateContent"
    )
    assert door.encode_request(tuned, stream=False).path == f"{PROJECT}/endpoints/123:generateContent"
    assert door.encode_count_request(spec).path.endswith("gemini-2.5-flash:countTokens")


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1beta/models", b"{}", "path"),
        ("/v1beta/models/m:embedContent", b'{"contents":[]}', "path"),
        (PATH, b"[]", ""),
        (PATH, b"{}", "contents"),
        (PATH, b'{"contents":["hi"]}', "contents.0"),
        (PATH, b'{"contents":[{"role":"robot","parts":[]}]}', "contents.0.role"),
        (PATH, b'{"contents":[{"parts":"hi"}]}', "contents.0.parts"),
        (PATH, b'{"contents":[{"parts":[{"text":7}]}]}', "contents.0.parts.0.text"),
        (PATH, b'{"contents":[{"parts":[{"inlineData":{"data":"?"}}]}]}', "contents.0.parts.0.inlineData.data"),
        (PATH, b'{"contents":[],"systemInstruction":"be brief"}', "systemInstruction"),
        (PATH, b'{"contents":[],"tools":{}}', "tools"),
        (PATH, b'{"contents":[],"generationConfig":{"temperature":"hot"}}', "generationConfig.temperature"),
    ],
)
def test_a_wrong_request_is_refused_by_its_field(path: str, body: bytes, field: str) -> None:
    with pytest.raises(ServiceError) as caught:
        WIRE.decode_request(HttpCall(method="POST", path=path, body=body))
    assert caught.value.reason is Reason.INVALID_REQUEST
    assert [violation.field for violation in caught.value.violations] == [field]


def test_a_body_that_is_no_json_is_refused() -> None:
    with pytest.raises(ServiceError) as caught:
        WIRE.decode_request(HttpCall(method="POST", path=PATH, body=b"{"))
    assert caught.value.reason is Reason.INVALID_REQUEST


def test_a_clients_schemas_become_json_schemas() -> None:
    spec = _read(REQUESTS["functions"])
    schema = json.loads(spec.tools[0].function.parameters_schema_json)
    assert schema["properties"]["city"]["type"] == ["string", "null"]
    assert schema["properties"]["tags"]["items"]["type"] == "string"
    assert spec.tool_choice.mode == tools_pb2.ToolChoice.MODE_VALIDATED


def test_calls_without_a_name_get_one_and_results_find_theirs() -> None:
    spec = _read(REQUESTS["tool round"])
    calls = [part.tool_call.call_id for part in spec.messages[1].parts if part.HasField("tool_call")]
    results = [part.tool_result for part in spec.messages[2].parts]
    assert spec.messages[2].role == content_pb2.ROLE_TOOL
    assert len(set(calls)) == 3
    assert calls[1] == "call_7"
    assert [result.call_id for result in results] == calls
    assert results[0].content[0].text.text == "rain"
    assert results[1].is_error
    assert results[2].content[1].media.media_type == "image/png"


def test_results_of_one_round_stand_in_one_content() -> None:
    """Other formats have a message for each result, and no name of the function in it."""
    spec = _spec(
        _message(content_pb2.ROLE_USER, _text("weather?")),
        _message(content_pb2.ROLE_ASSISTANT, _text(""), _call("a", "get", '{"n": 1}'), _call("b", "set", "no json")),
        _message(content_pb2.ROLE_TOOL, _result("a", "rain")),
        _message(content_pb2.ROLE_TOOL, _result("b", '{"ok": true}', is_error=False)),
        _message(content_pb2.ROLE_USER, _text("and now?")),
    )
    contents = _body(spec)["contents"]
    assert [content["role"] for content in contents] == ["user", "model", "user", "user"]
    assert [part["functionCall"]["args"] for part in contents[1]["parts"]] == [{"n": 1}, {"INVALID_JSON": "no json"}]
    assert [part["functionResponse"] for part in contents[2]["parts"]] == [
        {"name": "get", "id": "a", "response": {"output": "rain"}},
        {"name": "set", "id": "b", "response": {"ok": True}},
    ]


def test_a_result_that_answers_nothing_is_refused() -> None:
    spec = _spec(_message(content_pb2.ROLE_TOOL, _result("a", "rain")))
    with pytest.raises(ServiceError) as caught:
        WIRE.encode_request(spec, stream=False)
    assert caught.value.violations[0].field == "spec.messages[0].parts[0].tool_result.name"


@pytest.mark.parametrize(("model", "signed"), [("gemini-2.5-pro", False), ("gemini-3-pro-preview", True)])
def test_calls_of_another_model_are_marked_where_google_wants_a_signature(model: str, signed: bool) -> None:
    spec = _spec(_message(content_pb2.ROLE_ASSISTANT, _call("a"), _call("b")), model=model)
    parts = _body(spec)["contents"][0]["parts"]
    assert ["thoughtSignature" in part for part in parts] == [signed, False]


def test_calls_of_gemini_itself_keep_their_signatures_and_get_no_other() -> None:
    own = {"contents": [{"role": "model", "parts": [{"functionCall": {"name": "f"}}, {"functionCall": {"name": "g"}}]}]}
    path = "/v1beta/models/gemini-3-pro:generateContent"
    assert _body(_read(own, path)) == own
    signed = _spec(_message(content_pb2.ROLE_ASSISTANT, _call("a", signature=b"c2ln")), model="gemini-3-pro")
    assert _body(signed)["contents"][0]["parts"][0]["thoughtSignature"] == "c2ln"


def test_reasoning_of_another_model_is_left_out_and_noted() -> None:
    thought = content_pb2.Part(reasoning=content_pb2.ReasoningPart(text="hm"), signature=b"theirs")
    spec = _spec(_message(content_pb2.ROLE_ASSISTANT, thought, _text("Hi")))
    call = WIRE.encode_request(spec, stream=False)
    assert loads(call.body)["contents"] == [{"role": "model", "parts": [{"text": "Hi"}]}]
    assert [(warning.code, warning.field) for warning in call.warnings] == [("NOT_SENT", "spec.messages[0].parts[0]")]


def test_a_late_system_message_moves_to_the_front_and_says_so() -> None:
    spec = _spec(
        _message(content_pb2.ROLE_SYSTEM, _text("first")),
        _message(content_pb2.ROLE_USER, _text("hi")),
        _message(content_pb2.ROLE_DEVELOPER, _text("second")),
    )
    call = WIRE.encode_request(spec, stream=False)
    body = loads(call.body)
    assert body["systemInstruction"] == {"parts": [{"text": "first"}, {"text": "second"}]}
    assert [warning.code for warning in call.warnings] == ["MESSAGE_MOVED"]


@pytest.mark.parametrize(
    ("model", "reasoning", "thinking"),
    [
        ("gemini-2.5-pro", {"effort": "low"}, {"thinkingBudget": 1024}),
        ("gemini-2.5-pro", {"effort": "none"}, {"thinkingBudget": 0}),
        ("gemini-2.5-pro", {"effort": "high", "budget_tokens": 5}, {"thinkingBudget": 5}),
        ("gemini-3-pro", {"effort": "low", "display": "summarized"}, {"thinkingLevel": "LOW", "includeThoughts": True}),
        ("gemini-3-pro", {"effort": "xhigh", "adaptive": True}, {"thinkingLevel": "HIGH"}),
        ("gemini-3-pro", {"budget_tokens": 99, "exclude": True}, {"thinkingBudget": 99, "includeThoughts": False}),
        (
            "gemini-2.5-flash",
            {"adaptive": True, "display": "omitted"},
            {"thinkingBudget": -1, "includeThoughts": False},
        ),
        ("gemini-2.5-flash", {"enabled": True}, {"thinkingBudget": -1}),
        ("gemini-2.5-flash", {"enabled": False}, {"thinkingBudget": 0}),
        ("gemini-2.5-flash", {"include_encrypted": True}, None),
    ],
)
def test_effort_becomes_what_the_model_takes(model: str, reasoning: Json, thinking: Json | None) -> None:
    body = _body(_spec(model=model, reasoning=chat_pb2.Reasoning(**reasoning)))
    assert body.get("generationConfig", {}).get("thinkingConfig") == thinking


def _tool(**fields: Any) -> tools_pb2.Tool:
    return tools_pb2.Tool(**fields)


FUNCTION = _tool(function=tools_pb2.FunctionTool(name="f"))
GRAMMAR = tools_pb2.ResponseFormat(grammar=tools_pb2.Grammar(syntax="lark"))


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"n": 1, "parallel_tool_calls": True, "store": False}, None),
        ({"previous_response_id": "x"}, "spec.previous_response_id"),
        ({"metadata": {"a": "b"}}, "spec.metadata"),
        ({"parallel_tool_calls": False, "tools": [FUNCTION]}, "spec.parallel_tool_calls"),
        ({"sampling": chat_pb2.Sampling(min_p=0.1)}, "spec.sampling.min_p"),
        ({"sampling": chat_pb2.Sampling(logit_bias={5: 1.0})}, "spec.sampling.logit_bias"),
        ({"audio": chat_pb2.AudioOutput(voice="Kore", format="mp3")}, "spec.audio.format"),
        ({"media_detail": "huge"}, "spec.media_detail"),
        ({"response_format": GRAMMAR}, "spec.response_format.grammar"),
        ({"tools": [_tool(shell=tools_pb2.ShellTool())]}, "spec.tools[0]"),
        ({"tools": [_tool(web_search=tools_pb2.WebSearchTool(max_uses=3))]}, "spec.tools[0].web_search.max_uses"),
        ({"tools": [_tool(mcp=tools_pb2.McpTool(server_label="a", allowed_tools=["b"]))]}, "spec.tools[0].mcp"),
        ({"tool_choice": tools_pb2.ToolChoice(stream_arguments=True)}, "spec.tool_choice.stream_arguments"),
    ],
)  # fmt: skip
def test_what_google_cannot_be_told_is_refused_or_noted(fields: Json, path: str | None) -> None:
    spec = _spec(**fields)
    if path is None:
        assert WIRE.encode_request(spec, stream=False).warnings == ()
        return
    with pytest.raises(ServiceError) as caught:
        WIRE.encode_request(spec, stream=False)
    assert caught.value.reason is Reason.UNSUPPORTED_PARAMETER
    assert caught.value.violations[0].field == path
    spec.on_unsupported = chat_pb2.UNSUPPORTED_POLICY_WARN
    assert [warning.field for warning in WIRE.encode_request(spec, stream=False).warnings] == [path]


def test_a_hint_that_google_has_no_word_for_is_noted() -> None:
    spec = _spec(cache=chat_pb2.CachePolicy(retention="24h"))
    assert [warning.field for warning in WIRE.encode_request(spec, stream=False).warnings] == ["spec.cache.retention"]


def test_vertex_takes_labels_and_streams_arguments() -> None:
    spec = _spec(metadata={"b": "1", "a": "2"}, tool_choice=tools_pb2.ToolChoice(stream_arguments=True))
    body = _body(spec, Gemini(vertex("p", "l")))
    assert body["labels"] == {"a": "2", "b": "1"}
    assert body["toolConfig"] == {"functionCallingConfig": {"streamFunctionCallArguments": True}}


def test_a_free_choice_among_some_tools_is_a_validated_one() -> None:
    choice = tools_pb2.ToolChoice(mode=tools_pb2.ToolChoice.MODE_AUTO, allowed_tools=["f"])
    calling = _body(_spec(tool_choice=choice))["toolConfig"]["functionCallingConfig"]
    assert calling == {"mode": "VALIDATED", "allowedFunctionNames": ["f"]}


def test_schemas_of_other_formats_go_out_as_they_are() -> None:
    schema = '{"type":"object","properties":{"a":{"type":["string","null"]}},"additionalProperties":false}'
    form = tools_pb2.ResponseFormat(json_schema=tools_pb2.JsonSchemaFormat(name="x", schema_json=schema, strict=True))
    tool = _tool(function=tools_pb2.FunctionTool(name="f", parameters_schema_json=schema))
    body = _body(_spec(response_format=form, tools=[tool]))
    assert body["generationConfig"] == {
        "responseMimeType": "application/json",
        "responseJsonSchema": json.loads(schema),
    }
    assert body["tools"] == [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": json.loads(schema)}]}]
    tool.function.parameters_schema_json = "{"
    with pytest.raises(ServiceError) as caught:
        WIRE.encode_request(_spec(tools=[tool]), stream=False)
    assert caught.value.violations[0].field == "spec.tools[0].function.parameters_schema_json"


@pytest.mark.parametrize(
    ("media", "part"),
    [
        ({"url": "https://a.com/b.PNG?x"}, {"fileData": {"fileUri": "https://a.com/b.PNG?x", "mimeType": "image/png"}}),
        ({"url": "data:image/gif;base64,AAEC"}, {"inlineData": {"mimeType": "image/gif", "data": "AAEC"}}),
        ({"data": b"\0\1\2", "format": "wav"}, {"inlineData": {"mimeType": "audio/wav", "data": "AAEC"}}),
        ({"inline_text": "Ü"}, {"inlineData": {"mimeType": "text/plain", "data": "w5w="}}),
        (
            {"file_id": "files/x", "modality": content_pb2.MODALITY_DOCUMENT, "filename": "x.bin"},
            {"fileData": {"fileUri": "files/x", "mimeType": "application/pdf", "displayName": "x.bin"}},
        ),
    ],
)  # fmt: skip
def test_media_of_other_formats_are_said_in_googles_way(media: Json, part: Json) -> None:
    message = _message(content_pb2.ROLE_USER, content_pb2.Part(media=content_pb2.MediaPart(**media)))
    assert _body(_spec(message))["contents"][0]["parts"] == [part]


def test_untyped_fields_for_this_wire_and_provider_go_out() -> None:
    spec = _spec(
        provider_data={"gemini": '{"generationConfig":{"x":1}}', "vertex": '{"y":2}', "openai_chat": '{"z":3}'}
    )
    spec.sampling.temperature = 0.5
    assert _body(spec)["generationConfig"] == {"temperature": 0.5, "x": 1}
    assert "y" not in _body(spec)
    assert _body(spec, Gemini(vertex("p", "l")))["y"] == 2


@pytest.mark.parametrize("name", REQUESTS)
def test_counting_takes_every_request(name: str) -> None:
    wrapped = {"generateContentRequest": {"model": "models/gemini-2.5-flash", **REQUESTS[name]}}
    path = "/v1beta/models/gemini-2.5-flash:countTokens"
    for body in (REQUESTS[name], wrapped):
        spec = WIRE.decode_count_request(HttpCall(method="POST", path=path, body=json.dumps(body).encode()))
        counted = WIRE.encode_count_request(spec)
        assert counted.path == path
        if body is not wrapped or set(REQUESTS[name]) != {"contents"}:
            assert loads(counted.body) == body


def test_counting_wraps_what_stands_beside_the_contents() -> None:
    spec = _spec(_message(content_pb2.ROLE_SYSTEM, _text("be brief")), _message(content_pb2.ROLE_USER, _text("hi")))
    assert set(loads(WIRE.encode_count_request(spec).body)) == {"generateContentRequest"}
    assert set(loads(Gemini(vertex("p", "l")).encode_count_request(spec).body)) == {"contents", "systemInstruction"}
