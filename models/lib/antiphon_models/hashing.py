"""Text embeddings without learnt weights: signed feature hashing of words and character n-grams.

It measures shared words and shared spelling, not meaning: "choir" and "choirs" are near, "choir" and
"singers" are not. It exists so that the embedding path runs end to end on any machine.
The hash is BLAKE2, not Python's `hash`: that one differs from process to process.
Source of the method: Weinberger et al., "Feature Hashing for Large Scale Multitask Learning" (2009).
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

_WORD = re.compile(r"\w+", re.UNICODE)
_GRAM_LENGTHS = (3, 4)
_WORD_WEIGHT = 1.0
_GRAM_WEIGHT = 0.35  # a word of average length has about six n-grams: together they weigh a little more


def words(text: str) -> list[str]:
    """Split into lower-case words; punctuation is dropped."""
    return _WORD.findall(text.casefold())


def _features(word: str) -> Iterator[tuple[str, float]]:
    yield f"w:{word}", _WORD_WEIGHT
    marked = f"<{word}>"
    for length in _GRAM_LENGTHS:
        for start in range(len(marked) - length + 1):
            yield f"c:{marked[start : start + length]}", _GRAM_WEIGHT


def embed(texts: Sequence[str], *, dimensions: int) -> NDArray[np.float32]:
    """Return one unit vector per text, as rows; a text without words gives zeros."""
    rows = np.zeros((len(texts), dimensions), dtype=np.float64)
    for row, text in zip(rows, texts, strict=True):
        for word, times in Counter(words(text)).items():
            # Short words carry little, and repeats less each time: both are what tf-idf would say.
            weight = (1 + math.log(times)) * min(1.0, len(word) / 6)
            for feature, share in _features(word):
                digest = int.from_bytes(hashlib.blake2b(feature.encode(), digest_size=8).digest(), "little")
                sign = 1.0 if digest >> 63 else -1.0
                row[digest % dimensions] += sign * share * weight
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0).astype(np.float32)
