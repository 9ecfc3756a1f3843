"""Ollama's chat API over authored samples: what recordings do not hold."""

from __future__ import annotations

import json

import pytest

from antiphon.core.errors import Reason, ServiceError
from antiphon.core.fold import fold
from antiphon.v1 import chat_pb2, content_pb2, tools_pb2
from antiphon.wire.base import HttpCall, HttpReply
from antiphon.wire.jsontext import loads
from antiphon.wire.ollama_native.codec import OllamaChat
from tests.laws.chat import decode
from tests.laws.ollama import OllamaChatLaws
from tests.wire.ollama_native.samples import ANSWERS, REQUESTS, STREAMS, UNTYPED
from tests.wire.round_trips import answer_difference, read_request, request_difference, stream_failures

WIRE = OllamaChat()
LAWS = OllamaChatLaws()
URL = "http://127.0.0.1:11434/api/chat"


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_is_written_as_it_was_read_with_every_value_typed(name: str) -> None:
    assert request_difference(WIRE, REQUESTS[name]) == (None, 0)


@pytest.mark.parametrize("name", UNTYPED)
def test_what_is_not_typed_survives(name: str) -> None:
    difference, untyped = request_difference(WIRE, UNTYPED[name])
    assert difference is None
    assert untyped > 0


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_written_as_it_was_read_with_every_value_typed(name: str) -> None:
    assert answer_difference(WIRE, ANSWERS[name]) == (None, 0)


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_folds_to_one_answer_however_it_is_cut(name: str) -> None:
    assert stream_failures(LAWS, URL, STREAMS[name]) == ([], 0)


def test_a_request_streams_unless_it_says_otherwise() -> None:
    for body, streams in (({}, True), ({"stream": None}, True), ({"stream": True}, True), ({"stream": False}, False)):
        asked = json.dumps({**REQUESTS["plain"], **body}).encode()
        assert WIRE.decode_request(HttpCall(method="POST", path="/api/chat", body=asked)).stream is streams


def test_options_land_in_the_fields_that_other_wires_use() -> None:
    spec = read_request(WIRE, REQUESTS["options"])
    assert (spec.max_output_tokens, spec.sampling.repetition_penalty, spec.sampling.top_k) == (64, 1.2, 40)
    assert spec.reasoning.enabled
    assert spec.response_format.HasField("json_object")
    assert (spec.runtime.context_tokens, spec.runtime.keep_loaded) == (4096, "5m")


def test_durations_are_seconds_and_calls_are_a_reason_to_end() -> None:
    completion = WIRE.decode_response(HttpReply(status=200, body=json.dumps(ANSWERS["call"]).encode()))
    assert completion.usage.timing.load_seconds == pytest.approx(0.001334875)
    assert completion.usage.input_tokens == 26
    assert completion.outputs[0].finish_reason == chat_pb2.FINISH_REASON_TOOL_CALLS
    assert completion.outputs[0].messages[0].parts[1].tool_call.arguments_json.endswith("9007199254740993}")


def test_parallel_results_in_one_message_become_messages_of_their_own() -> None:
    spec = chat_pb2.ChatSpec(model="m")
    message = spec.messages.add(role=content_pb2.ROLE_TOOL)
    for number in "12":
        result = message.parts.add().tool_result
        result.name, result.call_id = "f", number
        result.content.add().text.text = f"r{number}"
    body = loads(WIRE.encode_request(spec, stream=True).body)
    assert body["messages"] == [
        {"role": "tool", "content": "r1", "tool_name": "f", "tool_call_id": "1"},
        {"role": "tool", "content": "r2", "tool_name": "f", "tool_call_id": "2"},
    ]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("n", {"n": 2}),
        ("store", {"store": True}),
        ("service_tier", {"service_tier": "flex"}),
        ("end_user_id", {"end_user_id": "u"}),
        ("sampling.logit_bias", {"sampling": chat_pb2.Sampling(logit_bias={1: 2.0})}),
        ("tool_choice", {"tool_choice": tools_pb2.ToolChoice(mode=tools_pb2.ToolChoice.MODE_REQUIRED)}),
        ("response_format.grammar", {"response_format": tools_pb2.ResponseFormat(grammar=tools_pb2.Grammar())}),
    ],
)
def test_what_cannot_be_said_is_an_error_or_a_warning(name: str, change: dict[str, object]) -> None:
    spec = chat_pb2.ChatSpec(model="m", **change)  # type: ignore[arg-type]
    with pytest.raises(ServiceError) as caught:
        WIRE.encode_request(spec, stream=False)
    assert caught.value.reason is Reason.UNSUPPORTED_PARAMETER
    assert caught.value.violations[0].field == f"spec.{name}"
    spec.on_unsupported = chat_pb2.UNSUPPORTED_POLICY_WARN
    assert [warning.field for warning in WIRE.encode_request(spec, stream=False).warnings] == [f"spec.{name}"]


