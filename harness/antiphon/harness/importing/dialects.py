"""What each recorder writes, as functions from its mappings to one exchange.

| dialect | how it is told | bodies |
|---|---|---|
| ruby-vcr | `http_interactions` | `body.string` or `body.base64_string` |
| langchain | `requests` beside `responses` | as vcrpy |
| pydantic-ai | `parsed_body` somewhere | JSON as YAML, dumped again |
| go-vcr | `request.url`, `response.code` | `body` text |
| vcrpy | everything else with `interactions` | `body` or `body.string`, text or `!!binary` |
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx

from antiphon.harness.errors import CassetteUnreadable
from antiphon.harness.importing import loading
from antiphon.harness.importing.encodings import decoded
from antiphon.harness.interaction import Answer, Headers, Interaction, Provenance, RecordedRequest, grouped

Raw = Mapping[str, Any]


class ForeignError(ValueError):
    """A mapping lacks what an exchange needs; the text says what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How a recorder's document is told from others, and where its exchanges are."""

    name: str
    matches: Callable[[Raw], bool]
    pairs: Callable[[Raw], Iterator[tuple[Any, Any, Any]]]
    """Yields (request, response, when it was recorded)."""


def exchanges(content: bytes, *, file: str) -> tuple[Interaction, ...]:
    """Read another recorder's cassette; raises CassetteUnreadable for what isn't safe, whole and known."""
    document = loading.load(content, file=file)
    if not isinstance(document, dict):
        raise CassetteUnreadable(file, "it holds no mapping, so it is no cassette")
    dialect = next((d for d in DIALECTS if d.matches(document)), None)
    if dialect is None:
        raise CassetteUnreadable(file, f"no known recorder writes this; known: {', '.join(d.name for d in DIALECTS)}")
    found = []
    try:
        for position, (request, response, when) in enumerate(dialect.pairs(document)):
            try:
                found.append(_exchange(request, response, when, dialect.name))
            except ForeignError as error:
                raise CassetteUnreadable(file, f"interaction {position}: {error}") from error
    except (ValueError, TypeError) as error:
        raise CassetteUnreadable(file, f"its {dialect.name} form can't be read ({error})") from error
    return tuple(found)


def _exchange(request: Any, response: Any, when: Any, dialect: str) -> Interaction:
    if not isinstance(request, dict) or not isinstance(response, dict):
        raise ForeignError("it lacks a request or a response")
    url = request.get("uri") or request.get("url")
    if not isinstance(url, str):
        raise ForeignError("its request has no URL")
    try:
        httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ForeignError(f"its request's URL can't be used ({error})") from error
    status, reason = _status(response)
    headers = _headers(response.get("headers") or response.get("http_headers"))
    try:
        plain = decoded(_body(response, "content"), headers)
    except ValueError as error:
        raise ForeignError(str(error)) from error
    answer = Answer(
        status=status,
        reason=reason,
        headers=plain.headers,
        body=plain.body,
        headers_ms=_duration(response.get("duration")),
        http_version=_version(response),
        provenance=Provenance(
            recorded_at=str(when) if when is not None else None,
            content_encoding=plain.encoding,
            imported_from=dialect,
        ),
    )
    asked = RecordedRequest(
        method=str(request.get("method") or "GET").upper(),
        url=url,
        headers=_headers(request.get("headers")),
        body=_body(request),
    )
    return Interaction(request=asked, answer=answer)


def _status(response: Raw) -> tuple[int, str]:
    status = response.get("status")
    code: Any = response.get("code", response.get("status_code"))
    reason = ""
    if isinstance(status, dict):
        code, reason = status.get("code"), status.get("message") or ""
    elif isinstance(status, str):  # go-vcr: "200 OK"
        reason = status.partition(" ")[2]
    if type(code) is not int or not 100 <= code <= 999:
        raise ForeignError("its response has no status code")
    return code, reason if isinstance(reason, str) else ""


def _body(message: Raw, other: str = "") -> bytes:
    if "parsed_body" in message:
        try:
            return json.dumps(message["parsed_body"], ensure_ascii=False).encode("utf-8", "surrogatepass")
        except (TypeError, ValueError, RecursionError) as error:
            raise ForeignError(f"its parsed_body isn't JSON ({error})") from error
    value = message.get("body")
    if value is None and other:
        value = message.get(other)
    if isinstance(value, dict):
        packed = value.get("base64_string")
        if packed:
            try:
                return base64.b64decode(packed)
            except (binascii.Error, TypeError, ValueError) as error:
                raise ForeignError("its base64_string isn't base64") from error
        value = value.get("string")
    if value is None:
        return b""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    if not isinstance(value, bytes):
        raise ForeignError(f"a body must be text or binary, not {type(value).__name__}")
    return value


