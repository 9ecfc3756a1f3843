"""The one chain of layers around every RPC of ours, in the order in which they are listed.

A layer looks at a call before its servicer does, may refuse it, and may ask to be told how it ended. So a call runs in
one coroutine, and a message of a stream passes through nothing between servicer and server. The chain itself is the
outermost layer: it turns every ServiceError into a rich status.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, Protocol, TypeAlias, cast
from uuid import uuid4

import grpc
from google.protobuf.message import Message

from antiphon.core.call import CURRENT, Call
from antiphon.core.errors import Reason, ServiceError
from antiphon.core.http2.exchange import Exchange
from antiphon.core.http2.reply import AbortError
from antiphon.core.status import STATUS_CODES, to_status
from antiphon.core.streams import StallWatch

log = logging.getLogger(__name__)

Context: TypeAlias = Exchange
Ended = Callable[[BaseException | None], None]
"""Told how a call ended: None for well."""

STALL_SECONDS = 60.0
"""How long one write may wait for a reader."""

_CALL = "antiphon.call"


class Layer(Protocol):
    """One policy around RPCs. `method` is the full name, such as /antiphon.v1.ChatService/Chat."""

    def begin(self, method: str, request: Message, context: Context) -> Ended | None:
        """Look at a call before the layers within do; raise ServiceError to refuse it. What is returned is called
        when they have ended, in the call's own task, and does not raise."""


class Chain:
    """The layers, outermost first, behind the translation of errors. Only methods of our contract go through it."""

    def __init__(self, layers: Sequence[Layer], *, stall_seconds: float = STALL_SECONDS) -> None:
        self._layers = tuple(layers)
        self._stall_seconds = stall_seconds

    def wrap(self, method: str, handler: Any) -> Any:
        """The handler of a method, within the layers."""
        if not method.startswith("/antiphon."):
            return handler
        if handler.request_streaming:
            raise ValueError(f"{method} streams its request, and layers look at one request")
        coders = (handler.request_deserializer, handler.response_serializer)
        if handler.unary_stream is not None:
            return grpc.unary_stream_rpc_method_handler(self._stream(method, handler.unary_stream), *coders)
        return grpc.unary_unary_rpc_method_handler(self._unary(method, handler.unary_unary), *coders)

    def _unary(self, method: str, proceed: Any) -> Any:
        async def behaviour(request: Message, context: Context) -> Message:
            endings: list[Ended] = []
            try:
                try:
                    self._begin(method, request, context, endings)
                    answer: Message = await proceed(request, context)
                except BaseException as error:
                    _end(endings, error)
                    raise
                _end(endings, None)
                _tell(context)
            except Exception as error:  # the outermost frame: everything becomes a status
                await _fail(method, context, error)
            return answer

        return behaviour

    def _stream(self, method: str, proceed: Any) -> Any:
        async def behaviour(request: Message, context: Context) -> None:
            endings: list[Ended] = []
            watch: StallWatch | None = None
            try:
                try:
                    self._begin(method, request, context, endings)
                    messages = proceed(request, context)
                    try:
                        async for message in messages:
                            if context.put(message):
                                watch = watch or self._watch()
                                watch.begin()
                                await context.room()
                                watch.end()
                    finally:
                        await messages.aclose()
                except BaseException as error:
                    _end(endings, error)
                    raise
                _end(endings, None)
                _tell(context)
            except asyncio.CancelledError:
                if watch is None or not watch.stalled:
                    raise
                seconds = f"{self._stall_seconds:g} s"
                await _abort(context, ServiceError(Reason.CANCELLED, f"the reader took nothing for {seconds}"))
            except Exception as error:  # the outermost frame: everything becomes a status
                await _fail(method, context, error)
            finally:
                if watch is not None:
                    watch.close()

        return behaviour

    def _begin(self, method: str, request: Message, context: Context, endings: list[Ended]) -> None:
        CURRENT.set(_received(context))
        for layer in self._layers:
            ended = layer.begin(method, request, context)
            if ended is not None:
                endings.append(ended)

    def _watch(self) -> StallWatch:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        return StallWatch(self._stall_seconds, task.cancel)


def _end(endings: list[Ended], error: BaseException | None) -> None:
    for ended in reversed(endings):
        ended(error)


def _tell(context: Context) -> None:
    """Send what was said of the answer as trailers."""
    if said := CURRENT.get().said:
        context.set_trailing_metadata(tuple(said.items()))


def _received(context: Context) -> Call:
    """The call as it came. What it hands on follows from the metadata alone, which calls of a client often share."""
    notes = context.notes
    first: Call | None = notes.get(_CALL)
    if first is None:
        first = notes[_CALL] = Call.received(context.invocation_metadata(), None)
    return Call(deadline=context.deadline, metadata=first.metadata)


async def _fail(method: str, context: Context, error: Exception) -> NoReturn:
    if isinstance(error, AbortError):
        raise error
    if not isinstance(error, ServiceError):
        number = uuid4().hex[:12]
        log.error("unexpected failure", exc_info=error, extra={"rpc_method": method, "error_id": number})
        error = ServiceError(
            Reason.INTERNAL,
            f"unexpected failure in the server; its log has the details under {number}",
            metadata={"error_id": number},
        )
    await _abort(context, error)


async def _abort(context: Context, error: ServiceError) -> NoReturn:
    status = to_status(error)
    trailers = (("grpc-status-details-bin", status.SerializeToString()), *CURRENT.get().said.items())
    await context.abort(STATUS_CODES[error.code], status.message, trailers)
