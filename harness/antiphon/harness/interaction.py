"""One recorded exchange as plain records: what the format stores, matching compares and replay plays.

Bytes here are decoded (no content-encoding) and free of credentials; times are milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self, cast

import httpx

from antiphon.harness.modes import Outcome

Headers = tuple[tuple[str, str], ...]
"""Names in lower case, repeated names allowed, in the order of the wire."""

Chunks = tuple[tuple[float, int], ...]
"""(delay in ms since the previous chunk, the first since the headers; length in bytes)."""


class _Later:
    """Room beside a record's fields for what they are made from, or what is made from them, when it is first asked for.
    Nothing compares, prints or copies it."""

    __slots__ = ("_direct", "_later")
    _direct: object
    _later: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRequest(_Later):
    """What was asked, as far as it may be stored. Equal header names are one, for vcrpy's format holds one of each."""

    method: str
    url: str
    headers: Headers = ()
    body: bytes = b""

    def __post_init__(self) -> None:
        """Join the values of equal names, which means the same (RFC 9110, 5.3)."""
        object.__setattr__(self, "headers", _joined(self.headers))

    @classmethod
    def arrived(cls, request: httpx.Request, body: bytes) -> Self:
        """Return what a request asks. Its headers are grouped when they are first looked at: few requests' ever are."""
        return cls.said(request.method, str(request.url), httpx.Headers(request.headers), body)

    @classmethod
    def said(cls, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Self:
        """Return what a request asks that is told in these words. The headers must not change any more."""
        asked = object.__new__(cls)
        _method(asked, method)
        _url(asked, url)
        _body(asked, body)
        _headers(asked, headers)
        return asked

    if not TYPE_CHECKING:  # a type checker would take any name for an attribute

        def __getattr__(self, name: str) -> Any:
            """Called for what has no value yet: the headers of a request that arrived."""
            if name != "headers":
                raise AttributeError(name, name=name, obj=self)
            headers = _joined(grouped(self._later.items()))
            object.__setattr__(self, name, headers)
            return headers


_method, _url, _body = (RecordedRequest.__dict__[name].__set__ for name in ("method", "url", "body"))
_headers = _Later.__dict__["_later"].__set__
"""A frozen record is written through its slots: a call of `object.__setattr__` for each costs twice as much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The error that ended an exchange: httpx's class name, where, and `after_ms` of silence.

    `phase` is connect, tls, headers (asked, but no status line came) or body.
    """

    error: str
    phase: str
    message: str = ""
    after_ms: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a recording comes from; an absent fact is None.

    `origin` is recorded or authored, `version` antiphon's, `client` the HTTP library's. `content_encoding` is
    the encoding of the wire, which the stored body no longer has. `licence` says on which terms the content
    may be passed on, `imported_from` in whose format it was stored before.
    """

    origin: str = "recorded"
    recorded_at: str | None = None
    version: str | None = None
    client: str | None = None
    scenario: str | None = None
    model_asked: str | None = None
    model_answered: str | None = None
    content_encoding: str | None = None
    licence: str | None = None
    imported_from: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(_Later):
    """What came back. `chunks` None means: one chunk, at once (a plain vcrpy cassette)."""

    status: int
    reason: str = ""
    headers: Headers = ()
    body: bytes = b""
    headers_ms: float = 0.0
    chunks: Chunks | None = None
    outcome: Outcome = Outcome.COMPLETE
    failure: Failure | None = None
    http_version: str = "HTTP/1.1"
    trailers: Headers = ()
    provenance: Provenance | None = None

    @property
    def answered(self) -> bool:
        """Whether a status line and headers arrived at all."""
        return self.failure is None or self.failure.phase == BODY

    @property
    def head(self) -> httpx.Headers:
        """The headers as httpx has them, the same object each time: to be copied, as a response does, not changed."""
        try:
            return cast("httpx.Headers", self._later)
        except AttributeError:
            head = httpx.Headers(list(self.headers))
            object.__setattr__(self, "_later", head)
            return head


@dataclass(frozen=True, slots=True, kw_only=True)
class Interaction:
    """A request and its answer."""

    request: RecordedRequest
    answer: Answer


def grouped(pairs: Iterable[tuple[str, str]]) -> Headers:
    """Return headers with lower-case names and equal names side by side, as the format keeps them."""
    by_name: dict[str, list[str]] = {}
    for name, value in pairs:
        by_name.setdefault(name.lower(), []).append(value)
    return tuple((name, value) for name, values in by_name.items() for value in values)


def _joined(headers: Headers) -> Headers:
    """Return the headers with the values of equal names joined; the same object where there are none."""
    joined: dict[str, str] = {}
    for name, value in headers:
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return headers if len(joined) == len(headers) else tuple(joined.items())


CONNECT: Final = "connect"
TLS: Final = "tls"
HEADERS: Final = "headers"
BODY: Final = "body"

NO_ANSWER_STATUS: Final = 599
"""Stored where no status arrived, so that plain vcrpy replays a server error instead of crashing."""

REPLAYABLE: Final[dict[str, type[httpx.TransportError]]] = {
    kind.__name__: kind
    for kind in (
        httpx.ConnectError,
        httpx.ConnectTimeout,
        httpx.ReadError,
        httpx.ReadTimeout,
        httpx.WriteError,
        httpx.WriteTimeout,
        httpx.CloseError,
        httpx.PoolTimeout,
        httpx.ProxyError,
        httpx.RemoteProtocolError,
        httpx.LocalProtocolError,
        httpx.UnsupportedProtocol,
    )
}


def outcome_of(error: httpx.TransportError) -> Outcome:
    """Return the outcome that an httpx error stands for."""
    if isinstance(error, httpx.TimeoutException):
        return Outcome.TIMEOUT
    if isinstance(error, (httpx.ConnectError, httpx.ProxyError, httpx.UnsupportedProtocol)):
        return Outcome.REFUSED
    return Outcome.TRUNCATED
