"""One call: its request as it comes, and its answer as its handler makes it. It is also the handler's context."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from typing import Any, Final, NoReturn, Protocol

import grpc

from antiphon.core.http2 import answers
from antiphon.core.http2.answers import Metadata
from antiphon.core.http2.frames import (
    DATA,
    FRAME_BYTES,
    MESSAGE,
    ErrorCode,
    header_frames,
    reset,
)
from antiphon.core.http2.heads import Head
from antiphon.core.http2.messages import PREFIX, Inbox
from antiphon.core.http2.outbox import Outbox

LATE: Final = 0.002
"""Seconds past its deadline when a call is ended: loops round to a millisecond, and whoever looks must find it past."""

_OK: Final = grpc.StatusCode.OK
_EMPTY: Final = memoryview(b"")


class AbortError(Exception):
    """A handler has ended its call with a status."""


class Method(Protocol):
    """How a method is served: what of grpc.RpcMethodHandler is read here."""

    request_streaming: bool
    response_streaming: bool
    request_deserializer: Callable[[bytes], Any] | None
    response_serializer: Callable[[Any], bytes] | None


class Owner(Protocol):
    """The connection, as a call sees it."""

    most: int
    """Bytes of a message."""

    def closed(self, call: Exchange) -> None:
        """The answer is sent whole, or nobody wants it."""

    def ran(self, call: Exchange) -> None:
        """The handler has ended."""

    def taken(self, call: Exchange) -> None:
        """A message of a streamed request was read: there is room for more."""

    def peer(self) -> str:
        """Who is on the other side."""


class Exchange:
    """A call. `deadline` is on the loop's clock; None for none. `id` is the stream's number.

    `begun` is whether its task runs, `ended` whether the request is whole, `complete` whether the answer is, as far
    as the handler is concerned; `left` whether the client gave the call up.
    """

    __slots__ = (
        "_callbacks",
        "_code",
        "_details",
        "_head_fields",
        "_last",
        "_loop",
        "_outbox",
        "_owner",
        "_pending",
        "_reader",
        "_serialize",
        "_started",
        "_timer",
        "_trailing",
        "_waiter",
        "allowance",
        "begun",
        "complete",
        "deadline",
        "ended",
        "head",
        "id",
        "inbox",
        "left",
        "messages",
        "method",
        "task",
        "window",
    )

    def __init__(
        self,
        number: int,
        head: Head,
        method: Any,
        owner: Owner,
        outbox: Outbox,
        loop: asyncio.AbstractEventLoop,
        allowance: int,
    ) -> None:
        self.id = number
        self.head = head
        self.method = method
        self.window = outbox.initial
        self.allowance = allowance
        self.inbox: Inbox | None = None
        self.messages: deque[bytes] = deque()
        self.task: asyncio.Task[None] | None = None
        self.begun = self.ended = self.complete = self.left = False
        self._owner = owner
        self._outbox = outbox
        self._loop = loop
        self._serialize = method.response_serializer
        self._started = False
        self._pending: deque[memoryview] | None = None
        self._last = b""
        self._head_fields = b""
        self._code = _OK
        self._details = ""
        self._trailing: Metadata = ()
        self._callbacks: list[Callable[[Exchange], object]] | None = None
        self._reader: asyncio.Future[None] | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.deadline: float | None = None
        if head.timeout is not None:
            self.deadline = loop.time() + head.timeout
            self._timer = loop.call_at(self.deadline + LATE, self._expire)

    # What handlers ask about the call.

    def invocation_metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        """The metadata that the client sent."""
        return self.head.metadata

    @property
    def notes(self) -> dict[str, Any]:
        """A place for what follows from the metadata alone; calls with the same metadata may share it."""
        return self.head.notes

    def time_remaining(self) -> float | None:
        """Seconds until the deadline, at least 0."""
        return None if self.deadline is None else max(0.0, self.deadline - self._loop.time())

    def peer(self) -> str:
        """Who calls."""
        return self._owner.peer()

    def cancelled(self) -> bool:
        """Whether the client gave the call up, or its time is up."""
        return self.left

    @property
    def answered(self) -> bool:
        """Whether anything of the answer is sent."""
        return self._started

    def done(self) -> bool:
        """Whether the call is over."""
        return self.left or self.complete

    def add_done_callback(self, callback: Callable[[Exchange], object]) -> None:
        """Have `callback` called when the handler has ended."""
        self._callbacks = [*(self._callbacks or ()), callback]

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
            return True
        self.window -= size
        outbox.window -= size
        framed = MESSAGE.pack(size >> 8, size & 0xFF, DATA, 0, self.id, 0, size - PREFIX) + data
        outbox.send(framed if self._started else self._head() + framed)
        return outbox.paused

    async def room(self) -> None:
        """Wait until all that was written is on its way."""
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

    # The request.

    def offer(self, message: bytes) -> None:
        """A message of the request."""
        self.messages.append(message)
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def end_request(self) -> None:
        """The request is whole."""
        self.ended = True
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    async def requests(self) -> AsyncGenerator[Any, None]:
        """The messages of a streamed request, read."""
        read = self.method.request_deserializer
        while True:
            while self.messages:
                data = self.messages.popleft()
                if not self.messages:
                    self._owner.taken(self)
                yield data if read is None else read(data)
            if self.ended or self.left:
                return
            self._reader = self._loop.create_future()
            await self._reader

    # Its end.

    def leave(self) -> None:
        """Nobody wants the answer any more."""
        if not self.left:
            self._drop()
            self._stop_timer()
            self._halt()

    def refuse(self, code: grpc.StatusCode, details: str) -> None:
        """End the answer with this status, and its handler, where it runs."""
        if not self.left and not self.complete:
            self.fail(code, details)
            self._halt()

    def ran(self) -> None:
        """The handler has ended."""
        self._owner.ran(self)
        for callback in self._callbacks or ():
            callback(self)

    def _expire(self) -> None:
        self._timer = None
        self.refuse(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")

    def _halt(self) -> None:
        self.left = True
        if self.task is None:
            return
        self.task.cancel()
        if not self.begun:  # then it never will, and cannot say that it has ended
            self.ran()

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
