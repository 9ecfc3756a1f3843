"""Serves the hashing embedding through Triton's Python backend."""

import json
import sys
from pathlib import Path

# The shared package lies beside the model repositories; Triton puts only this folder on the path.
sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "lib"))

from antiphon_models.embedding_serving import EmbeddingLimits, answer_all
from antiphon_models.hashing import embed, words
from antiphon_models.serving import Parameters


class TritonPythonModel:
    """Triton's entry point."""

    def initialize(self, args):
        parameters = Parameters(json.loads(args["model_config"]))
        self._dimensions = parameters.whole("antiphon_embedding_dimensions")
        self._limits = EmbeddingLimits(
            max_texts=parameters.whole("antiphon_max_texts"),
            max_tokens=parameters.whole("antiphon_context_window_tokens"),
        )

    def execute(self, requests):
        return answer_all(
            requests,
            embed=lambda texts: embed(texts, dimensions=self._dimensions),
            count_tokens=lambda texts: [len(words(text)) for text in texts],
            limits=self._limits,
        )
