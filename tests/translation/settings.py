"""Every setting of a request on its own, with a value that means something, for each provider to take or to refuse."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from antiphon.v1 import chat_pb2, content_pb2, tools_pb2
from tests.translation.conversation import PNG, SCHEMA, weather

Spec = chat_pb2.ChatSpec


def _sampling(name: str, value: object) -> Callable[[Spec], None]:
    return lambda spec: setattr(spec.sampling, name, value)


def _reasoning(name: str, value: object) -> Callable[[Spec], None]:
    return lambda spec: setattr(spec.reasoning, name, value)


def _plain(name: str, value: object) -> Callable[[Spec], None]:
    return lambda spec: setattr(spec, name, value)


def _top_logprobs(spec: Spec) -> None:
    spec.sampling.logprobs, spec.sampling.top_logprobs = True, 2


def _one_call(spec: Spec) -> None:
    spec.tools.append(weather())
    spec.parallel_tool_calls = False


def _tools(spec: Spec) -> None:
    spec.tools.append(weather())


def _strict(spec: Spec) -> None:
    spec.tools.append(weather())
    spec.tools[0].function.strict = True


def _chosen(mode: tools_pb2.ToolChoice.Mode.ValueType, *names: str) -> Callable[[Spec], None]:
    def fill(spec: Spec) -> None:
        spec.tools.append(weather())
        spec.tool_choice.mode = mode
        spec.tool_choice.allowed_tools.extend(names)

    return fill


def _json_schema(spec: Spec) -> None:
    spec.response_format.json_schema.name = "place"
    spec.response_format.json_schema.schema_json = SCHEMA


def _picture(spec: Spec) -> None:
    media = spec.messages[0].parts.add().media
    media.data, media.media_type, media.modality = PNG, "image/png", content_pb2.MODALITY_IMAGE


def _linked_picture(spec: Spec) -> None:
    media = spec.messages[0].parts.add().media
    media.url, media.media_type, media.modality = "https://example.com/a.png", "image/png", content_pb2.MODALITY_IMAGE


def _document(spec: Spec) -> None:
    media = spec.messages[0].parts.add().media
    media.data, media.media_type, media.modality = b"%PDF-1.4 ...", "application/pdf", content_pb2.MODALITY_DOCUMENT
    media.filename = "a.pdf"


def _cached(spec: Spec) -> None:
    spec.messages[0].parts[0].cache_breakpoint.SetInParent()


def _named(spec: Spec) -> None:
    spec.messages[0].name = "ann"


SETTINGS: Mapping[str, Callable[[Spec], None]] = {
    "tools": _tools,
    "tools.strict": _strict,
    "tool_choice.required": _chosen(tools_pb2.ToolChoice.MODE_REQUIRED),
    "tool_choice.named": _chosen(tools_pb2.ToolChoice.MODE_REQUIRED, "weather"),
    "parallel_tool_calls.false": _one_call,
    "response_format.json_schema": _json_schema,
    "response_format.json_object": lambda spec: spec.response_format.json_object.SetInParent(),
    "sampling.temperature": _sampling("temperature", 0.5),
    "sampling.top_p": _sampling("top_p", 0.9),
    "sampling.top_k": _sampling("top_k", 40),
    "sampling.min_p": _sampling("min_p", 0.05),
    "sampling.frequency_penalty": _sampling("frequency_penalty", 0.5),
    "sampling.presence_penalty": _sampling("presence_penalty", 0.5),
    "sampling.repetition_penalty": _sampling("repetition_penalty", 1.1),
    "sampling.seed": _sampling("seed", 7),
    "sampling.stop": lambda spec: spec.sampling.stop.append("END"),
    "sampling.logit_bias": lambda spec: spec.sampling.logit_bias.update({42: -1.0}),
    "sampling.top_logprobs": _top_logprobs,
    "n": _plain("n", 2),
    "reasoning.effort": _reasoning("effort", "low"),
    "reasoning.budget_tokens": _reasoning("budget_tokens", 2048),
    "reasoning.enabled.false": _reasoning("enabled", False),
    "reasoning.display": _reasoning("display", "auto"),
    "reasoning.include_encrypted": _reasoning("include_encrypted", True),
    "verbosity": _plain("verbosity", "low"),
    "service_tier": _plain("service_tier", "auto"),
    "end_user_id": _plain("end_user_id", "user-1"),
    "metadata": lambda spec: spec.metadata.update({"team": "a"}),
    "store": _plain("store", True),
    "previous_response_id": _plain("previous_response_id", "resp_1"),
    "prediction": lambda spec: setattr(spec.prediction.add().text, "text", "It was taken"),
    "safety": lambda spec: _safety(spec),
    "cache.key": lambda spec: setattr(spec.cache, "key", "k"),
    "cache.retention": lambda spec: setattr(spec.cache, "retention", "24h"),
    "cache.breakpoint": lambda spec: spec.cache.breakpoint.SetInParent(),
    "messages.cache_breakpoint": _cached,
    "messages.name": _named,
    "messages.image": _picture,
    "messages.image_url": _linked_picture,
    "messages.document": _document,
}


def _safety(spec: Spec) -> None:
    spec.safety.add(category="HARM_CATEGORY_HARASSMENT", threshold="BLOCK_NONE")
