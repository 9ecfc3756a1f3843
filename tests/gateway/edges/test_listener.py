"""The port of the edges: how it opens, and how it ends together with the gRPC door."""

from __future__ import annotations

import asyncio
import socket

import pytest

from antiphon.core.auth import Auth
from antiphon.core.call import Call
from antiphon.core.errors import ServiceError
from antiphon.core.remote import RemoteBackend
from antiphon.core.server import Server
from antiphon.gateway.edges.app import Edges
from antiphon.gateway.edges.listener import Listener
from tests.core.echo import question
from tests.gateway.edges.opened import Choir, chat, events, opened, until


async def test_a_port_in_use_is_said_plainly() -> None:
    async with opened() as edge:
        with pytest.raises(ServiceError, match="another process"):
            async with Listener(edge.edges, listen=edge.listener.address):
                pass


@pytest.mark.parametrize("listen", ["nowhere", "127.0.0.1", "127.0.0.1:http", "unix:/tmp/x"])
async def test_an_address_that_is_none_is_said_plainly(listen: str) -> None:
    with pytest.raises(ServiceError, match="host:port"):
        async with Listener(Edges(Choir(), Auth({})), listen=listen):
            pass


async def test_an_answer_waits_for_no_acknowledgement() -> None:
    async with opened() as edge:
        await edge.client.get("/health")
        (peer,) = edge.listener.peers
        assert peer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_running_answers_are_finished_and_new_ones_refused() -> None:
    async with opened(pause=0.2) as edge:
        stream = asyncio.ensure_future(edge.post("/v1/chat/completions", chat("a b c d", stream=True)))
        whole = asyncio.ensure_future(edge.post("/v1/chat/completions", chat("last words")))
        await until(lambda: len(edge.choir.calls) == 2)
        draining = asyncio.ensure_future(edge.listener.drain())
        await asyncio.sleep(0.2)
        with pytest.raises(ConnectionRefusedError):
            async with edge.raw():
                pass
        assert (await whole).status_code == 200
        assert events((await stream).text)[-1] == "[DONE]"
        await draining


async def test_an_answer_that_outlasts_the_grace_is_told_why_it_ends() -> None:
    async with opened(pause=0.5, grace=1.0) as edge:
        stream = asyncio.ensure_future(edge.post("/v1/chat/completions", chat("word " * 100, stream=True)))
        await until(lambda: edge.choir.running == 1)
        await edge.listener.drain()
        assert events((await stream).text)[-1]["error"]["code"] == "shutting_down"
        assert edge.choir.running == 0


async def test_connections_at_rest_do_not_hold_the_end_up() -> None:
    async with opened(grace=600) as edge, edge.raw(), edge.raw() as (_, writer):
        await edge.client.get("/health")
        writer.write(b"POST /v1/messages HTTP/1.1\r\nhost")
        await asyncio.sleep(0.1)
        await edge.listener.drain()  # which would take the whole grace, and the test may not


async def test_both_doors_end_together_and_the_backend_after_both() -> None:
    ended: list[str] = []

    class Told(Choir):
        async def close(self) -> None:
            ended.append("backend")

    told = Told(pause=0.1)
    async with opened(choir=told) as edge:

        class Door:
            async def drain(self) -> None:
                await edge.listener.drain()
                ended.append("http")

        async with Server(told, [], listen="127.0.0.1:0", grace=3, doors=[Door()]) as server:
            remote = RemoteBackend("echo", server.address)
            over_grpc = asyncio.ensure_future(remote.chat(question("hi"), Call()))
            over_http = asyncio.ensure_future(edge.post("/v1/chat/completions", chat("a b c d e", stream=True)))
            await until(lambda: len(told.calls) == 2)
            await server.drain()
            assert (await over_grpc).outputs
            assert events((await over_http).text)[-1] == "[DONE]"
            await remote.close()
    assert ended == ["http", "backend"]
