"""The endpoints for tools that know no vendor's API."""

from __future__ import annotations

from typing import Any

import pytest

from antiphon.core.call import Call
from antiphon.core.errors import Reason, ServiceError
from antiphon.core.health import answered, component
from antiphon.v1 import chat_pb2, content_pb2, health_pb2, models_pb2
from tests.gateway.edges.opened import Choir, opened


def known() -> list[models_pb2.Model]:
    large = models_pb2.Model(name="anthropic/claude-x", provider="anthropic", display_name="Claude X")
    large.context_window_tokens = 200_000
    large.capabilities.chat = True
    large.input_modalities.append(content_pb2.MODALITY_IMAGE)
    large.prices.add(meter="input", usd_nanos_per_million=3_000_000_000)
    large.prices.add(meter="output", usd_nanos_per_million=15_000_000_000)
    vectors = models_pb2.Model(name="openai/embed-y", provider="openai", embedding_dimensions=8)
    return [large, vectors, models_pb2.Model(name="openai/gpt-z", provider="openai")]


class Shelf(Choir):
    """Three models, some parts, and no alias to condense."""

    async def list_models(self, request: models_pb2.ListModelsRequest, call: Call) -> models_pb2.ListModelsResponse:
        """By provider and name."""
        models = [
            model for model in known() if request.provider in ("", model.provider) and request.search in model.name
        ]
        return models_pb2.ListModelsResponse(models=models)

    async def get_model(self, request: models_pb2.GetModelRequest, call: Call) -> models_pb2.Model:
        """By name."""
        for model in known():
            if model.name == request.name:
                return model
        raise ServiceError(Reason.MODEL_NOT_FOUND, f"no model {request.name!r}")

    async def chat(self, spec: chat_pb2.ChatSpec, call: Call) -> chat_pb2.Completion:
        """The words."""
        if spec.model == "condense":
            raise ServiceError(Reason.MODEL_NOT_FOUND, "no such alias")
        return await super().chat(spec, call)

    async def get_health(self, request: health_pb2.GetHealthRequest, call: Call) -> health_pb2.GetHealthResponse:
        """One provider well, one dead, one without a key."""
        parts = [
            component("provider/good", health_pb2.STATUS_SERVING),
            component("provider/dead", health_pb2.STATUS_NOT_SERVING, "secret cause"),
            component("provider/new", health_pb2.STATUS_UNCONFIGURED),
            component("cassettes", health_pb2.STATUS_SERVING, "7 recordings"),
        ]
        return answered("gateway", parts, request)


async def got(path: str) -> Any:
    async with opened(choir=Shelf()) as edge:
        answer = await edge.client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_models_are_listed_with_what_is_known_and_null_for_what_is_not() -> None:
    body = await got("/api/models")
    assert body["count"] == 3
    large, vectors, plain = body["models"]
    assert large == {
        "id": "anthropic/claude-x",
        "name": "Claude X",
        "provider": "anthropic",
        "supports_chat": True,
        "capabilities": ["chat", "vision"],
        "context_length": 200_000,
        "max_output_tokens": None,
        "input_cost": 0.003,
        "output_cost": 0.015,
        "aliases": [],
    }
    assert vectors["supports_chat"] is False
    assert (plain["supports_chat"], plain["context_length"], plain["input_cost"]) == (None, None, None)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("q=claude", ["anthropic/claude-x"]),
        ("q=o&provider=openai", ["openai/embed-y", "openai/gpt-z"]),
        ("q=claude&provider=anthropic&supports_chat=True&min_context=100000", ["anthropic/claude-x"]),
        ("min_context=200001", []),
        ("supports_chat=false", ["openai/embed-y"]),
    ],
)
async def test_models_are_searched(query: str, names: list[str]) -> None:
    body = await got(f"/api/models/search?{query}")
    assert [model["id"] for model in body["models"]] == names
    assert body["count"] == len(names)


@pytest.mark.parametrize("query", ["min_context=many", "supports_chat=perhaps"])
async def test_a_search_that_cannot_be_read_is_refused(query: str) -> None:
    async with opened(choir=Shelf()) as edge:
        answer = await edge.client.get(f"/api/models/search?{query}")
    assert answer.status_code == 400


async def test_one_model_is_shown_and_an_unknown_one_is_not_found() -> None:
    assert (await got("/api/models/anthropic/claude-x"))["model"]["context_length"] == 200_000
    async with opened(choir=Shelf()) as edge:
        answer = await edge.client.get("/api/models/openai/nothing")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "model_not_found"


async def test_a_conversation_is_condensed_by_a_model_that_reads_it_as_text() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "where is Paris"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "in France"},
    ]
    async with opened(choir=Shelf()) as edge:
        answer = await edge.post("/api/condense", {"messages": messages, "max_tokens": 99, "model": "echo/words"})
    spec = edge.choir.specs[0]
    assert spec.max_output_tokens == 99
    assert [message.role for message in spec.messages] == [content_pb2.ROLE_SYSTEM, content_pb2.ROLE_USER]
    assert "99 tokens" in spec.messages[0].parts[0].text.text
    wanted = "user: where is Paris\n\nassistant: [calls look with {}]\n\ntool: [result of a tool: in France]"
    assert spec.messages[1].parts[0].text.text == wanted
    assert answer.json()["summary"] == " ".join(wanted.split())
    assert answer.json()["usage"]["output_tokens"] == len(wanted.split())


async def test_condensing_without_a_model_says_how_to_have_one() -> None:
    async with opened(choir=Shelf()) as edge:
        answer = await edge.post("/api/condense", {"messages": [{"role": "user", "content": "hi"}]})
        empty = await edge.post("/api/condense", {"messages": []})
        wrong = await edge.post("/api/condense", {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 0})
    assert answer.status_code == 404
    assert "alias 'condense'" in answer.json()["error"]["message"]
    assert (empty.status_code, wrong.status_code) == (400, 400)


async def test_health_is_a_word_for_all_and_a_word_a_provider() -> None:
    assert await got("/health") == {"status": "degraded"}
    assert await got("/health/providers") == {"dead": "unhealthy", "good": "healthy", "new": "unconfigured"}
    cache = await got("/health/cache")
    assert (cache["status"], cache["enabled"]) == ("disabled", False)
    assert cache["recordings"] == {"status": "healthy", "message": "7 recordings"}
