"""The rows of providers: each makes one request to the right place, identified in its own way."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from antiphon.adapter.addresses import unset
from antiphon.adapter.credentials import Credentials
from antiphon.adapter.limits import Limits
from antiphon.adapter.providers import Providers, SigV4
from antiphon.adapter.recording import RecordingPolicy
from antiphon.adapter.rows import BUILT_IN, built_in
from antiphon.adapter.service import ProviderAdapter
from antiphon.adapter.upstream import Upstream
from antiphon.adapter.wires import chat_wire, embeddings_wire, models_wire
from antiphon.core.call import Call
from antiphon.core.errors import Reason, ServiceError
from antiphon.v1 import embeddings_pb2
from tests.adapter.test_adapter import question

VALUES = {
    "AZURE_OPENAI_ENDPOINT": "https://mine.openai.azure.com",
    "GOOGLE_CLOUD_PROJECT": "my-project",
    "GOOGLE_CLOUD_LOCATION": "europe-west4",
    "AWS_REGION": "eu-central-1",
} | {name: f"key-of-{row.name}" for row in BUILT_IN for name in row.key_names[:1]}

PLACES = {
    "openai": "https://api.openai.com/v1/chat/completions",
    "openai-responses": "https://api.openai.com/v1/responses",
    "anthropic": "https://api.anthropic.com/v1/messages",
    "groq": "https://api.groq.com/openai/v1/chat/completions",
    "mistral": "https://api.mistral.ai/v1/chat/completions",
    "xai": "https://api.x.ai/v1/chat/completions",
    "openrouter": "https://openrouter.ai/api/v1/chat/completions",
    "perplexity": "https://api.perplexity.ai/chat/completions",
    "cerebras": "https://api.cerebras.ai/v1/chat/completions",
    "deepseek": "https://api.deepseek.com/chat/completions",
    "together": "https://api.together.xyz/v1/chat/completions",
    "fireworks": "https://api.fireworks.ai/inference/v1/chat/completions",
    "qwen": "https://dashscope-intl.aliyuncs.com/compatible-mode/v1/chat/completions",
    "huggingface": "https://router.huggingface.co/v1/chat/completions",
    "ollama": "http://127.0.0.1:11434/v1/chat/completions",
    "ollama-native": "http://127.0.0.1:11434/api/chat",
    "lmstudio": "http://127.0.0.1:1234/v1/chat/completions",
    "azure": "https://mine.openai.azure.com/openai/deployments/some-model/chat/completions?api-version=2024-10-21",
    "gemini": "https://generativelanguage.googleapis.com/v1beta/models/some-model:generateContent",
    "vertex": "https://aiplatform.googleapis.com/v1beta1/projects/my-project/locations/europe-west4"
    "/publishers/google/models/some-model:generateContent",
    "bedrock": "https://bedrock-runtime.eu-central-1.amazonaws.com/model/some-model/converse",
    "cohere": "https://api.cohere.com/v2/chat",
}


class Seen(httpx.AsyncBaseTransport):
    """Keeps the request and answers 503, so that no provider is needed to see what it would be sent."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Keep it."""
        await request.aread()
        self.requests.append(request)
        return httpx.Response(503, json={"error": {"message": "not now"}})


async def tried(values: dict[str, str], model: str) -> tuple[ServiceError, list[httpx.Request]]:
    seen = Seen()
    service = ProviderAdapter(
        providers=Providers(built_in()),
        credentials=Credentials(values),
        upstream=Upstream(seen, Limits()),
        policy=RecordingPolicy(),
    )
    with pytest.raises(ServiceError) as caught:
        await service.chat(question(model), Call())
    await service.close()
    return caught.value, seen.requests


async def sent(values: dict[str, str], model: str) -> httpx.Request:
    _, [request] = await tried(values, model)
    return request


def test_every_row_has_a_place_in_this_table_and_codecs_that_exist() -> None:
    assert set(PLACES) == set(built_in())
    for row in BUILT_IN:
        chat_wire(row)
        embeddings_wire(row)
        models_wire(row)


@pytest.mark.parametrize("name", sorted(PLACES))
async def test_a_request_goes_to_the_providers_own_place_with_its_own_key(name: str) -> None:
    row = built_in()[name]
    request = await sent(VALUES, f"{name}/some-model")
    assert str(request.url) == PLACES[name]
    if row.key_names:
        carried = [value for value in request.headers.values() if f"key-of-{row.name}" in value]
        shared = [value for value in request.headers.values() if VALUES[row.key_names[0]] in value]
        assert carried or shared
    assert "${" not in str(request.url) + str(request.headers)
    json.loads(request.content)


async def test_bedrock_signs_where_there_is_no_bearer_key() -> None:
    values = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "not-a-secret", "AWS_REGION": "us-west-2"}
    request = await sent(values, "bedrock/some.model-v1:0")
    assert request.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert "/us-west-2/bedrock/aws4_request" in request.headers["authorization"]
    assert "x-amz-date" in request.headers
    assert "not-a-secret" not in str(request.headers)


async def test_a_value_that_an_address_needs_is_named_when_missing() -> None:
    row = built_in()["azure"]
    assert unset(row, {}) == ["AZURE_OPENAI_ENDPOINT"]
    error, requests = await tried({"AZURE_OPENAI_API_KEY": "k"}, "azure/some-model")
    assert error.reason is Reason.CREDENTIALS_MISSING
    assert "AZURE_OPENAI_ENDPOINT" in error.message
    assert not requests


def test_a_key_that_looks_wrong_is_told_without_being_shown() -> None:
    credentials = Credentials({"ANTHROPIC_API_KEY": "sk-oops-123", "OPENAI_API_KEY": "sk-fine"})
    rows = built_in()
    assert "sk-ant-" in credentials.warning(rows["anthropic"])
    assert "oops" not in credentials.warning(rows["anthropic"])
    assert credentials.warning(rows["openai"]) == ""


@pytest.mark.parametrize("row", [row for row in BUILT_IN if row.key_required], ids=lambda row: row.name)
def test_a_provider_without_its_key_says_what_to_set(row: Any) -> None:
    said = Credentials({}).lacking(row)
    assert row.key_names[0] in said
    if isinstance(row.auth, SigV4):
        assert "AWS_ACCESS_KEY_ID" in said


@pytest.mark.parametrize("name", sorted(row.name for row in BUILT_IN if row.embeddings))
async def test_embeddings_are_asked_of_providers_that_offer_them(name: str) -> None:
    seen = Seen()
    service = ProviderAdapter(
        providers=Providers(built_in()),
        credentials=Credentials(VALUES),
        upstream=Upstream(seen, Limits()),
        policy=RecordingPolicy(),
    )
    model = "amazon.titan-embed-text-v2:0" if name == "bedrock" else "some-model"
    request = embeddings_pb2.EmbedRequest(model=f"{name}/{model}", inputs=[embeddings_pb2.EmbedInput(text="words")])
    with pytest.raises(ServiceError) as caught:
        await service.embed(request, Call())
    await service.close()
    assert caught.value.reason in (Reason.OVERLOADED, Reason.PROVIDER_UNAVAILABLE)
    assert b"words" in seen.requests[0].content


def test_features_are_said_once_and_embeddings_by_their_wire_alone() -> None:
    for row in BUILT_IN:
        assert len(set(row.features)) == len(row.features), row.name
        assert "embeddings" not in row.features, row.name
        assert {"chat", "streaming"} <= set(row.features), row.name
