"""Chat requests in both directions."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from antiphon.core.errors import Reason, ServiceError, invalid
from antiphon.v1 import chat_pb2, content_pb2
from antiphon.wire.base import ChatCall, HttpCall
from antiphon.wire.call_ids import with_call_ids
from antiphon.wire.jsontext import JsonObject, dumps, loads
from antiphon.wire.openai_chat.effort import lift_reasoning, lower_reasoning
from antiphon.wire.openai_chat.gaps import Gaps
from antiphon.wire.openai_chat.messages import lift_message, lower_messages
from antiphon.wire.openai_chat.parts import lift_cache, lift_part, lower_cache, lower_part
from antiphon.wire.openai_chat.plain_request import lift_plain_message, says_all
from antiphon.wire.openai_chat.quirks import WIRE, Quirks
from antiphon.wire.openai_chat.spelling import REQUEST, spell, spelled
from antiphon.wire.openai_chat.tools import (
    lift_choice,
    lift_format,
    lift_tools,
    lower_choice,
    lower_format,
    lower_tools,
)
from antiphon.wire.remainder import keep, restore
from antiphon.wire.unsaid import HARMLESS, unsaid

ChatSpec = chat_pb2.ChatSpec

PATH = "/chat/completions"
_DEPLOYMENT = re.compile(r"/deployments/([^/]+)/")
"""Azure names the model in the path."""
_STOP_TEXT = "stop_text"
_PREDICTION_LIST = "prediction_list"
_NOT_STREAMED = "stream_false"
_NO_USAGE = "no_stream_usage"
_USAGE_FALSE = "stream_usage_false"

_MODALITIES = {
    "text": content_pb2.MODALITY_TEXT,
    "image": content_pb2.MODALITY_IMAGE,
    "audio": content_pb2.MODALITY_AUDIO,
    "video": content_pb2.MODALITY_VIDEO,
}
_MODALITY_WORDS = {modality: word for word, modality in _MODALITIES.items()}


@dataclass(frozen=True, slots=True)
class Field:
    """One scalar of ChatSpec and its names in the wire, the usual one first."""

    path: str
    kind: type
    names: tuple[str, ...]

    def holder(self, spec: ChatSpec) -> tuple[Any, str]:
        """The message that has the field, and the field's name in it."""
        inner, _, last = self.path.rpartition(".")
        return (getattr(spec, inner) if inner else spec), last


FIELDS: tuple[Field, ...] = (
    Field("sampling.temperature", float, ("temperature",)),
    Field("sampling.top_p", float, ("top_p",)),
    Field("sampling.top_k", int, ("top_k",)),
    Field("sampling.min_p", float, ("min_p",)),
    Field("sampling.frequency_penalty", float, ("frequency_penalty",)),
    Field("sampling.presence_penalty", float, ("presence_penalty",)),
    Field("sampling.repetition_penalty", float, ("repetition_penalty",)),
    Field("sampling.seed", int, ("seed", "random_seed")),  # Mistral
    Field("sampling.logprobs", bool, ("logprobs",)),
    Field("sampling.top_logprobs", int, ("top_logprobs",)),
    Field("max_output_tokens", int, ("max_completion_tokens", "max_tokens")),
    Field("n", int, ("n",)),
    Field("parallel_tool_calls", bool, ("parallel_tool_calls",)),
    Field("store", bool, ("store",)),
    Field("service_tier", str, ("service_tier",)),
    Field("verbosity", str, ("verbosity",)),
    Field("end_user_id", str, ("user", "safety_identifier")),
    Field("cache.key", str, ("prompt_cache_key",)),
    Field("cache.retention", str, ("prompt_cache_retention",)),
    Field("audio.voice", str, ("audio.voice",)),
    Field("audio.format", str, ("audio.format",)),
    Field("moderation_model", str, ("moderation.model",)),
)
_BY_PATH = {field.path: field for field in FIELDS}
_GROUPS = frozenset(field.path.partition(".")[0] for field in FIELDS if "." in field.path)
_BY_NAME = {field.names[0]: field for field in FIELDS if len(field.names) == 1 and "." not in field.names[0]}
_BY_NAME["max_tokens"] = _BY_PATH["max_output_tokens"]
_SCALARS = frozenset(_BY_NAME)
"""Names of scalars that stand at the top of a request, each the only one of its meaning that a plain request has."""
_ORDER = {field: number for number, field in enumerate(FIELDS)}
SAID = frozenset(
    {
        "parallel_tool_calls", "response_format", "sampling.temperature", "sampling.top_p", "sampling.top_k",
        "sampling.min_p", "sampling.frequency_penalty", "sampling.presence_penalty", "sampling.repetition_penalty",
        "sampling.seed", "sampling.stop", "sampling.logit_bias", "sampling.logprobs", "sampling.top_logprobs",
        "max_output_tokens", "n", "reasoning.effort", "reasoning.budget_tokens", "reasoning.display",
        "reasoning.include_encrypted", "reasoning.adaptive", "reasoning.enabled", "reasoning.exclude",
        "output_modalities", "audio", "verbosity", "cache.key",
        "cache.retention", "cache.cached_content", "cache.breakpoint", "service_tier",
        "end_user_id", "metadata", "previous_response_id", "store", "prediction", "safety", "moderation_model"
    }
)  # fmt: skip
"""Fields of a request that this wire says, or refuses by itself; every other one is refused for it."""

