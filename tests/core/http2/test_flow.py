"""Windows and the socket's own: what is sent waits for room, and what comes is let in as it is used."""

from __future__ import annotations

import asyncio

import pytest
from hyperframe.frame import DataFrame, RstStreamFrame, SettingsFrame, WindowUpdateFrame

from antiphon.core.http2.frames import ErrorCode
from tests.core.http2.parts import Bytes, Client, message, request, server, until

WINDOW = 65535


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_large_answer_waits_for_the_windows_and_comes_whole() -> None:
    client = Client(server(Bytes()))
    client.call(1, b"1 200000", "Count")
    await settled()
    assert len(client.data(1)) == WINDOW
    client.send(WindowUpdateFrame(1, 1_000_000))
    assert len(client.data(1)) == WINDOW  # the connection's is used up as well
    client.send(WindowUpdateFrame(0, 50_000))
    assert len(client.data(1)) == WINDOW + 50_000
    client.send(WindowUpdateFrame(0, 1_000_000))
    await until(lambda: client.status(1) == "0")
    assert client.data(1) == message(bytes(200_000))
    assert max(len(each.data) for each in client.of(DataFrame, 1)) <= 16384


async def test_a_large_unary_answer_ends_its_handler_and_its_trailers_wait() -> None:
    service = Bytes()
    client = Client(server(service))
    client.call(1, b"1 10", "Count")
    await until(lambda: client.status(1) == "0")
    client.send(client.head(3, request()))
    for start in range(0, 100_005, 16384):
        piece = message(bytes(100_000))[start : start + 16384]
        client.send(DataFrame(3, piece, flags=["END_STREAM"] if start + 16384 >= 100_005 else []))
    await settled()
    assert not client.connection._home.running
    assert client.status(3) == ""
    client.send(WindowUpdateFrame(0, 100_000), WindowUpdateFrame(3, 100_000))
    assert await client.answer(3) == bytes(100_000)


async def test_a_window_of_no_bytes_holds_back_data_and_not_the_head_or_errors() -> None:
    client = Client(server(Bytes()))
    client.send(SettingsFrame(0, settings={SettingsFrame.INITIAL_WINDOW_SIZE: 0}))
    client.call(1, b"1 3", "Count")
    client.call(3, b"", "Aborted")
    await until(lambda: client.status(3) == "15")
    assert client.data(1) == b""
    client.send(WindowUpdateFrame(1, 3))
    assert len(client.data(1)) == 3
    client.send(SettingsFrame(0, settings={SettingsFrame.INITIAL_WINDOW_SIZE: 100}))
    assert await client.answer(1) == bytes(3)


async def test_a_window_may_become_negative_and_recover() -> None:
    service = Bytes()
    client = Client(server(service))
    client.call(1, b"2 40000", "Count")
    await settled()
    client.send(SettingsFrame(0, settings={SettingsFrame.INITIAL_WINDOW_SIZE: 1000}), WindowUpdateFrame(0, 1_000_000))
    assert len(client.data(1)) == WINDOW
    client.send(WindowUpdateFrame(1, WINDOW - 1000))
    assert len(client.data(1)) == WINDOW
    client.send(WindowUpdateFrame(1, 50_000))
    await until(lambda: client.status(1) == "0")
    assert len(client.data(1)) == 2 * 40_005


async def test_calls_that_wait_for_the_connections_window_share_what_comes() -> None:
    client = Client(server(Bytes()))
    client.send(SettingsFrame(0, settings={SettingsFrame.INITIAL_WINDOW_SIZE: 1_000_000}))
    for stream in (1, 3, 5):
        client.call(stream, b"1 300000", "Count")
    await settled()
    before = [len(client.data(stream)) for stream in (1, 3, 5)]
    client.send(WindowUpdateFrame(0, 6 * 16384))
    assert [len(client.data(each)) - old for each, old in zip((1, 3, 5), before, strict=True)] == [2 * 16384] * 3


async def test_a_window_too_large_on_a_running_call_is_an_error_of_the_connection_when_settings_say_so() -> None:
    service = Bytes()
    client = Client(server(service))
    client.call(1, b"", "Wait")
    await until(lambda: service.running == 1)
    client.send(WindowUpdateFrame(1, 0x7FFFFFFF - WINDOW))
    client.send(SettingsFrame(0, settings={SettingsFrame.INITIAL_WINDOW_SIZE: 0x7FFFFFFF}))
    assert client.farewell() == ErrorCode.FLOW_CONTROL_ERROR


