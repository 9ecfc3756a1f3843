"""Errors of OpenAI's chat format in every shape, and written for its clients."""

from __future__ import annotations

import json
from typing import Any

import pytest

from antiphon.core.errors import Reason, ServiceError, invalid
from antiphon.wire.base import HttpReply
from antiphon.wire.openai_chat import OpenAIChat
from antiphon.wire.openai_chat.error_words import STATUSES, WRITTEN

R = Reason
WIRE = OpenAIChat()


def lifted(status: int, body: Any = b"", **headers: str) -> ServiceError:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return WIRE.decode_error(
        HttpReply(status=status, body=data, headers={k.replace("_", "-"): v for k, v in headers.items()})
    )


def openai(message: str, **fields: Any) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None, **fields}}


SHAPES: list[tuple[int, Any, Reason]] = [
    (401, openai("Incorrect API key provided", code="invalid_api_key"), R.INVALID_CREDENTIALS),
    (400, openai("This model's maximum context length is 5 tokens"), R.CONTEXT_LENGTH_EXCEEDED),
    (400, openai("x", code="context_length_exceeded"), R.CONTEXT_LENGTH_EXCEEDED),
    (400, {"error": {"message": "too long", "type": "too_many_prompt_tokens", "code": 400}}, R.CONTEXT_LENGTH_EXCEEDED),
    (400, {"error_type": "TOO_MANY_TOKENS", "message": "x"}, R.CONTEXT_LENGTH_EXCEEDED),
    (404, openai("The model `x` does not exist", code="model_not_found"), R.MODEL_NOT_FOUND),
    (404, {"error": "model 'x' not found"}, R.MODEL_NOT_FOUND),
    (400, {"detail": "Model x is not supported. Supported models are y"}, R.MODEL_NOT_FOUND),
    (404, {"error": {"code": "404", "message": "Resource not found"}}, R.RESOURCE_NOT_FOUND),
    (404, {"error": {"code": "DeploymentNotFound", "message": "x"}}, R.MODEL_NOT_FOUND),
    (429, openai("slow down", type="requests", code="rate_limit_exceeded"), R.RATE_LIMIT_EXCEEDED),
    (429, openai("You exceeded your current quota", code="insufficient_quota"), R.QUOTA_EXCEEDED),
    (429, {"error": {"code": "RateLimitReached", "message": "x"}}, R.RATE_LIMIT_EXCEEDED),
    (429, b"", R.RATE_LIMIT_EXCEEDED),
    (402, {"error": {"message": "Insufficient Balance"}}, R.QUOTA_EXCEEDED),
    (403, {"error": {"message": "no access", "code": 403}}, R.SCOPE_INSUFFICIENT),
    (403, {"message": "The security token included in the request is expired"}, R.TOKEN_EXPIRED),
    (400, {"code": "invalid-argument", "error": "Incorrect API key provided."}, R.INVALID_CREDENTIALS),
    (400, openai("Unsupported parameter: 'max_tokens'", code="unsupported_parameter"), R.UNSUPPORTED_PARAMETER),
    (400, openai("property 'foo' is unsupported"), R.UNSUPPORTED_PARAMETER),
    (400, openai("blocked", code="content_filter"), R.CONTENT_BLOCKED),
    (413, {"message": "prompt is too long"}, R.MESSAGE_TOO_LARGE),
    (422, {"detail": [{"loc": ["body", "messages", 0], "msg": "field required"}]}, R.INVALID_REQUEST),
    (401, {"detail": "Invalid API Key"}, R.INVALID_CREDENTIALS),
    (400, {"object": "error", "message": "bad", "type": "BadRequestError", "code": 400}, R.INVALID_REQUEST),
    (400, [{"error": {"code": 400, "message": "bad", "status": "INVALID_ARGUMENT"}}], R.INVALID_REQUEST),
    (500, openai("The model is not found", type="server_error"), R.PROVIDER_UNAVAILABLE),
    (500, b"<html><head><title>500 Internal Server Error</title></head></html>", R.PROVIDER_UNAVAILABLE),
    (502, b"upstream connect error", R.PROVIDER_UNAVAILABLE),
    (503, b"", R.OVERLOADED),
    (529, {"error": {"type": "overloaded_error", "message": "Overloaded"}}, R.OVERLOADED),
    (504, b"", R.OUTCOME_UNKNOWN),
    (418, b"teapot", R.INVALID_REQUEST),
    (599, b"\xff\xfe", R.PROVIDER_UNAVAILABLE),
    (302, b"", R.UNEXPECTED_STATUS),
    (400, b"null", R.INVALID_REQUEST),
    (400, {"error": {"message": None, "code": True, "type": ["x"]}}, R.INVALID_REQUEST),
]


