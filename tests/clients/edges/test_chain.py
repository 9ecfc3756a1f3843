"""From an HTTP client through gateway, gRPC and adapter to a provider's socket, all real but the provider's words."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest

from antiphon.adapter.credentials import Credentials
from antiphon.adapter.limits import Limits
from antiphon.adapter.providers import Providers
from antiphon.adapter.recording import RecordingPolicy
from antiphon.adapter.rows import built_in
from antiphon.adapter.service import ProviderAdapter
from antiphon.adapter.upstream import Upstream
from antiphon.core.auth import Auth
from antiphon.core.remote import RemoteBackend
from antiphon.core.server import Server
from antiphon.gateway.edges.app import Edges
from antiphon.gateway.edges.listener import Listener
from antiphon.gateway.routing import Router
from antiphon.gateway.service import Gateway
from tests.adapter.test_adapter import KEYS, SSE, STREAM
from tests.gateway.edges.opened import until
from tests.harness.streaming_server import Reply, StreamingServer

SILENCE = 600.0
"""Seconds that the provider falls silent for in mid-answer: longer than any test may take."""
SAYS = [{"role": "user", "content": "hi"}]
MODEL = "openai/gpt-4o-mini"
GEMINI = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}], "generationConfig": {"topK": 5}}
STREAMS: dict[str, tuple[str, dict[str, Any]]] = {
    "openai": ("/v1/chat/completions", {"model": MODEL, "messages": SAYS, "stream": True, "top_k": 5}),
    "responses": ("/v1/responses", {"model": MODEL, "input": "hi", "stream": True, "truncation": "auto"}),
    "anthropic": ("/v1/messages", {"model": MODEL, "max_tokens": 9, "messages": SAYS, "stream": True, "top_k": 5}),
    "gemini": (f"/v1beta/models/{MODEL}:streamGenerateContent?alt=sse", GEMINI),
    "ollama": ("/api/chat", {"model": MODEL, "messages": SAYS, "options": {"top_k": 5}}),
}
"""A streamed request a shape, each with something that OpenAI does not take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """The provider at one end, a client at the other."""

    provider: StreamingServer
    client: httpx.AsyncClient
    edges: Edges


@pytest.fixture
async def chain() -> AsyncIterator[Chain]:
    async with AsyncExitStack() as stack:
        provider = await stack.enter_async_context(StreamingServer())
        provider.serve("/chat/completions", Reply(steps=[*STREAM, SILENCE], headers=SSE))
        rows = built_in()
        rows["openai"] = replace(rows["openai"], base_url=provider.url)
        adapter = ProviderAdapter(
            providers=Providers(rows),
            credentials=Credentials(KEYS),
            upstream=Upstream(httpx.AsyncHTTPTransport(), Limits()),
            policy=RecordingPolicy(),
        )
        behind = await stack.enter_async_context(Server(adapter, [], listen="127.0.0.1:0", grace=2))
        remote = RemoteBackend("adapter", behind.address)
        stack.push_async_callback(remote.close)
        gateway = Gateway(backends={"adapter": remote}, router=Router(default=remote, prefixes={}, aliases={}))
        edges = Edges(gateway, Auth({}))
        listener = await stack.enter_async_context(Listener(edges, listen="127.0.0.1:0", grace=2))
        client = httpx.AsyncClient(base_url=f"http://{listener.address}", trust_env=False, timeout=30)
        yield Chain(provider=provider, client=await stack.enter_async_context(client), edges=edges)


@pytest.mark.parametrize("name", STREAMS)
async def test_a_client_who_leaves_closes_the_providers_socket(chain: Chain, name: str) -> None:
    path, body = STREAMS[name]
    headers = {"x-antiphon-unsupported": "warn"}
    async with chain.client.stream("POST", path, json=body, headers=headers) as answer:
        assert answer.status_code == 200, await answer.aread()
        async for _ in answer.aiter_bytes():
            break
        assert chain.provider.open == 1
    await until(lambda: chain.provider.open == 0, seconds=30)
    await until(lambda: chain.edges.door.bodies.held == 0)


@pytest.mark.parametrize("name", STREAMS)
async def test_what_a_provider_does_not_take_is_told_before_the_stream_begins(chain: Chain, name: str) -> None:
    path, body = STREAMS[name]
    refused = await chain.client.post(path, json=body)
    assert refused.status_code == 400
    assert not chain.provider.requests
    async with chain.client.stream("POST", path, json=body, headers={"x-antiphon-unsupported": "warn"}) as answer:
        assert answer.headers["x-antiphon-warning"].startswith("UNSUPPORTED_PARAMETER ")
    assert "top_k" not in json.loads(chain.provider.requests[0][2])
