"""The requests that came, in their order, with what became of each: to be asked about, and to be asserted on.

Kept in memory within bounds, the oldest leave first. Credentials never get in: the values of headers that carry them
are replaced, wherever in the request they stand.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

import httpx

from antiphon.harness.interaction import RecordedRequest, grouped
from antiphon.harness.matching import CREDENTIAL_QUERY
from antiphon.harness.modes import RecordingCall
from antiphon.harness.recorder import without_credentials
from antiphon.harness.requestfilter import RequestFilter
from antiphon.harness.secrets import SecretScanner, credential_values

MAX_REQUESTS: Final = 10_000
MAX_BYTES: Final = 64 * 1024 * 1024
MAX_BODY: Final = 1024 * 1024
"""Bytes of one body that are kept."""
REDACTED: Final = "[redacted]"
_SHOWN: Final = 5


class End(StrEnum):
    """How an exchange ended, seen from the side that answers."""

    OPEN = "open"
    """It has not."""
    COMPLETE = "complete"
    """The answer was given whole."""
    FAILED = "failed"
    """There was no whole answer: a miss, or a failure that was asked for."""
    LEFT = "left"
    """The client went before the answer was whole."""


@dataclass(slots=True, kw_only=True)
class Seen:
    """One request. Times are seconds on a clock that only goes forward (`time.monotonic`); `at` is for people.

    `place` is what answered, as a person reads it; `synthetic` the fault or mock in it, empty for a plain recording.
    `cut` says that the body is longer than what is kept of it.
    """

    number: int
    session: str
    provider: str
    at: datetime
    began: float
    request: RecordedRequest
    cut: bool = False
    status: int | None = None
    place: str = ""
    synthetic: str = ""
    answered: float | None = None
    ended: float | None = None
    end: End = End.OPEN
    error: str = ""

    @property
    def line(self) -> str:
        """The request in one line for a person."""
        outcome = str(self.status) if self.status is not None else self.error or self.end.value
        note = f" [{self.synthetic}]" if self.synthetic else ""
        return f"#{self.number} {self.request.method} {self.request.url[:120]} -> {outcome}{note}"


class RequestLog:
    """What came. Made for one event loop."""

    def __init__(self, *, max_requests: int = MAX_REQUESTS, max_bytes: int = MAX_BYTES) -> None:
        self._seen: deque[Seen] = deque()
        self._max_requests = max_requests
        self._max_bytes = max_bytes
        self._bytes = 0
        self._number = 0
        self._changed = asyncio.Event()
        self.dropped = 0
        """Requests that have left because newer ones came."""

    def __len__(self) -> int:
        return len(self._seen)

    def __iter__(self) -> Iterator[Seen]:
        return iter(tuple(self._seen))

    def find(self, wanted: RequestFilter | None = None, *, after: int = 0, limit: int | None = None) -> list[Seen]:
        """The requests that fit, in their order; only those with a number above `after`, at most `limit`."""
        found: list[Seen] = []
        for each in self._seen:
            if limit is not None and len(found) >= limit:
                break
            if each.number > after and (wanted is None or _fits(wanted, each)):
                found.append(each)
        return found

    def check(self, wanted: RequestFilter, *, least: int = 1, most: int | None = None) -> list[Seen]:
        """The requests that fit. Raises AssertionError where they are too few or too many, and says how near others
        came."""
        found = self.find(wanted)
        if len(found) < least or (most is not None and len(found) > most):
            raise AssertionError(self._complaint(wanted, found, least, most))
        return found

    def forget(self, session: str) -> None:
        """Drop what came in a session."""
        kept = [each for each in self._seen if each.session != session]
        self._seen = deque(kept)
        self._bytes = sum(len(each.request.body) for each in kept)

    async def wait(self) -> None:
        """Wait until anything changes: a request comes, is answered, or ends."""
        await self._changed.wait()

    def add(self, request: httpx.Request, body: bytes, call: RecordingCall) -> Seen:
        """Take a request in."""
        return self.note(request.method, str(request.url), request.headers.multi_items(), body, call)

    def note(self, method: str, url: str, pairs: Iterable[tuple[str, str]], body: bytes, call: RecordingCall) -> Seen:
        """Take a request in that is told in these words."""
        self._number += 1
        headers = [(name.lower(), value) for name, value in pairs]
        values = credential_values(headers)
        scanner = SecretScanner(values)
        shown = tuple((name, REDACTED if value in values else value) for name, value in grouped(headers))
        seen = Seen(
            number=self._number,
            session=call.session or "",
            provider=call.provider or "",
            at=datetime.now(UTC),
            began=time.monotonic(),
            request=RecordedRequest(
                method=method,
                url=scanner.redact(_shown(url)),
                headers=shown,
                body=_without(values, body[:MAX_BODY]),
            ),
            cut=len(body) > MAX_BODY,
        )
        self._seen.append(seen)
        self._bytes += len(seen.request.body)
        while len(self._seen) > self._max_requests or self._bytes > self._max_bytes:
            self._bytes -= len(self._seen.popleft().request.body)
            self.dropped += 1
        self.changed()
        return seen

    def end(self, seen: Seen, end: End, error: str = "") -> None:
        """Note how an exchange ended; only the first time counts."""
        if seen.end is End.OPEN:
            seen.ended = time.monotonic()
            seen.end = end
            seen.error = error
            self.changed()

    def changed(self) -> None:
        """Wake whoever waits."""
        woken, self._changed = self._changed, asyncio.Event()
        woken.set()

    def _complaint(self, wanted: RequestFilter, found: list[Seen], least: int, most: int | None) -> str:
        number = f"{least}" if most == least else f"at least {least}" if most is None else f"{least} to {most}"
        lines = [f"{len(found)} requests fit, and {number} should: {wanted}"]
        if found:
            lines += [f"fits: {each.line}" for each in found[:_SHOWN]]
        else:
            near = sorted(self._seen, key=lambda each: len(_misfits(wanted, each)))
            lines += [f"{each.line}: {'; '.join(_misfits(wanted, each)[:4])}" for each in near[:_SHOWN]]
            if not near:
                lines.append("no request came at all")
        return "\n  ".join(lines)


def _fits(wanted: RequestFilter, each: Seen) -> bool:
    return wanted.fits(each.request, session=each.session, provider=each.provider)


def _misfits(wanted: RequestFilter, each: Seen) -> list[str]:
    return list(wanted.misfits(each.request, session=each.session, provider=each.provider))


def _shown(url: str) -> str:
    """The URL without user info and credentials in its query; taking it apart costs more than answering does."""
    return without_credentials(url, CREDENTIAL_QUERY) if "?" in url or "@" in url else url


def _without(values: list[str], body: bytes) -> bytes:
    for value in values:
        if len(value) >= _SHORTEST:
            body = body.replace(value.encode(), REDACTED.encode())
    return body


_SHORTEST: Final = 8
