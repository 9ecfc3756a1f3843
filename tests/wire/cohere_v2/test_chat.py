"""Cohere's chat API over authored samples: what recordings do not hold."""

from __future__ import annotations

import json
from typing import Any

import pytest

from antiphon.core.errors import Reason, ServiceError
from antiphon.core.fold import fold
from antiphon.v1 import chat_pb2, content_pb2, tools_pb2
from antiphon.wire.base import HttpCall, HttpReply
from antiphon.wire.cohere_v2 import CohereChat
from antiphon.wire.cohere_v2.embeddings import CohereEmbeddings
from antiphon.wire.jsontext import loads
from tests.laws.chat import decode
from tests.laws.cohere import CohereChatLaws
from tests.laws.verdict import first_difference, untyped
from tests.wire.cohere_v2.samples import ANSWERS, BEGIN, END, REQUESTS, STREAMS, UNTYPED, content, stream
from tests.wire.round_trips import answer_difference, read_request, request_difference, stream_failures

WIRE = CohereChat()
LAWS = CohereChatLaws()
EMBED = CohereEmbeddings()
URL = "https://api.cohere.com/v2/chat"


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_is_written_as_it_was_read_with_every_value_typed(name: str) -> None:
    assert request_difference(WIRE, REQUESTS[name]) == (None, 0)


@pytest.mark.parametrize("name", UNTYPED)
def test_what_is_not_typed_survives(name: str) -> None:
    difference, count = request_difference(WIRE, UNTYPED[name])
    assert difference is None
    assert count > 0


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_written_as_it_was_read_with_every_value_typed(name: str) -> None:
    assert answer_difference(WIRE, ANSWERS[name]) == (None, 0)


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_folds_to_one_answer_however_it_is_cut(name: str) -> None:
    assert stream_failures(LAWS, URL, STREAMS[name]) == ([], 0)


def test_totals_hold_images_and_say_what_is_billed() -> None:
    completion = WIRE.decode_response(HttpReply(status=200, body=json.dumps(ANSWERS["text"]).encode()))
    usage = completion.usage
    assert (usage.input_tokens, usage.output_tokens) == (526, 91)
    assert (usage.reasoning_tokens, usage.cache_read_tokens) == (58, 144)
    assert usage.input_by_modality[0].tokens == 259
    assert dict(usage.billed_units) == {"input_tokens": 51, "output_tokens": 66, "search_units": 1}


def test_citations_are_on_the_text_that_they_are_about() -> None:
    completion = WIRE.decode_response(HttpReply(status=200, body=json.dumps(ANSWERS["citations"]).encode()))
    thinking, text = completion.outputs[0].messages[0].parts
    assert not thinking.reasoning.citations
    assert [len(citation.content) for citation in text.text.citations] == [1, 1, 2]
    first = text.text.citations[0]
    assert (first.start, first.end, first.cited_text, first.url) == (0, 4, "Ruby", "https://x")


def test_a_plan_is_reasoning() -> None:
    completion = fold(decode(WIRE, [STREAMS["calls"]])[0])
    plan, first, second = completion.outputs[0].messages[0].parts
    assert (plan.reasoning.text, plan.reasoning.format) == ("I look.", "tool_plan")
    assert (first.tool_call.arguments_json, second.tool_call.arguments_json) == ('{"a": 1}', "")


def test_documents_stand_before_the_conversation_and_come_from_other_wires_parts() -> None:
    spec = read_request(WIRE, REQUESTS["documents"])
    assert [message.role for message in spec.messages] == [
        content_pb2.ROLE_SYSTEM,
        content_pb2.ROLE_USER,
        content_pb2.ROLE_USER,
    ]
    message = spec.messages[2]
    media = message.parts.add().media
    media.modality, media.inline_text, media.title = content_pb2.MODALITY_DOCUMENT, "body", "title"
    body = loads(WIRE.encode_request(spec, stream=False).body)
    assert body["documents"][-1] == {"data": {"title": "title", "text": "body"}}
    assert len(body["messages"]) == 2


