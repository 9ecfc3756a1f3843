"""What a row is, and the alternation that all rows share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from bench.loads.h2load import LoadError
from bench.loads.probe import ProbeError
from bench.session import Case, Round, Session, Subject
from bench.systems.base import Door
from bench.systems.table import SYSTEMS


class Row(Protocol):
    """Something that is measured, as one or more cases."""

    @property
    def name(self) -> str:
        """What it is called on the command line and in results."""

    @property
    def about(self) -> str:
        """Its title."""

    def run(self, session: Session) -> list[Case]:
        """Measure it."""


def subjects(
    session: Session, names: Sequence[str], work: str, doors: Sequence[Door] = ("grpc", "http")
) -> list[Subject]:
    """The systems that can do the work, a subject for each of their doors."""
    return [
        Subject(system=name, door=door)
        for name in names
        if name in SYSTEMS and name in session.options.systems and work in SYSTEMS[name].works
        for door in SYSTEMS[name].doors
        if door in doors
    ]


def alternate(session: Session, case: Case, measure: Callable[[Subject, int], Round | None]) -> Case:
    """Measure all subjects of a case, round by round, each round beginning with another one.

    `measure` gets a subject and the number of the round. A subject that cannot be measured says so and is left out of
    further rounds.
    """
    for number in range(session.options.rounds):
        shift = number % max(1, len(case.subjects))
        for subject in case.subjects[shift:] + case.subjects[:shift]:
            if subject.failed:
                continue
            try:
                found = measure(subject, number)
            except (LoadError, ProbeError, OSError) as error:
                subject.failed = str(error)
                session.say(f"  {subject.name}: {subject.failed}")
                continue
            if found is None:
                subject.failed = session.unable.get(subject.system, "it can't run here")
                continue
            subject.rounds.append(found)
            shown = ", ".join(f"{name} {value:.4g}" for name, value in found.items() if name in SHOWN)
            session.say(f"  {case.row} / {case.case} / round {number + 1}: {subject.name}: {shown}")
    return case


SHOWN = (
    "rate",
    "cpu_us",
    "server_busy",
    "load_busy",
    "p50_ms",
    "p99_ms",
    "first_ms",
    "added_ms",
    "seconds",
    "under_load_mb",
    "mb",
)
