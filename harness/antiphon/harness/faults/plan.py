"""A plan of faults, from a YAML file: for which requests, how often by chance, and from which seed.

    seed: 7
    rules:
      - name: busy mornings          # optional; reports call the rule so
        match: {url: "api.openai.com/*", stream: true}
        fault: 429;retry-after=2;times=3
        probability: 0.3
      - match: {model: "claude-*"}
        calls: [2, 5]                # these of the session's calls that the rule would be for
        faults: {"529": 3, "cut@event=2": 1}   # one of several, by weight

The first rule that fits a request and happens to strike decides. What happens is the same in every run: chance comes
from the seed, the session's name, the rule and the number of the call, and from nothing else.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from antiphon.harness.errors import BadRecordingCall
from antiphon.harness.faults.catalogue import Fault, fault_of
from antiphon.harness.requestfilter import RequestFilter

MAX_BYTES: Final = 1024 * 1024
MAX_RULES: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """For which requests, which faults by weight, how likely, and for which calls; no calls are all."""

    name: str
    match: RequestFilter
    faults: tuple[tuple[Fault, float], ...]
    probability: float = 1.0
    calls: frozenset[int] = frozenset()

    def strike(self, chance: random.Random, number: int) -> Fault | None:
        """The fault for this call, counted from 1 among those that the rule is for; None for no fault."""
        if self.calls and number not in self.calls:
            return None
        if chance.random() >= self.probability:
            return None
        weights = [weight for _, weight in self.faults]
        return chance.choices([fault for fault, _ in self.faults], weights)[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultPlan:
    """Rules in their order, and the seed of what happens by chance."""

    rules: tuple[Rule, ...] = ()
    seed: int = 0
    name: str = field(default="plan")

    def chance(self, session: str, rule: int, number: int) -> random.Random:
        """The chance of one call: the same for the same seed, session, rule and number."""
        text = f"{self.seed}\0{session}\0{rule}\0{number}"
        return random.Random(hashlib.sha256(text.encode()).digest())  # noqa: S311 - reproducible chance, no secret


def read_plan(path: Path | str) -> FaultPlan:
    """The plan in a file. Raises BadRecordingCall, naming the file and the place in it."""
    file = Path(path)
    try:
        if file.stat().st_size > MAX_BYTES:
            raise BadRecordingCall(f"{file}: is larger than {MAX_BYTES} bytes")
        return plan_of(file.read_text(encoding="utf-8"), name=str(file))
    except (OSError, UnicodeDecodeError) as error:
        raise BadRecordingCall(f"{file}: it can't be read ({error})") from error


def plan_of(text: str, *, name: str = "plan") -> FaultPlan:
    """The plan that a YAML text holds. Raises BadRecordingCall."""
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise BadRecordingCall(f"{name}: it isn't YAML ({' '.join(str(error).split())[:200]})") from error
    if not isinstance(value, dict):
        raise BadRecordingCall(f"{name}: it has to be a mapping with 'rules'")
    _only(value, ("seed", "rules"), name)
    rules, seed = value.get("rules", []), value.get("seed", 0)
    if not isinstance(rules, list) or len(rules) > MAX_RULES:
        raise BadRecordingCall(f"{name}: 'rules' has to be a list of at most {MAX_RULES}")
    if not isinstance(seed, int):
        raise BadRecordingCall(f"{name}: 'seed' has to be a whole number")
    read = tuple(_rule(rule, number, f"{name}: rules[{number}]") for number, rule in enumerate(rules))
    return FaultPlan(rules=read, seed=seed, name=name)


def _rule(value: Any, number: int, where: str) -> Rule:
    if not isinstance(value, dict):
        raise BadRecordingCall(f"{where} has to be a mapping")
    _only(value, ("name", "match", "fault", "faults", "probability", "calls"), where)
    probability = value.get("probability", 1.0)
    if isinstance(probability, bool) or not isinstance(probability, int | float) or not 0 <= probability <= 1:
        raise BadRecordingCall(f"{where}.probability is {probability!r:.40}; give 0 to 1")
    return Rule(
        name=str(value.get("name", f"rule {number + 1}"))[:100],
        match=RequestFilter.of(value.get("match", {}), where=f"{where}.match"),
        faults=_faults(value, where),
        probability=float(probability),
        calls=_calls(value.get("calls"), f"{where}.calls"),
    )


def _faults(value: Mapping[str, Any], where: str) -> tuple[tuple[Fault, float], ...]:
    if ("fault" in value) is ("faults" in value):
        raise BadRecordingCall(f"{where} needs either 'fault' or 'faults'")
    given = {value["fault"]: 1} if "fault" in value else value["faults"]
    if not isinstance(given, dict) or not given:
        raise BadRecordingCall(f"{where}.faults has to be a mapping of faults to weights")
    read = []
    for text, weight in given.items():
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight < 1e9:
            raise BadRecordingCall(f"{where}.faults[{text!r:.60}] is {weight!r:.40}; give a weight above 0")
        try:
            read.append((fault_of(str(text)), float(weight)))
        except BadRecordingCall as error:
            raise BadRecordingCall(f"{where}: {error}") from error
    return tuple(read)


def _calls(value: Any, where: str) -> frozenset[int]:
    if value is None:
        return frozenset()
    numbers: Sequence[Any] = value if isinstance(value, list) else [value]
    if not numbers or any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in numbers):
        raise BadRecordingCall(f"{where} has to be a list of numbers from 1")
    return frozenset(numbers)


def _only(value: Mapping[Any, Any], known: tuple[str, ...], where: str) -> None:
    if unknown := sorted(str(name) for name in value if name not in known):
        raise BadRecordingCall(f"{where}: unknown {', '.join(unknown)}; known: {', '.join(known)}")
