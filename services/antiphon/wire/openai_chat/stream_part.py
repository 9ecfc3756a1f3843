"""Parts and calls of a streamed choice that grow: each tells its own events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from antiphon.v1 import chat_pb2, content_pb2
from antiphon.wire.jsontext import JsonObject, text_of, word
from antiphon.wire.openai_chat import calls
from antiphon.wire.openai_chat.spelling import RESPONSE
from antiphon.wire.remainder import says_nothing

Event = chat_pb2.StreamChatResponse
Part = content_pb2.Part
Delta = Mapping[str, Any]
_CALL = frozenset({"id", "type", "index", "function", "custom"})


class Choice(Protocol):
    """The choice that a part belongs to."""

    index: int
    events: list[Event]
    parts: int
    """How many have begun."""
    open: list[StreamedPart]


class StreamedPart:
    """One part that grows."""

    __slots__ = ("choice", "index", "late")

    def __init__(self, choice: Choice, part: Part) -> None:
        self.choice = choice
        self.index = choice.parts
        self.late: Part | None = None
        choice.parts += 1
        choice.open.append(self)
        event = Event()
        started = event.part_started
        started.output_index, started.part_index = choice.index, self.index
        started.role = content_pb2.ROLE_ASSISTANT
        started.part.CopyFrom(part)
        choice.events.append(event)

    def add_text(self, text: str) -> None:
        """Grow by text."""
        event = Event()
        grown = event.part_delta
        grown.text = text
        if self.index:
            grown.part_index = self.index
        if self.choice.index:
            grown.output_index = self.choice.index
        self.choice.events.append(event)

    def add(self, **delta: Any) -> chat_pb2.PartDelta:
        """Grow by one delta; gives it, for what is added to it."""
        event = Event()
        grown = event.part_delta
        grown.output_index, grown.part_index = self.choice.index, self.index
        for name, value in delta.items():
            if name == "citation":
                grown.citation.CopyFrom(value)
            else:
                setattr(grown, name, value)
        self.choice.events.append(event)
        return grown

    def done(self) -> None:
        """End the part."""
        event = Event()
        event.part_done.output_index, event.part_done.part_index = self.choice.index, self.index
        if self.late is not None:
            event.part_done.part.CopyFrom(self.late)
        self.choice.events.append(event)

    def know(self) -> Part:
        """What is known only now, told when the part ends."""
        if self.late is None:
            self.late = Part()
        return self.late


class StreamedCall:
    """One call that grows; it begins for the caller once its name is known."""

    __slots__ = ("arguments", "call_id", "custom", "data", "name", "part")

    def __init__(self) -> None:
        self.part: StreamedPart | None = None
        self.call_id = ""
        self.name = ""
        self.custom = False
        self.data: JsonObject = {}
        self.arguments: list[str] = []

    def take(self, delta: Delta, choice: Choice, position: int) -> None:
        """Grow by one element of `tool_calls`."""
        inner = delta.get("function")
        if not isinstance(inner, dict):
            inner = delta.get("custom")
            self.custom = self.custom or isinstance(inner, dict)
        name, text = "", ""
        if isinstance(inner, dict):
            name = word(inner.get("name"))
            text = inner.get("input" if self.custom else "arguments") or ""
            if not isinstance(text, str):
                text = text_of(text)
        if isinstance(delta.get("id"), str) and delta["id"]:
            self.call_id = delta["id"]
        for key, value in delta.items():
            if key not in _CALL and not says_nothing(value):
                self.data[key] = value
                if self.part is not None:
                    self.part.know().CopyFrom(self._lifted(position))
        if name and name != self.name:
            self.name += name  # a few servers stream the name in pieces
        if text:
            self.arguments.append(text)
        if self.name and (self.part is None):
            self.begin(choice, position)
        elif self.part is not None:
            self.flush()

    def begin(self, choice: Choice, position: int) -> None:
        """Tell that the call begins."""
        self.part = StreamedPart(choice, self._lifted(position))
        self.flush()

    def flush(self) -> None:
        """Tell the arguments that have come."""
        if self.arguments and self.part is not None:
            text = "".join(self.arguments)
            self.part.add(**{"text" if self.custom else "arguments_json": text})
            self.arguments.clear()

    def _lifted(self, position: int) -> Part:
        inner = {"name": self.name, "input" if self.custom else "arguments": ""}
        kind = "custom" if self.custom else "function"
        return calls.lift_call({"id": self.call_id, "type": kind, kind: inner, **self.data}, position, RESPONSE)
