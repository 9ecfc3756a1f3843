"""The providers' own errors, one row a provider, found by the URL of a request.

Authored after the providers' documentation and, where there was one, after a recorded error of theirs. The first row
whose URL fits wins; OpenAI's is for all that nobody claims, because most servers speak it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from antiphon.harness.faults.dialect import Dialect, Word
from antiphon.harness.interaction import RecordedRequest


def dialect_of(asked: RecordedRequest) -> Dialect:
    """The dialect of a request's provider."""
    parts = urlsplit(asked.url)
    place = f"{parts.hostname or ''}{parts.path.rstrip('/')}"
    return next((each for each, urls in _BY_URL if urls.search(place)), OPENAI)


_SLOW_DOWN = "Rate limit reached for requests. Please try again later."
_BUSY = "The server is overloaded or not ready yet. Please try again later."
_FAILED = "The server had an error while processing your request. Please try again."
_KEY = "Incorrect API key provided."
_TYPED = {"error": {"message": "$message", "type": "$type", "param": None, "code": "$code"}}
_OPENAI_END = r"^data: ?\[DONE\]"
_OPENAI_FINISH = r'"finish_reason": ?"'
_OPENAI_WORDS = {
    400: Word(type="invalid_request_error", message="The request could not be understood."),
    401: Word(type="invalid_request_error", code="invalid_api_key", message=_KEY),
    403: Word(type="request_forbidden", code="unsupported_country_region_territory", message="Region not supported."),
    404: Word(type="invalid_request_error", code="model_not_found", message="The model does not exist."),
    408: Word(type="timeout", message="Request timed out."),
    409: Word(type="invalid_request_error", code="conflict", message="The resource was changed by another request."),
    413: Word(type="invalid_request_error", message="The request is too large."),
    429: Word(type="requests", code="rate_limit_exceeded", message=_SLOW_DOWN),
    500: Word(type="server_error", message=_FAILED),
    502: Word(type="server_error", message="Bad gateway."),
    503: Word(type="server_error", code="service_unavailable", message=_BUSY),
    504: Word(type="server_error", message="Gateway timeout."),
    529: Word(type="server_error", message=_BUSY),
}
_ANTHROPIC_WORDS = {
    400: Word(type="invalid_request_error", message="The request was invalid."),
    401: Word(type="authentication_error", message="invalid x-api-key"),
    403: Word(type="permission_error", message="Your API key may not use this resource."),
    404: Word(type="not_found_error", message="model: there-is-no-such-model"),
    408: Word(type="timeout_error", message="The request timed out."),
    409: Word(type="invalid_request_error", message="The request conflicts with another one."),
    413: Word(type="request_too_large", message="Request exceeds the maximum size."),
    429: Word(type="rate_limit_error", message="This request would exceed your rate limit. Please try again later."),
    500: Word(type="api_error", message="Internal server error"),
    502: Word(type="api_error", message="Bad gateway"),
    503: Word(type="api_error", message="Service unavailable"),
    504: Word(type="timeout_error", message="The request timed out."),
    529: Word(type="overloaded_error", message="Overloaded"),
}
_GOOGLE_WORDS = {
    400: Word(type="INVALID_ARGUMENT", message="Request contains an invalid argument."),
    401: Word(type="UNAUTHENTICATED", message="Request had invalid authentication credentials."),
    403: Word(type="PERMISSION_DENIED", message="The caller does not have permission."),
    404: Word(type="NOT_FOUND", message="The model was not found."),
    408: Word(type="DEADLINE_EXCEEDED", message="Deadline expired before the operation could complete."),
    409: Word(type="ABORTED", message="The operation was aborted."),
    413: Word(type="INVALID_ARGUMENT", message="The request payload exceeds the limit."),
    429: Word(type="RESOURCE_EXHAUSTED", message="Resource exhausted. Please try again later."),
    500: Word(type="INTERNAL", message="An internal error has occurred. Please retry."),
    502: Word(type="UNAVAILABLE", message="Bad gateway."),
    503: Word(type="UNAVAILABLE", message="The model is overloaded. Please try again later."),
    504: Word(type="DEADLINE_EXCEEDED", message="Deadline expired before the operation could complete."),
    529: Word(type="UNAVAILABLE", message="The model is overloaded. Please try again later."),
}
_AWS_WORDS = {
    400: Word(type="ValidationException", message="Malformed input request, please reformat it and try again."),
    401: Word(type="UnrecognizedClientException", message="The security token included in the request is invalid."),
    403: Word(type="AccessDeniedException", message="You don't have access to the model with the specified model ID."),
    404: Word(type="ResourceNotFoundException", message="Could not resolve the foundation model."),
    408: Word(type="ModelTimeoutException", message="Model has timed out in processing the request."),
    409: Word(type="ConflictException", message="The request conflicts with another one."),
    413: Word(type="ValidationException", message="The request is too large."),
    424: Word(type="ModelErrorException", message="The model returned an error."),
    429: Word(type="ThrottlingException", message="Too many requests, please wait before trying again."),
    500: Word(type="InternalServerException", message="The system encountered an unexpected error. Try again."),
    502: Word(type="ServiceUnavailableException", message="Bad gateway."),
    503: Word(type="ServiceUnavailableException", message="Bedrock is unable to process your request."),
    504: Word(type="ModelTimeoutException", message="Model has timed out in processing the request."),
    529: Word(type="ServiceUnavailableException", message="Bedrock is unable to process your request."),
}
_STREAM_EXCEPTIONS = {
    400: "validationException",
    429: "throttlingException",
    500: "internalServerException",
    503: "serviceUnavailableException",
    529: "serviceUnavailableException",
    424: "modelStreamErrorException",
}
_PLAIN_WORDS = {status: Word(type=word.type, message=word.message) for status, word in _OPENAI_WORDS.items()}

