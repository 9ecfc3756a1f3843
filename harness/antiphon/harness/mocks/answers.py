"""Answers that nobody recorded: a fixed body, chunks with delays, events, or an error in a provider's own words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from antiphon.harness.authoring import SseEvent
from antiphon.harness.faults.catalogue import fault_of
from antiphon.harness.faults.dialect import phrase
from antiphon.harness.interaction import Answer, Provenance, RecordedRequest, grouped
from antiphon.harness.modes import RecordingCall

Json = Any
MOCK: Final = Provenance(origin="mock")


def fixed(
    body: bytes | str | Json,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    delay_ms: float = 0.0,
) -> Answer:
    """A whole answer, `delay_ms` after the request: bytes and text as they are, every other value as JSON."""
    raw, kind = _encoded(body)
    named = {"content-type": kind, **_lower(headers), "content-length": str(len(raw))}
    return Answer(
        status=status,
        reason=phrase(status),
        headers=grouped(named.items()),
        body=raw,
        headers_ms=delay_ms,
        chunks=((0.0, len(raw)),),
        provenance=MOCK,
    )


def chunked(
    chunks: Sequence[tuple[float, bytes | str]],
    *,
    status: int = 200,
    content_type: str = "text/event-stream; charset=utf-8",
    headers: Mapping[str, str] | None = None,
    delay_ms: float = 0.0,
) -> Answer:
    """A streamed answer: each chunk so many milliseconds after the one before."""
    pieces = [(float(delay), _raw(piece)) for delay, piece in chunks]
    return Answer(
        status=status,
        reason=phrase(status),
        headers=grouped({"content-type": content_type, **_lower(headers)}.items()),
        body=b"".join(piece for _, piece in pieces),
        headers_ms=delay_ms,
        chunks=tuple((delay, len(piece)) for delay, piece in pieces),
        provenance=MOCK,
    )


def events(items: Sequence[SseEvent], *, headers: Mapping[str, str] | None = None, delay_ms: float = 0.0) -> Answer:
    """Server-sent events, each a chunk."""
    return chunked([(item.delay_ms, item.encoded()) for item in items], headers=headers, delay_ms=delay_ms)


class Failing:
    """Answers with an error in the words of whichever provider a request is for."""

    def __init__(self, status: int, *, retry_after: float | None = None, message: str = "") -> None:
        settings = [f"retry-after={retry_after:g}"] if retry_after is not None else []
        self._fault = fault_of(";".join([str(status), *settings]))
        if message:
            self._fault.steps[0][1]["message"] = message

    def __call__(self, asked: RecordedRequest, call: RecordingCall) -> Answer:
        """The error."""
        return self._fault.answer(asked)


def _encoded(body: bytes | str | Json) -> tuple[bytes, str]:
    if isinstance(body, bytes | str):
        return _raw(body), "text/plain; charset=utf-8"
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(), "application/json"


def _raw(piece: bytes | str) -> bytes:
    return piece.encode() if isinstance(piece, str) else piece


def _lower(headers: Mapping[str, str] | None) -> dict[str, str]:
    return {name.lower(): value for name, value in (headers or {}).items()}
