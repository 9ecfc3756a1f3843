"""Finds the recording most like a request that has none, without reading every recording.

A sketch of each request (the smallest hashes of its leaves) lies in the index; the share that two sketches have in
common estimates how much their requests do. Only the best few are then read and compared line by line.
"""

from __future__ import annotations

import heapq
import json
import zlib
from array import array
from collections.abc import Callable, Iterable, Iterator
from difflib import SequenceMatcher
from itertools import islice
from typing import Any, Final, Protocol, TypeVar

from antiphon.harness.interaction import RecordedRequest
from antiphon.harness.matching import Matcher
from antiphon.harness.meaning import BYTES, Meaning

SKETCH_BYTES: Final = 64
COMPARED: Final = 24
"""Recordings that are read and compared in full for one miss."""

_MAX_LEAVES: Final = 2000
_HASH: Final = "I"  # 4 bytes on every platform that CPython supports


class Sketched(Protocol):
    """What is ranked."""

    @property
    def cassette(self) -> str:
        """The name of its cassette."""

    @property
    def position(self) -> int:
        """Its number there."""

    @property
    def sketch(self) -> bytes:
        """The sketch of its request."""

    @property
    def endpoint(self) -> str:
        """Method, host and path of its request."""


T = TypeVar("T", bound=Sketched)


def sketch_of(matcher: Matcher, request: RecordedRequest, said: Meaning | None = None) -> bytes:
    """Return the sketch of a request, at most SKETCH_BYTES long."""
    counted = matcher.meaning(request, said)
    leaves: Iterable[bytes] = (f"?{name}={value}".encode() for name, value in matcher.query(request))
    found = {zlib.crc32(leaf) for leaf in leaves}
    if counted.kind == BYTES:
        found.add(zlib.crc32(request.body))
    else:
        found.update(zlib.crc32(leaf) for leaf in islice(_leaves(counted.value), _MAX_LEAVES))
    return array(_HASH, heapq.nsmallest(SKETCH_BYTES // 4, found)).tobytes()


def ranked(sketch: bytes, endpoint: str, candidates: Iterable[T]) -> list[T]:
    """Return the few candidates that seem most alike, the best first; equal ones by their place."""
    mine = frozenset(_hashes(sketch))
    likeness = _likeness(endpoint)
    return heapq.nsmallest(
        COMPARED,
        candidates,
        key=lambda one: (
            -len(mine.intersection(_hashes(one.sketch))),
            -likeness(one.endpoint),
            one.cassette,
            one.position,
        ),
    )


def _likeness(endpoint: str) -> Callable[[str], float]:
    known = {endpoint: 1.0}
    matcher = SequenceMatcher(b=endpoint[:200], autojunk=False)

    def of(other: str) -> float:
        if other not in known:
            matcher.set_seq1(other[:200])
            known[other] = matcher.ratio() if len(known) < 200 else 0.0
        return known[other]

    return of


def _hashes(sketch: bytes) -> array[int]:
    hashes = array(_HASH)
    hashes.frombytes(sketch)
    return hashes


def _leaves(value: Any) -> Iterator[bytes]:
    stack: list[tuple[str, Any]] = [("", value)]
    while stack:
        path, item = stack.pop()
        if isinstance(item, dict):
            stack.extend((f"{path}.{key}", child) for key, child in item.items())
        elif isinstance(item, list):
            stack.extend((f"{path}[{index}]", child) for index, child in enumerate(item))
        else:
            yield f"{path}={json.dumps(item)}".encode("utf-8", "surrogatepass")
