"""The laws of Cohere's own formats: chat and embeddings of version 2."""

from __future__ import annotations

from collections.abc import Mapping

from antiphon.v1 import chat_pb2, content_pb2
from antiphon.wire.cohere_v2 import CohereChat
from antiphon.wire.cohere_v2.embeddings import CohereEmbeddings
from antiphon.wire.cohere_v2.messages import is_plan
from tests.laws.chat import ChatLaws, events_of
from tests.laws.recordings import Recorded
from tests.laws.vectors import EmbeddingLaws


class CohereChatLaws(ChatLaws):
    """`POST /v2/chat`."""

    def __init__(self) -> None:
        super().__init__(CohereChat())

    def claims(self, recorded: Recorded) -> bool:
        """By path; version 1 has another format, and the door for OpenAI's clients another path."""
        return recorded.method == "POST" and recorded.path.endswith("/v2/chat")

    def joined(self, body: bytes) -> Mapping[str, str] | None:
        """The deltas of every event, joined: first the plan, then what was thought."""
        plans: list[str] = []
        said: dict[str, list[str]] = {"text": [], "thinking": []}
        arguments: list[str] = []
        for event in events_of(body):
            message = (event.get("delta") or {}).get("message") or {}
            plans.append(message.get("tool_plan") or "")
            if event["type"] in ("content-start", "content-delta"):
                for kind, pieces in said.items():
                    pieces.append(message["content"].get(kind) or "")
            if event["type"] in ("tool-call-start", "tool-call-delta"):
                arguments.append(message["tool_calls"]["function"].get("arguments") or "")
        reasoning = "".join([*plans, *said["thinking"]])
        return {"text": "".join(said["text"]), "reasoning": reasoning, "arguments": "".join(arguments)}

    def canonical_order(self, completion: chat_pb2.Completion) -> chat_pb2.Completion:
        """Parts in the order of one message's fields: the plan, the content, the calls."""
        ordered = chat_pb2.Completion()
        ordered.CopyFrom(completion)
        for output in ordered.outputs:
            for message in output.messages:
                parts = sorted(message.parts, key=_rank)
                del message.parts[:]
                message.parts.extend(parts)
        return ordered


class CohereEmbeddingsLaws(EmbeddingLaws):
    """`POST /v2/embed`."""

    def __init__(self) -> None:
        super().__init__(CohereEmbeddings())

    def claims(self, recorded: Recorded) -> bool:
        """By path."""
        return recorded.method == "POST" and recorded.path.endswith("/v2/embed")


def _rank(part: content_pb2.Part) -> int:
    return 0 if is_plan(part) else 2 if part.WhichOneof("kind") == "tool_call" else 1
