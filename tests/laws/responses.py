"""The laws of OpenAI Responses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from antiphon.wire.openai_responses.codec import OpenAIResponses
from tests.laws.chat import ChatLaws, events_of
from tests.laws.recordings import Recorded

_KINDS = {
    "response.output_text.delta": "text",
    "response.reasoning_summary_text.delta": "reasoning",
    "response.reasoning_text.delta": "reasoning",
    "response.function_call_arguments.delta": "arguments",
    "response.custom_tool_call_input.delta": "arguments",
}


class OpenAIResponsesLaws(ChatLaws):
    """L1 to L5 of `POST .../responses`, whoever serves it."""

    def __init__(self) -> None:
        super().__init__(OpenAIResponses())

    def claims(self, recorded: Recorded) -> bool:
        """By path: OpenAI's own, Azure's, xAI's, DeepSeek's, OpenRouter's and Bedrock's."""
        return recorded.method == "POST" and recorded.path.endswith("/responses")

    def joined(self, body: bytes) -> Mapping[str, str] | None:
        """The deltas of every item, joined in the order of the items."""
        said: dict[str, dict[Any, list[str]]] = {"text": {}, "reasoning": {}, "arguments": {}}
        for event in events_of(body):
            kind = _KINDS.get(event.get("type"))
            if kind is not None:
                place = event["output_index"], event.get("summary_index", -1), event.get("content_index", -1)
                said[kind].setdefault(place, []).append(event["delta"])
        return {kind: "".join("".join(pieces) for _, pieces in sorted(places.items())) for kind, places in said.items()}
