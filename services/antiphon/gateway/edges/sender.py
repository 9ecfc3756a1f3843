"""The way back of one request: head, pieces, errors in the edge's own shape, and a watch on readers who stall."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from random import getrandbits
from types import MappingProxyType
from typing import Final

from antiphon.core.alarms import Alarm
from antiphon.core.errors import Reason, ServiceError
from antiphon.core.streams import StallWatch
from antiphon.gateway.edges.exchange import Answer, HttpFault
from antiphon.gateway.edges.line import Line
from antiphon.gateway.edges.shapes import Shape
from antiphon.v1 import chat_pb2
from antiphon.wire.base import HttpReply

WARNING_HEADER = "x-antiphon-warning"
MOST_WARNINGS = 16
LONGEST_WARNING = 400
_ID_HEADERS: Final = ("x-request-id",)
_JSON: Final = b"content-type: application/json\r\nx-request-id: "
_STREAM: Final = "content-type: %s\r\ncache-control: no-cache\r\nx-accel-buffering: no\r\nx-request-id: %s\r\n"
_OURS = re.compile(r"[\w.:-]{1,128}", re.ASCII)


class Sender:
    """Sends one answer. `status` is the one that was sent, 0 before."""

    def __init__(self, line: Line, shape: Shape, request_id: str, *, stall_seconds: float) -> None:
        self._line = line
        self._shape = shape
        self._stall_seconds = stall_seconds
        self.numbers = not request_id or _OURS.fullmatch(request_id) is None
        """Whether the number of the request is given here, and not the client's."""
        # Not a secret, so it need not cost a system call as uuid4 does.
        self.request_id = f"req_{getrandbits(128):032x}" if self.numbers else request_id

    status = 0
    said: Mapping[str, str] = MappingProxyType({})
    """What the answering side says of the answer by the time its head is sent: headers of their own."""
    _watch: StallWatch | None = None
    _beat = b""
    _beat_seconds = 0.0
    _beats: Alarm | None = None
    _written_at = 0.0

    @property
    def stalled(self) -> bool:
        """Whether the reader took nothing for too long."""
        return self._watch is not None and self._watch.stalled

    def whole(self, answer: Answer) -> None:
        """Send a whole answer."""
        self._reply(answer.reply.status, answer.reply, warning_headers(answer.warnings))

    def passed(self, body: bytes) -> None:
        """Send a whole answer that is JSON already."""
        if not self._is_plain():
            self._head(200, [("content-type", "application/json")], length=len(body))
            self._line.write(body)
            self._line.end()
            return
        self.status = 200
        self._line.reply(200, b"%b%b\r\n" % (_JSON, self.request_id.encode()), body)

    def start(self, content_type: str, warnings: Sequence[chat_pb2.Warning]) -> None:
        """Send the head of a stream."""
        if not warnings and self._is_plain():
            self.status = 200
            lines = _STREAM % (content_type, self.request_id)
            self._line.begin(200, lines.encode("ascii"))
            return
        own = [("content-type", content_type), ("cache-control", "no-cache"), ("x-accel-buffering", "no")]
        self._head(200, [*own, *warning_headers(warnings)] if warnings else own)

    def keep(self, beat: bytes, seconds: float) -> None:
        """From now on send `beat` whenever nothing was sent for so long, until the stream ends."""
        self._beat, self._beat_seconds = beat, seconds
        self._written_at = self._line.loop.time()
        self._beats = self._line.alarms.take(self._line.loop)
        self._beats.set(self._written_at + seconds, self._look)

    def put(self, data: bytes) -> bool:
        """Send a piece of a stream, together with all others that are ready now; whether its reader is behind, so
        that `room` is to be awaited."""
        line = self._line
        self._written_at = line.loop.time()
        line.write(data)
        return line.crowded

    async def piece(self, data: bytes) -> None:
        """Send a piece of a stream, and wait where its reader is behind."""
        if self.put(data):
            await self.room()

    def finish(self) -> None:
        """End a stream."""
        self._stop_beating()
        self._line.end()

    def fail(self, error: ServiceError, fault: HttpFault | None = None) -> None:
        """Send an error instead of an answer; `fault` has its own status and headers."""
        reply = self._shape.encode_error(error)
        own = {"x-should-retry": "true" if error.retryable else "false", **(fault.headers if fault else {})}
        if error.reason is Reason.UNAUTHENTICATED:
            own["www-authenticate"] = "Bearer"
        if error.retry_after is not None and "retry-after" not in reply.headers:
            own["retry-after"] = str(max(1, math.ceil(error.retry_after)))
        self._reply(fault.status if fault else reply.status, reply, own.items())

    def close(self) -> None:
        """Nothing more is sent."""
        self._stop_beating()
        if self._watch is not None:
            self._watch.close()

    def _is_plain(self) -> bool:
        """Whether a head of ours says what all say, so that nobody needs to look at its lines."""
        return not self.said and self._shape.id_headers == _ID_HEADERS

    def _reply(self, status: int, reply: HttpReply, more: Iterable[tuple[str, str]]) -> None:
        self._head(status, [*reply.headers.items(), *more], length=len(reply.body))
        self._line.write(reply.body)
        self._line.end()

    def _head(self, status: int, headers: list[tuple[str, str]], *, length: int | None = None) -> None:
        self.status = status
        names = [name for name, _ in headers]
        headers += [(name, self.request_id) for name in self._shape.id_headers if name not in names]
        if self.said:
            headers += self.said.items()
        close = ("connection", "close") in headers
        if close:
            headers.remove(("connection", "close"))
        text = "".join([f"{name}: {value}\r\n" for name, value in headers])
        self._line.head(status, text.encode("latin-1", "replace"), count=len(headers), length=length, close=close)

    async def room(self) -> None:
        """Wait until the reader of a stream has taken what was sent: not for ever."""
        watch = self._watch
        if watch is None:
            watch = self._watch = StallWatch(self._stall_seconds, self._line.abort)
        watch.begin()
        await self._line.room()
        watch.end()

    def _look(self) -> None:
        loop = self._line.loop
        now = loop.time()
        if now - self._written_at >= self._beat_seconds:
            self._written_at = now
            if not self._line.crowded:  # a reader who takes nothing needs no more of it
                self._line.write(self._beat)
        if self._beats is not None:
            self._beats.set(self._written_at + self._beat_seconds, self._look)

    def _stop_beating(self) -> None:
        if self._beats is not None:
            self._line.alarms.give(self._beats)
            self._beats = None


def random_hex(bits: int = 128) -> str:
    """A number that nobody else has, and that anybody may guess."""
    return f"{getrandbits(bits):0{bits // 4}x}"


def warning_headers(warnings: Sequence[chat_pb2.Warning]) -> list[tuple[str, str]]:
    """A header a warning: code, field, words."""
    return [(WARNING_HEADER, warning_text(warning)) for warning in warnings[:MOST_WARNINGS]]


def warning_text(warning: chat_pb2.Warning) -> str:
    """A warning as one line of plain ASCII."""
    words = (
        f"{warning.code} {warning.field}: {warning.message}" if warning.field else f"{warning.code}: {warning.message}"
    )
    return " ".join(words.split()).encode("ascii", "backslashreplace").decode()[:LONGEST_WARNING]
