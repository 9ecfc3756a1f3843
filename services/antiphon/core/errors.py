"""The one error of the system: a code, a reason, and what to do about it.

Codecs raise it without knowing gRPC, so the code is an enumeration of its own with gRPC's numbers; `core.status`
turns the error into a gRPC status and back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from antiphon.v1 import chat_pb2

DOMAIN = "antiphon"


class Code(IntEnum):
    """The canonical codes of google.rpc.Code that the system uses."""

    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    UNAUTHENTICATED = 16


class Reason(StrEnum):
    """Why a call failed: the `reason` of google.rpc.ErrorInfo."""

    INVALID_REQUEST = "INVALID_REQUEST"
    CONTEXT_LENGTH_EXCEEDED = "CONTEXT_LENGTH_EXCEEDED"
    UNSUPPORTED_PARAMETER = "UNSUPPORTED_PARAMETER"
    CONTENT_BLOCKED = "CONTENT_BLOCKED"
    MESSAGE_TOO_LARGE = "MESSAGE_TOO_LARGE"
    INVALID_CREDENTIALS = "INVALID_CREDENTIALS"
    TOKEN_EXPIRED = "TOKEN_EXPIRED"  # noqa: S105 - a reason, not a token
    SCOPE_INSUFFICIENT = "SCOPE_INSUFFICIENT"
    ALL_KEYS_EXHAUSTED = "ALL_KEYS_EXHAUSTED"
    CREDENTIALS_MISSING = "CREDENTIALS_MISSING"
    MODEL_NOT_FOUND = "MODEL_NOT_FOUND"
    PROVIDER_NOT_FOUND = "PROVIDER_NOT_FOUND"
    RESOURCE_NOT_FOUND = "RESOURCE_NOT_FOUND"
    RATE_LIMIT_EXCEEDED = "RATE_LIMIT_EXCEEDED"
    QUOTA_EXCEEDED = "QUOTA_EXCEEDED"
    PROVIDER_UNAVAILABLE = "PROVIDER_UNAVAILABLE"
    OVERLOADED = "OVERLOADED"
    NETWORK_ERROR = "NETWORK_ERROR"
    OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"
    BACKEND_UNAVAILABLE = "BACKEND_UNAVAILABLE"
    SHUTTING_DOWN = "SHUTTING_DOWN"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    CANCELLED = "CANCELLED"
    MALFORMED_RESPONSE = "MALFORMED_RESPONSE"
    UNEXPECTED_STATUS = "UNEXPECTED_STATUS"
    INTERNAL = "INTERNAL"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    UNSUPPORTED_OPERATION = "UNSUPPORTED_OPERATION"
    RECORDING_MISSING = "RECORDING_MISSING"
    CASSETTE_UNREADABLE = "CASSETTE_UNREADABLE"
    SECRET_IN_RECORDING = "SECRET_IN_RECORDING"  # noqa: S105 - a reason, not a secret
    MODE_NOT_ALLOWED = "MODE_NOT_ALLOWED"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a reason implies: its status code, and whether the same call may succeed later unchanged."""

    code: Code
    retryable: bool = False


