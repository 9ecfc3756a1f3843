"""The log: one JSON object a line on standard error, from structlog and from stdlib loggers alike.

Every line that is written while a call is at hand carries its trace, and every line passes the redaction last, as
text: whatever form a secret took on its way, it does not get past there. Only the lines of `lines` are made otherwise:
they hold names and numbers of ours.
"""

from __future__ import annotations

import json
import logging
import sys
from typing import TextIO

import structlog
from opentelemetry.trace import get_current_span
from structlog.typing import EventDict, Processor, WrappedLogger

from antiphon.core.call import CURRENT
from antiphon.core.telemetry.lines import LineHandler
from antiphon.core.telemetry.redaction import REDACTED, redact, register_secret

__all__ = ["configure_logs", "redact", "register_secret"]

SECRET_NAMES = frozenset(
    {"authorization", "api_key", "apikey", "api-key", "x-api-key", "x-goog-api-key", "password", "secret", "cookie"}
)
"""Fields whose values are never written, whatever they hold."""


def configure_logs(*, level: str = "INFO", service: str = "", stream: TextIO | None = None) -> None:
    """Write the log of this process as JSON to `stream` (standard error), from `level` (a stdlib name) up."""
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _Service(service),
        add_trace,
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,  # as text: dict tracebacks hold local variables, so secrets
        hide_secrets,
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            render,
        ],
    )
    handler = LineHandler(stream or sys.stderr, service=service)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,  # loggers made before this call must follow it too
    )


class _Service:
    """Says which service wrote the line."""

    def __init__(self, service: str) -> None:
        self._service = service

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        if self._service:
            event.setdefault("service", self._service)
        return event


def add_trace(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Name the trace and span of the call at hand, if there is one."""
    call = CURRENT.get(None)
    if call is not None and call.trace is not None:
        span = get_current_span(call.trace).get_span_context()
        if span.is_valid:
            event["trace_id"] = f"{span.trace_id:032x}"
            event["span_id"] = f"{span.span_id:016x}"
    return event


def hide_secrets(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Replace values of secret types, and of fields that are named as secrets."""
    return {key: REDACTED if key.lower() in SECRET_NAMES else _shown(value) for key, value in event.items()}


def _shown(value: object) -> object:
    if isinstance(value, dict):
        return {key: REDACTED if str(key).lower() in SECRET_NAMES else _shown(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(item) for item in value]
    return REDACTED if hasattr(value, "get_secret_value") else value


def render(logger: WrappedLogger, method: str, event: EventDict) -> str:
    """The line: JSON without secrets."""
    return redact(json.dumps(event, default=repr))
