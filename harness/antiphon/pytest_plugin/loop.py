"""One thread with an event loop: the server runs there, so that tests may block, or have a loop of their own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

T = TypeVar("T")

THREAD_PREFIX: Final = "antiphon-"
"""How the names of our threads begin, by which the network guard knows them."""
_WORKERS: Final = 4


class LoopThread:
    """A running event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        # Its own executor, so that name look-ups and file work of the server are known as ours too.
        self._loop.set_default_executor(
            ThreadPoolExecutor(max_workers=_WORKERS, thread_name_prefix=f"{THREAD_PREFIX}worker")
        )
        self._thread = threading.Thread(target=self._run, name=f"{THREAD_PREFIX}server", daemon=True)
        self._thread.start()

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine there and wait for what it returns or raises."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def stop(self) -> None:
        """End the loop and the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        try:
            self._loop.run_forever()
        finally:
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
            self._loop.close()
