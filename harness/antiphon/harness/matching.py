"""When two requests are the same request, and how they differ when they are not.

Providers' SDKs reorder keys and respell numbers between versions, so bodies are compared by meaning:
method, host, path, sorted query and canonical JSON; other bodies byte for byte. The comparison is one
hash, so a lookup never scans.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final
from urllib.parse import parse_qsl

import httpx

from antiphon.harness import jsonbody
from antiphon.harness.interaction import RecordedRequest

CREDENTIAL_QUERY: Final = frozenset({"key", "api_key", "api-key", "apikey", "access_token"})
"""Query parameters that carry credentials: never stored, never compared."""

_SHOWN: Final = 60
_LEAD: Final = 15
_MAX_DEPTH: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Matcher:
    """Decides sameness. `ignored_query` names query parameters that never count."""

    ignored_query: frozenset[str] = CREDENTIAL_QUERY

    def endpoint(self, request: RecordedRequest) -> str:
        """Return method, host and path: what similar requests have in common."""
        url = httpx.URL(request.url)
        return f"{request.method.upper()} {_host(url)}{_path(url)}"

    def query(self, request: RecordedRequest) -> list[tuple[str, str]]:
        """Return the query parameters that count, sorted."""
        text = httpx.URL(request.url).query.decode("ascii", "replace")
        pairs = parse_qsl(text, keep_blank_values=True)
        return sorted((name, value) for name, value in pairs if name.lower() not in self.ignored_query)

    def key(self, request: RecordedRequest) -> str:
        """Return the hash (hex) that equal requests share."""
        digest = hashlib.sha256(self.endpoint(request).encode())
        for name, value in self.query(request):
            digest.update(f"\0q{len(name)}:{name}{len(value)}:{value}".encode())
        try:
            body = b"\0j" + jsonbody.canonical(jsonbody.parse(request.body)).encode("ascii")
        except jsonbody.NotJsonError:
            body = b"\0b" + request.body
        digest.update(body)
        return digest.hexdigest()

    def differences(self, asked: RecordedRequest, recorded: RecordedRequest, *, limit: int = 16) -> list[str]:
        """Return at most `limit` lines on how a request differs from a recorded one."""
        return list(islice(self._differ(asked, recorded), limit))

    def _differ(self, asked: RecordedRequest, recorded: RecordedRequest) -> Iterator[str]:
        mine, theirs = httpx.URL(asked.url), httpx.URL(recorded.url)
        for what, here, there in (
            ("method", asked.method.upper(), recorded.method.upper()),
            ("host", _host(mine), _host(theirs)),
            ("path", _path(mine), _path(theirs)),
        ):
            if here != there:
                yield f"{what}: {_versus(here, there)}"
        here_query, there_query = self.query(asked), self.query(recorded)
        if here_query != there_query:
            yield from _compare("query", _grouped(here_query), _grouped(there_query), 0)
        yield from _bodies(asked.body, recorded.body)


def _host(url: httpx.URL) -> str:
    return url.netloc.decode("ascii").lower()


def _path(url: httpx.URL) -> str:
    return url.raw_path.split(b"?", 1)[0].decode("ascii")


def _grouped(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for name, value in pairs:
        grouped.setdefault(name, []).append(value)
    return grouped


def _bodies(asked: bytes, recorded: bytes) -> Iterator[str]:
    try:
        here = jsonbody.parse(asked)
        there = jsonbody.parse(recorded)
    except jsonbody.NotJsonError:
        if asked != recorded:
            offset = _common(asked, recorded)
            yield f"body: {len(asked)} bytes != {len(recorded)} bytes, first difference at byte {offset}"
        return
    yield from _compare("", here, there, 0)


def _compare(path: str, here: jsonbody.Json, there: jsonbody.Json, depth: int) -> Iterator[str]:
    if depth > _MAX_DEPTH:
        if here != there:
            yield f"{path}: differs, too deep to show"
    elif isinstance(here, dict) and isinstance(there, dict):
        for key in sorted(here.keys() | there.keys()):
            place = jsonbody.below(path, key)
            if key not in there:
                yield f"{place}: missing in the recording"
            elif key not in here:
                yield f"{place}: only in the recording"
            else:
                yield from _compare(place, here[key], there[key], depth + 1)
    elif isinstance(here, list) and isinstance(there, list):
        if len(here) != len(there):
            yield f"{path or '(top)'}: {len(here)} items != {len(there)} items"
        for index, (left, right) in enumerate(zip(here, there, strict=False)):
            yield from _compare(f"{path}[{index}]", left, right, depth + 1)
    elif type(here) is not type(there) or here != there:
        yield f"{path or '(top)'}: {_versus(here, there)}"


def _versus(here: jsonbody.Json, there: jsonbody.Json) -> str:
    start = 0
    if isinstance(here, str) and isinstance(there, str) and max(len(here), len(there)) > _SHOWN:
        start = max(0, _common(here, there) - _LEAD)
    return f"{_shown(here, start)} != {_shown(there, start)}"


def _shown(value: jsonbody.Json, start: int) -> str:
    if isinstance(value, str):
        part = value[start : start + _SHOWN]
        return repr(("..." if start else "") + part + ("..." if start + _SHOWN < len(value) else ""))
    if isinstance(value, (dict, list)):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value)}"
    return json.dumps(value)[:_SHOWN]


def _common(left: str | bytes, right: str | bytes) -> int:
    """Return the length of the common start."""
    low, high = 0, min(len(left), len(right))
    while low < high:  # halving compares in C; the bodies may be megabytes of image
        middle = (low + high + 1) // 2
        if left[:middle] == right[:middle]:
            low = middle
        else:
            high = middle - 1
    return low
