"""What a system adds to the time until the first chunk of a stream, for one caller on an idle machine."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from bench.loads import probe
from bench.rows.base import alternate, subjects
from bench.session import Case, Round, Session, Subject
from bench.traffic import FIRST, PACED

CALLS = 20
"""Calls a round; each takes a tenth of a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstChunk:
    """Medians of single streams; `direct` goes first in a round and is taken off the others."""

    name: str
    about: str
    systems: Sequence[str]

    def run(self, session: Session) -> list[Case]:
        """Measure it."""
        found = subjects(session, self.systems, PACED.name)
        case = Case(row=self.name, case="1 caller", unit="ms", subjects=found)
        direct: dict[int, float] = {}

        def seen(subject: Subject) -> float | None:
            running = session.running(subject.system)
            if running is None:
                return None
            with session.only(running):
                connection = probe.connect(running.aim(PACED, subject.door))
                try:
                    connection.call(FIRST)
                    return statistics.median(connection.call(FIRST).first for _ in range(CALLS)) * 1e3
                finally:
                    connection.close()

        def measure(subject: Subject, number: int) -> Round | None:
            if number not in direct:
                direct[number] = seen(Subject(system="direct", door="http")) or 0.0
            first = direct[number] if subject.system == "direct" else seen(subject)
            if first is None:
                return None
            return {"first_ms": first, "added_ms": max(0.0, first - direct[number])}

        return [alternate(session, case, measure)]
