"""Timers that hardly ever ring, at the price of none.

Every call has limits that are minutes away and is over in a fraction of a second: making and cancelling an event
loop's timer for each costs more than reading a chunk does. An alarm keeps its timer when it rests, and the next who
takes the alarm goes on with it: a timer that fires too early looks again at the right moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Alarm:
    """Rings once at a time that may be set anew, until it rests. Times are the event loop's."""

    __slots__ = ("_at", "_due", "_loop", "_ring", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._at = self._due = 0.0
        self._ring: Callable[[], object] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def set(self, at: float, ring: Callable[[], object]) -> None:
        """Call `ring` at that time, and no more at the one set before."""
        self._at = at
        self._ring = ring
        if self._timer is None or self._due > at:
            self._arm()

    def rest(self) -> None:
        """Ring no more."""
        self._ring = None

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._due = self._at
        self._timer = self._loop.call_at(self._at, self._look)

    def _look(self) -> None:
        self._timer = None
        ring = self._ring
        if ring is None:
            return
        if self._loop.time() < self._at:
            self._arm()
        else:
            self._ring = None
            ring()


class Alarms:
    """Alarms that rest, for one event loop: made when none is left."""

    __slots__ = ("_loop", "_resting")

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._resting: list[Alarm] = []

    def take(self, loop: asyncio.AbstractEventLoop) -> Alarm:
        """An alarm for one who gives it back."""
        if loop is not self._loop:  # another loop's timers do not run here
            self._loop, self._resting = loop, []
        return self._resting.pop() if self._resting else Alarm(loop)

    def give(self, alarm: Alarm) -> None:
        """It rests, until somebody takes it."""
        alarm.rest()
        self._resting.append(alarm)
