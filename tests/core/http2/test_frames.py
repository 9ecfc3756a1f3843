"""The rules of HTTP/2, frame by frame."""

from __future__ import annotations

import asyncio

import pytest
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    PushPromiseFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from antiphon.core.http2.frames import PREFACE, ErrorCode
from tests.core.http2.parts import Bytes, Client, message, raw, request, server, until


async def test_a_call_is_answered_by_a_head_a_message_and_trailers_in_one_write() -> None:
    client = Client(server(Bytes()))
    client.call(1)
    assert await client.answer(1) == b"hello"
    head, trailers = client.fields[1]
    assert head[:2] == [(":status", "200"), ("content-type", "application/grpc")]
    assert trailers == [("grpc-status", "0")]
    assert client.of(HeadersFrame, 1)[-1].flags == {"END_HEADERS", "END_STREAM"}


async def test_settings_and_pings_are_acknowledged_and_answers_to_pings_are_not() -> None:
    client = Client(server(Bytes()))
    client.send(PingFrame(0, b"12345678"), PingFrame(0, b"87654321", flags=["ACK"]), SettingsFrame(0, flags=["ACK"]))
    await until(lambda: len(client.of(PingFrame)) > 0)
    assert [(each.opaque_data, each.flags) for each in client.of(PingFrame)] == [(b"12345678", {"ACK"})]
    hello, ack = client.of(SettingsFrame)
    assert hello.settings[SettingsFrame.MAX_HEADER_LIST_SIZE] == 16 * 1024
    assert ack.flags == {"ACK"}


async def test_padded_frames_and_priorities_are_read() -> None:
    client = Client(server(Bytes()))
    head = client.head(1, request())
    head.flags |= {"PADDED", "PRIORITY"}
    head.pad_length, head.stream_weight, head.depends_on = 17, 5, 0
    body = DataFrame(1, message(b"padded"), pad_length=9, flags=["PADDED", "END_STREAM"])
    client.send(PriorityFrame(5, depends_on=0, stream_weight=1), head, body)
    assert await client.answer(1) == b"padded"


async def test_frames_of_unknown_kinds_are_passed_over() -> None:
    client = Client(server(Bytes()))
    client.feed(raw(0xFA, 0, b"what?", 0xFF) + raw(0xFB, 3, b""))
    client.call(1)
    assert await client.answer(1) == b"hello"


async def test_a_header_block_may_come_in_pieces() -> None:
    client = Client(server(Bytes()))
    block = client.encoder.encode(request("Echo", ("x-long", "v" * 9000)))
    client.send(
        HeadersFrame(1, block[:7]),
        ContinuationFrame(1, b""),
        ContinuationFrame(1, block[7:1000]),
        ContinuationFrame(1, block[1000:], flags=["END_HEADERS"]),
        DataFrame(1, message(b"x"), flags=["END_STREAM"]),
    )
    assert await client.answer(1) == b"x"


async def test_calls_may_come_interleaved_and_end_in_any_order() -> None:
    service = Bytes()
    client = Client(server(service))
    client.call(1, b"slow", "Wait")
    client.send(client.head(3, request()), client.head(5, request()))
    client.send(DataFrame(5, message(b"five")[:3]), DataFrame(3, message(b"three"), flags=["END_STREAM"]))
    client.send(DataFrame(5, message(b"five")[3:], flags=["END_STREAM"]))
    assert await client.answer(3) == b"three"
    assert await client.answer(5) == b"five"
    assert client.status(1) == ""
    service.go.set()
    assert await client.answer(1) == b"slow"


async def test_a_request_may_end_with_trailers() -> None:
    client = Client(server(Bytes()))
    client.send(client.head(1, request()), DataFrame(1, message(b"x")), client.head(1, [("x-end", "1")], ends=True))
    assert await client.answer(1) == b"x"


async def test_a_client_that_leaves_a_call_ends_it_at_once() -> None:
    service = Bytes()
    client = Client(server(service))
    client.call(1, b"", "Wait")
    await until(lambda: service.running == 1)
    client.send(RstStreamFrame(1, ErrorCode.CANCEL))
    await until(lambda: service.running == 0)
    assert service.ended == ["cancelled"]
    assert client.status(1) == ""
    assert client.connection._home.running == set()
    client.call(3)
    assert await client.answer(3) == b"hello"


async def test_a_call_that_is_left_before_its_task_began_never_begins() -> None:
    service = Bytes()
    client = Client(server(service))
    body = DataFrame(1, message(b""), flags=["END_STREAM"])
    client.send(client.head(1, request("Wait")), body, RstStreamFrame(1, ErrorCode.CANCEL))
    assert client.connection._home.running == set()
    client.call(3)
    assert await client.answer(3) == b"hello"
    assert len(service.contexts) == 1


