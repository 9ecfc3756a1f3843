"""Errors: the bodies are those of OpenAI's chat format; inside answers and streams they have shapes of their own."""

from __future__ import annotations

from antiphon.core.errors import Reason, ServiceError
from antiphon.wire.base import HttpReply
from antiphon.wire.jsontext import Json, JsonObject, dumps
from antiphon.wire.openai_chat.error_words import WRITTEN
from antiphon.wire.openai_chat.errors import error_object, lift_error, lower_error

__all__ = ["body_error", "error_event", "failure", "lift_error", "lower_error"]

_CODES = {
    "invalid_prompt": Reason.CONTENT_BLOCKED,
    "bio_policy": Reason.CONTENT_BLOCKED,
    "misalignment_policy_violation": Reason.CONTENT_BLOCKED,
    "image_content_policy_violation": Reason.CONTENT_BLOCKED,
    "data_residency_mismatch": Reason.INVALID_REQUEST,
    "vector_store_timeout": Reason.PROVIDER_UNAVAILABLE,
    "server_error": Reason.PROVIDER_UNAVAILABLE,
    "rate_limit_exceeded": Reason.RATE_LIMIT_EXCEEDED,
    "previous_response_not_found": Reason.RESOURCE_NOT_FOUND,
}
"""Codes of failed answers that chat does not know. Those about images begin alike or tell of one."""
_IMAGES = ("image", "base64")


def body_error(error: Json, status: int = 200) -> ServiceError:
    """The error that an answer or an event of a stream says; `error` is its object or text."""
    body: JsonObject = {"error": error if isinstance(error, dict | str) else {}}
    found = lift_error(HttpReply(status=status, body=dumps(body)))
    code = error.get("code") if isinstance(error, dict) else None
    if isinstance(code, str):
        if code in _CODES:
            found.reason = _CODES[code]
        elif any(word in code for word in _IMAGES) and found.reason is Reason.PROVIDER_UNAVAILABLE:
            found.reason = Reason.INVALID_REQUEST
    return found


def failure(error: ServiceError) -> JsonObject:
    """The `error` of a failed answer."""
    return {"code": WRITTEN[error.reason].code or "server_error", "message": error.message}


def error_event(error: ServiceError, number: int) -> JsonObject:
    """The event that ends a stream that fails."""
    inner = error_object(error)["error"]
    return {
        "type": "error",
        "code": inner["code"] or inner["type"],
        "message": inner["message"],
        "param": inner["param"],
        "sequence_number": number,
    }
