"""One HTTP connection, watched: uvicorn by itself waits for ever for the rest of a request's head.

The body of a request is watched by `bodies`, the reader of an answer by `sender`; here are the head, the rest of a
body that nobody wants any more, the end of a connection, and how many connections there are.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, cast

import h11
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from antiphon.core.chain import STALL_SECONDS
from antiphon.core.errors import Reason, ServiceError
from antiphon.gateway.edges.exchange import HttpFault
from antiphon.gateway.edges.sender import ABORT, CONNECTION, Sender
from antiphon.gateway.edges.shapes import shape_for

HEAD_BYTES: Final = 64 * 1024
"""Bytes of a request's head."""
LINE_BYTES: Final = 1024
"""Of a request's first line: enough to see whose path it is."""
LINGER_SECONDS: Final = 5.0
"""How long the rest of an unwanted body is read and dropped, so that its sender gets to read why."""
SPARE: Final = 64
"""Connections past the limit that are told to come later; further ones are closed without a word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """Bounds of connections. Times are in seconds: for a request's head, and for a reader who takes nothing."""

    connections: int = 1000
    receipt: float = 20.0
    stall: float = STALL_SECONDS
    linger: float = LINGER_SECONDS


class GuardedProtocol(H11Protocol):
    """A connection. Heads of requests, of at most 64 KiB, have to come within a deadline."""

    def __init__(self, *arguments: Any, limits: ConnectionLimits, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._limits = limits
        self._begun = b""
        self._head_timer: asyncio.TimerHandle | None = None
        self._linger_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client connects."""
        super().connection_made(transport)
        crowd = len(self.connections) - self._limits.connections
        if crowd > SPARE:
            transport.abort()
            return
        app: ASGIApp = _crowded if crowd > 0 else cast("ASGIApp", self.app)
        self.app = cast("Any", _bound(app, transport))
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Bytes of a request."""
        if self.conn.their_state is h11.IDLE:
            self._begun = (self.conn.trailing_data[0] + data)[:LINE_BYTES]
        super().data_received(data)
        if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            self._stop_lingering()
            if self.timeout_keep_alive_task is None:
                self._await_head()
        else:
            self._stop_head_timer()
            if self.conn.their_state is not h11.SEND_BODY:
                self._stop_lingering()

    def on_response_complete(self) -> None:
        """An answer was sent whole."""
        super().on_response_complete()
        if self.conn.their_state is h11.SEND_BODY and not self.transport.is_closing():
            self._unset_keepalive_if_required()
            self._linger_timer = self.loop.call_later(self._limits.linger, self.transport.abort)

    def send_400_response(self, msg: str) -> None:
        """What came is no HTTP, or its head is too long: say so in the edge's own shape."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            text = f"this is no HTTP/1.1 request, or its head is longer than the {HEAD_BYTES} bytes that are allowed"
            self.transport.write(_refusal(self.conn, self._begun, HTTPStatus.BAD_REQUEST, text))
        self.transport.close()
        self.loop.call_later(self._limits.linger, self.transport.abort)

    def timeout_keep_alive_handler(self) -> None:
        """The client has asked nothing more: close, and do not wait for ever until it has read what was sent."""
        super().timeout_keep_alive_handler()
        self.loop.call_later(self._limits.stall, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._stop_head_timer()
        self._stop_lingering()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self._limits.receipt, self._head_is_late)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _stop_lingering(self) -> None:
        if self._linger_timer is not None:
            self._linger_timer.cancel()
            self._linger_timer = None

    def _head_is_late(self) -> None:
        self._head_timer = None
        if self.transport.is_closing():
            return
        begun, _ = self.conn.trailing_data
        if begun and self.conn.our_state is h11.IDLE:
            text = f"the head of the request did not come within {self._limits.receipt:g} s; send it again"
            self.transport.write(_refusal(self.conn, begun, HTTPStatus.REQUEST_TIMEOUT, text))
        self.transport.close()
        self.loop.call_later(self._limits.linger, self.transport.abort)


def _refusal(conn: h11.Connection, begun: bytes, status: HTTPStatus, text: str) -> bytes:
    """The answer to a request of which only `begun` is known."""
    words = begun[:LINE_BYTES].split(b"\r\n", 1)[0].split(b" ")
    path = words[1].decode("latin-1") if len(words) > 1 else ""
    reply = shape_for(path, {}).encode_error(ServiceError(Reason.INVALID_REQUEST, text))
    headers = {**reply.headers, "content-length": str(len(reply.body)), "connection": "close"}
    head = h11.Response(status_code=status, headers=list(headers.items()), reason=status.phrase.encode())
    sent = (conn.send(head), conn.send(h11.Data(data=reply.body)), conn.send(h11.EndOfMessage()))
    return b"".join(part for part in sent if part)


def _bound(app: ASGIApp, transport: asyncio.Transport) -> ASGIApp:
    """The application, able to end its connection at once."""

    async def bound(scope: Scope, receive: Receive, send: Send) -> None:
        scope[ABORT] = transport.abort
        scope[CONNECTION] = transport
        await app(scope, receive, send)

    return bound


async def _crowded(scope: Scope, receive: Receive, send: Send) -> None:
    headers = Headers(scope=scope)
    sender = Sender(scope, send, shape_for(scope["path"], headers), "", stall_seconds=STALL_SECONDS)
    error = ServiceError(Reason.OVERLOADED, "the server has as many connections as it takes", retry_after=1.0)
    await sender.fail(error, HttpFault(503, error, {"connection": "close"}))
