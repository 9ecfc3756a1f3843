"""The door of the HTTP edges: the policies of `core.chain` for requests that come as HTTP.

In order: telemetry, the caller's key, the deadline, the body within its bounds, the handler, and the way back, which
ends at once when the client leaves. Every failure is said in the edge's own shape.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from starlette.datastructures import Headers, QueryParams
from starlette.types import Receive, Scope, Send

from antiphon.core.auth import Auth
from antiphon.core.backends import Backend
from antiphon.core.call import CURRENT, Call
from antiphon.core.chain import STALL_SECONDS
from antiphon.core.errors import Reason, ServiceError
from antiphon.core.telemetry.rpc import OK, Outcome
from antiphon.gateway.edges.asked import TIMEOUT_HEADER, call_of, checked
from antiphon.gateway.edges.bodies import Bodies, BodyLimits
from antiphon.gateway.edges.exchange import ClientLeft, Exchange, HttpFault, Row, Streamed
from antiphon.gateway.edges.keys import caller_of
from antiphon.gateway.edges.sender import Sender
from antiphon.gateway.edges.watching import Watch
from antiphon.v1 import chat_pb2

log = logging.getLogger(__name__)

BEAT_SECONDS = 15.0
"""The longest silence of a stream: proxies in between take longer ones for death."""
FAREWELL_SECONDS = 1.0
"""How long telling a client that the server ends may take."""
WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorLimits:
    """Bounds of the door. Times are in seconds."""

    bodies: BodyLimits = field(default_factory=BodyLimits)
    stall: float = STALL_SECONDS
    beat: float = BEAT_SECONDS


class Door:
    """Lets requests in to a backend. `draining` turns new ones away."""

    def __init__(self, backend: Backend, auth: Auth, limits: DoorLimits) -> None:
        self._backend = backend
        self._auth = auth
        self._limits = limits
        self.bodies = Bodies(limits.bodies)
        self.draining = False

    async def serve(self, row: Row, parameters: Mapping[str, str], scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request by a row of the table."""
        headers = Headers(scope=scope)
        sender = Sender(scope, send, row.shape, headers.get("x-request-id", ""), stall_seconds=self._limits.stall)
        watch = Watch(scope["method"], row.path, headers, call_of(headers))
        request = _Request(row, parameters, scope, headers, watch.call)
        sender.said = watch.call.said
        outcome = OK
        try:
            outcome = await self._answer(request, receive, sender)
        except asyncio.CancelledError as error:
            outcome = Outcome.of(error, request.call)
            if not self.draining:
                raise
            with suppress(TimeoutError):
                async with asyncio.timeout(FAREWELL_SECONDS):
                    await _fail(request, sender, ServiceError(Reason.SHUTTING_DOWN, "the server ends; ask again"))
        finally:
            sender.close()
            watch.end(outcome, status=sender.status, caller=request.call.caller, request_id=sender.request_id)

    async def _answer(self, request: _Request, receive: Receive, sender: Sender) -> Outcome:
        fault: HttpFault | None = None
        try:
            await self._proceed(request, receive, sender)
        except ClientLeft:
            return Outcome(status="CANCELLED", reason="STALLED" if sender.stalled else "", cancelled=True)
        except HttpFault as found:
            fault, failure = found, found.error
        except ServiceError as found:
            failure = found
        except Exception as found:  # the outermost frame: everything becomes an answer
            failure = _unexpected(request, found)
        else:
            return OK
        await _fail(request, sender, failure, fault)
        return Outcome.of(failure, request.call)

    async def _proceed(self, request: _Request, receive: Receive, sender: Sender) -> None:
        if self.draining:
            raise HttpFault(
                503,
                ServiceError(Reason.SHUTTING_DOWN, "the server ends; ask again", retry_after=1.0),
                {"connection": "close"},
            )
        if not request.row.keyless:
            request.be(request.call.named(caller_of(self._auth, request.headers, request.query)))
        request.be(checked(request.call, request.headers))
        if request.row.method in WITH_BODY:
            async with self.bodies.received(request.headers, receive) as body:
                await _while_there(self._handle(request, body, sender), receive)
        else:
            await _while_there(self._handle(request, b"", sender), receive)

    async def _handle(self, request: _Request, body: bytes, sender: Sender) -> None:
        CURRENT.set(request.call)
        exchange = Exchange(
            backend=self._backend,
            call=request.call,
            method=request.row.method,
            path=request.path,
            parameters=request.parameters,
            query=request.query,
            headers=request.headers,
            body=body,
        )
        try:
            async with asyncio.timeout_at(request.call.deadline):
                answer = await request.row.handler(exchange)
                if isinstance(answer, Streamed):
                    request.streamed = answer
                    await self._stream(request, answer, sender)
                else:
                    await sender.whole(answer)
        except TimeoutError as error:
            if request.call.remaining() != 0:
                raise
            raise ServiceError(
                Reason.DEADLINE_EXCEEDED, f"not answered within the client's {TIMEOUT_HEADER}"
            ) from error

    async def _stream(self, request: _Request, answer: Streamed, sender: Sender) -> None:
        early: list[chat_pb2.Warning] = []
        beats: asyncio.Task[None] | None = None
        try:
            async with aclosing(answer.events) as events:
                async for event in events:
                    kind = event.WhichOneof("event")
                    if not sender.status:
                        if kind == "warning":
                            early.append(event.warning)
                            continue
                        if kind == "started":
                            early.extend(event.started.completion.warnings)
                        await sender.start(answer.content_type, early)
                        if request.row.shape.beat:
                            beats = asyncio.create_task(_beat(sender, request.row.shape.beat, self._limits.beat))
                    data = b""
                    if answer.note is not None:
                        data = b"".join(map(answer.note, _late(event, kind, early)))
                    data += answer.encoder.encode(event)
                    if data:
                        await sender.piece(data)
            if not sender.status:
                raise ServiceError(Reason.OUTCOME_UNKNOWN, "the stream ended before it began; nothing says why")
        finally:
            if beats is not None:
                beats.cancel()
        await sender.finish()


