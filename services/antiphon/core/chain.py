"""The one chain of layers around every RPC of ours, in the order in which they are listed.

A layer is a pair of plain methods that call on to the next. The chain adapts them to grpc once, for unary and
server-streaming calls alike, and is itself the outermost layer: it turns every ServiceError into a rich status.
Streams are written by hand rather than yielded: only then does cancelling the call close the generators below.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any, NoReturn, Protocol, TypeAlias, cast
from uuid import uuid4

import grpc
import grpc.aio
from google.protobuf.message import Message

from antiphon.core.call import CURRENT, Call
from antiphon.core.errors import Reason, ServiceError
from antiphon.core.status import STATUS_CODES, to_status
from antiphon.core.streams import StallWatch

log = logging.getLogger(__name__)

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Unary = Callable[[Message, Context], Awaitable[Message]]
Stream = Callable[[Message, Context], AsyncGenerator[Message, None]]

STALL_SECONDS = 60.0
"""How long one write may wait for a reader."""


class Layer(Protocol):
    """One policy around RPCs. `method` is the full name, such as /antiphon.v1.ChatService/Chat."""

    async def unary(self, method: str, request: Message, context: Context, proceed: Unary) -> Message:
        """Handle a unary call, usually by awaiting `proceed`."""

    def stream(self, method: str, request: Message, context: Context, proceed: Stream) -> AsyncGenerator[Message, None]:
        """Handle a server-streaming call, usually by yielding what `proceed` yields."""


class Chain(grpc.aio.ServerInterceptor):
    """The layers, outermost first, behind the translation of errors. Only methods of our contract go through it."""

    def __init__(self, layers: Sequence[Layer], *, stall_seconds: float = STALL_SECONDS) -> None:
        self._layers = tuple(layers)
        self._stall_seconds = stall_seconds
        self._handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """grpc's hook: the wrapped handler of a method."""
        method = handler_call_details.method
        known = self._handlers.get(method)
        if known is not None:
            return known
        handler = await continuation(handler_call_details)
        if handler is None or not method.startswith("/antiphon."):
            return handler
        wrapped = self._wrap(method, handler)
        self._handlers[method] = wrapped
        return wrapped

    def _wrap(self, method: str, handler: Any) -> grpc.RpcMethodHandler[Any, Any]:
        coders = (handler.request_deserializer, handler.response_serializer)
        if handler.unary_stream is not None:
            stream: Stream = handler.unary_stream
            for layer in reversed(self._layers):
                stream = partial(_through_stream, layer, method, stream)
            return grpc.unary_stream_rpc_method_handler(self._stream_behaviour(method, stream), *coders)
        unary: Unary = handler.unary_unary
        for layer in reversed(self._layers):
            unary = partial(_through_unary, layer, method, unary)
        return grpc.unary_unary_rpc_method_handler(_unary_behaviour(method, unary), *coders)

    def _stream_behaviour(self, method: str, proceed: Stream) -> Any:
        async def behaviour(request: Message, context: Context) -> None:
            CURRENT.set(_received(context))
            task = cast("asyncio.Task[None]", asyncio.current_task())
            watch = StallWatch(self._stall_seconds, task.cancel)
            try:
                async with aclosing(proceed(request, context)) as messages:
                    async for message in messages:
                        watch.begin()
                        await context.write(message)
                        watch.end()
                _tell(context)
            except asyncio.CancelledError:
                if not watch.stalled:
                    raise
                seconds = f"{self._stall_seconds:g} s"
                await _abort(context, ServiceError(Reason.CANCELLED, f"the reader took nothing for {seconds}"))
            except Exception as error:  # the outermost frame: everything becomes a status
                await _fail(method, context, error)
            finally:
                watch.close()

        return behaviour


def _unary_behaviour(method: str, proceed: Unary) -> Any:
    async def behaviour(request: Message, context: Context) -> Message:
        CURRENT.set(_received(context))
        try:
            answer = await proceed(request, context)
            _tell(context)
        except Exception as error:  # the outermost frame: everything becomes a status
            await _fail(method, context, error)
        return answer

    return behaviour


def _tell(context: Context) -> None:
    """Send what was said of the answer as trailers."""
    if said := CURRENT.get().said:
        context.set_trailing_metadata(tuple(said.items()))


def _through_unary(layer: Layer, method: str, proceed: Unary, request: Message, context: Context) -> Awaitable[Message]:
    return layer.unary(method, request, context, proceed)


def _through_stream(
    layer: Layer, method: str, proceed: Stream, request: Message, context: Context
) -> AsyncGenerator[Message, None]:
    return layer.stream(method, request, context, proceed)


def _received(context: Context) -> Call:
    return Call.received(context.invocation_metadata() or (), context.time_remaining())


async def _fail(method: str, context: Context, error: Exception) -> NoReturn:
    if isinstance(error, grpc.aio.AbortError):
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
    raise AssertionError("abort always raises")
