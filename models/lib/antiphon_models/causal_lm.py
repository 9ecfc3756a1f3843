"""A causal language model with weights, token by token, through transformers.

The loop over tokens is our own, not `generate()`: so that a cancelled request stops at the next token, and
that sampling and seeds mean what they mean in every other model here.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jinja2 import TemplateError
from transformers import AutoModelForCausalLM, AutoTokenizer

from antiphon_models.errors import ContractError
from antiphon_models.sampling import Sampling, choose
from antiphon_models.text import TextRequest

_REPLACEMENT = "�"  # what a tokenizer makes of a character whose bytes are not all there yet


@dataclass(frozen=True, slots=True, kw_only=True)
class CausalLm:
    """A loaded model with its tokenizer; threads may share it."""

    model: Any
    tokenizer: Any
    context_window: int
    end_tokens: frozenset[int]

    @classmethod
    def load(cls, folder: Path, *, device: str) -> CausalLm:
        """Load from a folder alone, never from the network.

        Args:
            folder: a model as `save_pretrained` writes it.
            device: "auto", or a device name of torch such as "cpu" or "cuda:1".
        """
        chosen = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, dtype="auto")
        ends = model.generation_config.eos_token_id
        return cls(
            model=model.to(chosen).eval(),
            tokenizer=tokenizer,
            context_window=model.config.max_position_embeddings,
            end_tokens=frozenset(ends if isinstance(ends, list) else [] if ends is None else [ends]),
        )

    def prompt(self, request: TextRequest) -> tuple[str, list[int]]:
        """Return the prompt as text and as tokens; messages go through the model's chat template.

        Raises:
            ContractError: no prompt, no chat template, or messages that the template refuses.
        """
        if not request.messages:
            if not request.prompt:
                raise ContractError("give text_input or messages: the prompt is empty")
            return request.prompt, self.tokenizer(request.prompt)["input_ids"]
        if not self.tokenizer.chat_template:
            raise ContractError("this model has no chat template; send text_input in place of messages")
        try:
            text = self.tokenizer.apply_chat_template(
                list(request.messages), tokenize=False, add_generation_prompt=True
            )
        except TemplateError as error:
            raise ContractError(f"the model's chat template refuses these messages: {error}") from error
        # The template writes the special tokens itself.
        return text, self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def generate(self, prompt: Sequence[int], sampling: Sampling) -> Iterator[str]:
        """Yield the text of each token until the model ends; "" while a character is incomplete."""
        dice = random.Random(sampling.seed)  # noqa: S311 - sampling, not secrets
        text = _TextOfTokens(self.tokenizer)
        cache = None
        tokens = list(prompt)
        while True:
            scores, cache = self._step(tokens, cache)
            token = choose(scores, sampling, dice.random())
            if token in self.end_tokens and not sampling.ignore_eos:
                if rest := text.rest():
                    yield rest
                return
            yield text.push(token)
            tokens = [token]

    def _step(self, tokens: list[int], cache: Any) -> tuple[Any, Any]:
        # Entered per token: a generator that held it across a `yield` would leave it on for its caller.
        with torch.inference_mode():
            output = self.model(
                input_ids=torch.tensor([tokens], device=self.model.device), past_key_values=cache, use_cache=True
            )
            return output.logits[0, -1].float().cpu().numpy(), output.past_key_values


class _TextOfTokens:
    """Turns tokens into text as they come; decodes only the last few, so that long answers stay cheap."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._tokens: list[int] = []
        self._sent = ""

    def push(self, token: int) -> str:
        self._tokens.append(token)
        text = self._decode()
        if text.endswith(_REPLACEMENT):
            return ""
        new = text[len(self._sent) :]
        # One token stays as context: a tokenizer may drop the space of a first token.
        self._tokens = self._tokens[-1:]
        self._sent = self._decode()
        return new

    def rest(self) -> str:
        return self._decode()[len(self._sent) :]

    def _decode(self) -> str:
        return str(self._tokenizer.decode(self._tokens, skip_special_tokens=True))
