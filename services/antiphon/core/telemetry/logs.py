"""The log: one JSON object a line on standard error, from stdlib loggers and from structlog's alike.

Every line that is written while a call is at hand carries its trace, and every line passes the redaction last, as
text: whatever form a secret took on its way, it does not get past there. Only the lines of `lines` are made otherwise:
they hold names and numbers of ours.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, TextIO

from opentelemetry.trace import get_current_span

from antiphon.core.call import CURRENT
from antiphon.core.telemetry.lines import LineHandler
from antiphon.core.telemetry.redaction import REDACTED, redact, register_secret

__all__ = ["configure_logs", "follow_structlog", "redact", "register_secret"]

SECRET_NAMES = frozenset(
    {"authorization", "api_key", "apikey", "api-key", "x-api-key", "x-goog-api-key", "password", "secret", "cookie"}
)
"""Fields whose values are never written, whatever they hold."""

FIELDS: Final = "structured_fields"
"""The attribute of a record that holds the fields of a structlog event: their names may be those of a record's own."""
_OWN: Final = frozenset({*logging.makeLogRecord({}).__dict__, "message", "asctime", FIELDS})
"""What every record has; all else is a field that the caller gave."""


def configure_logs(*, level: str = "INFO", service: str = "", stream: TextIO | None = None) -> None:
    """Write the log of this process as JSON to `stream` (standard error), from `level` (a stdlib name) up."""
    handler = LineHandler(stream or sys.stderr, service=service)
    handler.setFormatter(JsonLine(service))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    follow_structlog()


def follow_structlog() -> None:
    """Lead the loggers of structlog to this log, where anything here uses it: nothing of ours does, and it is large.

    Call it again once plug-ins are loaded.
    """
    if "structlog" in sys.modules:
        from antiphon.core.telemetry.structured import configure

        configure()


class JsonLine(logging.Formatter):
    """A record as one line of JSON, without secrets. `service` says who writes."""

    def __init__(self, service: str = "") -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        event: dict[str, object] = {name: value for name, value in record.__dict__.items() if name not in _OWN}
        event.update(record.__dict__.get(FIELDS, {}))
        event["event"] = record.getMessage()
        event["level"] = record.levelname.lower()
        event["logger"] = record.name
        event["timestamp"] = f"{datetime.fromtimestamp(record.created, UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
        if self._service:
            event.setdefault("service", self._service)
        event.update(_trace())
        if record.stack_info:
            event["stack"] = record.stack_info
        if record.exc_info:  # as text: dict tracebacks hold local variables, so secrets
            event["exception"] = self.formatException(record.exc_info)
        return redact(json.dumps(hide_secrets(event), default=repr))


def _trace() -> Mapping[str, str]:
    """The trace and span of the call at hand, if there is one."""
    call = CURRENT.get(None)
    if call is not None and call.trace is not None:
        span = get_current_span(call.trace).get_span_context()
        if span.is_valid:
            return {"trace_id": f"{span.trace_id:032x}", "span_id": f"{span.span_id:016x}"}
    return {}


def hide_secrets(event: Mapping[str, object]) -> dict[str, object]:
    """Replace values of secret types, and of fields that are named as secrets."""
    return {key: REDACTED if key.lower() in SECRET_NAMES else _shown(value) for key, value in event.items()}


def _shown(value: object) -> object:
    if isinstance(value, dict):
        return {key: REDACTED if str(key).lower() in SECRET_NAMES else _shown(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(item) for item in value]
    return REDACTED if hasattr(value, "get_secret_value") else value
