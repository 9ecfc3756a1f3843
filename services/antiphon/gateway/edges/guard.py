"""One HTTP connection, watched: servers by themselves wait for ever for the rest of a request's head.

A protocol of our own over httptools' parser; `listener` accepts connections and ends them all. The body of a request is
watched by `bodies`, the reader of an answer by `sender`; here are the head, the rest of a body that nobody wants any
more, the end of a connection, and how many connections there are.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Any, Final, cast

import httptools

from antiphon.core.chain import STALL_SECONDS
from antiphon.core.errors import Reason, ServiceError
from antiphon.core.telemetry.memo import Memo
from antiphon.gateway.edges.exchange import HttpFault
from antiphon.gateway.edges.line import App, Line
from antiphon.gateway.edges.sender import Sender
from antiphon.gateway.edges.serving import HIGH_WATER, Flow, Serving
from antiphon.gateway.edges.shapes import shape_for

HEAD_BYTES: Final = 64 * 1024
"""Bytes of a request's head."""
LINE_BYTES: Final = 1024
"""Of a request's path: enough to see whose it is."""
LINGER_SECONDS: Final = 5.0
"""How long the rest of an unwanted body is read and dropped, so that its sender gets to read why."""
SPARE: Final = 64
"""Connections past the limit that are told to come later; further ones are closed without a word."""

_NAMES: Final[Memo[bytes, str]] = Memo(
    lambda name: name.lower().decode("latin-1"), worth=lambda name, _: len(name) < 64
)
"""Names of headers in lower case. Clients send the same ones again and again."""

MOST_QUEUED: Final = 16
"""Requests that may wait behind the one that is answered before nothing more is read: not fewer, because a client's
leaving is only noticed while its connection is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """Bounds of connections. Times are in seconds: for a request's head, and for a reader who takes nothing."""

    connections: int = 1000
    receipt: float = 20.0
    stall: float = STALL_SECONDS
    linger: float = LINGER_SECONDS


