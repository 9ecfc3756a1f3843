"""The requests asked lately and where they led: what a body means is worked out once for all that are exactly equal.

A client under test, or under load, asks the same bytes again and again, and reading them takes longer than all else
of a lookup.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from antiphon.harness.interaction import RecordedRequest
from antiphon.harness.shelf import Bucket

RECENT_BYTES: Final = 8 * 1024 * 1024
_OVERHEAD: Final = 512
"""What an entry weighs beside its body."""
_SHARE: Final = 8
"""A body larger than this part of all the room is not kept: it would push out too many."""

Exact = tuple[str, str, bytes]


class RecentRequests:
    """Requests whose headers do not count, by method, URL and bytes. Not safe by itself between threads.

    Holds for one state of the catalog: whoever changes it clears this.
    """

    def __init__(self, most_bytes: int = RECENT_BYTES) -> None:
        self._most = most_bytes
        self._found: OrderedDict[Exact, tuple[Bucket, ...]] = OrderedDict()
        self._bytes = 0

    def get(self, request: RecordedRequest) -> tuple[Bucket, ...] | None:
        """Return the buckets that a request led to, None where that is not known."""
        return self._found.get((request.method, request.url, request.body))

    def put(self, request: RecordedRequest, buckets: tuple[Bucket, ...]) -> None:
        """Remember where a request led, and forget those longest known where that is too much."""
        key = (request.method, request.url, request.body)
        weight = _weight(key)
        if weight > self._most // _SHARE or key in self._found:
            return
        self._found[key] = buckets
        self._bytes += weight
        while self._bytes > self._most:
            oldest, _ = self._found.popitem(last=False)
            self._bytes -= _weight(oldest)

    def clear(self) -> None:
        """Forget them all."""
        self._found.clear()
        self._bytes = 0


def _weight(key: Exact) -> int:
    return len(key[1]) + len(key[2]) + _OVERHEAD
