"""Headers on their way through: what belongs to one connection stays behind, all else passes as it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import httpx

from antiphon.harness.interaction import Answer
from antiphon.harness.modes import EXTENSION, Outcome
from antiphon.harness.replay import PLAYED
from antiphon.harness.server.calls import HEADER

Pairs = list[tuple[bytes, bytes]]

_ONE_HOP: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""RFC 9110, 7.6.1, and what older clients send."""
_MADE_ANEW: Final = frozenset({b"host", b"content-length", b"expect"})
_NOT_BACK: Final = frozenset({b"date", b"alt-svc"})
"""`date` is this server's own; `alt-svc` would lead clients past it."""
_MAGIC: Final[Mapping[str, tuple[bytes, ...]]] = {
    "gzip": (b"\x1f\x8b",),
    "x-gzip": (b"\x1f\x8b",),
    "zstd": (b"\x28\xb5\x2f\xfd",),
}
_MAX_SAID: Final = 400


def onward(headers: Iterable[tuple[bytes, bytes]]) -> Pairs:
    """The headers of a client's request for its provider, credentials included, our own words taken out."""
    kept = list(headers)
    one_hop = _ONE_HOP | _MADE_ANEW | _named_in_connection(kept)
    ours = HEADER.encode("ascii")
    return [(name, value) for name, value in kept if name.lower() not in one_hop and not name.lower().startswith(ours)]


def back(response: httpx.Response, *, bodiless: bool) -> Pairs:
    """The headers of an answer for the client, with `x-antiphon-*` labels that say where it comes from."""
    kept = response.headers.raw
    dropped = _ONE_HOP | _NOT_BACK | _named_in_connection(kept)
    answer = response.extensions.get(PLAYED)
    if isinstance(answer, Answer) and not bodiless:
        dropped |= _untrue(answer, synthetic=bool(_said(response).get("synthetic")))
    if _said(response).get("replayed") is False and not bodiless:
        # While it is recorded, the end of the body is said only once the recording is written: a client that counts
        # bytes would ask again before, and would never learn that a recording was refused.
        dropped |= {b"content-length"}
    pairs = [(name, value) for name, value in kept if name.lower() not in dropped]
    return pairs + _labels(_said(response))


def _said(response: httpx.Response) -> Mapping[str, Any]:
    said = response.extensions.get(EXTENSION)
    return said if isinstance(said, Mapping) else {}


def _untrue(answer: Answer, *, synthetic: bool) -> frozenset[bytes]:
    """The headers that do not fit the body that is kept: a recorder may have decoded it.

    A synthetic answer says what it likes on purpose, as long as HTTP itself can frame it.
    """
    found = set()
    length = next((value for name, value in answer.headers if name == "content-length"), "")
    short = answer.outcome is not Outcome.COMPLETE and length.isdecimal() and int(length) > len(answer.body)
    if length and not short and length != str(len(answer.body)):
        found.add(b"content-length")
    encoding = next((value for name, value in answer.headers if name == "content-encoding"), "").strip().lower()
    magic = _MAGIC.get(encoding)
    if magic is not None and answer.body and not answer.body.startswith(magic) and not synthetic:
        found.add(b"content-encoding")
    return frozenset(found)


def _named_in_connection(headers: Iterable[tuple[bytes, bytes]]) -> frozenset[bytes]:
    values = b",".join(value for name, value in headers if name.lower() == b"connection")
    return frozenset(token.strip().lower() for token in values.split(b",") if token.strip())


def _labels(said: Mapping[str, Any]) -> Pairs:
    pairs = []
    for name, value in said.items():
        if isinstance(value, (str, int, float)):
            text = str(value).lower() if isinstance(value, bool) else str(value)
            label = f"{HEADER}{name.replace('_', '-')}".encode("ascii", "replace")
            pairs.append((label, " ".join(text.split()).encode("ascii", "backslashreplace")[:_MAX_SAID]))
    return pairs
