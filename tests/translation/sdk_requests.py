"""What each provider of the table is sent, held to the types of its own SDK.

Providers without an SDK of their own are used with OpenAI's, and say in their documentation which fields go beside it
(`extra_body`); those are named here, provider by provider.
"""

from __future__ import annotations

import base64
import inspect
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, get_type_hints
from urllib.parse import unquote

from anthropic.types import message_create_params as anthropic_params
from anthropic.types.beta import message_create_params as anthropic_beta_params
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator
from cohere.v2.client import V2Client
from google.genai import types as genai
from groq.types.chat.completion_create_params import CompletionCreateParams as GroqParams
from mistralai.client.models import ChatCompletionRequest, ChatCompletionStreamRequest
from ollama._types import ChatRequest
from openai.types.chat.completion_create_params import (
    CompletionCreateParamsNonStreaming,
    CompletionCreateParamsStreaming,
)
from openai.types.responses.response_create_params import (
    ResponseCreateParamsNonStreaming,
    ResponseCreateParamsStreaming,
)
from pydantic import ConfigDict, TypeAdapter

from antiphon.wire.base import HttpCall
from antiphon.wire.jsontext import JsonObject, loads
from tests.translation.strictness import MisfitError, fits_model, fits_typed_dict, fits_value

Check = Callable[[HttpCall, bool], None]

EXTRA_BODY: Mapping[str, frozenset[str]] = {
    "xai": frozenset({"messages.reasoning_content"}),
    "openrouter": frozenset(
        {
            "reasoning",
            "top_k",
            "min_p",
            "repetition_penalty",
            "cache_control",
            "messages.reasoning_details",
            "messages.content.cache_control",
            "messages.annotations",
        }
    ),
    "perplexity": frozenset({"top_k"}),
    "cerebras": frozenset({"messages.reasoning"}),
    "deepseek": frozenset({"thinking", "messages.reasoning_content"}),
    "together": frozenset({"top_k", "min_p", "repetition_penalty", "messages.reasoning_content"}),
    "fireworks": frozenset({"top_k", "min_p", "repetition_penalty", "messages.reasoning_content"}),
    "qwen": frozenset(
        {
            "top_k",
            "repetition_penalty",
            "enable_thinking",
            "thinking_budget",
            "messages.reasoning_content",
            "messages.content.cache_control",
        }
    ),
    "ollama": frozenset({"messages.reasoning"}),
    "lmstudio": frozenset({"top_k", "min_p", "messages.reasoning_content"}),
    "huggingface": frozenset({"top_k", "min_p", "repetition_penalty", "messages.reasoning_content"}),
}
"""Fields that a provider documents beside OpenAI's, of the request and of its messages."""


def check_request(row: str, call: HttpCall, *, stream: bool) -> None:
    """Raise ValidationError or MisfitError unless the SDK that the provider `row` names would send such a body."""
    CHECKS.get(row, openai_like(row))(call, stream)


def openai_like(row: str) -> Check:
    """OpenAI's types, with the fields that the provider has beside them."""
    extra = EXTRA_BODY.get(row, frozenset())

    def check(call: HttpCall, stream: bool) -> None:
        body = loads(call.body)
        for name in [name for name in body if name in extra]:
            del body[name]
        for message in body["messages"]:
            for name in [name for name in message if f"messages.{name}" in extra]:
                del message[name]
            for item in message["content"] if isinstance(message.get("content"), list) else ():
                for name in [name for name in item if f"messages.content.{name}" in extra]:
                    del item[name]
        fits_typed_dict(CompletionCreateParamsStreaming if stream else CompletionCreateParamsNonStreaming, body)

    return check


def _responses(call: HttpCall, stream: bool) -> None:
    fits_typed_dict(ResponseCreateParamsStreaming if stream else ResponseCreateParamsNonStreaming, loads(call.body))


def _anthropic(call: HttpCall, stream: bool) -> None:
    params = anthropic_beta_params if "anthropic-beta" in call.headers else anthropic_params
    kind = params.MessageCreateParamsStreaming if stream else params.MessageCreateParamsNonStreaming
    fits_typed_dict(kind, {name: value for name, value in body_of(call).items() if name not in ANTHROPIC_SAMPLING})


ANTHROPIC_SAMPLING = frozenset({"temperature", "top_p", "top_k"})
"""Claude's newest models take no sampling, and the SDK forgot it; older ones still do, and are recorded with it."""


