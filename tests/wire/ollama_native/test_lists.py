"""Ollama's embeddings and models over authored samples."""

from __future__ import annotations

import json
from typing import Any

import pytest

from antiphon.core.errors import Reason, ServiceError
from antiphon.v1 import embeddings_pb2
from antiphon.wire.base import HttpCall, HttpReply
from antiphon.wire.jsontext import loads
from antiphon.wire.ollama_native.embeddings import OllamaEmbeddings
from antiphon.wire.ollama_native.models import OllamaModels
from tests.laws.verdict import first_difference, untyped

EMBED = OllamaEmbeddings()
MODELS = OllamaModels()
Json = dict[str, Any]

TAGS: Json = {
    "models": [
        {
            "name": "deepseek-r1:latest",
            "model": "deepseek-r1:latest",
            "modified_at": "2025-05-10T08:06:48.639712648-07:00",
            "size": 4683075271,
            "digest": "0a8c266910232fd3291e71e5ba1e058cc5af9d411192cf88b6d30e92b6e73163",
            "details": {
                "parent_model": "",
                "format": "gguf",
                "family": "qwen2",
                "families": ["qwen2"],
                "parameter_size": "7.6B",
                "quantization_level": "Q4_K_M",
            },
        },
        {"name": "cloud", "model": "cloud", "remote_model": "gpt", "remote_host": "https://ollama.com", "size": 384},
    ]
}
SHOW: Json = {
    "license": "MIT",
    "modelfile": "FROM x\n",
    "parameters": "num_keep 24",
    "template": "{{ .Prompt }}",
    "details": {"format": "gguf", "family": "llama", "families": ["llama"], "parameter_size": "8.0B"},
    "model_info": {
        "general.architecture": "llama",
        "general.parameter_count": 8030261248,
        "llama.context_length": 8192,
        "llama.embedding_length": 4096,
        "llama.rope.freq_base": 500000,
        "tokenizer.ggml.merges": None,
    },
    "capabilities": ["completion", "tools"],
    "modified_at": "2026-01-02T03:04:05.5Z",
}


@pytest.mark.parametrize(
    "body",
    [
        {"model": "m", "input": "why"},
        {"model": "m", "input": ["a", "b"], "truncate": True, "dimensions": 128},
        {"model": "m", "prompt": "why"},
        {"model": "m", "input": ["a"]},
    ],
)
def test_an_embedding_request_is_written_as_it_was_read(body: Json) -> None:
    request = EMBED.decode_request(HttpCall(method="POST", path="/api/embed", body=json.dumps(body).encode()))
    assert untyped(request, EMBED.name) == 0
    call = EMBED.encode_request(request)
    assert first_difference(body, loads(call.body)) is None
    assert call.path == ("/api/embeddings" if "prompt" in body else "/api/embed")


@pytest.mark.parametrize(
    "body",
    [
        {
            "model": "m",
            "embeddings": [[0.010071029, -0.0017594862], [-0.04541015625, 0.1]],
            "total_duration": 14143917,
            "load_duration": 1019500,
            "prompt_eval_count": 8,
        },
        {"embedding": [0.5670403838157654, 0.009260174818336964]},
        {"embedding": []},
        {"model": "m", "embeddings": []},
    ],
)
def test_an_embedding_answer_is_written_as_it_was_read(body: Json) -> None:
    response = EMBED.decode_response(HttpReply(status=200, body=json.dumps(body).encode()))
    assert untyped(response, EMBED.name) == 0
    assert first_difference(body, loads(EMBED.encode_response(response).body)) is None


def test_what_ollama_cannot_embed_is_refused() -> None:
    request = embeddings_pb2.EmbedRequest(model="m", task_type=embeddings_pb2.TASK_TYPE_CLUSTERING)
    with pytest.raises(ServiceError) as caught:
        EMBED.encode_request(request)
    assert caught.value.reason is Reason.UNSUPPORTED_PARAMETER


def test_an_error_of_embeddings_is_an_error() -> None:
    with pytest.raises(ServiceError) as caught:
        EMBED.decode_response(HttpReply(status=200, body=b'{"error":"this model does not support embeddings"}'))
    assert caught.value.reason is Reason.UNSUPPORTED_PARAMETER


def test_a_list_of_models_is_written_as_it_was_read_with_every_value_typed() -> None:
    response = MODELS.decode_list(HttpReply(status=200, body=json.dumps(TAGS).encode()))
    assert untyped(response, MODELS.name) == 0
    assert first_difference(TAGS, loads(MODELS.encode_list(response).body)) is None
    first = response.models[0]
    assert (first.provider_model_id, first.quantization, first.architecture) == (
        "deepseek-r1:latest",
        "Q4_K_M",
        "qwen2",
    )


def test_a_model_is_written_as_it_was_read_with_every_value_typed() -> None:
    model = MODELS.decode_model(HttpReply(status=200, body=json.dumps(SHOW).encode()))
    assert untyped(model, MODELS.name) == 0
    assert first_difference(SHOW, loads(MODELS.encode_model(model).body)) is None
    assert (model.context_window_tokens, model.embedding_dimensions) == (8192, 4096)
    assert model.capabilities.tools
    assert not model.capabilities.embeddings
    call = MODELS.encode_model_request("m")
    assert MODELS.decode_model_request(call) == "m"


def test_a_model_that_is_missing_is_not_found() -> None:
    error = MODELS.decode_error(HttpReply(status=404, body=b'{"error":"model \'x\' not found"}'))
    assert error.reason is Reason.MODEL_NOT_FOUND
