"""What providers' words, texts and statuses mean, and how a reason is written for clients: tables alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from antiphon.core.errors import Reason

R = Reason

_BY_REASON: Mapping[Reason, str] = {
    R.INVALID_CREDENTIALS: "invalid_api_key authentication_error invalid_authentication invalid_authentication_error"
    " api_key_invalid unauthorized account_deactivated invalidapikey",
    R.TOKEN_EXPIRED: "token_expired expired_token expiredtoken key_expired",
    R.SCOPE_INSUFFICIENT: "insufficient_permissions permission_error missing_scope",
    R.QUOTA_EXCEEDED: "insufficient_quota billing_hard_limit_reached billing_not_active insufficient_balance"
    " insufficient_credits payment_required quota_exceeded quotaexceeded arrearage access_terminated_error",
    R.RATE_LIMIT_EXCEEDED: "rate_limit_exceeded ratelimitreached rate_limit_error rate_limited rate_limit"
    " rate_limit_reached_error too_many_requests toomanyrequests resource_exhausted throttling requests tokens",
    R.CONTEXT_LENGTH_EXCEEDED: "context_length_exceeded too_many_prompt_tokens too_many_tokens"
    " model_max_prompt_tokens_exceeded max_prompt_tokens_exceeded exceed_context_size_error",
    R.MODEL_NOT_FOUND: "model_not_found deploymentnotfound model_decommissioned model_not_available unknown_model"
    " invalid_model",
    R.CONTENT_BLOCKED: "content_filter content_policy_violation responsibleaipolicyviolation data_inspection_failed"
    " moderation_blocked content_blocked",
    R.UNSUPPORTED_PARAMETER: "unsupported_parameter unsupported_value unknown_parameter",
    R.MESSAGE_TOO_LARGE: "request_too_large payload_too_large",
    R.OVERLOADED: "overloaded_error overloaded engine_overloaded engine_overloaded_error capacity_exceeded"
    " server_overloaded service_unavailable",
    R.PROVIDER_UNAVAILABLE: "server_error internal_server_error internal_error internal bad_gateway",
    R.OUTCOME_UNKNOWN: "timeout gateway_timeout request_timeout deadline_exceeded",
}
WORDS: Mapping[str, Reason] = {word: reason for reason, words in _BY_REASON.items() for word in words.split()}
"""Codes and types, in lower case. Words that providers use for many things, such as `invalid_request_error` and
`api_error`, are missing on purpose: the message and the status say more."""

PATTERNS: tuple[tuple[re.Pattern[str], Reason], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), reason)
    for pattern, reason in (
        (
            r"context (length|window|size)|maximum (context|prompt|sequence) length|too many (input )?tokens"
            r"|prompt (is )?too long|total length of all messages is too long|exceeds? the (available|model'?s) context"
            r"|reduce the length of (the|your) (messages|prompt|input)|input is too long|token limit exceeded",
            R.CONTEXT_LENGTH_EXCEEDED,
        ),
        (
            r"\b(token|credential|key)s?\b.{0,40} (has |have |is |are )?expired|expired (api )?(key|token)",
            R.TOKEN_EXPIRED,
        ),
        (
            r"(incorrect|invalid|wrong|missing|no) (api|auth|authentication|subscription)[ _-]?(key|token|credentials?)"
            r"|api key (is )?(not valid|invalid|missing)|invalid subscription key|no cookie auth credentials"
            r"|authentication (fails|failed)|unauthori[sz]ed",
            R.INVALID_CREDENTIALS,
        ),
        (
            r"exceeded your current quota|insufficient (balance|credit|quota|fund)|out of credits|billing"
            r"|credit balance is too low|requires? (more|at least) .{0,20}credits?",
            R.QUOTA_EXCEEDED,
        ),
        (r"rate[ -]limit|too many requests|tokens per (minute|day)|requests per (minute|day)", R.RATE_LIMIT_EXCEEDED),
        (
            r"\bmodel\b.{0,120}(does not exist|not found|not exist|is not supported|is not available|decommissioned)"
            r"|(not a valid|invalid|unknown|no such) model|model identifier is invalid"
            r"|no endpoints found|supported models are",
            R.MODEL_NOT_FOUND,
        ),
        (r"content (management )?policy|content filter|safety (system|policy)|flagged", R.CONTENT_BLOCKED),
        (
            r"(unsupported|unrecognized|unknown|unexpected) (parameter|value|field|argument|request argument)"
            r"|property '[^']*' is unsupported|extra inputs are not permitted",
            R.UNSUPPORTED_PARAMETER,
        ),
        (r"overloaded|at capacity|try again later", R.OVERLOADED),
    )
)
STATUSES: Mapping[int, Reason] = {
    400: R.INVALID_REQUEST,
    401: R.INVALID_CREDENTIALS,
    402: R.QUOTA_EXCEEDED,
    403: R.SCOPE_INSUFFICIENT,
    404: R.RESOURCE_NOT_FOUND,
    408: R.PROVIDER_UNAVAILABLE,
    413: R.MESSAGE_TOO_LARGE,
    424: R.PROVIDER_UNAVAILABLE,
    425: R.PROVIDER_UNAVAILABLE,
    429: R.RATE_LIMIT_EXCEEDED,
    498: R.OVERLOADED,  # Groq: flex tier at capacity
    503: R.OVERLOADED,
    504: R.OUTCOME_UNKNOWN,  # the provider may have gone on, and bill it
    524: R.OUTCOME_UNKNOWN,  # Cloudflare's 504
    529: R.OVERLOADED,
}
"""What a status means where the words do not say; other 4xx are the request's fault, 5xx the provider's."""
BELIEVED: Mapping[Reason, frozenset[int]] = {
    R.OVERLOADED: frozenset({0, 429, 498, 500, 502, 503, 529}),
    R.RATE_LIMIT_EXCEEDED: frozenset({0, 403, 429, 503}),
    R.MODEL_NOT_FOUND: frozenset({0, 400, 403, 404, 410, 422}),
    R.INVALID_CREDENTIALS: frozenset({0, 400, 401, 403}),
    R.UNSUPPORTED_PARAMETER: frozenset({0, 400, 422}),
    R.CONTENT_BLOCKED: frozenset({0, 400, 403, 422, 451}),
}
"""Statuses with which words of a message are believed: a 500 that mentions a model says nothing of the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """How a reason is written for clients: HTTP status, OpenAI's type and code."""

    status: int
    type: str
    code: str | None = None


