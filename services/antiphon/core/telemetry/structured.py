"""structlog's loggers on the way into the log of `logs`, for plug-ins and applications that use them."""

from __future__ import annotations

from typing import Any

import structlog
from structlog.typing import EventDict, WrappedLogger

from antiphon.core.telemetry.logs import FIELDS

_OF_THE_CALL = ("exc_info", "stack_info", "stacklevel")


def configure() -> None:
    """Have structlog hand its events to the standard library's loggers."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.PositionalArgumentsFormatter(),
            handed_on,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,  # loggers made before this call must follow it too
    )


def handed_on(logger: WrappedLogger, method: str, event: EventDict) -> tuple[tuple[str], dict[str, Any]]:
    """The arguments with which the standard library's logger is called."""
    said: dict[str, Any] = {name: event.pop(name) for name in _OF_THE_CALL if name in event}
    text = str(event.pop("event", ""))
    return (text,), {**said, "extra": {FIELDS: dict(event)}}
