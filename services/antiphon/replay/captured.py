"""Captured requests in the contract's words: as they came, and decoded where a wire knows their URL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from antiphon.core.errors import ServiceError, invalid
from antiphon.harness import jsonbody
from antiphon.harness.requestfacts import wants_stream
from antiphon.harness.requestfilter import RequestFilter
from antiphon.harness.requestlog import End, Seen
from antiphon.replay.formats import asked_in, format_of
from antiphon.v1 import harness_pb2
from antiphon.wire.base import ChatCall

pb = harness_pb2

ENDS: Final[Mapping[End, pb.ExchangeEnd.ValueType]] = {
    End.OPEN: pb.EXCHANGE_END_OPEN,
    End.COMPLETE: pb.EXCHANGE_END_COMPLETE,
    End.FAILED: pb.EXCHANGE_END_FAILED,
    End.LEFT: pb.EXCHANGE_END_LEFT,
}


def captured_of(seen: Seen, *, decode: bool) -> pb.CapturedRequest:
    """A request as the contract has it; with `decode` also in the message that it stands for."""
    asked = seen.request
    found = format_of(asked)
    shown = pb.CapturedRequest(
        number=seen.number,
        session=seen.session,
        provider=seen.provider,
        method=asked.method,
        url=asked.url,
        headers=[pb.CapturedHeader(name=name, value=value) for name, value in asked.headers],
        body=asked.body,
        body_cut=seen.cut,
        place=seen.place,
        synthetic=seen.synthetic,
        end=ENDS[seen.end],
        error=seen.error,
        wire=found.name if found is not None else "",
        stream=wants_stream(asked),
    )
    shown.create_time.FromDatetime(seen.at)
    if seen.status is not None:
        shown.status = seen.status
    for moment, field in ((seen.answered, shown.time_to_head), (seen.ended, shown.time_to_end)):
        if moment is not None:
            field.FromNanoseconds(int((moment - seen.began) * 1e9))
    if decode:
        _decode(seen, shown)
    return shown


def filter_of(wanted: pb.RequestFilter, field: str = "filter") -> RequestFilter:
    """The filter that a message stands for. Raises ServiceError INVALID_REQUEST for text that is no JSON."""
    body: Any = None
    if wanted.body_json:
        try:
            body = jsonbody.parse(wanted.body_json.encode())
        except jsonbody.NotJsonError as error:
            raise invalid(f"{field}.body_json", f"is no JSON object or array: {error}") from error
    return RequestFilter(
        method=wanted.method,
        url=wanted.url,
        provider=wanted.provider,
        model=wanted.model,
        stream=wanted.stream if wanted.HasField("stream") else None,
        session=wanted.session if wanted.HasField("session") else None,
        headers=dict(wanted.headers),
        body=body,
        text=wanted.text,
    )


def _decode(seen: Seen, shown: pb.CapturedRequest) -> None:
    try:
        _, asked = asked_in(seen.request)
    except ServiceError as error:
        shown.decode_error = f"{error.reason.value}: {error.message}"[:500]
        return
    if isinstance(asked, ChatCall):
        shown.chat.CopyFrom(asked.spec)
        shown.stream = asked.stream
    elif asked is not None:
        shown.embed.CopyFrom(asked)
