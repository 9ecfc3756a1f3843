"""Faults that change an answer on its way: a recording's or a mock's. Each takes the answer and returns another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from antiphon.harness.faults import edits
from antiphon.harness.faults.arguments import truncated
from antiphon.harness.faults.dialects import dialect_of
from antiphon.harness.faults.pattern import found_in
from antiphon.harness.faults.words import FaultNotApplicable
from antiphon.harness.framing import (
    Framing,
    Span,
    frame,
    frame_headers,
    framing_of,
    payload,
    spans,
    with_payload,
)
from antiphon.harness.interaction import Answer, RecordedRequest

Settings = dict[str, Any]


def cut(settings: Settings, answer: Answer, asked: RecordedRequest) -> Answer:
    """The connection ends before the body does."""
    place = _place("cut", settings, answer)
    return edits.broken_at(answer, place, error="RemoteProtocolError", message=edits.BROKEN)


def reset(settings: Settings, answer: Answer, asked: RecordedRequest) -> Answer:
    """The connection is reset: before the answer, or in its middle where a place is given."""
    if settings["event"] is None and settings["byte"] is None:
        return edits.unanswered("ReadError", edits.RESET)
    place = _place("reset", settings, answer)
    return edits.broken_at(answer, place, error="ReadError", message=edits.RESET)


def stall(settings: Settings, answer: Answer, asked: RecordedRequest) -> Answer:
    """Silence: before the answer, or in its middle where a place is given; then it goes on."""
    milliseconds = settings["seconds"] * 1000
    if settings["event"] is None and settings["byte"] is None:
        return replace(answer, headers_ms=answer.headers_ms + milliseconds)
    return edits.silent_at(answer, _place("stall", settings, answer), milliseconds)


def slow(settings: Settings, answer: Answer, asked: RecordedRequest) -> Answer:
    """The body trickles at so many bytes a second, in about ten pieces a second."""
    rate = settings["rate"]
    piece = max(1, rate // 10)
    sizes = [piece] * (len(answer.body) // piece)
    if rest := len(answer.body) % piece:
        sizes.append(rest)
    return replace(answer, chunks=tuple((size / rate * 1000, size) for size in sizes))


def error_event(settings: Settings, answer: Answer, asked: RecordedRequest) -> Answer:
    """So many events of a good stream, then the provider's error as an event, then the end."""
    framing = framing_of(answer)
    if not framing.streams:
        raise FaultNotApplicable("the fault 'error-event' is for streams, and this answer is none")
    dialect = dialect_of(asked)
    status = settings["status"]
    data = dialect.stream_error(status, settings["message"])
    place = _after_events(spans(answer.body, framing), settings["event"])
    if framing is Framing.SSE:
        name = f"event: {dialect.event_name}\n".encode() if dialect.event_name else b""
        event = name + b"data: " + data + b"\n\n"
    elif framing is Framing.FRAMES:
        word = dialect.exceptions.get(status, "internalServerException")
        headers = frame_headers(exception_type=word, content_type="application/json", message_type="exception")
        event = frame(headers, data)
    elif framing is Framing.ARRAY:
        event = (b"," if place else b"[") + data + b"]"
    else:
        event = data + b"\n"
    return edits.splice(answer, place, len(answer.body), event)


