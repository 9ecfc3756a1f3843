"""The edges in front of an adapter in the same process, whose provider answers by script."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
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
from antiphon.adapter.transport import PooledTransport
from antiphon.adapter.upstream import Upstream
from antiphon.core.auth import Auth
from antiphon.gateway.edges.app import Edges
from antiphon.gateway.edges.listener import Listener
from antiphon.gateway.routing import Router
from antiphon.gateway.service import Gateway
from tests.adapter.test_adapter import KEYS
from tests.harness.streaming_server import Reply, StreamingServer

ALIASES = {"fast": "openai/gpt-test"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """The provider at one end, a client at the other. `taken` grows by the way that each chat took."""

    provider: StreamingServer
    client: httpx.AsyncClient
    edges: Edges
    adapter: ProviderAdapter
    taken: list[str]

    async def post(self, body: Any, **headers: str) -> httpx.Response:
        """Ask for a chat."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post("/v1/chat/completions", json=body, headers=named)


@asynccontextmanager
async def chained(*replies: Reply, relay: bool = True, limits: Limits | None = None) -> AsyncIterator[Chain]:
    """The chain, running."""
    taken: list[str] = []
    async with AsyncExitStack() as stack:
        provider = await stack.enter_async_context(StreamingServer())
        provider.serve("/chat/completions", *replies)
        rows = built_in()
        rows["openai"] = replace(rows["openai"], base_url=provider.url)
        adapter = ProviderAdapter(
            providers=Providers(rows),
            credentials=Credentials(KEYS),
            upstream=Upstream(PooledTransport(), limits or Limits()),
            policy=RecordingPolicy(),
        )
        stack.push_async_callback(adapter.close)
        gateway = Gateway(backends={"adapter": adapter}, router=Router(default=adapter, prefixes={}, aliases=ALIASES))
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name in ("chat", "stream_chat"):
            patch.setattr(adapter, name, _noting(taken, "general", getattr(adapter, name)))
        patch.setattr(adapter, "relay", _offering(taken, adapter.relay) if relay else lambda *asked: None)
        edges = Edges(gateway, Auth({}))
        listener = await stack.enter_async_context(Listener(edges, listen="127.0.0.1:0", grace=2))
        base = f"http://{listener.address}"
        client = httpx.AsyncClient(base_url=base, trust_env=False, verify=False, timeout=20)
        await stack.enter_async_context(client)
        yield Chain(provider=provider, client=client, edges=edges, adapter=adapter, taken=taken)


def _noting(taken: list[str], word: str, work: Any) -> Any:
    def noted(*asked: Any) -> Any:
        taken.append(word)
        return work(*asked)

    return noted


def _offering(taken: list[str], work: Any) -> Any:
    def offered(*asked: Any) -> Any:
        relay = work(*asked)
        if relay is not None:
            taken.append("relay")
        return relay

    return offered
