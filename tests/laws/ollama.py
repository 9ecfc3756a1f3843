"""The laws of Ollama's own formats: chat, embeddings, models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from antiphon.v1 import chat_pb2
from antiphon.wire.jsontext import leaves, loads, text_of
from antiphon.wire.ollama_native.codec import OllamaChat
from antiphon.wire.ollama_native.embeddings import OllamaEmbeddings
from antiphon.wire.ollama_native.models import OllamaModels
from tests.laws.framed import FramedLaws
from tests.laws.recordings import Recorded
from tests.laws.vectors import EmbeddingLaws
from tests.laws.verdict import Verdict, error_difference, first_difference, untyped

_ORDER = ("reasoning", "text", "media", "tool_call")


class OllamaChatLaws(FramedLaws):
    """`POST /api/chat`, whose streams are JSON lines."""

    def __init__(self) -> None:
        super().__init__(OllamaChat())

    def claims(self, recorded: Recorded) -> bool:
        """By path: nobody else has it."""
        return recorded.method == "POST" and recorded.path.endswith("/api/chat")

    def streams(self, recorded: Recorded) -> bool:
        """Whether the answer is a stream: it is unless the request says otherwise."""
        asked = recorded.request_json
        return not isinstance(asked, dict) or asked.get("stream") is not False

    def joined(self, body: bytes) -> Mapping[str, str] | None:
        """The fields of every line, joined."""
        said: dict[str, list[str]] = {"text": [], "reasoning": [], "arguments": []}
        for line in body.splitlines() if b"\r" not in body else body.replace(b"\r", b"\n").split(b"\n"):
            message: Any = loads(line).get("message", {}) if line.strip() else {}
            said["text"].append(message.get("content") or "")
            said["reasoning"].append(message.get("thinking") or "")
            said["arguments"] += [text_of(call["function"]["arguments"]) for call in message.get("tool_calls") or ()]
        return {name: "".join(pieces) for name, pieces in said.items()}

    def canonical_order(self, completion: chat_pb2.Completion) -> chat_pb2.Completion:
        """Parts in the order of one message's fields; the arguments of calls as the object that they mean."""
        ordered = chat_pb2.Completion()
        ordered.CopyFrom(completion)
        for output in ordered.outputs:
            for message in output.messages:
                parts = sorted(message.parts, key=lambda part: _ORDER.index(part.WhichOneof("kind") or "text"))
                del message.parts[:]
                message.parts.extend(parts)
        return ordered


class OllamaEmbeddingsLaws(EmbeddingLaws):
    """`POST /api/embed` and its older form."""

    def __init__(self) -> None:
        super().__init__(OllamaEmbeddings())

    def claims(self, recorded: Recorded) -> bool:
        """By path."""
        return recorded.method == "POST" and recorded.path.endswith(("/api/embed", "/api/embeddings"))


class OllamaModelsLaws:
    """`GET /api/tags` and `/api/ps`, `POST /api/show`."""

    name = "ollama_models"

    def claims(self, recorded: Recorded) -> bool:
        """By method and path."""
        if recorded.method == "POST":
            return recorded.path.endswith("/api/show")
        return recorded.method == "GET" and recorded.path.endswith(("/api/tags", "/api/ps"))

    def examine(self, recorded: Recorded) -> Verdict:
        """Apply every law that fits the exchange."""
        verdict = Verdict()
        verdict.check("L2", lambda: self._answer(recorded, verdict))
        return verdict

    def _answer(self, recorded: Recorded, verdict: Verdict) -> str | None:
        wire = OllamaModels()
        if recorded.status >= 400:
            return error_difference(wire, wire.decode_error(recorded.reply))
        if recorded.path.endswith("/api/show"):
            model = wire.decode_model(recorded.reply)
            verdict.count(leaves(recorded.json), untyped(model, self.name))
            return first_difference(recorded.json, loads(wire.encode_model(model).body))
        response = wire.decode_list(recorded.reply)
        verdict.count(leaves(recorded.json), untyped(response, self.name))
        return first_difference(recorded.json, loads(wire.encode_list(response).body))
