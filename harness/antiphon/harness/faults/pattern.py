"""Finds the events of a stream that a dialect's pattern describes."""

from __future__ import annotations

import re
from functools import lru_cache

from antiphon.harness.framing import Span


def found_in(pattern: str, body: bytes, events: list[Span]) -> list[int]:
    """The numbers, from 0, of the events that hold the pattern; none for an empty one."""
    if not pattern:
        return []
    search = _compiled(pattern)
    return [number for number, (start, end) in enumerate(events) if search.search(body[start:end])]


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> re.Pattern[bytes]:
    return re.compile(pattern.encode(), re.MULTILINE | re.DOTALL)
