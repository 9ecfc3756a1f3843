"""What a client may do with a connection, and when it is let go."""

from __future__ import annotations

import asyncio

import pytest
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from antiphon.core.http2.frames import ErrorCode
from tests.core.http2.parts import Bytes, Client, message, raw, request, server, until

CALM = ErrorCode.ENHANCE_YOUR_CALM
EXHAUSTED = "8"


@pytest.mark.parametrize("piece", [b"", b"x" * 16384])
async def test_a_flood_of_continuations_ends_the_connection(piece: bytes) -> None:
    client = Client(server(Bytes()))
    client.send(HeadersFrame(1, b""))
    for _ in range(40):
        client.send(ContinuationFrame(1, piece))
    assert client.farewell() == CALM


async def test_a_header_list_over_the_limit_is_refused_and_the_connection_lives_on() -> None:
    client = Client(server(Bytes()))
    client.call(1, b"x", "Echo", ("x-long", "v" * 17_000))
    assert client.status(1) == "8"
    client.call(3)
    assert await client.answer(3) == b"hello"


async def test_a_block_that_unpacks_to_far_more_ends_the_connection() -> None:
    client = Client(server(Bytes()))
    entry = b"\x40\x01a" + b"\x7f\xa1\x1e" + b"v" * 4000  # into the table, then named again and again
    client.feed(raw(1, 1, entry, 0x4))
    assert client.resets() == {1: ErrorCode.PROTOCOL_ERROR}
    client.feed(raw(1, 3, b"\xbe" * 16000, 0x4))
    assert client.farewell() == CALM


async def test_calls_over_the_limit_are_refused_and_may_be_sent_again() -> None:
    service = Bytes()
    client = Client(server(service, streams=2))
    assert client.of(SettingsFrame)[0].settings[SettingsFrame.MAX_CONCURRENT_STREAMS] == 2
    client.call(1, b"1", "Wait")
    client.call(3, b"3", "Wait")
    client.call(5, b"5", "Wait")
    await until(lambda: service.running == 2)
    assert client.resets() == {5: ErrorCode.REFUSED_STREAM}
    service.go.set()
    assert await client.answer(1) == b"1"
    client.call(7)
    assert await client.answer(7) == b"hello"


async def test_calls_given_up_faster_than_anybody_would_end_the_connection() -> None:
    service = Bytes()
    client = Client(server(service, resets=100, resets_seconds=100))
    for stream in range(1, 301, 2):
        client.send(client.head(stream, request()), RstStreamFrame(stream, ErrorCode.CANCEL))
    assert client.farewell() == CALM
    assert not service.contexts


async def test_streams_left_after_their_first_message_are_no_attack() -> None:
    service = Bytes()
    client = Client(server(service, resets=10, resets_seconds=100))
    client.send(WindowUpdateFrame(0, 1_000_000))
    for stream in range(1, 101, 2):
        client.call(stream, b"1000 1", "Count")
        await until(lambda now=stream: bool(client.data(now)))  # type: ignore[misc]
        client.send(RstStreamFrame(stream, ErrorCode.CANCEL))
    await until(lambda: service.running == 0)
    assert client.farewell() is None


@pytest.mark.parametrize("sent", [PingFrame(0, b"12345678"), SettingsFrame(0)])
async def test_questions_of_a_client_that_reads_no_answers_end_the_connection(sent: PingFrame | SettingsFrame) -> None:
    client = Client(server(Bytes(), controls=50))
    client.connection.pause_writing()
    for _ in range(60):
        client.send(sent)
    assert client.wire.aborted


async def test_questions_of_a_client_that_reads_are_answered_without_end() -> None:
    client = Client(server(Bytes(), controls=50))
    for _ in range(500):
        client.send(PingFrame(0, b"12345678"))
    assert len(client.of(PingFrame)) == 500


async def test_a_silent_client_is_asked_and_stays_where_it_answers() -> None:
    client = Client(server(Bytes(), tick=0.02))
    async with asyncio.timeout(3):
        for _ in range(3):
            asked = len(client.of(PingFrame))
            while len(client.of(PingFrame)) == asked:
                await asyncio.sleep(0.002)
            client.send(PingFrame(0, client.of(PingFrame)[-1].opaque_data, flags=["ACK"]))
    assert not client.wire.aborted


async def test_a_dead_client_is_let_go() -> None:
    client = Client(server(Bytes(), tick=0.02))
    await until(lambda: client.wire.aborted)
    assert len(client.of(PingFrame)) == 1


async def test_a_message_over_the_limit_is_refused_at_its_first_bytes() -> None:
    client = Client(server(Bytes(), message=1000))
    client.send(client.head(1, request()), DataFrame(1, message(bytes(1001))[:100]))
    assert client.status(1) == "8"
    assert "1001 vs. 1000" in client.details(1)
    assert client.resets() == {1: ErrorCode.NO_ERROR}
    client.call(3, bytes(1000))
    assert await client.answer(3) == bytes(1000)


async def test_an_answer_over_the_limit_is_an_error() -> None:
    client = Client(server(Bytes(), message=20_000))
    client.call(1, b"1 20001", "Count")
    await until(lambda: client.status(1) == "8")
    assert "20001 vs. 20000" in client.details(1)


async def test_only_so_much_of_requests_that_are_not_whole_is_held() -> None:
    client = Client(server(Bytes(), message=10_000, held=15_000))
    for stream, size in ((1, 8000), (3, 8000), (5, 5000)):
        client.send(client.head(stream, request()), DataFrame(stream, message(bytes(9000))[:size]))
    assert [client.status(stream) for stream in (1, 3, 5)] == ["", EXHAUSTED, ""]
    client.send(DataFrame(1, message(bytes(9000))[8000:], flags=["END_STREAM"]))
    assert await client.answer(1) == bytes(9000)
    client.send(RstStreamFrame(5, ErrorCode.CANCEL))
    client.send(client.head(7, request()), DataFrame(7, message(bytes(9999))[:9990]))
    client.send(DataFrame(7, message(bytes(9999))[9990:], flags=["END_STREAM"]))
    assert await client.answer(7) == bytes(9999)
    assert client.connection._held == 0