MEANINGS: Mapping[Reason, Meaning] = {
    Reason.INVALID_REQUEST: Meaning(Code.INVALID_ARGUMENT),
    Reason.CONTEXT_LENGTH_EXCEEDED: Meaning(Code.INVALID_ARGUMENT),
    Reason.UNSUPPORTED_PARAMETER: Meaning(Code.INVALID_ARGUMENT),
    Reason.CONTENT_BLOCKED: Meaning(Code.INVALID_ARGUMENT),
    Reason.MESSAGE_TOO_LARGE: Meaning(Code.RESOURCE_EXHAUSTED),
    # A provider refuses *our* key: the caller's own key is fine, so never UNAUTHENTICATED.
    Reason.INVALID_CREDENTIALS: Meaning(Code.FAILED_PRECONDITION),
    Reason.TOKEN_EXPIRED: Meaning(Code.FAILED_PRECONDITION),
    Reason.SCOPE_INSUFFICIENT: Meaning(Code.FAILED_PRECONDITION),
    Reason.ALL_KEYS_EXHAUSTED: Meaning(Code.FAILED_PRECONDITION),
    Reason.CREDENTIALS_MISSING: Meaning(Code.FAILED_PRECONDITION),
    Reason.MODEL_NOT_FOUND: Meaning(Code.NOT_FOUND),
    Reason.PROVIDER_NOT_FOUND: Meaning(Code.NOT_FOUND),
    Reason.RESOURCE_NOT_FOUND: Meaning(Code.NOT_FOUND),
    Reason.RATE_LIMIT_EXCEEDED: Meaning(Code.RESOURCE_EXHAUSTED, retryable=True),
    Reason.QUOTA_EXCEEDED: Meaning(Code.RESOURCE_EXHAUSTED),
    Reason.PROVIDER_UNAVAILABLE: Meaning(Code.UNAVAILABLE, retryable=True),
    Reason.OVERLOADED: Meaning(Code.UNAVAILABLE, retryable=True),
    Reason.NETWORK_ERROR: Meaning(Code.UNAVAILABLE, retryable=True),
    # The provider may have done the work and billed it: a blind retry bills it twice.
    Reason.OUTCOME_UNKNOWN: Meaning(Code.UNAVAILABLE),
    Reason.BACKEND_UNAVAILABLE: Meaning(Code.UNAVAILABLE, retryable=True),
    Reason.SHUTTING_DOWN: Meaning(Code.UNAVAILABLE, retryable=True),
    Reason.DEADLINE_EXCEEDED: Meaning(Code.DEADLINE_EXCEEDED),
    Reason.CANCELLED: Meaning(Code.CANCELLED),
    Reason.MALFORMED_RESPONSE: Meaning(Code.INTERNAL),
    Reason.UNEXPECTED_STATUS: Meaning(Code.UNKNOWN),
    Reason.INTERNAL: Meaning(Code.INTERNAL),
    Reason.UNAUTHENTICATED: Meaning(Code.UNAUTHENTICATED),
    Reason.PERMISSION_DENIED: Meaning(Code.PERMISSION_DENIED),
    Reason.UNSUPPORTED_OPERATION: Meaning(Code.UNIMPLEMENTED),
    Reason.RECORDING_MISSING: Meaning(Code.NOT_FOUND),
    Reason.CASSETTE_UNREADABLE: Meaning(Code.FAILED_PRECONDITION),
    Reason.SECRET_IN_RECORDING: Meaning(Code.FAILED_PRECONDITION),
    Reason.MODE_NOT_ALLOWED: Meaning(Code.PERMISSION_DENIED),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldViolation:
    """One wrong field of a request: its path in our contract, and what is wrong with it."""

    field: str
    description: str


@dataclass(eq=False, slots=True)
class ServiceError(Exception):
    """A call failed.

    `message` is for a person and says what to do. `metadata` is for programs (provider, model, upstream status,
    the provider's own code); values are short strings and never secrets. `retry_after` is in seconds.
    `partial` is set once output has been sent to the caller.
    """

    reason: Reason
    message: str
    metadata: dict[str, str] = field(default_factory=dict)
    retry_after: float | None = None
    violations: tuple[FieldViolation, ...] = ()
    quota: str = ""
    partial: chat_pb2.PartialResult | None = None

    def __post_init__(self) -> None:
        Exception.__init__(self, self.message)

    @property
    def code(self) -> Code:
        """The status code that the reason implies."""
        return MEANINGS[self.reason].code

    @property
    def retryable(self) -> bool:
        """Whether the same call may succeed later, unchanged, without being billed twice."""
        return MEANINGS[self.reason].retryable and self.partial is None

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"


def invalid(field_path: str, description: str, *, reason: Reason = Reason.INVALID_REQUEST) -> ServiceError:
    """The error of a wrong request field; `field_path` is its path in our contract, such as `spec.model`."""
    violation = FieldViolation(field=field_path, description=description)
    return ServiceError(reason, f"{field_path}: {description}", violations=(violation,))
