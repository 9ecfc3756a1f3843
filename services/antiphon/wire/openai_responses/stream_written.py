"""Items of a stream while they are written."""

from __future__ import annotations

from collections.abc import Iterator

from antiphon.v1 import chat_pb2, content_pb2
from antiphon.wire.jsontext import JsonObject, loads
from antiphon.wire.openai_responses import reasoning
from antiphon.wire.openai_responses.calls import CODE, CUSTOM, FUNCTION, MCP_CALL, kind_of
from antiphon.wire.openai_responses.citations import lower_citation
from antiphon.wire.openai_responses.content import ABSENT, lower_element, lower_tokens
from antiphon.wire.openai_responses.items import is_content, lower_item, lower_message
from antiphon.wire.openai_responses.outcomes import OUTCOMES
from antiphon.wire.openai_responses.spelling import spelled
from antiphon.wire.openai_responses.status import WORDS
from antiphon.wire.openai_responses.writer import Writer

Message = content_pb2.Message
Part = content_pb2.Part

_ROLE = "assistant"
_ARGUMENTS = {
    FUNCTION: "function_call_arguments",
    MCP_CALL: "mcp_call_arguments",
    CUSTOM: "custom_tool_call_input",
}
_PROGRESS = frozenset({"web_search_call", "file_search_call", CODE, "image_generation_call", MCP_CALL})
_SAID = ("in_progress", "completed", "failed")


class Grown:
    """A part and what was added to it. Long texts are joined once, when the part is asked for."""

    def __init__(self, part: Part) -> None:
        self._part = Part()
        self._part.CopyFrom(part)
        self.kind = part.WhichOneof("kind")
        self.is_summary = part.reasoning.summary
        self._texts: list[str] = []
        self._arguments: list[str] = []
        self._bytes: dict[str, list[bytes]] = {}
        self.is_done = False

    def add(self, delta: chat_pb2.PartDelta) -> None:
        """Take a delta."""
        name = delta.WhichOneof("delta")
        if name == "text":
            self._texts.append(delta.text)
        elif name == "arguments_json":
            self._arguments.append(delta.arguments_json)
        elif name == "citation":
            self._part.text.citations.append(delta.citation)
        elif name == "tool_status":
            self._part.tool_call.status = delta.tool_status
        elif name in ("encrypted", "signature", "media"):
            self._bytes.setdefault(name, []).append(getattr(delta, name))
        elif name == "transcript":
            self._part.media.transcript += delta.transcript
        if delta.logprobs:
            self._part.text.logprobs.extend(delta.logprobs)

    def finish(self, done: chat_pb2.PartDone) -> None:
        """The part is whole."""
        self._join()
        self._part.MergeFrom(done.part)
        self.is_done = True

    def part(self) -> Part:
        """The part so far."""
        self._join()
        return self._part

    def _join(self) -> None:
        part, text = self._part, "".join(self._texts)
        self._texts.clear()
        if text:
            match part.WhichOneof("kind"):
                case "refusal":
                    part.refusal += text
                case "reasoning":
                    part.reasoning.text += text
                case "tool_call":
                    part.tool_call.text += text
                case _:
                    part.text.text += text
        if self._arguments:
            part.tool_call.arguments_json += "".join(self._arguments)
            self._arguments.clear()
        for name, pieces in self._bytes.items():
            data = b"".join(pieces)
            if name == "encrypted":
                part.reasoning.encrypted += data
            elif name == "signature":
                part.signature += data
            else:
                part.media.data += data
        self._bytes.clear()


class Written:
    """An item that is written. Others build on it; this one is told whole."""

    def __init__(self, first: Grown, about: Message, writer: Writer, index: int) -> None:
        self.parts: list[Grown] = []
        self.result: Grown | None = None
        """What came of a call that the provider ran."""
        self.is_superseded = False
        """Whether no part can be added any more."""
        self.is_told = False
        self._about = about
        self._writer = Writer(direction=writer.direction, items=index)
        self._index = index
        self._item = self._lowered([first.part()])

    def takes_result(self, part: Part) -> bool:
        """Whether a part is the result that the item holds."""
        return False

    def goes_on(self, part: Part) -> bool:
        """Whether a part belongs to the same item."""
        return False

    def added(self) -> JsonObject:
        """The event that begins the item."""
        return {"type": "response.output_item.added", "output_index": self._index, "item": self._begun()}

    def more(self, grown: Grown) -> Iterator[JsonObject]:
        """A part of the item begins."""
        self.parts.append(grown)
        return iter(())

    def delta(self, grown: Grown, delta: chat_pb2.PartDelta) -> Iterator[JsonObject]:
        """A part of the item grows."""
        return iter(())

    def part_done(self, grown: Grown) -> Iterator[JsonObject]:
        """A part of the item is whole."""
        return iter(())

    def is_whole(self) -> bool:
        """Whether the item can be told to be done."""
        return all(grown.is_done for grown in self.parts) and not self.is_told

    def done(self) -> Iterator[JsonObject]:
        """The event that ends the item."""
        if not self.is_told:
            self.is_told = True
            item = self._lowered([grown.part() for grown in self.parts])
            yield {"type": "response.output_item.done", "output_index": self._index, "item": item}

    def _begun(self) -> JsonObject:
        return self._item

    def _lowered(self, parts: list[Part]) -> JsonObject:
        result = self.result.part() if self.result is not None else None
        item = lower_item(parts[0], result, self._writer, "outputs[0]")
        return item if isinstance(item, dict) else {}

    def _event(self, kind: str, **values: object) -> JsonObject:
        name = self._item.get("id")
        item_id = name if isinstance(name, str) else self._writer.made_up("item")
        return {"type": f"response.{kind}", "item_id": item_id, "output_index": self._index, **values}


