"""Errors: in bodies, inside answers, inside streams."""

from __future__ import annotations

from typing import Any

import pytest

from antiphon.core.errors import Reason, ServiceError
from antiphon.wire.base import HttpReply
from antiphon.wire.jsontext import dumps, loads
from antiphon.wire.openai_responses.codec import OpenAIResponses
from tests.laws.verdict import UNSPECIFIC
from tests.wire.openai_responses.answers import HEAD

WIRE = OpenAIResponses()
SAMPLES: tuple[tuple[int, Any, Reason], ...] = (
    (
        400,
        {"error": {"message": "bad", "type": "invalid_request_error", "param": "input", "code": None}},
        Reason.INVALID_REQUEST,
    ),
    (
        400,
        {"error": {"message": "Unsupported parameter: 'stop'", "code": "unsupported_parameter"}},
        Reason.UNSUPPORTED_PARAMETER,
    ),
    (401, {"error": {"message": "no", "code": "invalid_api_key"}}, Reason.INVALID_CREDENTIALS),
    (404, {"error": {"message": "The model does not exist", "code": "model_not_found"}}, Reason.MODEL_NOT_FOUND),
    (429, {"error": {"message": "slow down", "code": "rate_limit_exceeded"}}, Reason.RATE_LIMIT_EXCEEDED),
    (429, {"error": {"message": "pay", "code": "insufficient_quota"}}, Reason.QUOTA_EXCEEDED),
    (400, {"code": "Client specified an invalid argument", "error": "Incorrect API key"}, Reason.INVALID_CREDENTIALS),
    (500, {"error": {"message": "oh", "type": "server_error"}}, Reason.PROVIDER_UNAVAILABLE),
    (503, "busy", Reason.OVERLOADED),
)


@pytest.mark.parametrize(("status", "body", "reason"), SAMPLES)
def test_an_error_has_its_reason_and_keeps_it(status: int, body: Any, reason: Reason) -> None:
    error = WIRE.decode_error(HttpReply(status=status, body=dumps(body)))
    assert error.reason is reason
    assert WIRE.decode_error(WIRE.encode_error(error)).reason is reason


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ({"code": "server_error", "message": "oh"}, Reason.PROVIDER_UNAVAILABLE),
        ({"code": "rate_limit_exceeded", "message": "slow"}, Reason.RATE_LIMIT_EXCEEDED),
        ({"code": "invalid_prompt", "message": "no"}, Reason.CONTENT_BLOCKED),
        ({"code": "image_content_policy_violation", "message": "no"}, Reason.CONTENT_BLOCKED),
        ({"code": "invalid_base64_image", "message": "no"}, Reason.INVALID_REQUEST),
        ({"code": "vector_store_timeout", "message": "slow"}, Reason.PROVIDER_UNAVAILABLE),
        (None, Reason.PROVIDER_UNAVAILABLE),
    ],
)
def test_an_answer_that_failed_is_an_error(error: Any, reason: Reason) -> None:
    body = {**HEAD, "status": "failed", "output": [], "error": error}
    with pytest.raises(ServiceError) as caught:
        WIRE.decode_response(HttpReply(status=200, body=dumps(body)))
    assert caught.value.reason is reason


@pytest.mark.parametrize("body", [{"error": {"message": "no", "code": "server_error"}}, {"error": "no such thing"}])
def test_an_error_with_status_200_is_an_error(body: Any) -> None:
    with pytest.raises(ServiceError) as caught:
        WIRE.decode_response(HttpReply(status=200, body=dumps(body)))
    assert caught.value.reason not in UNSPECIFIC


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"output": 1}', b'{"output": ["x"]}'])
def test_a_reply_that_is_no_answer_is_malformed(body: bytes) -> None:
    with pytest.raises(ServiceError) as caught:
        WIRE.decode_response(HttpReply(status=200, body=body))
    assert caught.value.reason is Reason.MALFORMED_RESPONSE


def test_a_count_is_read_and_written() -> None:
    body = {"object": "response.input_tokens", "input_tokens": 12}
    count = WIRE.decode_count_response(HttpReply(status=200, body=dumps(body)))
    assert count.usage.input_tokens == 12
    assert loads(WIRE.encode_count_response(count).body) == body
    with pytest.raises(ServiceError):
        WIRE.decode_count_response(HttpReply(status=200, body=b"{}"))
