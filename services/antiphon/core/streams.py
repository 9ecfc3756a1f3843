"""Streams of events: numbered where they begin, closed where they are left, watched while they are sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from typing import Any, TypeVar

import grpc
import grpc.aio

from antiphon.core.errors import Reason, ServiceError
from antiphon.core.fold import Fold
from antiphon.v1 import chat_pb2, usage_pb2

T = TypeVar("T")
Events = AsyncGenerator[chat_pb2.StreamChatResponse, None]
Batches = AsyncGenerator[list[chat_pb2.StreamChatResponse], None]
"""Events that are ready at the same moment go through the layers of a stream together: each layer costs once."""

CONTENT = frozenset({"part_started", "part_delta", "part_done", "output_done"})
"""Events after which a caller has seen output: no failover, and an error carries PartialResult."""


async def received(stream: grpc.aio.UnaryStreamCall[Any, T]) -> AsyncGenerator[T, None]:
    """The messages of a streaming call, which is cancelled however the loop over them ends.

    Leaving a bare `async for` over a grpc.aio call leaves the server's stream open for good.
    """
    try:
        async for message in stream:
            yield message
    finally:
        stream.cancel()


def published(events: Events, request: chat_pb2.StreamChatRequest, usage: Callable[[], usage_pb2.Usage]) -> Events:
    """As `published_together`, for events that come one by one."""
    return published_together(_alone(events), request, usage)


async def published_together(
    batches: Batches, request: chat_pb2.StreamChatRequest, usage: Callable[[], usage_pb2.Usage]
) -> Events:
    """The events of a stream as its origin sends them.

    They are numbered; heartbeats fill silences and `completed` holds the folded answer where the request asks for
    it; an error after output carries a PartialResult with what `usage` knows by then; a stream that ends without
    `completed` is an error.
    """
    sequence = 0
    response_id = ""
    emitted = done = False
    fold = Fold() if request.snapshot else None
    beat = request.heartbeat.ToNanoseconds() / 1e9 if request.HasField("heartbeat") else 0.0
    source = with_heartbeats(batches, beat) if beat > 0 else batches
    try:
        async with aclosing(source):
            async for batch in source:
                for event in batch:
                    kind = event.WhichOneof("event")
                    if kind == "started":
                        response_id = event.started.completion.id
                    elif kind == "completed":
                        done = True
                    elif kind in CONTENT:
                        emitted = True
                    if fold is not None:
                        fold.add(event)
                        if done:
                            event.completed.completion.CopyFrom(fold.completion())
                    event.sequence = sequence
                    sequence += 1
                    yield event
        if not done:
            raise ServiceError(Reason.OUTCOME_UNKNOWN, "the stream ended without its last event; nothing says why")
    except ServiceError as error:
        if emitted and error.partial is None:
            error.partial = chat_pb2.PartialResult(
                response_id=response_id, last_sequence=sequence - 1, usage=usage(), output_emitted=True
            )
        raise


async def _alone(events: Events) -> Batches:
    async with aclosing(events):
        async for event in events:
            yield [event]


def together(events: list[chat_pb2.StreamChatResponse]) -> list[chat_pb2.StreamChatResponse]:
    """The events, with neighbours that add text to the same part joined into one.

    For events that are ready at the same moment: sending each alone costs more than all else of a fast stream, and
    delays none of them less. The first of the joined events is changed.
    """
    if len(events) < 3:
        return events
    joined: list[chat_pb2.StreamChatResponse] = []
    pieces: list[str] = []
    head: chat_pb2.PartDelta | None = None
    for event in events:
        delta = event.part_delta if event.HasField("part_delta") else None
        if delta is None or delta.WhichOneof("delta") != "text" or delta.logprobs:
            delta = None
        if delta is not None and head is not None and _place(delta) == _place(head):
            pieces.append(delta.text)
            continue
        if head is not None and len(pieces) > 1:
            head.text = "".join(pieces)
        head, pieces = delta, [] if delta is None else [delta.text]
        joined.append(event)
    if head is not None and len(pieces) > 1:
        head.text = "".join(pieces)
    return joined


def _place(delta: chat_pb2.PartDelta) -> tuple[int, int, int]:
    return delta.output_index, delta.message_index, delta.part_index


async def with_heartbeats(events: Batches, interval: float) -> Batches:
    """The events, with a heartbeat whenever none came for `interval` seconds."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with aclosing(events):
        pending: asyncio.Task[list[chat_pb2.StreamChatResponse]] | None = None
        try:
            while True:
                pending = pending or asyncio.ensure_future(anext(events))
                await asyncio.wait({pending}, timeout=interval)
                if pending.done():
                    try:
                        batch = pending.result()
                    except StopAsyncIteration:
                        return
                    pending = None
                    yield batch
                else:
                    beat = chat_pb2.StreamChatResponse()
                    beat.heartbeat.elapsed.FromNanoseconds(int((loop.time() - began) * 1e9))
                    yield [beat]
        finally:
            if pending is not None:
                pending.cancel()
                with suppress(asyncio.CancelledError, StopAsyncIteration, ServiceError):
                    await pending


class StallWatch:
    """Ends a stream whose reader has stopped reading.

    HTTP/2 windows let a stalled reader hold megabytes for ever. One timer a stream looks whether a write has been
    waiting for longer than `seconds`; a write costs two attribute assignments.
    """

    def __init__(self, seconds: float, stop: Callable[[], object]) -> None:
        self._loop = asyncio.get_running_loop()
        self._seconds = seconds
        self._stop = stop
        self._writing_since: float | None = None
        self.stalled = False
        self._timer = self._loop.call_later(seconds, self._look)

    def begin(self) -> None:
        """A write begins."""
        self._writing_since = self._loop.time()

    def end(self) -> None:
        """The write is done."""
        self._writing_since = None

    def close(self) -> None:
        """The stream is over."""
        self._timer.cancel()

    def _look(self) -> None:
        now = self._loop.time()
        since = self._writing_since
        if since is not None and now - since >= self._seconds:
            self.stalled = True
            self._stop()
            return
        self._timer = self._loop.call_at((since or now) + self._seconds, self._look)
