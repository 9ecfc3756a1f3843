"""Joins the text contract to Triton's Python backend: reading requests, sending chunks, cancellation.

The only module here that needs `triton_python_backend_utils`, which exists inside Triton alone.

Two traps of the Python backend shape it. A request's input tensors are views of shared memory that Triton
takes back once `execute` returns, so they are read there, before any thread starts. And a decoupled
request must get the FINAL flag whatever happens, or its client waits for ever.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

from antiphon_models.errors import ContractError
from antiphon_models.sampling import parse_sampling
from antiphon_models.text import Chunk, TextRequest, joined, parse_messages, wants_echo

_FINAL = pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL


class Parameters:
    """The `parameters` of a model's config.pbtxt, as text."""

    def __init__(self, model_config: dict[str, Any]) -> None:
        self._model = model_config["name"]
        self._values = {key: value["string_value"] for key, value in model_config["parameters"].items()}

    def text(self, name: str) -> str:
        """Return a parameter's value, "" when it is not set."""
        return str(self._values.get(name, ""))

    def whole(self, name: str) -> int:
        """Return a parameter as a whole number.

        Raises:
            ValueError: missing or not a number; Triton shows it as the reason why the model didn't load.
        """
        try:
            return int(self.text(name))
        except ValueError as error:
            raise ValueError(
                f"model '{self._model}': parameter '{name}' in config.pbtxt must be a whole number, "
                f"not '{self.text(name)}'"
            ) from error


def read_texts(request: Any, name: str) -> list[str] | None:
    """Return the texts of a BYTES input, or None where the request has none of that name.

    Raises:
        ContractError: bytes that are not UTF-8.
    """
    tensor = pb_utils.get_input_tensor_by_name(request, name)
    if tensor is None:
        return None
    try:
        return [value.decode("utf-8") for value in tensor.as_numpy().reshape(-1)]
    except UnicodeDecodeError as error:
        raise ContractError(f"input '{name}' is not UTF-8: {error}") from error


def _read_text(request: Any, name: str) -> str:
    texts = read_texts(request, name)
    return texts[0] if texts else ""


def _read_flag(request: Any, name: str) -> bool | None:
    tensor = pb_utils.get_input_tensor_by_name(request, name)
    return None if tensor is None else bool(tensor.as_numpy().reshape(-1)[0])


def text_tensor(name: str, values: Sequence[str]) -> Any:
    """Return a BYTES tensor of one dimension."""
    return pb_utils.Tensor(name, np.array([value.encode("utf-8") for value in values], dtype=np.object_))


def refusal(error: ContractError) -> Any:
    """Return the response for a request that breaks the contract."""
    return pb_utils.InferenceResponse(
        output_tensors=[], error=pb_utils.TritonError(str(error), pb_utils.TritonError.INVALID_ARG)
    )


def read_text_request(request: Any, *, default_max_tokens: int) -> TextRequest:
    """Read a text request whole; nothing of it may be needed once `execute` has returned.

    Raises:
        ContractError: the request breaks the contract.
    """
    stream = bool(_read_flag(request, "stream"))
    messages = _read_text(request, "messages")
    prompt = _read_text(request, "text_input")
    if messages and prompt:
        raise ContractError("give either text_input or messages, not both")
    return TextRequest(
        prompt=prompt,
        messages=parse_messages(messages) if messages else (),
        sampling=parse_sampling(_read_text(request, "sampling_parameters"), default_max_tokens=default_max_tokens),
        stream=stream,
        echo=wants_echo(stream=stream, exclude_input=_read_flag(request, "exclude_input_in_output")),
        return_finish_reason=bool(_read_flag(request, "return_finish_reason")),
        return_num_input_tokens=bool(_read_flag(request, "return_num_input_tokens")),
        return_num_output_tokens=bool(_read_flag(request, "return_num_output_tokens")),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a model gives for one request: the prompt as it saw it, its length, and chunks to come."""

    prompt: str
    input_tokens: int
    chunks: Iterable[Chunk]


class TextServer:
    """Runs text requests on threads, so that streams go side by side in one model instance."""

    def __init__(
        self,
        answer: Callable[[TextRequest], Answer],
        *,
        default_max_tokens: int,
        threads: int,
        pause_s: float = 0.0,
    ) -> None:
        """Create a server.

        Args:
            answer: called on a thread per request; may raise ContractError.
            default_max_tokens: used where a request sets no `max_tokens`.
            threads: how many requests run at once; more wait their turn.
            pause_s: seconds to wait before each chunk, 0 for none.
        """
        self._answer = answer
        self._default_max_tokens = default_max_tokens
        self._pause_s = pause_s
        self._closing = Event()
        self._threads = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="text")

    def execute(self, requests: Sequence[Any]) -> None:
        """Take Triton's requests; the answers follow through each request's response sender."""
        for triton_request in requests:
            sender = triton_request.get_response_sender()
            try:
                request = read_text_request(triton_request, default_max_tokens=self._default_max_tokens)
            except ContractError as error:
                sender.send(refusal(error), flags=_FINAL)
                continue
            self._threads.submit(self._serve, request, sender)

    def close(self) -> None:
        """End the running requests with an error and wait for their threads."""
        self._closing.set()
        self._threads.shutdown(wait=True)

    def _serve(self, request: TextRequest, sender: Any) -> None:
        try:
            self._send_answer(request, sender)
        except ContractError as error:
            sender.send(refusal(error), flags=_FINAL)
        except Exception as error:  # on a thread nobody else would report it, and the client would wait
            pb_utils.Logger.log_error(f"request failed: {error!r}")
            sender.send(_failure(f"the model failed: {error!r}", pb_utils.TritonError.INTERNAL), flags=_FINAL)

    def _send_answer(self, request: TextRequest, sender: Any) -> None:
        answer = self._answer(request)
        first = True
        waiting: list[Chunk] = []
        for chunk in answer.chunks:
            if self._pause_s:
                time.sleep(self._pause_s)
            if self._gone(sender):
                return
            waiting.append(chunk)
            last = chunk.finish_reason is not None
            if request.stream or last:
                response = _response(joined(waiting), request, answer, first=first)
                sender.send(response, flags=_FINAL if last else 0)
                first = False
                waiting.clear()

    def _gone(self, sender: Any) -> bool:
        """End the request where its caller has left or the model unloads; say whether it was so."""
        if sender.is_cancelled():
            sender.send(_failure("cancelled by the caller", pb_utils.TritonError.CANCELLED), flags=_FINAL)
            return True
        if self._closing.is_set():
            sender.send(_failure("the model is unloading", pb_utils.TritonError.UNAVAILABLE), flags=_FINAL)
            return True
        return False


def _failure(message: str, code: int) -> Any:
    return pb_utils.InferenceResponse(output_tensors=[], error=pb_utils.TritonError(message, code))


def _response(chunk: Chunk, request: TextRequest, answer: Answer, *, first: bool) -> Any:
    text = answer.prompt + chunk.text if first and request.echo else chunk.text
    tensors = [text_tensor("text_output", [text])]
    if request.return_finish_reason:
        tensors.append(text_tensor("finish_reason", [str(chunk.finish_reason)]))
    if request.return_num_input_tokens:
        tensors.append(pb_utils.Tensor("num_input_tokens", np.array([answer.input_tokens], dtype=np.uint32)))
    if request.return_num_output_tokens:
        tensors.append(pb_utils.Tensor("num_output_tokens", np.array([chunk.output_tokens], dtype=np.uint32)))
    return pb_utils.InferenceResponse(output_tensors=tensors)