class WrittenMessage(Written):
    """An item of type `message`."""

    def goes_on(self, part: Part) -> bool:
        """See Written."""
        return is_content(part) and not self.is_superseded

    def more(self, grown: Grown) -> Iterator[JsonObject]:
        """See Written."""
        self.parts.append(grown)
        part = grown.part()
        if spelled(part, ABSENT, self._writer.direction):
            return
        empty = Part()
        if part.HasField("refusal"):
            empty.refusal = ""
        else:
            empty.text.SetInParent()
        yield self._at(grown, "content_part.added", part=self._element(empty))
        for kind in ("text", "refusal"):
            text = part.refusal if kind == "refusal" else part.text.text
            if part.HasField(kind) and text:
                yield self._say(grown, text, [])
        for number, citation in enumerate(part.text.citations):
            yield self._cite(grown, citation, number)

    def delta(self, grown: Grown, delta: chat_pb2.PartDelta) -> Iterator[JsonObject]:
        """See Written."""
        if delta.HasField("citation"):
            yield self._cite(grown, delta.citation, len(grown.part().text.citations) - 1)
        elif delta.HasField("text") or delta.logprobs:
            yield self._say(grown, delta.text, lower_tokens(delta.logprobs))

    def part_done(self, grown: Grown) -> Iterator[JsonObject]:
        """See Written."""
        part = grown.part()
        if spelled(part, ABSENT, self._writer.direction):
            return
        if part.HasField("refusal"):
            yield self._at(grown, "refusal.done", refusal=part.refusal)
        else:
            tokens = lower_tokens(part.text.logprobs)
            yield self._at(grown, "output_text.done", text=part.text.text, logprobs=tokens)
        yield self._at(grown, "content_part.done", part=self._element(part))

    def is_whole(self) -> bool:
        """See Written."""
        return self.is_superseded and super().is_whole()

    def _begun(self) -> JsonObject:
        return {**self._item, "content": [], "status": "in_progress"}

    def _lowered(self, parts: list[Part]) -> JsonObject:
        return lower_message(self._about, parts, self._writer, "outputs[0]", first=True)

    def _say(self, grown: Grown, text: str, tokens: list[JsonObject]) -> JsonObject:
        if grown.kind == "refusal":
            return self._at(grown, "refusal.delta", delta=text)
        return self._at(grown, "output_text.delta", delta=text, logprobs=tokens)

    def _cite(self, grown: Grown, citation: content_pb2.Citation, number: int) -> JsonObject:
        annotation = lower_citation(citation, self._writer)
        return self._at(grown, "output_text.annotation.added", annotation=annotation, annotation_index=number)

    def _at(self, grown: Grown, kind: str, **values: object) -> JsonObject:
        return self._event(kind, content_index=self.parts.index(grown), **values)

    def _element(self, part: Part) -> JsonObject:
        element = lower_element(part, self._writer, "outputs[0]", _ROLE)
        return element if isinstance(element, dict) else {}


