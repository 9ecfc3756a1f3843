"""Errors: `{"message"}` with the word in the header `x-amzn-errortype`, or in `__type`, or exceptions of a stream."""

from __future__ import annotations

import re
from collections.abc import Mapping

from antiphon.core.errors import Reason, ServiceError
from antiphon.wire.base import HttpReply
from antiphon.wire.eventstream import Frame
from antiphon.wire.jsontext import Json, JsonObject, dumps, loads
from antiphon.wire.plain_errors import STATUSES, changed, error_headers, named_reason, read_error

TYPE_HEADER = "x-amzn-errortype"
_R = Reason
TYPES: Mapping[str, Reason] = {
    "ValidationException": _R.INVALID_REQUEST,
    "SerializationException": _R.INVALID_REQUEST,
    "AccessDeniedException": _R.SCOPE_INSUFFICIENT,
    "OptInRequired": _R.SCOPE_INSUFFICIENT,
    "UnrecognizedClientException": _R.INVALID_CREDENTIALS,
    "InvalidSignatureException": _R.INVALID_CREDENTIALS,
    "IncompleteSignature": _R.INVALID_CREDENTIALS,
    "IncompleteSignatureException": _R.INVALID_CREDENTIALS,
    "InvalidClientTokenId": _R.INVALID_CREDENTIALS,
    "MissingAuthenticationToken": _R.INVALID_CREDENTIALS,
    "MissingAuthenticationTokenException": _R.INVALID_CREDENTIALS,
    "NotAuthorized": _R.SCOPE_INSUFFICIENT,
    "ExpiredTokenException": _R.TOKEN_EXPIRED,
    "ExpiredToken": _R.TOKEN_EXPIRED,
    "RequestExpired": _R.TOKEN_EXPIRED,
    "ResourceNotFoundException": _R.MODEL_NOT_FOUND,
    "UnknownOperationException": _R.UNSUPPORTED_OPERATION,
    "ThrottlingException": _R.RATE_LIMIT_EXCEEDED,
    "TooManyRequestsException": _R.RATE_LIMIT_EXCEEDED,
    "ServiceQuotaExceededException": _R.QUOTA_EXCEEDED,
    "ModelNotReadyException": _R.OVERLOADED,
    "ModelTimeoutException": _R.OUTCOME_UNKNOWN,
    "ModelErrorException": _R.PROVIDER_UNAVAILABLE,
    "ModelStreamErrorException": _R.PROVIDER_UNAVAILABLE,
    "InternalServerException": _R.PROVIDER_UNAVAILABLE,
    "InternalFailure": _R.PROVIDER_UNAVAILABLE,
    "ServiceUnavailableException": _R.OVERLOADED,
    "ServiceUnavailable": _R.OVERLOADED,
}
"""Reason by the provider's word. The words that all of Amazon's services share are among them."""
_FINER: tuple[tuple[Reason, re.Pattern[str], Reason], ...] = tuple(
    (coarse, re.compile(pattern, re.IGNORECASE), fine)
    for coarse, pattern, fine in (
        (_R.INVALID_REQUEST, r"model identifier is invalid|model.{0,40}not found", _R.MODEL_NOT_FOUND),
        (_R.INVALID_REQUEST, r"on-demand throughput isn.t supported|end of its life", _R.MODEL_NOT_FOUND),
        (
            _R.INVALID_REQUEST,
            r"input is too long|prompt is too long|too many (input )?tokens|context (length|window|limit)"
            r"|input tokens? exceed|exceeds? the (maximum|model).{0,30}tokens",
            _R.CONTEXT_LENGTH_EXCEEDED,
        ),
        (_R.INVALID_REQUEST, r"content filter|content policy|blocked by", _R.CONTENT_BLOCKED),
        (_R.INVALID_REQUEST, r"extraneous key|not supported|isn't supported|doesn't support", _R.UNSUPPORTED_PARAMETER),
        (_R.SCOPE_INSUFFICIENT, r"security token .{0,40}expired", _R.TOKEN_EXPIRED),
        (_R.SCOPE_INSUFFICIENT, r"security token .{0,40}invalid|signature", _R.INVALID_CREDENTIALS),
        (_R.RATE_LIMIT_EXCEEDED, r"tokens per day|daily", _R.QUOTA_EXCEEDED),
    )
)
_WORDS: Mapping[Reason, str] = {
    _R.INVALID_REQUEST: "ValidationException",
    _R.CONTEXT_LENGTH_EXCEEDED: "ValidationException",
    _R.UNSUPPORTED_PARAMETER: "ValidationException",
    _R.CONTENT_BLOCKED: "ValidationException",
    _R.MESSAGE_TOO_LARGE: "ValidationException",
    _R.INVALID_CREDENTIALS: "UnrecognizedClientException",
    _R.CREDENTIALS_MISSING: "MissingAuthenticationTokenException",
    _R.UNAUTHENTICATED: "UnrecognizedClientException",
    _R.TOKEN_EXPIRED: "ExpiredTokenException",
    _R.SCOPE_INSUFFICIENT: "AccessDeniedException",
    _R.PERMISSION_DENIED: "AccessDeniedException",
    _R.MODE_NOT_ALLOWED: "AccessDeniedException",
    _R.SECRET_IN_RECORDING: "AccessDeniedException",
    _R.MODEL_NOT_FOUND: "ResourceNotFoundException",
    _R.PROVIDER_NOT_FOUND: "ResourceNotFoundException",
    _R.RESOURCE_NOT_FOUND: "ResourceNotFoundException",
    _R.RECORDING_MISSING: "ResourceNotFoundException",
    _R.UNSUPPORTED_OPERATION: "UnknownOperationException",
    _R.RATE_LIMIT_EXCEEDED: "ThrottlingException",
    _R.QUOTA_EXCEEDED: "ServiceQuotaExceededException",
    _R.ALL_KEYS_EXHAUSTED: "ThrottlingException",
    _R.OUTCOME_UNKNOWN: "ModelTimeoutException",
    _R.DEADLINE_EXCEEDED: "ModelTimeoutException",
    _R.OVERLOADED: "ServiceUnavailableException",
    _R.SHUTTING_DOWN: "ServiceUnavailableException",
    _R.BACKEND_UNAVAILABLE: "ServiceUnavailableException",
}
"""The wire's word by reason; InternalServerException for every other."""
_BY_WORD: Mapping[str, int] = {
    "ValidationException": 400,
    "UnrecognizedClientException": 403,
    "MissingAuthenticationTokenException": 403,
    "ExpiredTokenException": 403,
    "AccessDeniedException": 403,
    "ResourceNotFoundException": 404,
    "UnknownOperationException": 404,
    "ServiceQuotaExceededException": 400,
    "ThrottlingException": 429,
    "ModelTimeoutException": 408,
    "ServiceUnavailableException": 503,
}
_STREAMED = frozenset({"ValidationException", "ThrottlingException", "ServiceUnavailableException"})
"""The words that a stream knows, beside InternalServerException and ModelStreamErrorException."""
_REASON = "antiphonReason"


