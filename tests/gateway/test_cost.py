"""What a call through the gRPC door leaves behind: nothing that only a search for garbage finds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from google.protobuf.message import Message
from hyperframe.frame import DataFrame

from antiphon.core.auth import Auth, hash_of
from antiphon.core.chain import Chain
from antiphon.core.http2.limits import Limits
from antiphon.core.http2.server import GrpcServer
from antiphon.core.servicers import add_servicers
from antiphon.core.telemetry.rpc import Telemetry
from antiphon.core.validation import Validation
from antiphon.gateway.routing import Router
from antiphon.gateway.service import Gateway
from antiphon.v1 import chat_pb2
from tests.adapter.test_adapter import question, streaming
from tests.adapter.test_cost import Canned, made
from tests.core.http2.parts import Client, message
from tests.counting import garbage_of

KEY = "ak-test"


def asking(method: str, request: Message, *, key: str = KEY) -> tuple[Callable[[], Awaitable[None]], Client]:
    """What has one call answered, and the client that gets the answers."""
    adapter = made(Canned())
    gateway = Gateway(backends={"adapter": adapter}, router=Router(default=adapter, prefixes={}, aliases={}))
    chain = Chain([Telemetry(), Auth({hash_of(KEY): "team"}), Validation()])
    server = GrpcServer(limits=Limits(), wrap=chain.wrap)
    add_servicers(server, gateway, asyncio.Event())
    client = Client(server)
    body = message(request.SerializeToString())
    fields = [
        *((":method", "POST"), (":scheme", "http"), (":path", f"/antiphon.v1.ChatService/{method}")),
        *((":authority", "x"), ("te", "trailers"), ("content-type", "application/grpc")),
        ("authorization", f"Bearer {key}"),
    ]
    stream = -1

    async def ask() -> None:
        nonlocal stream
        stream += 2
        client.send(client.head(stream, fields), DataFrame(stream, body, flags=["END_STREAM"]))
        while client.connection._home.running:
            await asyncio.sleep(0)

    return ask, client


@pytest.mark.parametrize(
    ("method", "request_", "key", "status"),
    [
        ("Chat", chat_pb2.ChatRequest(spec=question("openai/gpt-test")), KEY, "0"),
        ("StreamChat", streaming(), KEY, "0"),
        ("Chat", chat_pb2.ChatRequest(spec=question("nowhere/x")), KEY, "5"),
        ("Chat", chat_pb2.ChatRequest(spec=question("openai/gpt-test")), "ak-no", "16"),
    ],
    ids=["chat", "stream", "no such provider", "no such key"],
)
async def test_a_call_leaves_nothing_for_the_garbage_collector(
    method: str, request_: Message, key: str, status: str
) -> None:
    ask, client = asking(method, request_, key=key)
    await ask()
    assert client.status(1) == status
    assert await garbage_of(ask) < 1
