"""Errors of wires whose body says little: a text, sometimes a word. What they mean is read as for every provider."""

from __future__ import annotations

import math
from collections.abc import Mapping

from antiphon.core.errors import Reason, ServiceError
from antiphon.wire.base import HttpReply
from antiphon.wire.openai_chat.errors import lift_error
from antiphon.wire.retry_after import delay

REASON_HEADER = "antiphon-reason"
"""Names the reason where the wire's words are coarser, so that a chain of edges loses nothing."""


def named_reason(reply: HttpReply) -> Reason | None:
    """The reason that an antiphon named."""
    named = reply.headers.get(REASON_HEADER, "")
    return Reason[named] if named in Reason.__members__ else None


def read_error(reply: HttpReply) -> ServiceError:
    """The meaning of an unsuccessful reply, whatever its body."""
    error = lift_error(reply)
    named = named_reason(reply)
    return error if named is None else changed(error, named, reply)


def changed(error: ServiceError, reason: Reason, reply: HttpReply) -> ServiceError:
    """`error` with another reason."""
    return ServiceError(
        reason,
        error.message,
        metadata=error.metadata,
        retry_after=delay(reply.headers, error.message),
        violations=error.violations,
        quota=error.quota,
    )


def error_headers(error: ServiceError) -> dict[str, str]:
    """The headers of an error for a client."""
    headers = {"content-type": "application/json", REASON_HEADER: error.reason.value}
    if error.retry_after is not None:
        headers["retry-after"] = str(max(1, math.ceil(error.retry_after)))
    return headers


_R = Reason
STATUSES: Mapping[Reason, int] = {
    _R.INVALID_REQUEST: 400,
    _R.CONTEXT_LENGTH_EXCEEDED: 400,
    _R.UNSUPPORTED_PARAMETER: 400,
    _R.CONTENT_BLOCKED: 400,
    _R.MESSAGE_TOO_LARGE: 413,
    _R.INVALID_CREDENTIALS: 401,
    _R.TOKEN_EXPIRED: 401,
    _R.SCOPE_INSUFFICIENT: 403,
    _R.ALL_KEYS_EXHAUSTED: 503,
    _R.CREDENTIALS_MISSING: 401,
    _R.MODEL_NOT_FOUND: 404,
    _R.PROVIDER_NOT_FOUND: 404,
    _R.RESOURCE_NOT_FOUND: 404,
    _R.RATE_LIMIT_EXCEEDED: 429,
    _R.QUOTA_EXCEEDED: 429,
    _R.PROVIDER_UNAVAILABLE: 502,
    _R.OVERLOADED: 503,
    _R.NETWORK_ERROR: 502,
    _R.OUTCOME_UNKNOWN: 504,
    _R.BACKEND_UNAVAILABLE: 503,
    _R.SHUTTING_DOWN: 503,
    _R.DEADLINE_EXCEEDED: 504,
    _R.CANCELLED: 499,
    _R.MALFORMED_RESPONSE: 502,
    _R.UNEXPECTED_STATUS: 502,
    _R.INTERNAL: 500,
    _R.UNAUTHENTICATED: 401,
    _R.PERMISSION_DENIED: 403,
    _R.UNSUPPORTED_OPERATION: 501,
    _R.RECORDING_MISSING: 404,
    _R.CASSETTE_UNREADABLE: 500,
    _R.SECRET_IN_RECORDING: 403,
    _R.MODE_NOT_ALLOWED: 403,
}
"""The status by reason, for wires that have no word for it."""
