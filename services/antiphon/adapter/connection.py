"""One HTTP/1.1 connection to a provider: an asyncio protocol around llhttp's parser."""

from __future__ import annotations

import asyncio
import select
from collections.abc import AsyncIterator, Callable, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple, cast

import httptools
import httpx

HIGH_WATER: Final = 256 * 1024
"""Bytes of a body that wait for their reader before the socket is left unread."""
MAX_HEAD: Final = 128 * 1024
"""Bytes of headers and trailers together, and of a head that is not yet whole."""

_VERSIONS: Final = {"1.0": b"HTTP/1.0", "1.1": b"HTTP/1.1"}


REQUEST_ID_HEADERS: Final = ("x-request-id", "request-id", "x-amzn-requestid", "cf-ray")


class _Layout(NamedTuple):
    """What the names of a head's headers say, all together; -1 for a header that is not there."""

    names: tuple[str, ...]
    size: int
    framed: bool
    repeats: bool
    coding: int
    number: int


@lru_cache(maxsize=256)
def _layout(raw: tuple[bytes, ...]) -> _Layout:
    """Providers begin their answers with the same names in the same order again and again."""
    names = tuple(name.lower().decode("latin-1") for name in raw)
    return _Layout(
        names=names,
        size=sum(map(len, raw)),
        framed="content-length" in names or "transfer-encoding" in names,
        repeats=len(set(names)) != len(names),
        coding=names.index("content-encoding") if "content-encoding" in names else -1,
        number=next((names.index(name) for name in REQUEST_ID_HEADERS if name in names), -1),
    )


_NO_LAYOUT: Final = _layout(())


