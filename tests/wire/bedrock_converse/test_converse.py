"""The Converse API over authored samples: what recordings do not hold."""

from __future__ import annotations

import base64
import copy
import json
from typing import Any

import botocore.eventstream
import botocore.loaders
import botocore.model
import botocore.parsers
import botocore.validate
import pytest

from antiphon.core.errors import Reason, ServiceError
from antiphon.core.fold import fold
from antiphon.v1 import chat_pb2, content_pb2, tools_pb2
from antiphon.wire.base import HttpCall, HttpReply
from antiphon.wire.bedrock_converse import BedrockConverse
from antiphon.wire.eventstream import exception_frame
from antiphon.wire.jsontext import loads
from tests.laws.bedrock import BedrockConverseLaws
from tests.laws.chat import decode, spoken, written
from tests.laws.verdict import first_difference
from tests.wire.bedrock_converse.samples import (
    ANSWERS,
    BEGIN,
    END,
    GUARDED,
    METADATA,
    REQUESTS,
    STREAMS,
    UNTYPED,
    answer,
    stream,
)
from tests.wire.round_trips import answer_difference, read_request, request_difference, stream_failures

WIRE = BedrockConverse()
LAWS = BedrockConverseLaws()
MODEL = "anthropic.claude-x-v1:0"
PATH = "/model/anthropic.claude-x-v1%3A0/converse"
URL = "https://bedrock-runtime.us-east-1.amazonaws.com/model/m/converse-stream"
SERVICE = botocore.model.ServiceModel(botocore.loaders.Loader().load_service_model("bedrock-runtime", "service-2"))
CONVERSE = SERVICE.operation_model("Converse")


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_is_written_as_it_was_read_with_every_value_typed(name: str) -> None:
    assert request_difference(WIRE, REQUESTS[name], PATH) == (None, 0)


@pytest.mark.parametrize("name", [name for name in REQUESTS if name not in ("nothing", "replay")])
def test_a_request_fits_the_model_of_the_service(name: str) -> None:
    """So that a client of Amazon's own could send it; `replay` holds what it only hands on."""
    spec = read_request(WIRE, REQUESTS[name], PATH)
    body = loads(WIRE.encode_request(spec, stream=True).body)
    operation = SERVICE.operation_model("ConverseStream")
    parameters = _with_bytes({"modelId": MODEL, **body})
    report = botocore.validate.ParamValidator().validate(parameters, operation.input_shape)
    undocumented = ("tool_use", "Unknown parameter in messages")
    assert not report.has_errors() or all(word in report.generate_report() for word in undocumented), (
        report.generate_report()
    )


@pytest.mark.parametrize("name", UNTYPED)
def test_what_is_not_typed_survives(name: str) -> None:
    difference, untyped = request_difference(WIRE, UNTYPED[name], PATH)
    assert difference is None
    assert untyped > 0


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_written_as_it_was_read_with_every_value_typed(name: str) -> None:
    assert answer_difference(WIRE, ANSWERS[name]) == (None, 0)


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_read_by_amazons_own_parser(name: str) -> None:
    completion = WIRE.decode_response(HttpReply(status=200, body=json.dumps(ANSWERS[name]).encode()))
    body = WIRE.encode_response(completion).body
    parsed = botocore.parsers.create_parser("rest-json").parse(
        {"status_code": 200, "headers": {}, "body": body}, CONVERSE.output_shape
    )
    assert parsed["stopReason"] == ANSWERS[name]["stopReason"]
    assert parsed["usage"]["totalTokens"] == ANSWERS[name]["usage"]["totalTokens"]


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_folds_to_one_answer_however_it_is_cut(name: str) -> None:
    assert stream_failures(LAWS, URL, STREAMS[name]) == ([], 0)


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_is_read_by_amazons_own_parser(name: str) -> None:
    events, _ = decode(WIRE, [STREAMS[name]])
    body = written(WIRE, events)
    shape = SERVICE.operation_model("ConverseStream").output_shape.members["stream"]
    parser = botocore.parsers.create_parser("rest-json")
    read = list(botocore.eventstream.EventStream(_Raw(body), shape, parser._event_stream_parser, "ConverseStream"))
    text = "".join(event.get("contentBlockDelta", {}).get("delta", {}).get("text", "") for event in read)
    assert text == spoken(fold(events))["text"]
    assert [key for event in read for key in event][-2:] == ["messageStop", "metadata"]


