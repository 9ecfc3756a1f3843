"""Writes the recordings of the demo: `python scripts/author_cassettes.py`, or `--check` to compare only.

No provider was called for them. The answers are written by hand below, in the shapes that the providers document in
public, and each recording says `origin: authored`. The requests are whatever our own codecs make of the questions that
the command and the demo ask, so that a replay finds them; a test runs `--check`.
"""

from __future__ import annotations

import argparse
import filecmp
import hashlib
import json
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any, Final

from antiphon.adapter.providers import Provider
from antiphon.adapter.rows import built_in
from antiphon.adapter.wires import chat_wire
from antiphon.cli import questions
from antiphon.cli.embed import request as embed_request
from antiphon.harness import Interaction, SseEvent, authored_json, authored_sse, write_cassette
from antiphon.v1 import chat_pb2
from antiphon.wire.base import HttpCall, HttpReply
from antiphon.wire.openai_embeddings import OpenAIEmbeddings
from antiphon.wire.openai_models import OpenAIModels

FOLDER: Final = Path(__file__).resolve().parents[1] / "cassettes"
DATE: Final = "2026-11-21"
LICENCE: Final = "Apache-2.0"
CREATED: Final = 1795219200
UNKNOWN: Final = "no-such-model"
DELAYS: Final = (38, 21, 64, 47, 29, 83, 35, 52, 26, 71)
"""Milliseconds between the pieces of a stream, over and over: uneven, as providers are."""

WHAT_OPENAI: Final = (
    "An antiphon is a short sung response: one side of a choir calls, and the other side answers. "
    'The word comes from the Greek antiphonos, "sounding in answer".'
)
WHAT_ANTHROPIC: Final = (
    "An antiphon is a verse sung in answer to another. Two halves of a choir face each other; "
    "the first sings a line, and the second takes it up and replies."
)
SONG_OPENAI: Final = (
    "We call across the morning air,\n(We answer: we are here.)\n"
    "We sing to those who wait out there,\n(We answer: we can hear.)\n"
    "And when the evening voices fall,\n(We answer, one and all.)"
)
SONG_ANTHROPIC: Final = (
    "Who keeps the watch when day is done?\n- We keep it, one by one.\n"
    "Who holds the note when breath grows small?\n- We hold it, one for all.\n"
    "Who sings when every light is gone?\n- We sing, and hand it on."
)
WEATHER_ANSWER: Final = "In Paris it is 18 °C now, with light rain. Take an umbrella."


@dataclass(slots=True)
class Author:
    """Collects the recordings of one provider, by cassette."""

    provider: Provider
    cassettes: dict[str, list[Interaction]] = field(default_factory=dict)

    def spec(self, spec: chat_pb2.ChatSpec, *, stream: bool) -> HttpCall:
        """The request that the adapter makes of a question."""
        own = chat_pb2.ChatSpec()
        own.CopyFrom(spec)
        own.model = spec.model.partition("/")[2]
        return chat_wire(self.provider).encode_request(own, stream=stream)

    def whole(self, name: str, call: HttpCall, response: Any, *, status: int = 200, wait: float = 180) -> None:
        """Add an answer that arrives whole, after `wait` milliseconds."""
        self._add(name, authored_json(response=response, status=status, headers_ms=wait, **self._common(name, call)))

    def stream(self, name: str, call: HttpCall, events: Sequence[SseEvent]) -> None:
        """Add a streamed answer."""
        self._add(name, authored_sse(events=events, headers_ms=260, **self._common(name, call)))

    def _common(self, name: str, call: HttpCall) -> dict[str, Any]:
        number = sum(len(items) for items in self.cassettes.values()) + 1
        header = "request-id" if self.provider.name == "anthropic" else "x-request-id"
        return {
            "method": call.method,
            "url": f"{self.provider.base_url}/{call.path.lstrip('/')}",
            "request": json.loads(call.body) if call.body else None,
            "request_headers": dict(self.provider.headers),
            "headers": {header: f"req_authored_{number:04}"},
            "scenario": name,
            "date": DATE,
            "licence": LICENCE,
        }

    def _add(self, name: str, interaction: Interaction) -> None:
        self.cassettes.setdefault(name, []).append(interaction)

    def write(self, folder: Path) -> None:
        """Write the cassettes."""
        for name, interactions in self.cassettes.items():
            write_cassette(folder, f"{self.provider.name}/{name}", interactions)


def pieces(text: str) -> list[str]:
    """The text as a model would send it: a word with the space before it, most of the time."""
    return re.findall(r"\s*\w+|[^\w\s]+|\s+", text)


def count(text: str) -> int:
    """About as many tokens as a provider would count."""
    return len(pieces(text))


