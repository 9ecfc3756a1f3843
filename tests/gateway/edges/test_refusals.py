"""What is refused at the HTTP door, in whose words, and that nobody can hold the server up or fill it."""

from __future__ import annotations

import asyncio
import gzip
import json
import tracemalloc
import zlib
from typing import Any

import pytest
from starlette.datastructures import Headers

from antiphon.core.errors import Reason, ServiceError
from antiphon.gateway.edges.bodies import PIECE, SLOWEST, Bodies, BodyLimits
from antiphon.gateway.edges.door import DoorLimits
from antiphon.gateway.edges.guard import SPARE, ConnectionLimits
from tests.gateway.edges.opened import JSON, Opened, chat, message, opened, until

SMALL = DoorLimits(bodies=BodyLimits(max_bytes=50_000, receipt=0.4))
HURRIED = ConnectionLimits(receipt=0.4, linger=0.4)
POSTS = (
    *("/v1/chat/completions", "/v1/embeddings", "/v1/responses", "/v1/messages", "/v1/messages/count_tokens"),
    *("/v1beta/models/echo/words:generateContent", "/v1beta/models/echo/words:countTokens"),
    *("/v1beta/models/echo/words:embedContent", "/v1beta/models/echo/words:batchEmbedContents"),
    *("/api/chat", "/api/embed", "/api/show", "/api/condense"),
)


def words(answer: Any) -> str:
    """The words of an error in any edge's shape."""
    error = answer.json()["error"]
    return str(error if isinstance(error, str) else error["message"])


def head(path: str, *lines: str) -> bytes:
    return "\r\n".join([f"POST {path} HTTP/1.1", "host: x", "content-type: application/json", *lines, "", ""]).encode()


async def answered(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], dict[str, Any]]:
    """The status, headers and JSON of one answer on a bare connection."""
    raw = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in raw[1:] if line)
    return int(raw[0].split()[1]), headers, json.loads(await reader.readexactly(int(headers["content-length"])))


@pytest.mark.parametrize(
    ("path", "status"),
    [("/", 404), ("/v1/nowhere", 404), ("/v1/messages/nowhere", 404), ("/api/nowhere", 404), ("/v1/chat", 404)],
)
async def test_an_unknown_route_says_so(path: str, status: int) -> None:
    async with opened() as edge:
        got = await edge.client.get(path)
        posted = await edge.post(path, {"a": 1})
    for answer in (got, posted):
        assert answer.status_code == status
        assert path in words(answer)


@pytest.mark.parametrize("path", POSTS)
async def test_a_wrong_method_is_answered_with_those_that_the_path_takes(path: str) -> None:
    async with opened() as edge:
        for method in ("GET", "DELETE", "PUT"):
            answer = await edge.client.request(method, path)
            assert answer.status_code == 405
            assert answer.headers["allow"] == "POST"
            assert "POST" in words(answer)
        head_only = await edge.client.head("/v1/models")
    assert (head_only.status_code, head_only.content) == (200, b"")


BODIES = (b"", b"{", b"[]", b'"text"', b"nul", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 50_000)


@pytest.mark.parametrize("path", POSTS)
async def test_a_body_that_is_no_json_object_is_refused(path: str) -> None:
    async with opened() as edge:
        for body in BODIES:
            answer = await edge.client.post(path, content=body, headers=JSON)
            assert answer.status_code == 400, body[:20]
            assert "JSON" in words(answer)


ODD: tuple[Any, ...] = (None, True, 7, 1.5, "text", [], {}, [[]], [None], [7], [{}], {"a": []}, -1, 2**70, "\ud800")
SHARED = ("model", "tools", "max_tokens", "metadata", "unheard_of")
FIELDS = {
    "/v1/": (
        *("messages", "input", "system", "stop", "stream", "tool_choice", "functions", "function_call", "user"),
        *("response_format", "stream_options", "thinking", "n", "dimensions", "encoding_format", "input_type"),
        *("reasoning", "text", "include", "previous_response_id", "instructions", "output_dtype"),
    ),
    "/v1beta/": (
        *("contents", "content", "requests", "generationConfig", "systemInstruction", "safetySettings", "toolConfig"),
        *("cachedContent", "outputDimensionality", "taskType", "generateContentRequest"),
    ),
    "/api/": ("messages", "input", "options", "think", "keep_alive", "format", "stream", "truncate", "dimensions"),
}
"""Fields by the paths on which they mean something."""