def _groq(call: HttpCall, stream: bool) -> None:
    body = loads(call.body)
    body.pop("stream_options", None)  # documented in Groq's API reference; its SDK does not name it yet
    fits_typed_dict(GroqParams, body)


def _mistral(call: HttpCall, stream: bool) -> None:
    body = loads(call.body)
    fits_model(ChatCompletionStreamRequest if stream else ChatCompletionRequest, body)
    for message in body["messages"]:
        ids = [call["id"] for call in message.get("tool_calls") or ()]
        ids += [message["tool_call_id"]] if message["role"] == "tool" else []
        if not all(re.fullmatch("[a-zA-Z0-9]{9}", name) for name in ids):
            raise MisfitError(f"Mistral refuses calls such as {ids}; its SDK lets them pass")


def _gemini(call: HttpCall, stream: bool) -> None:
    body = loads(call.body)
    for name, value in body.items():
        declared = GEMINI_FIELDS.get(name)
        if declared is None:
            raise MisfitError(f"{name} is no field of generateContent")
        _adapter(name).validate_python(value)
    method = call.path.partition("?")[0].rpartition(":")[2]
    if method != ("streamGenerateContent" if stream else "generateContent"):
        raise MisfitError(f"{method} is asked")


GEMINI_FIELDS: Mapping[str, Any] = {
    "contents": list[genai.Content],
    "systemInstruction": genai.Content,
    "tools": list[genai.Tool],
    "toolConfig": genai.ToolConfig,
    "generationConfig": genai.GenerationConfig,
    "safetySettings": list[genai.SafetySetting],
    "cachedContent": str,
    "labels": dict[str, str],
    "serviceTier": str,
    "store": bool,
}
"""The fields of the REST body; the SDK types each, but not the whole."""


@cache
def _adapter(name: str) -> TypeAdapter[Any]:
    return TypeAdapter(GEMINI_FIELDS[name])


@cache
def bedrock_model() -> ServiceModel:
    """What botocore knows of Bedrock's runtime."""
    return ServiceModel(Loader().load_service_model("bedrock-runtime", "service-2"))


def _bedrock(call: HttpCall, stream: bool) -> None:
    model, _, action = call.path.removeprefix("/model/").rpartition("/")
    if action != ("converse-stream" if stream else "converse"):
        raise MisfitError(f"{action} is asked")
    shape = bedrock_model().operation_model("ConverseStream" if stream else "Converse").input_shape
    report = ParamValidator().validate({"modelId": unquote(model), **_unblobbed(loads(call.body))}, shape)
    if report.has_errors():
        raise MisfitError(report.generate_report())


def _unblobbed(value: Any) -> Any:
    """Bytes where the JSON has their base64."""
    if isinstance(value, dict):
        return {
            key: base64.b64decode(inner, validate=True)
            if key in ("bytes", "redactedContent") and isinstance(inner, str)
            else _unblobbed(inner)
            for key, inner in value.items()
        }
    return [_unblobbed(item) for item in value] if isinstance(value, list) else value


@cache
def _cohere_fields() -> Mapping[str, TypeAdapter[Any]]:
    hints = get_type_hints(V2Client.chat, include_extras=True)
    names = inspect.signature(V2Client.chat).parameters.keys() - {"self", "request_options"}
    return {name: TypeAdapter(hints[name], config=ConfigDict(arbitrary_types_allowed=True)) for name in names}


def _cohere(call: HttpCall, stream: bool) -> None:
    body = loads(call.body)
    if bool(body.pop("stream", False)) is not stream:
        raise MisfitError("stream")
    fields = _cohere_fields()
    for name, value in body.items():
        if name not in fields:
            raise MisfitError(f"{name} is no field of Cohere's chat")
        fits_value(fields[name].validate_python(value), value, COHERE_BESIDE.get(name, frozenset()))


COHERE_BESIDE: Mapping[str, frozenset[str]] = {}


def _ollama(call: HttpCall, stream: bool) -> None:
    fits_model(ChatRequest, loads(call.body), frozenset({"tools.function.parameters.additionalProperties"}))


CHECKS: Mapping[str, Check] = {
    "openai-responses": _responses,
    "anthropic": _anthropic,
    "groq": _groq,
    "mistral": _mistral,
    "gemini": _gemini,
    "vertex": _gemini,
    "bedrock": _bedrock,
    "cohere": _cohere,
    "ollama-native": _ollama,
}


def body_of(call: HttpCall) -> JsonObject:
    """The JSON of a request."""
    body: JsonObject = loads(call.body)
    return body
