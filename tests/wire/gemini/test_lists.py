"""Embeddings and models at Google."""

from __future__ import annotations

import json
from typing import Any

import pytest

from antiphon.core.errors import Reason, ServiceError
from antiphon.v1 import content_pb2, embeddings_pb2, models_pb2
from antiphon.wire.base import HttpCall, HttpReply
from antiphon.wire.gemini.embeddings import GeminiEmbeddings
from antiphon.wire.gemini.models import GeminiModels
from antiphon.wire.gemini.quirks import vertex
from antiphon.wire.jsontext import loads

EMBEDDINGS, MODELS = GeminiEmbeddings(), GeminiModels()
Json = dict[str, Any]
_PATH = "/v1beta/models/gemini-embedding-001"
_ONE: Json = {"model": "models/gemini-embedding-001", "content": {"parts": [{"text": "a"}]}}


def _reply(body: Json) -> HttpReply:
    return HttpReply(status=200, body=json.dumps(body).encode())


@pytest.mark.parametrize(
    ("method", "body"),
    [
        ("embedContent", _ONE),
        ("embedContent", {"content": {"parts": [{"text": "a"}], "role": "user"}}),
        ("embedContent", {**_ONE, "taskType": "RETRIEVAL_DOCUMENT", "title": "T", "outputDimensionality": 64}),
        ("embedContent", {"content": {"parts": [{"text": "a"}]}, "autoTruncate": True, "newField": 1}),
        ("batchEmbedContents", {"requests": [_ONE]}),
        (
            "batchEmbedContents",
            {
                "requests": [
                    {**_ONE, "output_dimensionality": 64},
                    {
                        "model": "models/gemini-embedding-001",
                        "content": {
                            "parts": [
                                {"text": "logo"},
                                {"inline_data": {"mime_type": "image/png", "data": "AAEC"}},
                            ]
                        },
                        "output_dimensionality": 64,
                    },
                ]
            },
        ),
    ],
)
def test_a_request_for_vectors_is_written_as_it_was_read(method: str, body: Json) -> None:
    path = f"{_PATH}:{method}"
    request = EMBEDDINGS.decode_request(HttpCall(method="POST", path=path, body=json.dumps(body).encode()))
    call = EMBEDDINGS.encode_request(request)
    assert (call.path, loads(call.body), call.warnings) == (path, body, ())
    assert request.model == "gemini-embedding-001"


@pytest.mark.parametrize(
    "body",
    [
        {"embedding": {"values": [0.1, -0.25]}},
        {"embeddings": [{"values": [0.013593542]}]},
        {"embeddings": [{"values": [0.5], "statistics": {"truncated": True, "tokenCount": 3}}]},
        {"embeddings": [{"values": [0.1234567891, 1e-40, 3.5]}]},
        {
            "embeddings": [{"values": []}],
            "usageMetadata": {"promptTokenCount": 3, "promptTokenDetails": [{"modality": "TEXT", "tokenCount": 3}]},
        },
    ],
)  # fmt: skip
def test_vectors_are_written_as_they_were_read(body: Json) -> None:
    response = EMBEDDINGS.decode_response(_reply(body))
    assert loads(EMBEDDINGS.encode_response(response).body) == body
    assert not response.provider_data


def test_vectors_for_a_client_come_as_it_asked() -> None:
    response = embeddings_pb2.EmbedResponse()
    response.embeddings.add().float32.values.append(0.5)
    assert loads(EMBEDDINGS.encode_response(response).body) == {"embedding": {"values": [0.5]}}
    assert loads(EMBEDDINGS.encode_response(response, batch=True).body) == {"embeddings": [{"values": [0.5]}]}


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"encoding": embeddings_pb2.VECTOR_ENCODING_INT8}, "encoding"),
        ({"normalize": True}, "normalize"),
        ({"inputs": [{"tokens": {"ids": [1]}}]}, "inputs[0].tokens"),
    ],
)
def test_what_google_cannot_embed_is_refused(fields: Json, path: str) -> None:
    request = embeddings_pb2.EmbedRequest(model="m", **{"inputs": [{"text": "a"}], **fields})
    with pytest.raises(ServiceError) as caught:
        EMBEDDINGS.encode_request(request)
    assert caught.value.reason is Reason.UNSUPPORTED_PARAMETER
    assert caught.value.violations[0].field == path


