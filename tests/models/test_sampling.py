"""Sampling parameters and the choice of a token."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest
from antiphon_models.errors import ContractError
from antiphon_models.sampling import Sampling, choose, parse_sampling
from hypothesis import given
from hypothesis import strategies as st

_SCORES = np.log(np.array([0.5, 0.3, 0.15, 0.05]))


def _drawn(**values: float | int) -> Counter[int]:
    sampling = Sampling(max_tokens=1, **values)  # type: ignore[arg-type]
    return Counter(choose(_SCORES, sampling, draw) for draw in np.linspace(0, 1, 1000, endpoint=False))


def test_no_parameters_are_the_defaults() -> None:
    assert parse_sampling("", default_max_tokens=9) == Sampling(max_tokens=9)
    assert parse_sampling('{"temperature": null}', default_max_tokens=9) == Sampling(max_tokens=9)


def test_all_parameters_are_read_and_numbers_may_be_text() -> None:
    given = {"max_tokens": "5", "temperature": "0.5", "top_p": 0.9, "top_k": 3, "seed": 2**60 + 1, "stop": "\n"}
    assert parse_sampling(json.dumps(given), default_max_tokens=9) == Sampling(
        max_tokens=5, temperature=0.5, top_p=0.9, top_k=3, seed=2**60 + 1, stop=("\n",)
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[]", "must be a JSON object"),
        ('{"presence_penalty": 1}', "'presence_penalty' is not supported by this model; it takes: max_tokens, "),
        ('{"max_tokens": 0}', "'max_tokens' must be a whole number of at least 1"),
        ('{"max_tokens": 1.5}', "'max_tokens' must be a whole number"),
        ('{"max_tokens": true}', "'max_tokens' must be a whole number"),
        ('{"temperature": -1}', "'temperature' must be a number of at least 0"),
        ('{"temperature": NaN}', "'temperature' must be a number of at least 0"),
        ('{"top_p": 0}', "'top_p' must be a number above 0"),
        ('{"stop": [""]}', "'stop' must be a string or a list of strings, none empty"),
        ('{"stop": 3}', "'stop' must be a string"),
        ('{"ignore_eos": 1}', "'ignore_eos' must be true or false"),
    ],
)
def test_a_parameter_that_makes_no_sense_is_named(text: str, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        parse_sampling(text, default_max_tokens=9)


def test_draws_follow_the_probabilities() -> None:
    assert _drawn() == {0: 500, 1: 300, 2: 150, 3: 50}


def test_temperature_zero_takes_the_likeliest_and_low_temperature_favours_it() -> None:
    assert _drawn(temperature=0) == {0: 1000}
    assert _drawn(temperature=0.5)[0] > 600
    assert _drawn(temperature=5)[3] > 150


def test_top_k_and_top_p_leave_out_the_unlikely() -> None:
    assert set(_drawn(top_k=2)) == {0, 1}
    assert set(_drawn(top_p=0.6)) == {0, 1}
    assert set(_drawn(top_p=0.01)) == {0}


@given(
    st.lists(st.floats(-50, 50), min_size=1, max_size=20),
    st.floats(0, 1, exclude_max=True),
    st.floats(0.01, 5),
    st.floats(0.01, 1),
    st.integers(-1, 30),
)
def test_a_choice_is_always_one_of_the_candidates(
    scores: list[float], draw: float, temperature: float, top_p: float, top_k: int
) -> None:
    sampling = Sampling(max_tokens=1, temperature=temperature, top_p=top_p, top_k=top_k)
    assert 0 <= choose(np.array(scores), sampling, draw) < len(scores)
