"""No wire drops a field of a request in silence: each is said, harmless, refused, or told."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from antiphon.core.errors import Reason, ServiceError
from antiphon.v1 import chat_pb2, content_pb2
from antiphon.wire.anthropic_messages.codec import AnthropicMessages
from antiphon.wire.base import ChatWire
from antiphon.wire.bedrock_converse import BedrockConverse
from antiphon.wire.cohere_v2 import CohereChat
from antiphon.wire.gemini.codec import Gemini
from antiphon.wire.ollama_native.codec import OllamaChat
from antiphon.wire.openai_chat import OpenAIChat
from antiphon.wire.openai_responses.codec import OpenAIResponses
from antiphon.wire.unsaid import ALWAYS, NESTED

WIRES: tuple[ChatWire, ...] = (
    OpenAIChat(),
    OpenAIResponses(),
    AnthropicMessages(),
    Gemini(),
    BedrockConverse(),
    CohereChat(),
    OllamaChat(),
)
HARMLESS = {
    "parallel_tool_calls": "without tools there is nothing to call",
    "response_format": "the value that `fill` gives is plain text, which is what a model answers anyway",
    "reasoning.enabled": "on is what a reasoning model does anyway; off is said, or refused, by a test of each wire",
    "reasoning.exclude": "without reasoning there is nothing to leave out",
    "reasoning.include_encrypted": "signatures come without asking where this is not refused",
    "stream_padding": "padding is no content",
}
"""Fields whose value here may leave the request as it is, and why."""
NUMBERS = {FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64}


def question() -> chat_pb2.ChatSpec:
    spec = chat_pb2.ChatSpec(model="m", max_output_tokens=100)
    spec.messages.add(role=content_pb2.ROLE_USER).parts.add().text.text = "hi"
    return spec


def paths() -> list[str]:
    found = []
    for field in chat_pb2.ChatSpec.DESCRIPTOR.fields:
        if field.name in NESTED:
            nested: Any = field.message_type
            found += [f"{field.name}.{inner.name}" for inner in nested.fields]
        elif field.name not in ALWAYS:
            found.append(field.name)
    return found


def fill(message: Message, field: Any) -> None:
    """Give a field some value that means something."""
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        key, value = (field.message_type.fields_by_name[name] for name in ("key", "value"))
        getattr(message, field.name)[_scalar(key)] = _scalar(value)
    elif field.message_type is not None:
        inner: Any = getattr(message, field.name)
        if field.is_repeated:
            inner = inner.add()
        inner.SetInParent()
        if inner.DESCRIPTOR.fields:
            fill(inner, inner.DESCRIPTOR.fields[0])
    elif field.is_repeated:
        getattr(message, field.name).append(_scalar(field))
    else:
        setattr(message, field.name, _scalar(field))


def _scalar(field: Any) -> object:
    if field.cpp_type in NUMBERS:
        return 7
    if field.cpp_type == FieldDescriptor.CPPTYPE_ENUM:
        assert field.enum_type is not None
        return field.enum_type.values[-1].number
    if field.cpp_type in (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT):
        return 0.25
    return {FieldDescriptor.CPPTYPE_BOOL: True, FieldDescriptor.CPPTYPE_STRING: "odd"}[field.cpp_type]


@pytest.mark.parametrize("path", paths())
@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
def test_a_set_field_changes_the_request_or_is_told(wire: ChatWire, path: str) -> None:
    spec = question()
    plain = wire.encode_request(spec, stream=False)
    outer, _, inner = path.partition(".")
    holder: Message = getattr(spec, outer) if inner else spec
    fill(holder, holder.DESCRIPTOR.fields_by_name[inner or outer])
    try:
        call = wire.encode_request(spec, stream=False)
    except ServiceError as error:
        assert error.reason in (Reason.UNSUPPORTED_PARAMETER, Reason.INVALID_REQUEST)  # noqa: PT017 - one of three good ends
        return
    said = (call.body, dict(call.headers), call.path) != (plain.body, dict(plain.headers), plain.path)
    assert said or call.warnings or path in HARMLESS, f"{wire.name} drops spec.{path} in silence"
