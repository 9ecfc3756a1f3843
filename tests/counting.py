"""Work counted in calls of functions: the same number on every machine, however busy."""

from __future__ import annotations

import gc
import sys
from collections.abc import Awaitable, Callable
from typing import Any


async def calls_of(work: Callable[[], Awaitable[Any]], times: int = 50) -> float:
    """Python and C functions called by one run of the work, after a few to warm caches."""
    for _ in range(10):
        await work()
    count = 0

    def note(frame: Any, event: str, arg: Any) -> None:
        nonlocal count
        if event in ("call", "c_call"):
            count += 1

    gc.disable()
    sys.setprofile(note)
    try:
        for _ in range(times):
            await work()
    finally:
        sys.setprofile(None)
        gc.enable()
    return count / times


async def garbage_of(work: Callable[[], Awaitable[Any]], times: int = 50) -> float:
    """Objects that one run of the work leaves behind for the collector, which stops all calls to find them."""
    for _ in range(10):
        await work()
    gc.collect()
    gc.disable()
    try:
        for _ in range(times):
            await work()
        return gc.collect() / times
    finally:
        gc.enable()
