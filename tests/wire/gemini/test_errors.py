"""Google's errors and their way back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from antiphon.core.errors import FieldViolation, Reason, ServiceError
from antiphon.wire.base import HttpReply
from antiphon.wire.gemini.codec import Gemini
from antiphon.wire.gemini.errors import STATES

WIRE = Gemini()
_RPC = "type.googleapis.com/google.rpc."


def _reply(status: int, state: str, message: str = "no", *details: dict[str, Any], **headers: str) -> HttpReply:
    error = {"code": status, "message": message, "status": state, "details": list(details)}
    return HttpReply(status=status, body=json.dumps({"error": error}).encode(), headers=headers)


def _info(reason: str) -> dict[str, Any]:
    return {"@type": f"{_RPC}ErrorInfo", "reason": reason, "domain": "googleapis.com"}


def _quota(name: str) -> dict[str, Any]:
    return {"@type": f"{_RPC}QuotaFailure", "violations": [{"quotaId": name}]}


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (_reply(400, "INVALID_ARGUMENT", "Invalid value at 'contents'"), Reason.INVALID_REQUEST),
        (
            _reply(
                400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", _info("API_KEY_INVALID")
            ),
            Reason.INVALID_CREDENTIALS,
        ),
        (_reply(400, "INVALID_ARGUMENT", "API key not valid."), Reason.INVALID_CREDENTIALS),
        (_reply(400, "INVALID_ARGUMENT", "API key expired. Please renew the API key."), Reason.TOKEN_EXPIRED),
        (
            _reply(400, "INVALID_ARGUMENT", "The input token count (1200001) exceeds the maximum number of tokens"),
            Reason.CONTEXT_LENGTH_EXCEEDED,
        ),
        (_reply(400, "INVALID_ARGUMENT", "Request payload size exceeds the limit"), Reason.MESSAGE_TOO_LARGE),
        (_reply(400, "FAILED_PRECONDITION", "User location is not supported"), Reason.SCOPE_INSUFFICIENT),
        (_reply(400, "FAILED_PRECONDITION", "Please enable billing on project"), Reason.QUOTA_EXCEEDED),
        (_reply(401, "UNAUTHENTICATED", "no", _info("ACCESS_TOKEN_EXPIRED")), Reason.TOKEN_EXPIRED),
        (_reply(401, "UNAUTHENTICATED", "Request had invalid authentication credentials"), Reason.INVALID_CREDENTIALS),
        (_reply(403, "PERMISSION_DENIED", "no", _info("SERVICE_DISABLED")), Reason.SCOPE_INSUFFICIENT),
        (_reply(403, "PERMISSION_DENIED", "Your API key was reported as leaked"), Reason.INVALID_CREDENTIALS),
        (_reply(403, "PERMISSION_DENIED", "no", _info("BILLING_DISABLED")), Reason.QUOTA_EXCEEDED),
        (_reply(404, "NOT_FOUND", "models/x is not found for API version v1beta"), Reason.MODEL_NOT_FOUND),
        (_reply(404, "NOT_FOUND", "Publisher Model `projects/p` was not found"), Reason.MODEL_NOT_FOUND),
        (_reply(404, "NOT_FOUND", "Cached content not found"), Reason.RESOURCE_NOT_FOUND),
        (_reply(429, "RESOURCE_EXHAUSTED", "Resource exhausted. Please try again later."), Reason.RATE_LIMIT_EXCEEDED),
        (
            _reply(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota", _quota("RequestsPerMinutePerModel")),
            Reason.RATE_LIMIT_EXCEEDED,
        ),
        (
            _reply(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota", _quota("RequestsPerDayPerModel")),
            Reason.QUOTA_EXCEEDED,
        ),
        (_reply(499, "CANCELLED"), Reason.CANCELLED),
        (_reply(500, "INTERNAL", "An internal error has occurred."), Reason.PROVIDER_UNAVAILABLE),
        (_reply(501, "UNIMPLEMENTED"), Reason.UNSUPPORTED_OPERATION),
        (_reply(503, "UNAVAILABLE", "The model is overloaded. Please try again later."), Reason.OVERLOADED),
        (_reply(504, "DEADLINE_EXCEEDED"), Reason.OUTCOME_UNKNOWN),
        (_reply(418, "TEAPOT"), Reason.INVALID_REQUEST),
    ],
)
def test_every_error_has_its_reason_and_keeps_it(reply: HttpReply, reason: Reason) -> None:
    error = WIRE.decode_error(reply)
    assert error.reason is reason
    assert error.metadata["upstream_status"] == str(reply.status)
    listed = HttpReply(status=reply.status, body=b"[" + reply.body + b"]")
    assert WIRE.decode_error(listed).reason is reason  # as a stream without `alt=sse` fails
    again = WIRE.decode_error(WIRE.encode_error(error))
    assert (again.reason, again.message) == (reason, error.message)


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_can_be_written_and_read_back(reason: Reason) -> None:
    reply = WIRE.encode_error(ServiceError(reason, "words"))
    body = json.loads(reply.body)["error"]
    assert body["code"] == reply.status >= 400
    assert body["status"] in STATES
    assert WIRE.decode_error(reply).reason is reason


def test_details_go_both_ways() -> None:
    fields = {"@type": f"{_RPC}BadRequest", "fieldViolations": [{"field": "contents", "description": "is empty"}]}
    retry = {"@type": f"{_RPC}RetryInfo", "retryDelay": "48.5s"}
    error = WIRE.decode_error(_reply(429, "RESOURCE_EXHAUSTED", "no", fields, retry, _quota("TokensPerMinute")))
    assert error.retry_after == 48.5
    assert error.quota == "TokensPerMinute"
    assert error.violations == (FieldViolation(field="contents", description="is empty"),)
    again = WIRE.decode_error(WIRE.encode_error(error))
    assert (again.retry_after, again.violations) == (49, error.violations)  # whole seconds, never too early


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (502, b"<html>Bad gateway</html>", Reason.PROVIDER_UNAVAILABLE),
        (503, b"", Reason.PROVIDER_UNAVAILABLE),
        (413, b"too big", Reason.MESSAGE_TOO_LARGE),
        (429, b'{"message":"slow down"}', Reason.RATE_LIMIT_EXCEEDED),
        (401, b'{"error":"who?"}', Reason.INVALID_CREDENTIALS),
        (400, b"[]", Reason.INVALID_REQUEST),
        (400, b'{"error":{"message":7,"details":"x"}}', Reason.INVALID_REQUEST),
        (302, b"moved", Reason.UNEXPECTED_STATUS),
    ],
)
def test_a_body_of_any_shape_has_a_meaning(status: int, body: bytes, reason: Reason) -> None:
    error = WIRE.decode_error(HttpReply(status=status, body=body))
    assert error.reason is reason
    assert error.message


def test_an_error_with_status_200_is_an_error() -> None:
    reply = _reply(503, "UNAVAILABLE", "overloaded")
    with pytest.raises(ServiceError) as caught:
        WIRE.decode_response(HttpReply(status=200, body=reply.body))
    assert caught.value.reason is Reason.OVERLOADED


@pytest.mark.parametrize("body", [b"", b"no", b"[]", b"{}", b'{"candidates":"x"}', b'{"candidates":[1]}'])
def test_an_answer_that_cannot_be_read_is_malformed(body: bytes) -> None:
    with pytest.raises(ServiceError) as caught:
        WIRE.decode_response(HttpReply(status=200, body=body))
    assert caught.value.reason is Reason.MALFORMED_RESPONSE
