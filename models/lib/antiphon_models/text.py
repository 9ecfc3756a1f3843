"""The text contract without Triton: what a request says, and how tokens become answer chunks.

The contract is that of Triton's vLLM backend, so that one client serves both. Where it is surprising, it
is kept: unfinished chunks say `finish_reason` "None", and a request that does not stream gets its own
prompt back before the answer unless it sets `exclude_input_in_output`.
Source: the README of https://github.com/triton-inference-server/vllm_backend.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from antiphon_models.errors import ContractError
from antiphon_models.sampling import Sampling
from antiphon_models.stopping import StopScanner

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TextRequest:
    """One request to a text model, read from its input tensors."""

    prompt: str
    messages: tuple[Mapping[str, object], ...]
    sampling: Sampling
    stream: bool
    echo: bool
    return_finish_reason: bool = False
    return_num_input_tokens: bool = False
    return_num_output_tokens: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A piece of the answer; `output_tokens` counts the tokens in this piece alone."""

    text: str
    output_tokens: int
    finish_reason: FinishReason | None = None


def wants_echo(*, stream: bool, exclude_input: bool | None) -> bool:
    """Say whether the prompt comes before the answer, by the vLLM backend's rule.

    Raises:
        ContractError: a streamed answer with `exclude_input_in_output` false.
    """
    if exclude_input is None:
        return not stream
    if stream and not exclude_input:
        raise ContractError("exclude_input_in_output must be true, or left out, when stream is true")
    return not exclude_input


def parse_messages(text: str) -> tuple[Mapping[str, object], ...]:
    """Read the JSON list in a `messages` input.

    Raises:
        ContractError: not a list of objects with at least `role` and `content`.
    """
    try:
        messages = json.loads(text)
    except json.JSONDecodeError as error:
        raise ContractError(f"messages is not JSON: {error}") from error
    if not isinstance(messages, list) or not messages:
        raise ContractError("messages must be a JSON list with at least one message")
    for position, message in enumerate(messages):
        if not isinstance(message, dict) or not {"role", "content"} <= message.keys():
            raise ContractError(f"messages[{position}] must be an object with 'role' and 'content'")
    return tuple(messages)


def room_for_answer(*, prompt_tokens: int, max_tokens: int, context_window: int) -> int:
    """Return how many tokens may be generated.

    Raises:
        ContractError: the prompt leaves no room in the context window.
    """
    if prompt_tokens >= context_window:
        raise ContractError(
            f"the prompt has {prompt_tokens} tokens, and the model's context window of {context_window} "
            "tokens must hold prompt and answer; shorten the prompt"
        )
    return min(max_tokens, context_window - prompt_tokens)


def chunks(pieces: Iterable[str], *, max_tokens: int, stop: tuple[str, ...]) -> Iterator[Chunk]:
    """Turn the text of successive tokens into chunks; the last one, and only it, has a finish reason."""
    scanner = StopScanner(stops=stop)
    for count, piece in enumerate(pieces, start=1):
        text, stopped = scanner.push(piece)
        if stopped:
            yield Chunk(text=text, output_tokens=1, finish_reason="stop")
            return
        if count >= max_tokens:
            yield Chunk(text=text + scanner.flush(), output_tokens=1, finish_reason="length")
            return
        yield Chunk(text=text, output_tokens=1)
    yield Chunk(text=scanner.flush(), output_tokens=0, finish_reason="stop")


def joined(parts: Iterable[Chunk]) -> Chunk:
    """Return the one chunk that stands for all: the answer to a request that does not stream."""
    collected = list(parts)
    return Chunk(
        text="".join(part.text for part in collected),
        output_tokens=sum(part.output_tokens for part in collected),
        finish_reason=collected[-1].finish_reason,
    )
