"""Errors: `{"id", "message"}`, sometimes with an `error_type`; over SSE they come as an event."""

from __future__ import annotations

import re

from antiphon.core.errors import Reason, ServiceError
from antiphon.wire.base import HttpReply
from antiphon.wire.jsontext import JsonObject, dumps, loads
from antiphon.wire.plain_errors import STATUSES, changed, error_headers, named_reason, read_error

_INVALID_TOKEN, _CANCELLED = 498, 499
_BY_STATUS = {
    _INVALID_TOKEN: Reason.INVALID_CREDENTIALS,
    _CANCELLED: Reason.CANCELLED,
    501: Reason.UNSUPPORTED_OPERATION,
}
"""Statuses that mean something else here than at other providers."""
_WORDS: tuple[tuple[re.Pattern[str], Reason], ...] = (
    (re.compile(r"too many tokens|too long|size limit exceeded", re.I), Reason.CONTEXT_LENGTH_EXCEEDED),
    (re.compile(r"blocked (input|output)|safety", re.I), Reason.CONTENT_BLOCKED),
    (re.compile(r"(calls?|requests?) / month|monthly|billing", re.I), Reason.QUOTA_EXCEEDED),
)
_REASON = "reason"


def decode_error(reply: HttpReply) -> ServiceError:
    """The meaning of an unsuccessful reply, whatever its body."""
    error = read_error(reply)
    try:
        body = loads(reply.body)
    except ValueError:
        body = None
    if isinstance(body, dict) and isinstance(body.get("id"), str):
        error.metadata.setdefault("upstream_request_id", body["id"])
    if named_reason(reply) is not None:
        return error
    reason = _BY_STATUS.get(reply.status)
    if reason is None and error.reason in (Reason.INVALID_REQUEST, Reason.RATE_LIMIT_EXCEEDED):
        reason = next((reason for words, reason in _WORDS if words.search(error.message)), None)
    return error if reason is None or reason is error.reason else changed(error, reason, reply)


def event_error(data: JsonObject) -> ServiceError:
    """The meaning of an error that ends a stream which began well."""
    status = data.get("status_code")
    code = status if type(status) is int and 300 <= status < 600 else 200
    reply = HttpReply(status=code, body=dumps({key: value for key, value in data.items() if key != "type"}))
    error, named = decode_error(reply), data.get(_REASON)
    if isinstance(named, str) and named in Reason.__members__:
        return changed(error, Reason[named], reply)
    return error


def encode_error(error: ServiceError) -> HttpReply:
    """The error for a client of this wire."""
    headers = error_headers(error)
    return HttpReply(status=STATUSES[error.reason], body=dumps(error_body(error)), headers=headers)


def error_body(error: ServiceError, *, named: bool = False) -> JsonObject:
    """The JSON of an error; `named` tells the reason, where no header can."""
    body: JsonObject = {}
    if request_id := error.metadata.get("upstream_request_id"):
        body["id"] = request_id
    body["message"] = error.message
    return {**body, _REASON: error.reason.value} if named else body
