"""Errors of the Messages API and their way back."""

from __future__ import annotations

import json

import pytest

from antiphon.core.errors import Reason, ServiceError
from antiphon.wire.anthropic_messages.codec import AnthropicMessages
from antiphon.wire.anthropic_messages.errors import TYPES, WRITTEN
from antiphon.wire.base import HttpReply

WIRE = AnthropicMessages()


def _reply(status: int, kind: str, message: str = "no", **headers: str) -> HttpReply:
    body = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpReply(status=status, body=json.dumps(body).encode(), headers=named)


@pytest.mark.parametrize(
    ("status", "kind", "message", "reason"),
    [
        (400, "invalid_request_error", "max_tokens: Field required", Reason.INVALID_REQUEST),
        (400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000", Reason.CONTEXT_LENGTH_EXCEEDED),
        (
            400,
            "invalid_request_error",
            "input length and `max_tokens` exceed context limit: 199000 + 9000 > 200000",
            Reason.CONTEXT_LENGTH_EXCEEDED,
        ),
        (400, "invalid_request_error", "Your credit balance is too low to access the API", Reason.QUOTA_EXCEEDED),
        (400, "invalid_request_error", "You have reached your specified API usage limits.", Reason.QUOTA_EXCEEDED),
        (400, "invalid_request_error", "Output blocked by content filtering policy", Reason.CONTENT_BLOCKED),
        (401, "authentication_error", "invalid x-api-key", Reason.INVALID_CREDENTIALS),
        (401, "authentication_error", "OAuth token has expired.", Reason.TOKEN_EXPIRED),
        (402, "billing_error", "no", Reason.QUOTA_EXCEEDED),
        (403, "permission_error", "no", Reason.SCOPE_INSUFFICIENT),
        (404, "not_found_error", "model: claude-0", Reason.MODEL_NOT_FOUND),
        (404, "not_found_error", "Not Found", Reason.RESOURCE_NOT_FOUND),
        (409, "conflict_error", "no", Reason.INVALID_REQUEST),
        (413, "request_too_large", "no", Reason.MESSAGE_TOO_LARGE),
        (429, "rate_limit_error", "no", Reason.RATE_LIMIT_EXCEEDED),
        (500, "api_error", "Internal server error", Reason.PROVIDER_UNAVAILABLE),
        (504, "timeout_error", "no", Reason.OUTCOME_UNKNOWN),
        (529, "overloaded_error", "Overloaded", Reason.OVERLOADED),
        (418, "teapot_error", "no", Reason.INVALID_REQUEST),
    ],
)
def test_every_error_has_its_reason_and_keeps_it(status: int, kind: str, message: str, reason: Reason) -> None:
    error = WIRE.decode_error(_reply(status, kind, message))
    assert (error.reason, error.message) == (reason, message)
    assert error.metadata["upstream_status"] == str(status)
    assert error.metadata["upstream_code"] == kind
    assert error.metadata["upstream_request_id"] == "req_1"
    written = WIRE.encode_error(error)
    assert WIRE.decode_error(written).reason is reason
    assert json.loads(written.body)["request_id"] == "req_1"
    bare = HttpReply(status=written.status, body=written.body)
    assert WIRE.decode_error(bare).code is error.code  # a client that knows nothing of our header is not misled


def test_every_type_of_the_api_is_known() -> None:
    documented = {
        "invalid_request_error",
        "authentication_error",
        "billing_error",
        "permission_error",
        "not_found_error",
        "conflict_error",
        "request_too_large",
        "rate_limit_error",
        "api_error",
        "overloaded_error",
        "timeout_error",
    }
    assert documented == set(TYPES)


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_can_be_written_and_read_back(reason: Reason) -> None:
    assert WRITTEN[reason][1] in TYPES
    reply = WIRE.encode_error(ServiceError(reason, "words"))
    assert reply.status == WRITTEN[reason][0]
    assert WIRE.decode_error(reply).reason is reason


def test_the_time_to_wait_goes_both_ways() -> None:
    error = WIRE.decode_error(_reply(429, "rate_limit_error", retry_after="17"))
    assert error.retry_after == 17
    assert WIRE.encode_error(error).headers["retry-after"] == "17"
    assert WIRE.decode_error(_reply(429, "rate_limit_error", retry_after_ms="1500")).retry_after == 1.5
    dated = _reply(429, "rate_limit_error", retry_after="Wed, 21 Oct 2026 07:28:00 GMT")
    assert WIRE.decode_error(dated).retry_after is None


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (502, b"<html>Bad gateway</html>", Reason.PROVIDER_UNAVAILABLE),
        (503, b"", Reason.PROVIDER_UNAVAILABLE),
        (529, b"", Reason.OVERLOADED),
        (524, b"\xff\xfe", Reason.OUTCOME_UNKNOWN),
        (413, b"too big", Reason.MESSAGE_TOO_LARGE),
        (429, b'{"message":"slow down"}', Reason.RATE_LIMIT_EXCEEDED),
        (401, b'{"error":"who?"}', Reason.INVALID_CREDENTIALS),
        (400, b"[]", Reason.INVALID_REQUEST),
        (302, b"moved", Reason.UNEXPECTED_STATUS),
    ],
)
def test_a_body_of_any_shape_has_a_meaning(status: int, body: bytes, reason: Reason) -> None:
    error = WIRE.decode_error(HttpReply(status=status, body=body))
    assert error.reason is reason
    assert error.message


def test_an_error_with_status_200_is_an_error() -> None:
    with pytest.raises(ServiceError) as caught:
        WIRE.decode_response(_reply(200, "overloaded_error"))
    assert caught.value.reason is Reason.OVERLOADED


@pytest.mark.parametrize("body", [b"", b"no", b"[]", b"{}", b'{"content":"x"}', b'{"content":[1]}'])
def test_an_answer_that_cannot_be_read_is_malformed(body: bytes) -> None:
    with pytest.raises(ServiceError) as caught:
        WIRE.decode_response(HttpReply(status=200, body=body))
    assert caught.value.reason is Reason.MALFORMED_RESPONSE


def test_a_count_that_cannot_be_read_is_malformed() -> None:
    with pytest.raises(ServiceError) as caught:
        WIRE.decode_count_response(HttpReply(status=200, body=b'{"input_tokens":"many"}'))
    assert caught.value.reason is Reason.MALFORMED_RESPONSE
