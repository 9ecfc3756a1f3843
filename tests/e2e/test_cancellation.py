"""Leaving a stream, from the client through gateway and adapter to the provider's socket, over real gRPC and HTTP."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, replace

import httpx
import pytest

from antiphon.adapter.credentials import Credentials
from antiphon.adapter.limits import Limits
from antiphon.adapter.providers import Providers
from antiphon.adapter.recording import RecordingPolicy
from antiphon.adapter.rows import built_in
from antiphon.adapter.service import ProviderAdapter
from antiphon.adapter.upstream import Upstream
from antiphon.core.call import Call
from antiphon.core.chain import Layer
from antiphon.core.remote import RemoteBackend
from antiphon.core.server import Server
from antiphon.core.telemetry.rpc import Telemetry
from antiphon.core.validation import Validation
from antiphon.gateway.routing import Router
from antiphon.gateway.service import Gateway
from antiphon.v1 import chat_pb2
from tests.adapter.test_adapter import KEYS, SSE, STREAM, question
from tests.harness.streaming_server import Reply, StreamingServer


@dataclass(frozen=True, slots=True, kw_only=True)
class Hops:
    """A client before a gateway before an adapter before a provider that falls silent in mid-answer."""

    provider: StreamingServer
    client: RemoteBackend


@pytest.fixture
async def hops() -> AsyncIterator[Hops]:
    async with AsyncExitStack() as stack:
        provider = await stack.enter_async_context(StreamingServer())
        provider.serve("/chat/completions", Reply(steps=[*STREAM, 60.0], headers=SSE))
        rows = built_in()
        rows["openai"] = replace(rows["openai"], base_url=provider.url)
        adapter = ProviderAdapter(
            providers=Providers(rows),
            credentials=Credentials(KEYS),
            upstream=Upstream(httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=None)), Limits()),
            policy=RecordingPolicy(),
        )
        layers: list[Layer] = [Telemetry(), Validation()]
        behind = await stack.enter_async_context(Server(adapter, layers, listen="127.0.0.1:0", grace=2))
        remote = RemoteBackend("adapter", behind.address)
        gateway = Gateway(backends={"adapter": remote}, router=Router(default=remote, prefixes={}, aliases={}))
        door = await stack.enter_async_context(Server(gateway, layers, listen="127.0.0.1:0", grace=2))
        client = RemoteBackend("gateway", door.address)
        stack.push_async_callback(client.close)
        yield Hops(provider=provider, client=client)


async def leave_after_the_first_words(client: RemoteBackend) -> None:
    request = chat_pb2.StreamChatRequest(spec=question())
    async with aclosing(client.stream_chat(request, Call())) as events:
        async for event in events:
            if event.HasField("part_delta"):
                return


async def settles(done: Callable[[], bool], *, within: float) -> float:
    """Seconds until `done`, or more than `within`."""
    began = time.monotonic()
    while not done() and time.monotonic() - began <= within:
        await asyncio.sleep(0.01)
    return time.monotonic() - began


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


async def test_leaving_closes_the_providers_socket_within_a_second(hops: Hops) -> None:
    await leave_after_the_first_words(hops.client)
    assert await settles(lambda: hops.provider.open == 0, within=3) < 1


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts open files through /proc, which is Linux's")
async def test_a_thousand_left_streams_leave_no_task_and_no_socket_behind(hops: Hops) -> None:
    await leave_after_the_first_words(hops.client)  # the connections between the hops stay open, and count before
    await settles(lambda: hops.provider.open == 0, within=3)
    tasks, files = len(asyncio.all_tasks()), open_files()
    for _ in range(20):
        await asyncio.gather(*(leave_after_the_first_words(hops.client) for _ in range(50)))
    assert len(hops.provider.requests) == 1001
    assert await settles(lambda: hops.provider.open == 0, within=5) < 1
    assert await settles(lambda: len(asyncio.all_tasks()) <= tasks and open_files() <= files, within=5) < 5