def test_only_the_allowed_tools_are_told() -> None:
    spec = read_request(WIRE, REQUESTS["options"])
    other = spec.tools.add()
    other.function.name = "g"
    other.function.strict = True
    spec.tool_choice.allowed_tools.append("g")
    body = loads(WIRE.encode_request(spec, stream=False).body)
    assert [tool["function"]["name"] for tool in body["tools"]] == ["g"]
    assert (body["tool_choice"], body["strict_tools"]) == ("REQUIRED", True)


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("n", {"n": 2}),
        ("end_user_id", {"end_user_id": "u"}),
        ("sampling.min_p", {"sampling": chat_pb2.Sampling(min_p=0.1)}),
        ("reasoning.effort", {"reasoning": chat_pb2.Reasoning(effort="high")}),
        ("safety[0].category", {"safety": [chat_pb2.SafetySetting(category="HATE", threshold="LOW")]}),
        ("response_format.choice", {"response_format": tools_pb2.ResponseFormat(choice=tools_pb2.ChoiceFormat())}),
    ],
)
def test_what_cannot_be_said_is_an_error_or_a_warning(field: str, change: dict[str, Any]) -> None:
    spec = chat_pb2.ChatSpec(model="m", **change)
    with pytest.raises(ServiceError) as caught:
        WIRE.encode_request(spec, stream=False)
    assert caught.value.reason is Reason.UNSUPPORTED_PARAMETER
    assert caught.value.violations[0].field == f"spec.{field}"
    spec.on_unsupported = chat_pb2.UNSUPPORTED_POLICY_WARN
    assert [item.field for item in WIRE.encode_request(spec, stream=False).warnings] == [f"spec.{field}"]


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (400, {"error_type": "TOO_MANY_TOKENS", "message": "too many tokens"}, Reason.CONTEXT_LENGTH_EXCEEDED),
        (400, {"id": "i", "message": "message must be at least 1 token long"}, Reason.INVALID_REQUEST),
        (401, {"message": "invalid api token"}, Reason.INVALID_CREDENTIALS),
        (
            404,
            {"id": "i", "message": "model 'x' not found"},
            Reason.MODEL_NOT_FOUND,
        ),
        (422, {"message": "no"}, Reason.INVALID_REQUEST),
        (
            429,
            {"message": "Your Trial key is limited to 20 API calls / minute."},
            Reason.RATE_LIMIT_EXCEEDED,
        ),
        (
            429,
            {"message": "Your Trial key is limited to 1000 API calls / month."},
            Reason.QUOTA_EXCEEDED,
        ),
        (498, {"message": "invalid token"}, Reason.INVALID_CREDENTIALS),
        (499, {"message": "request cancelled"}, Reason.CANCELLED),
        (500, {"message": "internal server error"}, Reason.PROVIDER_UNAVAILABLE),
        (501, {"message": "not implemented"}, Reason.UNSUPPORTED_OPERATION),
        (503, {"message": "busy"}, Reason.OVERLOADED),
        (504, {"message": "timeout"}, Reason.OUTCOME_UNKNOWN),
    ],
)
def test_every_error_has_its_reason_and_keeps_it(status: int, body: dict[str, str], reason: Reason) -> None:
    error = WIRE.decode_error(HttpReply(status=status, body=json.dumps(body).encode()))
    assert (error.reason, error.message) == (reason, body["message"])
    written = WIRE.encode_error(error)
    assert loads(written.body) == {key: value for key, value in body.items() if key != "error_type"}
    assert WIRE.decode_error(written).reason is reason


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_can_be_written_and_read_back(reason: Reason) -> None:
    assert WIRE.decode_error(WIRE.encode_error(ServiceError(reason, "words"))).reason is reason
    _, error = decode(WIRE, [WIRE.stream_encoder().error(ServiceError(reason, "words"))])
    assert error is not None
    assert (error.reason, error.message) == (reason, "words")


def test_an_error_in_a_stream_comes_after_what_was_said() -> None:
    body = stream(BEGIN, *content(0, "text", "x")[:2], end='data: {"message":"too many requests"}\n\n')
    events, error = decode(WIRE, [body])
    assert [event.WhichOneof("event") for event in events] == ["started", "part_started", "part_delta"]
    assert error is not None
    assert error.reason is Reason.RATE_LIMIT_EXCEEDED


