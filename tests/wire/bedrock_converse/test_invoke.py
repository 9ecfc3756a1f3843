"""Anthropic's messages and embeddings over Bedrock's `invoke`."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from antiphon.core.errors import Reason, ServiceError
from antiphon.core.fold import fold
from antiphon.v1 import chat_pb2, embeddings_pb2
from antiphon.wire.base import HttpCall, HttpReply
from antiphon.wire.bedrock_converse.embeddings import BedrockEmbeddings
from antiphon.wire.bedrock_converse.invoke import METRICS, BedrockAnthropic
from antiphon.wire.eventstream import event_frame, exception_frame
from antiphon.wire.jsontext import loads
from tests.laws.bedrock import BedrockAnthropicLaws
from tests.laws.chat import decode, events_of
from tests.laws.verdict import first_difference, untyped
from tests.wire.anthropic_messages.answers import ANSWERS
from tests.wire.anthropic_messages.requests import REQUESTS
from tests.wire.anthropic_messages.streams import STREAMS
from tests.wire.anthropic_messages.streams import UNKNOWN_STREAM as _UNKNOWN
from tests.wire.round_trips import stream_failures

WIRE = BedrockAnthropic()
LAWS = BedrockAnthropicLaws()
EMBED = BedrockEmbeddings()
Json = dict[str, Any]
URL = "https://bedrock-runtime.us-east-1.amazonaws.com/model/anthropic.x/invoke-with-response-stream"
ASKED = {"anthropic_version": "bedrock-2023-05-31"}
TIMES = {"inputTokenCount": 702, "outputTokenCount": 98, "invocationLatency": 3042, "firstByteLatency": 791}


def _framed(body: bytes) -> bytes:
    """A stream of Anthropic's as Bedrock sends it."""
    frames = []
    for event in events_of(body):
        data = {**event, METRICS: TIMES} if event["type"] == "message_stop" else event
        inner = base64.b64encode(json.dumps(data).encode()).decode()
        frames.append(event_frame("chunk", json.dumps({"bytes": inner, "p": "abc"}).encode()))
    return b"".join(frames)


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_is_anthropics_but_for_model_and_version(name: str) -> None:
    body = {**ASKED, **{key: value for key, value in REQUESTS[name].items() if key not in ("model", "stream")}}
    call = HttpCall(method="POST", path="/model/anthropic.x%3A0/invoke", body=json.dumps(body).encode())
    read = WIRE.decode_request(call)
    assert read.spec.model == "anthropic.x:0"
    again = WIRE.encode_request(read.spec, stream=True)
    assert again.path == "/model/anthropic.x%3A0/invoke-with-response-stream"
    written = loads(again.body)
    written.pop("anthropic_beta", None)  # what the direct door says in a header
    written.setdefault("max_tokens", body.get("max_tokens"))
    assert first_difference({"max_tokens": 4096, **body}, written) is None


def test_features_on_trial_are_a_field() -> None:
    body = {**ASKED, "max_tokens": 1, "messages": [], "anthropic_beta": ["a-1", "b-2"]}
    call = HttpCall(method="POST", path="/model/anthropic.x/invoke", body=json.dumps(body).encode())
    spec = WIRE.decode_request(call).spec
    assert list(spec.provider_features) == ["a-1", "b-2"]
    assert untyped(spec, WIRE.name) == 0
    assert loads(WIRE.encode_request(spec, stream=False).body) == body


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_anthropics(name: str) -> None:
    completion = WIRE.decode_response(HttpReply(status=200, body=json.dumps(ANSWERS[name]).encode()))
    assert first_difference(ANSWERS[name], loads(WIRE.encode_response(completion).body)) is None


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_folds_to_one_answer_however_it_is_cut(name: str) -> None:
    assert stream_failures(LAWS, URL, _framed(STREAMS[name]), {**ASKED, "max_tokens": 1, "messages": []}) == ([], 0)


def test_a_stream_tells_how_long_it_took() -> None:
    completion = fold(decode(WIRE, [_framed(_UNKNOWN)])[0])
    assert completion.usage.timing.total_seconds == pytest.approx(3.042)
    assert completion.usage.timing.time_to_first_token_seconds == pytest.approx(0.791)
    assert completion.usage.billed_units["outputTokenCount"] == 98
    headers = {"x-amzn-bedrock-invocation-latency": "12", "x-amzn-requestid": "r"}
    body = json.dumps(next(iter(ANSWERS.values()))).encode()
    reply = HttpReply(status=200, body=body, headers=headers)
    completion = WIRE.decode_response(reply)
    assert (completion.usage.timing.total_seconds, completion.upstream_request_id) == (0.012, "r")
    assert WIRE.encode_response(completion).headers["x-amzn-bedrock-invocation-latency"] == "12"


def test_an_exception_ends_a_stream() -> None:
    body = _framed(_UNKNOWN)[:700]
    _, error = decode(WIRE, [body])
    assert error is not None
    assert error.reason is Reason.OUTCOME_UNKNOWN
    _, error = decode(WIRE, [exception_frame("throttlingException", b'{"message":"slow"}')])
    assert error is not None
    assert error.reason is Reason.RATE_LIMIT_EXCEEDED
    _, error = decode(WIRE, [WIRE.stream_encoder().error(ServiceError(Reason.OVERLOADED, "busy"))])
    assert error is not None
    assert error.reason is Reason.OVERLOADED