class _Raw:
    """A body as Amazon's reader takes it."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self) -> list[bytes]:
        return [self._body]


@pytest.mark.parametrize("name", [name for name in ANSWERS if name != "nothing"])
def test_an_answer_can_be_replayed(name: str) -> None:
    completion = WIRE.decode_response(HttpReply(status=200, body=json.dumps(ANSWERS[name]).encode()))
    spec = read_request(WIRE, REQUESTS["plain"], PATH)
    spec.messages.extend(completion.outputs[0].messages)
    turns = loads(WIRE.encode_request(spec, stream=False).body)["messages"]
    content = copy.deepcopy(ANSWERS[name]["output"]["message"]["content"])
    said = [block for block in content if block.get("text", "x").strip()]
    for block in said:  # a word that answers have and the service does not ask for
        if block.get("toolUse", {}).get("type") == "tool_use":
            turns = json.loads(
                json.dumps(turns).replace('"input": {"a": 1.0}', '"input": {"a": 1.0}, "type": "tool_use"')
            )
    assert first_difference(said, turns[1]["content"]) is None


def test_totals_hold_what_was_cached() -> None:
    for name, total in (("cached", 1139), ("cached_within", 111), ("text", 11)):
        completion = WIRE.decode_response(HttpReply(status=200, body=json.dumps(ANSWERS[name]).encode()))
        assert completion.usage.input_tokens == total
        assert completion.usage.input_tokens + completion.usage.output_tokens == completion.usage.total_tokens


def test_what_a_guardrail_found_is_rated_and_kept() -> None:
    difference, _ = answer_difference(WIRE, GUARDED)
    assert difference is None
    completion = WIRE.decode_response(HttpReply(status=200, body=json.dumps(GUARDED).encode()))
    found = [(item.category, item.blocked) for item in completion.prompt_safety]
    assert found == [("DENY", True), ("HATE", False)]
    assert [item.category for item in completion.outputs[0].safety] == ["x"]
    assert completion.outputs[0].finish_reason == chat_pb2.FINISH_REASON_CONTENT_FILTER


def test_the_model_is_in_the_path_both_ways() -> None:
    arn = "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.x"
    for stream_, action in ((False, "converse"), (True, "converse-stream")):
        call = WIRE.encode_request(chat_pb2.ChatSpec(model=arn), stream=stream_)
        assert call.path == f"/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.anthropic.x/{action}"
        read = WIRE.decode_request(call)
        assert (read.spec.model, read.stream) == (arn, stream_)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("us.anthropic.claude-x", {"thinking": {"type": "enabled", "budget_tokens": 2000}, "top_k": 5}),
        ("amazon.nova-2", {"reasoningConfig": {"type": "enabled"}, "inferenceConfig": {"topK": 5}}),
    ],
)
def test_reasoning_is_said_in_the_words_of_the_models_family(model: str, expected: dict[str, Any]) -> None:
    spec = chat_pb2.ChatSpec(model=model, sampling=chat_pb2.Sampling(top_k=5))
    spec.messages.add(role=content_pb2.ROLE_USER).parts.add().text.text = "x"
    spec.reasoning.enabled, spec.reasoning.budget_tokens = True, 2000
    body = loads(WIRE.encode_request(spec, stream=False).body)
    assert body["additionalModelRequestFields"] == expected


def test_neighbours_of_one_side_are_joined_and_results_go_first() -> None:
    spec = chat_pb2.ChatSpec(model=MODEL)
    spec.messages.add(role=content_pb2.ROLE_SYSTEM).parts.add().text.text = "rules"
    for role, text in ((content_pb2.ROLE_USER, "a"), (content_pb2.ROLE_USER, "b")):
        spec.messages.add(role=role).parts.add().text.text = text
    for number in "12":
        result = spec.messages.add(role=content_pb2.ROLE_TOOL).parts.add().tool_result
        result.call_id = number
        result.content.add().text.text = number
    body = loads(WIRE.encode_request(spec, stream=False).body)
    assert body["system"] == [{"text": "rules"}]
    assert [turn["role"] for turn in body["messages"]] == ["user"]
    assert len(body["messages"][0]["content"]) == 4


def test_forbidden_tools_are_left_out_unless_they_were_used() -> None:
    spec = read_request(WIRE, REQUESTS["choices"], PATH)
    spec.tool_choice.mode = tools_pb2.ToolChoice.MODE_NONE
    assert "toolConfig" not in loads(WIRE.encode_request(spec, stream=True).body)
    spec = read_request(WIRE, REQUESTS["tools"], PATH)
    spec.tool_choice.Clear()
    spec.tool_choice.mode = tools_pb2.ToolChoice.MODE_NONE
    with pytest.raises(ServiceError) as caught:
        WIRE.encode_request(spec, stream=True)
    assert caught.value.reason is Reason.UNSUPPORTED_PARAMETER


def test_names_of_documents_are_made_to_fit() -> None:
    spec = chat_pb2.ChatSpec(model=MODEL)
    media = spec.messages.add(role=content_pb2.ROLE_USER).parts.add().media
    media.media_type, media.data, media.filename = "application/pdf", b"%PDF", "a_b/c  d.pdf"
    block = loads(WIRE.encode_request(spec, stream=False).body)["messages"][0]["content"][0]
    assert block == {"document": {"format": "pdf", "name": "a b c d pdf", "source": {"bytes": "JVBERg=="}}}


@pytest.mark.parametrize("field", ["n", "store", "end_user_id", "verbosity"])
def test_what_cannot_be_said_is_an_error_or_a_warning(field: str) -> None:
    value: Any = {"n": 2, "store": True}.get(field, "x")
    spec = chat_pb2.ChatSpec(model=MODEL, **{field: value})
    with pytest.raises(ServiceError) as caught:
        WIRE.encode_request(spec, stream=False)
    assert caught.value.violations[0].field == f"spec.{field}"
    spec.on_unsupported = chat_pb2.UNSUPPORTED_POLICY_WARN
    assert [item.field for item in WIRE.encode_request(spec, stream=False).warnings] == [f"spec.{field}"]


@pytest.mark.parametrize(
    ("status", "word", "message", "reason"),
    [
        (400, "ValidationException:http://x", "The provided model identifier is invalid.", Reason.MODEL_NOT_FOUND),
        (400, "ValidationException", "Input is too long for requested model.", Reason.CONTEXT_LENGTH_EXCEEDED),
        (400, "ValidationException", "messages: roles must alternate", Reason.INVALID_REQUEST),
        (400, "ValidationException", "extraneous key [x] is not permitted", Reason.UNSUPPORTED_PARAMETER),
        (403, "AccessDeniedException", "You don't have access to the model", Reason.SCOPE_INSUFFICIENT),
        (403, "UnrecognizedClientException", "The security token is invalid.", Reason.INVALID_CREDENTIALS),
        (403, "InvalidSignatureException", "no", Reason.INVALID_CREDENTIALS),
        (403, "ExpiredTokenException", "The security token included in the request is expired", Reason.TOKEN_EXPIRED),
        (404, "ResourceNotFoundException", "no", Reason.MODEL_NOT_FOUND),
        (408, "ModelTimeoutException", "no", Reason.OUTCOME_UNKNOWN),
        (424, "ModelErrorException", "no", Reason.PROVIDER_UNAVAILABLE),
        (429, "ThrottlingException", "Too many requests", Reason.RATE_LIMIT_EXCEEDED),
        (429, "ThrottlingException", "Too many tokens per day, please wait", Reason.QUOTA_EXCEEDED),
        (429, "ModelNotReadyException", "no", Reason.OVERLOADED),
        (400, "ServiceQuotaExceededException", "no", Reason.QUOTA_EXCEEDED),
        (500, "InternalServerException", "no", Reason.PROVIDER_UNAVAILABLE),
        (503, "ServiceUnavailableException", "no", Reason.OVERLOADED),
    ],
)
def test_every_error_has_its_reason_and_keeps_it(status: int, word: str, message: str, reason: Reason) -> None:
    body = json.dumps({"message": message}).encode()
    error = WIRE.decode_error(HttpReply(status=status, body=body, headers={"x-amzn-errortype": word}))
    assert (error.reason, error.message) == (reason, message)
    assert WIRE.decode_error(WIRE.encode_error(error)).reason is reason
    typed = json.dumps({"__type": f"com.amazon.coral.service#{word.split(':')[0]}", "Message": message}).encode()
    assert WIRE.decode_error(HttpReply(status=status, body=typed)).reason is reason


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_can_be_written_and_read_back(reason: Reason) -> None:
    assert WIRE.decode_error(WIRE.encode_error(ServiceError(reason, "words"))).reason is reason
    _, error = decode(WIRE, [WIRE.stream_encoder().error(ServiceError(reason, "words"))])
    assert error is not None
    assert (error.reason, error.message) == (reason, "words")


@pytest.mark.parametrize(
    ("name", "body", "reason"),
    [
        ("throttlingException", {"message": "slow down"}, Reason.RATE_LIMIT_EXCEEDED),
        ("modelStreamErrorException", {"message": "x", "originalStatusCode": 500}, Reason.PROVIDER_UNAVAILABLE),
        ("modelStreamErrorException", {"originalMessage": "x", "originalStatusCode": 429}, Reason.RATE_LIMIT_EXCEEDED),
        ("validationException", {"message": "Input is too long"}, Reason.CONTEXT_LENGTH_EXCEEDED),
        ("serviceUnavailableException", {}, Reason.OVERLOADED),
    ],
)
def test_an_exception_in_a_stream_comes_after_what_was_said(name: str, body: dict[str, Any], reason: Reason) -> None:
    said = stream(BEGIN, ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "x"}}))
    events, error = decode(WIRE, [said + exception_frame(name, json.dumps(body).encode())])
    assert [event.WhichOneof("event") for event in events] == ["started", "part_started", "part_delta"]
    assert error is not None
    assert error.reason is reason


def test_a_stream_that_breaks_off_or_is_damaged_is_told_so() -> None:
    whole = STREAMS["text"]
    _, error = decode(WIRE, [whole[: len(whole) // 2]])
    assert error is not None
    assert error.reason is Reason.OUTCOME_UNKNOWN
    damaged = bytearray(whole)
    damaged[-20] ^= 1
    events, error = decode(WIRE, [bytes(damaged)])
    assert events
    assert error is not None
    assert error.reason is Reason.MALFORMED_RESPONSE


def test_padding_is_dropped_and_unknown_events_and_deltas_survive() -> None:
    body = stream(
        BEGIN,
        ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "x"}}),
        ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"mood": {"a": 1}}}),
        ("contentBlockStop", {"contentBlockIndex": 0}),
        ("weatherReport", {"sky": "blue"}),
        END,
        METADATA,
    )
    events, error = decode(WIRE, [body])
    assert error is None
    answer_ = loads(WIRE.encode_response(fold(events)).body)
    assert answer_["output"]["message"]["content"] == [{"text": "x", "mood": {"a": 1}}]
    assert answer_["weatherReport"] == {"sky": "blue"}
    assert "abc" not in json.dumps(answer_)
    again, error = decode(WIRE, [written(WIRE, events)])
    assert error is None
    assert loads(WIRE.encode_response(fold(again)).body) == answer_


@pytest.mark.parametrize("body", [b"", b"no", b"[]", b"{}", b'{"output":{}}'])
def test_an_answer_that_cannot_be_read_is_malformed(body: bytes) -> None:
    with pytest.raises(ServiceError) as caught:
        WIRE.decode_response(HttpReply(status=200, body=body))
    assert caught.value.reason is Reason.MALFORMED_RESPONSE


@pytest.mark.parametrize(
    "body", [b"no", b"[]", b'{"messages":[{"role":"x"}]}', b'{"messages":[{"role":"user","content":"x"}]}']
)
def test_a_request_that_cannot_be_meant_is_refused(body: bytes) -> None:
    with pytest.raises(ServiceError) as caught:
        WIRE.decode_request(HttpCall(method="POST", path=PATH, body=body))
    assert caught.value.reason is Reason.INVALID_REQUEST


def test_counts_go_both_ways() -> None:
    spec = read_request(WIRE, REQUESTS["options"], PATH)
    call = WIRE.encode_count_request(spec)
    assert call.path.endswith("/count-tokens")
    assert loads(call.body)["input"]["converse"].keys() == {"messages", "system", "additionalModelRequestFields"}
    assert WIRE.decode_count_request(call).messages == spec.messages
    count = WIRE.decode_count_response(HttpReply(status=200, body=b'{"inputTokens":23}'))
    assert count.usage.input_tokens == 23
    assert loads(WIRE.encode_count_response(count).body) == {"inputTokens": 23}


def test_several_answers_are_more_than_the_wire_holds() -> None:
    completion = WIRE.decode_response(HttpReply(status=200, body=json.dumps(answer({"text": "x"})).encode()))
    completion.outputs.add(index=1)
    with pytest.raises(ServiceError) as caught:
        WIRE.encode_response(completion)
    assert caught.value.reason is Reason.UNSUPPORTED_PARAMETER


def _with_bytes(value: Any) -> Any:
    """The value with base64 as the bytes that Amazon's own clients take."""
    if isinstance(value, dict):
        return {
            key: base64.b64decode(item) if key in ("bytes", "redactedContent") else _with_bytes(item)
            for key, item in value.items()
        }
    return [_with_bytes(item) for item in value] if isinstance(value, list) else value
