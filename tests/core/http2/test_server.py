"""The server's end, and where it listens."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from hyperframe.frame import GoAwayFrame, PingFrame

from antiphon.core.http2.frames import ErrorCode
from tests.core.http2.parts import SERVICE, Bytes, Client, connected, server, serving, until

ECHO, WAIT = f"/{SERVICE}/Echo", f"/{SERVICE}/Wait"


async def test_a_server_that_ends_says_so_takes_what_is_on_its_way_and_refuses_the_rest() -> None:
    service = Bytes()
    home = server(service)
    client = Client(home)
    client.call(1, b"running", "Wait")
    await until(lambda: service.running == 1)
    stopping = asyncio.ensure_future(home.stop(5))
    await asyncio.sleep(0)
    client.call(3, b"on its way")
    assert await client.answer(3) == b"on its way"
    first = client.of(GoAwayFrame)[0]
    assert (first.last_stream_id, first.error_code) == (0x7FFFFFFF, 0)
    client.send(PingFrame(0, client.of(PingFrame)[-1].opaque_data, flags=["ACK"]))
    assert client.of(GoAwayFrame)[-1].last_stream_id == 3
    client.call(5)
    assert client.resets() == {5: ErrorCode.REFUSED_STREAM}
    assert not client.wire.closing
    service.go.set()
    assert await client.answer(1) == b"running"
    assert client.wire.closing
    client.connection.connection_lost(None)
    await asyncio.wait_for(stopping, 1)


async def test_calls_that_outlive_the_grace_are_ended_and_told() -> None:
    service = Bytes()
    home = server(service)
    client = Client(home)
    client.call(1, b"", "Wait")
    await until(lambda: service.running == 1)
    await home.stop(0.05)
    assert service.ended == ["cancelled"]
    assert client.status(1) == "14"
    assert client.wire.closing


async def test_a_real_client_loses_no_call_to_a_server_that_ends() -> None:
    service = Bytes()
    home = server(service)
    address = home.bind("127.0.0.1:0")
    await home.start()
    async with connected(address) as channel:
        call: Any = channel.unary_unary(WAIT)(b"late")
        await until(lambda: service.running == 1)
        stopping = asyncio.ensure_future(home.stop(5))
        await asyncio.sleep(0.2)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary(ECHO)(b"", timeout=2)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        service.go.set()
        assert await call == b"late"
        await asyncio.wait_for(stopping, 2)


async def test_resting_clients_do_not_hold_up_the_end() -> None:
    home = server(Bytes())
    address = home.bind("127.0.0.1:0")
    await home.start()
    mute = socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])))
    async with connected(address) as channel:
        await channel.unary_unary(ECHO)(b"")
        await asyncio.wait_for(home.stop(10), 2)
    mute.close()


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "localhost:0", "0.0.0.0:0"])
async def test_it_listens_on_what_it_is_told(listen: str) -> None:
    async with serving(Bytes(), listen=listen) as address:
        host, _, port = address.rpartition(":")
        assert host == listen.rpartition(":")[0]
        async with connected(f"127.0.0.1:{port}") as channel:
            assert await channel.unary_unary(ECHO)(b"x", timeout=5) == b"x"


async def test_it_listens_on_ipv6_where_there_is_some() -> None:
    try:
        with socket.socket(socket.AF_INET6) as trial:
            trial.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6")
    service = Bytes()
    async with serving(service, listen="[::]:0") as address:
        port = address.rpartition(":")[2]
        for host in ("127.0.0.1", "[::1]"):
            async with connected(f"{host}:{port}") as channel:
                assert await channel.unary_unary(ECHO)(b"x", timeout=5) == b"x"
        assert service.contexts[-1].peer().startswith("ipv6:[")


async def test_it_listens_on_a_socket_file_and_takes_it_away_again(tmp_path: Path) -> None:
    file = tmp_path / "grpc.sock"
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(file))
    left.close()  # as a process leaves it that was killed
    service = Bytes()
    async with serving(service, listen=f"unix:{file}") as address:
        async with connected(address) as channel:
            assert await channel.unary_unary(ECHO)(b"x", timeout=5) == b"x"
        assert service.contexts[0].peer() == "unix:"
        with pytest.raises(OSError, match="in use"):
            server(service).bind(f"unix:{file}")
    assert not file.exists()


async def test_a_port_that_is_taken_is_an_error_unless_it_is_shared() -> None:
    shared = server(Bytes())
    address = shared.bind("127.0.0.1:0", reuse_port=True)
    await shared.start()
    with pytest.raises(OSError, match="in use"):
        server(Bytes()).bind(address)
    other = server(Bytes())
    assert other.bind(address, reuse_port=True) == address
    await other.start()
    await other.stop(0)
    await shared.stop(0)


@pytest.mark.parametrize("listen", ["nowhere", "127.0.0.1:http"])
async def test_what_is_no_address_is_said(listen: str) -> None:
    with pytest.raises(ValueError, match="host:port"):
        server(Bytes()).bind(listen)
