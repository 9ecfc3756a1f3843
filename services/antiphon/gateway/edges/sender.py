"""The way back of one request: head, pieces, errors in the edge's own shape, and a watch on readers who stall."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from uuid import uuid4

from starlette.types import Scope, Send

from antiphon.core.errors import Reason, ServiceError
from antiphon.core.streams import StallWatch
from antiphon.gateway.edges.exchange import Answer, HttpFault
from antiphon.gateway.edges.shapes import Shape
from antiphon.v1 import chat_pb2
from antiphon.wire.base import HttpReply

ABORT = "antiphon.abort"
"""In the scope: ends the connection at once, whatever waits to be sent."""
CONNECTION = "antiphon.connection"
"""In the scope: the connection itself, an asyncio transport, for applications that end it in some other way."""
WARNING_HEADER = "x-antiphon-warning"
MOST_WARNINGS = 16
LONGEST_WARNING = 400
_OURS = re.compile(r"[\w.:-]{1,128}", re.ASCII)


class Sender:
    """Sends one answer. `status` is the one that was sent, 0 before."""

    def __init__(self, scope: Scope, send: Send, shape: Shape, request_id: str, *, stall_seconds: float) -> None:
        self._send = send
        self._shape = shape
        self._stall_seconds = stall_seconds
        self._abort: Callable[[], object] = scope.get(ABORT) or (lambda: None)
        self._watch: StallWatch | None = None
        self._written_at = 0.0
        self.request_id = request_id if _OURS.fullmatch(request_id) else f"req_{uuid4().hex}"
        self.status = 0
        self.said: Mapping[str, str] = {}
        """What the answering side says of the answer by the time its head is sent: headers of their own."""

    @property
    def stalled(self) -> bool:
        """Whether the reader took nothing for too long."""
        return self._watch is not None and self._watch.stalled

    @property
    def idle(self) -> float:
        """Seconds since the last piece of a stream."""
        return asyncio.get_running_loop().time() - self._written_at

    async def whole(self, answer: Answer) -> None:
        """Send a whole answer."""
        await self._reply(answer.reply.status, answer.reply, warning_headers(answer.warnings))

    async def start(self, content_type: str, warnings: Sequence[chat_pb2.Warning]) -> None:
        """Send the head of a stream."""
        own = [("content-type", content_type), ("cache-control", "no-cache"), ("x-accel-buffering", "no")]
        await self._head(200, [*own, *warning_headers(warnings)])
        self._watch = StallWatch(self._stall_seconds, self._abort)

    async def piece(self, data: bytes) -> None:
        """Send a piece of a stream at once."""
        assert self._watch is not None, "a stream starts with its head"  # noqa: S101
        self._written_at = asyncio.get_running_loop().time()
        self._watch.begin()
        await self._send({"type": "http.response.body", "body": data, "more_body": True})
        self._watch.end()

    async def finish(self) -> None:
        """End a stream."""
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def fail(self, error: ServiceError, fault: HttpFault | None = None) -> None:
        """Send an error instead of an answer; `fault` has its own status and headers."""
        reply = self._shape.encode_error(error)
        own = {"x-should-retry": "true" if error.retryable else "false", **(fault.headers if fault else {})}
        if error.reason is Reason.UNAUTHENTICATED:
            own["www-authenticate"] = "Bearer"
        if error.retry_after is not None and "retry-after" not in reply.headers:
            own["retry-after"] = str(max(1, math.ceil(error.retry_after)))
        await self._reply(fault.status if fault else reply.status, reply, own.items())

    def close(self) -> None:
        """Nothing more is sent."""
        if self._watch is not None:
            self._watch.close()

    async def _reply(self, status: int, reply: HttpReply, more: Iterable[tuple[str, str]]) -> None:
        headers = [*reply.headers.items(), *more]
        headers.append(("content-length", str(len(reply.body))))
        await self._head(status, headers)
        await self._send({"type": "http.response.body", "body": reply.body, "more_body": False})

    async def _head(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        self.status = status
        named = {name for name, _ in headers}
        ids = [(name, self.request_id) for name in self._shape.id_headers if name not in named]
        said = self.said.items()
        raw = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in (*headers, *ids, *said)]
        await self._send({"type": "http.response.start", "status": status, "headers": raw})


def warning_headers(warnings: Sequence[chat_pb2.Warning]) -> list[tuple[str, str]]:
    """A header a warning: code, field, words."""
    return [(WARNING_HEADER, warning_text(warning)) for warning in warnings[:MOST_WARNINGS]]


def warning_text(warning: chat_pb2.Warning) -> str:
    """A warning as one line of plain ASCII."""
    words = (
        f"{warning.code} {warning.field}: {warning.message}" if warning.field else f"{warning.code}: {warning.message}"
    )
    return " ".join(words.split()).encode("ascii", "backslashreplace").decode()[:LONGEST_WARNING]
