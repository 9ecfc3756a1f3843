"""What each edge writes, held to the types of its vendor's SDK; the SDK's own code puts streams together."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, get_args

from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import Message, RawMessageStreamEvent
from anthropic.types.beta import BetaMessage, BetaRawMessageStreamEvent
from botocore.eventstream import EventStreamBuffer
from botocore.parsers import create_parser
from cohere.v2.types.v2chat_response import V2ChatResponse
from cohere.v2.types.v2chat_stream_response import V2ChatStreamResponse
from google.genai.types import GenerateContentResponse
from ollama import ChatResponse
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import ConfigDict, TypeAdapter

from antiphon.wire.anthropic_messages.codec import AnthropicMessages
from antiphon.wire.base import ChatWire
from antiphon.wire.bedrock_converse import BedrockConverse
from antiphon.wire.cohere_v2 import CohereChat
from antiphon.wire.gemini.codec import Gemini
from antiphon.wire.jsontext import loads
from antiphon.wire.ollama_native.codec import OllamaChat
from antiphon.wire.openai_chat import OpenAIChat
from antiphon.wire.openai_responses.codec import OpenAIResponses
from tests.laws.chat import events_of
from tests.translation.sdk_requests import bedrock_model
from tests.translation.strictness import MisfitError, fits_model, fits_value

Json = Any


@dataclass(frozen=True, kw_only=True)
class Edge:
    """A door, by its wire, and how its vendor's SDK reads what comes out of it."""

    wire: ChatWire
    whole: Callable[[Json], None]
    stream: Callable[[bytes], None]


CHAT_BESIDE = frozenset(
    {
        "choices.message.reasoning_content",  # DeepSeek's, which clients of OpenAI's format read
        "choices.message.reasoning_details",  # OpenRouter's: what a signature needs
        "choices.message.executed_tools",  # Groq's: tools that the provider ran
        "choices.message.tool_calls.extra_content",  # Google's: the signature of a call
        "choices.message.images",  # OpenRouter's
        "search_results",  # Perplexity's
        "provider",  # OpenRouter's
        "choices.content_filter_results",  # Azure's
        "prompt_filter_results",  # Azure's
        "choices.seed",  # Together's
        "choices.native_finish_reason",  # OpenRouter's
        "choices.stop_reason",  # vLLM's
        "choices.message.annotations.url_citation.content",  # OpenRouter's
        *(
            f"usage.{name}" for name in ("prompt_time", "completion_time", "total_time", "time_to_first_token")
        ),  # Groq's
        *(f"usage.{name}" for name in ("cost", "cost_details", "is_byok")),  # OpenRouter's
        "usage.num_sources_used",  # xAI's
    }
)
"""Keys that OpenAI's types lack and other vendors of its format have."""
CHUNK_BESIDE = frozenset(name.replace("choices.message.", "choices.delta.") for name in CHAT_BESIDE) | {
    "choices.delta.annotations",
}


def _chat(body: Json) -> None:
    fits_model(ChatCompletion, body, CHAT_BESIDE)


def _chat_stream(data: bytes) -> None:
    state = ChatCompletionStreamState()
    for event in events_of(data):
        state.handle_chunk(fits_model(ChatCompletionChunk, event, CHUNK_BESIDE))
    state.get_final_completion()
    if not data.rstrip().endswith(b"[DONE]"):
        raise MisfitError("the stream has no end")


_USED = ("cost", "cost_details", "is_byok", "num_sources_used")
RESPONSES_BESIDE = frozenset(
    {
        "system_fingerprint",  # xAI's
        "content_filters",  # Azure's
        "output.content.annotations.content",  # OpenRouter's
        "output.action.sources.title",  # xAI's
        *(f"usage.{name}" for name in _USED),  # OpenRouter's and xAI's
    }
)
"""Keys that OpenAI's types lack and other vendors of its format have."""
EVENTS_BESIDE = frozenset(
    {
        "name",  # of a call whose arguments are done: documented, and not in the SDK
        "annotation.content",
        "item.action.sources.title",
        "part.annotations.content",
        "item.content.annotations.content",
        *(f"response.{name}" for name in RESPONSES_BESIDE),
    }
)


def _responses(body: Json) -> None:
    fits_model(Response, body, RESPONSES_BESIDE)


@cache
def _union(declared: Any) -> TypeAdapter[Any]:
    return TypeAdapter(declared, config=ConfigDict(arbitrary_types_allowed=True))


def _responses_stream(data: bytes) -> None:
    events = [_union(ResponseStreamEvent).validate_python(event) for event in events_of(data)]
    for value, event in zip(events, events_of(data), strict=True):
        fits_value(value, event, EVENTS_BESIDE)
    if [event.sequence_number for event in events] != list(range(len(events))):
        raise MisfitError("events are not counted")
    if events[0].type != "response.created" or events[-1].type not in ("response.completed", "response.incomplete"):
        raise MisfitError(f"the stream goes from {events[0].type} to {events[-1].type}")


ANTHROPIC_BESIDE = frozenset({"content.signature", "content_block.signature"})
"""The signature of another provider on a text or a call, which a client sends back as it got it."""


def _anthropic(body: Json) -> None:
    on_trial = any(block["type"].startswith("mcp_") for block in body["content"])
    fits_model(BetaMessage if on_trial else Message, body, ANTHROPIC_BESIDE)


