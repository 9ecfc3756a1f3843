"""ServiceError as a gRPC status with rich details, and back (google.rpc error model, AIP-193)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import grpc
import grpc.aio
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from antiphon.core.errors import DOMAIN, MEANINGS, Code, FieldViolation, Reason, ServiceError
from antiphon.v1 import chat_pb2

MAX_TRAILERS = 7 * 1024
"""Bytes of an error in trailers; past 8 KiB grpc replaces the whole status with RESOURCE_EXHAUSTED."""
MAX_MESSAGE = 2 * 1024
"""Bytes of the message as grpc sends it: percent-encoded, so three for each byte beyond printable ASCII."""

CODES = {code.value: code for code in Code}
REASONS = {reason.value: reason for reason in Reason}
STATUS_CODES = {code.value[0]: code for code in grpc.StatusCode}

BY_CODE: dict[Code, Reason] = {
    Code.CANCELLED: Reason.CANCELLED,
    Code.UNKNOWN: Reason.UNEXPECTED_STATUS,
    Code.INVALID_ARGUMENT: Reason.INVALID_REQUEST,
    Code.DEADLINE_EXCEEDED: Reason.DEADLINE_EXCEEDED,
    Code.NOT_FOUND: Reason.RESOURCE_NOT_FOUND,
    Code.PERMISSION_DENIED: Reason.PERMISSION_DENIED,
    Code.RESOURCE_EXHAUSTED: Reason.MESSAGE_TOO_LARGE,  # grpc's own word for a message over the limit
    Code.FAILED_PRECONDITION: Reason.INVALID_CREDENTIALS,
    Code.ABORTED: Reason.OUTCOME_UNKNOWN,
    Code.UNIMPLEMENTED: Reason.UNSUPPORTED_OPERATION,
    Code.INTERNAL: Reason.INTERNAL,
    Code.UNAVAILABLE: Reason.BACKEND_UNAVAILABLE,
    Code.UNAUTHENTICATED: Reason.UNAUTHENTICATED,
}
"""The reason for a status that came without ErrorInfo: from grpc itself, or from another kind of server."""


class RpcFailure(Protocol):
    """The parts of grpc.aio.AioRpcError that are read here."""

    def code(self) -> grpc.StatusCode:
        """The status code."""

    def details(self) -> str | None:
        """The message."""

    def trailing_metadata(self) -> Iterable[tuple[str, str | bytes]]:
        """The trailers."""


def to_status(error: ServiceError) -> status_pb2.Status:
    """The rich status of an error, within the size that trailers carry."""
    message = _clip_message(error.message)
    status = status_pb2.Status(code=error.code, message=message)
    room = MAX_TRAILERS - _sent_size(message.encode())
    for detail in _details(error):
        packed = any_pb2.Any()
        packed.Pack(detail)
        if status.ByteSize() + packed.ByteSize() <= room:
            status.details.append(packed)
    return status


def from_rpc_error(error: grpc.RpcError) -> ServiceError:
    """The error that a gRPC client call ended with."""
    if not isinstance(error, grpc.aio.AioRpcError):
        return ServiceError(Reason.INTERNAL, f"unexpected gRPC failure: {error}")
    try:
        status = rpc_status.from_call(error)  # type: ignore[arg-type]  # an AioRpcError has what it reads
    except (ValueError, DecodeError):  # details that contradict the status: believe the status
        status = None
    code = CODES.get(error.code().value[0], Code.UNKNOWN)
    message = error.details() or error.code().name
    if status is None:
        return ServiceError(BY_CODE[code], message)
    return from_status(status)


def from_status(status: status_pb2.Status) -> ServiceError:
    """The error in a rich status."""
    code = CODES.get(status.code, Code.UNKNOWN)
    error = ServiceError(BY_CODE[code], status.message)
    for packed in status.details:
        for read in (_read_info, _read_retry, _read_request, _read_quota, _read_partial):
            read(packed, error)
    return error


def _details(error: ServiceError) -> Iterable[Message]:
    metadata = {key: _clip(value, 256) for key, value in error.metadata.items() if value}
    metadata["retryable"] = "true" if error.retryable else "false"
    yield error_details_pb2.ErrorInfo(reason=error.reason.value, domain=DOMAIN, metadata=metadata)
    if error.partial is not None:
        yield error.partial
    if error.retry_after is not None:
        delay = duration_pb2.Duration()
        delay.FromNanoseconds(int(error.retry_after * 1e9))
        yield error_details_pb2.RetryInfo(retry_delay=delay)
    if error.violations:
        request = error_details_pb2.BadRequest()
        for violation in error.violations[:20]:
            request.field_violations.add(field=violation.field, description=_clip(violation.description, 512))
        yield request
    if error.quota:
        quota = error_details_pb2.QuotaFailure()
        quota.violations.add(subject=error.metadata.get("provider", ""), description=_clip(error.quota, 512))
        yield quota


def _read_info(packed: any_pb2.Any, error: ServiceError) -> None:
    info = error_details_pb2.ErrorInfo()
    if packed.Unpack(info) and info.domain == DOMAIN:
        reason = REASONS.get(info.reason)
        if reason is not None and MEANINGS[reason].code is error.code:
            error.reason = reason
        else:  # a newer server's word: kept for the caller, who may know it
            error.metadata["reason"] = info.reason
        error.metadata.update({key: value for key, value in info.metadata.items() if key != "retryable"})


def _read_retry(packed: any_pb2.Any, error: ServiceError) -> None:
    retry = error_details_pb2.RetryInfo()
    if packed.Unpack(retry):
        error.retry_after = retry.retry_delay.ToNanoseconds() / 1e9


def _read_request(packed: any_pb2.Any, error: ServiceError) -> None:
    request = error_details_pb2.BadRequest()
    if packed.Unpack(request):
        error.violations = tuple(
            FieldViolation(field=item.field, description=item.description) for item in request.field_violations
        )


def _read_quota(packed: any_pb2.Any, error: ServiceError) -> None:
    quota = error_details_pb2.QuotaFailure()
    if packed.Unpack(quota) and quota.violations:
        error.quota = quota.violations[0].description


def _read_partial(packed: any_pb2.Any, error: ServiceError) -> None:
    partial = chat_pb2.PartialResult()
    if packed.Unpack(partial):
        error.partial = partial


def _clip(text: str, limit: int) -> str:
    raw = text.encode("utf-8", "replace")
    return text if len(raw) <= limit else raw[: limit - 3].decode("utf-8", "ignore") + "..."


def _clip_message(text: str) -> str:
    """A text whose percent-encoded form fits MAX_MESSAGE."""
    raw = text.encode("utf-8", "replace")[:MAX_MESSAGE]
    while _sent_size(raw) > MAX_MESSAGE - 3:
        raw = raw[: len(raw) * 9 // 10]
    kept = raw.decode("utf-8", "ignore")
    return kept if kept == text else kept + "..."


def _sent_size(raw: bytes) -> int:
    return sum(1 if 0x20 <= byte <= 0x7E and byte != 0x25 else 3 for byte in raw)
