"""Serves the n-gram model through Triton's Python backend."""

import json
import sys
from pathlib import Path

# The shared package lies beside the model repositories; Triton puts only this folder on the path.
sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "lib"))

from antiphon_models.ngram import NgramModel, tokenize
from antiphon_models.serving import Answer, Parameters, TextServer
from antiphon_models.text import TextRequest, chunks, room_for_answer


class TritonPythonModel:
    """Triton's entry point."""

    def initialize(self, args):
        parameters = Parameters(json.loads(args["model_config"]))
        self._model = NgramModel(Path(__file__).with_name("corpus.txt").read_text(encoding="utf-8"))
        self._context_window = parameters.whole("antiphon_context_window_tokens")
        self._server = TextServer(
            self._answer,
            default_max_tokens=parameters.whole("antiphon_default_max_tokens"),
            threads=parameters.whole("threads"),
            pause_s=parameters.whole("token_pause_ms") / 1000,
        )

    def execute(self, requests):
        self._server.execute(requests)

    def finalize(self):
        self._server.close()

    def _answer(self, request: TextRequest) -> Answer:
        prompt = tokenize(request.prompt)
        room = room_for_answer(
            prompt_tokens=len(prompt),
            max_tokens=request.sampling.max_tokens,
            context_window=self._context_window,
        )
        pieces = self._model.generate(prompt, request.sampling)
        return Answer(
            prompt=request.prompt,
            input_tokens=len(prompt),
            chunks=chunks(pieces, max_tokens=room, stop=request.sampling.stop),
        )
