"""The laws of Bedrock's formats: Converse, Anthropic over invoke, counts of tokens, embeddings."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator, Mapping
from typing import Any

from antiphon.core.errors import Reason, ServiceError
from antiphon.v1 import chat_pb2
from antiphon.wire.base import HttpCall
from antiphon.wire.bedrock_converse import BedrockConverse
from antiphon.wire.bedrock_converse.embeddings import BedrockEmbeddings
from antiphon.wire.bedrock_converse.invoke import BedrockAnthropic
from antiphon.wire.call_arguments import arguments
from antiphon.wire.jsontext import leaves, loads, text_of
from antiphon.wire.sse import encode_event
from tests.laws.anthropic import AnthropicMessagesLaws
from tests.laws.framed import FramedLaws
from tests.laws.recordings import Recorded
from tests.laws.vectors import EmbeddingLaws
from tests.laws.verdict import Verdict, error_difference, first_difference, untyped

STREAMS = ("/converse-stream", "/invoke-with-response-stream")
INVOKES = ("/invoke", "/invoke-with-response-stream")


class BedrockConverseLaws(FramedLaws):
    """`POST /model/{id}/converse` and `/converse-stream`."""

    binary = True

    def __init__(self) -> None:
        super().__init__(BedrockConverse())

    def claims(self, recorded: Recorded) -> bool:
        """By path."""
        return recorded.method == "POST" and recorded.path.endswith(("/converse", "/converse-stream"))

    def streams(self, recorded: Recorded) -> bool:
        """By path."""
        return recorded.path.endswith(STREAMS)

    def joined(self, body: bytes) -> Mapping[str, str] | None:
        """The deltas of every block, joined."""
        said: dict[str, list[str]] = {"text": [], "reasoning": []}
        calls: dict[int, str] = {}
        for name, event in frames(body):
            index = event.get("contentBlockIndex", -1)
            use = event.get("start", {}).get("toolUse") if name == "contentBlockStart" else None
            if use is not None and use.get("type") != "server_tool_use":
                calls[index] = ""
            delta = event.get("delta", {})
            said["text"].append(delta.get("text", ""))
            said["reasoning"].append(delta.get("reasoningContent", {}).get("text", ""))
            if index in calls:
                calls[index] += delta.get("toolUse", {}).get("input", "")
        joined = {name: "".join(pieces) for name, pieces in said.items()}
        return {**joined, "arguments": "".join(text or "{}" for text in calls.values())}

    def canonical_order(self, completion: chat_pb2.Completion) -> chat_pb2.Completion:
        """A stream tells arguments as text, an answer as the object that it means."""
        return as_objects(completion)


class BedrockAnthropicLaws(FramedLaws):
    """`POST /model/{id}/invoke` and `/invoke-with-response-stream` of Anthropic's models, and the errors of all."""

    binary = True

    def __init__(self) -> None:
        super().__init__(BedrockAnthropic())
        self._inner = AnthropicMessagesLaws()

    def claims(self, recorded: Recorded) -> bool:
        """By path, and by the body: each model family has a format of its own. Errors are the same for all."""
        if recorded.method != "POST" or not recorded.path.endswith(INVOKES) or "/model/" not in recorded.path:
            return False
        if "embed" in recorded.path or "rerank" in recorded.path:
            return False
        asked = recorded.request_json
        return recorded.status >= 400 or (isinstance(asked, dict) and "anthropic_version" in asked)

    def streams(self, recorded: Recorded) -> bool:
        """By path."""
        return recorded.path.endswith(STREAMS)

    def joined(self, body: bytes) -> Mapping[str, str] | None:
        """The deltas of Anthropic's events, joined."""
        events = [base64.b64decode(event["bytes"]) for _, event in frames(body)]
        return self._inner.joined(b"".join(map(encode_event, events)))

    def canonical_order(self, completion: chat_pb2.Completion) -> chat_pb2.Completion:
        """As for Anthropic's own streams."""
        return as_objects(completion)


