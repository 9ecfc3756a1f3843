"""What is gRPC's own over HTTP/2: heads, prefixes, timeouts, encodings."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hyperframe.frame import DataFrame

from antiphon.core.http2.frames import ErrorCode
from tests.core.http2.parts import Bytes, Client, message, request, server, until

INTERNAL, UNIMPLEMENTED, EXHAUSTED = "13", "12", "8"


def without(name: str) -> list[tuple[str, str]]:
    return [pair for pair in request() if pair[0] != name]


async def test_what_is_no_grpc_gets_a_plain_http_status() -> None:
    client = Client(server(Bytes()))
    client.send(client.head(1, [*without("content-type"), ("content-type", "application/json")], ends=True))
    client.send(client.head(3, [(":method", "GET"), *without(":method")], ends=True))
    client.send(client.head(5, without("content-type"), ends=True))
    client.look()
    assert [client.fields[each][0][0] for each in (1, 3, 5)] == [
        (":status", "415"),
        (":status", "405"),
        (":status", "415"),
    ]


@pytest.mark.parametrize("kind", ["application/grpc", "application/grpc+proto", "application/grpc;x=1"])
async def test_every_spelling_of_the_content_type_is_taken(kind: str) -> None:
    client = Client(server(Bytes()))
    body = DataFrame(1, message(b"x"), flags=["END_STREAM"])
    client.send(client.head(1, [*without("content-type"), ("content-type", kind)]), body)
    assert await client.answer(1) == b"x"


async def test_an_unknown_method_is_said_at_once_and_its_request_not_wanted() -> None:
    client = Client(server(Bytes()))
    client.send(client.head(1, request("Nothing")))
    assert client.status(1) == UNIMPLEMENTED
    assert client.resets() == {1: ErrorCode.NO_ERROR}
    client.send(DataFrame(1, message(b"x"), flags=["END_STREAM"]))
    assert client.farewell() is None


@pytest.mark.parametrize(
    ("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("identity", None)]
)
async def test_messages_are_unpacked_where_they_say_that_they_are_packed(encoding: str, pack: object) -> None:
    client = Client(server(Bytes()))
    client.call(1, b"plain", "Echo", ("grpc-encoding", encoding))
    assert await client.answer(1) == b"plain"
    packed = pack(b"packed") if callable(pack) else b"packed"
    client.send(client.head(3, request("Echo", ("grpc-encoding", encoding))))
    client.send(DataFrame(3, message(packed, compressed=True), flags=["END_STREAM"]))
    if pack is None:
        assert client.status(3) == INTERNAL
    else:
        assert await client.answer(3) == b"packed"


@pytest.mark.parametrize(
    ("packed", "status"),
    [
        (b"no gzip", INTERNAL),
        (gzip.compress(b"x" * 100, mtime=0)[:-9], INTERNAL),
        (gzip.compress(bytes(10_000_000), mtime=0), EXHAUSTED),
    ],
)
async def test_a_packed_message_that_is_none_or_a_bomb_is_refused(packed: bytes, status: str) -> None:
    client = Client(server(Bytes(), message=100_000))
    client.send(client.head(1, request("Echo", ("grpc-encoding", "gzip"))))
    client.send(DataFrame(1, message(packed, compressed=True), flags=["END_STREAM"]))
    assert client.status(1) == status


async def test_an_unknown_encoding_is_refused_with_those_that_are_known() -> None:
    client = Client(server(Bytes()))
    client.call(1, b"x", "Echo", ("grpc-encoding", "snappy"))
    assert client.status(1) == UNIMPLEMENTED
    assert ("grpc-accept-encoding", "identity,deflate,gzip") in client.fields[1][0]


async def test_a_unary_call_has_one_message() -> None:
    service = Bytes()
    client = Client(server(service))
    client.send(client.head(1, request(), ends=True))
    client.send(client.head(3, request()), DataFrame(3, b"", flags=["END_STREAM"]))
    client.send(client.head(5, request()), DataFrame(5, message(b"a") + message(b"b"), flags=["END_STREAM"]))
    client.send(client.head(7, request()), DataFrame(7, message(b"abc")[:6], flags=["END_STREAM"]))
    client.send(client.head(9, request()), DataFrame(9, b"\0\0", flags=["END_STREAM"]))
    assert [client.status(stream) for stream in (1, 3, 5, 7, 9)] == [INTERNAL] * 5
    assert not service.contexts


async def test_a_streamed_request_cut_within_a_message_ends_its_handler() -> None:
    service = Bytes()
    client = Client(server(service))
    client.send(client.head(1, request("Joined")), DataFrame(1, message(b"a") + message(b"b")[:3]))
    await until(lambda: bool(client.connection._home.running))
    client.send(DataFrame(1, b"", flags=["END_STREAM"]))
    assert client.status(1) == INTERNAL
    await until(lambda: not client.connection._home.running)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1H", 3600), ("2M", 120), ("3S", 3), ("400m", 0.4), ("500000u", 0.5), ("600000000n", None), ("60000000n", 0.06)],
)
async def test_timeouts_are_read_in_every_unit(text: str, seconds: float | None) -> None:
    service = Bytes()
    client = Client(server(service))
    client.call(1, b"", "Echo", ("grpc-timeout", text))
    if seconds is None:  # more digits than there may be
        assert client.status(1) == INTERNAL
        return
    await client.answer(1)
    assert service.contexts[0].head.timeout == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", "S", "-1S", "1.5S", "5s"])
async def test_a_timeout_that_is_none_is_refused(text: str) -> None:
    client = Client(server(Bytes()))
    client.call(1, b"", "Echo", ("grpc-timeout", text))
    assert client.status(1) == INTERNAL


async def test_a_deadline_ends_an_answer_that_waits_for_the_window() -> None:
    client = Client(server(Bytes()))
    client.call(1, b"3 100000", "Count", ("grpc-timeout", "50m"))
    await until(lambda: client.status(1) == "4")
    await until(lambda: not client.connection._home.running)


async def test_a_deadline_ends_a_request_that_never_comes_whole() -> None:
    client = Client(server(Bytes()))
    client.send(client.head(1, request("Echo", ("grpc-timeout", "20m"))), DataFrame(1, message(b"abc")[:4]))
    await until(lambda: client.status(1) == "4")
    assert client.resets() == {1: ErrorCode.NO_ERROR}


@pytest.mark.parametrize(
    ("value", "read"),
    [("AP8", [b"\x00\xff"]), ("AP8=", [b"\x00\xff"]), ("AP8,AA", [b"\x00\xff", b"\x00"]), ("", [b""]), ("a", None)],
)
async def test_bytes_in_metadata_are_read_with_and_without_padding(value: str, read: list[bytes] | None) -> None:
    service = Bytes()
    client = Client(server(service))
    client.call(1, b"", "Echo", ("x-raw-bin", value))
    if read is None:
        assert client.status(1) == INTERNAL
        return
    await client.answer(1)
    assert [given for key, given in service.contexts[0].invocation_metadata() if key == "x-raw-bin"] == read


async def test_trailers_that_grpc_cannot_carry_are_an_error_of_the_server() -> None:
    class Wrong(Bytes):
        async def echo(self, request: bytes, context: object) -> bytes:
            context.set_trailing_metadata((("x-line", "a\nb"),))  # type: ignore[attr-defined]
            return request

    client = Client(server(Wrong()))
    client.call(1)
    await until(lambda: client.status(1) == INTERNAL)


async def test_a_message_of_a_status_is_percent_encoded() -> None:
    client = Client(server(Bytes()))
    client.call(1, b"", "Aborted")
    await until(lambda: client.status(1) == "15")
    assert client.details(1) == "100 %25 lost %E2%80%93 %C3%BC%0A"