async def test_a_connection_that_is_lost_ends_its_calls() -> None:
    service = Bytes()
    client = Client(server(service))
    client.call(1, b"", "Wait")
    client.call(3, b"", "Wait")
    await until(lambda: service.running == 2)
    client.connection.connection_lost(None)
    await until(lambda: service.running == 0)
    assert not client.connection._home.connections


async def test_what_still_comes_for_an_answered_call_is_dropped_and_counted() -> None:
    client = Client(server(Bytes(), connection_window=65536 * 2))
    client.send(client.head(1, request("Early")), DataFrame(1, message(b"first")))
    assert await client.answer(1) == b"first"
    assert client.resets() == {1: ErrorCode.NO_ERROR}
    for _ in range(20):
        client.send(DataFrame(1, bytes(16384)))
    client.send(client.head(1, [("x-end", "1")], ends=True))
    client.call(3)
    assert await client.answer(3) == b"hello"
    assert sum(each.window_increment for each in client.of(WindowUpdateFrame, 0)) >= 20 * 16384 - 65536


PROTOCOL, SIZE, FLOW = ErrorCode.PROTOCOL_ERROR, ErrorCode.FRAME_SIZE_ERROR, ErrorCode.FLOW_CONTROL_ERROR


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (raw(0, 0, b"x"), PROTOCOL),
        (raw(0, 7, b"x"), PROTOCOL),
        (raw(0, 1, b"\x05abc", 0x8), PROTOCOL),
        (raw(0, 1, b"", 0x8), PROTOCOL),
        (raw(1, 2, b"\x82"), PROTOCOL),
        (raw(1, 0, b"\x82"), PROTOCOL),
        (raw(1, 1, b"\x00\x00\x00", 0x24), SIZE),
        (raw(1, 1, b"\x00\x00\x00\x01\x05\x82", 0x24), PROTOCOL),
        (raw(1, 1, b"\x82") + raw(6, 0, bytes(8)), PROTOCOL),
        (raw(1, 1, b"\x82") + raw(9, 3, b"\x84", 0x4), PROTOCOL),
        (raw(9, 1, b"\x82", 0x4), PROTOCOL),
        (raw(1, 1, b"\x80", 0x4), ErrorCode.COMPRESSION_ERROR),
        (raw(1, 1, b"\xff\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80", 0x4), ErrorCode.COMPRESSION_ERROR),
        (raw(1, 1, b"\x40\x05ab", 0x4), ErrorCode.COMPRESSION_ERROR),
        (raw(1, 1, b"\x82\x20", 0x4), ErrorCode.COMPRESSION_ERROR),
        (raw(1, 1, b"\x3f\xff\xff\x03", 0x4), ErrorCode.COMPRESSION_ERROR),
        (raw(1, 1, b"\xbe", 0x4), ErrorCode.COMPRESSION_ERROR),
        (raw(2, 0, bytes(5)), PROTOCOL),
        (raw(2, 1, bytes(4)), SIZE),
        (raw(3, 1, bytes(4)), PROTOCOL),
        (raw(3, 0, bytes(4)), PROTOCOL),
        (raw(3, 1, bytes(3)), SIZE),
        (raw(4, 1, b""), PROTOCOL),
        (raw(4, 0, b"abc"), SIZE),
        (raw(4, 0, bytes(6), 0x1), SIZE),
        (raw(4, 0, b"\x00\x02\x00\x00\x00\x02"), PROTOCOL),
        (raw(4, 0, b"\x00\x04\x80\x00\x00\x00"), FLOW),
        (raw(4, 0, b"\x00\x05\x00\x00\x00\x01"), PROTOCOL),
        (raw(5, 1, bytes(8)), PROTOCOL),
        (raw(6, 1, bytes(8)), PROTOCOL),
        (raw(6, 0, bytes(7)), SIZE),
        (raw(7, 1, bytes(8)), PROTOCOL),
        (raw(7, 0, bytes(7)), SIZE),
        (raw(8, 0, bytes(4)), PROTOCOL),
        (raw(8, 0, bytes(3)), SIZE),
        (raw(8, 1, b"\x00\x00\x00\x01"), PROTOCOL),
        (raw(8, 0, b"\x7f\xff\xff\xff"), FLOW),
        (b"\x00\x40\x01\x00\x00\x00\x00\x00\x01", SIZE),
    ],
)
async def test_a_broken_frame_ends_the_connection_and_says_why(data: bytes, code: ErrorCode) -> None:
    service = Bytes()
    client = Client(server(service))
    client.feed(data)
    assert client.farewell() == code
    assert client.wire.closing
    client.feed(raw(6, 0, bytes(8)))  # and nothing is read any more
    assert not client.of(PingFrame)