class BedrockCountLaws:
    """L1, L2 and L5 of `POST /model/{id}/count-tokens`."""

    name = "bedrock_count_tokens"

    def __init__(self) -> None:
        self._converse, self._anthropic = BedrockConverse(), BedrockAnthropic()

    def claims(self, recorded: Recorded) -> bool:
        """By path."""
        return recorded.method == "POST" and recorded.path.endswith("/count-tokens")

    def examine(self, recorded: Recorded) -> Verdict:
        """Apply every law that fits."""
        verdict = Verdict()
        if isinstance(recorded.request_json, dict):
            verdict.check("L1", lambda: self._request(recorded, verdict))
        if verdict.refused:
            verdict.checks.clear()
        else:
            verdict.check("L2", lambda: self._answer(recorded, verdict))
        return verdict

    def _request(self, recorded: Recorded, verdict: Verdict) -> str | None:
        asked = _unpacked(recorded.request_json)
        wire = self._anthropic if "invokeModel" in asked.get("input", {}) else self._converse
        try:
            spec = wire.decode_count_request(recorded.call)
        except ServiceError as error:
            if recorded.status < 400 or error.reason is not Reason.INVALID_REQUEST:
                raise
            verdict.refused = f"refused: {error.message}"
            return None
        verdict.count(leaves(asked), untyped(spec, self.name))
        return first_difference(asked, _unpacked(loads(_body(wire.encode_count_request(spec)))))

    def _answer(self, recorded: Recorded, verdict: Verdict) -> str | None:
        if recorded.status >= 400:
            return error_difference(self._converse, self._converse.decode_error(recorded.reply))
        count = self._converse.decode_count_response(recorded.reply)
        verdict.count(leaves(recorded.json), untyped(count, self.name))
        return first_difference(recorded.json, loads(self._converse.encode_count_response(count).body))


class BedrockEmbeddingsLaws(EmbeddingLaws):
    """`POST /model/{id}/invoke` of Titan's, Nova's and Cohere's embeddings."""

    def __init__(self) -> None:
        super().__init__(BedrockEmbeddings())

    def claims(self, recorded: Recorded) -> bool:
        """By path and the model in it."""
        known = any(name in recorded.path for name in ("amazon.titan-embed", "amazon.nova", "cohere.embed"))
        is_embedding = "embed" in recorded.path and recorded.path.endswith("/invoke")
        return recorded.method == "POST" and known and is_embedding


def frames(body: bytes) -> Iterator[tuple[str, Any]]:
    """The names and JSON values of a binary stream, read without the codec: a second opinion."""
    while body:
        total, size, _ = struct.unpack_from(">III", body)
        headers, name = body[12 : 12 + size], b":event-type"
        start = headers.find(name) + len(name) + 3
        (length,) = struct.unpack_from(">H", headers, start - 2)
        yield headers[start : start + length].decode(), loads(body[12 + size : total - 4])
        body = body[total:]


def as_objects(completion: chat_pb2.Completion) -> chat_pb2.Completion:
    """The answer with the arguments of its calls as the objects that they mean, compact."""
    canonical = chat_pb2.Completion()
    canonical.CopyFrom(completion)
    for output in canonical.outputs:
        for message in output.messages:
            for part in message.parts:
                if part.HasField("tool_call"):
                    part.tool_call.arguments_json = text_of(arguments(part.tool_call))
    return canonical


def _body(call: HttpCall) -> bytes:
    return call.body


def _unpacked(asked: Any) -> Any:
    """The request with the body that is JSON in base64 as the value that it means: its white space means nothing."""
    inner = asked.get("input", {}).get("invokeModel", {})
    if not isinstance(inner.get("body"), str):
        return asked
    return {"input": {"invokeModel": {**inner, "body": loads(base64.b64decode(inner["body"]))}}}
