"""Connections as clients other than SDKs use them: many requests at once, old HTTP, wishes for other protocols, and
what the answer of one request costs in writes."""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast

import pytest

from antiphon.core.call import Call
from antiphon.gateway.edges.app import Edges
from antiphon.gateway.edges.guard import HEAD_BYTES, ConnectionLimits
from antiphon.gateway.edges.line import BATCH_BYTES, Line
from antiphon.gateway.edges.routes import ROWS
from antiphon.gateway.edges.serving import Flow, Serving
from antiphon.v1 import chat_pb2
from tests.gateway.edges.opened import Choir, chat, message, opened, until
from tests.gateway.edges.test_refusals import answered, head

CHAT = "/v1/chat/completions"
HURRIED = ConnectionLimits(receipt=0.4, linger=0.4)


def asked(text: str, *lines: str, path: str = CHAT, **more: Any) -> bytes:
    """A whole request."""
    body = json.dumps(chat(text, **more)).encode()
    return head(path, *lines, f"content-length: {len(body)}") + body


class Recorded:
    """What a connection of the event loop is told."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        """Remember it."""
        self.writes.append(data)

    def is_closing(self) -> bool:
        """Whether it ends."""
        return self.closed

    def close(self) -> None:
        """End it."""
        self.closed = True


def line(recorded: Recorded, *, method: str = "POST", version: str = "1.1") -> Line:
    """A request on it."""
    transport = cast("asyncio.Transport", recorded)
    loop = asyncio.get_running_loop()
    flow, state = Flow(transport), Serving()
    made = Line(method, b"/", [], transport, flow, loop, dated=state, keep_alive=True, done=lambda _: None)
    made.old = version == "1.0"
    return made


async def test_pieces_that_are_ready_together_are_one_write_with_the_head() -> None:
    recorded = Recorded()
    answer = line(recorded)
    answer.head(200, b"", count=0)
    for _ in range(100):
        answer.write(b"piece")
    answer.end()
    (written,) = recorded.writes
    assert written.endswith(b"\r\n\r\n1f4\r\n" + b"piece" * 100 + b"\r\n0\r\n\r\n")


async def test_a_piece_waits_for_no_other_once_the_task_waits_for_something() -> None:
    recorded = Recorded()
    answer = line(recorded)
    for number in range(3):
        if not number:
            answer.head(200, b"", count=0)
        answer.write(b"piece")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert len(recorded.writes) == number + 1


async def test_many_pieces_are_not_all_held_until_the_task_waits() -> None:
    recorded = Recorded()
    answer = line(recorded)
    answer.head(200, b"", count=0)
    for _ in range(5):
        answer.write(b"x" * BATCH_BYTES)
    assert len(recorded.writes) == 5


@pytest.mark.parametrize(
    "lines", [b"a: b\r\nc: d\r\n", b"a b: c\r\n", b"a: b\nc\r\n", b"a: b\r\n\r\n", b"a: \x00\r\n", b"a"]
)
async def test_no_header_of_an_answer_can_begin_another_line(lines: bytes) -> None:
    with pytest.raises(ValueError, match="does not allow"):
        line(Recorded()).head(200, lines, count=1)


async def test_an_answer_is_as_long_as_its_head_says() -> None:
    for text in (b"short", b"far too long"):
        answer = line(Recorded())
        answer.head(200, b"", count=0, length=7)
        answer.write(text)
        with pytest.raises(RuntimeError, match="than its head says"):
            answer.end()


async def test_a_client_of_the_old_http_gets_a_stream_without_chunks_that_the_end_ends() -> None:
    async with opened() as edge, edge.raw() as (reader, writer):
        writer.write(asked("old words", stream=True).replace(b"HTTP/1.1", b"HTTP/1.0"))
        begun, _, body = (await reader.read()).partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in begun
    assert b"connection: close" in begun
    assert body.startswith(b"data: {")
    assert body.endswith(b"data: [DONE]\n\n")


async def test_requests_sent_without_waiting_are_answered_in_their_order() -> None:
    async with opened(pause=0.01) as edge, edge.raw() as (reader, writer):
        writer.write(b"".join(asked(f"number{number}") for number in range(50)))
        for number in range(50):
            status, _, body = await answered(reader)
            assert (status, body["choices"][0]["message"]["content"]) == (200, f"number{number}")


async def test_a_client_who_leaves_ends_the_first_of_the_requests_it_sent_at_once() -> None:
    class Slow(Choir):
        async def chat(self, spec: chat_pb2.ChatSpec, call: Call) -> chat_pb2.Completion:
            self.running += 1
            try:
                return await super().chat(spec, call)
            finally:
                self.running -= 1

    async with opened(choir=Slow(pause=600)) as edge, edge.raw() as (_, writer):
        writer.write(asked("one") + asked("two"))
        await until(lambda: edge.choir.running == 1)
        writer.transport.abort()
        await until(lambda: edge.choir.running == 0)
        assert len(edge.choir.calls) == 1


async def test_nonsense_behind_a_request_does_not_cost_it_its_answer() -> None:
    async with opened(pause=0.05) as edge, edge.raw() as (reader, writer):
        writer.write(asked("whole words") + b"\x00\x01nonsense\r\n\r\n")
        assert (await answered(reader))[0] == 200
        assert await reader.read() == b""


@pytest.mark.parametrize("pieces", [1, 7])
async def test_a_wish_for_another_protocol_is_passed_over_and_the_body_is_read(pieces: int) -> None:
    wish = ("connection: Upgrade, HTTP2-Settings", "upgrade: h2c", "http2-settings: AAEAAEAAAAIAAAAB")
    raw = asked("hello words", *wish)
    async with opened() as edge, edge.raw() as (reader, writer):
        size = -(-len(raw) // pieces)
        for at in range(0, len(raw), size):
            writer.write(raw[at : at + size])
            await asyncio.sleep(0.01)
        for _ in range(2):
            status, _, body = await answered(reader)
            assert (status, body["choices"][0]["message"]["content"]) == (200, "hello words")
            writer.write(asked("hello words"))


@pytest.mark.parametrize(
    "begun", [b"CONNECT example.com:443 HTTP/1.1\r\nhost: x\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]
)
async def test_what_no_http_server_can_do_is_refused(begun: bytes) -> None:
    async with opened() as edge, edge.raw() as (reader, writer):
        writer.write(begun)
        assert (await answered(reader))[0] == 400
        assert await reader.read() == b""


@pytest.mark.parametrize("what", [b"x-long: ", b"5;ext="])
async def test_what_goes_between_chunks_of_a_body_is_bounded(what: bytes) -> None:
    async with opened() as edge, edge.raw() as (reader, writer):
        begin = b"0\r\n" if what.startswith(b"x") else b""
        writer.write(head(CHAT, "transfer-encoding: chunked") + begin + what)
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            for _ in range(1000):  # a thousand times the bound
                writer.write(b"x" * HEAD_BYTES)
                await writer.drain()
                await asyncio.sleep(0.001)
        await until(lambda: not edge.listener.peers)
        assert reader is not None


async def test_trailers_are_no_headers() -> None:
    body = json.dumps(message("hi")).encode()
    chunk = f"{len(body):x}\r\n".encode() + body
    async with opened() as edge, edge.raw() as (reader, writer):
        writer.write(head(CHAT, "transfer-encoding: chunked") + chunk + b"\r\n0\r\nx-request-id: late\r\n\r\n")
        status, headers, _ = await answered(reader)
    assert status == 200
    assert headers["x-request-id"] != "late"


async def test_a_client_that_waits_to_be_told_is_told_to_send_its_body() -> None:
    raw = asked("hi there", "expect: 100-continue")
    begun, _, body = raw.partition(b"\r\n\r\n")
    async with opened() as edge, edge.raw() as (reader, writer):
        writer.write(begun + b"\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(body)
        assert (await answered(reader))[0] == 200


async def test_the_next_head_may_trickle_while_an_answer_is_made() -> None:
    async with opened(pause=1.0, connections=HURRIED) as edge, edge.raw() as (reader, writer):
        writer.write(asked("slow") + b"GET /hea")
        assert (await answered(reader))[0] == 200
        writer.write(b"lth HTTP/1.1\r\nhost: x\r\n\r\n")
        assert (await answered(reader))[0] == 200


async def test_every_row_is_found_by_its_own_path() -> None:
    edges = Edges(Choir(), cast("Any", None))
    for row in ROWS:
        rows = edges._exact.get(row.path) or edges._opened(row.path.replace("{model:path}", "a/b/c"))[0]
        assert row in rows
