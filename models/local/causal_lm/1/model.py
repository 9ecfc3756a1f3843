"""Serves a causal language model through Triton's Python backend."""

import json
import sys
from pathlib import Path

# The shared package lies beside the model repositories; Triton puts only this folder on the path.
sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "lib"))

from antiphon_models.causal_lm import CausalLm
from antiphon_models.local_path import model_folder
from antiphon_models.serving import Answer, Parameters, TextServer
from antiphon_models.text import TextRequest, chunks, room_for_answer


class TritonPythonModel:
    """Triton's entry point."""

    def initialize(self, args):
        parameters = Parameters(json.loads(args["model_config"]))
        folder = model_folder(
            model="causal_lm", parameter=parameters.text("model_path"), variable="ANTIPHON_CAUSAL_LM_PATH"
        )
        self._model = CausalLm.load(folder, device=parameters.text("device"))
        self._server = TextServer(
            self._answer,
            default_max_tokens=parameters.whole("antiphon_default_max_tokens"),
            threads=parameters.whole("threads"),
        )

    def execute(self, requests):
        self._server.execute(requests)

    def finalize(self):
        self._server.close()

    def _answer(self, request: TextRequest) -> Answer:
        prompt, tokens = self._model.prompt(request)
        room = room_for_answer(
            prompt_tokens=len(tokens),
            max_tokens=request.sampling.max_tokens,
            context_window=self._model.context_window,
        )
        pieces = self._model.generate(tokens, request.sampling)
        return Answer(
            prompt=prompt,
            input_tokens=len(tokens),
            chunks=chunks(pieces, max_tokens=room, stop=request.sampling.stop),
        )
