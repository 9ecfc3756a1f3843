"""Errors, both ways. Google's status and the details beside it say more than the number; words tell the rest."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping

from antiphon.core.errors import DOMAIN, FieldViolation, Reason, ServiceError
from antiphon.wire.base import HttpReply
from antiphon.wire.fields import objects
from antiphon.wire.jsontext import Json, JsonObject, dumps, loads
from antiphon.wire.plain_errors import STATUSES
from antiphon.wire.retry_after import delay

_R = Reason
STATES: Mapping[str, Reason] = {
    "INVALID_ARGUMENT": _R.INVALID_REQUEST,
    "FAILED_PRECONDITION": _R.INVALID_REQUEST,
    "OUT_OF_RANGE": _R.INVALID_REQUEST,
    "ALREADY_EXISTS": _R.INVALID_REQUEST,
    "UNAUTHENTICATED": _R.INVALID_CREDENTIALS,
    "PERMISSION_DENIED": _R.SCOPE_INSUFFICIENT,
    "NOT_FOUND": _R.RESOURCE_NOT_FOUND,
    "RESOURCE_EXHAUSTED": _R.RATE_LIMIT_EXCEEDED,
    "ABORTED": _R.PROVIDER_UNAVAILABLE,
    "CANCELLED": _R.CANCELLED,
    "INTERNAL": _R.PROVIDER_UNAVAILABLE,
    "UNKNOWN": _R.PROVIDER_UNAVAILABLE,
    "DATA_LOSS": _R.PROVIDER_UNAVAILABLE,
    "UNAVAILABLE": _R.PROVIDER_UNAVAILABLE,
    "DEADLINE_EXCEEDED": _R.OUTCOME_UNKNOWN,
    "UNIMPLEMENTED": _R.UNSUPPORTED_OPERATION,
}
"""Reason by canonical status."""
_NUMBERS: Mapping[int, str] = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_INFO: Mapping[str, Reason] = {
    "API_KEY_INVALID": _R.INVALID_CREDENTIALS,
    "API_KEY_EXPIRED": _R.TOKEN_EXPIRED,
    "API_KEY_SERVICE_BLOCKED": _R.SCOPE_INSUFFICIENT,
    "ACCESS_TOKEN_EXPIRED": _R.TOKEN_EXPIRED,
    "ACCESS_TOKEN_SCOPE_INSUFFICIENT": _R.SCOPE_INSUFFICIENT,
    "ACCESS_TOKEN_TYPE_UNSUPPORTED": _R.INVALID_CREDENTIALS,
    "CREDENTIALS_MISSING": _R.INVALID_CREDENTIALS,
    "BILLING_DISABLED": _R.QUOTA_EXCEEDED,
    "RATE_LIMIT_EXCEEDED": _R.RATE_LIMIT_EXCEEDED,
}
"""Reason by google.rpc.ErrorInfo's, of the domain googleapis.com."""
_WORDS: tuple[tuple[Reason, re.Pattern[str], Reason], ...] = (
    (
        _R.INVALID_REQUEST,
        re.compile(r"token count .*exceeds|exceeds the maximum number of tokens|context (length|window)", re.I),
        _R.CONTEXT_LENGTH_EXCEEDED,
    ),
    (_R.INVALID_REQUEST, re.compile(r"api key expired", re.I), _R.TOKEN_EXPIRED),
    (_R.INVALID_REQUEST, re.compile(r"api key not (valid|found)|invalid api key", re.I), _R.INVALID_CREDENTIALS),
    (_R.INVALID_REQUEST, re.compile(r"enable billing|billing account", re.I), _R.QUOTA_EXCEEDED),
    (_R.INVALID_REQUEST, re.compile(r"user location is not supported", re.I), _R.SCOPE_INSUFFICIENT),
    (_R.INVALID_REQUEST, re.compile(r"request payload size exceeds|too large", re.I), _R.MESSAGE_TOO_LARGE),
    (_R.INVALID_REQUEST, re.compile(r"blocked|prohibited content", re.I), _R.CONTENT_BLOCKED),
    (_R.INVALID_CREDENTIALS, re.compile(r"expired", re.I), _R.TOKEN_EXPIRED),
    (_R.SCOPE_INSUFFICIENT, re.compile(r"api key (was )?(reported|not valid|invalid)", re.I), _R.INVALID_CREDENTIALS),
    (_R.SCOPE_INSUFFICIENT, re.compile(r"billing", re.I), _R.QUOTA_EXCEEDED),
    (_R.RESOURCE_NOT_FOUND, re.compile(r"\bmodels?\b", re.I), _R.MODEL_NOT_FOUND),
    (
        _R.RATE_LIMIT_EXCEEDED,
        re.compile(r"per ?day|spend(ing)? (cap|limit)|credits|limit: 0\b", re.I),
        _R.QUOTA_EXCEEDED,
    ),
    (_R.PROVIDER_UNAVAILABLE, re.compile(r"overloaded|high demand", re.I), _R.OVERLOADED),
)
"""Reason, words of the message or of a quota's name, and the narrower reason that they tell."""