@pytest.mark.parametrize(("status", "body", "reason"), SHAPES)
def test_every_shape_has_its_reason(status: int, body: Any, reason: Reason) -> None:
    error = lifted(status, body)
    assert error.reason is reason
    assert error.message
    assert error.metadata["upstream_status"] == str(status)


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason not in (R.INTERNAL,)])
def test_every_reason_is_written_and_read_again(reason: Reason) -> None:
    reply = WIRE.encode_error(ServiceError(reason, "words"))
    assert reply.status >= 400
    assert json.loads(reply.body)["error"]["message"] == "words"
    again = WIRE.decode_error(reply).reason
    # A client of the edge cannot tell our key from its own, nor our insides from the provider's.
    assert again is {R.UNAUTHENTICATED: R.INVALID_CREDENTIALS, R.DEADLINE_EXCEEDED: R.OUTCOME_UNKNOWN}.get(
        reason, reason
    )


def test_the_tables_are_complete() -> None:
    assert set(WRITTEN) == set(Reason)
    assert all(100 < status < 600 for status in STATUSES)


def test_the_provider_s_words_are_kept_for_programs() -> None:
    error = lifted(400, openai("bad n", param="n", code="integer_below_min_value"), x_request_id="req_1")
    assert error.violations[0].field == "n"
    assert error.metadata == {
        "upstream_status": "400",
        "upstream_code": "integer_below_min_value",
        "upstream_type": "invalid_request_error",
        "upstream_param": "n",
        "upstream_request_id": "req_1",
    }


def test_a_router_tells_what_its_upstream_said() -> None:
    inner = {"provider_name": "Google", "raw": "x is temporarily rate-limited upstream"}
    error = lifted(429, {"error": {"message": "Provider returned error", "code": 429, "metadata": inner}})
    assert "rate-limited upstream" in error.message
    assert error.metadata["upstream_provider"] == "Google"


def test_a_limit_that_names_its_delay_is_no_quota() -> None:
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "38s"}]
    message = "You exceeded your current quota"
    error = lifted(
        429, [{"error": {"code": 429, "message": message, "status": "RESOURCE_EXHAUSTED", "details": details}}]
    )
    assert (error.reason, error.retry_after) == (R.RATE_LIMIT_EXCEEDED, 38.0)


def test_the_delay_is_told_to_the_caller_and_on() -> None:
    error = lifted(429, openai("x"), retry_after="2")
    assert error.retry_after == 2
    headers = WIRE.encode_error(error).headers
    assert (headers["retry-after"], headers["retry-after-ms"]) == ("2", "2000")


def test_an_error_of_a_field_names_it() -> None:
    body = json.loads(WIRE.encode_error(invalid("spec.model", "missing")).body)
    assert body["error"]["param"] == "spec.model"


def test_a_stream_can_end_with_an_error() -> None:
    written = WIRE.encode_stream_error(ServiceError(R.OVERLOADED, "busy"))
    decoder = WIRE.stream_decoder()
    with pytest.raises(ServiceError) as caught:
        decoder.feed(written)
    assert caught.value.reason is R.OVERLOADED
