"""Errors, both ways. Anthropic's type says more than the status; the words tell apart what the types do not."""

from __future__ import annotations

import re
from collections.abc import Mapping

from antiphon.core.errors import Reason, ServiceError
from antiphon.wire.base import HttpReply
from antiphon.wire.jsontext import Json, JsonObject, dumps, loads
from antiphon.wire.retry_after import delay

TYPES: Mapping[str, Reason] = {
    "invalid_request_error": Reason.INVALID_REQUEST,
    "authentication_error": Reason.INVALID_CREDENTIALS,
    "billing_error": Reason.QUOTA_EXCEEDED,
    "permission_error": Reason.SCOPE_INSUFFICIENT,
    "not_found_error": Reason.RESOURCE_NOT_FOUND,
    "conflict_error": Reason.INVALID_REQUEST,
    "request_too_large": Reason.MESSAGE_TOO_LARGE,
    "rate_limit_error": Reason.RATE_LIMIT_EXCEEDED,
    "api_error": Reason.PROVIDER_UNAVAILABLE,
    "overloaded_error": Reason.OVERLOADED,
    "timeout_error": Reason.OUTCOME_UNKNOWN,
}
_STATUSES: Mapping[int, Reason] = {
    401: Reason.INVALID_CREDENTIALS,
    402: Reason.QUOTA_EXCEEDED,
    403: Reason.SCOPE_INSUFFICIENT,
    404: Reason.RESOURCE_NOT_FOUND,
    408: Reason.OUTCOME_UNKNOWN,
    413: Reason.MESSAGE_TOO_LARGE,
    429: Reason.RATE_LIMIT_EXCEEDED,
    500: Reason.PROVIDER_UNAVAILABLE,
    502: Reason.PROVIDER_UNAVAILABLE,
    503: Reason.PROVIDER_UNAVAILABLE,
    504: Reason.OUTCOME_UNKNOWN,
    520: Reason.PROVIDER_UNAVAILABLE,
    522: Reason.NETWORK_ERROR,
    524: Reason.OUTCOME_UNKNOWN,
    529: Reason.OVERLOADED,
}
_WORDS: tuple[tuple[Reason, re.Pattern[str], Reason], ...] = (
    (
        Reason.INVALID_REQUEST,
        re.compile(r"prompt is too long|context limit|context window|too many (input )?tokens", re.I),
        Reason.CONTEXT_LENGTH_EXCEEDED,
    ),
    (Reason.INVALID_REQUEST, re.compile(r"credit balance|usage limits|spend(ing)? limit", re.I), Reason.QUOTA_EXCEEDED),
    (Reason.INVALID_REQUEST, re.compile(r"content filtering policy|content policy", re.I), Reason.CONTENT_BLOCKED),
    (Reason.RATE_LIMIT_EXCEEDED, re.compile(r"usage limits|spend(ing)? limit", re.I), Reason.QUOTA_EXCEEDED),
    (Reason.RESOURCE_NOT_FOUND, re.compile(r"\bmodel\b", re.I), Reason.MODEL_NOT_FOUND),
    (Reason.INVALID_CREDENTIALS, re.compile(r"expired", re.I), Reason.TOKEN_EXPIRED),
)
"""Reason by type, words of the message, and the narrower reason that they tell."""

WRITTEN: Mapping[Reason, tuple[int, str]] = {
    Reason.INVALID_REQUEST: (400, "invalid_request_error"),
    Reason.CONTEXT_LENGTH_EXCEEDED: (400, "invalid_request_error"),
    Reason.UNSUPPORTED_PARAMETER: (400, "invalid_request_error"),
    Reason.CONTENT_BLOCKED: (400, "invalid_request_error"),
    Reason.MESSAGE_TOO_LARGE: (413, "request_too_large"),
    Reason.INVALID_CREDENTIALS: (401, "authentication_error"),
    Reason.TOKEN_EXPIRED: (401, "authentication_error"),
    Reason.SCOPE_INSUFFICIENT: (403, "permission_error"),
    Reason.ALL_KEYS_EXHAUSTED: (429, "rate_limit_error"),
    Reason.CREDENTIALS_MISSING: (401, "authentication_error"),
    Reason.MODEL_NOT_FOUND: (404, "not_found_error"),
    Reason.PROVIDER_NOT_FOUND: (404, "not_found_error"),
    Reason.RESOURCE_NOT_FOUND: (404, "not_found_error"),
    Reason.RATE_LIMIT_EXCEEDED: (429, "rate_limit_error"),
    Reason.QUOTA_EXCEEDED: (402, "billing_error"),
    Reason.PROVIDER_UNAVAILABLE: (500, "api_error"),
    Reason.OVERLOADED: (529, "overloaded_error"),
    Reason.NETWORK_ERROR: (500, "api_error"),
    Reason.OUTCOME_UNKNOWN: (504, "timeout_error"),
    Reason.BACKEND_UNAVAILABLE: (500, "api_error"),
    Reason.SHUTTING_DOWN: (529, "overloaded_error"),
    Reason.DEADLINE_EXCEEDED: (504, "timeout_error"),
    Reason.CANCELLED: (500, "api_error"),
    Reason.MALFORMED_RESPONSE: (500, "api_error"),
    Reason.UNEXPECTED_STATUS: (500, "api_error"),
    Reason.INTERNAL: (500, "api_error"),
    Reason.UNAUTHENTICATED: (401, "authentication_error"),
    Reason.PERMISSION_DENIED: (403, "permission_error"),
    Reason.UNSUPPORTED_OPERATION: (404, "not_found_error"),
    Reason.RECORDING_MISSING: (404, "not_found_error"),
    Reason.CASSETTE_UNREADABLE: (500, "api_error"),
    Reason.SECRET_IN_RECORDING: (500, "api_error"),
    Reason.MODE_NOT_ALLOWED: (403, "permission_error"),
}
"""Status and type by reason. A refusal of the provider's key is 401 here as it was there: this wire has no other
word, and the message says whose key it is."""

