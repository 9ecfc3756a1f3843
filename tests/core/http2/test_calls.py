"""gRPC's own clients, asynchronous and not, against the server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import grpc.aio
import pytest

from tests.core.http2.parts import SERVICE, Bytes, connected, serving, until

OPTIONS = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))
LARGE = 20 * 1024 * 1024


def path(method: str) -> str:
    return f"/{SERVICE}/{method}"


@pytest.fixture
def service() -> Bytes:
    return Bytes()


@pytest.fixture
async def address(service: Bytes) -> AsyncIterator[str]:
    async with serving(service, message=32 * 1024 * 1024) as address:
        yield address


@pytest.fixture
async def channel(address: str) -> AsyncIterator[Any]:
    async with connected(address, *OPTIONS) as channel:
        yield channel


async def test_unary_calls_one_after_the_other_and_many_at_once(channel: Any) -> None:
    echo = channel.unary_unary(path("Echo"))
    for number in range(5):
        assert await echo(b"%d" % number) == b"%d" % number
    assert await asyncio.gather(*(echo(b"%d" % each) for each in range(300))) == [b"%d" % each for each in range(300)]
    assert await echo(b"") == b""


async def test_streams_of_every_kind(channel: Any) -> None:
    counted = channel.unary_stream(path("Count"))(b"100 20")
    assert [each async for each in counted] == [bytes((number,)) * 20 for number in range(100)]

    async def sent() -> AsyncIterator[bytes]:
        for each in range(50):
            yield b"%d," % each

    assert await channel.stream_unary(path("Joined"))(sent()) == b"".join(b"%d," % each for each in range(50))
    answered = channel.stream_stream(path("Answered"))()
    for each in (b"a", b"b"):
        await answered.write(each)
        assert await answered.read() == each
    await answered.done_writing()
    assert await answered.read() is grpc.aio.EOF
    assert await answered.code() is grpc.StatusCode.OK


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
async def test_a_large_message_goes_both_ways(channel: Any, compression: grpc.Compression) -> None:
    data = bytes(range(256)) * (LARGE // 256)
    assert await channel.unary_unary(path("Echo"))(data, compression=compression) == data


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
async def test_compressed_requests_are_read(channel: Any, compression: grpc.Compression) -> None:
    assert await channel.unary_unary(path("Echo"))(b"x" * 5000, compression=compression) == b"x" * 5000


def test_the_synchronous_client(service: Bytes) -> None:
    def work(address: str) -> None:
        plain: Any = grpc.insecure_channel(address)
        with plain as channel:
            echo = channel.unary_unary(path("Echo"))
            assert echo(b"sync", timeout=5) == b"sync"
            assert list(channel.unary_stream(path("Count"))(b"3 2", timeout=5)) == [b"\0\0", b"\1\1", b"\2\2"]

            def sent() -> Iterator[bytes]:
                yield from (b"a", b"b")

            assert channel.stream_unary(path("Joined"))(sent(), timeout=5) == b"ab"
            with pytest.raises(grpc.RpcError) as caught:
                channel.unary_unary(path("Aborted"))(b"why", timeout=5)
            assert caught.value.code() is grpc.StatusCode.DATA_LOSS

    async def main() -> None:
        async with serving(service) as address:
            await asyncio.to_thread(work, address)

    asyncio.run(main())


async def test_metadata_goes_both_ways_with_bytes_and_repeated_names(channel: Any, service: Bytes) -> None:
    sent = (("x-one", "a"), ("x-one", "b, c"), ("x-raw-bin", b"\x00\xff,"), ("x-raw-bin", b""), ("x-tab", "é".encode()))
    call = channel.unary_stream(path("Written"))(b"")
    assert [each async for each in call] == [b"0", b"1", b"2"]
    assert dict(await call.initial_metadata())["x-first"] == "1"
    assert dict(await call.trailing_metadata()) == {"x-last": "2", "x-raw-bin": b"\x00\xff"}
    await channel.unary_unary(path("Echo"))(b"", metadata=sent[:4])
    got = service.contexts[-1].invocation_metadata()
    assert [pair for pair in got if pair[0].startswith("x-")] == list(sent[:4])
    assert any(key == "user-agent" and value.startswith("grpc-python-asyncio") for key, value in got)
    assert not {"te", "content-type", ":path", "grpc-accept-encoding"} & {key for key, _ in got}


async def test_a_status_carries_its_message_and_trailers(channel: Any) -> None:
    call = channel.unary_unary(path("Aborted"))(bytes(range(256)))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    assert caught.value.code() is grpc.StatusCode.DATA_LOSS
    assert caught.value.details() == "100 % lost – ü\n"
    assert dict(caught.value.trailing_metadata())["x-why-bin"] == bytes(range(256))


@pytest.mark.parametrize("size", [7000, 40_000])
async def test_trailers_longer_than_a_frame_arrive(address: str, size: int) -> None:
    options = (("grpc.max_metadata_size", 200_000), ("grpc.absolute_max_metadata_size", 200_000))
    async with connected(address, *options) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary(path("Aborted"))(b"y" * size)
    assert caught.value.code() is grpc.StatusCode.DATA_LOSS
    assert len(dict(caught.value.trailing_metadata())["x-why-bin"]) == size


@pytest.mark.parametrize(
    ("method", "code", "details"),
    [
        ("Broken", grpc.StatusCode.UNKNOWN, "a bug"),
        ("Unset", grpc.StatusCode.UNIMPLEMENTED, "Method not implemented!"),
        ("Missing", grpc.StatusCode.UNIMPLEMENTED, "Method not found!"),
    ],
)
async def test_failures_have_the_status_that_grpc_gives_them(
    channel: Any, method: str, code: grpc.StatusCode, details: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await channel.unary_unary(path(method))(b"")
    assert caught.value.code() is code
    assert details in (caught.value.details() or "")


async def test_a_message_over_the_limit_is_refused(service: Bytes) -> None:
    async with (
        serving(service, message=1000) as address,
        connected(address) as channel,
    ):
        echo = channel.unary_unary(path("Echo"))
        for size, compression in ((1001, grpc.Compression.NoCompression), (50_000, grpc.Compression.Gzip)):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await echo(bytes(size), compression=compression)
            assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert await echo(bytes(1000)) == bytes(1000)


async def test_cancelling_a_call_ends_its_handler(channel: Any, service: Bytes) -> None:
    call = channel.unary_unary(path("Wait"))(b"")
    stream = channel.unary_stream(path("Count"))(b"1000000 10")
    await stream.read()
    await until(lambda: service.running == 2)
    call.cancel()
    stream.cancel()
    await until(lambda: service.running == 0, 1.0)
    assert service.ended == ["cancelled"]
    assert service.contexts[0].cancelled()


async def test_a_client_that_goes_away_ends_its_calls(address: str, service: Bytes) -> None:
    channel: Any = grpc.aio.insecure_channel(address)
    call = channel.unary_unary(path("Wait"))(b"")
    await until(lambda: service.running == 1)
    await channel.close()
    await until(lambda: service.running == 0, 1.0)
    assert call.done()


async def test_a_deadline_reaches_the_handler_and_ends_it(channel: Any, service: Bytes) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await channel.unary_unary(path("Wait"))(b"", timeout=0.2)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await until(lambda: service.running == 0, 1.0)
    assert 0 < service.contexts[0].deadline <= asyncio.get_running_loop().time()
    assert service.contexts[0].time_remaining() == 0
    await channel.unary_unary(path("Echo"))(b"", timeout=50)
    assert 40 < service.contexts[1].time_remaining() < 51  # clients round up


async def test_a_slow_reader_gets_everything_and_holds_back_the_writer(service: Bytes) -> None:
    options = (("grpc.http2.lookahead_bytes", 65536), ("grpc.http2.bdp_probe", 0))
    async with serving(service) as address, connected(address, *options) as channel:
        call = channel.unary_stream(path("Count"))(b"2000 5000")
        await call.read()
        await asyncio.sleep(0.3)
        assert service.running == 1  # 10 MB do not fit between here and there
        got = 1
        while await call.read() is not grpc.aio.EOF:
            got += 1
        assert got == 2000


async def test_callbacks_are_called_when_the_handler_has_ended(service: Bytes) -> None:
    told: list[Any] = []

    class Telling(Bytes):
        async def echo(self, request: bytes, context: Any) -> bytes:
            context.add_done_callback(told.append)
            return await super().echo(request, context)

    telling = Telling()
    async with serving(telling) as address, connected(address) as channel:
        await channel.unary_unary(path("Echo"))(b"")
        await until(lambda: bool(told))
    assert told == telling.contexts
    assert told[0].done()
    assert told[0].peer().startswith("ipv4:127.0.0.1:")