def decode_error(reply: HttpReply) -> ServiceError:
    """The meaning of an unsuccessful reply, whatever its body."""
    named = named_reason(reply)
    error = read_error(_small_letters(reply))
    word = _word(reply)
    error.metadata["upstream_status"] = str(reply.status)
    if word:
        error.metadata["upstream_code"] = word
    if request_id := reply.headers.get("x-amzn-requestid"):
        error.metadata["upstream_request_id"] = request_id
    if named is not None:
        return error
    reason = TYPES.get(word)
    if reason is None:
        # Without a word, 403 may be about the key, and 424 is the model's own failure.
        reason = _R.INVALID_REQUEST if error.reason is _R.UNSUPPORTED_PARAMETER else error.reason
    fine = next((fine for coarse, words, fine in _FINER if coarse is reason and words.search(error.message)), reason)
    return error if fine is error.reason else changed(error, fine, reply)


def frame_error(frame: Frame) -> ServiceError:
    """The meaning of an exception or an error that ends a stream."""
    word = frame.text(":exception-type") or frame.text(":error-code")
    word = word[:1].upper() + word[1:]
    try:
        body: Json = loads(frame.payload) if frame.payload else {}
    except ValueError:
        body = {}
    if not isinstance(body, dict):
        body = {}
    if frame.text(":error-message"):
        body["message"] = frame.text(":error-message")
    status = body.get("originalStatusCode")
    reply = HttpReply(
        status=status if type(status) is int and 400 <= status < 600 else 200,
        body=dumps({"message": body.get("message") or body.get("originalMessage") or word}),
        headers={TYPE_HEADER: word},
    )
    error = decode_error(reply)
    named = body.get(_REASON)
    if isinstance(named, str) and named in Reason.__members__:
        return changed(error, Reason[named], reply)
    if word == "ModelStreamErrorException" and reply.status == 429:
        return changed(error, _R.RATE_LIMIT_EXCEEDED, reply)
    return error


def encode_error(error: ServiceError) -> HttpReply:
    """The error for a client of this wire."""
    word = _WORDS.get(error.reason, "InternalServerException")
    headers = error_headers(error) | {TYPE_HEADER: word}
    if request_id := error.metadata.get("upstream_request_id"):
        headers["x-amzn-requestid"] = request_id
    status = _BY_WORD.get(word, max(500, STATUSES[error.reason]))
    return HttpReply(status=status, body=dumps({"message": error.message}), headers=headers)


def exception(error: ServiceError) -> tuple[str, JsonObject]:
    """The name and the body of the exception that ends a stream; a header cannot tell the reason, so the body does."""
    word = _WORDS.get(error.reason, "InternalServerException")
    word = word if word in _STREAMED else "InternalServerException"
    return word[:1].lower() + word[1:], {"message": error.message, _REASON: error.reason.value}


def _small_letters(reply: HttpReply) -> HttpReply:
    """The reply with `Message` as `message`: the parts of Amazon in front of the service write it so."""
    try:
        body = loads(reply.body)
    except ValueError:
        return reply
    if not isinstance(body, dict) or "Message" not in body or "message" in body:
        return reply
    return HttpReply(status=reply.status, body=dumps({**body, "message": body["Message"]}), headers=reply.headers)


def _word(reply: HttpReply) -> str:
    """The provider's word: `ValidationException:http://...`, or `com.amazon.coral#ValidationException`."""
    word = reply.headers.get(TYPE_HEADER, "")
    if not word:
        try:
            body = loads(reply.body)
        except ValueError:
            return ""
        for key in ("__type", "code"):
            if isinstance(body, dict) and isinstance(body.get(key), str):
                word = body[key]
                break
    return word.partition(":")[0].rpartition("#")[2].rpartition("/")[2]
