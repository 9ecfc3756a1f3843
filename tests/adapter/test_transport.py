"""The transport to providers against real sockets: framing, reuse, failures, and bounds."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from antiphon.adapter import connection as connection_module
from antiphon.adapter.transport import PooledTransport
from tests.harness.streaming_server import Reply, StreamingServer

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
async def transport() -> AsyncIterator[PooledTransport]:
    made = PooledTransport()
    yield made
    await made.aclose()


@asynccontextmanager
async def scripted(*answers: bytes, close: bool = False, context: ssl.SSLContext | None = None) -> AsyncIterator[Raw]:
    """A server that answers the n-th request of a connection with the n-th of these bytes."""
    raw = Raw(answers, close)
    server = await asyncio.start_server(raw.serve, "127.0.0.1", 0, ssl=context)
    raw.port = server.sockets[0].getsockname()[1]
    try:
        yield raw
    finally:
        server.close()
        for task in raw.tasks:
            task.cancel()
        await asyncio.gather(*raw.tasks, return_exceptions=True)


class Raw:
    def __init__(self, answers: tuple[bytes, ...], close: bool) -> None:
        self.answers, self.close = answers, close
        self.port = self.connections = 0
        self.requests: list[bytes] = []
        self.tasks: list[asyncio.Task[None]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1/x"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.append(task)
        self.connections += 1
        try:
            for answer in self.answers:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next((int(x[15:]) for x in head.lower().split(b"\r\n") if x.startswith(b"content-length:")), 0)
                self.requests.append(head + await reader.readexactly(length))
                writer.write(answer)
                await writer.drain()
            if not self.close:
                await reader.read()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def ask(url: str, body: bytes = b"{}", **headers: str) -> httpx.Request:
    return httpx.Request("POST", url, content=body, headers=headers)


async def whole(transport: PooledTransport, request: httpx.Request) -> tuple[httpx.Response, bytes]:
    response = await transport.handle_async_request(request)
    try:
        return response, b"".join([chunk async for chunk in response.aiter_raw()])
    finally:
        await response.aclose()


OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-a: 1\r\nX-A: 2\r\n\r\nhi"


async def test_a_request_is_sent_whole_and_its_answer_read(transport: PooledTransport) -> None:
    async with scripted(OK) as server:
        response, body = await whole(transport, ask(f"{server.url}?q=a%20b", b"\x00body", authorization="Bearer k"))
    assert (response.status_code, response.reason_phrase, body) == (200, "OK", b"hi")
    assert response.headers.get_list("x-a") == ["1", "2"]
    assert response.http_version == "HTTP/1.1"
    head, _, sent = server.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/x?q=a%20b HTTP/1.1\r\n")
    assert b"authorization: Bearer k" in head.split(b"\r\n")[1:] or b"Authorization: Bearer k" in head
    assert sent == b"\x00body"


async def test_a_connection_serves_one_request_after_another(transport: PooledTransport) -> None:
    async with scripted(OK, OK, OK) as server:
        for _ in range(3):
            assert (await whole(transport, ask(server.url)))[1] == b"hi"
        assert server.connections == 1


@pytest.mark.parametrize("more", [b"HTTP/1.1 200 OK\r\ncontent-le", b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"])
async def test_more_than_was_asked_for_is_no_answer_to_the_next_request(
    transport: PooledTransport, more: bytes
) -> None:
    async with scripted(OK + more, OK) as server:
        for connections in (1, 2):
            assert (await whole(transport, ask(server.url)))[1] == b"hi"
            assert server.connections == connections


async def test_requests_at_once_have_connections_of_their_own(transport: PooledTransport) -> None:
    async with scripted(OK, OK) as server:
        answers = await asyncio.gather(*(whole(transport, ask(server.url)) for _ in range(5)))
        assert [body for _, body in answers] == [b"hi"] * 5
        assert server.connections == 5
        await whole(transport, ask(server.url))
        assert server.connections == 5


CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2;ext=1\r\nde\r\n0\r\nx-trailer: t\r\n\r\n"


async def test_chunks_are_joined_and_trailers_kept(transport: PooledTransport) -> None:
    async with scripted(CHUNKED, OK) as server:
        response, body = await whole(transport, ask(server.url))
        assert body == b"abcde"
        assert response.extensions["trailing_headers"] == [("x-trailer", "t")]
        await whole(transport, ask(server.url))
        assert server.connections == 1


@pytest.mark.parametrize("cut", range(1, len(CHUNKED)))
async def test_an_answer_cut_by_the_network_anywhere_reads_alike(transport: PooledTransport, cut: int) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(CHUNKED[:cut])
        await writer.drain()
        await asyncio.sleep(0)
        writer.write(CHUNKED[cut:])
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        assert (await whole(transport, ask(url)))[1] == b"abcde"


async def test_an_answer_without_a_length_ends_with_its_connection(transport: PooledTransport) -> None:
    async with scripted(b"HTTP/1.0 200 OK\r\n\r\nall of it", close=True) as server:
        response, body = await whole(transport, ask(server.url))
        assert (response.http_version, body) == ("HTTP/1.0", b"all of it")
        await whole(transport, ask(server.url))
        assert server.connections == 2


async def test_an_answer_that_says_to_wait_is_passed_over(transport: PooledTransport) -> None:
    async with scripted(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + OK, OK) as server:
        response, body = await whole(transport, ask(server.url))
        assert (response.status_code, body) == (200, b"hi")
        assert "link" not in response.headers
        await whole(transport, ask(server.url))
        assert server.connections == 1


async def test_an_answer_without_a_body_leaves_the_connection_usable(transport: PooledTransport) -> None:
    async with scripted(b"HTTP/1.1 204 No Content\r\n\r\n", OK) as server:
        assert (await whole(transport, ask(server.url)))[0].status_code == 204
        assert (await whole(transport, ask(server.url)))[1] == b"hi"
        assert server.connections == 1


async def test_a_server_that_closes_is_left_in_time(transport: PooledTransport) -> None:
    async with scripted(OK, close=True) as server:
        for _ in range(20):
            assert (await whole(transport, ask(server.url)))[1] == b"hi"
        assert server.connections == 20


async def test_connection_close_is_obeyed(transport: PooledTransport) -> None:
    async with scripted(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi", OK) as server:
        await whole(transport, ask(server.url))
        await whole(transport, ask(server.url))
        assert server.connections == 2


async def test_leaving_a_body_closes_its_connection(transport: PooledTransport) -> None:
    async with StreamingServer() as server:
        server.serve("/s", Reply(steps=[b"one", 30.0]))
        response = await transport.handle_async_request(ask(f"{server.url}/s"))
        async for chunk in response.aiter_raw():
            assert chunk == b"one"
            break
        await response.aclose()
        await asyncio.wait_for(server.left.wait(), 5)


async def test_cancelling_a_request_closes_its_connection(transport: PooledTransport) -> None:
    async with StreamingServer() as server:
        server.serve("/s", Reply(before=30.0))
        asking = asyncio.ensure_future(transport.handle_async_request(ask(f"{server.url}/s")))
        while not server.requests:
            await asyncio.sleep(0.01)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await asyncio.wait_for(server.left.wait(), 5)


async def test_chunks_come_as_they_are_sent(transport: PooledTransport) -> None:
    async with StreamingServer() as server:
        server.serve("/s", Reply(steps=[b"one", 0.2, b"two", 0.2, b"three"]))
        response = await transport.handle_async_request(ask(f"{server.url}/s"))
        assert [chunk async for chunk in response.aiter_raw()] == [b"one", b"two", b"three"]
        await response.aclose()


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (b"", httpx.RemoteProtocolError, "without an answer"),
        (b"HTTP/1.1 200 OK\r\ncontent-le", httpx.RemoteProtocolError, "without an answer"),
        (b"SMTP ready\r\n\r\n", httpx.RemoteProtocolError, "is not HTTP"),
        (
            b"HTTP/1.1 101 Switching\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n",
            httpx.RemoteProtocolError,
            "change the protocol",
        ),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 200_000, httpx.RemoteProtocolError, "is larger than"),
        (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 40_000, httpx.RemoteProtocolError, "is larger than"),
    ],
)
async def test_what_is_no_answer_is_an_error(
    transport: PooledTransport, answer: bytes, kind: type[httpx.TransportError], said: str
) -> None:
    async with scripted(answer, close=True) as server:
        with pytest.raises(kind, match=said):
            await whole(transport, ask(server.url))


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ],
)
async def test_an_answer_that_is_cut_gives_what_came_and_then_the_error(
    transport: PooledTransport, answer: bytes
) -> None:
    async with scripted(answer, close=True) as server:
        response = await transport.handle_async_request(ask(server.url))
        got = b""
        with pytest.raises(httpx.RemoteProtocolError, match="in the middle"):
            async for chunk in response.aiter_raw():
                got += chunk
        await response.aclose()
        assert got in (b"half", b"hello")


async def test_a_reset_is_a_read_error(transport: PooledTransport) -> None:
    async with StreamingServer() as server:
        server.serve("/s", Reply(steps=[b"one", 0.1], end="reset"))
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            await whole(transport, ask(f"{server.url}/s"))


async def test_nobody_there_is_a_connect_error(transport: PooledTransport) -> None:
    with pytest.raises(httpx.ConnectError):
        await transport.handle_async_request(ask("http://127.0.0.1:1/"))
    with pytest.raises(httpx.UnsupportedProtocol):
        await transport.handle_async_request(ask("ftp://127.0.0.1/"))


async def test_a_header_cannot_smuggle_a_second_one(transport: PooledTransport) -> None:
    async with scripted(OK) as server:
        with pytest.raises(httpx.LocalProtocolError, match="line break"):
            await transport.handle_async_request(ask(server.url, evil="a\r\nx-injected: 1"))
        assert server.requests == []


async def test_a_body_that_nobody_reads_is_not_taken_in(
    transport: PooledTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 268435456\r\n\r\n")
        try:
            while sent < 256:
                writer.write(b"x" * 1024 * 1024)
                await writer.drain()
                sent += 1
        except ConnectionError:
            pass
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        response = await transport.handle_async_request(ask(url))
        seen = -1
        while seen != sent:  # until the server is held back
            seen = sent
            await asyncio.sleep(0.3)
        assert sent < 64
        total = 0
        async for chunk in response.aiter_raw():
            total += len(chunk)
            assert len(chunk) < 4 * connection_module.HIGH_WATER
            if total > 64 * 1024 * 1024:
                break
        await response.aclose()
    assert total > 64 * 1024 * 1024


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    return certificate, key


async def test_https_is_verified(certificate: tuple[Path, Path]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    trusting = PooledTransport(verify=ssl.create_default_context(cafile=str(certificate[0])))
    doubting = PooledTransport()
    async with scripted(OK, OK, context=context) as server:
        url = f"https://localhost:{server.port}/"
        assert (await whole(trusting, ask(url)))[1] == b"hi"
        assert (await whole(trusting, ask(url)))[1] == b"hi"
        assert server.connections == 1
        with pytest.raises(httpx.ConnectError, match=r"(?i)certificate"):
            await doubting.handle_async_request(ask(url))
    await trusting.aclose()
    await doubting.aclose()