STATUS_WORDS: Mapping[Reason, str] = {
    _R.INVALID_REQUEST: "INVALID_ARGUMENT",
    _R.CONTEXT_LENGTH_EXCEEDED: "INVALID_ARGUMENT",
    _R.UNSUPPORTED_PARAMETER: "INVALID_ARGUMENT",
    _R.CONTENT_BLOCKED: "INVALID_ARGUMENT",
    _R.MESSAGE_TOO_LARGE: "INVALID_ARGUMENT",
    _R.QUOTA_EXCEEDED: "RESOURCE_EXHAUSTED",
    _R.ALL_KEYS_EXHAUSTED: "UNAVAILABLE",
}
"""The canonical status where the number does not tell it."""

_TYPE = "type.googleapis.com/google.rpc."
_LONGEST = 2000


def decode_error(reply: HttpReply) -> ServiceError:
    """The meaning of an unsuccessful reply, whatever its body."""
    try:
        body: Json = loads(reply.body)
    except ValueError:
        body = None
    if isinstance(body, list) and body and isinstance(body[0], dict):
        body = body[0]  # a stream without `alt=sse` fails with a list of one
    if isinstance(body, dict):
        return body_error(body, reply)
    text = reply.body[:_LONGEST].decode("utf-8", "replace").strip()
    return _error({}, text or f"the provider answered with status {reply.status}", reply.status, reply)


def body_error(body: JsonObject, reply: HttpReply) -> ServiceError:
    """The meaning of a JSON error; it also comes with status 200, and inside a stream."""
    error = body.get("error")
    if not isinstance(error, dict):
        error = {"message": error if isinstance(error, str) else body.get("message")}
    text, code = error.get("message"), error.get("code")
    status = code if reply.status < 400 and type(code) is int else reply.status
    message = text if isinstance(text, str) and text else f"the provider answered with status {status}"
    return _error(error, message[:_LONGEST], status, reply)


def encode_error(error: ServiceError) -> HttpReply:
    """The error for a client of this wire."""
    headers = {"content-type": "application/json; charset=UTF-8"}
    if error.retry_after is not None:
        headers["retry-after"] = str(max(1, math.ceil(error.retry_after)))
    return HttpReply(status=STATUSES[error.reason], body=dumps(error_body(error)), headers=headers)


def error_body(error: ServiceError) -> JsonObject:
    """The JSON of an error, alone or inside a stream."""
    code = STATUSES[error.reason]
    info: JsonObject = {"@type": f"{_TYPE}ErrorInfo", "reason": error.reason.value, "domain": DOMAIN}
    details: list[JsonObject] = [info]
    if error.metadata:
        info["metadata"] = dict(error.metadata)
    if error.violations:
        fields = [{"field": one.field, "description": one.description} for one in error.violations]
        details.append({"@type": f"{_TYPE}BadRequest", "fieldViolations": fields})
    if error.retry_after is not None:
        details.append({"@type": f"{_TYPE}RetryInfo", "retryDelay": f"{error.retry_after:g}s"})
    status = STATUS_WORDS.get(error.reason) or _NUMBERS.get(code, "UNKNOWN")
    return {"error": {"code": code, "message": error.message, "status": status, "details": details}}


def _error(error: JsonObject, message: str, status: int, reply: HttpReply) -> ServiceError:
    details = list(objects(error.get("details")))
    state = error.get("status")
    reason = _reason(state, status)
    info = _detail(details, "ErrorInfo")
    named = info.get("reason")
    quota = _quota(details)
    if isinstance(named, str) and info.get("domain") == DOMAIN and named in Reason.__members__:
        reason = Reason[named]
    elif isinstance(named, str) and named in _INFO:
        reason = _INFO[named]
    else:
        told = f"{message} {quota}"
        reason = next((fine for coarse, words, fine in _WORDS if coarse is reason and words.search(told)), reason)
    metadata = {"upstream_status": str(status)}
    if isinstance(state, str):
        metadata["upstream_code"] = state
    if isinstance(named, str) and info.get("domain") != DOMAIN:
        metadata["upstream_error_code"] = named
    retry = _detail(details, "RetryInfo").get("retryDelay")
    wait = delay(reply.headers, message, [retry] if isinstance(retry, str) else ())
    return ServiceError(
        reason, message, metadata=metadata, retry_after=wait, violations=_violations(details), quota=quota
    )


def _reason(state: Json, status: int) -> Reason:
    if isinstance(state, str) and state in STATES:
        return STATES[state]
    if status == 413:
        return Reason.MESSAGE_TOO_LARGE
    if status == 402:
        return Reason.QUOTA_EXCEEDED
    if status in _NUMBERS:
        return STATES[_NUMBERS[status]]
    if 400 <= status < 500:
        return Reason.INVALID_REQUEST
    # An error in a reply that began well broke off on the provider's side.
    return Reason.PROVIDER_UNAVAILABLE if status >= 500 or status == 200 else Reason.UNEXPECTED_STATUS


def _detail(details: Iterable[JsonObject], name: str) -> JsonObject:
    return next((one for one in details if one.get("@type") == f"{_TYPE}{name}"), {})


def _quota(details: Iterable[JsonObject]) -> str:
    """The name of the quota that was used up."""
    for violation in objects(_detail(details, "QuotaFailure").get("violations")):
        for key in ("quotaId", "quotaMetric", "subject"):
            if isinstance(violation.get(key), str):
                return str(violation[key])
    return ""


def _violations(details: Iterable[JsonObject]) -> tuple[FieldViolation, ...]:
    return tuple(
        FieldViolation(field=str(one.get("field", "")), description=str(one.get("description", "")))
        for one in objects(_detail(details, "BadRequest").get("fieldViolations"))
    )
