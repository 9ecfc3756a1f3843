"""The laws of Anthropic Messages and of its token counts."""

from __future__ import annotations

from collections.abc import Mapping

from antiphon.core.errors import Reason, ServiceError
from antiphon.v1 import chat_pb2
from antiphon.wire.anthropic_messages.codec import AnthropicMessages
from antiphon.wire.call_arguments import arguments
from antiphon.wire.jsontext import leaves, loads, text_of
from tests.laws.chat import ChatLaws, events_of
from tests.laws.recordings import Recorded
from tests.laws.verdict import Verdict, first_difference, untyped

_KINDS = {"text_delta": ("text", "text"), "thinking_delta": ("reasoning", "thinking")}


class AnthropicMessagesLaws(ChatLaws):
    """L1 to L5 of `POST .../v1/messages`, whoever serves it."""

    def __init__(self) -> None:
        super().__init__(AnthropicMessages())

    def claims(self, recorded: Recorded) -> bool:
        """Whether the exchange belongs to the wire."""
        return recorded.method == "POST" and recorded.path.endswith("/v1/messages")

    def joined(self, body: bytes) -> Mapping[str, str] | None:
        """The texts of a stream's deltas, and the arguments of the client's own tools."""
        said: dict[str, list[str]] = {"text": [], "reasoning": [], "arguments": []}
        client: dict[int, bool] = {}
        for event in events_of(body):
            block, delta = event.get("content_block"), event.get("delta", {})
            if block is not None:
                client[event["index"]] = block["type"] == "tool_use"
                said["text"].append(block["text"] if block["type"] == "text" else "")
                said["reasoning"].append(block["thinking"] if block["type"] == "thinking" else "")
                if client[event["index"]]:
                    said["arguments"].append("")
            kind, key = _KINDS.get(delta.get("type"), ("", ""))
            if kind:
                said[kind].append(delta[key])
            elif delta.get("type") == "input_json_delta" and client[event["index"]]:
                said["arguments"][-1] += delta["partial_json"]
        said["arguments"] = [text or "{}" for text in said["arguments"]]  # a call without deltas has no arguments
        return {name: "".join(pieces) for name, pieces in said.items()}

    def canonical_order(self, completion: chat_pb2.Completion) -> chat_pb2.Completion:
        """A stream tells arguments as the text that the model wrote, an answer as the object that it means; so
        texts are compared as that object, compact."""
        canonical = chat_pb2.Completion()
        canonical.CopyFrom(completion)
        for output in canonical.outputs:
            for message in output.messages:
                for part in message.parts:
                    if part.HasField("tool_call"):
                        part.tool_call.arguments_json = text_of(arguments(part.tool_call))
        return canonical


class AnthropicCountLaws:
    """L1, L2 and L5 of `POST .../v1/messages/count_tokens`."""

    name = "anthropic_count_tokens"

    def __init__(self) -> None:
        self._wire = AnthropicMessages()

    def claims(self, recorded: Recorded) -> bool:
        """Whether the exchange belongs to the wire."""
        return recorded.method == "POST" and recorded.path.endswith("/v1/messages/count_tokens")

    def examine(self, recorded: Recorded) -> Verdict:
        """Apply every law that fits."""
        verdict = Verdict()
        if isinstance(recorded.request_json, dict):
            verdict.check("L1", lambda: self._request(recorded, verdict))
        if verdict.refused:
            verdict.checks.clear()
        elif recorded.status >= 400:
            verdict.check("L2", lambda: self._error(recorded))
        else:
            verdict.check("L2", lambda: self._answer(recorded, verdict))
        return verdict

    def _request(self, recorded: Recorded, verdict: Verdict) -> str | None:
        try:
            spec = self._wire.decode_count_request(recorded.call)
        except ServiceError as error:
            if recorded.status < 400 or error.reason is not Reason.INVALID_REQUEST:
                raise
            verdict.refused = f"refused: {error.message}"
            return None
        verdict.count(leaves(recorded.request_json), untyped(spec, self._wire.name))
        return first_difference(recorded.request_json, loads(self._wire.encode_count_request(spec).body))

    def _answer(self, recorded: Recorded, verdict: Verdict) -> str | None:
        count = self._wire.decode_count_response(recorded.reply)
        verdict.count(leaves(recorded.json), untyped(count, self._wire.name))
        return first_difference(recorded.json, loads(self._wire.encode_count_response(count).body))

    def _error(self, recorded: Recorded) -> str | None:
        error = self._wire.decode_error(recorded.reply)
        again = self._wire.decode_error(self._wire.encode_error(error))
        return None if again.reason is error.reason else f"reason {error.reason} became {again.reason}"
