"""A scenario set: what every provider is asked, in a file that a person reads and extends.

The file is data from anywhere, so it is read with bounds and as plain YAML. What a step asks stays a mapping here: the
harness knows no contract; whoever runs the set gives it one.

    version: 1
    models:                       # where a provider's default model does not do
      openai: {embeddings: text-embedding-3-small}
    scenarios:
      stream:
        about: The same question, answered as it is made.
        steps:
          - stream: {messages: [{user: Name three colours.}]}
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

KINDS: Final = ("chat", "stream", "embed", "count", "models")
"""What a step does: ask for a whole answer, a streamed one, vectors, a count of tokens, or the list of models."""

CHAT_MODEL: Final = "chat"
"""The slot of a provider's ordinary model."""

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9\-]{0,59}")
_MAX_BYTES: Final = 4 * 1024 * 1024
_STEP_KEYS: Final = frozenset({*KINDS, "then"})
_SCENARIO_KEYS: Final = frozenset({"about", "feature", "model", "exact_model", "expect", "steps"})
_SET_KEYS: Final = frozenset({"version", "about", "models", "prices", "scenarios"})


class ScenarioError(ValueError):
    """A scenario file is wrong; the message names the place and what is expected there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One call. `ask` is what to send; `then` goes on with the conversation of the step before."""

    kind: str
    ask: Mapping[str, Any] = field(default_factory=dict)
    then: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Calls that belong together, recorded into one cassette.

    `feature` is what a provider has to offer for it, `model` the slot of its models that is asked, unless
    `exact_model` names one outright. `expect` are the
    reasons one of which the last step has to fail with; empty where it has to succeed.
    """

    name: str
    about: str
    steps: tuple[Step, ...]
    feature: str = "chat"
    model: str = CHAT_MODEL
    exact_model: str = ""
    expect: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioSet:
    """Scenarios in the order of the file, models by provider and slot, and prices by `provider/model`.

    A price is (input, output) in US dollars for a million tokens, as decimal text.
    """

    scenarios: tuple[Scenario, ...]
    models: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    prices: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    def only(self, names: Sequence[str]) -> tuple[Scenario, ...]:
        """Return the scenarios of these names in the order of the file, all for none. Raises ScenarioError."""
        known = {scenario.name for scenario in self.scenarios}
        if unknown := [name for name in names if name not in known]:
            raise ScenarioError(f"no scenario {unknown[0]!r}; there are: {', '.join(sorted(known))}")
        return tuple(scenario for scenario in self.scenarios if not names or scenario.name in names)


def read(path: Path) -> ScenarioSet:
    """Read a file. Raises ScenarioError."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ScenarioError(f"{path} is larger than {_MAX_BYTES} bytes")
        return parse(path.read_text(encoding="utf-8"), file=str(path))
    except UnicodeDecodeError as error:
        raise ScenarioError(f"{path} is not UTF-8 text") from error
    except OSError as error:
        raise ScenarioError(f"{path} cannot be read: {error.strerror}") from error


def parse(text: str, *, file: str) -> ScenarioSet:
    """Read a text; `file` names it in errors. Raises ScenarioError."""
    try:
        document = yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader with less in it
    except (yaml.YAMLError, RecursionError) as error:
        raise ScenarioError(f"{file} is not plain YAML: {' '.join(str(error).split())[:200]}") from error
    whole = _mapping(document, file, _SET_KEYS)
    if whole.get("version") != 1:
        raise ScenarioError(f"{file}: version must be 1")
    scenarios = tuple(
        _scenario(str(name), value, file)
        for name, value in _mapping(whole.get("scenarios"), f"{file}: scenarios").items()
    )
    return ScenarioSet(
        scenarios=scenarios,
        models={
            str(provider): {
                str(slot): str(model) for slot, model in _mapping(slots, f"{file}: models.{provider}").items()
            }
            for provider, slots in _mapping(whole.get("models") or {}, f"{file}: models").items()
        },
        prices={
            str(model): _price(value, f"{file}: prices.{model}")
            for model, value in _mapping(whole.get("prices") or {}, f"{file}: prices").items()
        },
    )


def _scenario(name: str, value: Any, file: str) -> Scenario:
    place = f"{file}: scenarios.{name}"
    if not _NAME.fullmatch(name):
        raise ScenarioError(f"{place}: a name is made of a-z, 0-9 and '-', at most 60")
    given = _mapping(value, place, _SCENARIO_KEYS)
    steps = given.get("steps")
    if not isinstance(steps, list) or not steps:
        raise ScenarioError(f"{place}: steps must be a list of at least one call")
    expect = given.get("expect") or []
    return Scenario(
        name=name,
        about=str(given.get("about") or ""),
        feature=str(given.get("feature") or "chat"),
        model=str(given.get("model") or CHAT_MODEL),
        exact_model=str(given.get("exact_model") or ""),
        expect=tuple(map(str, expect if isinstance(expect, list) else [expect])),
        steps=tuple(_step(step, f"{place}.steps[{number}]", number) for number, step in enumerate(steps)),
    )


def _step(value: Any, place: str, number: int) -> Step:
    given = _mapping(value, place, _STEP_KEYS)
    kinds = [kind for kind in KINDS if kind in given]
    then = given.get("then")
    if len(kinds) > 1 or (not kinds and then is None):
        raise ScenarioError(f"{place}: one of {', '.join(KINDS)} is needed")
    if then is not None and number == 0:
        raise ScenarioError(f"{place}: `then` goes on with the step before, and this is the first")
    kind = kinds[0] if kinds else "chat"
    return Step(
        kind=kind,
        ask=_mapping(given.get(kind) or {}, f"{place}.{kind}"),
        then=None if then is None else _mapping(then, f"{place}.then", frozenset({"user", "tool_results"})),
    )


def _price(value: Any, place: str) -> tuple[str, str]:
    given = _mapping(value, place, frozenset({"input", "output"}))
    if set(given) != {"input", "output"} or not all(re.fullmatch(r"\d+(\.\d+)?", str(part)) for part in given.values()):
        raise ScenarioError(f"{place}: input and output must be US dollars for a million tokens, such as 0.15")
    return str(given["input"]), str(given["output"])


def _mapping(value: Any, place: str, known: frozenset[str] | None = None) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ScenarioError(f"{place} must be a mapping of names to values")
    if known is not None and (unknown := sorted(str(key) for key in value if key not in known)):
        raise ScenarioError(f"{place}: unknown {', '.join(unknown)}; known: {', '.join(sorted(known))}")
    return value


class _Loader(yaml.SafeLoader):
    """Plain YAML without anchors: a few lines of them stand for gigabytes."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Refuse an alias, else compose as ever."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("anchors and aliases are not read here; write the value out")
        return super().compose_node(parent, index)
