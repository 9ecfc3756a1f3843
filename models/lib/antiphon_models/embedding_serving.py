"""Joins the embedding contract to Triton's Python backend: texts in, one row per text out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils
from numpy.typing import NDArray

from antiphon_models.errors import ContractError
from antiphon_models.serving import read_texts, refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingLimits:
    """What one request may ask: its number of texts, and the tokens of each text."""

    max_texts: int
    max_tokens: int


def answer_all(
    requests: Sequence[Any],
    *,
    embed: Callable[[list[str]], NDArray[np.float32]],
    count_tokens: Callable[[list[str]], list[int]],
    limits: EmbeddingLimits,
) -> list[Any]:
    """Return one response per request, in order: vectors, or the error of that request alone."""
    responses = []
    for request in requests:
        try:
            texts = read_texts(request, "text") or []
            tokens = count_tokens(texts)
            _check(tokens, limits)
        except ContractError as error:
            responses.append(refusal(error))
            continue
        vectors = np.ascontiguousarray(embed(texts), dtype=np.float32)
        responses.append(
            pb_utils.InferenceResponse(
                output_tensors=[
                    pb_utils.Tensor("embedding", vectors),
                    pb_utils.Tensor("num_input_tokens", np.array(tokens, dtype=np.uint32)),
                ]
            )
        )
    return responses


def _check(tokens: list[int], limits: EmbeddingLimits) -> None:
    if not 1 <= len(tokens) <= limits.max_texts:
        raise ContractError(f"a request takes 1 to {limits.max_texts} texts, not {len(tokens)}")
    for position, count in enumerate(tokens):
        if count > limits.max_tokens:
            raise ContractError(
                f"text[{position}] has {count} tokens; the model takes at most {limits.max_tokens} per text"
            )
