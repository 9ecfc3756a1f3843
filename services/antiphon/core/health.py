"""Health of parts, put together the same way by every service."""

from __future__ import annotations

from collections.abc import Sequence

from antiphon.core.errors import ServiceError
from antiphon.v1 import health_pb2


def component(
    name: str, status: health_pb2.Status.ValueType, message: str = "", *, error: ServiceError | None = None
) -> health_pb2.ComponentHealth:
    """One part, checked now."""
    part = health_pb2.ComponentHealth(name=name, status=status, message=message)
    part.check_time.GetCurrentTime()
    if error is not None:
        part.reason = error.reason.value
        part.message = error.message
    return part


def answered(
    service: str, parts: Sequence[health_pb2.ComponentHealth], request: health_pb2.GetHealthRequest
) -> health_pb2.GetHealthResponse:
    """A service's answer: itself, then the parts that were asked for, by name.

    The whole is SERVING while no part is known to fail, DEGRADED while some do, NOT_SERVING when all that are
    configured do.
    """
    known = [part.status for part in parts if part.status != health_pb2.STATUS_UNCONFIGURED]
    failing = [status for status in known if status == health_pb2.STATUS_NOT_SERVING]
    worst = health_pb2.STATUS_SERVING
    if failing or health_pb2.STATUS_DEGRADED in known:
        worst = health_pb2.STATUS_NOT_SERVING if len(failing) == len(known) else health_pb2.STATUS_DEGRADED
    own = component(service, health_pb2.STATUS_SERVING, "answering")
    wanted = tuple(request.components) or ("",)
    shown = [part for part in (own, *sorted(parts, key=lambda part: part.name)) if part.name.startswith(wanted)]
    return health_pb2.GetHealthResponse(status=worst, components=shown)
