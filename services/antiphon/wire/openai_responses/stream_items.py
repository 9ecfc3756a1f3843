"""Items of a stream while they grow: each kind tells its parts in its own way, and is whole when its item is done.

What the parts will be called is settled when the item begins, for items grow side by side: an item that the provider
runs takes two numbers, one for the call and one for its result.
"""

from __future__ import annotations

from typing import Any

from antiphon.v1 import chat_pb2, content_pb2
from antiphon.wire.fields import RESPONSE, Place, objects, whole_text
from antiphon.wire.jsontext import Json, JsonObject, text_of
from antiphon.wire.openai_chat.logprobs import is_list, lift_token
from antiphon.wire.openai_responses import reasoning
from antiphon.wire.openai_responses.calls import CODE, CUSTOM, ROWS, TEXT, lift_call, start_call
from antiphon.wire.openai_responses.citations import lift_citation
from antiphon.wire.openai_responses.content import lift_content, lift_element
from antiphon.wire.openai_responses.items import lift_about, lift_item
from antiphon.wire.openai_responses.outcomes import OUTCOMES
from antiphon.wire.openai_responses.status import STATUSES

Event = chat_pb2.StreamChatResponse
Message = content_pb2.Message
Part = content_pb2.Part

LENIENT = Place(RESPONSE)
_ROLE = "assistant"
_CODE_HEAD, _CODE_TAIL = '{"code":"', '"}'


class Numbers:
    """The numbers of the parts of one message."""

    def __init__(self, message: int) -> None:
        self.message = message
        self._next = 0

    def take(self) -> int:
        """The next number."""
        self._next += 1
        return self._next - 1


class Item:
    """What all items have in common."""

    def __init__(self, item: JsonObject, numbers: Numbers, out: list[Event]) -> None:
        self.read = item
        """The item as it began."""
        self.message_number = numbers.message
        self._numbers = numbers
        self._out = out
        self.message: Message | None = None
        """What is known of the message beside its parts, once an item of type `message` is done."""
        self.parts: list[Part] = []
        """The parts of the item, once it is done."""
        self.is_done = False

    def event(self, kind: str, data: JsonObject) -> None:
        """Take an event of the item; `kind` is its type without "response."."""

    def done(self, item: JsonObject) -> None:
        """The item is whole."""
        self.is_done = True

    def _start(self, number: int, part: Part, name: str = "") -> None:
        started = chat_pb2.PartStarted(
            message_index=self._numbers.message, part_index=number, role=content_pb2.ROLE_ASSISTANT, part=part
        )
        started.message_id = name
        self._out.append(Event(part_started=started))

    def _delta(self, number: int, **said: Any) -> None:
        delta = chat_pb2.PartDelta(message_index=self._numbers.message, part_index=number, **said)
        self._out.append(Event(part_delta=delta))

    def _stop(self, number: int, part: Part | None = None, message: Message | None = None) -> None:
        done = chat_pb2.PartDone(message_index=self._numbers.message, part_index=number)
        if part is not None and part.ByteSize():
            done.part.CopyFrom(part)
        if message is not None:
            done.message.CopyFrom(message)
        self._out.append(Event(part_done=done))


class WholeItem(Item):
    """An item that is told when it is done."""

    def __init__(self, item: JsonObject, numbers: Numbers, out: list[Event]) -> None:
        super().__init__(item, numbers, out)
        self._number = numbers.take()

    def done(self, item: JsonObject) -> None:
        """See Item."""
        super().done(item)
        self.parts = lift_item(item, LENIENT)
        self._start(self._number, self.parts[0])
        self._stop(self._number)


class ListItem(WholeItem):
    """A list of tools: several are fetched at once, so each begins in its turn, and is filled when it is done."""

    def __init__(self, item: JsonObject, numbers: Numbers, out: list[Event]) -> None:
        super().__init__(item, numbers, out)
        begun = lift_item({**item, "tools": []}, LENIENT)[0]
        begun.ClearField("form")
        begun.provider_data.clear()
        self._start(self._number, begun)

    def done(self, item: JsonObject) -> None:
        """See Item."""
        Item.done(self, item)
        self.parts = lift_item(item, LENIENT)
        self._stop(self._number, self.parts[0])


