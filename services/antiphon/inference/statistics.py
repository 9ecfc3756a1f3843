"""Triton's own counters as metrics of ours, so that one place shows queue, compute and failures."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from typing import Any

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from antiphon.core.errors import ServiceError
from antiphon.inference.triton import Triton

log = logging.getLogger(__name__)

PERIOD = 15.0
"""Seconds between two looks."""

COUNTERS: Sequence[tuple[str, str, str]] = (
    ("antiphon.triton.inference.success", "success", "Requests that Triton answered"),
    ("antiphon.triton.inference.failure", "fail", "Requests that failed in Triton"),
)
DURATIONS: Sequence[tuple[str, str, str]] = (
    ("antiphon.triton.queue.time", "queue", "Time that requests waited in Triton"),
    ("antiphon.triton.compute.time", "compute_infer", "Time that models computed"),
)


class Statistics:
    """Looks at Triton's statistics now and then; metrics read the last look, and none while Triton is away."""

    def __init__(self, triton: Triton, meter: Meter, *, period: float = PERIOD) -> None:
        self._triton = triton
        self._period = period
        self._last: Sequence[Any] = ()
        for name, field, description in COUNTERS:
            meter.create_observable_counter(
                name, [self._reader(field, "count", 1)], unit="{request}", description=description
            )
        for name, field, description in DURATIONS:
            meter.create_observable_counter(name, [self._reader(field, "ns", 1e-9)], unit="s", description=description)

    async def look(self) -> None:
        """Take one look."""
        try:
            self._last = await self._triton.statistics()
        except ServiceError as error:
            self._last = ()
            log.debug("no statistics from Triton: %s", error)

    async def run(self) -> None:
        """Look for as long as the task lives, once there is a Triton: its client is large, and many run without one."""
        there = False
        while True:
            there = there or await self._triton.listens()
            if there:
                await self.look()
            await asyncio.sleep(self._period)

    def _reader(self, field: str, part: str, factor: float) -> Any:
        def read(_: CallbackOptions) -> Iterable[Observation]:
            for model in self._last:
                counted = getattr(getattr(model.inference_stats, field), part)
                yield Observation(
                    counted * factor, {"antiphon.model": model.name, "antiphon.model.version": model.version}
                )

        return read
