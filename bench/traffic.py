"""What is asked and what the stand-in provider answers. All of it is authored here.

Answers have the sizes of real ones: about 1 KB for a chat, 100 chunks of about 290 bytes for a stream, 1536 floats for
an embedding.
"""

from __future__ import annotations

import json
import random
import struct
from dataclasses import dataclass
from typing import Any, Final

from antiphon.v1 import chat_pb2, content_pb2, embeddings_pb2

CHUNKS: Final = 100
"""Content chunks of one stream."""
DIMENSIONS: Final = 1536
FIRST: Final = b"word000"
"""The text of the first chunk of a stream."""
ANSWER: Final = " ".join(f"answer{number:03d}" for number in range(64))
QUESTION: Final = "One side of the choir calls and the other side answers. What is that kind of song called, and why?"

CHAT_PATH: Final = "/v1/chat/completions"
EMBEDDINGS_PATH: Final = "/v1/embeddings"
GRPC_CHAT: Final = "/antiphon.v1.ChatService/Chat"
GRPC_STREAM: Final = "/antiphon.v1.ChatService/StreamChat"
GRPC_EMBED: Final = "/antiphon.v1.EmbeddingsService/Embed"

_CREATED: Final = 1795219200
_USAGE: Final = {
    "prompt_tokens": 24,
    "completion_tokens": 100,
    "total_tokens": 124,
    "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One kind of call. `upstream` is the door of the stand-in provider that answers it: json, burst or paced.

    `messages` and `size` are how many messages the history has and how many bytes of text each of them.
    """

    name: str
    upstream: str
    stream: bool = False
    embed: bool = False
    messages: int = 1
    size: int = len(QUESTION)

    @property
    def units(self) -> int:
        """How many things one call brings: the chunks of a stream, else one."""
        return CHUNKS if self.stream else 1

    @property
    def least_bytes(self) -> int:
        """An answer with fewer bytes cannot be whole, whatever its format."""
        if self.embed:
            return DIMENSIONS * 4
        return CHUNKS * len(FIRST) if self.stream else len(ANSWER)


UNARY: Final = Work(name="unary", upstream="json")
BURST: Final = Work(name="burst", upstream="burst", stream=True)
PACED: Final = Work(name="paced", upstream="paced", stream=True)
EMBED: Final = Work(name="embeddings", upstream="json", embed=True)


def history(messages: int, size: int) -> Work:
    """A unary chat with a history."""
    return Work(name=f"{messages}x{size}", upstream="json", messages=messages, size=size)


def asked_json(work: Work, model: str) -> bytes:
    """The request in OpenAI's format."""
    body: dict[str, Any] = {"model": model}
    if work.embed:
        body["input"] = QUESTION
    else:
        body["messages"] = [{"role": role, "content": text} for role, text in _messages(work)]
        if work.stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
    return json.dumps(body, separators=(",", ":")).encode()


def asked_grpc(work: Work, model: str) -> bytes:
    """The request in antiphon's contract, framed as one gRPC message."""
    request: chat_pb2.ChatRequest | chat_pb2.StreamChatRequest | embeddings_pb2.EmbedRequest
    if work.embed:
        request = embeddings_pb2.EmbedRequest(model=model)
        request.inputs.add().text = QUESTION
    else:
        spec = chat_pb2.ChatSpec(model=model)
        roles = {"user": content_pb2.ROLE_USER, "assistant": content_pb2.ROLE_ASSISTANT}
        for role, text in _messages(work):
            spec.messages.add(role=roles[role]).parts.add().text.text = text
        request = chat_pb2.StreamChatRequest(spec=spec) if work.stream else chat_pb2.ChatRequest(spec=spec)
    return framed(request.SerializeToString())


def framed(message: bytes) -> bytes:
    """A gRPC message with its prefix."""
    return struct.pack(">BI", 0, len(message)) + message


def grpc_path(work: Work) -> str:
    """The method of antiphon's contract."""
    if work.embed:
        return GRPC_EMBED
    return GRPC_STREAM if work.stream else GRPC_CHAT


def http_path(work: Work) -> str:
    """The path of OpenAI's API."""
    return EMBEDDINGS_PATH if work.embed else CHAT_PATH


def answer_chat() -> bytes:
    """A chat completion of about 1 KB."""
    message: dict[str, Any] = {"role": "assistant", "content": ANSWER, "refusal": None, "annotations": []}
    return _packed(
        {
            "id": "chatcmpl-bench",
            "object": "chat.completion",
            "created": _CREATED,
            "model": "bench",
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
            "usage": _USAGE,
            "service_tier": "default",
            "system_fingerprint": "fp_bench",
        }
    )


def answer_embedding() -> bytes:
    """One vector as floats."""
    source = random.Random(1536)  # noqa: S311 - the same numbers in every run, and no secret
    vector = [round(source.gauss(0, 0.0255), 9) for _ in range(DIMENSIONS)]
    return _packed(
        {
            "object": "list",
            "data": [{"object": "embedding", "index": 0, "embedding": vector}],
            "model": "bench",
            "usage": {"prompt_tokens": 24, "total_tokens": 24},
        }
    )


def answer_chunks() -> list[bytes]:
    """The events of a stream: CHUNKS with content, one that ends, one with usage, and the end mark."""
    events = [
        _chunk({"role": "assistant", "content": "word000 "} if number == 0 else {"content": f"word{number:03d} "}, None)
        for number in range(CHUNKS)
    ]
    events.append(_chunk({}, "stop"))
    events.append(_event(_packed(_chunk_fields([]) | {"usage": _USAGE})))
    events.append(_event(b"[DONE]"))
    return events


def _messages(work: Work) -> list[tuple[str, str]]:
    roles = ("user", "assistant")
    last = work.messages - 1
    text = (QUESTION * (work.size // len(QUESTION) + 1))[: work.size]
    return [(roles[(last - number) % 2], text) for number in range(work.messages)]


def _chunk(delta: dict[str, str], finish: str | None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return _event(_packed(_chunk_fields([choice])))


def _chunk_fields(choices: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": "chatcmpl-bench",
        "object": "chat.completion.chunk",
        "created": _CREATED,
        "model": "bench",
        "service_tier": "default",
        "system_fingerprint": "fp_bench",
        "choices": choices,
        "usage": None,
        "obfuscation": "antiphonal",
    }


def _event(data: bytes) -> bytes:
    return b"data: " + data + b"\n\n"


def _packed(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
