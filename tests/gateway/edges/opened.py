"""The edges on a real port, in front of the small backend, and a client that speaks bare bytes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from antiphon.core.auth import Auth
from antiphon.core.call import Call
from antiphon.core.streams import Events, published
from antiphon.gateway.edges.app import Edges
from antiphon.gateway.edges.door import DoorLimits
from antiphon.gateway.edges.guard import ConnectionLimits
from antiphon.gateway.edges.listener import Listener
from antiphon.v1 import chat_pb2, content_pb2, usage_pb2
from tests.core.echo import Echo

JSON = {"content-type": "application/json"}


class Choir(Echo):
    """The small backend, which also remembers what it was asked, warns, and calls tools."""

    def __init__(self, *, pause: float = 0.0) -> None:
        super().__init__(pause=pause)
        self.specs: list[chat_pb2.ChatSpec] = []
        self.warning = ""

    async def chat(self, spec: chat_pb2.ChatSpec, call: Call) -> chat_pb2.Completion:
        """The words, joined again; or a call of the first tool."""
        self.specs.append(spec)
        _speak(spec)
        completion = await super().chat(spec, call)
        completion.usage.input_tokens = len(spec.messages)
        if self.warning:
            completion.warnings.add(code="UNSUPPORTED_PARAMETER", field="spec.sampling", message=self.warning)
        if spec.tools:
            completion.outputs[0].finish_reason = chat_pb2.FINISH_REASON_TOOL_CALLS
            del completion.outputs[0].messages[0].parts[:]
            completion.outputs[0].messages[0].parts.add().CopyFrom(_call(spec))
        return completion

    def stream_chat(self, request: chat_pb2.StreamChatRequest, call: Call) -> Events:
        """The words, one by one; or a call of the first tool."""
        self.specs.append(request.spec)
        _speak(request.spec)
        if not request.spec.tools:
            return self._warned(super().stream_chat(request, call))
        self.calls.append(call)
        return published(_calling(request.spec), request, usage_pb2.Usage)

    async def count_tokens(self, spec: chat_pb2.ChatSpec, call: Call) -> chat_pb2.CountTokensResponse:
        """A token a word."""
        _speak(spec)
        return await super().count_tokens(spec, call)

    async def _warned(self, events: Events) -> Events:
        async for event in events:
            if self.warning and event.HasField("completed"):
                event.completed.completion.warnings.add(code="UNSUPPORTED_PARAMETER", message=self.warning)
            yield event


def _speak(spec: chat_pb2.ChatSpec) -> None:
    """Say something where the caller says nothing: the small backend repeats what is said."""
    if not spec.messages[-1].parts:
        spec.messages[-1].parts.add().text.text = "nothing"


def _call(spec: chat_pb2.ChatSpec) -> content_pb2.Part:
    call = content_pb2.ToolCall(call_id="call_1", name=spec.tools[0].function.name, arguments_json='{"city":"Paris"}')
    return content_pb2.Part(tool_call=call)


async def _calling(spec: chat_pb2.ChatSpec) -> Events:
    about = chat_pb2.Completion(id="echo-1", model=spec.model)
    yield chat_pb2.StreamChatResponse(started=chat_pb2.Started(completion=about))
    part = _call(spec)
    part.tool_call.arguments_json = ""
    begin = chat_pb2.PartStarted(role=content_pb2.ROLE_ASSISTANT, part=part)
    yield chat_pb2.StreamChatResponse(part_started=begin)
    for piece in ('{"city":', '"Paris"}'):
        yield chat_pb2.StreamChatResponse(part_delta=chat_pb2.PartDelta(arguments_json=piece))
    yield chat_pb2.StreamChatResponse(part_done=chat_pb2.PartDone())
    output = chat_pb2.Output(finish_reason=chat_pb2.FINISH_REASON_TOOL_CALLS)
    yield chat_pb2.StreamChatResponse(output_done=chat_pb2.OutputDone(output=output))
    about.usage.output_tokens = 3
    yield chat_pb2.StreamChatResponse(completed=chat_pb2.Completed(completion=about))


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The running edges."""

    choir: Choir
    client: httpx.AsyncClient
    listener: Listener
    edges: Edges

    async def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        """Post JSON."""
        named = JSON | {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post(path, content=json.dumps(body), headers=httpx.Headers(named, encoding="latin-1"))

    @asynccontextmanager
    async def raw(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """A bare connection."""
        host, _, port = self.listener.address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            yield reader, writer
        finally:
            writer.transport.abort()


@asynccontextmanager
async def opened(
    *,
    pause: float = 0.0,
    keys: Mapping[str, str] | None = None,
    limits: DoorLimits | None = None,
    connections: ConnectionLimits | None = None,
    grace: float = 3.0,
    choir: Choir | None = None,
) -> AsyncIterator[Opened]:
    """The edges, running."""
    backend = choir or Choir(pause=pause)
    edges = Edges(backend, Auth(keys or {}), limits)
    async with Listener(edges, listen="127.0.0.1:0", limits=connections, grace=grace) as listener:
        base = f"http://{listener.address}"
        # Nothing is encrypted here, and reading the system's certificates takes longer than most tests.
        async with httpx.AsyncClient(base_url=base, trust_env=False, verify=False, timeout=20) as client:
            yield Opened(choir=backend, client=client, listener=listener, edges=edges)


def chat(text: str, **more: Any) -> dict[str, Any]:
    """A request in OpenAI's shape."""
    return {"model": "echo/words", "messages": [{"role": "user", "content": text}], **more}


def message(text: str, **more: Any) -> dict[str, Any]:
    """A request in Anthropic's shape."""
    return {**chat(text), "max_tokens": 100, **more}


def events(body: str) -> list[Any]:
    """The data of server-sent events; `[DONE]` as itself, comments left out."""
    lines = [line.removeprefix("data: ") for line in body.split("\n") if line.startswith("data: ")]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


async def until(true: Callable[[], bool], seconds: float = 3.0) -> None:
    """Wait for something that other tasks bring about."""
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.01)
