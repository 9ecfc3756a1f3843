"""How the cost of a call grows with its history: it has to grow linearly, to bodies of 10 MB."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.rows.base import alternate, subjects
from bench.session import Case, Round, Session, Subject
from bench.traffic import Work, history

SHAPES: tuple[tuple[int, int], ...] = ((10, 100), (1_000, 100), (10_000, 100), (100_000, 100), (1, 10_000_000))
"""Messages, and bytes of text each."""
MOST_CALLS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Histories:
    """One caller, unary chats."""

    name: str
    about: str
    systems: Sequence[str]

    def run(self, session: Session) -> list[Case]:
        """Measure it."""
        return [self._case(session, history(messages, size)) for messages, size in SHAPES]

    def _case(self, session: Session, work: Work) -> Case:
        found = subjects(session, self.systems, "unary")
        label = f"{work.messages:,} messages of {work.size:,} bytes"
        case = Case(row=self.name, case=label, unit="calls/s", subjects=found)
        counts: dict[str, int] = {}

        def measure(subject: Subject, number: int) -> Round | None:
            running = session.running(subject.system)
            if running is None:
                return None
            target = running.aim(work, subject.door)
            with session.only(running):
                if subject.name not in counts:
                    once = session.measured(running, target, work, calls=1, callers=1)
                    counts[subject.name] = min(MOST_CALLS, max(1, round(session.options.seconds * once["calls_per_s"])))
                return session.measured(running, target, work, calls=counts[subject.name], callers=1)

        return alternate(session, case, measure)