def test_vertex_embeds_one_input_at_a_time() -> None:
    door = GeminiEmbeddings(vertex("p", "l"))
    request = embeddings_pb2.EmbedRequest(model="m", inputs=[embeddings_pb2.EmbedInput(text="a")])
    assert door.encode_request(request).path.endswith("/publishers/google/models/m:embedContent")
    request.inputs.add(text="b")
    with pytest.raises(ServiceError):
        door.encode_request(request)


@pytest.mark.parametrize(
    ("path", "body"), [("x", b"{}"), (f"{_PATH}:generateContent", b"{}"), (f"{_PATH}:embedContent", b"{}")]
)
def test_a_wrong_request_for_vectors_is_refused(path: str, body: bytes) -> None:
    with pytest.raises(ServiceError) as caught:
        EMBEDDINGS.decode_request(HttpCall(method="POST", path=path, body=body))
    assert caught.value.reason is Reason.INVALID_REQUEST


_MODEL: Json = {
    "name": "models/gemini-2.5-flash",
    "baseModelId": "gemini-2.5",
    "version": "001",
    "displayName": "Gemini 2.5 Flash",
    "description": "d",
    "inputTokenLimit": 1048576,
    "outputTokenLimit": 65536,
    "supportedGenerationMethods": ["generateContent", "countTokens"],
    "temperature": 1,
    "topP": 0.95,
    "topK": 64,
    "maxTemperature": 2,
    "thinking": True,
}


@pytest.mark.parametrize(
    "body",
    [
        {"models": [_MODEL, {"name": "tunedModels/x"}], "nextPageToken": "t"},
        {"models": []},
        {},
        {
            "publisherModels": [
                {"name": "publishers/google/models/gemini-2.5-pro", "versionId": "1", "launchStage": "GA"}
            ]
        },
    ],
)
def test_a_list_of_models_is_written_as_it_was_read(body: Json) -> None:
    models = MODELS.decode_list(_reply(body))
    assert loads(MODELS.encode_list(models).body) == body
    assert all(not model.provider_data for model in models.models)


def test_a_model_says_what_it_can_do() -> None:
    model = MODELS.decode_model(_reply(_MODEL))
    assert (model.provider_model_id, model.max_input_tokens, model.context_window_tokens) == (
        "gemini-2.5-flash",
        1048576,
        1048576,
    )
    assert model.capabilities.chat
    assert model.capabilities.streaming
    assert model.capabilities.reasoning
    assert not model.capabilities.embeddings
    assert loads(MODELS.encode_model(model).body) == _MODEL


def test_a_model_of_another_provider_is_said_in_googles_words() -> None:
    model = models_pb2.Model(name="openai/gpt-4o", context_window_tokens=128000, state="loaded")
    model.capabilities.chat = True
    assert loads(MODELS.encode_model(model).body) == {
        "name": "models/openai/gpt-4o",
        "inputTokenLimit": 128000,
        "supportedGenerationMethods": ["generateContent"],
    }


def test_pages_and_models_are_asked_for_by_path() -> None:
    page = models_pb2.ListModelsRequest(page_size=50, page_token="a+b")
    call = MODELS.encode_list_request(page)
    assert call.path == "/v1beta/models?pageSize=50&pageToken=a%2Bb"
    assert MODELS.decode_list_request(call) == page
    assert MODELS.encode_list_request().path == "/v1beta/models"
    assert MODELS.decode_list_request(HttpCall(method="GET", path="/v1beta/models?pageSize=x")).page_size == 0
    one = MODELS.encode_get_request("gemini-2.5-pro")
    assert one.path == "/v1beta/models/gemini-2.5-pro"
    assert MODELS.decode_get_request(one) == "gemini-2.5-pro"


@pytest.mark.parametrize("body", [b"", b"[]", b'{"data":[]}', b'{"models":[1]}'])
def test_a_list_that_cannot_be_read_is_malformed(body: bytes) -> None:
    with pytest.raises(ServiceError) as caught:
        MODELS.decode_list(HttpReply(status=200, body=body))
    assert caught.value.reason is Reason.MALFORMED_RESPONSE


def test_media_are_embedded_with_their_type() -> None:
    part = content_pb2.Part(media=content_pb2.MediaPart(media_type="image/png", data=b"\0\1\2"))
    request = embeddings_pb2.EmbedRequest(
        model="m", inputs=[embeddings_pb2.EmbedInput(parts=embeddings_pb2.Parts(parts=[part]))]
    )
    body = loads(EMBEDDINGS.encode_request(request).body)
    assert body["content"]["parts"] == [{"inlineData": {"mimeType": "image/png", "data": "AAEC"}}]
