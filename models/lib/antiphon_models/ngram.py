"""A word n-gram text model, built from a text while it loads.

It stands in for a language model wherever the path matters and the words don't: demos and tests on a
machine without weights. It recombines phrases of its source text; it knows nothing.
"""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from antiphon_models.sampling import Sampling, choose

_TOKEN = re.compile(r"\s*[\w'’-]+|\s*[^\w\s]|\s+", re.UNICODE)
_PARAGRAPHS = re.compile(r"\n\s*\n")
_START = "\x02"
_END = "\x03"
_SENTENCE_ENDS = frozenset(".!?:")
_ORDER = 4  # three words of context at most
_SHORTER_CONTEXT = 0.3  # what a context one word shorter still counts: enough to leave the beaten track


def tokenize(text: str) -> list[str]:
    """Split into words and marks, each with the white space before it; joined they give `text` back."""
    return _TOKEN.findall(text)


def _key(token: str) -> str:
    return token.strip().casefold()


@dataclass(frozen=True, slots=True)
class _Followers:
    tokens: tuple[str, ...]
    shares: tuple[float, ...]


class NgramModel:
    """Counts which token follows which context; immutable once built, so threads may share it."""

    def __init__(self, text: str) -> None:
        counts: defaultdict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
        for paragraph in _PARAGRAPHS.split(text.strip()):
            tokens = tokenize(" ".join(paragraph.split()))
            keys = [_START, *map(_key, tokens)]
            for position, token in enumerate([*tokens, _END]):
                seen = keys[: position + 1]
                for length in range(1, min(_ORDER, len(seen) + 1)):
                    counts[tuple(seen[-length:])][token] += 1
        self._followers = {
            context: _Followers(tuple(found), tuple(count / found.total() for count in found.values()))
            for context, found in counts.items()
        }

    def generate(self, prompt: Sequence[str], sampling: Sampling) -> Iterator[str]:
        """Yield token after token until the text ends by itself; with `ignore_eos` it never does.

        The same prompt, parameters and seed give the same tokens; without a seed each call differs.
        """
        dice = random.Random(sampling.seed)  # noqa: S311 - sampling, not secrets
        context = self._opening(prompt)
        between_paragraphs = ""
        while True:
            token = self._next(context, sampling, dice.random())
            if token == _END:
                if not sampling.ignore_eos:
                    return
                context, between_paragraphs = (_START,), " "
                continue
            yield between_paragraphs + token
            between_paragraphs = ""
            context = (*context, _key(token))[-(_ORDER - 1) :]

    def _opening(self, prompt: Sequence[str]) -> tuple[str, ...]:
        """Return the context to go on from: the end of the prompt where the text knows it, else a start."""
        keys = tuple(key for token in prompt if (key := _key(token)))[-(_ORDER - 1) :]
        if not keys or keys[-1] in _SENTENCE_ENDS or keys[-1:] not in self._followers:
            return (_START,)
        return keys

    def _next(self, context: tuple[str, ...], sampling: Sampling, draw: float) -> str:
        weights: defaultdict[str, float] = defaultdict(float)
        factor = 1.0
        for start in range(len(context)):
            followers = self._followers.get(context[start:])
            if followers is None:
                continue
            for token, share in zip(followers.tokens, followers.shares, strict=True):
                weights[token] += factor * share
            factor *= _SHORTER_CONTEXT
        tokens = tuple(weights)
        return tokens[choose(np.log(np.fromiter(weights.values(), dtype=np.float64)), sampling, draw)]