@pytest.mark.parametrize("path", POSTS)
async def test_no_value_in_any_field_is_an_unexpected_failure(path: str) -> None:
    whole = {**message("hi"), "input": "hi", "contents": [{"parts": [{"text": "hi"}]}], "content": {"parts": []}}
    failed = []
    fields = next(names for prefix, names in FIELDS.items() if path.startswith(prefix))
    async with opened() as edge:
        for field in (*SHARED, *fields):
            for value in (*ODD, [{"role": []}], [{"role": "user", "content": [7]}], [{"parts": [7]}]):
                answer = await edge.post(path, {**whole, field: value})
                if answer.status_code >= 500:
                    failed.append((field, value, answer.text))
    assert failed == []


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
async def test_a_body_of_another_type_is_refused(kind: str | None) -> None:
    async with opened() as edge:
        headers = {} if kind is None else {"content-type": kind}
        for path in POSTS:
            answer = await edge.client.post(path, content=json.dumps(message("hi")), headers=headers)
            assert answer.status_code == 415
            assert "application/json" in words(answer)
    assert edge.choir.calls == []


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON", "application/vnd.x+json"])
async def test_json_is_taken_however_its_type_is_written(kind: str) -> None:
    async with opened() as edge:
        answer = await edge.client.post(POSTS[0], content=json.dumps(chat("hi")), headers={"content-type": kind})
    assert answer.status_code == 200


async def test_a_body_over_the_limit_is_refused_before_it_comes() -> None:
    async with opened(limits=SMALL) as edge, edge.raw() as (reader, writer):
        writer.write(head("/v1/messages", f"content-length: {10**12}"))
        status, _, body = await answered(reader)
    assert status == 413
    assert body["error"]["type"] == "request_too_large"
    assert "50000" in body["error"]["message"]


async def test_a_body_over_the_limit_is_refused_however_it_comes() -> None:
    async with opened(limits=SMALL) as edge:

        async def chunks() -> Any:
            for _ in range(20):
                yield b" " * 10_000

        known = await edge.client.post(POSTS[0], content=b" " * 200_000, headers=JSON)
        chunked = await edge.client.post(POSTS[0], content=chunks(), headers=JSON)
        after = await edge.post(POSTS[0], chat("hi"))
    assert (known.status_code, chunked.status_code, after.status_code) == (413, 413, 200)
    assert edge.edges.door.bodies.held == 0


async def test_a_packed_body_is_unpacked() -> None:
    raw = json.dumps(chat("hi there " * 1000)).encode()
    async with opened() as edge:
        for coding, packed in (("gzip", gzip.compress(raw)), ("deflate", zlib.compress(raw)), ("identity", raw)):
            answer = await edge.client.post(POSTS[0], content=packed, headers={**JSON, "content-encoding": coding})
            assert answer.status_code == 200
            assert answer.json()["usage"]["completion_tokens"] == 2000


def bomb(mebibytes: int) -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    return b"".join(packer.compress(bytes(2**20)) for _ in range(mebibytes)) + packer.flush()


class Line:
    """A client that sends a body in pieces, and knows how much of it was taken."""

    def __init__(self, body: bytes, *, piece: int, times: int = 1) -> None:
        self._pieces = [body[at : at + piece] for at in range(0, len(body), piece)] * times
        self.taken = 0

    async def receive(self) -> tuple[bytes, bool]:
        """The next piece."""
        piece = self._pieces.pop(0)
        self.taken += len(piece)
        return piece, bool(self._pieces)


LIMIT = 2**20


async def refused(line: Line, **headers: str) -> tuple[ServiceError, int]:
    """The refusal of a body, and the most memory that it took beyond the body itself, in bytes."""
    bodies = Bodies(BodyLimits(max_bytes=LIMIT))
    tracemalloc.start()
    try:
        with pytest.raises(ServiceError) as caught:
            async with bodies.received(Headers(JSON | headers), line.receive):
                pass
        assert bodies.held == 0
        return caught.value, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


