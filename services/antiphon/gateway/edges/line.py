"""One request on a connection and its answer, as the protocol and the door see it.

An ASGI server looks at every header of every answer, writes its head and each piece alone, and tells an application
that its client has left only where somebody waits to be told. Here the head and all pieces that are ready at the same
moment go out in one write, and a client's leaving is a call, so that a request needs no second task.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Final, TypeAlias
from urllib.parse import unquote

from antiphon.core.alarms import Alarms
from antiphon.gateway.edges.asked import lookup
from antiphon.gateway.edges.serving import Flow, Serving

log = logging.getLogger(__name__)

BATCH_BYTES: Final = 64 * 1024
"""So many bytes of an answer are written without waiting for more."""

_LINES: Final = re.compile(rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+: [^\x00-\x08\x0a-\x1f\x7f]*\r\n)*")
"""Lines of a head, by RFC 9110, section 5: in this form none can begin another answer."""
_PHRASES: Final = {status.value: status.phrase for status in HTTPStatus}
_STATUS: Final = {number: f"HTTP/1.1 {number} {_PHRASES.get(number, '')}\r\n".encode() for number in range(100, 1000)}
_SILENT: Final = frozenset({204, 304})
"""Statuses whose answers have no body, RFC 9110, section 6.4.1."""
_GO_ON: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class Line:
    """A request and the way back of its answer. `left` is whether the client has gone, `started` and `complete` are
    of the answer. `on_left` is called once the client goes, unless the answer is complete by then.

    Nothing here holds the line itself: what a request leaves behind is gone when its last user is, without a search
    for garbage, in which every call would stand still.
    """

    def __init__(
        self,
        method: str,
        target: bytes,
        fields: Sequence[tuple[str, bytes]],
        transport: asyncio.Transport,
        flow: Flow,
        loop: asyncio.AbstractEventLoop,
        *,
        dated: Serving,
        keep_alive: bool,
        done: Callable[[Line], None],
    ) -> None:
        self.method = method
        self.target = target
        """As it came: the path and what follows it."""
        self.fields = fields
        """The headers as they came, their names in lower case."""
        path, _, self.query = target.partition(b"?")
        self.path = unquote(path.decode("ascii")) if b"%" in path else path.decode("ascii")
        """Decoded, without the query."""
        self.headers = lookup(fields)
        """By name; of several with the same name the first."""
        self.loop = loop
        self.keep_alive = keep_alive
        self.transport = transport
        self._flow = flow
        self._dated = dated
        self._done = done
        self._body: list[bytes] = []
        self._pieces: list[bytes] = []

    # What nearly every request leaves as it is stands here: it costs a request nothing.
    task: asyncio.Task[None] | None = None
    """The task that answers."""
    more_body = True
    left = False
    started = False
    complete = False
    on_left: Callable[[], object] | None = None
    old = False
    """Whether the client speaks HTTP/1.0."""
    waits = False
    """Whether the client waits to be told to send its body."""
    _body_size = 0
    _news = False
    _waiter: asyncio.Future[None] | None = None
    _head = b""
    _size = 0
    _scheduled = False
    _silent = False
    _remaining: int | None = None
    _chunked = False

    async def run(self, app: App) -> None:
        """Have an application answer."""
        try:
            await app(self)
        except asyncio.CancelledError:
            self.transport.close()
            raise
        except Exception:  # the outermost frame of a request
            log.exception("the application failed")
            self._broken()
        else:
            if not self.complete and not self.left:
                log.error("the application ended without a whole answer")
                self._broken()
        finally:
            if self.task is not None:
                self._dated.tasks.discard(self.task)

    # The request's body.

    def take(self, data: bytes) -> int:
        """Bytes of the body have come: how many wait to be read now."""
        self._body.append(data)
        self._body_size += len(data)
        self._news = True
        if self._waiter is not None:
            self._tell()
        return self._body_size

    def end_body(self) -> None:
        """The body is whole."""
        self.more_body = False
        self._news = True
        if self._waiter is not None:
            self._tell()

    def lose(self) -> None:
        """The client has gone."""
        if self.left or self.complete:
            return
        self.left = True
        self._pieces.clear()
        self._tell()
        if self.on_left is not None:
            self.on_left()

    def whole(self) -> bytes | None:
        """The body where it is here whole and nothing of it was read; else None."""
        if self.more_body or self.left or not self._news:
            return None
        self._news = False
        self._body_size = 0
        return self._body[0] if len(self._body) == 1 else b"".join(self._body)

    async def piece(self) -> tuple[bytes, bool] | None:
        """What has come of the body, and whether more will; None once the client has gone or the answer is whole."""
        if not self._news and not self.left and not self.complete:
            if self.waits and not self.transport.is_closing():
                self.waits = False
                self.transport.write(_GO_ON)
            if self.more_body:
                self._flow.resume_reading()
            self._waiter = self.loop.create_future()
            await self._waiter
        if self.left or self.complete:
            return None
        self._news = False
        data = b"".join(self._body)
        self._body.clear()
        self._body_size = 0
        return data, self.more_body

    def _tell(self) -> None:
        self._news = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # The answer.

    @property
    def alarms(self) -> Alarms:
        """Timers for this answer."""
        return self._dated.alarms

    @property
    def crowded(self) -> bool:
        """Whether the client has to take something before more is written."""
        return self._flow.write_paused and not self.left

    async def room(self) -> None:
        """Wait until it has."""
        while self.crowded:
            await self._flow.drain()

    def abort(self) -> None:
        """End the connection at once, whatever waits to be sent."""
        self.transport.abort()

    def head(self, status: int, lines: bytes, *, count: int, length: int | None = None, close: bool = False) -> None:
        """Begin the answer: `count` header lines with their ends, without those of the framing; `length` is the
        body's. Raises ValueError for lines that are none."""
        if self.started:
            raise RuntimeError("an answer has one head")
        if lines.count(b"\r\n") != count or _LINES.fullmatch(lines) is None:
            raise ValueError("a header of the answer has a name or value that HTTP does not allow")
        self.begin(status, lines, length=length, close=close)

    def begin(self, status: int, lines: bytes, *, length: int | None = None, close: bool = False) -> None:
        """`head`, for header lines that are known to be well-formed: nobody looks at them again."""
        if self.started:
            raise RuntimeError("an answer has one head")
        self.started = True
        self._silent = status in _SILENT or self.method == "HEAD"
        parts = [_STATUS[status], self._dated.default_lines, lines]
        if length is not None:
            parts.append(b"content-length: %d\r\n" % length)
            self._remaining = 0 if self._silent else length
        elif self.old:
            self.keep_alive = False
        elif not self._silent:
            parts.append(b"transfer-encoding: chunked\r\n")
            self._chunked = True
        if close or not self.keep_alive:
            self.keep_alive = False
            parts.append(b"connection: close\r\n")
        parts.append(b"\r\n")
        self._head = b"".join(parts)
        self._soon()

    def reply(self, status: int, lines: bytes, body: bytes) -> None:
        """A whole answer at once. Its header lines are known to be well-formed: nobody looks at them again."""
        if self.started:
            raise RuntimeError("an answer has one head")
        self.started = True
        if self.left:
            return
        transport = self.transport
        if self.method == "HEAD":
            length, body = len(body), b""
        else:
            length = len(body)
        close = b"" if self.keep_alive else b"connection: close\r\n"
        head = _STATUS[status] + self._dated.default_lines + lines
        if not transport.is_closing():
            transport.write(b"%bcontent-length: %d\r\n%b\r\n%b" % (head, length, close, body))
        self._finished()

    def write(self, data: bytes) -> None:
        """Send bytes of the body: as soon as the running task waits for something, with all that came until then."""
        if self.left or self._silent or not data:
            return
        self._pieces.append(data)
        self._size += len(data)
        if self._size >= BATCH_BYTES:
            self.flush()
        else:
            self._soon()

    def end(self) -> None:
        """End the answer."""
        if self.left or self.complete:
            return
        self.flush(last=True)
        if self._remaining:
            raise RuntimeError("the answer is shorter than its head says")
        self._finished()

    def _finished(self) -> None:
        self.complete = True
        if self._waiter is not None:
            self._tell()
        if not self.keep_alive:
            self.transport.close()
        self._done(self)

    def flush(self, *, last: bool = False) -> None:
        """Write what waits."""
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        if self._chunked:
            end = b"0\r\n\r\n" if last else b""
            data = b"%x\r\n%b\r\n%b" % (len(data), data, end) if data else end
        elif self._remaining is not None:
            if len(data) > self._remaining:
                raise RuntimeError("the answer is longer than its head says")
            self._remaining -= len(data)
        if self._head:
            data, self._head = self._head + data, b""
        if data and not self.left and not self.transport.is_closing():
            self.transport.write(data)

    def _soon(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self.loop.call_soon(self._due)

    def _due(self) -> None:
        self._scheduled = False
        if (self._head or self._pieces) and not self.complete:
            self.flush()

    def _broken(self) -> None:
        """The answer cannot be made: say so, or break it off."""
        if self.left:
            return
        if self.started:
            self.transport.close()
            return
        text = b"Internal Server Error"
        lines = b"content-type: text/plain; charset=utf-8\r\n"
        self.head(500, lines, count=1, length=len(text), close=True)
        self.write(text)
        self.end()


App: TypeAlias = Callable[[Line], Awaitable[None]]
"""What answers requests."""
