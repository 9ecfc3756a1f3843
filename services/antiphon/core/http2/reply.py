"""The answer of one call, as its handler makes it: messages and a status, within what the client takes."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Final, NoReturn, Protocol

import grpc

from antiphon.core.http2 import answers
from antiphon.core.http2.answers import Metadata
from antiphon.core.http2.frames import DATA, FRAME_BYTES, MESSAGE, ErrorCode, header_frames, reset
from antiphon.core.http2.messages import PREFIX
from antiphon.core.http2.outbox import Outbox

_OK: Final = grpc.StatusCode.OK
_EMPTY: Final = memoryview(b"")


class AbortError(Exception):
    """A handler has ended its call with a status."""


class Owner(Protocol):
    """The connection, as a call sees it."""

    most: int
    """Bytes of a message."""
    stall: float
    """Seconds that the rest of an answer may wait for a reader who takes nothing."""

    def closed(self, call: Any) -> None:
        """The answer is sent whole, or nobody wants it."""

    def give_up(self, call: Any) -> None:
        """Nobody reads the rest of the answer."""

    def ran(self, call: Any) -> None:
        """The handler has ended."""

    def taken(self, call: Any) -> None:
        """A message of a streamed request was read: there is room for more."""

    def peer(self) -> str:
        """Who is on the other side."""


class Reply:
    """An answer. `id` is the stream's number, `window` what the client takes of it; `ended` is whether the request is
    whole, `complete` whether the answer is, as far as the handler is concerned, `left` whether nobody wants it."""

    __slots__ = (
        "_code",
        "_details",
        "_head_fields",
        "_last",
        "_loop",
        "_outbox",
        "_owner",
        "_pending",
        "_sent",
        "_serialize",
        "_started",
        "_timer",
        "_trailing",
        "_waiter",
        "complete",
        "ended",
        "id",
        "left",
        "window",
    )

    def __init__(
        self, number: int, serialize: Any, owner: Owner, outbox: Outbox, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.id = number
        self.window = outbox.initial
        self.ended = self.complete = self.left = False
        self._owner = owner
        self._outbox = outbox
        self._loop = loop
        self._serialize = serialize
        self._started = False
        self._pending: deque[memoryview] | None = None
        self._last = b""
        self._sent = 0  # pieces of what waited
        self._head_fields = b""
        self._code = _OK
        self._details = ""
        self._trailing: Metadata = ()
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def answered(self) -> bool:
        """Whether anything of the answer is sent."""
        return self._started

    # What they say of the answer.

    def code(self) -> grpc.StatusCode:
        """The status that was set."""
        return self._code

    def details(self) -> str:
        """The message that was set."""
        return self._details

    def trailing_metadata(self) -> Metadata:
        """The trailers that were set."""
        return self._trailing

    def set_code(self, code: grpc.StatusCode) -> None:
        """Set the status of the answer."""
        self._code = code

    def set_details(self, details: str) -> None:
        """Set the message of the status."""
        self._details = details

    def set_trailing_metadata(self, metadata: Metadata) -> None:
        """Set the trailers of the answer. Raises ValueError for what gRPC cannot carry, when the answer ends."""
        self._trailing = metadata

    async def send_initial_metadata(self, metadata: Metadata) -> None:
        """Send the head of the answer with more fields. Raises ValueError for what gRPC cannot carry."""
        if self._started:
            raise RuntimeError("the head of the answer was sent")
        self._head_fields = answers.custom(metadata)
        self._outbox.send(self._head())

    async def abort(self, code: grpc.StatusCode, details: str = "", trailing_metadata: Metadata = ()) -> NoReturn:
        """End the call with a status; raises to leave the handler."""
        if code is _OK:
            code, details = grpc.StatusCode.UNKNOWN, details or "aborted with the status OK"
        self._code, self._details = code, details
        self._trailing = trailing_metadata or self._trailing
        raise AbortError(code.name)

    # Messages of the answer.

    async def write(self, message: Any) -> None:
        """Send a message of a stream, and wait where the reader is behind."""
        if self.put(message):
            await self.room()

    def put(self, message: Any) -> bool:
        """Send a message of a stream. True where the reader is behind: then wait for `room` before the next."""
        data: bytes = self._serialize(message) if self._serialize is not None else message
        if self.left or self.complete:
            return False
        size = len(data) + PREFIX
        outbox = self._outbox
        if self._pending is not None or size > self.window or size > outbox.window or size > FRAME_BYTES:
            self._check(size)
            if not self._started:
                outbox.send(self._head())
            self._queue(data)
            return self._pending is not None or outbox.crowded
        self.window -= size
        outbox.window -= size
        framed = MESSAGE.pack(size >> 8, size & 0xFF, DATA, 0, self.id, 0, size - PREFIX) + data
        outbox.send(framed if self._started else self._head() + framed)
        return outbox.crowded

    async def room(self) -> None:
        """Wait until all that was written is on its way, and for a turn of the loop at least."""
        if self._pending is None and not self._outbox.paused:
            await asyncio.sleep(0)
        while (self._pending is not None or self._outbox.paused) and not self.left:
            self._waiter = self._loop.create_future()
            self._outbox.wait(self)
            try:
                await self._waiter
            finally:
                self._waiter = None

    def finish(self, message: Any) -> None:
        """End the answer of a unary call well, with its message, unless another status was set."""
        data: bytes = self._serialize(message) if self._serialize is not None else message
        size = len(data) + PREFIX
        outbox = self._outbox
        if (
            self.ended
            and not self._started
            and self._code is _OK
            and size <= self.window
            and size <= outbox.window
            and size <= FRAME_BYTES
            and not self.left
            and not self.complete
        ):
            outbox.window -= size
            number = self.id.to_bytes(4, "big")
            head = answers.HEAD_BEFORE + number + answers.HEAD_AFTER
            framed = MESSAGE.pack(size >> 8, size & 0xFF, DATA, 0, self.id, 0, size - PREFIX)
            last = self._trailers() if self._trailing else answers.OK_BEFORE + number + answers.OK_AFTER
            outbox.send(head + framed + data + last)
            self._over()
            return
        if self._code is _OK:
            self.put(message)
        self.end()

    def end(self) -> None:
        """End the answer, with the status that was set."""
        if self.left or self.complete:
            return
        last = self._trailers()
        if not self.ended:  # what still comes is not wanted: RFC 9113, section 8.1
            last += reset(self.id, ErrorCode.NO_ERROR)
        if self._pending is not None:
            self.complete = True
            self._last = last
            self._stop_timer()
            self._timer = self._loop.call_later(self._owner.stall, self._look, self._sent)
            return
        self._outbox.send(last)
        self._over()

    def fail(self, code: grpc.StatusCode, details: str) -> None:
        """End the answer with this status, at once: what waits to be sent is dropped."""
        if self.left or self.complete:
            return
        self._drop()
        self._code, self._details, self._trailing = code, details, ()
        self.end()

    def _trailers(self) -> bytes:
        try:
            more = answers.custom(self._trailing) if self._trailing else b""
            block = answers.trailers(self._code, self._details, more)
        except ValueError as error:
            block = answers.trailers(grpc.StatusCode.INTERNAL, f"the server's trailers are wrong: {error}", b"")
        if not self._started:
            block = answers.HEAD_BLOCK + block
        return header_frames(self.id, block, end=True)

    def _head(self) -> bytes:
        self._started = True
        if self._head_fields:
            return header_frames(self.id, answers.HEAD_BLOCK + self._head_fields, end=False)
        return answers.HEAD_BEFORE + self.id.to_bytes(4, "big") + answers.HEAD_AFTER

    def _check(self, size: int) -> None:
        if size - PREFIX > self._owner.most:
            self._code = grpc.StatusCode.RESOURCE_EXHAUSTED
            self._details = f"Sent message larger than max ({size - PREFIX} vs. {self._owner.most})"
            raise AbortError(self._details)

    # What the outbox calls.

    def _queue(self, data: bytes) -> None:
        if self._pending is None:
            self._pending = deque()
        self._pending.append(memoryview(b"\0" + len(data).to_bytes(4, "big") + data))
        self._outbox.wait(self)
        self._outbox.pump()

    def next_piece(self, most: int) -> memoryview:
        """Up to so many bytes of what waits."""
        pending = self._pending
        if not pending or most <= 0:
            return _EMPTY
        self._sent += 1
        piece = pending.popleft()
        if len(piece) > most:
            pending.appendleft(piece[most:])
            return piece[:most]
        return piece

    def emptied(self) -> None:
        """See whether all that waited is sent."""
        if self._pending:
            return
        self._pending = None
        if self.complete:
            self._outbox.blocked.pop(self.id, None)
            self._outbox.send(self._last)
            self._over()
        elif not self._outbox.paused:
            self._outbox.blocked.pop(self.id, None)
            self._wake()

    # Its end.

    def _over(self) -> None:
        self.complete = True
        self._stop_timer()
        self._owner.closed(self)

    def _drop(self) -> None:
        self._pending = None
        self._outbox.blocked.pop(self.id, None)
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self, sent: int) -> None:
        """See whether the reader has taken any of the rest of the answer."""
        self._timer = None
        if self._sent == sent:
            self._owner.give_up(self)
        else:
            self._timer = self._loop.call_later(self._owner.stall, self._look, self._sent)