def _anthropic_stream(data: bytes) -> None:
    snapshot, buffers = None, dict[int, bytes]()
    for event in events_of(data):
        on_trial = str(event.get("content_block", {}).get("type")).startswith("mcp_")
        value = _union(BetaRawMessageStreamEvent if on_trial else RawMessageStreamEvent).validate_python(event)
        fits_value(value, event, ANTHROPIC_BESIDE)
        snapshot = accumulate_event(event=value, current_snapshot=snapshot, json_bufs=buffers)
    if snapshot is None or value.type != "message_stop":
        raise MisfitError("the stream has no end")
    _anthropic(json.loads(snapshot.to_json()))


def _gemini(body: Json) -> None:
    fits_model(GenerateContentResponse, body)


def _gemini_stream(data: bytes) -> None:
    for event in events_of(data):
        _gemini(event)


OLLAMA_BESIDE = frozenset({"message.tool_calls.id", "message.tool_call_id"})
"""What Ollama's server has had since 0.12, and its SDK does not type yet."""


def _ollama(body: Json) -> None:
    fits_model(ChatResponse, body, OLLAMA_BESIDE)


def _ollama_stream(data: bytes) -> None:
    lines = [loads(line) for line in data.splitlines()]
    for line in lines:
        _ollama(line)
    if [line["done"] for line in lines] != [False] * (len(lines) - 1) + [True]:
        raise MisfitError("the last line alone is done")


def _bedrock(body: Json) -> None:
    shape = bedrock_model().operation_model("Converse").output_shape
    _fits_shape(shape, body, "")
    reply = {"status_code": 200, "headers": {}, "body": json.dumps(body).encode()}
    create_parser("rest-json").parse(reply, shape)


def _bedrock_stream(data: bytes) -> None:
    shape = bedrock_model().operation_model("ConverseStream").output_shape.members["stream"]
    buffer = EventStreamBuffer()
    buffer.add_data(data)
    names = []
    for message in buffer:
        name = message.headers[":event-type"]
        names.append(name)
        if name not in shape.members:
            raise MisfitError(f"{name} is no event")
        _fits_shape(shape.members[name], loads(message.payload), name)
    if names[0] != "messageStart" or names[-2:] != ["messageStop", "metadata"]:
        raise MisfitError(f"the stream is {names}")


def _fits_shape(shape: Any, value: Json, path: str) -> None:
    """Raise MisfitError unless a JSON value is of a botocore shape: botocore's own parser takes everything."""
    if getattr(shape, "is_document_type", False):
        return
    kinds = {"structure": dict, "map": dict, "list": list, "string": str, "blob": str, "boolean": bool}
    wanted: Any = kinds.get(shape.type_name, int | float)
    fits: bool = isinstance(value, wanted)  # by itself, so that mypy makes nothing of it
    if not fits:
        raise MisfitError(f"{path} is no {shape.type_name}")
    if shape.type_name == "structure":
        unknown = value.keys() - shape.members.keys()
        missing = set(shape.required_members) - value.keys()
        if unknown or missing:
            raise MisfitError(f"{path} has unknown {sorted(unknown)} and lacks {sorted(missing)}")
        if getattr(shape, "is_tagged_union", False) and len(value) != 1:
            raise MisfitError(f"{path} is {sorted(value)} at once")
        for name, inner in value.items():
            _fits_shape(shape.members[name], inner, f"{path}.{name}")
    elif shape.type_name == "list":
        for inner in value:
            _fits_shape(shape.member, inner, path)
    elif shape.type_name == "blob":
        base64.b64decode(value, validate=True)
    elif shape.type_name == "string" and shape.enum and value not in shape.enum:
        raise MisfitError(f"{path} is {value!r}, none of {shape.enum}")


COHERE_BESIDE = frozenset(f"delta.message.{name}" for name in ("citations", "content", "tool_calls", "tool_plan"))
"""Empty lists in the first event, as Cohere's server writes them."""


def _cohere(body: Json) -> None:
    fits_model(V2ChatResponse, body, COHERE_BESIDE)


def _cohere_stream(data: bytes) -> None:
    events = events_of(data)
    for event in events:
        name = str(event.get("type"))
        model = _cohere_events().get(name)
        if model is None:
            raise MisfitError(f"{name} is no event")
        fits_model(model, event, COHERE_BESIDE)
    if events[0]["type"] != "message-start" or events[-1]["type"] != "message-end":
        raise MisfitError("the stream has no start or no end")


@cache
def _cohere_events() -> Mapping[str, Any]:
    union: Any = get_args(V2ChatStreamResponse)[0]
    return {model.model_fields["type"].default: model for model in get_args(union)}


EDGES: Mapping[str, Edge] = {
    edge.wire.name: edge
    for edge in (
        Edge(wire=OpenAIChat(), whole=_chat, stream=_chat_stream),
        Edge(wire=OpenAIResponses(), whole=_responses, stream=_responses_stream),
        Edge(wire=AnthropicMessages(), whole=_anthropic, stream=_anthropic_stream),
        Edge(wire=Gemini(), whole=_gemini, stream=_gemini_stream),
        Edge(wire=OllamaChat(), whole=_ollama, stream=_ollama_stream),
        Edge(wire=BedrockConverse(), whole=_bedrock, stream=_bedrock_stream),
        Edge(wire=CohereChat(), whole=_cohere, stream=_cohere_stream),
    )
}
