"""Between interactions and the plain mappings of vcrpy's format, with antiphon's keys beside them.

`response.antiphon` holds what vcrpy has no place for (chunks, outcome, provenance, how the bodies are
written); plain vcrpy keeps it and ignores it. A recording without it, made by plain vcrpy, reads as a
complete answer in one chunk.
"""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any, Final

import httpx

from antiphon.harness import bodyform
from antiphon.harness.blobs import Blobs
from antiphon.harness.interaction import (
    REPLAYABLE,
    Answer,
    Chunks,
    Failure,
    Headers,
    Interaction,
    Provenance,
    RecordedRequest,
)
from antiphon.harness.modes import Outcome

KEY: Final = "antiphon"
BODIES: Final = "bodies"
"""Below KEY: the forms (`bodyform`) in which the request's and the response's body are written."""

Raw = dict[str, Any]


class MalformedError(ValueError):
    """A mapping lacks what a recording needs; the text names the key."""


def to_raw(interaction: Interaction) -> tuple[Raw, Raw]:
    """Return (arguments of vcrpy's Request, vcrpy's response)."""
    asked, answer = interaction.request, interaction.answer
    request: Raw = {
        "method": asked.method,
        "uri": asked.url,
        "body": asked.body,
        "headers": dict(asked.headers),
    }
    extra: Raw = {"outcome": answer.outcome.value}
    if answer.failure is not None:
        extra["failure"] = _present(answer.failure)
    extra["headers_ms"] = answer.headers_ms
    extra["http_version"] = answer.http_version
    if answer.trailers:
        extra["trailers"] = _by_name(answer.trailers)
    if answer.chunks is not None:
        extra["chunks"] = [list(chunk) for chunk in answer.chunks]
    if answer.provenance is not None:
        extra["provenance"] = _present(answer.provenance)
    response: Raw = {
        "status": {"code": answer.status, "message": answer.reason},
        "headers": _by_name(answer.headers),
        KEY: extra,
        "body": {"string": answer.body},
    }
    return request, response


def modern(response: Any) -> Any:
    """Return a response in today's form, where an old vcrpy wrote httpx answers in another."""
    if not isinstance(response, dict) or "status_code" not in response or "content" not in response:
        return response
    content = response["content"]
    if isinstance(content, str):
        content = content.encode("utf-8")
    headers = response.get("headers")
    if isinstance(headers, dict):  # the content was stored decoded
        headers = {name: value for name, value in headers.items() if str(name).lower() not in _ENCODED}
    rest = {key: value for key, value in response.items() if key not in ("status_code", "content")}
    status = {"code": response["status_code"], "message": ""}
    return {**rest, "status": status, "headers": headers, "body": {"string": content}}


def exact(request: Any, response: Any, blobs: Blobs) -> Any:
    """Return a response with exact bytes where readable forms are written; the request is changed in place.

    Raises MalformedError, FormError or BlobError.
    """
    extra = response.get(KEY) if isinstance(response, dict) else None
    if not isinstance(extra, dict) or BODIES not in extra:
        return response
    forms = extra[BODIES]
    _need(isinstance(forms, dict) and all(isinstance(f, str) for f in forms.values()), f"{BODIES} must be a mapping")
    response = {**response, KEY: {key: value for key, value in extra.items() if key != BODIES}}
    if "request" in forms:
        _need(isinstance(request.body, bytes), "request.body must be text or !!binary")
        request.body = bodyform.exact(request.body, forms["request"], blobs)
    if "response" in forms:
        body = response.get("body")
        stored = body.get("string") if isinstance(body, dict) else None
        if not isinstance(body, dict) or not isinstance(stored, bytes):
            raise MalformedError("response.body.string must be text or !!binary")
        meant = bodyform.exact(stored, forms["response"], blobs)
        response["body"] = {**body, "string": meant}
        set_length(response, stored, meant)
    return response


def set_length(response: Raw, old: str | bytes, new: str | bytes) -> None:
    """Let a true content-length tell the new body's length: plain vcrpy's clients believe that header."""
    headers = response.get("headers")
    if not isinstance(headers, dict):
        return
    was, now = (str(len(body.encode("utf-8") if isinstance(body, str) else body)) for body in (old, new))
    for name, values in headers.items():
        if str(name).lower() == "content-length" and values == [was]:
            response["headers"] = {**headers, name: [now]}
            return


def from_raw(request: Any, response: Raw) -> Interaction:
    """Return the interaction of a vcrpy Request and response; raises MalformedError."""
    body = request.body
    if not isinstance(body, (bytes, type(None))):
        raise MalformedError("request.body must be text or !!binary")
    _need(isinstance(request.method, str), "request.method must be text")
    _need(isinstance(request.uri, str), "request.uri must be text")
    try:
        httpx.URL(request.uri)
    except httpx.InvalidURL as error:
        raise MalformedError(f"request.uri can't be used ({error})") from error
    asked = RecordedRequest(
        method=request.method,
        url=request.uri,
        headers=_headers(dict(request.headers), "request.headers"),
        body=body or b"",
    )
    return Interaction(request=asked, answer=_answer(response))


