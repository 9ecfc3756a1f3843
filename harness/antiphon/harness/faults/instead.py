"""Faults that take the place of an answer: no recording is needed for them, and none is used up."""

from __future__ import annotations

from typing import Any

from antiphon.harness.faults import edits
from antiphon.harness.faults.dialect import phrase
from antiphon.harness.faults.dialects import dialect_of
from antiphon.harness.interaction import Answer, Provenance, RecordedRequest
from antiphon.harness.requestfacts import streams_as_array

Settings = dict[str, Any]
FAULT = Provenance(origin="fault")


def status(number: int, settings: Settings, asked: RecordedRequest) -> Answer:
    """An error of this status in the words of the request's provider."""
    dialect = dialect_of(asked)
    retry_after = settings["retry-after"]
    body = dialect.error(number, retry_after=retry_after, message=settings["message"], array=streams_as_array(asked))
    headers = (*dialect.error_headers(number, retry_after=retry_after), ("content-length", str(len(body))))
    return Answer(
        status=number,
        reason=phrase(number),
        headers=headers,
        body=body,
        chunks=((0.0, len(body)),),
        provenance=FAULT,
    )


def refused(settings: Settings, asked: RecordedRequest) -> Answer:
    """No connection."""
    return edits.unanswered("ConnectError", "connection refused")


def timeout(settings: Settings, asked: RecordedRequest) -> Answer:
    """Silence, and then the end of the connection, without an answer."""
    message = "server disconnected without sending a response"
    return edits.unanswered("RemoteProtocolError", message, after_ms=settings["seconds"] * 1000)