class WrittenReasoning(Written):
    """A reasoning item."""

    def goes_on(self, part: Part) -> bool:
        """See Written."""
        return not self.is_superseded and bool(self.parts) and reasoning.continues(self.parts[-1].part(), part)

    def more(self, grown: Grown) -> Iterator[JsonObject]:
        """See Written."""
        self.parts.append(grown)
        part = grown.part()
        if part.reasoning.summary:
            yield self._at(grown, "reasoning_summary_part.added", part={"type": "summary_text", "text": ""})
        if part.reasoning.text:
            yield self._at(grown, self._kind(grown, "delta"), delta=part.reasoning.text)

    def delta(self, grown: Grown, delta: chat_pb2.PartDelta) -> Iterator[JsonObject]:
        """See Written."""
        if delta.HasField("text") and delta.text:
            yield self._at(grown, self._kind(grown, "delta"), delta=delta.text)

    def part_done(self, grown: Grown) -> Iterator[JsonObject]:
        """See Written."""
        part = grown.part()
        text = part.reasoning.text
        if text or part.reasoning.summary:
            yield self._at(grown, self._kind(grown, "done"), text=text)
        if part.reasoning.summary:
            yield self._at(grown, "reasoning_summary_part.done", part={"type": "summary_text", "text": text})

    def is_whole(self) -> bool:
        """See Written."""
        last = self.parts[-1].part() if self.parts else Part()
        return (self.is_superseded or bool(last.reasoning.encrypted)) and super().is_whole()

    def _begun(self) -> JsonObject:
        return {**self._item, "summary": []} if "content" not in self._item else {**self._item, "content": []}

    def _lowered(self, parts: list[Part]) -> JsonObject:
        return self._writer.restore(parts[-1], reasoning.lowered(parts, self._writer))

    def _kind(self, grown: Grown, what: str) -> str:
        return f"reasoning_summary_text.{what}" if grown.is_summary else f"reasoning_text.{what}"

    def _at(self, grown: Grown, kind: str, **values: object) -> JsonObject:
        same = [other for other in self.parts if other.is_summary == grown.is_summary]
        name = "summary_index" if grown.is_summary else "content_index"
        return self._event(kind, **{name: same.index(grown)}, **values)


class WrittenCall(Written):
    """A tool call; of a tool that the provider ran, its result too."""

    def __init__(self, first: Grown, about: Message, writer: Writer, index: int) -> None:
        self._kind = kind_of(first.part(), writer)
        self._call_id = first.part().tool_call.call_id
        super().__init__(first, about, writer, index)

    def takes_result(self, part: Part) -> bool:
        """See Written."""
        if self._kind not in OUTCOMES or self.result is not None or not part.HasField("tool_result"):
            return False
        return part.tool_result.call_id == self._call_id

    def more(self, grown: Grown) -> Iterator[JsonObject]:
        """See Written."""
        self.parts.append(grown)
        call = grown.part().tool_call
        if self._kind in _PROGRESS:
            yield self._event(f"{self._kind}.in_progress")
        if self._kind in _ARGUMENTS and (said := call.text or call.arguments_json):
            yield self._event(f"{_ARGUMENTS[self._kind]}.delta", delta=said)

    def delta(self, grown: Grown, delta: chat_pb2.PartDelta) -> Iterator[JsonObject]:
        """See Written."""
        said = delta.arguments_json or delta.text
        if said and self._kind in _ARGUMENTS:
            yield self._event(f"{_ARGUMENTS[self._kind]}.delta", delta=said)
        elif delta.HasField("tool_status") and self._kind in _PROGRESS:
            word = WORDS.get(delta.tool_status)
            if word in _SAID and (word != "failed" or self._kind == MCP_CALL):
                yield self._event(f"{self._kind}.{word}")

    def part_done(self, grown: Grown) -> Iterator[JsonObject]:
        """See Written."""
        call = grown.part().tool_call
        if self._kind == CUSTOM:
            yield self._event("custom_tool_call_input.done", input=call.text)
        elif self._kind in _ARGUMENTS:
            named = {"name": call.name} if self._kind == FUNCTION else {}
            yield self._event(f"{_ARGUMENTS[self._kind]}.done", arguments=call.arguments_json or call.text, **named)
        elif self._kind == CODE and (code := _code(call)):
            yield self._event("code_interpreter_call_code.delta", delta=code)
            yield self._event("code_interpreter_call_code.done", code=code)

    def is_whole(self) -> bool:
        """See Written. A call that the provider runs waits for its result, if need be until the end."""
        if self._kind in OUTCOMES and (self.result is None or not self.result.is_done):
            return False
        return super().is_whole()

    def _begun(self) -> JsonObject:
        return {**self._item, "status": "in_progress"}


def begin(first: Grown, about: Message, writer: Writer, index: int) -> Written | None:
    """The item that a part begins; None where the wire has none for it."""
    part = first.part()
    if is_content(part):
        return WrittenMessage(first, about, writer, index)
    if part.HasField("reasoning"):
        return WrittenReasoning(first, about, writer, index)
    if part.HasField("tool_call"):
        return WrittenCall(first, about, writer, index)
    written = Written(first, about, writer, index)
    return written if written.added()["item"] else None


def _code(call: content_pb2.ToolCall) -> str:
    try:
        given = loads(call.arguments_json)
    except ValueError:
        return ""
    code = given.get("code") if isinstance(given, dict) else None
    return code if isinstance(code, str) else ""
