"""OpenAI's model lists with the facts that providers add, read and written."""

from __future__ import annotations

import json
from typing import Any

import pytest

from antiphon.core.errors import Reason, ServiceError
from antiphon.v1 import content_pb2, models_pb2
from antiphon.wire.base import HttpReply
from antiphon.wire.openai_models import OpenAIModels
from tests.laws.verdict import first_difference, untyped

WIRE = OpenAIModels()
BASE = {"id": "m", "object": "model", "created": 5, "owned_by": "o"}


def lifted(body: Any) -> models_pb2.Model:
    return WIRE.decode_model(HttpReply(status=200, body=json.dumps(body).encode()))


MODELS: dict[str, dict[str, Any]] = {
    "openai": BASE,
    "created 0": {**BASE, "created": 0},
    "groq": {**BASE, "active": True, "context_window": 131072, "public_apps": None, "max_completion_tokens": 8192},
    "openrouter": {
        "id": "a/b",
        "canonical_slug": "a/b-1",
        "hugging_face_id": "A/B",
        "name": "B",
        "created": 5,
        "description": "d",
        "context_length": 200000,
        "architecture": {
            "modality": "text+image->text",
            "input_modalities": ["text", "image"],
            "output_modalities": ["text"],
            "tokenizer": "GPT",
            "instruct_type": None,
        },
        "pricing": {
            "prompt": "0.0000008",
            "completion": "0.000004",
            "request": "0",
            "image": "0.00123",
            "web_search": "0.01",
        },
        "top_provider": {"context_length": 200000, "max_completion_tokens": 8192, "is_moderated": True},
        "per_request_limits": None,
        "supported_parameters": ["tools", "seed"],
        "default_parameters": {"temperature": 0.7},
        "knowledge_cutoff": "2025-01-31",
        "expiration_date": "2026-12-31",
    },
    "perplexity": {**BASE, "pricing": {"input": 12.5, "output": 50, "cache_read": 0.1, "unit": "usd_per_1m_tokens"}},
    "lm studio": {
        "id": "q",
        "object": "model",
        "type": "llm",
        "publisher": "Qwen",
        "arch": "qwen3",
        "compatibility_type": "gguf",
        "quantization": "Q4_K_M",
        "state": "loaded",
        "max_context_length": 40960,
        "loaded_context_length": 4096,
        "capabilities": ["tool_use"],
    },
    "mistral": {
        **BASE,
        "capabilities": {"completion_chat": True, "function_calling": False, "fine_tuning": True},
        "name": "n",
        "description": None,
        "max_context_length": 32768,
        "aliases": ["latest"],
        "deprecation": "2026-01-31T12:00:00Z",
        "default_model_temperature": 0.3,
        "type": "base",
    },
    "fireworks": {**BASE, "kind": "HF_BASE_MODEL", "supports_chat": True, "supports_image_input": False},
    "vllm": {**BASE, "root": "base", "parent": None, "max_model_len": 4096},
}


@pytest.mark.parametrize("name", MODELS)
def test_models_are_typed_and_come_back(name: str) -> None:
    model = lifted(MODELS[name])
    assert first_difference(MODELS[name], json.loads(WIRE.encode_model(model).body)) is None
    assert untyped(model, WIRE.name) == 0


def test_the_facts_mean_what_they_say() -> None:
    model = lifted(MODELS["openrouter"])
    assert list(model.input_modalities) == [content_pb2.MODALITY_TEXT, content_pb2.MODALITY_IMAGE]
    assert (model.context_window_tokens, model.max_output_tokens) == (200000, 8192)
    prices = {(price.meter, price.unit): price.usd_nanos_per_million for price in model.prices}
    assert prices["input", ""] == 800_000_000  # 0.80 dollars for a million tokens
    assert prices["image", "image"] == 1_230_000_000_000
    assert lifted(MODELS["perplexity"]).prices[0].usd_nanos_per_million == 12_500_000_000


def test_capabilities_have_one_vocabulary() -> None:
    assert lifted(MODELS["lm studio"]).capabilities.tools
    mistral = lifted(MODELS["mistral"]).capabilities
    assert (mistral.chat, mistral.tools, dict(mistral.others)) == (True, False, {"fine_tuning": True})


def test_an_unknown_price_is_unknown_and_kept() -> None:
    body = {**BASE, "pricing": {"prompt": "-1", "completion": "n/a"}}
    model = lifted(body)
    assert not model.prices
    assert json.loads(WIRE.encode_model(model).body)["pricing"] == body["pricing"]


def test_unknown_facts_survive() -> None:
    assert json.loads(WIRE.encode_model(lifted({**BASE, "odd": {"x": [1]}})).body)["odd"] == {"x": [1]}


@pytest.mark.parametrize(
    "body", [{"object": "list", "data": [BASE]}, {"data": []}, [BASE], {"data": [BASE], "more": 1}]
)
def test_lists_come_back_in_their_shape(body: Any) -> None:
    read = WIRE.decode_list(HttpReply(status=200, body=json.dumps(body).encode()))
    assert first_difference(body, json.loads(WIRE.encode_list(read).body)) is None


def test_our_own_models_are_listed_by_the_name_to_call_them_by() -> None:
    model = models_pb2.Model(name="openai/gpt", provider_model_id="gpt", owner="o")
    body = json.loads(WIRE.encode_list(models_pb2.ListModelsResponse(models=[model])).body)
    assert body == {"object": "list", "data": [{"id": "openai/gpt", "object": "model", "owned_by": "o"}]}


def test_names_with_a_slash_keep_it_in_the_path() -> None:
    assert WIRE.encode_get_request("meta/llama 3").path == "/models/meta/llama%203"
    assert WIRE.encode_list_request().path == "/models"


@pytest.mark.parametrize("body", [b"", b"1", b"{}", b'{"data":[{"name":"x"}]}', b'{"data":{}}'])
def test_a_list_that_cannot_be_read_is_malformed(body: bytes) -> None:
    with pytest.raises(ServiceError) as caught:
        WIRE.decode_list(HttpReply(status=200, body=body))
    assert caught.value.reason is Reason.MALFORMED_RESPONSE


def test_an_error_with_status_200_is_an_error() -> None:
    with pytest.raises(ServiceError) as caught:
        WIRE.decode_list(HttpReply(status=200, body=b'{"error":{"message":"Invalid API key"}}'))
    assert caught.value.reason is Reason.INVALID_CREDENTIALS
