"""Errors: `{"error": "words"}`, alone or as a line of a stream."""

from __future__ import annotations

import re

from antiphon.core.errors import Reason, ServiceError
from antiphon.wire.base import HttpReply
from antiphon.wire.jsontext import JsonObject, dumps
from antiphon.wire.plain_errors import STATUSES, changed, error_headers, named_reason, read_error

_WORDS: tuple[tuple[re.Pattern[str], Reason], ...] = (
    (
        re.compile(r"does not support (tools|thinking|chat|embed|images|insert|generate)", re.I),
        Reason.UNSUPPORTED_PARAMETER,
    ),
    (re.compile(r"think value .* is not supported", re.I), Reason.UNSUPPORTED_PARAMETER),
    (re.compile(r"exceeds? (the |maximum )?context|input length exceeds", re.I), Reason.CONTEXT_LENGTH_EXCEEDED),
    (re.compile(r"model .*not found|no such model|pull model", re.I), Reason.MODEL_NOT_FOUND),
    (re.compile(r"server busy|maximum pending requests", re.I), Reason.OVERLOADED),
    (re.compile(r"requires more system memory|out of memory|runner process", re.I), Reason.PROVIDER_UNAVAILABLE),
)
"""Ollama's own words, which the statuses 400 and 500 do not tell apart."""


def decode_error(reply: HttpReply) -> ServiceError:
    """The meaning of an unsuccessful reply, whatever its body."""
    error = read_error(reply)
    if named_reason(reply) is not None:
        return error
    reason = next((reason for words, reason in _WORDS if words.search(error.message)), error.reason)
    return error if reason is error.reason else changed(error, reason, reply)


def line_error(line: JsonObject) -> ServiceError:
    """The meaning of an error that ends a stream which began well."""
    status = line.get("StatusCode") or line.get("status_code")
    code = status if type(status) is int and 300 <= status < 600 else 200
    error = decode_error(HttpReply(status=code, body=dumps(line)))
    named = line.get("reason")
    if isinstance(named, str) and named in Reason.__members__:
        return changed(error, Reason[named], HttpReply(status=code, body=b""))
    return error


def encode_error(error: ServiceError) -> HttpReply:
    """The error for a client of this wire."""
    return HttpReply(status=STATUSES[error.reason], body=dumps({"error": error.message}), headers=error_headers(error))


def error_line(error: ServiceError) -> bytes:
    """The line that ends a stream which fails; a header cannot tell the reason any more, so the line does."""
    return dumps({"error": error.message, "reason": error.reason.value}) + b"\n"
