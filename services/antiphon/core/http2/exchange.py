"""One call: its request as it comes, and its end. It is also the context of the handler that answers it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from typing import Any, Final

import grpc

from antiphon.core.http2.heads import Head, Refusal
from antiphon.core.http2.messages import Inbox, RefusedError
from antiphon.core.http2.outbox import Outbox
from antiphon.core.http2.reply import Owner, Reply

LATE: Final = 0.002
"""Seconds past its deadline when a call is ended: loops round to a millisecond, and whoever looks must find it past."""

_LATE: Final = Refusal(code=grpc.StatusCode.DEADLINE_EXCEEDED, details="Deadline Exceeded")


class Exchange(Reply):
    """A call. `deadline` is on the loop's clock; None for none. `begun` is whether its task runs, `allowance` what the
    client may send of the request."""

    __slots__ = (
        "_callbacks",
        "_reader",
        "allowance",
        "begun",
        "deadline",
        "head",
        "inbox",
        "messages",
        "method",
        "task",
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
        super().__init__(number, method.response_serializer, owner, outbox, loop)
        self.head = head
        self.method = method
        self.allowance = allowance
        self.inbox: Inbox | None = None
        self.messages: deque[bytes] = deque()
        self.task: asyncio.Task[None] | None = None
        self.begun = False
        self._callbacks: list[Callable[[Exchange], object]] | None = None
        self._reader: asyncio.Future[None] | None = None
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

    def done(self) -> bool:
        """Whether the call is over."""
        return self.left or self.complete

    def add_done_callback(self, callback: Callable[[Exchange], object]) -> None:
        """Have `callback` called when the handler has ended."""
        self._callbacks = [*(self._callbacks or ()), callback]

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

    def read(self) -> Any:
        """The next message of the request. Raises RefusedError for what is none."""
        data = self.messages.popleft()
        read = self.method.request_deserializer
        if read is None:
            return data
        try:
            return read(data)
        except Exception as error:  # whatever a deserializer raises, it is about what came
            raise RefusedError(grpc.StatusCode.INTERNAL, f"the request cannot be read: {error}") from error

    async def requests(self) -> AsyncGenerator[Any, None]:
        """The messages of a streamed request, read."""
        while True:
            while self.messages:
                message = self.read()
                if not self.messages:
                    self._owner.taken(self)
                yield message
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

    def refuse(self, refusal: Refusal) -> None:
        """End the answer with this status, and its handler, where it runs."""
        if not self.left and not self.complete:
            self.fail(refusal.code, refusal.details)
            self._halt()

    def ran(self) -> None:
        """The handler has ended."""
        self._owner.ran(self)
        for callback in self._callbacks or ():
            callback(self)

    def _expire(self) -> None:
        self._timer = None
        self.refuse(_LATE)

    def _halt(self) -> None:
        self.left = True
        if self.task is None:
            return
        self.task.cancel()
        if not self.begun:  # then it never will, and cannot say that it has ended
            self.ran()