OPENAI: Final = Dialect(
    name="openai",
    urls=r"api\.openai\.com",
    words=_OPENAI_WORDS,
    body=_TYPED,
    headers={"x-request-id": "req_antiphon_fault"},
    end=_OPENAI_END,
    finish=_OPENAI_FINISH,
)

_NEVER_AGAIN: Final = {status: {"x-should-retry": "false"} for status in (400, 401, 403, 404, 413)}

ROWS: Final = (
    Dialect(
        name="bedrock",
        urls=r"bedrock-runtime|/model/[^/]+/(converse|converse-stream|invoke|invoke-with-response-stream|count-tokens)$",
        words=_AWS_WORDS,
        body={"message": "$message"},
        headers={"x-amzn-errortype": "$type", "x-amzn-requestid": "antiphon-fault"},
        event={"message": "$message"},
        exceptions=_STREAM_EXCEPTIONS,
        end=r":event-type.{3}(messageStop|metadata)",
        finish=r":event-type.{3}messageStop",
    ),
    Dialect(
        name="anthropic",
        urls=r"/v1/messages(/|$)|api\.anthropic\.com",
        words=_ANTHROPIC_WORDS,
        body={"type": "error", "error": {"type": "$type", "message": "$message"}, "request_id": "req_antiphon_fault"},
        headers={"request-id": "req_antiphon_fault"},
        more_headers=_NEVER_AGAIN,
        event={"type": "error", "error": {"type": "$type", "message": "$message"}},
        event_name="error",
        end=r'"type": ?"message_stop"',
        finish=r'"type": ?"message_delta"',
    ),
    Dialect(
        name="gemini",
        urls=r":(generateContent|streamGenerateContent|countTokens|embedContent|batchEmbedContents|predict)$"
        r"|generativelanguage\.googleapis\.com|aiplatform\.googleapis\.com",
        words=_GOOGLE_WORDS,
        body={
            "error": {
                "code": "$status",
                "message": "$message",
                "status": "$type",
                "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "?retry"}],
            }
        },
        headers={"content-type": "application/json; charset=UTF-8"},
        end=r'"finishReason"',
        finish=r'"finishReason"',
    ),
    Dialect(
        name="ollama",
        urls=r"/api/(chat|generate|embed|embeddings|tags|show)$",
        words={status: Word(message=word.message) for status, word in _OPENAI_WORDS.items()},
        body={"error": "$message"},
        headers={"content-type": "application/json; charset=utf-8"},
        end=r'"done": ?true',
        finish=r'"done": ?true',
    ),
    Dialect(
        name="cohere",
        urls=r"api\.cohere\.\w+|/v2/(chat|embed|rerank)$",
        words={status: Word(message=word.message) for status, word in _OPENAI_WORDS.items()},
        body={"id": "00000000-0000-4000-8000-000000000000", "message": "$message"},
        event={"type": "message-end", "delta": {"error": "$message", "finish_reason": "ERROR"}},
        event_name="message-end",
        end=r'"type": ?"message-end"|\[DONE\]',
        finish=r'"type": ?"message-end"',
    ),
    Dialect(
        name="mistral",
        urls=r"api\.mistral\.ai",
        words={
            **_OPENAI_WORDS,
            401: Word(type="invalid_request_error", message="Unauthorized"),
            429: Word(type="rate_limited", code="1300", message="Rate limit exceeded"),
            503: Word(type="service_unavailable", code="3505", message="Service tier capacity exceeded."),
        },
        body={"object": "error", "message": "$message", "type": "$type", "param": None, "code": "$code"},
        end=_OPENAI_END,
        finish=_OPENAI_FINISH,
    ),
    Dialect(
        name="openrouter",
        urls=r"openrouter\.ai",
        words=_PLAIN_WORDS,
        body={"error": {"message": "$message", "code": "$status"}},
        event={
            "id": "gen-antiphon-fault",
            "object": "chat.completion.chunk",
            "error": {"code": "$status", "message": "$message"},
            "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}],
        },
        end=_OPENAI_END,
        finish=_OPENAI_FINISH,
    ),
    Dialect(
        name="azure",
        urls=r"openai\.azure\.com|services\.ai\.azure\.com|/openai/deployments/",
        words={
            **{status: Word(code=str(status), message=word.message) for status, word in _OPENAI_WORDS.items()},
            429: Word(code="RateLimitReached", message="Your requests have exceeded the rate limit of your tier."),
            404: Word(code="DeploymentNotFound", message="The API deployment for this resource does not exist."),
        },
        body={"error": {"code": "$code", "message": "$message"}},
        headers={"x-request-id": "antiphon-fault", "apim-request-id": "antiphon-fault"},
        end=_OPENAI_END,
        finish=_OPENAI_FINISH,
    ),
    Dialect(
        name="perplexity",
        urls=r"api\.perplexity\.ai",
        words={**_PLAIN_WORDS, 401: Word(type="invalid_api_key", message="Invalid API key provided.")},
        body={"error": {"message": "$message", "type": "$type", "code": "$status"}},
        end=_OPENAI_END,
        finish=_OPENAI_FINISH,
    ),
    Dialect(
        name="deepseek",
        urls=r"api\.deepseek\.com",
        words={
            **_OPENAI_WORDS,
            401: Word(type="authentication_error", code="invalid_request_error", message="Authentication Fails."),
            429: Word(type="rate_limit_reached_error", code="invalid_request_error", message="Rate limit reached."),
        },
        body=_TYPED,
        end=_OPENAI_END,
        finish=_OPENAI_FINISH,
    ),
    Dialect(
        name="cerebras",
        urls=r"api\.cerebras\.ai",
        words=_OPENAI_WORDS,
        body={"message": "$message", "type": "$type", "param": None, "code": "$code"},
        end=_OPENAI_END,
        finish=_OPENAI_FINISH,
    ),
    Dialect(
        name="xai",
        urls=r"api\.x\.ai",
        words=_PLAIN_WORDS,
        body={"code": "$type", "error": "$message"},
        end=_OPENAI_END,
        finish=_OPENAI_FINISH,
    ),
    Dialect(
        name="openai-responses",
        urls=r"/responses$",
        words=_OPENAI_WORDS,
        body=_TYPED,
        headers={"x-request-id": "req_antiphon_fault"},
        event={"type": "error", "code": "$type", "message": "$message", "param": None, "sequence_number": 0},
        event_name="error",
        end=r'"type": ?"response\.(completed|incomplete|failed)"',
        finish=r'"type": ?"response\.(completed|incomplete|failed)"',
    ),
    OPENAI,
)

DIALECTS: Final[Mapping[str, Dialect]] = {row.name: row for row in ROWS}
"""Every dialect by its name."""
_BY_URL: Final = tuple((row, re.compile(row.urls)) for row in ROWS)