REASON_HEADER = "antiphon-reason"
"""Names the reason where the wire's types are coarser, so that a chain of edges loses nothing."""

_LONGEST = 2000


def decode_error(reply: HttpReply) -> ServiceError:
    """The meaning of an unsuccessful reply, whatever its body."""
    try:
        body: Json = loads(reply.body)
    except ValueError:
        body = None
    if isinstance(body, dict):
        return body_error(body, reply)
    text = reply.body[:_LONGEST].decode("utf-8", "replace").strip()
    return _error(_by_status(reply.status), text or f"the provider answered with status {reply.status}", {}, reply)


def body_error(body: JsonObject, reply: HttpReply) -> ServiceError:
    """The meaning of a JSON error; it also comes with status 200, and inside a stream."""
    error = body.get("error")
    if not isinstance(error, dict):
        error = {"message": error if isinstance(error, str) else body.get("message")}
    kind, text = error.get("type"), error.get("message")
    message = text if isinstance(text, str) and text else f"the provider answered with status {reply.status}"
    reason = TYPES[kind] if isinstance(kind, str) and kind in TYPES else _by_status(reply.status)
    reason = next((fine for coarse, words, fine in _WORDS if coarse is reason and words.search(message)), reason)
    metadata = {"upstream_code": kind} if isinstance(kind, str) else {}
    if isinstance(body.get("request_id"), str):
        metadata["upstream_request_id"] = body["request_id"]
    details = error.get("details")
    if isinstance(details, dict) and isinstance(details.get("error_code"), str):
        metadata["upstream_error_code"] = details["error_code"]
    return _error(reason, message[:_LONGEST], metadata, reply)


def encode_error(error: ServiceError) -> HttpReply:
    """The error for a client of this wire."""
    status, _ = WRITTEN[error.reason]
    headers = {"content-type": "application/json", REASON_HEADER: error.reason.value}
    if error.retry_after is not None:
        headers["retry-after"] = str(max(1, round(error.retry_after)))
    if request_id := error.metadata.get("upstream_request_id"):
        headers["request-id"] = request_id
    return HttpReply(status=status, body=dumps(error_body(error)), headers=headers)


def error_body(error: ServiceError) -> JsonObject:
    """The JSON of an error, alone or as an event of a stream."""
    body: JsonObject = {"type": "error", "error": {"type": WRITTEN[error.reason][1], "message": error.message}}
    if request_id := error.metadata.get("upstream_request_id"):
        body["request_id"] = request_id
    return body


def _by_status(status: int) -> Reason:
    if status in _STATUSES:
        return _STATUSES[status]
    if 400 <= status < 500:
        return Reason.INVALID_REQUEST
    # An error in a reply that began well broke off on the provider's side.
    return Reason.PROVIDER_UNAVAILABLE if status >= 500 or status == 200 else Reason.UNEXPECTED_STATUS


def _error(reason: Reason, message: str, metadata: dict[str, str], reply: HttpReply) -> ServiceError:
    named = reply.headers.get(REASON_HEADER, "")
    if named in Reason.__members__:
        reason = Reason[named]
    metadata = {"upstream_status": str(reply.status), **metadata}
    if "request-id" in reply.headers:
        metadata.setdefault("upstream_request_id", reply.headers["request-id"])
    return ServiceError(reason, message, metadata=metadata, retry_after=delay(reply.headers, message))