def test_a_body_of_another_model_family_is_refused() -> None:
    call = HttpCall(method="POST", path="/model/meta.llama/invoke", body=b'{"prompt":"x"}')
    with pytest.raises(ServiceError) as caught:
        WIRE.decode_request(call)
    assert caught.value.reason is Reason.INVALID_REQUEST


def test_counts_wrap_the_body_once_more() -> None:
    spec = WIRE.decode_request(
        HttpCall(
            method="POST",
            path="/model/anthropic.x/invoke",
            body=json.dumps({**ASKED, "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}).encode(),
        )
    ).spec
    call = WIRE.encode_count_request(spec)
    assert call.path == "/model/anthropic.x/count-tokens"
    assert WIRE.decode_count_request(call) == spec


PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
ASKS: list[tuple[str, Json]] = [
    ("amazon.titan-embed-text-v1", {"inputText": "x"}),
    (
        "amazon.titan-embed-text-v2:0",
        {"inputText": "x", "dimensions": 256, "normalize": False, "embeddingTypes": ["binary"]},
    ),
    (
        "amazon.titan-embed-image-v1",
        {"inputText": "x", "inputImage": PIXEL, "embeddingConfig": {"outputEmbeddingLength": 384}},
    ),
    ("cohere.embed-english-v3", {"texts": ["a", "b"], "input_type": "search_query", "truncate": "START"}),
    (
        "cohere.embed-v4:0",
        {"texts": ["a"], "input_type": "clustering", "embedding_types": ["int8"], "output_dimension": 4},
    ),
    ("cohere.embed-english-v3", {"images": ["data:image/png;base64," + PIXEL], "input_type": "image"}),
    (
        "amazon.nova-2-multimodal-embeddings-v1:0",
        {
            "taskType": "SINGLE_EMBEDDING",
            "singleEmbeddingParams": {
                "embeddingPurpose": "TEXT_RETRIEVAL",
                "embeddingDimension": 256,
                "text": {"truncationMode": "END", "value": "x"},
            },
        },
    ),
    (
        "amazon.nova-2-multimodal-embeddings-v1:0",
        {
            "taskType": "SINGLE_EMBEDDING",
            "singleEmbeddingParams": {
                "embeddingPurpose": "IMAGE_RETRIEVAL",
                "image": {"format": "png", "source": {"bytes": PIXEL}},
            },
        },
    ),
]


@pytest.mark.parametrize(("model", "body"), ASKS)
def test_an_embedding_request_is_written_as_it_was_read(model: str, body: Json) -> None:
    call = HttpCall(method="POST", path=f"/model/{model}/invoke", body=json.dumps(body).encode())
    request = EMBED.decode_request(call)
    assert request.model == model
    assert untyped(request, EMBED.name) == 0
    again = EMBED.encode_request(request)
    assert first_difference(body, loads(again.body)) is None
    assert EMBED.decode_request(again).model == model


@pytest.mark.parametrize(
    "body",
    [
        {"embedding": [0.45703125, -0.018798828], "inputTextTokenCount": 3},
        {"embedding": [0.5], "embeddingsByType": {"float": [0.5]}, "inputTextTokenCount": 3},
        {"embeddingsByType": {"binary": [1, 0, 1]}, "inputTextTokenCount": 3},
        {"embeddings": [{"embeddingType": "TEXT", "embedding": [0.1, 0.25]}]},
        {"embeddings": [[0.1], [0.25]], "id": "i", "response_type": "embeddings_floats"},
        {"embeddings": {"int8": [[-1, 2]]}, "id": "i", "response_type": "embeddings_by_type"},
    ],
)
def test_an_embedding_answer_is_written_as_it_was_read(body: Json) -> None:
    response = EMBED.decode_response(HttpReply(status=200, body=json.dumps(body).encode()))
    assert untyped(response, EMBED.name) == 0
    assert first_difference(body, loads(EMBED.encode_response(response).body)) is None


def test_several_inputs_take_several_calls_of_titan() -> None:
    request = embeddings_pb2.EmbedRequest(model="amazon.titan-embed-text-v1")
    for text in "ab":
        request.inputs.add().text = text
    with pytest.raises(ServiceError) as caught:
        EMBED.encode_request(request)
    assert caught.value.reason is Reason.UNSUPPORTED_PARAMETER
    request.model = "cohere.embed-english-v3"
    request.on_unsupported = chat_pb2.UNSUPPORTED_POLICY_ERROR
    assert loads(EMBED.encode_request(request).body)["texts"] == ["a", "b"]


def test_an_unknown_model_is_told_so() -> None:
    with pytest.raises(ServiceError) as caught:
        EMBED.encode_request(embeddings_pb2.EmbedRequest(model="meta.x"))
    assert caught.value.violations[0].field == "model"
