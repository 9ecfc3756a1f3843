"""Writes cassettes by hand: an answer that a provider documents, without having called the provider.

Every such recording says `origin: authored`, so that nobody takes it for a provider's own words. A
script that calls this twice writes the same bytes twice.

    write_cassette("cassettes", "openai/chat", [
        authored_json(url="https://api.openai.com/v1/chat/completions", request={...}, response={...}),
        authored_sse(url=..., request={...}, events=[SseEvent(data={...}), SseEvent(data="[DONE]")]),
    ])
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from antiphon.harness import cassette, files
from antiphon.harness.errors import SecretFound
from antiphon.harness.interaction import (
    BODY,
    Answer,
    Failure,
    Interaction,
    Provenance,
    RecordedRequest,
    grouped,
)
from antiphon.harness.modes import Outcome
from antiphon.harness.recorder import model_in
from antiphon.harness.secrets import SecretScanner, accepted_in

Json = Any
_JSON: Final = {"content-type": "application/json"}
_SSE: Final = {"content-type": "text/event-stream; charset=utf-8"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SseEvent:
    """One server-sent event, written as one chunk `delay_ms` after the one before.

    `data` is text as it stands (such as `[DONE]`) or a JSON value; `event` is the event's name.
    """

    data: Json
    event: str | None = None
    delay_ms: float = 0.0

    def encoded(self) -> bytes:
        """Return the event as it goes over the wire, blank line included."""
        text = self.data if isinstance(self.data, str) else _compact(self.data)
        lines = [f"event: {self.event}"] if self.event is not None else []
        lines += [f"data: {line}" for line in text.split("\n")]
        return ("\n".join(lines) + "\n\n").encode("utf-8")


def authored_json(
    *,
    url: str,
    request: Json = None,
    response: Json,
    status: int = 200,
    method: str = "POST",
    headers: Mapping[str, str] | None = None,
    request_headers: Mapping[str, str] | None = None,
    headers_ms: float = 0.0,
    scenario: str | None = None,
    date: str | None = None,
    licence: str | None = None,
) -> Interaction:
    """Return an exchange with a JSON answer that arrives whole, `headers_ms` after the request.

    `request` None means no body. `headers` are added to the answer's, `date` says when it was authored,
    `licence` on which terms it may be passed on.
    """
    body = _compact(response).encode("utf-8")
    answer = Answer(
        status=status,
        reason=_reason(status),
        headers=grouped({**_JSON, **_lower(headers)}.items()),
        body=body,
        headers_ms=float(headers_ms),
        chunks=((0.0, len(body)),),
    )
    asked = _request(method, url, request, request_headers)
    return _labelled(asked, answer, scenario=scenario, date=date, licence=licence)


def authored_sse(
    *,
    url: str,
    request: Json,
    events: Sequence[SseEvent],
    status: int = 200,
    method: str = "POST",
    headers: Mapping[str, str] | None = None,
    request_headers: Mapping[str, str] | None = None,
    headers_ms: float = 0.0,
    cut: bool = False,
    scenario: str | None = None,
    date: str | None = None,
    licence: str | None = None,
) -> Interaction:
    """Return an exchange with a streamed answer, one chunk an event.

    `cut` ends it, after the last event, with a broken connection (httpx.RemoteProtocolError).
    """
    chunks = [event.encoded() for event in events]
    answer = Answer(
        status=status,
        reason=_reason(status),
        headers=grouped({**_SSE, **_lower(headers)}.items()),
        body=b"".join(chunks),
        headers_ms=float(headers_ms),
        chunks=tuple((float(e.delay_ms), len(c)) for e, c in zip(events, chunks, strict=True)),
        outcome=Outcome.TRUNCATED if cut else Outcome.COMPLETE,
        failure=Failure(error="RemoteProtocolError", phase=BODY, message=_CUT) if cut else None,
    )
    asked = _request(method, url, request, request_headers)
    return _labelled(asked, answer, scenario=scenario, date=date, licence=licence)


def write_cassette(
    folder: Path | str, name: str, interactions: Sequence[Interaction], *, secrets: Sequence[str] = ()
) -> Path:
    """Write a cassette whole, in place of what was there; returns its file.

    Raises SecretFound, or BadRecordingCall for a name that could leave the folder.
    """
    root = Path(folder)
    path = files.path_of(root, name)
    scanner = SecretScanner(secrets, accepted=accepted_in(root))
    places = [f"interaction {i}: {p}" for i, item in enumerate(interactions) for p in scanner.places(item)]
    if places:
        raise SecretFound(places, cassette=name)
    document = cassette.document_of(interactions)
    with files.locked(root):
        cassette.save(path, document)
    return path


def _labelled(
    asked: RecordedRequest, answer: Answer, *, scenario: str | None, date: str | None, licence: str | None
) -> Interaction:
    provenance = Provenance(
        origin="authored",
        recorded_at=date,
        scenario=scenario,
        model_asked=model_in(asked.body),
        model_answered=model_in(answer.body),
        licence=licence,
    )
    return Interaction(request=asked, answer=replace(answer, provenance=provenance))


def _request(method: str, url: str, body: Json, headers: Mapping[str, str] | None) -> RecordedRequest:
    named = {**(_JSON if body is not None else {}), **_lower(headers)}
    return RecordedRequest(
        method=method,
        url=url,
        headers=grouped(named.items()),
        body=b"" if body is None else _compact(body).encode("utf-8"),
    )


def _lower(headers: Mapping[str, str] | None) -> dict[str, str]:
    return {name.lower(): value for name, value in (headers or {}).items()}


def _compact(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:  # providers use numbers of their own, such as 529
        return ""


_CUT: Final = "peer closed connection without sending complete message body (incomplete chunked read)"