async def test_a_bomb_is_read_no_further_than_to_the_limit() -> None:
    packed = bomb(300)
    line = Line(packed, piece=500)
    error, peak = await refused(line, **{"content-encoding": "gzip"})
    assert error.reason is Reason.MESSAGE_TOO_LARGE
    assert line.taken < len(packed) / 100
    assert peak < 2 * LIMIT + 4 * PIECE


async def test_a_bomb_in_one_piece_takes_no_more_memory() -> None:
    packed = bomb(300)
    line = Line(packed, piece=len(packed))
    error, peak = await refused(line, **{"content-encoding": "gzip"})
    assert error.reason is Reason.MESSAGE_TOO_LARGE
    assert peak < 2 * LIMIT + 4 * PIECE + 2 * len(packed)


async def test_a_body_without_a_length_is_read_no_further_than_to_the_limit() -> None:
    line = Line(b" " * 64_000, piece=64_000, times=1000)
    error, peak = await refused(line)
    assert error.reason is Reason.MESSAGE_TOO_LARGE
    assert line.taken <= LIMIT + 64_000
    assert peak < 3 * LIMIT


async def test_a_bomb_is_refused_at_every_door() -> None:
    async with opened(limits=DoorLimits(bodies=BodyLimits(max_bytes=LIMIT))) as edge:
        for path in POSTS:
            answer = await edge.client.post(path, content=bomb(2), headers={**JSON, "content-encoding": "gzip"})
            assert answer.status_code == 413
            assert str(LIMIT) in words(answer)
        await until(lambda: edge.edges.door.bodies.held == 0)


@pytest.mark.parametrize(
    ("coding", "body", "status"),
    [
        ("gzip", b"no gzip at all", 400),
        ("gzip", gzip.compress(b'{"a":1}', mtime=0)[:-6], 400),
        ("gzip", gzip.compress(b"{}", mtime=0) + b"more", 400),
        ("br", b"{}", 415),
        ("gzip, gzip", b"{}", 415),
    ],
)
async def test_a_body_that_cannot_be_unpacked_is_refused(coding: str, body: bytes, status: int) -> None:
    async with opened() as edge:
        answer = await edge.client.post(POSTS[0], content=body, headers={**JSON, "content-encoding": coding})
    assert answer.status_code == status


@pytest.mark.parametrize(
    "begun", ["", "POST /v1/messages HTTP/1.1\r\n", "POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-a"]
)
async def test_a_head_that_comes_too_slowly_ends_the_connection(begun: str) -> None:
    async with opened(connections=HURRIED) as edge, edge.raw() as (reader, writer):
        writer.write(begun.encode())
        if begun:
            status, headers, body = await answered(reader)
            assert status == 408
            assert headers["connection"] == "close"
            assert body["type"] == "error"  # Anthropic's shape, by the path
        assert await reader.read() == b""


async def test_a_head_that_trickles_gets_no_further_time_by_it() -> None:
    async with opened(connections=HURRIED) as edge, edge.raw() as (reader, writer):
        writer.write(b"GET /v1/models HTTP/1.1\r\n")
        reading = asyncio.create_task(reader.read())
        while not reading.done():  # for ever, if each line were to win time
            writer.write(b"x-a: b\r\n")
            await asyncio.sleep(0.05)
        assert (await reading).startswith(b"HTTP/1.1 408 ")


