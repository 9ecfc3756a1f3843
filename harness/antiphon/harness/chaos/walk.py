"""Walks the cells: one fault at a time, one run of the client for each, or windows in a client that runs on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from antiphon.harness.chaos.matrix import Cell
from antiphon.harness.chaos.observe import Observation, Run, attempts_of, observed
from antiphon.harness.controls import Controls
from antiphon.harness.faults import FaultPlan, Rule
from antiphon.harness.faults.catalogue import Fault
from antiphon.harness.requestfilter import RequestFilter
from antiphon.harness.requestlog import Seen
from antiphon.harness.store import CassetteStore

RunClient = Callable[[], Awaitable[Run]]
"""Runs the client once, from its start to its end."""
_LOOK: Final = 0.25
"""Seconds between looks at a client that is silent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Seconds. `patience` is how long one run of the client, or one call of a client that runs on, may take; `settle`
    how long such a client has to be silent after a fault before the next one; `arrival` how long its next request is
    waited for."""

    patience: float = 60.0
    settle: float = 5.0
    arrival: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """One walk. `match` says which of the client's requests are meant, `after` how many of them pass unharmed before
    each fault, `times` how many attempts in a row it happens to."""

    controls: Controls
    store: CassetteStore
    cells: Sequence[Cell]
    match: RequestFilter = field(default_factory=RequestFilter)
    limits: Limits = field(default_factory=Limits)
    after: int = 0
    times: int = 1

    async def commands(self, run: RunClient) -> AsyncIterator[Observation]:
        """Run the client once a cell."""
        for cell in self.cells:
            mark = self._begin(cell)
            ended = await run()
            await asyncio.sleep(0)  # what the client's end closed is noted
            yield self._end(cell, mark, ended)

    async def windows(self) -> AsyncIterator[Observation]:
        """Watch a client that runs on: each fault waits for its request, and ends when the client is silent."""
        for cell in self.cells:
            mark = self._begin(cell)
            began = time.monotonic()
            await self._settled(mark)
            yield self._end(cell, mark, Run(seconds=time.monotonic() - began))

    async def baseline(self, run: RunClient) -> tuple[Run, list[Seen]]:
        """One run without a fault: how it ends, and what it asks."""
        mark = self._start(FaultPlan())
        ended = await run()
        return ended, self._since(mark)

    def _begin(self, cell: Cell) -> int:
        fault = cell.parsed
        limited = Fault(request=replace(fault.request, times=self.times, after=self.after), steps=fault.steps)
        rule = Rule(name="chaos", match=self.match, faults=((limited, 1.0),))
        return self._start(FaultPlan(rules=(rule,), name="chaos"))

    def _start(self, plan: FaultPlan) -> int:
        """Start every session over, with this plan; returns the number of the last request before."""
        for session in {*self.controls.sessions(), *self.store.sessions()}:
            self.controls.forget_faults(session)
            self.store.forget(session)
        self.controls.faults.plan = plan
        return max((each.number for each in self.controls.requests), default=0)

    def _end(self, cell: Cell, mark: int, run: Run) -> Observation:
        told = [each for each in self.controls.injected() if not each.applied]
        self.controls.faults.plan = FaultPlan()
        return observed(cell, self._since(mark), run, why_not=told[-1].why_not if told else "")

    def _since(self, mark: int) -> list[Seen]:
        return self.controls.requests.find(after=mark)

    async def _settled(self, mark: int) -> None:
        """Return once the fault has happened and nothing more comes of it, or does not happen in time."""
        began = time.monotonic()
        while True:
            seen = self._since(mark)
            now = time.monotonic()
            struck = next((each for each in seen if each.synthetic), None)
            if struck is None:
                if now - began > self.limits.arrival or any(not each.applied for each in self.controls.injected()):
                    return
            else:
                attempts = attempts_of(struck, seen)
                quiet = now - max(each.ended or now for each in attempts)  # 0 while one is open
                # A client that always asks the same never is quiet; it has had its time then.
                if quiet >= self.limits.settle or now - struck.began > self.limits.patience:
                    return
            try:
                async with asyncio.timeout(_LOOK):
                    await self.controls.requests.wait()
            except TimeoutError:
                continue