def malformed_json(settings: Settings, answer: Answer, asked: RecordedRequest) -> Answer:
    """The JSON of one event, or of the body, stops in its middle; everything around it is whole."""
    return _data("malformed-json", settings, answer, lambda data: data[: max(1, len(data) // 2)])


def invalid_utf8(settings: Settings, answer: Answer, asked: RecordedRequest) -> Answer:
    """A byte that is no UTF-8 stands in a text of one event, or of the body."""

    def spoil(data: bytes) -> bytes:
        place = data.rfind(b'"')
        return data[:place] + b"\xff\xfe" + data[place:] if place >= 0 else data + b"\xff\xfe"

    return _data("invalid-utf8", settings, answer, spoil)


def missing_done(settings: Settings, answer: Answer, asked: RecordedRequest) -> Answer:
    """The stream ends well, but without the event that ends it: `[DONE]`, or what the provider has in its place."""
    framing, events = _events("missing-done", answer)
    ends = found_in(dialect_of(asked).end, answer.body, events) or [len(events) - 1]
    for number in reversed(ends):
        start, end = events[number]
        answer = edits.splice(answer, start, end, b"")
    if framing is Framing.ARRAY and not answer.body.rstrip().endswith(b"]"):
        answer = edits.splice(answer, len(answer.body), len(answer.body), b"]")
    return answer


def duplicated_finish(settings: Settings, answer: Answer, asked: RecordedRequest) -> Answer:
    """The event that says why the answer ended comes twice."""
    framing, events = _events("duplicated-finish", answer)
    number = (found_in(dialect_of(asked).finish, answer.body, events) or [len(events) - 1])[-1]
    start, end = events[number]
    again = answer.body[start:end]
    if framing is Framing.ARRAY:
        again = b"," + payload(again, framing)
        end = start + answer.body[start:end].rfind(b"}") + 1
    return edits.splice(answer, end, end, again)


def truncated_arguments(settings: Settings, answer: Answer, asked: RecordedRequest) -> Answer:
    """The arguments of the last tool call stop in their middle; the rest of the answer is whole."""
    framing = framing_of(answer)
    events = spans(answer.body, framing)
    changed = truncated([payload(answer.body[start:end], framing) for start, end in events])
    if not changed:
        raise FaultNotApplicable("the fault 'truncated-arguments' is for tool calls, and this answer has none")
    for number in sorted(changed, reverse=True):
        start, end = events[number]
        answer = edits.splice(answer, start, end, with_payload(answer.body[start:end], framing, changed[number]))
    return answer


def wrong_content_type(settings: Settings, answer: Answer, asked: RecordedRequest) -> Answer:
    """The header lies about what the body is."""
    return edits.with_header(answer, "content-type", settings["type"])


def oversized(settings: Settings, answer: Answer, asked: RecordedRequest) -> Answer:
    """The body is the same in meaning, and longer by so many bytes that mean nothing."""
    size = settings["bytes"]
    framing = framing_of(answer)
    if framing is Framing.SSE:
        return edits.splice(answer, 0, 0, b": " + b"-" * size + b"\n\n")
    if framing is Framing.FRAMES:
        headers = frame_headers(event_type="padding", content_type="application/json", message_type="event")
        return edits.splice(answer, 0, 0, frame(headers, b'{"p":"' + b"-" * size + b'"}'))
    return edits.splice(answer, 0, 0, b" " * size)


def bad_gzip(settings: Settings, answer: Answer, asked: RecordedRequest) -> Answer:
    """The header says gzip, the body begins as gzip, and it cannot be unpacked."""
    # A gzip header, then a deflate block of the reserved type: every reader has to refuse it at once.
    spoiled = edits.splice(answer, 0, 0, b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x07")
    return edits.with_header(spoiled, "content-encoding", "gzip")


def _data(fault: str, settings: Settings, answer: Answer, change: Callable[[bytes], bytes]) -> Answer:
    """Change the data of one event: the one asked for, or the last that holds JSON."""
    framing = framing_of(answer)
    events = spans(answer.body, framing)
    holding = [
        number
        for number, (start, end) in enumerate(events)
        if payload(answer.body[start:end], framing).lstrip()[:1] in (b"{", b"[")
    ]
    if not holding:
        raise FaultNotApplicable(f"the fault {fault!r} is for JSON, and this answer holds none")
    wanted = settings["event"]
    number = holding[-1] if wanted is None else min((n for n in holding if n >= wanted - 1), default=holding[-1])
    start, end = events[number]
    event = answer.body[start:end]
    return edits.splice(answer, start, end, with_payload(event, framing, change(payload(event, framing))))


def _events(fault: str, answer: Answer) -> tuple[Framing, list[Span]]:
    framing = framing_of(answer)
    if not framing.streams:
        raise FaultNotApplicable(f"the fault {fault!r} is for streams, and this answer is none")
    return framing, spans(answer.body, framing)


def _place(fault: str, settings: Settings, answer: Answer) -> int:
    """The byte before which it happens: given, or after so many events, or the middle of a body without events."""
    if settings["byte"] is not None:
        if settings["byte"] > len(answer.body):
            raise FaultNotApplicable(
                f"the fault {fault!r} is for byte {settings['byte']}, and the answer has {len(answer.body)}"
            )
        place: int = settings["byte"]
        return place
    framing = framing_of(answer)
    if not framing.streams:
        return len(answer.body) // 2
    return _after_events(spans(answer.body, framing), 1 if settings["event"] is None else settings["event"])


def _after_events(events: list[Span], number: int) -> int:
    """The place after so many events, but before the last one."""
    return events[min(number, len(events) - 1)][0]
