"""Chat over a text model: a conversation as the tensors of Triton's text contract, and its answers as events.

The contract is that of Triton's vLLM and TensorRT-LLM backends (`text_input` and JSON `sampling_parameters` in,
`text_output` out, streamed by decoupled responses). Inputs beyond those two are sent only to models whose
configuration lists them, since older backends refuse inputs that they do not know.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Collection
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from google.protobuf.message import Message

from antiphon.core.errors import Reason, invalid
from antiphon.core.fates import Sent, fates
from antiphon.core.streams import Events
from antiphon.inference import tensors
from antiphon.inference.unsupported import refused_or_warned
from antiphon.v1 import chat_pb2, content_pb2, usage_pb2

if TYPE_CHECKING:
    from tritonclient.grpc import InferInput, InferResult

SPEC_FIELDS = frozenset(
    {"model", "messages", "sampling", "max_output_tokens", "n", "end_user_id", "idempotency_key", "on_unsupported",
     "metadata", "provider_data", "form", "report_parameters"}
)  # fmt: skip
"""Fields of a request that a text model takes, or that carry no demand on the answer."""

SAMPLING_FIELDS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "min_p": "min_p",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "repetition_penalty": "repetition_penalty",
    "seed": "seed",
    "stop": "stop",
}
"""Our sampling fields, and vLLM's names for them (its SamplingParams)."""

ROLES = {
    content_pb2.ROLE_SYSTEM: "system",
    content_pb2.ROLE_DEVELOPER: "system",
    content_pb2.ROLE_USER: "user",
    content_pb2.ROLE_ASSISTANT: "assistant",
    content_pb2.ROLE_TOOL: "tool",
}

FINISH_REASONS = {
    "stop": chat_pb2.FINISH_REASON_STOP,
    "length": chat_pb2.FINISH_REASON_LENGTH,
    "abort": chat_pb2.FINISH_REASON_OTHER,
}
UNFINISHED = frozenset({"", "None", "null"})
"""What vLLM's backend puts into `finish_reason` of a response that is not the last."""


def inputs_for(
    spec: chat_pb2.ChatSpec, known: Collection[str], *, stream: bool, default_max_tokens: int = 0
) -> tuple[list[InferInput], list[chat_pb2.Warning]]:
    """The tensors of a request, and warnings on what was left out.

    `known` are the inputs in the model's configuration. Raises ServiceError UNSUPPORTED_PARAMETER for a field that
    the contract has no place for, unless the caller asked for a warning instead.
    """
    warnings = _unsupported(spec)
    turns = [(ROLES[message.role], _text(message, number)) for number, message in enumerate(spec.messages)]
    if "messages" in known:
        content = json.dumps([{"role": role, "content": text} for role, text in turns], ensure_ascii=False)
        inputs = [tensors.texts("messages", [content])]
    else:
        inputs = [tensors.texts("text_input", [_prompt(turns)])]
    inputs.append(
        tensors.texts("sampling_parameters", [json.dumps(_sampling(spec, default_max_tokens), ensure_ascii=False)])
    )
    inputs.append(tensors.flag("stream", value=stream))
    wanted = ("exclude_input_in_output", "return_finish_reason", "return_num_input_tokens", "return_num_output_tokens")
    inputs.extend(tensors.flag(name, value=True) for name in wanted if name in known)
    return inputs, warnings


