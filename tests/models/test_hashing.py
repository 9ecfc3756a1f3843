"""The hashing embedding."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
from antiphon_models.hashing import embed

_LIB = Path(__file__).resolve().parents[2] / "models/lib"


def test_shared_wording_is_near_and_other_wording_far() -> None:
    vectors = embed(
        ["A choir sings in the church.", "The choirs are singing in a church", "Stock prices fell on Monday"],
        dimensions=256,
    )
    near, far = vectors[0] @ vectors[1], vectors[0] @ vectors[2]
    assert near > 0.4 > 0.2 > far


def test_vectors_have_length_one_and_a_text_without_words_is_zero() -> None:
    vectors = embed(["one", "some more words, and more", "...", ""], dimensions=64)
    assert vectors.dtype == np.float32
    assert vectors.shape == (4, 64)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [1, 1, 0, 0], atol=1e-6)


def test_case_and_punctuation_do_not_count() -> None:
    vectors = embed(["A Choir, sings!", "a choir sings"], dimensions=256)
    np.testing.assert_array_equal(vectors[0], vectors[1])


def test_another_process_gives_the_same_vector() -> None:
    program = "from antiphon_models.hashing import embed; print(embed(['a choir'], dimensions=16).tobytes().hex())"
    done = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": str(_LIB)}, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == embed(["a choir"], dimensions=16).tobytes().hex()
