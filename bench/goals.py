"""What has to be reached: the table of goals, as data. A ratio above 1 is in antiphon's favour."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

Document = dict[str, Any]
"""One file of results."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """`ours` must do `least` times as well as `theirs`, in every one of `cases` and for every one of `metrics`.

    Systems are written as tables call them, with their door. For `rate` more is better, for all else less.
    """

    name: str
    row: str
    cases: Sequence[str]
    ours: str
    theirs: str
    least: float
    metrics: Sequence[str] = ("rate", "cpu_us")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One goal in one case by one metric. `ratio` is None where it was not measured; `why` says why."""

    goal: Goal
    case: str
    metric: str
    ratio: float | None
    why: str = ""

    @property
    def met(self) -> bool:
        """Whether the goal is reached."""
        return self.ratio is not None and self.ratio >= self.goal.least

    def __str__(self) -> str:
        found = f"{self.ratio:.3g}x" if self.ratio is not None else f"not measured ({self.why})"
        what = f"{self.goal.name}, {self.case}, by {METRICS[self.metric]}"
        return f"{what}: {found} of {self.goal.theirs}, wanted {self.goal.least:g}x"


METRICS: Final = {
    "rate": "throughput",
    "cpu_us": "CPU time",
    "added_ms": "added time",
    "under_load_mb": "memory",
    "seconds": "time",
    "growth": "growth",
}
MANY: Final = ("32 callers", "200 callers")
FLOOR: Final = {"added_ms": 0.01}
"""Figures below are noise: a ratio is taken with this instead."""
LINEAR: Final = 1.15
"""The largest exponent that still counts as linear growth: 1 and the noise of two measurements."""


def _goals(name: str, row: str, cases: Sequence[str], ours: str, **least: float) -> list[Goal]:
    """Goals beside LiteLLM, Portkey and the ceiling, by throughput and by CPU time."""
    theirs = {"litellm": "litellm", "portkey": "portkey", "bare": CEILINGS[ours]}
    return [
        Goal(name=name, row=row, cases=cases, ours=ours, theirs=theirs[peer], least=value)
        for peer, value in least.items()
    ]


def _single(name: str, row: str, case: str, ours: str, metric: str, **least: float) -> list[Goal]:
    return [
        Goal(name=name, row=row, cases=(case,), ours=ours, theirs=peer, least=value, metrics=(metric,))
        for peer, value in least.items()
    ]


GRPC: Final = "antiphon (grpc)"
HTTP: Final = "antiphon (http)"
APART: Final = "antiphon-apart (grpc)"

CEILINGS: Final = {GRPC: "bare (grpc)", HTTP: "raw-asgi", APART: "bare-apart"}
"""What each door could be at best, were it made of the usual libraries."""

GOALS: Final[tuple[Goal, ...]] = (
    *_goals("unary chat, one process, gRPC door", "unary", MANY, GRPC, litellm=20, portkey=2.5, bare=0.6),
    *_goals("unary chat, gateway and adapter apart", "unary", MANY, APART, litellm=10, portkey=1.2, bare=0.6),
    *_goals("chunks, burst, one process, gRPC door", "burst", MANY, GRPC, litellm=40, portkey=1.5, bare=0.6),
    *_goals("chunks, paced 1 ms, 64 streams", "paced", ("64 callers",), GRPC, litellm=10, portkey=1, bare=0.6),
    *_goals("HTTP door, unary", "unary", MANY, HTTP, litellm=30, portkey=3, bare=0.4),
    *_goals("HTTP door, chunks", "burst", MANY, HTTP, litellm=30, portkey=2, bare=0.4),
    *_goals("embeddings, gRPC door", "embeddings", MANY, GRPC, litellm=20, portkey=2.5, bare=0.6),
    *_single("added time to first chunk", "first-chunk", "1 caller", GRPC, "added_ms", litellm=10, portkey=1),
    *_single("memory under load", "memory", "32 callers", GRPC, "under_load_mb", litellm=4, portkey=1),
    *_single("start to first answer", "start", "first answer", GRPC, "seconds", litellm=5, portkey=1 / 3),
    *(
        Goal(
            name=f"replay, {row}",
            row=row,
            cases=("32 callers",),
            ours=f"antiphon-replay ({door})",
            theirs=f"antiphon ({door})",
            least=1,
            metrics=("rate",),
        )
        for row in ("replay", "replay-stream")
        for door in ("grpc", "http")
    ),
)

GROWTH: Final = tuple(
    Goal(
        name=f"histories of {ours}",
        row="histories",
        cases=("1,000 to 100,000 messages",),
        ours=ours,
        theirs="linear growth",
        least=1,
        metrics=("growth",),
    )
    for ours in (GRPC, HTTP)
)


def judge(document: Document) -> list[Verdict]:
    """Every goal, by the results of one run."""
    verdicts = [
        _compared(document, goal, case, metric) for goal in GOALS for case in goal.cases for metric in goal.metrics
    ]
    return verdicts + [_grown(document, goal) for goal in GROWTH]


def ratio(ours: Iterable[Document], theirs: Iterable[Document], metric: str) -> float | None:
    """The median over rounds of how many times better the first does; None where rounds are lacking."""
    found = []
    floor = FLOOR.get(metric, 0.0)
    for own, other in zip(ours, theirs, strict=False):
        a, b = max(own[metric], floor), max(other[metric], floor)
        if metric != "rate":
            a, b = b, a
        found.append(a / b if b else math.inf)
    return statistics.median(found) if found else None


def subject(document: Document, row: str, case: str, name: str) -> Document | None:
    """One system of a case, as the results hold it."""
    for each in document["cases"]:
        if each["row"] == row and each["case"] == case:
            for found in each["subjects"]:
                if found["name"] == name:
                    return dict(found)
    return None


def _compared(document: Document, goal: Goal, case: str, metric: str) -> Verdict:
    pair = [subject(document, goal.row, case, name) for name in (goal.ours, goal.theirs)]
    for name, found in zip((goal.ours, goal.theirs), pair, strict=True):
        if found is None or found["failed"] or not found["rounds"]:
            why = f"{name}: {found['failed']}" if found else f"{name} is not in the results"
            return Verdict(goal=goal, case=case, metric=metric, ratio=None, why=why)
    ours, theirs = (found["rounds"] for found in pair if found)
    return Verdict(goal=goal, case=case, metric=metric, ratio=ratio(ours, theirs, metric))


def _grown(document: Document, goal: Goal) -> Verdict:
    """The exponent of CPU time over messages, from 1,000 to 100,000; as a ratio to LINEAR."""
    costs = []
    for messages in (1_000, 100_000):
        found = subject(document, goal.row, f"{messages:,} messages of 100 bytes", goal.ours)
        if found is None or found["failed"] or not found["rounds"]:
            why = found["failed"] if found else "not in the results"
            return Verdict(goal=goal, case=goal.cases[0], metric="growth", ratio=None, why=f"{goal.ours}: {why}")
        costs.append(max(1.0, statistics.median(one["cpu_us"] for one in found["rounds"])))
    exponent = math.log(costs[1] / costs[0]) / math.log(100)
    return Verdict(goal=goal, case=goal.cases[0], metric="growth", ratio=LINEAR / max(exponent, 0.01))