_MESSAGES_ALONE = frozenset(
    {"model", "messages", "idempotency_key", "on_unsupported", "report_parameters", "provider_data"}
)
"""Fields of a request that asks for nothing but an answer to its messages."""

_HINTS = frozenset({"cache.key", "cache.retention"})
"""Fields without which the answer is the same."""

UNSAYABLE: tuple[tuple[str, Callable[[ChatSpec], bool]], ...] = (
    ("spec.previous_response_id", lambda spec: bool(spec.previous_response_id)),
    ("spec.safety", lambda spec: bool(spec.safety)),
    ("spec.cache.cached_content", lambda spec: bool(spec.cache.cached_content)),
)
"""Fields of ChatSpec that no provider takes in this wire."""


def lift_request(call: HttpCall) -> ChatCall:
    """What a client asks. Raises ServiceError INVALID_REQUEST with the field's path."""
    try:
        data = loads(call.body)
    except ValueError as error:
        raise ServiceError(Reason.INVALID_REQUEST, f"the body is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise ServiceError(Reason.INVALID_REQUEST, "the body is not a JSON object")
    spec = ChatSpec(model=_model(call, data))
    messages = data.get("messages")
    if not isinstance(messages, list):
        raise invalid("messages", "give the conversation as a list of messages")
    plain = _lift_messages(spec, messages)
    if not plain or not says_all(data, _SCALARS):
        return _lift_any(spec, data)
    for name in data:
        if name in _BY_NAME:
            _lift_field(spec, _BY_NAME[name], data)
    _lift_streaming(spec, data)
    return ChatCall(spec=spec, stream=data.get("stream") is True)


def _lift_messages(spec: ChatSpec, messages: list[Any]) -> bool:
    """Read the conversation; gives whether all of it is plain."""
    plain = True
    for index, message in enumerate(messages):
        if not isinstance(message, dict):
            raise invalid(f"messages[{index}]", "give each message as an object")
        lifted = lift_plain_message(message)
        plain = plain and lifted is not None
        spec.messages.append(lifted or lift_message(message, REQUEST, f"messages[{index}]"))
    return plain


def _lift_any(spec: ChatSpec, data: JsonObject) -> ChatCall:
    """Read the options, whatever they are, and keep what the contract does not type."""
    for field in FIELDS:
        _lift_field(spec, field, data)
    _lift_rest(spec, data)
    lift_tools(spec, data)
    lift_choice(spec, data)
    lift_format(spec, data)
    lift_reasoning(spec, data)
    stream = data.get("stream") is True
    _lift_streaming(spec, data)
    keep(spec, WIRE, REQUEST, _lowered(spec, Quirks(), Gaps(), stream=stream), data)
    return ChatCall(spec=spec, stream=stream)


def lower_request(spec: ChatSpec, quirks: Quirks, *, stream: bool) -> HttpCall:
    """The request for a provider. Raises ServiceError UNSUPPORTED_PARAMETER, or warns, by `spec.on_unsupported`."""
    gaps = Gaps()
    if quirks.provider:
        spec = with_call_ids(spec, re.compile(quirks.call_ids, re.DOTALL))
    lowered = _lowered(spec, quirks, gaps, stream=stream)
    warnings = gaps.settle(spec.on_unsupported)
    body = restore(spec, WIRE, REQUEST, lowered, *([quirks.provider] if quirks.provider else []))
    headers = {"content-type": "application/json"}
    if spec.idempotency_key:
        headers["idempotency-key"] = spec.idempotency_key
    return HttpCall(method="POST", path=PATH, body=dumps(body), headers=headers, warnings=warnings)


def _lowered(spec: ChatSpec, quirks: Quirks, gaps: Gaps, *, stream: bool) -> JsonObject:
    data: JsonObject = {"model": spec.model}
    data["messages"] = [
        item
        for index, message in enumerate(spec.messages)
        for item in lower_messages(message, REQUEST, quirks, f"spec.messages[{index}]", gaps)
    ]
    if not {descriptor.name for descriptor, _ in spec.ListFields()} <= _MESSAGES_ALONE:
        _lower_options(data, spec, quirks, gaps)
    _lower_streaming(data, spec, quirks, stream=stream)
    return data


def _lower_options(data: JsonObject, spec: ChatSpec, quirks: Quirks, gaps: Gaps) -> None:
    """Everything of a request beside its messages."""
    for field in _set_fields(spec):
        _lower_field(data, spec, field, quirks, gaps)
    for path, is_said in UNSAYABLE:
        if is_said(spec):
            gaps.lacks(path, "OpenAI's chat format has no field for it")
    for path in unsaid(spec, SAID):
        gaps.lacks(f"spec.{path}", "OpenAI's chat format has no field for it")
    _lower_rest(data, spec, quirks, gaps)
    data |= lower_tools(spec, quirks, gaps)
    data |= lower_choice(spec, quirks, gaps)
    data |= lower_format(spec, quirks, gaps)
    data |= lower_reasoning(spec, quirks, gaps)


def _model(call: HttpCall, data: JsonObject) -> str:
    model = data.get("model")
    if isinstance(model, str):
        return model
    found = _DEPLOYMENT.search(call.path)
    return found.group(1) if found else ""


def _lift_field(spec: ChatSpec, field: Field, data: JsonObject) -> None:
    taken: Any = None
    for name in field.names:
        value = _value(data, name)
        if value is None:
            continue
        fitting = _fitting(value, field.kind)
        if fitting is None:
            raise invalid(name, f"give a {field.kind.__name__}, not {value!r:.60}")
        if taken is not None and fitting != taken:
            continue
        if taken is None:
            holder, last = field.holder(spec)
            try:
                setattr(holder, last, fitting)
            except ValueError:  # past the range of the contract's integer: kept as it is
                continue
            taken = fitting
        if len(field.names) > 1:
            spell(spec, REQUEST, name)


def _set_fields(spec: ChatSpec) -> list[Field]:
    """The scalars that a request sets, in the order of the table."""
    names = [descriptor.name for descriptor, _ in spec.ListFields()]
    paths = [name for name in names if name in _BY_PATH]
    for group in _GROUPS.intersection(names):
        paths += [f"{group}.{descriptor.name}" for descriptor, _ in getattr(spec, group).ListFields()]
    return sorted((_BY_PATH[path] for path in paths if path in _BY_PATH), key=_ORDER.__getitem__)


def _lower_field(data: JsonObject, spec: ChatSpec, field: Field, quirks: Quirks, gaps: Gaps) -> None:
    holder, last = field.holder(spec)
    names = [name for name in field.names if spelled(spec, name, REQUEST)] or list(field.names[:1])
    if field.path == "max_output_tokens" and quirks.max_tokens_field:
        names = [quirks.max_tokens_field]
    taken = [name for name in names if name not in quirks.refuses]
    if not taken:
        taken = [name for name in field.names if name not in quirks.refuses][:1]
    if not taken and field.path in _HINTS:
        gaps.drops(f"spec.{field.path}", f"this provider does not take {names[0]}; the answer is the same without")
    elif not taken and getattr(holder, last) not in HARMLESS.get(field.path, ()):
        gaps.lacks(f"spec.{field.path}", f"this provider does not take {names[0]}")
    for name in taken:
        outer, _, inner = name.rpartition(".")
        target = data.setdefault(outer, {}) if outer else data
        target[inner] = getattr(holder, last)


def _lift_rest(spec: ChatSpec, data: JsonObject) -> None:
    stop = data.get("stop")
    if isinstance(stop, str):
        spec.sampling.stop.append(stop)
        spell(spec, REQUEST, _STOP_TEXT)
    elif isinstance(stop, list) and all(isinstance(item, str) for item in stop) and stop:
        spec.sampling.stop.extend(stop)
    bias = data.get("logit_bias")
    if isinstance(bias, dict) and all(_is_bias(token, value) for token, value in bias.items()):
        spec.sampling.logit_bias.update({int(token): value for token, value in bias.items()})
    labels = data.get("metadata")
    if isinstance(labels, dict) and all(isinstance(value, str) for value in labels.values()):
        spec.metadata.update(labels)
    words = data.get("modalities")
    if isinstance(words, list) and all(isinstance(word, str) and word in _MODALITIES for word in words):
        spec.output_modalities.extend(_MODALITIES[word] for word in words)
    prediction = data.get("prediction")
    if isinstance(prediction, dict) and isinstance(prediction.get("content"), str):
        spec.prediction.add().text.text = prediction["content"]
    elif isinstance(prediction, dict) and isinstance(prediction.get("content"), list):
        spec.prediction.extend(lift_part(item, REQUEST) for item in prediction["content"])
        spell(spec, REQUEST, _PREDICTION_LIST)
    if isinstance(data.get("cache_control"), dict):
        holder = content_pb2.Part()
        lift_cache(holder, data)
        if holder.HasField("cache_breakpoint"):
            spec.cache.breakpoint.CopyFrom(holder.cache_breakpoint)


def _lower_rest(data: JsonObject, spec: ChatSpec, quirks: Quirks, gaps: Gaps) -> None:
    sampling = spec.sampling
    rest: dict[str, tuple[str, Any]] = {}
    if sampling.stop:
        single = len(sampling.stop) == 1 and spelled(spec, _STOP_TEXT)
        rest["stop"] = ("spec.sampling.stop", sampling.stop[0] if single else list(sampling.stop))
    if sampling.logit_bias:
        bias = {str(token): value for token, value in sampling.logit_bias.items()}
        rest["logit_bias"] = ("spec.sampling.logit_bias", bias)
    if spec.metadata:
        rest["metadata"] = ("spec.metadata", dict(spec.metadata))
    if spec.output_modalities:
        words = [_MODALITY_WORDS.get(modality, "document") for modality in spec.output_modalities]
        rest["modalities"] = ("spec.output_modalities", words)
    if spec.prediction:
        items = [lower_part(part, REQUEST, f"spec.prediction[{i}]") for i, part in enumerate(spec.prediction)]
        plain = len(items) == 1 and "text" in items[0] and not spelled(spec, _PREDICTION_LIST)
        rest["prediction"] = ("spec.prediction", {"type": "content", "content": items[0]["text"] if plain else items})
    if spec.cache.HasField("breakpoint"):
        rest["cache_control"] = ("spec.cache.breakpoint", lower_cache(spec.cache.breakpoint))
    for name, (path, value) in rest.items():
        if name in quirks.refuses and name == "cache_control":
            gaps.drops(path, "this provider takes no breakpoints; the answer is the same without")
        elif name in quirks.refuses:
            gaps.lacks(path, f"this provider does not take {name}")
        else:
            data[name] = value


def _lift_streaming(spec: ChatSpec, data: JsonObject) -> None:
    if data.get("stream") is False:
        spell(spec, REQUEST, _NOT_STREAMED)
    options = data.get("stream_options")
    asked = options.get("include_usage") if isinstance(options, dict) else None
    if asked is False:
        spell(spec, REQUEST, _USAGE_FALSE)
    elif asked is None:
        spell(spec, REQUEST, _NO_USAGE)


def _lower_streaming(data: JsonObject, spec: ChatSpec, quirks: Quirks, *, stream: bool) -> None:
    if not stream:
        if spelled(spec, _NOT_STREAMED, REQUEST):
            data["stream"] = False
        return
    data["stream"] = True
    asked = quirks.stream_usage
    if asked is None and spelled(spec, _USAGE_FALSE, REQUEST):
        data["stream_options"] = {"include_usage": False}
    elif asked or (asked is None and not spelled(spec, _NO_USAGE, REQUEST)):
        data["stream_options"] = {"include_usage": True}


def _value(data: JsonObject, name: str) -> Any:
    outer, _, inner = name.rpartition(".")
    holder = data.get(outer) if outer else data
    value = holder.get(inner) if isinstance(holder, dict) else None
    return None if outer and not isinstance(value, str) else value


def _fitting(value: Any, kind: type) -> Any:
    if kind in (str, bool):
        return value if isinstance(value, kind) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if kind is int:
        return int(value) if value == int(value) else None
    return float(value)


def _is_bias(token: str, value: Any) -> bool:
    return token.isdecimal() and str(int(token)) == token and int(token) < 2**31 and isinstance(value, int | float)
