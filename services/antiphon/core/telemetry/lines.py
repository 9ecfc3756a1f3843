"""The access log's own way to the log: what a line will say into a buffer, and a write for many lines at once.

A LogRecord, its formatting, the redaction of a text that holds nothing free, and a write of its own made such a line
as dear as a span. The lines are put into words and go out together, in a thread: a reader of standard error that stops
holds up no call.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from time import time
from typing import TYPE_CHECKING, Final, TextIO

import orjson
from opentelemetry.context import Context

from antiphon.core.telemetry.recorded import PassedSpan, RecordedSpan
from antiphon.core.telemetry.redaction import redact
from antiphon.core.telemetry.spans import span_in

ACCESS: Final = logging.getLogger("antiphon.access")
"""The logger of these lines; its level is theirs."""

DELAY: Final = 0.1
"""Seconds that a line waits for company."""
LINE: Final = 400
"""Bytes that a line is taken to have, beside its free texts."""
ENOUGH: Final = 64 * 1024
"""Bytes that are written without waiting any longer."""
MOST: Final = 8 * 1024 * 1024
"""Bytes that wait for a reader who has stopped; more than that and the call itself waits, rather than lose a line."""

if TYPE_CHECKING:
    TextHandler = logging.StreamHandler[TextIO]
else:
    TextHandler = logging.StreamHandler


Line = tuple[float, str, Mapping[str, object], Mapping[str, str] | None, tuple[int, int] | None]
"""What a line will say: its Unix time, event, fields and free texts, and the ids of its trace and span."""


def tell(
    event: str, fields: Mapping[str, object], trace: Context | None, *, free: Mapping[str, str] | None = None
) -> None:
    """Write a line of the access log. `fields` are known to hold no secret; texts in `free` may. Both are kept."""
    if not ACCESS.isEnabledFor(logging.INFO):
        return
    handler = _only_handler()
    if handler is None:  # somebody else listens too, or nobody does
        ACCESS.info(event, extra={**fields, **(free or {})})
        return
    ids = None
    if trace is not None and (span := span_in(trace)) is not None:
        if type(span) is RecordedSpan or type(span) is PassedSpan:
            ids = (span.trace, span.number)
        elif (context := span.get_span_context()).is_valid:
            ids = (context.trace_id, context.span_id)
    handler.take((time(), event, fields, free, ids))


def _said(line: Line, service: str) -> bytes:
    moment, event, fields, free, ids = line
    said = {"event": event, **fields}
    if free:
        said.update((name, redact(text)) for name, text in free.items())
    said["level"] = "info"
    said["logger"] = ACCESS.name
    said["timestamp"] = datetime.fromtimestamp(moment, UTC)
    if service:
        said["service"] = service
    if ids is not None:
        said["trace_id"] = f"{ids[0]:032x}"
        said["span_id"] = f"{ids[1]:016x}"
    try:
        return orjson.dumps(said, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE)
    except TypeError:  # half a surrogate pair, which a caller may send
        return json.dumps(said, default=str).encode() + b"\n"


def _only_handler() -> LineHandler | None:
    """The handler of the log, where nothing else would see these lines."""
    logger: logging.Logger = ACCESS
    while (above := logger.parent) is not None:
        if logger.handlers or logger.filters or not logger.propagate:
            return None
        logger = above
    handlers = logger.handlers
    return handlers[0] if len(handlers) == 1 and isinstance(handlers[0], LineHandler) else None


class LineHandler(TextHandler):
    """Writes records at once, as any handler, and lines when some have gathered. The order stays.

    `service` is who writes. Lines that still wait are written before a record, by `flush`, and when the process ends.
    """

    def __init__(self, stream: TextIO, *, service: str = "") -> None:
        super().__init__(stream)
        self.service = service
        self._waiting: deque[Line] = deque()
        self._bytes = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Future[None] | None = None

    def take(self, line: Line) -> None:
        """Write this line within `DELAY`. Without a running loop, now."""
        self._waiting.append(line)
        self._bytes += LINE if line[3] is None else LINE + sum(map(len, line[3].values()))
        if self._timer is None or self._loop is None or self._loop.is_closed():
            self._begin()
        elif self._bytes >= ENOUGH:
            self._write()

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, after the lines that came before it."""
        self._drain()
        super().emit(record)

    def flush(self) -> None:
        """Write all that waits."""
        self._drain()
        with suppress(OSError, ValueError):  # as in _drain
            super().flush()

    def _begin(self) -> None:
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            self.flush()
            return
        self._writing = None
        self._timer = self._loop.call_later(DELAY, self._due)

    def _due(self) -> None:
        self._timer = None
        self._write()

    def _write(self) -> None:
        if self._bytes >= MOST:
            self.flush()
        elif self._loop is not None and (self._writing is None or self._writing.done()):
            try:
                self._writing = self._loop.run_in_executor(None, self.flush)
            except RuntimeError:  # the loop is ending, and its threads have ended
                self.flush()
        elif self._loop is not None and self._timer is None:  # the last write has not ended
            self._timer = self._loop.call_later(DELAY, self._due)

    def _drain(self) -> None:
        if not self._waiting:
            return
        self.acquire()
        try:
            self._bytes = 0
            lines = [_said(self._waiting.popleft(), self.service) for _ in range(len(self._waiting))]
            text = b"".join(lines).decode()
            with suppress(OSError, ValueError):  # the stream is gone: there is nobody left to tell
                self.stream.write(text)
        finally:
            self.release()
