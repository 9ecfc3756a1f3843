"""What a chat that is passed on costs, in counts that noise cannot move: from bytes of a client to bytes for it.

The budgets stand a quarter above what was counted on Python 3.11. Raise one only with the reason in the commit.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from antiphon.core.auth import Auth, hash_of
from antiphon.core.telemetry import instruments
from antiphon.core.telemetry.lines import ACCESS
from antiphon.gateway.edges.app import Edges
from antiphon.gateway.edges.guard import ConnectionLimits, GuardedProtocol
from antiphon.gateway.edges.serving import Serving
from antiphon.gateway.routing import Router
from antiphon.gateway.service import Gateway
from tests.adapter.test_adapter import JSON, SSE
from tests.adapter.test_cost import Whole, made
from tests.counting import calls_of, garbage_of
from tests.wire.openai_chat.test_plain import PLAIN
from tests.wire.openai_chat.test_relay_stream import COUNTED, FIRST, STOP, sse, told

UNARY_CALLS = 640
STREAM_CALLS = 870
KEY = "ak-test"
STREAM = sse(
    *({**each, "obfuscation": "x" * (number % 9)}
      for number, each in enumerate((FIRST, *(told({"content": f" word{n}"}) for n in range(100)), STOP, COUNTED)))
)  # fmt: skip


class Canned(httpx.AsyncBaseTransport):
    """Answers at once, so that nothing but our own work is counted."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        streamed = b'"stream":true' in await request.aread()
        body, headers = (STREAM, SSE) if streamed else (json.dumps(PLAIN).encode(), JSON)
        return httpx.Response(200, headers=headers, stream=Whole(body))


class Wire(asyncio.Transport):
    """A connection that takes everything."""

    def __init__(self) -> None:
        super().__init__()
        self.data: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.data.append(bytes(data))

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        """Nothing to close."""

    def pause_reading(self) -> None:
        """Nothing comes."""

    def resume_reading(self) -> None:
        """Nothing comes."""


def asking(body: dict[str, Any]) -> tuple[Callable[[], Awaitable[None]], Wire]:
    """What has one request answered, and the connection that gets the answer."""
    adapter = made(Canned())
    gateway = Gateway(backends={"adapter": adapter}, router=Router(default=adapter, prefixes={}, aliases={}))
    edges = Edges(gateway, Auth({hash_of(KEY): "team"}))
    protocol = GuardedProtocol(edges, Serving(), limits=ConnectionLimits(), rest_seconds=5.0)
    wire = Wire()
    protocol.connection_made(wire)
    text = json.dumps(body).encode()
    head = f"host: x\r\nauthorization: Bearer {KEY}\r\ncontent-type: application/json\r\ncontent-length: {len(text)}"
    request = b"POST /v1/chat/completions HTTP/1.1\r\n%b\r\n\r\n%b" % (head.encode(), text)

    async def ask() -> None:
        wire.data.clear()
        protocol.data_received(request)
        while protocol._running is not None:
            await asyncio.sleep(0)

    return ask, wire


ASKED = {"model": "openai/gpt-test", "messages": [{"role": "user", "content": "hi"}]}
STREAMED = {**ASKED, "stream": True, "stream_options": {"include_usage": True}}


@pytest.mark.parametrize(
    ("body", "end", "budget"), [(ASKED, b"}", UNARY_CALLS), (STREAMED, b"[DONE]\n\n\r\n0\r\n\r\n", STREAM_CALLS)]
)
async def test_a_chat_that_is_passed_on_stays_within_its_budget(
    body: Any, end: bytes, budget: int, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instruments, "_installed", None)  # telemetry, which may be on
    caplog.set_level(logging.WARNING, ACCESS.name)  # its lines have a budget of their own, and perhaps listeners
    ask, wire = asking(body)
    await ask()
    assert len(wire.data) == 1, "head and body go out in one write"
    assert wire.data[0].startswith(b"HTTP/1.1 200 OK\r\n")
    assert wire.data[0].endswith(end)
    calls = await calls_of(ask)
    assert calls <= budget, calls


GENERAL = {**ASKED, "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]}


@pytest.mark.parametrize(
    "body", [ASKED, STREAMED, GENERAL, {**GENERAL, "stream": True}, {**ASKED, "model": "nowhere/x"}]
)
async def test_a_chat_leaves_nothing_for_the_garbage_collector(body: Any) -> None:
    ask, _ = asking(body)
    assert await garbage_of(ask) < 1
