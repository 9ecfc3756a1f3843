"""Errors as rich statuses: complete tables, bounded size, and what comes from elsewhere."""

from __future__ import annotations

from google.rpc import status_pb2

from antiphon.core.errors import MEANINGS, Code, FieldViolation, Reason, ServiceError
from antiphon.core.status import BY_CODE, MAX_TRAILERS, STATUS_CODES, from_status, to_status
from antiphon.v1 import chat_pb2


def test_every_reason_has_a_meaning_and_every_code_a_reason() -> None:
    assert set(MEANINGS) == set(Reason)
    assert set(BY_CODE) == set(Code)
    assert {int(code) for code in Code} <= set(STATUS_CODES)
    for code, reason in BY_CODE.items():
        assert MEANINGS[reason].code is code or code in (Code.INVALID_ARGUMENT, Code.ABORTED)


def test_an_error_survives_the_way_through_a_status() -> None:
    error = ServiceError(
        Reason.RATE_LIMIT_EXCEEDED,
        "too fast",
        metadata={"provider": "openai", "model": "gpt"},
        retry_after=2.25,
        violations=(FieldViolation(field="spec.model", description="wrong"),),
        quota="60 requests a minute",
        partial=chat_pb2.PartialResult(response_id="r", last_sequence=4, output_emitted=True),
    )
    back = from_status(to_status(error))
    assert (back.reason, back.message, back.retry_after, back.quota) == (
        error.reason,
        error.message,
        error.retry_after,
        error.quota,
    )
    assert back.violations == error.violations
    assert back.partial == error.partial
    assert back.metadata == error.metadata


def test_a_huge_error_stays_within_what_trailers_carry() -> None:
    error = ServiceError(
        Reason.INVALID_REQUEST,
        "x" * 100_000,
        metadata={f"key{number}": "y" * 1000 for number in range(10)},
        violations=tuple(FieldViolation(field=f"f{number}", description="z" * 1000) for number in range(50)),
        quota="q" * 5000,
    )
    status = to_status(error)
    assert status.ByteSize() <= MAX_TRAILERS
    assert from_status(status).reason is Reason.INVALID_REQUEST


def test_a_status_without_details_gets_the_reason_of_its_code() -> None:
    for code in Code:
        assert from_status(status_pb2.Status(code=code, message="m")).reason is BY_CODE[code]
    assert from_status(status_pb2.Status(code=99, message="m")).reason is Reason.UNEXPECTED_STATUS
