"""The ceiling of antiphon's own stack: grpc.aio and a bare asyncio HTTP client, uvloop, and nothing between them.

It does the least that a typed gateway can: our request becomes OpenAI's JSON, one HTTP call, its JSON becomes our
answer. No keys, no checks, no errors, no telemetry, no lossless anything. EventEngine is off, for that is faster.

    bare_server.py grpc|gateway|http READY_FILE ARGUMENT...

`grpc` and `http` take the ports of the provider as NAME=PORT and `grpc` the word `unbatched`; `gateway` takes the
address of a `grpc`.
"""

from __future__ import annotations

import os

os.environ["GRPC_EXPERIMENTS"] = (
    "-event_engine_listener,-event_engine_client,-event_engine_for_all_other_endpoints,-event_engine_dns"
)

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import grpc.aio
import httptools
import orjson
import uvicorn
import uvloop

from antiphon.v1 import chat_pb2, chat_pb2_grpc, content_pb2, embeddings_pb2, embeddings_pb2_grpc

ROLES = {content_pb2.ROLE_USER: "user", content_pb2.ROLE_ASSISTANT: "assistant"}
CHAT = "/v1/chat/completions"
EMBEDDINGS = "/v1/embeddings"
HEAD = (
    "POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\ncontent-length: {size}\r\n\r\n"
)


class Connection(asyncio.Protocol):
    """One connection to the provider; one request at a time."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.done = False
        self.closed = False
        self._waiter: asyncio.Future[None] | None = None
        self._parser: Any = None
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Parse what came, then wake whoever waits, once."""
        self._parser.feed_data(data)
        self._wake()

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone."""
        self.closed = self.done = True
        self._wake()

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self.pieces.append(body)

    def on_message_complete(self) -> None:
        """The end of the body."""
        self.done = True

    def send(self, path: str, port: int, body: bytes) -> None:
        """Send a request."""
        self._parser = httptools.HttpResponseParser(self)
        self.done = False
        self.pieces = []
        self.transport.write(HEAD.format(path=path, port=port, size=len(body)).encode() + body)

    async def more(self) -> bytes:
        """What has come since; empty at the end."""
        while not self.pieces and not self.done:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        data = b"".join(self.pieces)
        self.pieces.clear()
        return data

    async def whole(self) -> bytes:
        """The whole body."""
        while not self.done:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return b"".join(self.pieces)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Provider:
    """The doors of the stand-in provider, with connections kept."""

    def __init__(self, ports: dict[str, int]) -> None:
        self._ports = ports
        self._idle: dict[int, list[Connection]] = {port: [] for port in ports.values()}

    async def open(self, door: str, path: str, body: bytes) -> Connection:
        """Send a request on a kept or new connection."""
        port = self._ports[door]
        idle = self._idle[port]
        while idle:
            connection = idle.pop()
            if not connection.closed:
                break
        else:
            loop = asyncio.get_running_loop()
            _, connection = await loop.create_connection(Connection, "127.0.0.1", port)
        connection.send(path, port, body)
        return connection

    def keep(self, door: str, connection: Connection) -> None:
        """Take a connection back after its answer."""
        self._idle[self._ports[door]].append(connection)

    async def whole(self, door: str, path: str, body: bytes) -> bytes:
        """The whole answer."""
        connection = await self.open(door, path, body)
        answer = await connection.whole()
        self.keep(door, connection)
        return answer

    async def pieces(self, door: str, path: str, body: bytes) -> AsyncGenerator[bytes, None]:
        """The answer as it comes."""
        connection = await self.open(door, path, body)
        while piece := await connection.more():
            yield piece
        self.keep(door, connection)


class Chat(chat_pb2_grpc.ChatServiceServicer):
    """Chat, the least of it."""

    def __init__(self, provider: Provider, *, batched: bool) -> None:
        self._provider = provider
        self._batched = batched

    async def Chat(self, request: chat_pb2.ChatRequest, context: Any) -> chat_pb2.ChatResponse:  # noqa: N802
        """One answer."""
        door, body = _asked(request.spec, stream=False)
        answer = orjson.loads(await self._provider.whole(door, CHAT, body))
        response = chat_pb2.ChatResponse()
        completion = response.completion
        completion.id = answer["id"]
        completion.model = answer["model"]
        for choice in answer["choices"]:
            output = completion.outputs.add(index=choice["index"], provider_finish_reason=choice["finish_reason"])
            message = output.messages.add(role=content_pb2.ROLE_ASSISTANT)
            message.parts.add().text.text = choice["message"]["content"]
        _use(completion, answer["usage"])
        return response

    async def StreamChat(self, request: chat_pb2.StreamChatRequest, context: Any) -> None:  # type: ignore[override]  # noqa: N802
        """One answer as it comes: what came in one read goes out in one message, or each chunk in its own."""
        door, body = _asked(request.spec, stream=True)
        rest = b""
        completed = chat_pb2.StreamChatResponse()
        async with aclosing(self._provider.pieces(door, CHAT, body)) as pieces:
            async for piece in pieces:
                *events, rest = (rest + piece).split(b"\n\n")
                texts: list[str] = []
                for event in events:
                    if event == b"data: [DONE]":
                        continue
                    chunk = orjson.loads(event[6:])
                    if chunk["usage"]:
                        _use(completed.completed.completion, chunk["usage"])
                    texts += [text for choice in chunk["choices"] if (text := choice["delta"].get("content"))]
                for text in ["".join(texts)] if self._batched and texts else texts:
                    message = chat_pb2.StreamChatResponse()
                    message.part_delta.text = text
                    await context.write(message)
        await context.write(completed)

    async def CountTokens(self, request: chat_pb2.CountTokensRequest, context: Any) -> Any:  # noqa: N802
        """Nothing that the bench asks."""
        raise NotImplementedError


class Embeddings(embeddings_pb2_grpc.EmbeddingsServiceServicer):
    """Embeddings, the least of them."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    async def Embed(self, request: embeddings_pb2.EmbedRequest, context: Any) -> embeddings_pb2.EmbedResponse:  # noqa: N802
        """Vectors."""
        door, _, model = request.model.partition("/")
        body = orjson.dumps({"model": model, "input": [item.text for item in request.inputs]})
        answer = orjson.loads(await self._provider.whole(door, EMBEDDINGS, body))
        response = embeddings_pb2.EmbedResponse(model=answer["model"])
        for item in answer["data"]:
            response.embeddings.add(index=item["index"]).float32.values.extend(item["embedding"])
        return response


