"""Sentence embeddings with weights, through sentence-transformers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer


@dataclass(frozen=True, slots=True, kw_only=True)
class SentenceEmbedding:
    """A loaded model."""

    model: Any
    batch_size: int

    @classmethod
    def load(cls, folder: Path, *, device: str, batch_size: int) -> SentenceEmbedding:
        """Load from a folder alone, never from the network; `device` "auto" takes a GPU where there is one."""
        chosen = None if device == "auto" else device
        model = SentenceTransformer(str(folder), device=chosen, local_files_only=True)
        return cls(model=model, batch_size=batch_size)

    @property
    def max_tokens(self) -> int:
        """The most tokens of one text; the library would cut a longer one without a word."""
        return int(self.model.max_seq_length or self.model.tokenizer.model_max_length)

    def count_tokens(self, texts: list[str]) -> list[int]:
        """Return the number of tokens of each text, special tokens included."""
        if not texts:
            return []
        return [len(ids) for ids in self.model.tokenizer(texts, truncation=False)["input_ids"]]

    def embed(self, texts: list[str]) -> NDArray[np.float32]:
        """Return one unit vector per text, as rows."""
        vectors = self.model.encode(
            texts, batch_size=self.batch_size, normalize_embeddings=True, show_progress_bar=False
        )
        return np.asarray(vectors, dtype=np.float32)
