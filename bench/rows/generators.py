"""The load generators against each other: where both find the same rate, neither is what limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.loads import wrk
from bench.rows.base import alternate, subjects
from bench.session import Case, Round, Session, Subject
from bench.traffic import UNARY

CALLERS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Generators:
    """h2load and wrk at the same HTTP doors."""

    name: str
    about: str
    systems: Sequence[str]

    def run(self, session: Session) -> list[Case]:
        """Measure it."""
        found = subjects(session, self.systems, UNARY.name, doors=("http",))
        case = Case(row=self.name, case=f"{CALLERS} callers", unit="calls/s", subjects=found)

        def measure(subject: Subject, number: int) -> Round | None:
            running = session.running(subject.system)
            if running is None:
                return None
            counted = session.load(running, UNARY, subject.door, CALLERS)
            with session.only(running):
                second = wrk.rate(
                    running.aim(UNARY, subject.door),
                    callers=CALLERS,
                    seconds=session.options.seconds,
                    pinned=session.cores.load_command(),
                )
            return {**counted, "wrk_rate": second, "wrk_ratio": second / counted["rate"]}

        return [alternate(session, case, measure)]