def _answer(response: Raw) -> Answer:
    _need(isinstance(response, dict), "response must be a mapping")
    status = response.get("status")
    _need(isinstance(status, dict) and type(status.get("code")) is int, "response.status.code is missing")
    assert isinstance(status, dict)  # noqa: S101 - told to mypy; checked above
    holder = response.get("body")
    _need(isinstance(holder, (dict, type(None))), "response.body must be a mapping")
    body = holder.get("string") if isinstance(holder, dict) else None
    _need(isinstance(body, (bytes, type(None))), "response.body.string must be text or !!binary")
    body = body or b""
    extra = response.get(KEY) or {}
    _need(isinstance(extra, dict), f"response.{KEY} must be a mapping")
    failure = _failure(extra.get("failure"))
    return Answer(
        status=status["code"],
        reason=str(status.get("message") or ""),
        headers=_headers(response.get("headers") or {}, "response.headers"),
        body=body,
        headers_ms=_milliseconds(extra.get("headers_ms", 0.0), "headers_ms"),
        chunks=_chunks(extra.get("chunks"), len(body)),
        outcome=_outcome(extra.get("outcome", Outcome.COMPLETE.value), failure),
        failure=failure,
        http_version=str(extra.get("http_version", "HTTP/1.1")),
        trailers=_headers(extra.get("trailers") or {}, "trailers"),
        provenance=_provenance(extra.get("provenance")),
    )


def _by_name(headers: Headers) -> dict[str, list[str]]:
    by_name: dict[str, list[str]] = {}
    for name, value in headers:
        by_name.setdefault(name, []).append(value)
    return by_name


def _headers(raw: Any, place: str) -> Headers:
    _need(isinstance(raw, dict), f"{place} must be a mapping")
    pairs: list[tuple[str, str]] = []
    for name, values in raw.items():
        for value in values if isinstance(values, list) else [values]:
            _need(isinstance(value, (str, bytes, int, float)), f"{place}.{name} must be text")
            text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
            pairs.append((str(name).lower(), text))
    return tuple(pairs)


def _chunks(raw: Any, size: int) -> Chunks | None:
    if raw is None:
        return None
    _need(isinstance(raw, list), "chunks must be a list")
    chunks: list[tuple[float, int]] = []
    for pair in raw:
        _need(isinstance(pair, list) and len(pair) == 2, "a chunk must be [delay in ms, length in bytes]")
        _need(type(pair[1]) is int and pair[1] >= 0, "a chunk's length must be a whole number")
        chunks.append((_milliseconds(pair[0], "a chunk's delay"), pair[1]))
    total = sum(length for _, length in chunks)
    if total != size:
        raise MalformedError(
            f"the chunks hold {total} bytes, the body {size}; after editing a body, "
            "remove its 'chunks' key (the body then replays in one piece)"
        )
    return tuple(chunks)


def _outcome(raw: Any, failure: Failure | None) -> Outcome:
    try:
        outcome = Outcome(str(raw))
    except ValueError as error:
        raise MalformedError(f"outcome must be one of {', '.join(o.value for o in Outcome)}") from error
    ended = outcome in (Outcome.COMPLETE, Outcome.CANCELLED)
    _need(ended or failure is not None, f"outcome {outcome.value} needs a failure")
    return outcome


def _failure(raw: Any) -> Failure | None:
    if raw is None:
        return None
    given = _known(raw, Failure, "failure")
    _need(given.get("error") in REPLAYABLE or given.get("error") == "Cancelled", "failure.error is unknown")
    _need(isinstance(given.get("phase"), str), "failure.phase is missing")
    after = _milliseconds(given.pop("after_ms", 0.0), "failure.after_ms")
    return Failure(after_ms=after, **{key: str(value) for key, value in given.items()})


def _provenance(raw: Any) -> Provenance | None:
    if raw is None:
        return None
    given = _known(raw, Provenance, "provenance")
    return Provenance(**{key: str(value) for key, value in given.items() if value is not None})


def _known(raw: Any, record: type[Any], place: str) -> Raw:
    _need(isinstance(raw, dict), f"{place} must be a mapping")
    names = {item.name for item in fields(record)}
    return {key: value for key, value in raw.items() if key in names}


def _present(record: Any) -> Raw:
    return {key: value for key, value in asdict(record).items() if value is not None}


def _milliseconds(raw: Any, place: str) -> float:
    number = isinstance(raw, (int, float)) and not isinstance(raw, bool)
    _need(number and 0 <= raw < _A_DAY_MS, f"{place} must be milliseconds, 0 or more")
    return float(raw)


def _need(condition: bool, problem: str) -> None:
    if not condition:
        raise MalformedError(problem)


_ENCODED: Final = frozenset({"content-encoding", "content-length", "transfer-encoding"})
_A_DAY_MS: Final = 86_400_000
# Also keeps an infinite or absurd delay of a foreign file from hanging a replay
