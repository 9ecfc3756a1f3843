"""What each session has heard, so that concurrent tests don't disturb each other and a test can be asked for more.

Sessions are named by callers, so their number and what is kept of each are bounded; the longest unused goes first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from antiphon.harness import files
from antiphon.harness.errors import SessionIncomplete

MAX_SESSIONS: Final = 10_000
MAX_CURSORS: Final = 200_000
"""Over all sessions: one for each request of a session that has a recording."""
MAX_MISSED: Final = 100
"""Misses kept of a session; a test that misses more has said enough."""
MAX_NAMED: Final = 1000
"""Cassettes remembered as asked for by name."""

Place = tuple[str, str, bool]
"""Cassette asked for ("" for any), key of the request, and whether recordings of callers who left are passed over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """A request that had no recording. `used_up` says that it had, and all were heard."""

    asked: str
    nearest: str = ""
    differences: tuple[str, ...] = ()
    used_up: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionReport:
    """A session as it stands: how often each recording was heard, which were not, and what was missing.

    Recordings are named as `openai/chat.yaml #2`. `unused` looks at the cassettes that the session asked for by
    name, else at those that it heard anything of.
    """

    session: str
    used: dict[str, int]
    unused: tuple[str, ...]
    missing: tuple[Missed, ...]

    def check(self, *, unused: bool = True, missing: bool = True) -> None:
        """Raise SessionIncomplete where recordings were left over or requests had none."""
        complaints = []
        if missing and self.missing:
            shown = "; ".join(_missed_line(miss) for miss in self.missing[:_SHOWN])
            complaints.append(f"{len(self.missing)} requests had no recording: {shown}")
        if unused and self.unused:
            complaints.append(f"{len(self.unused)} recordings were not used: {', '.join(self.unused[:_SHOWN])}")
        if complaints:
            raise SessionIncomplete(self.session, complaints)


@dataclass(slots=True)
class Session:
    """The state of one session."""

    cursors: dict[Place, int] = field(default_factory=dict)
    used: dict[tuple[str, int], int] = field(default_factory=dict)
    named: set[str] = field(default_factory=set)
    missed: list[Missed] = field(default_factory=list)

    def hear(self, cassette: str, position: int, *, by: int = 1) -> None:
        """Count a recording as heard once more, or with `by` -1 once less."""
        place = (cassette, position)
        times = self.used.get(place, 0) + by
        if times > 0:
            self.used[place] = times
        else:
            self.used.pop(place, None)

    def name(self, cassette: str) -> None:
        """Remember that a cassette was asked for by name."""
        if len(self.named) < MAX_NAMED:
            self.named.add(cassette)

    def miss(self, missed: Missed) -> None:
        """Remember a miss."""
        if len(self.missed) < MAX_MISSED:
            self.missed.append(missed)


class Sessions:
    """All sessions of a store. Not safe by itself between threads: the store holds a lock around it."""

    def __init__(self, *, max_sessions: int = MAX_SESSIONS, max_cursors: int = MAX_CURSORS) -> None:
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._cursors = 0
        self._max_sessions = max_sessions
        self._max_cursors = max_cursors

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._sessions))

    def find(self, name: str) -> Session:
        """Return a session; an unknown one is empty, and not kept."""
        return self._sessions.get(name) or Session()

    def of(self, name: str) -> Session:
        """Return a session to be changed, made where it is new."""
        session = self._sessions.get(name)
        if session is None:
            session = self._sessions[name] = Session()
            if len(self._sessions) > self._max_sessions:
                self.forget(next(iter(self._sessions)))
        else:
            self._sessions.move_to_end(name)
        return session

    def moved(self, name: str, place: Place, *, by: int) -> None:
        """Move a cursor of a session on, or back."""
        session = self.of(name)
        if place not in session.cursors:
            self._cursors += 1
        session.cursors[place] = max(0, session.cursors.get(place, 0) + by)
        while self._cursors > self._max_cursors and len(self._sessions) > 1:
            self.forget(next(iter(self._sessions)))  # the one just changed is last

    def forget(self, name: str) -> None:
        """Let a session start over."""
        session = self._sessions.pop(name, None)
        if session is not None:
            self._cursors -= len(session.cursors)


def report_of(name: str, session: Session, unused: Iterable[tuple[str, int]]) -> SessionReport:
    """Return the report of a session, given the places that it left over."""
    return SessionReport(
        session=name,
        used={label(*place): times for place, times in sorted(session.used.items())},
        unused=tuple(label(*place) for place in unused),
        missing=tuple(session.missed),
    )


def label(cassette: str, position: int) -> str:
    """Return a recording's place as a person reads it, such as `openai/chat.yaml #2`."""
    return f"{cassette}{files.SUFFIX} #{position}"


def _missed_line(missed: Missed) -> str:
    if missed.used_up:
        return f"{missed.asked} (all its recordings were used up)"
    near = f" (nearest: {missed.nearest}: {'; '.join(missed.differences[:3])})" if missed.nearest else ""
    return f"{missed.asked}{near}"


_SHOWN: Final = 8
