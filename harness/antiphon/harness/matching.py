"""When two requests are the same request.

Providers' SDKs reorder keys and respell numbers between versions, so bodies are compared by meaning: method, host,
path, sorted query, and the body's value; what is declared volatile never counts. The comparison is one hash, so a
lookup never scans.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Final
from urllib.parse import parse_qsl

import httpx

from antiphon.harness import jsonbody, volatile
from antiphon.harness.differences import Side, between
from antiphon.harness.interaction import RecordedRequest
from antiphon.harness.meaning import BYTES, Meaning, meaning_of

CREDENTIAL_QUERY: Final = frozenset({"key", "api_key", "api-key", "apikey", "access_token"})
"""Query parameters that carry credentials: never stored, never compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matcher:
    """Decides sameness.

    `ignored_query` names query parameters that never count, `ignored_body` paths into the body
    (`messages[*].id`), `paths` URL paths whose `*` segments don't (`/v1/threads/*/runs`). Text of the shapes
    `alike` (see volatile.SHAPES) counts as equal. `any_host` leaves the host out.
    """

    ignored_query: frozenset[str] = CREDENTIAL_QUERY
    ignored_body: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    alike: tuple[str, ...] = ()
    any_host: bool = False

    def __post_init__(self) -> None:
        """Refuse, with volatile.BadPathError, what can't be read."""
        for path in self.ignored_body:
            volatile.steps_of(path)
        if unknown := sorted(set(self.alike) - set(volatile.SHAPES)):
            raise volatile.BadPathError(f"unknown shapes {unknown}; known: {sorted(volatile.SHAPES)}")

    @property
    def fingerprint(self) -> str:
        """The rules as a hash (hex): what a stored key depends on beside its request."""
        return _fingerprint(self)

    def endpoint(self, request: RecordedRequest) -> str:
        """Return method, host and path: what similar requests have in common."""
        address = _address(request.url)
        return f"{request.method.upper()} {self._host(address)}{self._path(address)}"

    def query(self, request: RecordedRequest) -> list[tuple[str, str]]:
        """Return the query parameters that count, sorted."""
        return [
            (name, volatile.masked_text(value, self.alike) if self.alike else value)
            for name, value in _address(request.url).query
            if name.lower() not in self.ignored_query
        ]

    def meaning(self, request: RecordedRequest, said: Meaning | None = None) -> Meaning:
        """Return what counts of the body; `said` is its meaning where the caller has it already."""
        said = said if said is not None else meaning_of(request)
        if said.kind == BYTES or not (self.ignored_body or self.alike):
            return said
        try:
            value = volatile.without(said.value, self.ignored_body)
            return Meaning(kind=said.kind, value=volatile.masked(value, self.alike))
        except jsonbody.NotJsonError:
            return Meaning(kind=BYTES)

    def key(self, request: RecordedRequest, said: Meaning | None = None) -> str:
        """Return the hash (hex) that equal requests share."""
        digest = hashlib.sha256(f"{self.fingerprint} {self.endpoint(request)}".encode())
        for name, value in self.query(request):
            digest.update(f"\0q{len(name)}:{name}{len(value)}:{value}".encode())
        counted = self.meaning(request, said)
        try:
            if counted.kind != BYTES:
                digest.update(f"\0{counted.kind} {jsonbody.canonical(counted.value)}".encode("ascii"))
                return digest.hexdigest()
        except jsonbody.NotJsonError:  # too deep to write down
            pass
        digest.update(b"\0" + request.body)
        return digest.hexdigest()

    def differences(self, asked: RecordedRequest, recorded: RecordedRequest, *, limit: int = 16) -> list[str]:
        """Return at most `limit` lines on how a request differs from a recorded one."""
        return between(self._side(asked), self._side(recorded), limit=limit)

    def _side(self, request: RecordedRequest) -> Side:
        address = _address(request.url)
        return Side(
            method=request.method.upper(),
            host=self._host(address),
            path=self._path(address),
            query=self.query(request),
            meaning=self.meaning(request),
            body=request.body,
        )

    def _host(self, address: _Address) -> str:
        return "*" if self.any_host else address.host

    def _path(self, address: _Address) -> str:
        path = address.path
        for pattern in self.paths:
            if pattern.count("/") == path.count("/") and _segments_fit(path, pattern):
                return pattern
        return volatile.masked_text(path, self.alike) if self.alike else path


@dataclass(frozen=True, slots=True, kw_only=True)
class _Address:
    """The parts of a URL that matching looks at; the query sorted."""

    host: str
    path: str
    query: tuple[tuple[str, str], ...]


@lru_cache(maxsize=2048)  # clients ask the same few URLs again and again, and taking one apart is a third of a lookup
def _address(url: str) -> _Address:
    parsed = httpx.URL(url)
    pairs = parse_qsl(parsed.query.decode("ascii", "replace"), keep_blank_values=True)
    return _Address(
        host=parsed.netloc.decode("ascii").lower(),
        path=parsed.raw_path.split(b"?", 1)[0].decode("ascii"),
        query=tuple(sorted(pairs)),
    )


@lru_cache(maxsize=1024)
def _fingerprint(matcher: Matcher) -> str:
    told = [  # what is at its default is left out, so that a rule to come changes no key of those who don't use it
        (field.name, _ordered(value))
        for field in fields(matcher)
        if (value := getattr(matcher, field.name)) != field.default
    ]
    return hashlib.sha256(repr((_VERSION, told)).encode()).hexdigest()[:16]


def _ordered(value: object) -> object:
    return sorted(value) if isinstance(value, frozenset) else value


def _segments_fit(path: str, pattern: str) -> bool:
    return all(fnmatchcase(s, p) for s, p in zip(path.split("/"), pattern.split("/"), strict=True))


_VERSION: Final = 1
"""Counts up when the same rules come to give other keys, so that no stored key outlives its meaning."""