def test_forbidden_tools_are_left_out() -> None:
    spec = read_request(WIRE, REQUESTS["conversation"])
    spec.tool_choice.mode = tools_pb2.ToolChoice.MODE_NONE
    assert "tools" not in loads(WIRE.encode_request(spec, stream=True).body)


@pytest.mark.parametrize(
    ("status", "text", "reason"),
    [
        (404, "model 'x' not found", Reason.MODEL_NOT_FOUND),
        (404, 'model "x" not found, try pulling it first', Reason.MODEL_NOT_FOUND),
        (400, "registry.ollama.ai/library/x does not support tools", Reason.UNSUPPORTED_PARAMETER),
        (400, '"gemma3" does not support thinking', Reason.UNSUPPORTED_PARAMETER),
        (400, "invalid message format", Reason.INVALID_REQUEST),
        (401, "unauthorized", Reason.INVALID_CREDENTIALS),
        (429, "too many requests", Reason.RATE_LIMIT_EXCEEDED),
        (500, "model requires more system memory (8 GiB) than is available", Reason.PROVIDER_UNAVAILABLE),
        (503, "server busy, please try again.  maximum pending requests exceeded", Reason.OVERLOADED),
        (502, "upstream error", Reason.PROVIDER_UNAVAILABLE),
    ],
)
def test_every_error_has_its_reason_and_keeps_it(status: int, text: str, reason: Reason) -> None:
    error = WIRE.decode_error(HttpReply(status=status, body=json.dumps({"error": text}).encode()))
    assert (error.reason, error.message) == (reason, text)
    written = WIRE.encode_error(error)
    assert loads(written.body) == {"error": text}
    assert WIRE.decode_error(written).reason is reason


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_can_be_written_and_read_back(reason: Reason) -> None:
    assert WIRE.decode_error(WIRE.encode_error(ServiceError(reason, "words"))).reason is reason
    events, error = decode(WIRE, [WIRE.stream_encoder().error(ServiceError(reason, "words"))])
    assert error is not None
    assert (events, error.reason) == ([], reason)


def test_an_error_in_a_stream_comes_after_what_was_said() -> None:
    body = STREAMS["text"].split(b"\n")[0] + b'\n{"error":"an error was encountered while running the model"}\n'
    events, error = decode(WIRE, [body])
    assert [event.WhichOneof("event") for event in events] == ["started", "part_started", "part_delta"]
    assert error is not None
    assert error.reason is Reason.PROVIDER_UNAVAILABLE


def test_a_stream_without_its_last_line_is_broken() -> None:
    body = b"\n".join(STREAMS["text"].split(b"\n")[:2]) + b"\n"
    events, error = decode(WIRE, [body])
    assert events
    assert error is not None
    assert error.reason is Reason.OUTCOME_UNKNOWN


@pytest.mark.parametrize("body", [b"", b"no", b"[]", b"{}", b'{"message":"x"}'])
def test_an_answer_that_cannot_be_read_is_malformed(body: bytes) -> None:
    with pytest.raises(ServiceError) as caught:
        WIRE.decode_response(HttpReply(status=200, body=body))
    assert caught.value.reason is Reason.MALFORMED_RESPONSE


@pytest.mark.parametrize("body", [b"no", b"[]", b"{}", b'{"model":"m","messages":[{"role":"x"}]}', b'{"model":1}'])
def test_a_request_that_cannot_be_meant_is_refused(body: bytes) -> None:
    with pytest.raises(ServiceError) as caught:
        WIRE.decode_request(HttpCall(method="POST", path="/api/chat", body=body))
    assert caught.value.reason is Reason.INVALID_REQUEST


def test_the_text_of_a_stream_is_that_of_its_answer() -> None:
    events, _ = decode(WIRE, [STREAMS["thinking"]])
    parts = fold(events).outputs[0].messages[0].parts
    assert [(part.reasoning.text, part.text.text) for part in parts] == [("abd", ""), ("", "c")]
