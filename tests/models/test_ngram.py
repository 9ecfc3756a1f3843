"""The n-gram model."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest
from antiphon_models.ngram import NgramModel, tokenize
from antiphon_models.sampling import Sampling
from hypothesis import given
from hypothesis import strategies as st

_CORPUS = Path(__file__).resolve().parents[2] / "models/default/ngram/1/corpus.txt"


@pytest.fixture(scope="module")
def model() -> NgramModel:
    return NgramModel(_CORPUS.read_text(encoding="utf-8"))


def _text(model: NgramModel, prompt: str, *, seed: int, temperature: float = 1.0, tokens: int = 60) -> str:
    sampling = Sampling(max_tokens=tokens, seed=seed, temperature=temperature)
    return "".join(islice(model.generate(tokenize(prompt), sampling), tokens))


@given(st.text())
def test_tokens_joined_are_the_text(text: str) -> None:
    assert "".join(tokenize(text)) == text


def test_the_same_seed_gives_the_same_text_and_another_seed_another(model: NgramModel) -> None:
    assert _text(model, "A choir", seed=1) == _text(model, "A choir", seed=1)
    assert len({_text(model, "A choir", seed=seed) for seed in range(20)}) > 10


def test_a_prompt_from_the_text_is_continued_and_an_unknown_one_starts_afresh(model: NgramModel) -> None:
    assert _text(model, "The river went on under the", seed=3, temperature=0).startswith(" bridge and kept the time.")
    starts = {_text(model, "What is a zyzzyva?", seed=seed, tokens=1) for seed in range(10)}
    assert all(start[:1].isupper() for start in starts)


def test_only_words_of_the_text_come_out(model: NgramModel) -> None:
    known = set(_CORPUS.read_text(encoding="utf-8").split())
    made = _text(model, "", seed=5).split()
    assert made
    # The last word may have lost the mark that follows it.
    assert set(made[:-1]) <= known


def test_the_text_ends_by_itself_unless_told_to_go_on(model: NgramModel) -> None:
    ends = Sampling(max_tokens=1, seed=1)
    assert len(list(islice(model.generate([], ends), 5000))) < 5000
    goes_on = Sampling(max_tokens=1, seed=1, ignore_eos=True)
    tokens = list(islice(model.generate([], goes_on), 3000))
    assert len(tokens) == 3000
    assert all(token.startswith(" ") for token in tokens[1:] if token.strip()[0].isupper()), "no glued paragraphs"