class _Text:
    """A text while it grows."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._said: list[str] = []
        self.citations = 0
        self.logprobs = 0
        self.kind = ""

    def add(self, text: str) -> None:
        self._said.append(text)

    def missing(self, whole: Json) -> str:
        """What deltas have not told of the whole text."""
        if not isinstance(whole, str):
            return ""
        said = "".join(self._said)
        return whole[len(said) :] if whole.startswith(said) else ""


class MessageItem(Item):
    """An item of type `message`: texts and refusals."""

    def __init__(self, item: JsonObject, numbers: Numbers, out: list[Event]) -> None:
        super().__init__(item, numbers, out)
        self._texts: dict[int, _Text] = {}
        name = item.get("id")
        about = Message(role=content_pb2.ROLE_ASSISTANT)
        lift_about({"id": name}, about, LENIENT)
        self._name = about.id

    def event(self, kind: str, data: JsonObject) -> None:
        """See Item."""
        index, delta = _index(data, "content_index"), data.get("delta")
        if kind == "content_part.added":
            self._text(index, data.get("part"))
        elif kind in ("output_text.delta", "refusal.delta") and isinstance(delta, str):
            text = self._text(index, {"type": "refusal", "refusal": ""} if kind == "refusal.delta" else None)
            tokens = _tokens(data.get("logprobs"))
            text.add(delta)
            text.logprobs += len(tokens)
            if delta or tokens:
                self._delta(text.number, text=whole_text(delta), logprobs=tokens)
        elif kind == "output_text.annotation.added" and isinstance(data.get("annotation"), dict):
            text = self._text(index, None)
            text.citations += 1
            self._delta(text.number, citation=lift_citation(data["annotation"], LENIENT))

    def done(self, item: JsonObject) -> None:
        """See Item."""
        super().done(item)
        content = list(objects(item.get("content")))
        self.message = Message(role=content_pb2.ROLE_ASSISTANT)
        lift_about(item, self.message, LENIENT)
        if not content and not self._texts:
            number, [part] = self._numbers.take(), lift_content([], LENIENT, self.message, _ROLE)
            self._start(number, part, self._name)
            self._stop(number, None, self.message)
        for index, element in enumerate(content):
            text = self._text(index, element)
            whole = element.get("refusal" if text.kind == "refusal" else "text")
            tokens = _tokens(element.get("logprobs")) if not text.logprobs else []
            if (rest := text.missing(whole)) or tokens:
                self._delta(text.number, text=whole_text(rest), logprobs=tokens)
            for citation in list(objects(element.get("annotations")))[text.citations :]:
                self._delta(text.number, citation=lift_citation(citation, LENIENT))
        for index, text in self._texts.items():
            part = Part()
            if index < len(content):
                part = lift_element(content[index], LENIENT, _ROLE)
                part.ClearField("text")
                if text.kind == "refusal":
                    part.ClearField("refusal")
            last = text is list(self._texts.values())[-1]
            self._stop(text.number, part, self.message if last else None)

    def _text(self, index: int, element: Json) -> _Text:
        """The text at an index; it begins where it had not."""
        if index not in self._texts:
            text = self._texts[index] = _Text(self._numbers.take())
            part = Part()
            if isinstance(element, dict) and element.get("type") == "refusal":
                part.refusal, text.kind = "", "refusal"
            else:
                part.text.SetInParent()
            self._start(text.number, part, self._name)
        return self._texts[index]


class ReasoningItem(Item):
    """A reasoning item: its texts one by one, the cipher at the end."""

    def __init__(self, item: JsonObject, numbers: Numbers, out: list[Event]) -> None:
        super().__init__(item, numbers, out)
        self._texts: dict[tuple[str, int], _Text] = {}

    def event(self, kind: str, data: JsonObject) -> None:
        """See Item."""
        summary = kind.startswith("reasoning_summary")
        key = reasoning.SUMMARY if summary else reasoning.CONTENT
        index = _index(data, "summary_index" if summary else "content_index")
        delta = data.get("delta")
        if kind in ("reasoning_summary_part.added", "content_part.added"):
            self._text(key, index)
        elif kind in ("reasoning_summary_text.delta", "reasoning_text.delta") and isinstance(delta, str):
            text = self._text(key, index)
            text.add(delta)
            if delta:
                self._delta(text.number, text=whole_text(delta))

    def done(self, item: JsonObject) -> None:
        """See Item."""
        super().done(item)
        for key in (reasoning.SUMMARY, reasoning.CONTENT):
            for index, entry in enumerate(objects(item.get(key))):
                text = self._text(key, index)
                if rest := text.missing(entry.get("text")):
                    self._delta(text.number, text=whole_text(rest))
        self.parts = reasoning.lift_reasoning(item, LENIENT)
        end = Part()
        end.CopyFrom(self.parts[-1])
        numbers = [text.number for text in self._texts.values()]
        if not numbers:
            numbers = [self._numbers.take()]
            start = reasoning.text_part("", "", self.read)
            start.reasoning.SetInParent()
            self._start(numbers[0], start)
        end.ClearField("id")
        for name in ("text", "summary"):
            end.reasoning.ClearField(name)
        if not end.reasoning.ByteSize():
            end.ClearField("reasoning")
        for number in numbers:
            self._stop(number, end if number == numbers[-1] else None)

    def _text(self, key: str, index: int) -> _Text:
        if (key, index) not in self._texts:
            text = self._texts[key, index] = _Text(self._numbers.take())
            part = reasoning.text_part("", key, self.read)
            part.reasoning.SetInParent()
            self._start(text.number, part)
        return self._texts[key, index]


class CallItem(Item):
    """A tool call; of a tool that the provider runs, its result too."""

    def __init__(self, item: JsonObject, numbers: Numbers, out: list[Event]) -> None:
        super().__init__(item, numbers, out)
        self._kind = item["type"]
        self._number = numbers.take()
        self._result = numbers.take() if self._kind in OUTCOMES else -1
        self._text = _Text(self._number)
        self._tail = ""
        part = start_call(item, LENIENT)
        if self._kind == CUSTOM:
            part.tool_call.text = ""
        else:
            part.tool_call.arguments_json = ""
        for name in ("safety_checks", "status"):
            part.tool_call.ClearField(name)
        part.ClearField("form")
        self._status = part.tool_call.status
        self._start(self._number, part)

    def event(self, kind: str, data: JsonObject) -> None:
        """See Item."""
        family, _, what = kind.partition(".")
        delta = data.get("delta")
        if what == "delta" and isinstance(delta, str):
            if self._kind == CODE:
                self._code(delta)
            elif self._kind in TEXT:
                self._say(delta)
        elif what in STATUSES and family.endswith("_call"):
            self._tell(STATUSES[what])

    def done(self, item: JsonObject) -> None:
        """See Item."""
        super().done(item)
        self.parts = lift_call(item, LENIENT)
        call = self.parts[0].tool_call
        if self._tail:
            self._say(self._tail)
        else:
            self._say(self._text.missing(call.text if self._kind == CUSTOM else call.arguments_json))
        if self._status:
            self._tell(call.status)
        end = Part()
        end.CopyFrom(self.parts[0])
        end.tool_call.ClearField("arguments_json")
        end.tool_call.ClearField("text")
        self._stop(self._number, end)
        if self._result >= 0:
            self._start(self._result, self.parts[1])
            self._stop(self._result)

    def _tell(self, status: content_pb2.ToolStatus.ValueType) -> None:
        if status != self._status:
            self._status = status
            self._delta(self._number, tool_status=status)

    def _say(self, text: str) -> None:
        self._text.add(text)
        if text and self._kind == CUSTOM:
            self._delta(self._number, text=whole_text(text))
        elif text:
            self._delta(self._number, arguments_json=whole_text(text))

    def _code(self, text: str) -> None:
        """Code is told as it is; the arguments are an object that has it."""
        if not self._tail:
            self._tail = _CODE_TAIL
            self._say(_CODE_HEAD)
        self._say(text_of(whole_text(text))[1:-1])


def begin(item: JsonObject, kind: str, numbers: Numbers, out: list[Event]) -> Item:
    """The item that begins."""
    if kind == "message":
        return MessageItem(item, numbers, out)
    if kind == "reasoning":
        return ReasoningItem(item, numbers, out)
    if kind in ROWS:
        return CallItem(item, numbers, out)
    return ListItem(item, numbers, out) if kind == "mcp_list_tools" else WholeItem(item, numbers, out)


def _index(data: JsonObject, key: str) -> int:
    index = data.get(key)
    return index if type(index) is int and index >= 0 else 0


def _tokens(given: Json) -> list[content_pb2.TokenLogprob]:
    return list(map(lift_token, given)) if given and is_list(given) else []