async def test_a_second_head_on_a_connection_is_watched_too() -> None:
    async with opened(connections=HURRIED) as edge, edge.raw() as (reader, writer):
        writer.write(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
        assert (await answered(reader))[0] == 200
        await asyncio.sleep(0.6)  # to rest between requests is allowed
        writer.write(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
        assert (await answered(reader))[0] == 200
        writer.write(b"GET /health HT")
        assert (await answered(reader))[0] == 408
        assert await reader.read() == b""


@pytest.mark.parametrize("trickle", [False, True])
async def test_a_body_that_comes_too_slowly_ends_the_connection(trickle: bool) -> None:
    async with opened(limits=SMALL, connections=HURRIED) as edge, edge.raw() as (reader, writer):
        writer.write(head("/v1/chat/completions", "content-length: 40000"))
        reading = asyncio.create_task(reader.read())
        while not reading.done():  # for ever, if each byte were to win time
            if trickle:
                writer.write(b" ")
            await asyncio.sleep(0.05)
        raw = await reading
        assert raw.startswith(b"HTTP/1.1 408 ")
        assert b'"error"' in raw
        assert edge.edges.door.bodies.held == 0


async def test_a_large_body_on_a_slow_line_gets_the_time_that_its_size_takes() -> None:
    limits = DoorLimits(bodies=BodyLimits(receipt=0.3))
    async with opened(limits=limits) as edge, edge.raw() as (reader, writer):
        body = json.dumps(chat("hi", user="x" * 8 * SLOWEST)).encode()
        writer.write(head("/v1/chat/completions", f"content-length: {len(body)}"))
        writer.write(body[: 4 * SLOWEST])
        await asyncio.sleep(0.6)
        writer.write(body[4 * SLOWEST :])
        assert (await answered(reader))[0] == 200


async def test_a_body_that_nobody_wants_is_dropped_for_a_while_and_then_cut_off() -> None:
    async with opened(limits=SMALL, connections=HURRIED) as edge, edge.raw() as (reader, writer):
        writer.write(head("/v1/nowhere", "content-length: 100000000"))
        assert (await answered(reader))[0] == 404
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            while True:  # for ever, if nobody were to cut it off
                writer.write(b" " * 1000)
                await writer.drain()
                await asyncio.sleep(0.02)
        await until(lambda: not edge.listener.peers)


async def test_a_connection_goes_on_after_an_unwanted_body_was_dropped() -> None:
    async with opened(limits=SMALL) as edge, edge.raw() as (reader, writer):
        writer.write(head("/v1/nowhere", "content-length: 100000") + b" " * 100_000)
        assert (await answered(reader))[0] == 404
        writer.write(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
        assert (await answered(reader))[0] == 200


@pytest.mark.parametrize(("path", "kind"), [("/v1/messages", dict), ("/v1/chat/completions", dict), ("/api/chat", str)])
@pytest.mark.parametrize("rest", [b" HTTP/1.1\r\nx-long: " + b"x" * 100_000, b" HTTP/1.1\r\nno colon\r\n\r\n"])
async def test_a_head_that_is_too_long_or_no_head_is_refused_in_the_edges_own_shape(
    path: str, kind: type, rest: bytes
) -> None:
    async with opened() as edge, edge.raw() as (reader, writer):
        writer.write(b"POST " + path.encode() + rest)
        status, headers, body = await answered(reader)
        assert (status, headers["connection"]) == (400, "close")
        assert isinstance(body["error"], kind)
        assert ("type" in body) is (path == "/v1/messages")
        writer.close()


async def test_a_body_whose_chunks_are_none_ends_the_connection_and_the_server_goes_on() -> None:
    async with opened() as edge, edge.raw() as (reader, writer):
        writer.write(head("/v1/chat/completions", "transfer-encoding: chunked") + b"zz\r\nnothing\r\n")
        assert (await answered(reader))[0] == 400
        assert await reader.read() == b""
        assert (await edge.post("/v1/chat/completions", chat("hi"))).status_code == 200
        await until(lambda: edge.edges.door.bodies.held == 0)


async def test_bodies_held_at_the_same_time_are_bounded() -> None:
    limits = DoorLimits(bodies=BodyLimits(in_flight=150_000))
    async with opened(pause=0.3, limits=limits) as edge:
        body = chat("hi", user="x" * 100_000)
        answers = await asyncio.gather(*(edge.post(POSTS[0], body) for _ in range(3)))
        after = await edge.post(POSTS[0], body)
    assert sorted(answer.status_code for answer in answers) == [200, 503, 503]
    assert after.status_code == 200


async def test_more_connections_than_allowed_are_told_to_come_later() -> None:
    async with opened(connections=ConnectionLimits(connections=2)) as edge:

        async def knock(edge: Opened) -> int:
            async with edge.raw() as (reader, writer):
                await asyncio.sleep(0.2)
                writer.write(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
                try:
                    status, headers, _ = await answered(reader)
                except (asyncio.IncompleteReadError, OSError):
                    return 0
                if status == 503:
                    assert headers["retry-after"] == "1"
                    assert headers["connection"] == "close"
                await asyncio.sleep(0.3)
                return status

        statuses = await asyncio.gather(*(knock(edge) for _ in range(SPARE + 10)))
        assert statuses.count(200) == 2
        assert statuses.count(503) == SPARE
        assert statuses.count(0) == 8
        assert (await edge.client.get("/health")).status_code == 200
