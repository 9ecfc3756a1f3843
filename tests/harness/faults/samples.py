"""Streams and answers of several providers, as the tests of faults need them: authored, small, with a tool call."""

from __future__ import annotations

import json
from typing import Any

from antiphon.harness import Answer, RecordedRequest
from antiphon.harness.framing import frame, frame_headers

SSE = "text/event-stream"
JSON = "application/json"


def sse(*events: Any, names: bool = False) -> bytes:
    written = b""
    for event in events:
        if names:
            written += f"event: {event['type']}\n".encode()
        data = event if isinstance(event, str) else json.dumps(event)
        written += b"data: " + data.encode() + b"\n\n"
    return written


def openai_chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-test", "choices": [choice]}


def openai_call(arguments: str) -> dict[str, Any]:
    return openai_chunk({"tool_calls": [{"index": 0, "function": {"arguments": arguments}}]})


def converse(name: str, **members: Any) -> bytes:
    headers = frame_headers(event_type=name, content_type="application/json", message_type="event")
    return frame(headers, json.dumps(members).encode())


OPENAI_STREAM = sse(
    openai_chunk({"role": "assistant", "content": "Hé"}),
    openai_chunk({"content": "llo"}),
    openai_call('{"ci'),
    openai_call('ty":"Rome"}'),
    openai_chunk({}, "tool_calls"),
    "[DONE]",
)
ANTHROPIC_STREAM = sse(
    {"type": "message_start", "message": {"id": "m", "content": [], "usage": {"input_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "name": "w", "input": {}}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": '{"city":'}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": '"Rome"}'}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 3}},
    {"type": "message_stop"},
    names=True,
)
GEMINI_CALL = {"functionCall": {"name": "w", "args": {"city": "Rome", "unit": "C"}}}
GEMINI_STREAM = sse(
    {"candidates": [{"content": {"parts": [{"text": "Hi"}]}}]},
    {"candidates": [{"content": {"parts": [GEMINI_CALL]}, "finishReason": "STOP"}]},
)
GEMINI_ARRAY = json.dumps(
    [
        {"candidates": [{"content": {"parts": [{"text": "Hi {}]"}]}}]},
        {"candidates": [{"content": {"parts": [GEMINI_CALL]}, "finishReason": "STOP"}]},
    ],
    indent=1,
).encode()
CONVERSE_STREAM = b"".join(
    (
        converse("messageStart", role="assistant"),
        converse("contentBlockDelta", contentBlockIndex=0, delta={"toolUse": {"input": '{"city":'}}),
        converse("contentBlockDelta", contentBlockIndex=0, delta={"toolUse": {"input": '"Rome"}'}}),
        converse("contentBlockStop", contentBlockIndex=0),
        converse("messageStop", stopReason="tool_use"),
        converse("metadata", usage={"inputTokens": 1}),
    )
)
OLLAMA_STREAM = b"".join(
    json.dumps(line).encode() + b"\n"
    for line in (
        {"message": {"content": "Hi"}, "done": False},
        {"message": {"tool_calls": [{"function": {"name": "w", "arguments": {"city": "Rome"}}}]}, "done": False},
        {"message": {"content": ""}, "done": True, "done_reason": "stop"},
    )
)
RESPONSES_STREAM = sse(
    {"type": "response.created"},
    {"type": "response.function_call_arguments.delta", "delta": '{"city":'},
    {"type": "response.function_call_arguments.delta", "delta": '"Rome"}'},
    {"type": "response.function_call_arguments.done", "arguments": '{"city":"Rome"}'},
    {"type": "response.completed", "response": {"output": [{"name": "w", "arguments": '{"city":"Rome"}'}]}},
    names=True,
)

URLS = {
    "openai": "https://api.openai.com/v1/chat/completions",
    "openai-responses": "https://api.openai.com/v1/responses",
    "anthropic": "https://api.anthropic.com/v1/messages",
    "gemini": "https://generativelanguage.googleapis.com/v1beta/models/g:streamGenerateContent?alt=sse",
    "gemini-array": "https://generativelanguage.googleapis.com/v1beta/models/g:streamGenerateContent",
    "bedrock": "https://bedrock-runtime.us-east-1.amazonaws.com/model/m/converse-stream",
    "ollama": "http://127.0.0.1:11434/api/chat",
    "cohere": "https://api.cohere.com/v2/chat",
    "mistral": "https://api.mistral.ai/v1/chat/completions",
    "openrouter": "https://openrouter.ai/api/v1/chat/completions",
    "azure": "https://me.openai.azure.com/openai/deployments/d/chat/completions?api-version=1",
    "perplexity": "https://api.perplexity.ai/chat/completions",
    "deepseek": "https://api.deepseek.com/chat/completions",
    "cerebras": "https://api.cerebras.ai/v1/chat/completions",
    "xai": "https://api.x.ai/v1/chat/completions",
}
STREAMS = {
    "openai": (OPENAI_STREAM, SSE),
    "openai-responses": (RESPONSES_STREAM, SSE),
    "anthropic": (ANTHROPIC_STREAM, SSE),
    "gemini": (GEMINI_STREAM, SSE),
    "gemini-array": (GEMINI_ARRAY, JSON),
    "bedrock": (CONVERSE_STREAM, "application/vnd.amazon.eventstream"),
    "ollama": (OLLAMA_STREAM, "application/x-ndjson"),
}


def asked(provider: str = "openai", body: bytes = b"{}") -> RecordedRequest:
    return RecordedRequest(method="POST", url=URLS[provider], body=body)


def stream(provider: str = "openai", *, piece: int = 7) -> Answer:
    """A recorded stream in pieces of seven bytes, a millisecond apart."""
    body, kind = STREAMS[provider]
    sizes = [min(piece, len(body) - start) for start in range(0, len(body), piece)]
    return Answer(status=200, headers=(("content-type", kind),), body=body, chunks=tuple((1.0, n) for n in sizes))


def whole(value: Any) -> Answer:
    body = json.dumps(value).encode()
    headers = (("content-type", JSON), ("content-length", str(len(body))))
    return Answer(status=200, headers=headers, body=body)
