"""What a client did after a fault, from nothing but the requests that came and their times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Final

from antiphon.harness import jsonbody
from antiphon.harness.chaos.matrix import Cell, Retry
from antiphon.harness.interaction import RecordedRequest
from antiphon.harness.requestlog import End, Seen

EARLY: Final = 0.02
"""Seconds that a retry may come before its time: clocks are not the same."""


class Outcome(StrEnum):
    """What became of the client's call."""

    RECOVERED = "recovered"
    """It asked again, and got a good answer."""
    GAVE_UP = "gave up"
    """It did not ask again, or not often enough, and said so."""
    WENT_ON = "went on"
    """It took the faulty answer and ended well."""
    ENDED = "ended"
    """It did not ask again; whether it said so can't be seen from here."""
    HUNG = "hung"
    """It waited for longer than anybody should."""
    NOT_REACHED = "not reached"
    """The fault did not happen: no request came that it is for."""


class Verdict(StrEnum):
    """Whether that is what a good client does."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How the client's run ended. `exit_code` None: it is a client that runs on, or it was stopped because it hung."""

    seconds: float
    exit_code: int | None = None
    hung: bool = False
    output: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One cell walked. `waits` are the seconds between the end of an attempt and the next one; `held` is how long the
    client stayed with the faulty answer."""

    cell: Cell
    outcome: Outcome
    verdict: Verdict
    why: str
    attempts: int
    waits: tuple[float, ...]
    held: float
    run: Run

    @property
    def retries(self) -> int:
        """How often it asked again."""
        return max(0, self.attempts - 1)


def observed(cell: Cell, seen: Sequence[Seen], run: Run, *, why_not: str = "") -> Observation:
    """What the client did in one cell. `seen` are the requests of the run, `why_not` why the fault could not happen."""
    first = next((each for each in seen if each.synthetic), None)
    if first is None:
        outcome = Outcome.HUNG if run.hung else Outcome.NOT_REACHED
        verdict = Verdict.FAILED if run.hung else Verdict.SKIPPED
        why = why_not or ("no request came that it is for" if not run.hung else "it hung before the fault happened")
        return Observation(
            cell=cell, outcome=outcome, verdict=verdict, why=why, attempts=0, waits=(), held=0.0, run=run
        )
    attempts = attempts_of(first, seen)
    waits = tuple(max(0.0, after.began - (before.ended or after.began)) for before, after in pairwise(attempts))
    held = (first.ended - first.began) if first.ended is not None else run.seconds
    outcome = _outcome(attempts, run)
    verdict, why = _verdict(cell, outcome, attempts, waits)
    return Observation(
        cell=cell, outcome=outcome, verdict=verdict, why=why, attempts=len(attempts), waits=waits, held=held, run=run
    )


def attempts_of(first: Seen, seen: Sequence[Seen]) -> list[Seen]:
    """A request and those after it that ask the same."""
    key = _key(first.request)
    return [each for each in seen if each.number >= first.number and _key(each.request) == key]


def _outcome(attempts: Sequence[Seen], run: Run) -> Outcome:
    last = attempts[-1]
    if run.hung or (run.exit_code is None and last.end is End.OPEN):
        return Outcome.HUNG
    good = last.end is End.COMPLETE and not last.synthetic and last.status is not None and last.status < 400
    if good:
        return Outcome.RECOVERED if run.exit_code in (0, None) else Outcome.GAVE_UP
    if run.exit_code is None:
        return Outcome.ENDED
    return Outcome.WENT_ON if run.exit_code == 0 else Outcome.GAVE_UP


def _verdict(cell: Cell, outcome: Outcome, attempts: Sequence[Seen], waits: Sequence[float]) -> tuple[Verdict, str]:
    """By the first of the rules that is broken."""
    retried = len(attempts) > 1
    early = cell.retry_after
    if outcome is Outcome.HUNG:
        return Verdict.FAILED, "it waits without a limit of its own; give the client a timeout"
    if cell.retry is Retry.NEVER and retried:
        return Verdict.FAILED, f"it asked again {len(attempts) - 1} times although the request itself was refused"
    if early is not None and retried and waits[0] < early - EARLY:
        return Verdict.FAILED, f"it came back after {waits[0]:.2f} s although Retry-After said {early:g} s"
    if cell.retry is Retry.SHOULD and not retried:
        return Verdict.FAILED, "it gave up at once although asking again would have helped"
    if cell.notices and outcome is Outcome.WENT_ON:
        return Verdict.FAILED, "it took the broken answer for a good one and ended well"
    if retried and outcome is Outcome.GAVE_UP and cell.retry is Retry.SHOULD and not attempts[-1].synthetic:
        return Verdict.FAILED, "it got a good answer when it asked again, and failed all the same"
    return Verdict.PASSED, ""


def _key(asked: RecordedRequest) -> tuple[str, str, str | bytes]:
    """What an attempt has in common with the one before: all but headers, in which SDKs count attempts."""
    try:
        body: str | bytes = jsonbody.canonical(jsonbody.parse(asked.body))
    except jsonbody.NotJsonError:
        body = asked.body
    return asked.method, asked.url, body
