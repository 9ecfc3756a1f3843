"""The access log's own way to the log: a ready line into a buffer, and a write for many lines at once.

A LogRecord, its formatting, the redaction of a text that holds nothing free, and a write of its own made such a line
as dear as a span. The lines go out together, from a thread: a reader of standard error that stops holds up no call.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TextIO

import orjson
from opentelemetry.context import Context

from antiphon.core.telemetry.redaction import redact
from antiphon.core.telemetry.spans import RecordedSpan, span_in

ACCESS: Final = logging.getLogger("antiphon.access")
"""The logger of these lines; its level is theirs."""

DELAY: Final = 0.1
"""Seconds that a line waits for company."""
ENOUGH: Final = 64 * 1024
"""Bytes that are written without waiting any longer."""
MOST: Final = 8 * 1024 * 1024
"""Bytes that wait for a reader who has stopped; more than that and the call itself waits, rather than lose a line."""

if TYPE_CHECKING:
    TextHandler = logging.StreamHandler[TextIO]
else:
    TextHandler = logging.StreamHandler


def tell(
    event: str, fields: Mapping[str, object], trace: Context | None, *, free: Mapping[str, str] | None = None
) -> None:
    """Write a line of the access log. `fields` are known to hold no secret; texts in `free` may."""
    if not ACCESS.isEnabledFor(logging.INFO):
        return
    handler = _only_handler()
    if handler is None:  # somebody else listens too, or nobody does
        ACCESS.info(event, extra={**fields, **(free or {})})
        return
    line = {"event": event, **fields}
    if free:
        line.update((name, redact(text)) for name, text in free.items())
    line["level"] = "info"
    line["logger"] = ACCESS.name
    line["timestamp"] = datetime.now(UTC)
    if handler.service:
        line["service"] = handler.service
    if trace is not None:
        span = span_in(trace)
        if type(span) is RecordedSpan:
            line["trace_id"] = span.trace.to_bytes(16, "big").hex()
            line["span_id"] = span.number.to_bytes(8, "big").hex()
        elif span is not None and (ids := span.get_span_context()).is_valid:
            line["trace_id"] = f"{ids.trace_id:032x}"
            line["span_id"] = f"{ids.span_id:016x}"
    handler.take(orjson.dumps(line, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE))


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
    """Writes records at once, as any handler, and ready lines when some have gathered. The order stays.

    `service` is who writes. Lines that still wait are written before a record, by `flush`, and when the process ends.
    """

    def __init__(self, stream: TextIO, *, service: str = "") -> None:
        super().__init__(stream)
        self.service = service
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Future[None] | None = None

    def take(self, line: bytes) -> None:
        """Write this line, which ends in a newline, within `DELAY`. Without a running loop, now."""
        self._waiting.append(line)
        self._bytes += len(line)
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
            text = b"".join([self._waiting.popleft() for _ in range(len(self._waiting))]).decode()
            with suppress(OSError, ValueError):  # the stream is gone: there is nobody left to tell
                self.stream.write(text)
        finally:
            self.release()
