"""The laws of OpenAI's formats: chat completions, embeddings, models."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from antiphon.v1 import chat_pb2
from antiphon.wire.jsontext import loads
from antiphon.wire.openai_chat import OpenAIChat
from tests.laws.chat import ChatLaws, events_of
from tests.laws.recordings import Recorded

ORDER = ("reasoning", "text", "opaque", "search_result", "refusal", "media", "executed", "tool_call")
"""The order in which one message says its parts; a stream may interleave them."""
SAID = frozenset({"content", "text", "thinking", "reasoning", "reasoning_content", "summary", "data", "refusal"})
PASSING = frozenset({"id", "object", "created", "model", "index", "role", "type", "obfuscation", "p", "closed", "name"})
"""Fields that a stream repeats or varies on its way, and padding: not looked for in the folded answer."""


PIECES = frozenset({"message", "tool_calls", "function_call", "transcript"})
"""Fields whose values are pieces; what they join to is compared by itself."""


class OpenAIChatLaws(ChatLaws):
    """Chat completions of every provider that speaks them."""

    def __init__(self) -> None:
        super().__init__(OpenAIChat())

    def claims(self, recorded: Recorded) -> bool:
        """By path: OpenAI's own, Azure's, and the doors of Gemini, Bedrock, Snowflake, LM Studio and others."""
        return recorded.method == "POST" and recorded.path.endswith("/chat/completions")

    def joined(self, body: bytes) -> Mapping[str, str] | None:
        """The deltas of every choice, joined; None for a body that is no stream, and for cumulative messages."""
        text: dict[int, list[str]] = defaultdict(list)
        reasoning: dict[int, list[str]] = defaultdict(list)
        arguments: dict[int, dict[Any, list[str]]] = defaultdict(lambda: defaultdict(list))
        chunks = events_of(body)
        for chunk in chunks:
            for position, choice in enumerate(chunk.get("choices") or ()):
                index, delta = choice.get("index"), choice.get("delta") or {}
                index = index if isinstance(index, int) else position
                said, thought = _content(delta.get("content"))
                text[index] += said
                details = [item.get("text") or item.get("summary") for item in delta.get("reasoning_details") or ()]
                found = delta.get("reasoning_content") or delta.get("reasoning") or "".join(filter(None, details))
                reasoning[index] += [*thought, found]
                for call in delta.get("tool_calls") or ():
                    inner = call.get("function") or call.get("custom") or {}
                    key = call.get("index", call.get("id"))
                    arguments[index][key].append(inner.get("arguments") or inner.get("input") or "")
        return {
            "text": _flat(text),
            "reasoning": _flat(reasoning),
            "arguments": "".join("".join(p) for i in sorted(arguments) for p in arguments[i].values()),
        }

    def canonical_order(self, completion: chat_pb2.Completion) -> chat_pb2.Completion:
        """Parts in the order of one message's fields."""
        ordered = chat_pb2.Completion()
        ordered.CopyFrom(completion)
        for output in ordered.outputs:
            for message in output.messages:
                parts = sorted(message.parts, key=_rank)
                del message.parts[:]
                message.parts.extend(parts)
        return ordered

    def lost(self, recorded: Recorded, completion: chat_pb2.Completion) -> str | None:
        """Every named value that some chunk holds last under its name stands in the folded answer under that name."""
        folded = set(_values(loads(self.wire.encode_response(completion).body)))
        last: dict[tuple[str, ...], Any] = {}
        for chunk in events_of(recorded.body):
            for path, value in _leaves(chunk, ()):
                if value not in (None, ""):
                    last[path] = value
        for path, value in last.items():
            name = path[-1]
            if name in SAID | PASSING or PIECES.intersection(path):
                continue
            if (name, _number(value)) not in folded:
                return f"lost from the stream: {'.'.join(path)} = {value!r:.60}"
        return None


def _content(content: Any) -> tuple[list[str], list[str]]:
    if isinstance(content, str):
        return [content], []
    text = [item["text"] for item in content or () if item.get("type") == "text"]
    thought = [inner["text"] for item in content or () for inner in item.get("thinking") or ()]
    return text, thought


def _flat(pieces: Mapping[int, list[str]]) -> str:
    return "".join("".join(pieces[index]) for index in sorted(pieces))


def _rank(part: Any) -> int:
    kind = part.WhichOneof("kind") or "text"
    if kind in ("tool_call", "tool_result") and getattr(part, kind).executor > 1:
        kind = "executed"
    return ORDER.index(kind)


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, (*path, key))
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, path)
    else:
        yield path, value


def _values(value: Any) -> Iterator[tuple[str, Any]]:
    for path, leaf in _leaves(value, ("",)):
        yield path[-1], _number(leaf)


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