def openai() -> Author:
    """The recordings of OpenAI's shape: chat completions, embeddings, models."""
    author = Author(built_in()["openai"])
    model = "gpt-4o-mini-2024-07-18"
    identifiers = (f"chatcmpl-authored-{number:04}" for number in range(1, 100))

    def usage(into: int, out: int) -> dict[str, Any]:
        return {
            "prompt_tokens": into,
            "completion_tokens": out,
            "total_tokens": into + out,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": 0,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        }

    def completion(message: Mapping[str, Any], finish: str, into: int, out: int) -> dict[str, Any]:
        whole = {"role": "assistant", "content": None, "refusal": None, "annotations": []} | dict(message)
        return {
            "id": next(identifiers),
            "object": "chat.completion",
            "created": CREATED,
            "model": model,
            "choices": [{"index": 0, "message": whole, "logprobs": None, "finish_reason": finish}],
            "usage": usage(into, out),
            "service_tier": "default",
            "system_fingerprint": "fp_authored_01",
        }

    def chunks(text: str, into: int) -> Iterator[SseEvent]:
        head = {
            "id": next(identifiers),
            "object": "chat.completion.chunk",
            "created": CREATED,
            "model": model,
            "service_tier": "default",
            "system_fingerprint": "fp_authored_01",
        }

        def chunk(delta: Mapping[str, Any], finish: str | None = None) -> dict[str, Any]:
            choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
            return {**head, "choices": [choice], "usage": None}

        yield SseEvent(data=chunk({"role": "assistant", "content": "", "refusal": None}), delay_ms=4)
        for piece, delay in zip(pieces(text), cycle(DELAYS), strict=False):
            yield SseEvent(data=chunk({"content": piece}), delay_ms=delay)
        yield SseEvent(data=chunk({}, "stop"), delay_ms=12)
        yield SseEvent(data={**head, "choices": [], "usage": usage(into, count(text))}, delay_ms=9)
        yield SseEvent(data="[DONE]", delay_ms=0)

    for name, question, answer in (("what", questions.WHAT, WHAT_OPENAI), ("sing", questions.SING, SONG_OPENAI)):
        spec = questions.ask(questions.OPENAI, question)
        into = count(question) + 7
        author.whole(
            name, author.spec(spec, stream=False), completion({"content": answer}, "stop", into, count(answer))
        )
        author.stream(name, author.spec(spec, stream=True), list(chunks(answer, into)))

    spec = questions.ask_weather(questions.OPENAI)
    function = {"name": "get_weather", "arguments": '{"city":"Paris"}'}
    call = {"id": "call_authored_0001", "type": "function", "function": function}
    first = completion({"tool_calls": [call]}, "tool_calls", 56, 15)
    author.whole("weather", author.spec(spec, stream=False), first)
    longer = questions.with_results(spec, _decoded(author.provider, first))
    last = completion({"content": WEATHER_ANSWER}, "stop", 93, count(WEATHER_ANSWER))
    author.whole("weather", author.spec(longer, stream=False), last)

    request = embed_request(questions.EMBEDDING_MODEL, questions.SENTENCES)
    request.model = request.model.partition("/")[2]
    wired = OpenAIEmbeddings().encode_request(request)
    tokens = sum(count(text) for text in questions.SENTENCES)
    vectors = [
        {"object": "embedding", "index": number, "embedding": embedding(text)}
        for number, text in enumerate(questions.SENTENCES)
    ]
    said = {"prompt_tokens": tokens, "total_tokens": tokens}
    author.whole("embeddings", wired, {"object": "list", "data": vectors, "model": request.model, "usage": said})

    listed = [
        {"id": "gpt-4o-mini", "object": "model", "created": 1721172741, "owned_by": "system"},
        {"id": model, "object": "model", "created": 1721172717, "owned_by": "system"},
        {"id": "text-embedding-3-small", "object": "model", "created": 1705948997, "owned_by": "system"},
    ]
    author.whole("models", OpenAIModels().encode_list_request(), {"object": "list", "data": listed})

    fault = {
        "error": {
            "message": f"The model `{UNKNOWN}` does not exist or you do not have access to it.",
            "type": "invalid_request_error",
            "param": None,
            "code": "model_not_found",
        }
    }
    _unknown_model(author, fault)
    return author


def anthropic() -> Author:
    """The recordings of Anthropic's shape: messages, models."""
    author = Author(built_in()["anthropic"])
    model = "claude-sonnet-4-5-20250929"
    identifiers = (f"msg_authored_{number:04}" for number in range(1, 100))

    def usage(into: int, out: int) -> dict[str, Any]:
        return {
            "input_tokens": into,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
            "output_tokens": out,
            "service_tier": "standard",
        }

    def message(content: Sequence[Mapping[str, Any]], reason: str | None, into: int, out: int) -> dict[str, Any]:
        return {
            "model": model,
            "id": next(identifiers),
            "type": "message",
            "role": "assistant",
            "content": list(content),
            "stop_reason": reason,
            "stop_sequence": None,
            "usage": usage(into, out),
        }

    def events(text: str, into: int) -> Iterator[SseEvent]:
        def event(kind: str, delay: float = 0, **said: Any) -> SseEvent:
            return SseEvent(event=kind, data={"type": kind, **said}, delay_ms=delay)

        yield event("message_start", 5, message=message([], None, into, 1))
        yield event("content_block_start", 2, index=0, content_block={"type": "text", "text": ""})
        yield event("ping", 1)
        for piece, delay in zip(pieces(text), cycle(DELAYS), strict=False):
            yield event("content_block_delta", delay, index=0, delta={"type": "text_delta", "text": piece})
        yield event("content_block_stop", 11, index=0)
        yield event(
            "message_delta",
            6,
            delta={"stop_reason": "end_turn", "stop_sequence": None},
            usage={
                "input_tokens": into,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0,
                "output_tokens": count(text),
            },
        )
        yield event("message_stop", 1)

    for name, question, answer in (("what", questions.WHAT, WHAT_ANTHROPIC), ("sing", questions.SING, SONG_ANTHROPIC)):
        spec = questions.ask(questions.ANTHROPIC, question)
        into = count(question) + 8
        text = [{"type": "text", "text": answer}]
        author.whole(name, author.spec(spec, stream=False), message(text, "end_turn", into, count(answer)))
        author.stream(name, author.spec(spec, stream=True), list(events(answer, into)))

    spec = questions.ask_weather(questions.ANTHROPIC)
    call = {"type": "tool_use", "id": "toolu_authored_0001", "name": "get_weather", "input": {"city": "Paris"}}
    first = message([call], "tool_use", 381, 38)
    author.whole("weather", author.spec(spec, stream=False), first)
    longer = questions.with_results(spec, _decoded(author.provider, first))
    text = [{"type": "text", "text": WEATHER_ANSWER}]
    author.whole("weather", author.spec(longer, stream=False), message(text, "end_turn", 447, count(WEATHER_ANSWER)))

    listed = [
        {"type": "model", "id": model, "display_name": "Claude Sonnet 4.5", "created_at": "2025-09-29T00:00:00Z"},
        {
            "type": "model",
            "id": "claude-haiku-4-5-20251001",
            "display_name": "Claude Haiku 4.5",
            "created_at": "2025-10-15T00:00:00Z",
        },
    ]
    ends = {"has_more": False, "first_id": listed[0]["id"], "last_id": listed[-1]["id"]}
    author.whole("models", OpenAIModels().encode_list_request(), {"data": listed, **ends})

    detail = {"type": "not_found_error", "message": f"model: {UNKNOWN}"}
    _unknown_model(author, {"type": "error", "error": detail, "request_id": "req_authored_0404"})
    return author


def embedding(text: str, *, dimensions: int = 1536) -> list[float]:
    """A vector of length 1 from the words of a text, so that like texts are near: made by arithmetic, by no model."""
    total = [0.0] * dimensions
    for word in sorted(set(re.findall(r"\w+", text.lower()))):
        for block in range(0, dimensions, 16):
            digest = hashlib.sha256(f"{word}:{block}".encode()).digest()
            for place in range(16):
                total[block + place] += int.from_bytes(digest[2 * place : 2 * place + 2]) / 65535 - 0.5
    scale = sum(value * value for value in total) ** 0.5
    return [round(value / scale, 6) for value in total]


def _unknown_model(author: Author, fault: Mapping[str, Any]) -> None:
    for stream in (False, True):
        spec = questions.ask(f"{author.provider.name}/{UNKNOWN}", questions.WHAT)
        author.whole("unknown-model", author.spec(spec, stream=stream), fault, status=404, wait=90)


def _decoded(provider: Provider, response: Mapping[str, Any]) -> chat_pb2.Completion:
    """What the caller gets of an answer."""
    body = json.dumps(response, ensure_ascii=False, separators=(",", ":")).encode()
    return chat_wire(provider).decode_response(HttpReply(status=200, body=body))


def write(folder: Path) -> None:
    """Write all recordings below `folder`."""
    for author in (openai(), anthropic()):
        author.write(folder)


def differing(folder: Path) -> list[str]:
    """Names of recordings below `folder` that are not what this script writes."""
    with tempfile.TemporaryDirectory() as fresh:
        write(Path(fresh))
        names = sorted(str(path.relative_to(fresh)) for path in Path(fresh).rglob("*.yaml"))
        _, different, missing = filecmp.cmpfiles(fresh, folder, names, shallow=False)
    return [*different, *missing]


def main() -> int:
    """Write, or compare and say what differs; the exit status."""
    parser = argparse.ArgumentParser(description="Write the demo's recordings.")
    parser.add_argument("--check", action="store_true", help="write nothing; status 1 where a recording differs")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    options = parser.parse_args()
    if not options.check:
        write(options.folder)
        return 0
    names = differing(options.folder)
    for name in names:
        print(f"{options.folder / name} differs: run scripts/author_cassettes.py", file=sys.stderr)
    return 1 if names else 0


if __name__ == "__main__":
    sys.exit(main())
