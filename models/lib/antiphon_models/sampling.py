"""Sampling parameters as Triton's vLLM backend takes them, and the choice of one token by them.

One implementation serves every text model here, so that `seed`, `top_p` and the others mean the same
for the n-gram model as for a language model with weights.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon_models.errors import ContractError


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How to draw tokens; names, defaults and meaning follow vLLM's `SamplingParams`.

    Where vLLM allows 16 tokens by default, a model here says its own default in its configuration.
    """

    max_tokens: int
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    ignore_eos: bool = False


def _number(value: Any) -> float:
    if isinstance(value, bool):
        raise TypeError
    return float(value)  # vLLM's backend takes numbers as text too


def _whole(value: Any) -> int:
    number = _number(value)
    if not number.is_integer():
        raise ValueError
    return int(value) if isinstance(value, int | str) else int(number)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _strings(value: Any) -> tuple[str, ...]:
    strings = (value,) if isinstance(value, str) else tuple(value)
    if not all(isinstance(string, str) and string for string in strings):
        raise ValueError
    return strings


@dataclass(frozen=True, slots=True)
class _Rule:
    read: Callable[[Any], Any]
    holds: Callable[[Any], bool]
    wanted: str


_RULES: Mapping[str, _Rule] = {
    "max_tokens": _Rule(_whole, lambda n: n >= 1, "a whole number of at least 1"),
    "temperature": _Rule(_number, lambda x: math.isfinite(x) and x >= 0, "a number of at least 0"),
    "top_p": _Rule(_number, lambda x: 0 < x <= 1, "a number above 0 and at most 1"),
    "top_k": _Rule(_whole, lambda n: n >= -1, "a whole number; 0 or -1 means no limit"),
    "seed": _Rule(_whole, lambda n: n >= 0, "a whole number of at least 0"),
    "stop": _Rule(_strings, lambda s: True, "a string or a list of strings, none empty"),
    "ignore_eos": _Rule(_flag, lambda b: True, "true or false"),
}


def parse_sampling(text: str, *, default_max_tokens: int) -> Sampling:
    """Read the JSON object in a `sampling_parameters` input; an empty text means all defaults.

    An unknown parameter is an error, never ignored: the caller would not learn that it had no effect.
    A null stands for "unset".

    Raises:
        ContractError: not a JSON object, an unknown name, or a value out of range.
    """
    try:
        given = json.loads(text) if text.strip() else {}
    except json.JSONDecodeError as error:
        raise ContractError(f"sampling_parameters is not JSON: {error}") from error
    if not isinstance(given, dict):
        raise ContractError("sampling_parameters must be a JSON object")
    values: dict[str, Any] = {"max_tokens": default_max_tokens}
    for name, value in given.items():
        rule = _RULES.get(name)
        if rule is None:
            raise ContractError(
                f"sampling parameter '{name}' is not supported by this model; it takes: {', '.join(_RULES)}"
            )
        if value is None:
            continue
        try:
            values[name] = rule.read(value)
        except (TypeError, ValueError, OverflowError) as error:
            raise ContractError(f"sampling parameter '{name}' must be {rule.wanted}") from error
        if not rule.holds(values[name]):
            raise ContractError(f"sampling parameter '{name}' must be {rule.wanted}, not {value!r}")
    return Sampling(**values)


def choose(scores: NDArray[np.floating[Any]], sampling: Sampling, draw: float) -> int:
    """Return the position of the chosen score.

    Args:
        scores: one unnormalised log-probability per candidate.
        sampling: temperature 0 takes the highest score, the first of equals.
        draw: a uniform random number in [0, 1); the same number gives the same choice.
    """
    if sampling.temperature == 0:
        return int(np.argmax(scores))
    order = np.argsort(-scores, kind="stable")
    if sampling.top_k > 0:
        order = order[: sampling.top_k]
    scaled = scores[order].astype(np.float64) / sampling.temperature
    weights = np.exp(scaled - scaled[0])
    cumulative = np.cumsum(weights / weights.sum())
    if sampling.top_p < 1:
        # The smallest set of likeliest candidates that reaches top_p; at least one.
        cumulative = cumulative[: int(np.searchsorted(cumulative, sampling.top_p)) + 1]
    position = int(np.searchsorted(cumulative, draw * cumulative[-1], side="right"))
    return int(order[min(position, len(cumulative) - 1)])
