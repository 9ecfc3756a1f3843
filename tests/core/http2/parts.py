"""What the tests of the server share: a small service of bytes, a transport that keeps what is written, and a client
that writes its frames by hand with other people's codecs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import hpack
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    RstStreamFrame,
    SettingsFrame,
)

from antiphon.core.http2.connection import Connection
from antiphon.core.http2.frames import PREFACE
from antiphon.core.http2.limits import Limits
from antiphon.core.http2.server import GrpcServer

SERVICE = "test.Bytes"


class Bytes:
    """The service: what it saw, and how its calls ended."""

    def __init__(self) -> None:
        self.contexts: list[Any] = []
        self.running = 0
        self.ended: list[str] = []
        self.go = asyncio.Event()

    async def echo(self, request: bytes, context: Any) -> bytes:
        """The request."""
        self.contexts.append(context)
        return request

    async def wait(self, request: bytes, context: Any) -> bytes:
        """The request, once told."""
        self.contexts.append(context)
        self.running += 1
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.ended.append("cancelled")
            raise
        finally:
            self.running -= 1
        self.ended.append("well")
        return request

    async def count(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        """So many messages of so many bytes: b"3 10"."""
        self.contexts.append(context)
        number, size = map(int, request.split())
        self.running += 1
        try:
            for each in range(number):
                await asyncio.sleep(0)
                yield bytes((each % 256,)) * size
        finally:
            self.running -= 1

    async def written(self, request: bytes, context: Any) -> None:
        """The same through the context."""
        await context.send_initial_metadata((("x-first", "1"),))
        for each in range(3):
            await context.write(b"%d" % each)
        context.set_trailing_metadata((("x-last", "2"), ("x-raw-bin", b"\x00\xff")))

    async def joined(self, requests: AsyncIterator[bytes], context: Any) -> bytes:
        """All of a stream."""
        return b"".join([each async for each in requests])

    async def answered(self, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        """Each of a stream, as it comes."""
        async for each in requests:
            yield each

    async def early(self, requests: AsyncIterator[bytes], context: Any) -> bytes:
        """An answer to the first of a stream, whatever follows."""
        return await anext(requests)

    async def aborted(self, request: bytes, context: Any) -> bytes:
        """A status, with trailers."""
        await context.abort(grpc.StatusCode.DATA_LOSS, "100 % lost – ü\n", (("x-why-bin", request),))
        return b""

    async def broken(self, request: bytes, context: Any) -> bytes:
        """A bug."""
        raise ValueError("a bug")

    async def unset(self, request: bytes, context: Any) -> bytes:
        """As generated code answers for what is not implemented."""
        context.set_code(grpc.StatusCode.UNIMPLEMENTED)
        context.set_details("Method not implemented!")
        raise NotImplementedError("Method not implemented!")

    def handlers(self) -> dict[str, Any]:
        unary, stream = grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler
        return {
            "Echo": unary(self.echo),
            "Wait": unary(self.wait),
            "Aborted": unary(self.aborted),
            "Broken": unary(self.broken),
            "Unset": unary(self.unset),
            "Count": stream(self.count),
            "Written": stream(self.written),
            "Joined": grpc.stream_unary_rpc_method_handler(self.joined),
            "Early": grpc.stream_unary_rpc_method_handler(self.early),
            "Answered": grpc.stream_stream_rpc_method_handler(self.answered),
        }


def server(service: Bytes, **limits: Any) -> GrpcServer:
    made = GrpcServer(limits=Limits(**limits))
    made.add_registered_method_handlers(SERVICE, service.handlers())
    return made


@asynccontextmanager
async def serving(service: Bytes, *, listen: str = "127.0.0.1:0", **limits: Any) -> AsyncIterator[str]:
    """The service on a port, for real clients."""
    made = server(service, **limits)
    address = made.bind(listen)
    await made.start()
    try:
        yield address
    finally:
        await made.stop(0)


@asynccontextmanager
async def connected(address: str, *options: tuple[str, int]) -> AsyncIterator[Any]:
    """gRPC's own client."""
    async with grpc.aio.insecure_channel(address, options=options) as channel:
        yield channel


