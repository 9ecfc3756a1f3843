"""Throughput and CPU time a call: chats, streams and embeddings from many callers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.rows.base import alternate, subjects
from bench.session import Case, Round, Session, Subject
from bench.traffic import Work


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One work over a choice of systems. `callers` are the cases; None for those of the options."""

    name: str
    about: str
    work: Work
    unit: str
    systems: Sequence[str]
    callers: Sequence[int] | None = None

    def run(self, session: Session) -> list[Case]:
        """Measure it."""
        cases = []
        for callers in self.callers or session.options.callers:
            found = subjects(session, self.systems, self.work.name)
            case = Case(row=self.name, case=_callers(callers), unit=self.unit, subjects=found)

            def measure(subject: Subject, number: int, callers: int = callers) -> Round | None:
                running = session.running(subject.system)
                if running is None:
                    return None
                return session.load(running, self.work, subject.door, callers, warm=number == 0)

            cases.append(alternate(session, case, measure))
        return cases


@dataclass(frozen=True, slots=True, kw_only=True)
class HalfLoad:
    """Latency where a system has time: calls begin at half the rate that it reaches."""

    name: str
    about: str
    work: Work
    systems: Sequence[str]
    callers: int = 32

    def run(self, session: Session) -> list[Case]:
        """Measure it."""
        found = subjects(session, self.systems, self.work.name)
        case = Case(row=self.name, case=_callers(self.callers), unit="calls/s", subjects=found)
        full: dict[str, float] = {}

        def measure(subject: Subject, number: int) -> Round | None:
            running = session.running(subject.system)
            if running is None:
                return None
            if subject.name not in full:
                full[subject.name] = session.load(running, self.work, subject.door, self.callers)["calls_per_s"]
            rate = full[subject.name] / 2
            calls = max(self.callers, round(rate * session.options.seconds))
            target = running.aim(self.work, subject.door)
            with session.only(running):
                return session.measured(running, target, self.work, calls=calls, callers=self.callers, rate=rate)

        return [alternate(session, case, measure)]


def _callers(number: int) -> str:
    return "1 caller" if number == 1 else f"{number} callers"
