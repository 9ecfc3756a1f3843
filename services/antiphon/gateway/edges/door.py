"""The door of the HTTP edges: the policies of `core.chain` for requests that come as HTTP.

In order: telemetry, the caller's key, the deadline, the body within its bounds, the handler, and the way back. All of
it is one task, which the connection cancels when the client leaves. Every failure is said in the edge's own shape.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Final, cast

from antiphon.core.auth import Auth
from antiphon.core.backends import Backend
from antiphon.core.call import CURRENT, Call
from antiphon.core.chain import STALL_SECONDS
from antiphon.core.errors import Reason, ServiceError
from antiphon.core.telemetry.rpc import OK, Outcome
from antiphon.gateway.edges.asked import TIMEOUT_HEADER, call_of, checked
from antiphon.gateway.edges.bodies import Bodies, BodyLimits
from antiphon.gateway.edges.exchange import ClientLeft, Exchange, HttpFault, PassedOn, Relayed, Row, Streamed
from antiphon.gateway.edges.keys import caller_of
from antiphon.gateway.edges.line import Line
from antiphon.gateway.edges.query import Query
from antiphon.gateway.edges.sender import Sender, random_hex
from antiphon.gateway.edges.watching import Watch
from antiphon.v1 import chat_pb2

log = logging.getLogger(__name__)

BEAT_SECONDS = 15.0
"""The longest silence of a stream: proxies in between take longer ones for death."""
FAREWELL_SECONDS = 1.0
"""How long telling a client that the server ends may take."""
WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_NO_QUERY: Final = Query()


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

    async def serve(self, row: Row, parameters: Mapping[str, str], line: Line) -> None:
        """Answer one request by a row of the table."""
        headers = line.headers
        sender = Sender(line, row.shape, headers.get("x-request-id", ""), stall_seconds=self._limits.stall)
        watch = Watch(line.method, row.path, headers, call_of(headers))
        request = _Request(row, parameters, line, watch.call)
        sender.said = watch.call.said
        outcome = OK
        task = line.task or cast("asyncio.Task[None]", asyncio.current_task())
        line.on_left = task.cancel
        try:
            outcome = await self._answer(request, line, sender)
        except asyncio.CancelledError as error:
            if line.left:
                task.uncancel()
                outcome = _left(sender)
                return
            outcome = Outcome.of(error, request.call)
            if not self.draining:
                raise
            with suppress(TimeoutError, asyncio.CancelledError):  # cancelled: the client has left meanwhile
                async with asyncio.timeout(FAREWELL_SECONDS):
                    await _fail(request, sender, ServiceError(Reason.SHUTTING_DOWN, "the server ends; ask again"))
        finally:
            line.on_left = None
            sender.close()
            number = sender.request_id
            watch.end(outcome, status=sender.status, caller=request.call.caller, request_id=number, ours=sender.numbers)

    async def _answer(self, request: _Request, line: Line, sender: Sender) -> Outcome:
        fault: HttpFault | None = None
        try:
            await self._proceed(request, line, sender)
        except ClientLeft:
            return _left(sender)
        except HttpFault as found:
            fault, failure = found, found.error
        except ServiceError as found:
            failure = found
        except Exception as found:  # the outermost frame: everything becomes an answer
            failure = _unexpected(request, found)
        else:
            return OK
        try:
            await _fail(request, sender, failure, fault)
            return Outcome.of(failure, request.call)
        finally:
            del failure, fault  # their tracebacks hold this frame, which would hold them

    async def _proceed(self, request: _Request, line: Line, sender: Sender) -> None:
        if self.draining:
            raise HttpFault(
                503,
                ServiceError(Reason.SHUTTING_DOWN, "the server ends; ask again", retry_after=1.0),
                {"connection": "close"},
            )
        if not request.row.keyless and (caller := caller_of(self._auth, request.headers, request.query)):
            request.be(request.call.named(caller))
        if TIMEOUT_HEADER in request.headers or request.call.metadata:
            request.be(checked(request.call, request.headers))
        if request.row.method not in WITH_BODY:
            await self._handle(request, b"", sender)
        elif "content-encoding" not in request.headers and (body := line.whole()) is not None:
            self.bodies.hold(request.headers, body)
            try:
                if request.call.deadline is None:  # as `_handle` does
                    await self._respond(request, body, sender)
                else:
                    await self._handle(request, body, sender)
            finally:
                self.bodies.release(body)
        else:
            async with self.bodies.received(request.headers, line.piece) as body:
                await self._handle(request, body, sender)

    async def _handle(self, request: _Request, body: bytes, sender: Sender) -> None:
        if request.call.deadline is None:
            await self._respond(request, body, sender)
            return
        try:
            async with asyncio.timeout_at(request.call.deadline):
                await self._respond(request, body, sender)
        except TimeoutError as error:
            if request.call.remaining() != 0:
                raise
            raise ServiceError(
                Reason.DEADLINE_EXCEEDED, f"not answered within the client's {TIMEOUT_HEADER}"
            ) from error

    async def _respond(self, request: _Request, body: bytes, sender: Sender) -> None:
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
        answer = await request.row.handler(exchange)
        if isinstance(answer, PassedOn):
            sender.passed(answer.body)
        elif isinstance(answer, Relayed):
            request.streamed = answer
            await self._relay(request, answer, sender)
        elif isinstance(answer, Streamed):
            request.streamed = answer
            await self._stream(request, answer, sender)
        else:
            sender.whole(answer)

    async def _relay(self, request: _Request, answer: Relayed, sender: Sender) -> None:
        def put(data: bytes) -> bool:
            if not sender.status:
                self._begin(request, answer.content_type, (), sender)
            return sender.put(data)

        await answer.pour(put, sender.room)
        sender.finish()

    def _begin(
        self, request: _Request, content_type: str, warnings: Sequence[chat_pb2.Warning], sender: Sender
    ) -> None:
        sender.start(content_type, warnings)
        if request.row.shape.beat:
            sender.keep(request.row.shape.beat, self._limits.beat)

    async def _stream(self, request: _Request, answer: Streamed, sender: Sender) -> None:
        early: list[chat_pb2.Warning] = []
        encode, note, send = answer.encoder.encode, answer.note, sender.piece
        begun = False
        async with aclosing(answer.events) as events:
            async for event in events:
                if begun and event.HasField("part_delta"):  # nearly every one
                    if data := encode(event):
                        await send(data)
                    continue
                kind = event.WhichOneof("event")
                if not begun:
                    if kind == "warning":
                        early.append(event.warning)
                        continue
                    if kind == "started":
                        early.extend(event.started.completion.warnings)
                    self._begin(request, answer.content_type, early, sender)
                    begun = True
                data = encode(event)
                if note is not None:
                    data = b"".join(map(note, _late(event, kind, early))) + data
                if data:
                    await send(data)
        if not begun:
            raise ServiceError(Reason.OUTCOME_UNKNOWN, "the stream ended before it began; nothing says why")
        sender.finish()


class _Request:
    """One request on its way; `call` grows by what each policy finds out."""

    __slots__ = ("call", "headers", "parameters", "path", "query", "row", "streamed")

    def __init__(self, row: Row, parameters: Mapping[str, str], line: Line, call: Call) -> None:
        self.row = row
        self.parameters = parameters
        self.path = line.path
        self.headers = line.headers
        self.query = Query(line.query) if line.query else _NO_QUERY
        self.call = call
        self.streamed: Streamed | Relayed | None = None

    def be(self, call: Call) -> None:
        """Go on as this call."""
        self.call = call
        CURRENT.set(call)


def _left(sender: Sender) -> Outcome:
    return Outcome(status="CANCELLED", reason="STALLED" if sender.stalled else "", cancelled=True)


async def _fail(request: _Request, sender: Sender, error: ServiceError, fault: HttpFault | None = None) -> None:
    """Say the error: as an answer, or as the last event of a stream that has begun."""
    if not sender.status:
        sender.fail(error, fault)
    elif request.streamed is not None:
        await sender.piece(request.streamed.failed(error))
        sender.finish()


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
    number = random_hex(48)
    log.error("unexpected failure", exc_info=error, extra={"route": request.row.path, "error_id": number})
    return ServiceError(
        Reason.INTERNAL,
        f"unexpected failure in the server; its log has the details under {number}",
        metadata={"error_id": number},
    )
