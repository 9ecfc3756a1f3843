"""The event loop of a serving process, and what has to be said to libraries before they are loaded."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from types import ModuleType
from typing import Any, TypeVar, cast

T = TypeVar("T")

_EXPERIMENTS = "GRPC_EXPERIMENTS"
_WITHOUT_EVENT_ENGINE = "-event_engine_listener,-event_engine_client,-event_engine_for_all_other_endpoints"
"""grpc's EventEngine hands each message through threads of its own; without it a call costs a fifth less here."""


def prepare() -> None:
    """Choose grpc's way of polling, where the environment has not, and keep httpx's command line out. Only before they
    are imported does this count."""
    os.environ.setdefault(_EXPERIMENTS, _WITHOUT_EVENT_ENGINE)
    # httpx imports its own command line where it can, and that click, rich and pygments: a fifth of a start. None here
    # is Python's way to say that a module cannot be imported, and httpx then does without.
    sys.modules.setdefault("httpx._main", cast("ModuleType", None))


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run to the end on the fastest loop that there is."""
    with asyncio.Runner(loop_factory=_factory()) as runner:
        return runner.run(main)


def _factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # it is not made for every system
        return None
    return uvloop.new_event_loop