async def test_a_broken_frame_ends_the_calls_of_the_connection() -> None:
    service = Bytes()
    client = Client(server(service))
    client.call(1, b"", "Wait")
    await until(lambda: service.running == 1)
    client.send(PushPromiseFrame(1, promised_stream_id=2))
    await until(lambda: service.running == 0)
    assert client.farewell() == PROTOCOL


@pytest.mark.parametrize(
    "change",
    [
        {":method": None},
        {":path": None},
        {":path": ""},
        {":scheme": None},
        {":odd": "1"},
        {"connection": "close"},
        {"transfer-encoding": "chunked"},
        {"te": "gzip"},
        {"X-Upper": "1"},
        {"x-line": "a\nb"},
        {"x space": "1"},
    ],
)
async def test_a_malformed_request_is_reset_and_the_connection_lives_on(change: dict[str, str | None]) -> None:
    client = Client(server(Bytes()))
    fields = {**dict(request()), **change}
    given = sorted(fields.items(), key=lambda pair: not pair[0].startswith(":"))
    client.send(client.head(1, [(name, value) for name, value in given if value is not None]))
    assert client.resets() == {1: PROTOCOL}
    client.call(3)
    assert await client.answer(3) == b"hello"


async def test_a_pseudo_field_twice_or_late_is_malformed() -> None:
    client = Client(server(Bytes()))
    client.send(client.head(1, [*request(), (":path", "/x")]), client.head(3, [(":path", "/x"), *request()]))
    assert client.resets() == {1: PROTOCOL, 3: PROTOCOL}


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (DataFrame(1, b"x"), ErrorCode.STREAM_CLOSED),
        (WindowUpdateFrame(1, 0x7FFFFFFF), FLOW),
    ],
)
async def test_a_fault_of_one_stream_ends_only_its_call(sent: Frame, code: ErrorCode) -> None:
    service = Bytes()
    client = Client(server(service))
    client.call(1, b"", "Wait")
    client.call(3, b"other", "Wait")
    await until(lambda: service.running == 2)
    client.send(sent)
    await until(lambda: service.running == 1)
    assert client.resets() == {1: code}
    service.go.set()
    assert await client.answer(3) == b"other"


async def test_a_second_head_of_a_running_request_ends_the_connection() -> None:
    client = Client(server(Bytes()))
    client.send(client.head(1, request()), client.head(1, request()))
    assert client.farewell() == PROTOCOL


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\nhost: x\r\nupgrade: h2c\r\n\r\n", b"POST /v1/chat HTTP/1.1\r\n"])
async def test_http_1_by_mistake_gets_a_plain_answer(data: bytes) -> None:
    client = Client(server(Bytes()), greet=False)
    await asyncio.sleep(0.01)
    client.feed(data)
    assert client.wire.written.startswith(b"HTTP/1.1 400 ")
    assert b"gRPC port" in client.wire.written
    assert b"101" not in client.wire.written
    assert client.wire.closing


async def test_what_is_no_http_at_all_is_closed_without_a_word() -> None:
    client = Client(server(Bytes()), greet=False)
    client.feed(b"\x16\x03\x01\x02\x00\x01\x00")
    assert not client.wire.written
    assert client.wire.closing


async def test_nothing_is_said_before_the_client_has_spoken() -> None:
    client = Client(server(Bytes()), greet=False)
    await asyncio.sleep(0.01)
    assert not client.wire.written
    client.feed(PREFACE)
    assert [type(each) for each in client.look()] == [SettingsFrame, WindowUpdateFrame]


async def test_a_client_that_says_nothing_is_let_go() -> None:
    client = Client(server(Bytes(), preface=0.05), greet=False)
    client.feed(PREFACE[:10])
    await until(lambda: client.wire.aborted)


async def test_a_client_that_leaves_politely_gets_its_running_answers() -> None:
    service = Bytes()
    client = Client(server(service))
    client.call(1, b"last", "Wait")
    await until(lambda: service.running == 1)
    client.send(GoAwayFrame(0, last_stream_id=0, error_code=0))
    assert not client.wire.closing
    service.go.set()
    assert await client.answer(1) == b"last"
    assert client.wire.closing
