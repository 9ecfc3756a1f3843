"""Runs a method's handler for one call, whatever of request and answer is a stream."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing

import grpc

from antiphon.core.http2.exchange import Exchange
from antiphon.core.http2.messages import RefusedError
from antiphon.core.http2.reply import AbortError

log = logging.getLogger(__name__)


async def answer(call: Exchange) -> None:
    """Answer a call. Only cancelling it raises."""
    call.begun = True
    method = call.method
    try:
        given = call.requests() if method.request_streaming else call.read()
        if not method.response_streaming:
            behaviour = method.stream_unary if method.request_streaming else method.unary_unary
            call.finish(await behaviour(given, call))
            return
        behaviour = method.stream_stream if method.request_streaming else method.unary_stream
        produced = behaviour(given, call)
        if hasattr(produced, "__aiter__"):
            async with aclosing(produced):
                async for message in produced:
                    if call.put(message):
                        await call.room()
        else:
            await produced
        call.end()
    except AbortError:
        call.end()
    except RefusedError as error:
        call.fail(error.refusal.code, error.refusal.details)
    except asyncio.CancelledError:
        call.fail(grpc.StatusCode.CANCELLED, "the call was cancelled by the server")
        raise
    except Exception as error:  # the outermost frame of a call
        log.exception("the handler of %s failed", call.head.path)
        code = grpc.StatusCode.UNKNOWN if call.code() is grpc.StatusCode.OK else call.code()
        call.fail(code, f"Unexpected {type(error)}: {error}")
    finally:
        call.ran()
