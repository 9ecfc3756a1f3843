"""Puts faults into what is played: the call's own, else its session's, else the plan's.

It stands at both seams. As a source it answers where the fault is the whole answer, before a recording or a mock is
used up: a client that is told 429 and asks again gets the answer it would have had. As a shaper it changes the
others on their way. Whatever it touches says so: `response.extensions["antiphon"]["synthetic"]` is the fault.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any, Final

from antiphon.harness.faults import edits
from antiphon.harness.faults.catalogue import Fault, fault_of
from antiphon.harness.faults.plan import FaultPlan
from antiphon.harness.faults.words import NONE, FaultNotApplicable
from antiphon.harness.interaction import Answer, RecordedRequest
from antiphon.harness.modes import RecordingCall
from antiphon.harness.playback import Playback

MAX_SESSIONS: Final = 10_000
"""Sessions that are remembered; the one that was quiet longest is forgotten first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Injected:
    """One fault that happened: to which call of its session, counted from 1, from whom, and whether it could."""

    session: str
    call: int
    fault: str
    origin: str
    applied: bool = True
    why_not: str = ""


@dataclass(slots=True)
class _Session:
    calls: int = 0
    fault: Fault | None = None
    seen: Counter[str] = field(default_factory=Counter)
    """How many calls each fault or rule would have been for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Decision:
    """What was decided for one request. `asked` tells it from a request that came before in the same task."""

    engine: Faults
    asked: RecordedRequest
    call: int
    origin: str
    fault: Fault | None
    done: bool = False


_DECIDED: Final[ContextVar[_Decision | None]] = ContextVar("antiphon_fault", default=None)
"""From the source to the shaper: both work for a request in the same task, and nothing else joins them."""


class Faults:
    """The faults of one transport: give it both as a source, before all others, and as a shaper, after all others.

    `journal` hears of every fault that happened, or could not.
    """

    def __init__(
        self, *, plan: FaultPlan | None = None, journal: Callable[[Injected], None] = lambda injected: None
    ) -> None:
        self.plan = plan or FaultPlan()
        self._journal = journal
        self._sessions: OrderedDict[str, _Session] = OrderedDict()

    def set(self, session: str, fault: str | None) -> None:
        """Let every call of a session have this fault, from now on; None for none. Raises BadRecordingCall."""
        read = None if fault is None or fault.strip() in ("", NONE) else fault_of(fault)
        state = self._session(session)
        state.fault = read
        state.seen.pop(_SESSION, None)

    def get(self, session: str) -> str:
        """The fault of a session as it was set; empty for none."""
        state = self._sessions.get(session)
        return state.fault.text if state is not None and state.fault is not None else ""

    def sessions(self) -> list[str]:
        """The sessions that have called, or have a fault."""
        return list(self._sessions)

    def forget(self, session: str) -> None:
        """Start a session over: no fault of its own, and its next call is the first."""
        self._sessions.pop(session, None)

    def idle(self, call: RecordingCall, /) -> bool:
        """Whether no fault can happen to such a call, nor be counted towards a later one."""
        if call.fault is not None or self.plan.rules:
            return False
        state = self._sessions.get(call.session or "")
        return state is None or state.fault is None

    def passed(self, call: RecordingCall, /) -> None:
        """Count a call that no fault could happen to."""
        self._session(call.session or "").calls += 1

    async def answer(self, asked: RecordedRequest, call: RecordingCall, /) -> Playback | None:
        """The answer, where the fault of this call takes the place of any other."""
        decision = self._decide(asked, call)
        _DECIDED.set(decision)
        fault = decision.fault
        if fault is None or not fault.replaces:
            return None
        answer = fault.answer(asked)
        _DECIDED.set(replace(decision, done=True))
        self._tell(decision, call, fault)
        said = {
            "replayed": True,
            "cassette": "",
            "position": 0,
            "outcome": answer.outcome.value,
            "origin": "fault",
            "synthetic": fault.text,
        }
        return Playback(answer=answer, place=f"the fault {fault.text}", said=said, pace=_pace(fault))

    def shape(self, playback: Playback, asked: RecordedRequest, call: RecordingCall, /) -> Playback:
        """What is played with the fault of this call in it."""
        decision = _DECIDED.get()
        if decision is None or decision.asked is not asked or decision.engine is not self:
            decision = self._decide(asked, call)
        fault = decision.fault
        if fault is None or decision.done:
            return playback
        try:
            return self._shaped(fault, playback, asked, call, decision)
        except FaultNotApplicable as error:
            if decision.origin == _CALL:
                raise
            self._tell(decision, call, fault, why_not=str(error))
            return playback

    def _shaped(
        self, fault: Fault, playback: Playback, asked: RecordedRequest, call: RecordingCall, decision: _Decision
    ) -> Playback:
        if fault.replaces:
            answer = fault.answer(asked)
        else:
            answer = fault.changed(self._in_real_time(fault, playback, call), asked)
        self._tell(decision, call, fault)
        said: Mapping[str, Any] = {**playback.said, "synthetic": _joined(playback.said, fault.text)}
        said = {**said, "outcome": answer.outcome.value}
        place = f"{playback.place} with the fault {fault.text}"
        return replace(playback, answer=answer, place=place, said=said, pace=_pace(fault) or playback.pace)

    def _in_real_time(self, fault: Fault, playback: Playback, call: RecordingCall) -> Answer:
        """The answer with its own delays as they would have been, where those of the fault are to be seconds."""
        if not fault.real_time:
            return playback.answer
        pace = playback.pace if playback.pace is not None else call.pace
        return edits.paced(playback.answer, 1.0 if pace is None else pace)

    def _decide(self, asked: RecordedRequest, call: RecordingCall) -> _Decision:
        session = call.session or ""
        state = self._session(session)
        state.calls += 1
        origin, fault = self._chosen(state, session, asked, call)
        return _Decision(engine=self, asked=asked, call=state.calls, origin=origin, fault=fault)

    def _chosen(
        self, state: _Session, session: str, asked: RecordedRequest, call: RecordingCall
    ) -> tuple[str, Fault | None]:
        if call.fault is not None:
            word = call.fault.strip()
            fault = None if word in ("", NONE) else fault_of(word)
            return _CALL, _due(state, f"{_CALL} {word}", fault)
        if state.fault is not None:
            return _SESSION, _due(state, _SESSION, state.fault)
        for number, rule in enumerate(self.plan.rules):
            if not rule.match.fits(asked, session=session, provider=call.provider or ""):
                continue
            key = f"rule {number}"
            state.seen[key] += 1
            chance = self.plan.chance(session, number, state.seen[key])
            fault = rule.strike(chance, state.seen[key])
            if fault is not None and (due := _due(state, f"{key} {fault.text}", fault)) is not None:
                return rule.name, due
        return "", None

    def _session(self, name: str) -> _Session:
        state = self._sessions.get(name)
        if state is None:
            state = self._sessions[name] = _Session()
            while len(self._sessions) > MAX_SESSIONS:
                self._sessions.popitem(last=False)
        self._sessions.move_to_end(name)
        return state

    def _tell(self, decision: _Decision, call: RecordingCall, fault: Fault, *, why_not: str = "") -> None:
        self._journal(
            Injected(
                session=call.session or "",
                call=decision.call,
                fault=fault.text,
                origin=decision.origin,
                applied=not why_not,
                why_not=why_not,
            )
        )


def _due(state: _Session, key: str, fault: Fault | None) -> Fault | None:
    """The fault, where its `times` and `after` let it happen to this call."""
    if fault is None:
        return None
    state.seen[key] += 1
    return fault if fault.request.wants(state.seen[key]) else None


def _pace(fault: Fault) -> float | None:
    return 1.0 if fault.real_time else None


def _joined(said: Mapping[str, Any], text: str) -> str:
    before = said.get("synthetic")
    return f"{before}+{text}" if before else text


_CALL: Final = "call"
_SESSION: Final = "session"
