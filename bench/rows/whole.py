"""A system as a whole: memory, start-up, and what it brings along. Each is started for this alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench.loads import h2load, probe
from bench.processes import StartError, Tree
from bench.rows.base import alternate
from bench.session import Case, Round, Session, Subject
from bench.systems.base import Door, Running
from bench.systems.table import SYSTEMS
from bench.traffic import BURST, UNARY, Work

MB = 1e6
CALLERS = 32
SAMPLE_SECONDS = 0.2
REST_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Proportional set size of the process tree: at the start, most under load, and after a rest."""

    name: str
    about: str
    systems: Sequence[str]

    def run(self, session: Session) -> list[Case]:
        """Measure it."""
        session.stop_all()
        case = Case(row=self.name, case=f"{CALLERS} callers", unit="MB", subjects=_one_door(session, self.systems))

        def measure(subject: Subject, number: int) -> Round | None:
            system = session.fresh(subject.system)
            if system is None:
                return None
            running = _started(session, subject)
            if running is None:
                return None
            try:
                time.sleep(1.0)
                found = {"at_start_mb": running.tree.memory_bytes() / MB}
                with _Sampling(running.tree) as sampling:
                    for work in (UNARY, BURST):
                        self._load(session, running, work, subject.door)
                running.tree.settle()
                time.sleep(REST_SECONDS)
                return found | {"under_load_mb": sampling.most / MB, "after_mb": running.tree.memory_bytes() / MB}
            finally:
                running.tree.stop()

        return [alternate(session, case, measure)]

    def _load(self, session: Session, running: Running, work: Work, door: Door) -> None:
        until = time.monotonic() + session.options.seconds
        while time.monotonic() < until:
            h2load.run(
                running.aim(work, door),
                calls=CALLERS * 10,
                callers=CALLERS,
                pinned=session.cores.load_command(),
                least_bytes=work.least_bytes,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class StartUp:
    """Seconds from the command to the first whole answer, asked for as soon as somebody listens."""

    name: str
    about: str
    systems: Sequence[str]

    def run(self, session: Session) -> list[Case]:
        """Measure it."""
        session.stop_all()
        case = Case(row=self.name, case="first answer", unit="s", subjects=_one_door(session, self.systems))

        def measure(subject: Subject, number: int) -> Round | None:
            system = session.fresh(subject.system)
            if system is None:
                return None
            began = time.perf_counter()
            running = system.launch(session.site)
            try:
                target = running.aim(UNARY, subject.door)
                probe.first_answer(target, running.tree)
                return {"seconds": time.perf_counter() - began, "cpu_us": running.tree.cpu_seconds() * 1e6}
            except StartError as error:
                session.unable[subject.system] = str(error)
                return None
            finally:
                running.tree.stop()

        return [alternate(session, case, measure)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Bytes of what is installed beside the interpreter."""

    name: str
    about: str
    systems: Sequence[str]

    def run(self, session: Session) -> list[Case]:
        """Weigh it, once: it does not change from round to round."""
        case = Case(row=self.name, case="installed", unit="MB", subjects=_one_door(session, self.systems))
        for subject in case.subjects:
            if session.able(subject.system):
                subject.rounds.append({"mb": SYSTEMS[subject.system].installed_bytes() / MB})
            else:
                subject.failed = session.unable[subject.system]
        return [case]


class _Sampling:
    """Looks at a tree's memory again and again."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.most = 0

    def __enter__(self) -> _Sampling:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._done.wait(SAMPLE_SECONDS):
            self.most = max(self.most, self._tree.memory_bytes())


def _one_door(session: Session, names: Sequence[str]) -> list[Subject]:
    return [
        Subject(system=name, door=SYSTEMS[name].doors[0])
        for name in names
        if name in SYSTEMS and name in session.options.systems
    ]


def _started(session: Session, subject: Subject) -> Running | None:
    try:
        return SYSTEMS[subject.system].start(session.site)
    except StartError as error:
        session.unable[subject.system] = str(error)
        return None
