"""Changes of an answer that keep the rest of its chunks, and their delays, as they were."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from antiphon.harness.interaction import BODY, CONNECT, HEADERS, NO_ANSWER_STATUS, Answer, Chunks, Failure, Headers
from antiphon.harness.modes import Outcome

PIECE: Final = 64 * 1024
"""Bytes of a chunk that a fault makes itself."""
BROKEN: Final = "peer closed connection without sending complete message body (incomplete chunked read)"
RESET: Final = "connection reset by peer"


def chunks_of(answer: Answer) -> Chunks:
    """The chunks of an answer; one at once where it has none of its own."""
    return answer.chunks if answer.chunks is not None else ((0.0, len(answer.body)),)


def splice(answer: Answer, start: int, end: int, new: bytes) -> Answer:
    """Put `new` in place of the bytes from `start` to `end`; it arrives with the chunk that holds `start`."""
    changed: list[tuple[float, int]] = []
    at = 0
    placed = False
    for delay, length in chunks_of(answer):
        begin, at = at, at + length
        kept = max(0, min(at, start) - begin) + max(0, at - max(begin, end))
        if not placed and begin <= start < at:
            placed = True
            kept += len(new)
        changed.append((delay, kept))
    if not placed and new:
        changed.append((0.0, len(new)))
    body = answer.body[:start] + new + answer.body[end:]
    return resized(replace(answer, body=body, chunks=_in_pieces(changed)))


def broken_at(answer: Answer, place: int, *, error: str, message: str) -> Answer:
    """The first `place` bytes, and then the connection breaks. The headers still promise the whole."""
    kept: list[tuple[float, int]] = []
    left = place
    for delay, length in chunks_of(answer):
        if left <= 0:
            break
        kept.append((delay, min(length, left)))
        left -= length
    failure = Failure(error=error, phase=BODY, message=message)
    return replace(answer, body=answer.body[:place], chunks=tuple(kept), outcome=Outcome.TRUNCATED, failure=failure)


def silent_at(answer: Answer, place: int, milliseconds: float) -> Answer:
    """So long a silence before the byte at `place`, or before the end."""
    changed: list[tuple[float, int]] = []
    at = 0
    waited = False
    for delay, length in chunks_of(answer):
        begin, at = at, at + length
        if not waited and begin <= place < at:
            waited = True
            if place > begin:
                changed.append((delay, place - begin))
                delay = 0.0
            changed.append((delay + milliseconds, at - place))
        else:
            changed.append((delay, length))
    if not waited:
        changed.append((milliseconds, 0))
    return replace(answer, chunks=tuple(changed))


def paced(answer: Answer, factor: float) -> Answer:
    """The answer with its delays multiplied: what its call's pace would have made of them."""
    failure = answer.failure and replace(answer.failure, after_ms=answer.failure.after_ms * factor)
    return replace(
        answer,
        headers_ms=answer.headers_ms * factor,
        chunks=tuple((delay * factor, length) for delay, length in chunks_of(answer)),
        failure=failure,
    )


def resized(answer: Answer) -> Answer:
    """The answer with a content-length, where it has one, that fits its body."""
    fitting = tuple(
        (name, str(len(answer.body)) if name.lower() == "content-length" else value) for name, value in answer.headers
    )
    return replace(answer, headers=fitting)


def with_header(answer: Answer, name: str, value: str) -> Answer:
    """The answer with this header instead of any of the same name."""
    kept: Headers = tuple((key, old) for key, old in answer.headers if key.lower() != name)
    return replace(answer, headers=(*kept, (name, value)))


def unanswered(error: str, message: str, *, after_ms: float = 0.0) -> Answer:
    """No answer at all: the connection is not made, or breaks before the status line."""
    refused = error == "ConnectError"
    outcome = Outcome.REFUSED if refused else Outcome.TRUNCATED
    failure = Failure(error=error, phase=CONNECT if refused else HEADERS, message=message, after_ms=after_ms)
    return Answer(status=NO_ANSWER_STATUS, reason=f"antiphon: {outcome.value}", outcome=outcome, failure=failure)


def _in_pieces(chunks: list[tuple[float, int]]) -> Chunks:
    pieces: list[tuple[float, int]] = []
    for delay, length in chunks:
        wait = delay
        rest = length
        while rest > PIECE * 2:
            pieces.append((wait, PIECE))
            wait, rest = 0.0, rest - PIECE
        pieces.append((wait, rest))
    return tuple(pieces)