def test_a_stream_that_breaks_off_is_told_so() -> None:
    _, error = decode(WIRE, [stream(BEGIN, *content(0, "text", "x"))])
    assert error is not None
    assert error.reason is Reason.OUTCOME_UNKNOWN


def test_unknown_contents_and_events_survive() -> None:
    body = stream(
        BEGIN,
        ("content-start", {"index": 0, "delta": {"message": {"content": {"type": "hologram", "depth": "3"}}}}),
        ("content-delta", {"index": 0, "delta": {"message": {"content": {"depth": "4"}}}}),
        ("content-end", {"index": 0}),
        ("weather", {"sky": "blue"}),
        END,
    )
    events, error = decode(WIRE, [body])
    assert error is None
    answer = loads(WIRE.encode_response(fold(events)).body)
    assert answer["message"]["content"] == [{"type": "hologram", "depth": "34"}]
    assert answer["weather"] == {"sky": "blue"}


@pytest.mark.parametrize("body", [b"", b"no", b"[]", b"{}", b'{"message":[]}'])
def test_an_answer_that_cannot_be_read_is_malformed(body: bytes) -> None:
    with pytest.raises(ServiceError) as caught:
        WIRE.decode_response(HttpReply(status=200, body=body))
    assert caught.value.reason is Reason.MALFORMED_RESPONSE


@pytest.mark.parametrize("body", [b"no", b"[]", b'{"messages":[]}', b'{"model":"m","messages":[{"role":"x"}]}'])
def test_a_request_that_cannot_be_meant_is_refused(body: bytes) -> None:
    with pytest.raises(ServiceError) as caught:
        WIRE.decode_request(HttpCall(method="POST", path="/v2/chat", body=body))
    assert caught.value.reason is Reason.INVALID_REQUEST


@pytest.mark.parametrize(
    "body",
    [
        {"model": "m", "texts": ["a"], "input_type": "search_query", "embedding_types": ["float"]},
        {"model": "m", "texts": ["a", "b"], "input_type": "classification", "truncate": "NONE"},
        {"model": "m", "images": ["data:image/png;base64,AAAA"], "input_type": "image", "embedding_types": ["ubinary"]},
        {
            "model": "m",
            "inputs": [{"content": [{"type": "text", "text": "a"}]}],
            "input_type": "search_document",
            "output_dimension": 256,
        },
    ],
)
def test_an_embedding_request_is_written_as_it_was_read(body: dict[str, Any]) -> None:
    request = EMBED.decode_request(HttpCall(method="POST", path="/v2/embed", body=json.dumps(body).encode()))
    assert untyped(request, EMBED.name) == 0
    assert first_difference(body, loads(EMBED.encode_request(request).body)) is None


@pytest.mark.parametrize(
    ("vectors", "more"),
    [
        ({"float": [[0.016296387, -0.25], [1e-9, 3.0]]}, {"texts": ["a", "b"]}),
        ({"int8": [[-1, 127]], "uint8": [[0, 255]]}, {}),
        ({"binary": [[-128, 5]]}, {}),
        ({"ubinary": [[255, 5]]}, {}),
        ({"base64": ["AACAPwAAAEA="]}, {}),
        ({"float": []}, {}),
    ],
)
def test_an_embedding_answer_is_written_as_it_was_read(vectors: dict[str, Any], more: dict[str, Any]) -> None:
    body = {
        "id": "i",
        "embeddings": vectors,
        **more,
        "meta": {"api_version": {"version": "2"}, "billed_units": {"input_tokens": 12}, "warnings": ["old model"]},
        "response_type": "embeddings_by_type",
    }
    response = EMBED.decode_response(HttpReply(status=200, body=json.dumps(body).encode()))
    assert first_difference(body, loads(EMBED.encode_response(response).body)) is None
    assert response.usage.input_tokens == 12
    assert response.warnings[0].message == "old model"