class Gateway(grpc.GenericRpcHandler):
    """A second hop that hands bytes on."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """The handler of a method."""
        method = handler_call_details.method
        if method.endswith("/StreamChat"):
            onward: Any = self._channel.unary_stream(method)

            async def stream(request: bytes, context: Any) -> None:
                async for message in onward(request):
                    await context.write(message)

            return grpc.unary_stream_rpc_method_handler(stream)
        answer: Any = self._channel.unary_unary(method)

        async def unary(request: bytes, context: Any) -> bytes:
            return bytes(await answer(request))

        return grpc.unary_unary_rpc_method_handler(unary)


class Raw:
    """A raw ASGI application that passes requests on."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """One request."""
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        asked = orjson.loads(body)
        door = asked["model"].partition("/")[0]
        kind = b"text/event-stream" if asked.get("stream") else b"application/json"
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
        async with aclosing(self._provider.pieces(door, scope["path"], body)) as pieces:
            async for piece in pieces:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


def _asked(spec: chat_pb2.ChatSpec, *, stream: bool) -> tuple[str, bytes]:
    door, _, model = spec.model.partition("/")
    messages = [
        {"role": ROLES[message.role], "content": "".join(part.text.text for part in message.parts)}
        for message in spec.messages
    ]
    body: dict[str, Any] = {"model": model, "messages": messages}
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return door, orjson.dumps(body)


def _use(completion: chat_pb2.Completion, usage: dict[str, Any]) -> None:
    completion.usage.input_tokens = usage["prompt_tokens"]
    completion.usage.output_tokens = usage["completion_tokens"]
    completion.usage.total_tokens = usage["total_tokens"]


async def _run(role: str, ready: Path, arguments: list[str]) -> None:
    if role == "http":
        config = uvicorn.Config(Raw(Provider(_ports(arguments))), port=0, access_log=False, log_level="warning")
        server = uvicorn.Server(config)
        serving: asyncio.Task[Any] = asyncio.create_task(server.serve())
        while not server.started:  # noqa: ASYNC110 - uvicorn tells nobody
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
    else:
        limits = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))
        grpc_server = grpc.aio.server(options=limits)
        if role == "gateway":
            channel = grpc.aio.insecure_channel(arguments[0], options=limits)
            grpc_server.add_generic_rpc_handlers((Gateway(channel),))
        else:
            provider = Provider(_ports(arguments))
            batched = "unbatched" not in arguments
            chat_pb2_grpc.add_ChatServiceServicer_to_server(Chat(provider, batched=batched), grpc_server)
            embeddings_pb2_grpc.add_EmbeddingsServiceServicer_to_server(Embeddings(provider), grpc_server)
        port = grpc_server.add_insecure_port("127.0.0.1:0")
        await grpc_server.start()
        serving = asyncio.create_task(grpc_server.wait_for_termination())
    temporary = ready.with_name(f".{ready.name}")
    temporary.write_text(f"127.0.0.1:{port}")
    temporary.replace(ready)
    await serving


def _ports(arguments: list[str]) -> dict[str, int]:
    pairs = (argument.partition("=") for argument in arguments if "=" in argument)
    return {name: int(port) for name, _, port in pairs}


if __name__ == "__main__":
    uvloop.install()
    asyncio.run(_run(sys.argv[1], Path(sys.argv[2]), sys.argv[3:]))
