"""What is said of an answer beside it reaches the caller as trailers, over every hop and however the call ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager

import grpc
import grpc.aio
import pytest

from antiphon.core.call import LONGEST_SAID, Call
from antiphon.core.errors import ServiceError
from antiphon.core.remote import RemoteBackend
from antiphon.core.server import Server
from antiphon.core.streams import Events
from antiphon.v1 import chat_pb2, chat_pb2_grpc
from tests.core.echo import Echo, question


class Saying(Echo):
    """An echo that says of each answer where it is from."""

    async def chat(self, spec: chat_pb2.ChatSpec, call: Call) -> chat_pb2.Completion:
        call.say("synthetic", "cut@event=3")
        return await super().chat(spec, call)

    def stream_chat(self, request: chat_pb2.StreamChatRequest, call: Call) -> Events:
        call.say("synthetic", "cut@event=3")
        return super().stream_chat(request, call)


@asynccontextmanager
async def hops(number: int) -> AsyncIterator[str]:
    """So many servers one after the other; gives the address of the first."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(Server(Saying(), [], listen="127.0.0.1:0", grace=0.5))
        for _ in range(number - 1):
            remote = RemoteBackend("next", server.address)
            server = await stack.enter_async_context(Server(remote, [], listen="127.0.0.1:0", grace=0.5))
        yield server.address


@pytest.mark.parametrize("number", [1, 3])
async def test_trailers_of_answers_streams_and_errors_cross_every_hop(number: int) -> None:
    async with hops(number) as address, grpc.aio.insecure_channel(address) as channel:
        stub = chat_pb2_grpc.ChatServiceStub(channel)
        unary = stub.Chat(chat_pb2.ChatRequest(spec=question("one two")))
        await unary
        assert dict(await unary.trailing_metadata()) == {"x-antiphon-synthetic": "cut@event=3"}
        stream = stub.StreamChat(chat_pb2.StreamChatRequest(spec=question("one two")))
        assert [event async for event in stream]
        assert dict(await stream.trailing_metadata()) == {"x-antiphon-synthetic": "cut@event=3"}
        broken = stub.StreamChat(chat_pb2.StreamChatRequest(spec=question("one !OVERLOADED")))
        with pytest.raises(grpc.aio.AioRpcError):
            assert [event async for event in broken]
        assert dict(await broken.trailing_metadata())["x-antiphon-synthetic"] == "cut@event=3"


async def test_a_backend_over_a_channel_hears_what_was_said() -> None:
    async with hops(1) as address:
        remote = RemoteBackend("echo", address)
        whole, streamed, failed = Call(), Call(), Call()
        await remote.chat(question("one"), whole)
        async with aclosing(remote.stream_chat(chat_pb2.StreamChatRequest(spec=question("one")), streamed)) as events:
            assert [event async for event in events]
        with pytest.raises(ServiceError):
            async with aclosing(
                remote.stream_chat(chat_pb2.StreamChatRequest(spec=question("!OVERLOADED")), failed)
            ) as events:
                assert [event async for event in events]
        await remote.close()
    assert [call.said for call in (whole, streamed, failed)] == [{"x-antiphon-synthetic": "cut@event=3"}] * 3


def test_what_is_said_is_short_and_plain() -> None:
    call = Call()
    call.say("synthetic", "a\nb é " + "x" * 500)
    said = call.said["x-antiphon-synthetic"]
    assert said.startswith("a b \\xe9 x")
    assert len(said) == LONGEST_SAID
    assert call.named("me").said is call.said