class GuardedProtocol(asyncio.Protocol):
    """A connection. Heads of requests, of at most 64 KiB, have to come within a deadline."""

    def __init__(
        self,
        app: App,
        serving: Serving,
        *,
        limits: ConnectionLimits,
        rest_seconds: float,
    ) -> None:
        self._app = app
        self._rest_seconds = rest_seconds
        self._serving = serving
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._parser: Any = httptools.HttpRequestParser(self)
        self._flow: Flow = cast("Any", None)
        self._running: Line | None = None
        self._coming: Line | None = None
        self._queue: deque[Line] = deque()
        self._deaf = False
        # Of the head that comes now, or of the last one:
        self._heading = False
        self._url = b""
        self._headers: list[tuple[str, bytes]] = []
        self._came = 0
        self._unread = 0
        self._waits = False
        self._upgrades = False
        self._rested_at: float | None = None
        self._head_timer: asyncio.TimerHandle | None = None
        self._rest_timer: asyncio.TimerHandle | None = None
        self._linger_timer: asyncio.TimerHandle | None = None

    # What the event loop and the listener call.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client connects."""
        self.transport = cast("asyncio.Transport", transport)
        self._flow = Flow(self.transport)
        crowd = self._serving.enter(self) - self._limits.connections
        if crowd > SPARE:
            self._deaf = True
            self.transport.abort()
            return
        if crowd > 0:
            self._app = _crowded
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Bytes of a request."""
        while not self._deaf:
            self._came = len(data)
            self._unread += self._came
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as error:
                if self._parser.get_method() == b"CONNECT":  # there is nothing to connect to
                    self._refuse()
                    return
                data = self._without_upgrade(data[error.args[0] :])
                continue
            except httptools.HttpParserError:
                self._refuse()
                return
            if self._unread > HEAD_BYTES:  # without any progress: a head, or what goes between chunks of a body
                self._refuse()
            elif self._heading:
                self._await_head()
            return

    def eof_received(self) -> None:
        """The client says nothing more: what it asked is not wanted either."""

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._serving.leave(self)
        self._deaf = True
        for timer in (self._head_timer, self._rest_timer, self._linger_timer):
            if timer is not None:
                timer.cancel()
        self._queue.clear()
        if self._running is not None:
            self._running.lose()
        self._flow.resume_writing()
        self._parser = None  # it and this object hold each other

    def pause_writing(self) -> None:
        """The client does not read as fast as is written."""
        self._flow.pause_writing()

    def resume_writing(self) -> None:
        """It does again."""
        self._flow.resume_writing()

    def shutdown(self) -> None:
        """The server ends: once what is asked is answered."""
        if self._running is None:
            self.transport.close()
        else:
            self._running.keep_alive = False

    # What the parser calls.

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        self._heading = True
        self._url = b""
        self._headers = []
        self._waits = self._upgrades = False

    def on_url(self, url: bytes) -> None:
        """The target of a request, or the next piece of it."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; or a trailer, which says nothing here."""
        if self._heading:
            known = _NAMES[name]
            if known == "expect":
                self._waits = value.lower() == b"100-continue"
            self._headers.append((known, value))

    def on_headers_complete(self) -> None:
        """The head is whole: answer it, after those before it."""
        parser = self._parser
        if parser.should_upgrade():
            self._upgrades = True
            return
        most = max(self._unread, self._came)  # of which the head is a part
        if most > HEAD_BYTES and sum(len(name) + len(value) + 4 for name, value in self._headers) > HEAD_BYTES:
            raise ValueError("the head is too long")  # to the parser, which then raises an error of its own
        self._heading = False
        self._unread = 0
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        old = parser.get_http_version() == "1.0"
        line = self._coming = Line(
            parser.get_method().decode("ascii"),
            self._url,
            self._headers,
            self.transport,
            self._flow,
            self._loop,
            dated=self._serving,
            keep_alive=not old and parser.should_keep_alive(),
            done=self._answered,
        )
        if old:
            line.old = True
        if self._waits:
            line.waits = True
        if self._running is None:
            self._start(line)
        else:
            self._queue.append(line)
            if len(self._queue) > MOST_QUEUED:
                self._flow.pause_reading()

    def on_body(self, body: bytes) -> None:
        """A piece of a body."""
        self._unread = 0
        line = self._coming
        if line is not None and not line.complete and line.take(body) > HIGH_WATER:
            self._flow.pause_reading()

    def on_message_complete(self) -> None:
        """The request is whole."""
        if self._upgrades:
            return
        self._unread = 0
        line, self._coming = self._coming, None
        if line is not None:
            line.end_body()
            if line.complete:  # what followed its answer was dropped
                self._stop_lingering()
                self._rest()

    # What follows from it.

    def _start(self, line: Line) -> None:
        self._running = line
        self._rested_at = None
        line.task = task = self._loop.create_task(line.run(self._app))
        self._serving.tasks.add(task)  # until it has run

    def _answered(self, line: Line) -> None:
        """An answer was sent whole."""
        self._running = None
        if self.transport.is_closing():
            return
        if self._deaf:  # what came after its request was no HTTP
            self.transport.close()
        elif line.more_body:
            self._linger_timer = self._loop.call_later(self._limits.linger, self.transport.abort)
            self._flow.resume_reading()
        elif self._queue:
            self._start(self._queue.popleft())
        else:
            self._flow.resume_reading()
            self._rest()

    def _without_upgrade(self, rest: bytes) -> bytes:
        """The request again, without its wish for another protocol, which servers may ignore (RFC 9110, section 7.8).

        The parser takes the body of such a request for the other protocol; Java's client wishes so with every first
        request.
        """
        method, version = self._parser.get_method(), self._parser.get_http_version().encode()
        kept = [(name.encode("latin-1"), value) for name, value in self._headers if name != "upgrade"]
        lines = [b"%b: %b\r\n" % pair for pair in kept]
        self._parser = httptools.HttpRequestParser(self)
        self._unread = 0
        return b"%b %b HTTP/%b\r\n%b\r\n%b" % (method, self._url, version, b"".join(lines), rest)

    def _refuse(self) -> None:
        """What came is no HTTP, or its head is too long: say so in the edge's own shape."""
        self._deaf = True
        running = self._running
        if running is not None and not running.more_body:
            running.keep_alive = False  # it is not about this one, which is answered first
            return
        if running is None or not running.started:
            text = f"this is no HTTP/1.1 request, or its head is longer than the {HEAD_BYTES} bytes that are allowed"
            self.transport.write(_refusal(self._url, 400, text))
        self._close()

    def _close(self) -> None:
        self.transport.close()
        self._loop.call_later(self._limits.linger, self.transport.abort)

    def _await_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self._loop.call_later(self._limits.receipt, self._head_is_late)

    def _head_is_late(self) -> None:
        self._head_timer = None
        if self.transport.is_closing():
            return
        if self._running is not None:  # the next head, while this one is answered
            self._await_head()
            return
        if self._heading:
            text = f"the head of the request did not come within {self._limits.receipt:g} s; send it again"
            self.transport.write(_refusal(self._url, 408, text))
        self._deaf = True
        self._close()

    def _rest(self) -> None:
        """Wait for the next request: one timer a connection, which looks how long it has rested."""
        self._rested_at = self._loop.time()
        if self._rest_timer is None:
            self._rest_timer = self._loop.call_later(self._rest_seconds, self._look)

    def _look(self) -> None:
        self._rest_timer = None
        if self._rested_at is None or self._heading or self.transport.is_closing():
            return  # the next rest begins anew; a head has its own timer
        left = self._rested_at + self._rest_seconds - self._loop.time()
        if left > 0:
            self._rest_timer = self._loop.call_later(left, self._look)
            return
        self._deaf = True
        self.transport.close()
        self._loop.call_later(self._limits.stall, self.transport.abort)  # its reader may take nothing

    def _stop_lingering(self) -> None:
        if self._linger_timer is not None:
            self._linger_timer.cancel()
            self._linger_timer = None


def _refusal(url: bytes, status: int, text: str) -> bytes:
    """The answer to a request of which at most the target is known."""
    path = url[:LINE_BYTES].partition(b"?")[0].decode("latin-1")
    reply = shape_for(path, {}).encode_error(ServiceError(Reason.INVALID_REQUEST, text))
    phrase = {400: "Bad Request", 408: "Request Timeout"}[status]
    headers = {**reply.headers, "content-length": str(len(reply.body)), "connection": "close"}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} {phrase}\r\n{head}\r\n".encode("latin-1") + reply.body


async def _crowded(line: Line) -> None:
    sender = Sender(line, shape_for(line.path, line.headers), "", stall_seconds=STALL_SECONDS)
    error = ServiceError(Reason.OVERLOADED, "the server has as many connections as it takes", retry_after=1.0)
    sender.fail(error, HttpFault(503, error, {"connection": "close"}))