class _Request:
    """One request on its way; `call` grows by what each policy finds out."""

    __slots__ = ("call", "headers", "parameters", "path", "query", "row", "streamed")

    def __init__(self, row: Row, parameters: Mapping[str, str], scope: Scope, headers: Headers, call: Call) -> None:
        self.row = row
        self.parameters = parameters
        self.path: str = scope["path"]
        self.headers = headers
        self.query = QueryParams(scope["query_string"])
        self.call = call
        self.streamed: Streamed | None = None

    def be(self, call: Call) -> None:
        """Go on as this call."""
        self.call = call
        CURRENT.set(call)


async def _while_there(work: Coroutine[Any, Any, None], receive: Receive) -> None:
    """Do the work for as long as the client is there. Raises ClientLeft, with the work cancelled, once it is not."""
    doing = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_left(receive))
    try:
        await asyncio.wait({doing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not doing.done():
            raise ClientLeft
    finally:
        leaving.cancel()
        if not doing.done():
            doing.cancel()
        await asyncio.wait({doing, leaving})
        if not doing.cancelled():
            doing.exception()  # seen: where the client has left, nobody else asks
    doing.result()


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _beat(sender: Sender, beat: bytes, seconds: float) -> None:
    while True:
        await asyncio.sleep(max(0.01, seconds - sender.idle))
        if sender.idle >= seconds:
            await sender.piece(beat)


async def _fail(request: _Request, sender: Sender, error: ServiceError, fault: HttpFault | None = None) -> None:
    """Say the error: as an answer, or as the last event of a stream that has begun."""
    if not sender.status:
        await sender.fail(error, fault)
    elif request.streamed is not None:
        await sender.piece(request.streamed.failed(error))
        await sender.finish()


def _late(
    event: chat_pb2.StreamChatResponse, kind: str | None, early: list[chat_pb2.Warning]
) -> list[chat_pb2.Warning]:
    """Warnings that come after the head."""
    if kind == "warning":
        return [event.warning]
    if kind == "completed":
        return [warning for warning in event.completed.completion.warnings if warning not in early]
    return []


def _unexpected(request: _Request, error: Exception) -> ServiceError:
    number = uuid4().hex[:12]
    log.error("unexpected failure", exc_info=error, extra={"route": request.row.path, "error_id": number})
    return ServiceError(
        Reason.INTERNAL,
        f"unexpected failure in the server; its log has the details under {number}",
        metadata={"error_id": number},
    )