_BAD = "invalid_request_error"
WRITTEN: Mapping[Reason, Written] = {
    R.INVALID_REQUEST: Written(status=400, type=_BAD),
    R.CONTEXT_LENGTH_EXCEEDED: Written(status=400, type=_BAD, code="context_length_exceeded"),
    R.UNSUPPORTED_PARAMETER: Written(status=400, type=_BAD, code="unsupported_parameter"),
    R.CONTENT_BLOCKED: Written(status=400, type=_BAD, code="content_policy_violation"),
    R.MESSAGE_TOO_LARGE: Written(status=413, type=_BAD, code="request_too_large"),
    # The provider's key, not the client's: a client that reads 401 would ask its user for another key.
    R.INVALID_CREDENTIALS: Written(status=400, type="provider_error", code="authentication_error"),
    R.TOKEN_EXPIRED: Written(status=400, type="provider_error", code="token_expired"),
    R.SCOPE_INSUFFICIENT: Written(status=400, type="provider_error", code="insufficient_permissions"),
    R.ALL_KEYS_EXHAUSTED: Written(status=503, type="provider_error", code="all_keys_exhausted"),
    R.CREDENTIALS_MISSING: Written(status=400, type="provider_error", code="credentials_missing"),
    R.MODEL_NOT_FOUND: Written(status=404, type=_BAD, code="model_not_found"),
    R.PROVIDER_NOT_FOUND: Written(status=404, type=_BAD, code="provider_not_found"),
    R.RESOURCE_NOT_FOUND: Written(status=404, type=_BAD, code="resource_not_found"),
    R.RATE_LIMIT_EXCEEDED: Written(status=429, type="rate_limit_error", code="rate_limit_exceeded"),
    R.QUOTA_EXCEEDED: Written(status=429, type="insufficient_quota", code="insufficient_quota"),
    R.PROVIDER_UNAVAILABLE: Written(status=502, type="server_error", code="server_error"),
    R.OVERLOADED: Written(status=503, type="server_error", code="overloaded"),
    R.NETWORK_ERROR: Written(status=502, type="server_error", code="network_error"),
    R.OUTCOME_UNKNOWN: Written(status=504, type="server_error", code="outcome_unknown"),
    R.BACKEND_UNAVAILABLE: Written(status=503, type="server_error", code="backend_unavailable"),
    R.SHUTTING_DOWN: Written(status=503, type="server_error", code="shutting_down"),
    R.DEADLINE_EXCEEDED: Written(status=504, type="server_error", code="deadline_exceeded"),
    R.CANCELLED: Written(status=499, type="server_error", code="cancelled"),
    R.MALFORMED_RESPONSE: Written(status=502, type="server_error", code="malformed_response"),
    R.UNEXPECTED_STATUS: Written(status=502, type="server_error", code="unexpected_status"),
    R.INTERNAL: Written(status=500, type="server_error", code="internal_error"),
    R.UNAUTHENTICATED: Written(status=401, type=_BAD, code="invalid_api_key"),
    R.PERMISSION_DENIED: Written(status=403, type=_BAD, code="permission_denied"),
    R.UNSUPPORTED_OPERATION: Written(status=501, type=_BAD, code="unsupported_operation"),
    R.RECORDING_MISSING: Written(status=404, type=_BAD, code="recording_missing"),
    R.CASSETTE_UNREADABLE: Written(status=500, type="server_error", code="cassette_unreadable"),
    R.SECRET_IN_RECORDING: Written(status=403, type=_BAD, code="secret_in_recording"),
    R.MODE_NOT_ALLOWED: Written(status=403, type=_BAD, code="mode_not_allowed"),
}
OWN_WORDS = {
    written.code: reason
    for reason, written in WRITTEN.items()
    if written.code and written.code == reason.lower() and written.code not in WORDS
}
"""Codes of our own, for one antiphon that calls another."""