async def test_a_socket_that_is_full_stops_the_writer_until_it_is_not() -> None:
    service = Bytes()
    client = Client(server(service))
    client.send(SettingsFrame(0, settings={SettingsFrame.INITIAL_WINDOW_SIZE: 0x7FFFFFFF}))
    client.send(WindowUpdateFrame(0, 0x7FFF0000))
    client.connection.pause_writing()
    client.call(1, b"50 1000", "Count")
    await settled()
    assert 0 < len(client.data(1)) < 5 * 1005
    client.connection.resume_writing()
    await until(lambda: client.status(1) == "0")
    assert len(client.data(1)) == 50 * 1005


async def test_a_waiting_writer_is_let_go_when_its_call_is_left() -> None:
    service = Bytes()
    client = Client(server(service))
    client.call(1, b"3 100000", "Count")
    await settled()
    assert service.running == 1
    client.send(RstStreamFrame(1, ErrorCode.CANCEL))
    await until(lambda: service.running == 0)
    assert not client.connection._outbox.blocked


async def test_the_rest_of_an_answer_that_nobody_reads_is_given_up() -> None:
    client = Client(server(Bytes(), stall=0.05))
    client.call(1, b"1 100000", "Count")
    client.send(client.head(3, request()))
    for start in range(0, 100_005, 16384):
        piece = message(bytes(100_000))[start : start + 16384]
        client.send(DataFrame(3, piece, flags=["END_STREAM"] if start + 16384 >= 100_005 else []))
    await until(lambda: client.resets().get(3) == ErrorCode.CANCEL)
    assert 3 not in client.connection._outbox.blocked


async def test_many_messages_of_one_turn_leave_in_few_writes_and_let_others_have_theirs() -> None:
    class Ready(Bytes):
        async def count(self, request: bytes, context: object) -> object:  # type: ignore[override]
            for _ in range(2000):
                yield bytes(100)
                turns.append(len(other))

    other: list[int] = []
    turns: list[int] = []
    client = Client(server(Ready()))
    client.send(SettingsFrame(0, settings={SettingsFrame.INITIAL_WINDOW_SIZE: 0x7FFFFFFF}))
    client.send(WindowUpdateFrame(0, 0x7FFF0000))
    writes: list[int] = []
    write = client.wire.write

    def counted(data: bytes) -> None:
        writes.append(len(data))
        write(data)

    client.wire.write = counted  # type: ignore[method-assign]
    client.call(1, b"", "Count")

    async def beside() -> None:
        while client.status(1) == "":
            other.append(1)
            await asyncio.sleep(0)

    await beside()
    assert len(client.data(1)) == 2000 * 105
    assert len(writes) <= 10
    assert len(set(turns)) >= 3


async def test_more_than_the_window_of_a_request_is_refused() -> None:
    client = Client(server(Bytes(), window=1000))
    client.send(client.head(1, request()), DataFrame(1, message(bytes(2000))))
    assert client.resets() == {1: ErrorCode.FLOW_CONTROL_ERROR}


async def test_a_large_message_is_let_in_at_once_when_its_length_is_known() -> None:
    client = Client(server(Bytes(), window=1000, message=1_000_000))
    client.send(client.head(1, request()), DataFrame(1, message(bytes(500_000))[:600]))
    assert sum(each.window_increment for each in client.of(WindowUpdateFrame, 1)) == 500_005 - 1000


async def test_a_streamed_request_is_let_in_only_as_fast_as_it_is_read() -> None:
    service = Bytes()
    gate = asyncio.Event()

    class Slow(Bytes):
        async def joined(self, requests: object, context: object) -> bytes:
            await gate.wait()
            return await super().joined(requests, context)  # type: ignore[arg-type]

    service = Slow()
    client = Client(server(service, window=2000))
    client.send(client.head(1, request("Joined")))
    for _ in range(15):
        client.send(DataFrame(1, message(bytes(100))))
    await settled()
    assert not client.of(WindowUpdateFrame, 1)
    gate.set()
    await settled()
    assert sum(each.window_increment for each in client.of(WindowUpdateFrame, 1)) == 15 * 105
    client.send(DataFrame(1, message(bytes(100)), flags=["END_STREAM"]))
    assert await client.answer(1) == bytes(1600)


@pytest.mark.parametrize("size", [0, 1, 16379, 16380, 65530, 65531, 70_000])
async def test_answers_of_every_size_around_the_bounds_come_whole(size: int) -> None:
    client = Client(server(Bytes()))
    client.call(1, b"1 %d" % size, "Count")
    await settled()
    client.send(WindowUpdateFrame(0, 100_000), WindowUpdateFrame(1, 100_000))
    assert await client.answer(1) == bytes(size)