async def until(true: Callable[[], bool], seconds: float = 3.0) -> None:
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.002)


class Wire(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.closing = self.aborted = False

    def write(self, data: Any) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = self.aborted = True

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 5) if name == "peername" else default


def raw(kind: int, stream: int, payload: bytes, flags: int = 0) -> bytes:
    """A frame, however wrong."""
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def message(data: bytes, *, compressed: bool = False) -> bytes:
    return bytes((compressed,)) + len(data).to_bytes(4, "big") + data


def request(method: str = "Echo", *more: tuple[str, str]) -> list[tuple[str, str]]:
    return [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", f"/{SERVICE}/{method}"),
        (":authority", "test"),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        *more,
    ]


class Client:
    """A client whose frames are written by hand. `greet` begins the connection."""

    def __init__(self, home: GrpcServer, *, greet: bool = True) -> None:
        self.wire = Wire()
        self.connection = Connection(home, asyncio.get_running_loop())
        self.connection.connection_made(self.wire)
        self.encoder = hpack.Encoder()
        self._decoder = hpack.Decoder()
        self.got: list[Frame] = []
        self.fields: dict[int, list[list[tuple[str, str]]]] = {}
        self._block = b""
        if greet:
            self.feed(PREFACE + SettingsFrame(0).serialize())

    def feed(self, data: bytes) -> None:
        self.connection.data_received(data)

    def send(self, *sent: Frame) -> None:
        self.feed(b"".join(each.serialize() for each in sent))

    def head(self, stream: int, fields: list[tuple[str, str]], *, ends: bool = False) -> HeadersFrame:
        flags = ["END_HEADERS", "END_STREAM"] if ends else ["END_HEADERS"]
        return HeadersFrame(stream, self.encoder.encode(fields), flags=flags)

    def call(self, stream: int, data: bytes = b"hello", method: str = "Echo", *more: tuple[str, str]) -> None:
        """A whole unary call, or one of a streaming answer."""
        body = DataFrame(stream, message(data), flags=["END_STREAM"])
        self.send(self.head(stream, request(method, *more)), body)

    def look(self) -> list[Frame]:
        """The frames that were written, all of them, without waiting for the loop's next turn."""
        self.connection._outbox.flush()
        written = memoryview(bytes(self.wire.written))
        self.wire.written.clear()
        while written:
            each, size = Frame.parse_frame_header(written[:9])
            each.parse_body(written[9 : 9 + size])
            written = written[9 + size :]
            self.got.append(each)
            if isinstance(each, HeadersFrame | ContinuationFrame):
                self._block += each.data
                if "END_HEADERS" in each.flags:
                    found = [(str(name), str(value)) for name, value in self._decoder.decode(self._block)]
                    self.fields.setdefault(each.stream_id, []).append(found)
                    self._block = b""
        return self.got

    def of(self, kind: type[Any], stream: int | None = None) -> list[Any]:
        return [each for each in self.look() if isinstance(each, kind) and stream in (None, each.stream_id)]

    def data(self, stream: int) -> bytes:
        return b"".join(each.data for each in self.of(DataFrame, stream))

    def status(self, stream: int) -> str:
        """The status of an answer that has ended; empty while it has not."""
        self.look()
        return dict(self.fields.get(stream, [[]])[-1]).get("grpc-status", "")

    def details(self, stream: int) -> str:
        self.look()
        return dict(self.fields[stream][-1]).get("grpc-message", "")

    def resets(self) -> dict[int, int]:
        return {each.stream_id: each.error_code for each in self.of(RstStreamFrame)}

    def farewell(self) -> int | None:
        """The error of the last GOAWAY."""
        found = self.of(GoAwayFrame)
        return found[-1].error_code if found else None

    async def answer(self, stream: int) -> bytes:
        """The one message of an answer that ends well."""
        await until(lambda: self.status(stream) != "")
        assert self.status(stream) == "0", self.fields[stream]
        data = self.data(stream)
        assert data[:5] == message(data[5:])[:5]
        return data[5:]