async def events_of(
    results: AsyncIterator[InferResult], model: str, used: usage_pb2.Usage, warnings: list[chat_pb2.Warning]
) -> Events:
    """The answers of a text model as events. `used` is kept up to date with the tokens so far."""
    about = chat_pb2.Completion(id=f"triton-{uuid4().hex}", model=model, provider="triton")
    about.create_time.GetCurrentTime()
    yield chat_pb2.StreamChatResponse(started=chat_pb2.Started(completion=about))
    begin = chat_pb2.PartStarted(role=content_pb2.ROLE_ASSISTANT)
    begin.part.text.SetInParent()
    yield chat_pb2.StreamChatResponse(part_started=begin)
    finish = ""
    async for result in results:
        input_tokens = tensors.total(result, "num_input_tokens")
        if input_tokens:
            used.input_tokens = input_tokens
        if output_tokens := tensors.total(result, "num_output_tokens"):
            used.output_tokens += output_tokens
        text = tensors.joined_text(result, "text_output")
        if text:
            yield chat_pb2.StreamChatResponse(part_delta=chat_pb2.PartDelta(text=text))
        said = tensors.joined_text(result, "finish_reason")
        finish = said if said not in UNFINISHED else finish
    if used.HasField("input_tokens"):
        used.total_tokens = used.input_tokens + used.output_tokens
    yield chat_pb2.StreamChatResponse(part_done=chat_pb2.PartDone())
    unknown = chat_pb2.FINISH_REASON_OTHER if finish else chat_pb2.FINISH_REASON_UNSPECIFIED
    output = chat_pb2.Output(finish_reason=FINISH_REASONS.get(finish, unknown), provider_finish_reason=finish)
    yield chat_pb2.StreamChatResponse(output_done=chat_pb2.OutputDone(output=output))
    yield chat_pb2.StreamChatResponse(usage=used)
    about.usage.CopyFrom(used)
    about.warnings.extend(warnings)
    yield chat_pb2.StreamChatResponse(completed=chat_pb2.Completed(completion=about))


def fates_of(spec: chat_pb2.ChatSpec, *, default_max_tokens: int = 0) -> list[chat_pb2.ParameterFate]:
    """What became of each parameter of a request that `inputs_for` has taken."""

    def encode(each: chat_pb2.ChatSpec) -> Sent:
        values: dict[str, Any] = {}
        for name, value in _sampling(each, default_max_tokens).items():
            items = value if isinstance(value, list) else [value]
            values.update((f"tensor sampling_parameters: {name}", item) for item in items[:1])
            values.update((f"tensor sampling_parameters: {name}/{at}", item) for at, item in enumerate(items[1:], 1))
        return Sent(values=values, warnings=_unsupported(each))

    return fates(spec, encode, prefix="spec.")


def _sampling(spec: chat_pb2.ChatSpec, default_max_tokens: int) -> dict[str, object]:
    given: dict[str, object] = {}
    for field, value in spec.sampling.ListFields():
        name = SAMPLING_FIELDS.get(field.name)
        if name is not None:
            given[name] = list(value) if field.name == "stop" else value
    if spec.HasField("max_output_tokens"):
        given["max_tokens"] = spec.max_output_tokens
    elif default_max_tokens:
        given["max_tokens"] = default_max_tokens
    return given


def _prompt(turns: list[tuple[str, str]]) -> str:
    """A prompt for a model without a chat template: one user turn as it is, a conversation with its speakers."""
    if len(turns) == 1 and turns[0][0] == "user":
        return turns[0][1]
    return "".join(f"{role}: {text}\n" for role, text in turns) + "assistant:"


def _text(message: content_pb2.Message, number: int) -> str:
    texts = []
    for place, part in enumerate(message.parts):
        if part.WhichOneof("kind") != "text":
            raise invalid(
                f"spec.messages[{number}].parts[{place}].{part.WhichOneof('kind')}",
                "is more than this model takes: text alone",
                reason=Reason.UNSUPPORTED_PARAMETER,
            )
        texts.append(part.text.text)
    return "".join(texts)


def _unsupported(spec: chat_pb2.ChatSpec) -> list[chat_pb2.Warning]:
    paths = [f"spec.{field}" for field in _names(spec) if field not in SPEC_FIELDS]
    paths += [f"spec.sampling.{field}" for field in _names(spec.sampling) if field not in SAMPLING_FIELDS]
    if spec.n > 1:
        paths.append("spec.n")
    return refused_or_warned(paths, spec.on_unsupported)


def _names(message: Message) -> list[str]:
    return [field.name for field, _ in message.ListFields()]