class Connection(asyncio.Protocol):
    """Sends one request at a time and gives its answer. Usable again while `reusable`.

    An answer is read by `ready`, which gives what has come, and `more`, which waits for more of it, until `ended`.
    Both wake once a read of the socket, however many pieces that holds.
    """

    def __init__(self, done: Callable[[Connection], None]) -> None:
        self._done = done
        self._loop = asyncio.get_running_loop()
        self.now = self._loop.time
        self._transport: asyncio.Transport | None = None
        self._poll = select.poll()
        self._parser: Any = None
        self._asked = self._spoiled = False
        self._framed = self._in_body = self._keep_alive = False
        self._head: asyncio.Future[None] | None = None
        self._news: asyncio.Future[None] | None = None
        self._body: list[bytes] = []
        self.on_body = self._body.append  # called by the parser for each piece of the body
        self._held = 0
        self._paused = False
        self.ended = True
        self._failure: httpx.TransportError | None = None
        self._head_size = 0
        self.idle_since = 0.0
        self._names: list[bytes] = []
        self._values: list[bytes] = []
        self._layout = _NO_LAYOUT
        self.trailers: list[tuple[str, str]] = []
        self.reason = b""
        self.status = 0
        self.http_version = b"HTTP/1.1"

    @property
    def reusable(self) -> bool:
        """Whether another request may be sent, as far as is known."""
        transport = self._transport
        return transport is not None and self.ended and not self._asked and not transport.is_closing()

    def rested(self) -> bool:
        """Whether another request may be sent, and the server has not closed the connection since the event loop last
        looked: a request sent then would have no sure outcome."""
        return self.reusable and not self._poll.poll(0)

    def send(self, data: bytes) -> asyncio.Future[None]:
        """Send a request; the future ends with the head of its answer. Raises httpx.TransportError, as it does."""
        transport = self._transport
        if transport is None:
            raise self._failure or httpx.ReadError("the connection is closed")
        if self._parser is None:  # it serves all answers of the connection
            self._parser = httptools.HttpResponseParser(self)
        self._asked = True
        self._framed = self._in_body = self._keep_alive = self.ended = False
        self._head_size = self._held = 0
        self._names, self._values, self.trailers, self.reason = [], [], [], b""
        self._head = head = self._loop.create_future()
        transport.write(data)
        return head

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of the answer, their names in lower case; values of one name are joined."""
        names = self._layout.names
        values = self._decoded()
        headers = dict(zip(names, values, strict=True))
        if self._layout.repeats:
            pairs = list(zip(names, values, strict=True))
            headers = {name: ", ".join(value for key, value in pairs if key == name) for name in headers}
        return headers

    @property
    def raw_headers(self) -> list[tuple[bytes, bytes]]:
        """The headers of the answer as they came."""
        return list(zip(self._names, self._values, strict=True))

    @property
    def plain(self) -> bool:
        """Whether the body is not packed."""
        at = self._layout.coding
        return at < 0 or self.headers["content-encoding"] == "identity"

    @property
    def request_id(self) -> str:
        """The provider's identifier of the request; empty where it gives none."""
        at = self._layout.number
        if at < 0:
            return ""
        if self._layout.repeats or not self._values[at].isascii():
            return self.headers[self._layout.names[at]]
        return self._values[at].decode("ascii")

    def _decoded(self) -> list[str]:
        try:
            return [value.decode() for value in self._values]
        except UnicodeDecodeError:
            return [value.decode("latin-1") for value in self._values]

    def ready(self) -> bytes:
        """What has come of the body since the last time; empty where nothing has. Raises httpx.TransportError."""
        body = self._body
        if not body:
            if self._failure is not None:
                raise self._failure
            return b""
        data = body[0] if len(body) == 1 else b"".join(body)
        body.clear()
        self._held = 0
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return data

    def more(self) -> asyncio.Future[None]:
        """Ends when more of the body has come, or its end. For one reader, after `ready` gave nothing."""
        self._news = news = self._loop.create_future()
        return news

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes; what has come together is given together. Raises httpx.TransportError."""
        while True:
            if data := self.ready():
                yield data
            elif self.ended:
                return
            else:
                await self.more()

    def release(self) -> None:
        """Give the connection back: to be used again after a whole answer, else closed at once."""
        asked, self._asked = self._asked, False
        whole = self.ended and self._failure is None and not self._body and not self._spoiled
        if whole and asked and self._keep_alive:
            self._done(self)
        else:
            self.close()

    def close(self) -> None:
        """Close at once; an answer that is under way is given up, and the provider sees it."""
        if self._transport is not None:
            self._transport.abort()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        """Parse."""
        if not self._asked:  # nobody asked: an answer to nothing makes the connection useless
            self.close()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._fail(httpx.RemoteProtocolError("the server wants to change the protocol"))
        except httptools.HttpParserError as error:
            self._fail(httpx.RemoteProtocolError(f"the answer is not HTTP: {error}"))
        if not self._in_body:
            self._grow_head(len(data))
            return
        if self._news is not None and (self._body or self.ended):
            self._tell()
        if self._body and not self.ended:
            self._held += len(data)
            if self._held > HIGH_WATER and not self._paused and self._transport is not None:
                self._paused = True
                self._transport.pause_reading()

    def connection_lost(self, error: Exception | None) -> None:
        """The end: of an answer without a length, or of hope."""
        self._transport = None
        self._parser = None  # it and this object hold each other
        if self.ended or self._failure is not None:
            return
        if error is None and self._in_body and not self._framed:
            self.ended = True
            self._tell()
        elif error is None:
            where = "in the middle of its answer" if self._head is None else "without an answer"
            self._fail(httpx.RemoteProtocolError(f"the server closed the connection {where}"))
        else:
            self._fail(httpx.ReadError(str(error) or type(error).__name__))

    # What the parser calls, beside `on_body`.

    def on_message_begin(self) -> None:
        """The first byte of an answer: of one more than was asked for, if the last one is whole."""
        self._spoiled = self.ended

    def on_status(self, reason: bytes) -> None:
        """Part of the reason phrase."""
        self.reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header, or one trailer."""
        if self._in_body:
            self._grow_head(len(name) + len(value))
            self.trailers.append((name.decode("latin-1"), value.decode("latin-1")))
        else:
            self._names.append(name)
            self._values.append(value)

    def on_headers_complete(self) -> None:
        """The head is whole."""
        parser = self._parser
        self.status = parser.get_status_code()
        if self.status < 200:
            return
        self.http_version = _VERSIONS.get(parser.get_http_version(), b"HTTP/1.1")
        self._in_body = True
        layout = self._layout = _layout(tuple(self._names))
        self._framed = layout.framed or self.status in (204, 304)
        self._grow_head(layout.size + sum(map(len, self._values)))
        self._keep_alive = self._framed and parser.should_keep_alive()
        head, self._head = self._head, None
        if head is not None and not head.done():
            head.set_result(None)

    def on_message_complete(self) -> None:
        """The answer is whole, or was only one that says to wait (1xx)."""
        if self.status < 200:
            self._names, self._values, self.reason = [], [], b""
        else:
            self.ended = True

    def _grow_head(self, size: int) -> None:
        self._head_size += size
        if self._head_size > MAX_HEAD and self._failure is None:
            self._fail(httpx.RemoteProtocolError(f"the head of the answer is larger than {MAX_HEAD} bytes"))

    def _fail(self, error: httpx.TransportError) -> None:
        self._failure = error
        head, self._head = self._head, None
        if head is not None and not head.done():
            head.set_exception(error)
        self._tell()
        self.close()

    def _tell(self) -> None:
        news, self._news = self._news, None
        if news is not None and not news.done():
            news.set_result(None)
