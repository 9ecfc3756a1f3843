"""Serves a sentence embedding model through Triton's Python backend."""

import json
import sys
from pathlib import Path

# The shared package lies beside the model repositories; Triton puts only this folder on the path.
sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "lib"))

from antiphon_models.embedding_serving import EmbeddingLimits, answer_all
from antiphon_models.local_path import model_folder
from antiphon_models.sentence_embedding import SentenceEmbedding
from antiphon_models.serving import Parameters


class TritonPythonModel:
    """Triton's entry point."""

    def initialize(self, args):
        parameters = Parameters(json.loads(args["model_config"]))
        folder = model_folder(
            model="sentence_embedding",
            parameter=parameters.text("model_path"),
            variable="ANTIPHON_SENTENCE_EMBEDDING_PATH",
        )
        self._model = SentenceEmbedding.load(
            folder, device=parameters.text("device"), batch_size=parameters.whole("batch_size")
        )
        self._limits = EmbeddingLimits(
            max_texts=parameters.whole("antiphon_max_texts"), max_tokens=self._model.max_tokens
        )

    def execute(self, requests):
        return answer_all(requests, embed=self._model.embed, count_tokens=self._model.count_tokens, limits=self._limits)