def _headers(raw: Any) -> Headers:
    if raw is None:
        return ()
    if not isinstance(raw, dict):
        raise ForeignError("headers must be a mapping")
    pairs: list[tuple[str, str]] = []
    for name, values in raw.items():
        for value in values if isinstance(values, (list, tuple)) else [values]:
            if not isinstance(value, (str, bytes, int, float)):
                raise ForeignError(f"header {str(name)[:60]} must be text")
            pairs.append((str(name), value.decode("latin-1") if isinstance(value, bytes) else str(value)))
    return grouped(pairs)


def _version(response: Raw) -> str:
    said = response.get("proto") or response.get("http_version") or response.get("protocol")
    match = _VERSION.search(said) if isinstance(said, str) else None
    return f"HTTP/{match[1]}" if match else "HTTP/1.1"


def _duration(raw: Any) -> float:
    """Return milliseconds of Go's `1m2.5s`, 0 for anything else."""
    if not isinstance(raw, str) or len(raw) > 40 or not _GO_DURATION.fullmatch(raw):
        return 0.0
    total = sum(float(n) * _GO_UNITS[unit] for n, unit in _GO_PART.findall(raw))
    return round(min(total, _AN_HOUR_MS), 3)


def _ruby(document: Raw) -> Iterator[tuple[Any, Any, Any]]:
    for item in _list(document["http_interactions"]):
        yield item.get("request"), item.get("response"), item.get("recorded_at")


def _langchain(document: Raw) -> Iterator[tuple[Any, Any, Any]]:
    requests, responses = document["requests"], document["responses"]
    if not isinstance(requests, list) or not isinstance(responses, list) or len(requests) != len(responses):
        raise ForeignError("its requests and responses don't pair")
    yield from ((request, response, None) for request, response in zip(requests, responses, strict=True))


def _interactions(document: Raw) -> Iterator[tuple[Any, Any, Any]]:
    for item in _list(document["interactions"]):
        yield item.get("request"), item.get("response"), item.get("recorded_at")


def _list(raw: Any) -> list[dict[str, Any]]:
    if not isinstance(raw, list) or not all(isinstance(item, dict) for item in raw):
        raise ForeignError("its interactions must be a list of mappings")
    return raw


def _of_some(document: Raw, holds: Callable[[Raw, Raw], bool]) -> bool:
    items = document.get("interactions")
    return isinstance(items, list) and any(
        holds(request, response)
        for item in items
        if isinstance(item, dict)
        and isinstance(request := item.get("request"), dict)
        and isinstance(response := item.get("response"), dict)
    )


DIALECTS: Final[tuple[Dialect, ...]] = (
    Dialect(name="ruby-vcr", matches=lambda document: "http_interactions" in document, pairs=_ruby),
    Dialect(name="langchain", matches=lambda document: {"requests", "responses"} <= document.keys(), pairs=_langchain),
    Dialect(
        name="pydantic-ai",
        matches=lambda document: _of_some(document, lambda asked, got: "parsed_body" in {**asked, **got}),
        pairs=_interactions,
    ),
    Dialect(
        name="go-vcr",
        matches=lambda document: _of_some(document, lambda asked, got: "url" in asked and "code" in got),
        pairs=_interactions,
    ),
    Dialect(name="vcrpy", matches=lambda document: "interactions" in document, pairs=_interactions),
)
"""The first that matches reads the document."""
_VERSION: Final = re.compile(r"(?:HTTP/)?([0-9](?:\.[0-9])?)")
_GO_UNITS: Final = {"h": 3_600_000.0, "m": 60_000.0, "s": 1000.0, "ms": 1.0, "us": 1e-3, "µs": 1e-3, "ns": 1e-6}
_GO_PART: Final = re.compile(r"([0-9.]+)(ms|us|µs|ns|h|m|s)")
_GO_DURATION: Final = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:ms|us|µs|ns|h|m|s))+")
_AN_HOUR_MS: Final = 3_600_000.0
