"""Spans, metrics and a log line around every hop: a layer on the server's side, a context manager on the client's.

Own code, because the published grpc.aio instrumentation leaves spans open when a call is cancelled, gives them wrong
statuses, and fails on handlers that write their stream.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from time import perf_counter
from types import TracebackType
from typing import Final

from google.protobuf.message import Message
from opentelemetry.propagate import extract, get_global_textmap
from opentelemetry.trace import Span, SpanKind
from opentelemetry.util.types import AttributeValue

from antiphon.core.call import CURRENT, Call
from antiphon.core.chain import Context, Ended
from antiphon.core.errors import Code, Reason, ServiceError
from antiphon.core.http2.reply import AbortError
from antiphon.core.telemetry import names
from antiphon.core.telemetry.instruments import Instruments, installed
from antiphon.core.telemetry.lines import tell
from antiphon.core.telemetry.spans import FAILED, NO_TRACE, begin, noted, notes_of

SERVER_FAULTS: Final = frozenset(
    {"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}
)
"""Statuses that are the server's fault, by the gRPC conventions; with any other its span is no error."""
_CARRIER: Final = "antiphon.carrier"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a call ended: its status word, the reason of our error, and whether its caller left."""

    status: str
    reason: str = ""
    cancelled: bool = False

    @classmethod
    def of(cls, error: BaseException | None, call: Call, context: Context | None = None) -> Outcome:
        """The outcome of a call that ended with `error`; `context` is the server's."""
        match error:
            case None:
                return OK
            case ServiceError():
                return cls(status=error.code.name, reason=error.reason.value)
            case asyncio.CancelledError() | GeneratorExit():
                # A server learns of its caller's deadline as of any other leaving: only the clock tells them apart.
                if call.deadline is not None and call.remaining() == 0:
                    return cls(
                        status=Code.DEADLINE_EXCEEDED.name, reason=Reason.DEADLINE_EXCEEDED.value, cancelled=True
                    )
                return cls(status=Code.CANCELLED.name, cancelled=True)
            case AbortError() if context is not None:
                return cls(status=getattr(context.code(), "name", Code.UNKNOWN.name))
            case _:
                return cls(status=Code.INTERNAL.name, reason=Reason.INTERNAL.value)


OK: Final = Outcome(status="OK")


PEER: Final = (names.SERVER_ADDRESS, names.SERVER_PORT)


class Telemetry:
    """A layer that watches every RPC. Goes first, so that it also sees what the other layers refuse."""

    def __init__(self) -> None:
        self._carried = frozenset(get_global_textmap().fields)

    def begin(self, method: str, request: Message, context: Context) -> Ended:
        """Watch a call, to its end or until its caller leaves."""
        call = CURRENT.get()
        carrier: dict[str, str] | None = context.notes.get(_CARRIER)
        if carrier is None:
            carrier = context.notes[_CARRIER] = {
                key: value
                for key, value in context.invocation_metadata()
                if key in self._carried and isinstance(value, str)
            }
        if carrier:
            call = call.within(extract(carrier, NO_TRACE))
        return _Received(method.removeprefix("/"), call, context).ended


class _Received:
    """One RPC of ours, on the server's side."""

    __slots__ = ("_began", "_call", "_context", "_instruments", "_method", "_span")

    def __init__(self, method: str, call: Call, context: Context) -> None:
        self._method = method
        self._context = context
        self._instruments = installed()
        self._span: Span | None = None
        self._began = perf_counter()
        if self._instruments is not None:
            asked: dict[str, AttributeValue] = {names.RPC_SYSTEM: "grpc", names.RPC_METHOD: method}
            self._span, call = begin(self._instruments.tracer, method, call, SpanKind.SERVER, asked)
        self._call = call
        CURRENT.set(call)

    def ended(self, error: BaseException | None) -> None:
        """Tell how it went."""
        seconds = perf_counter() - self._began
        outcome = OK if error is None else Outcome.of(error, self._call, self._context)
        caller = CURRENT.get().caller  # known only after the layers within
        if self._instruments is not None and self._span is not None:
            try:
                error_type = _end(self._span, outcome, failed=outcome.status in SERVER_FAULTS, caller=caller)
                series = self._instruments.server_seconds.of["grpc", self._method, outcome.status, error_type]
                series.record(seconds, self._call.trace)
            finally:
                self._span.end()
        line = {"method": self._method, "status": outcome.status, "ms": round(seconds * 1e3, 2), "caller": caller}
        if outcome.reason:
            line["reason"] = outcome.reason
        tell("rpc", line, self._call.trace)


def client_call(call: Call, method: str, address: str) -> AbstractContextManager[Call]:
    """Watch a call of another service of ours: the Call inside is the one to go onward, its trace this span.

    `method` is the full name without a leading slash; `address` is host:port or unix:path. Raise ServiceError, not
    grpc's own errors, through it.
    """
    instruments = installed()
    return nullcontext(call) if instruments is None else _Sent(instruments, call, method, address)


class _Sent:
    """One RPC of ours, on the client's side."""

    __slots__ = ("_began", "_call", "_instruments", "_method", "_peer", "_span")

    def __init__(self, instruments: Instruments, call: Call, method: str, address: str) -> None:
        self._instruments = instruments
        self._call = call
        self._method = method
        self._peer = _peer(address)
        self._span: Span | None = None
        self._began = perf_counter()

    def __enter__(self) -> Call:
        asked: dict[str, AttributeValue] = {names.RPC_SYSTEM: "grpc", names.RPC_METHOD: self._method}
        asked.update(zip(PEER, self._peer, strict=False))
        self._span, self._call = begin(self._instruments.tracer, self._method, self._call, SpanKind.CLIENT, asked)
        return self._call

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        seconds = perf_counter() - self._began
        if self._span is None:
            return
        try:
            outcome = Outcome.of(error, self._call)
            failed = outcome.status != OK.status and not outcome.cancelled
            error_type = _end(self._span, outcome, failed=failed)
            series = self._instruments.client_seconds.of["grpc", self._method, outcome.status, error_type, *self._peer]
            series.record(seconds, self._call.trace)
        finally:
            self._span.end()


def _end(span: Span, outcome: Outcome, *, failed: bool, caller: str = "") -> str | None:
    """Write the outcome into the span; the type of the error, for the metric."""
    written = notes_of(span)
    written[names.RPC_STATUS] = outcome.status
    if failed:
        written[names.ERROR_TYPE] = outcome.status
        span.set_status(FAILED)
    if caller:
        written[names.CALLER] = caller
    if outcome.reason:
        written[names.REASON] = outcome.reason
    if outcome.cancelled:
        written[names.CANCELLED] = True
    noted(span, written)
    return outcome.status if failed else None


@lru_cache(maxsize=256)
def _peer(address: str) -> tuple[str] | tuple[str, int]:
    """Values of PEER."""
    host, _, port = address.rpartition(":")
    if address.startswith("unix:") or not port.isdecimal():
        return (address.removeprefix("unix:"),)
    return host.strip("[]"), int(port)
