"""A streamed answer, read: server-sent events into events of the contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from antiphon.core.errors import Reason, ServiceError
from antiphon.v1 import chat_pb2, content_pb2, usage_pb2
from antiphon.wire.cohere_v2.errors import event_error
from antiphon.wire.cohere_v2.messages import lift_call, lift_item, plan
from antiphon.wire.cohere_v2.response import lift_answer, lift_logprobs
from antiphon.wire.cohere_v2.sources import PLAN, lift_citation
from antiphon.wire.cohere_v2.usage import lift_usage
from antiphon.wire.fields import RESPONSE, object_at, whole_text
from antiphon.wire.jsontext import Json, JsonObject, loads
from antiphon.wire.remainder import merge
from antiphon.wire.sse import SseEvent, SseParser

Event = chat_pb2.StreamChatResponse

_END = b"[DONE]"
_SAID = frozenset({"role", "content", "tool_plan", "tool_calls", "citations"})
_GROWS = {"text": "text", "thinking": "thinking"}


class Decoder:
    """Reads one stream."""

    def __init__(self) -> None:
        self._parser = SseParser()
        self._head: JsonObject = {}
        self._message: JsonObject = {}
        self._started = self._done = False
        self._parts = 0
        self._plan = -1
        self._content: dict[int, int] = {}
        """Number of the part by number of the content."""
        self._texts: list[int] = []
        """Numbers of the parts that are text, in the order of their content."""
        self._held: dict[int, JsonObject] = {}
        self._calls: dict[int, int] = {}
        self._ends: dict[int, chat_pb2.PartDone] = {}
        self._waiting: list[JsonObject] = []
        """Citations of a content that has not begun."""
        self._tokens: list[Json] = []
        self._error: ServiceError | None = None

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that `chunk` completes. Raises ServiceError."""
        if self._error is not None:
            raise self._error
        try:
            events = self._parser.feed(chunk)
        except ValueError as error:
            raise ServiceError(Reason.MALFORMED_RESPONSE, str(error)) from error
        return self._take(events)

    def close(self) -> list[Event]:
        """The last events. Raises ServiceError OUTCOME_UNKNOWN where the stream broke off."""
        if self._error is not None:
            raise self._error
        out = self._take(self._parser.close())
        if self._done or out:
            return out
        raise ServiceError(
            Reason.OUTCOME_UNKNOWN,
            "the stream broke off before `message-end`: the provider may bill what it had written; "
            "ask again if that is acceptable",
        )

    def usage(self) -> usage_pb2.Usage:
        """What is known to have been used so far."""
        usage = usage_pb2.Usage()
        lift_usage(self._head.get("usage"), usage)
        usage.partial = not self._done
        return usage

    def _take(self, events: list[SseEvent]) -> list[Event]:
        out: list[Event] = []
        for event in events:
            if event.comment is not None or self._done or event.data == _END:
                continue
            try:
                self._read(event, out)
            except ServiceError as error:
                self._error = error
                if out:  # what came before the error is still told; the next call raises
                    return out
                raise
        return out

    def _read(self, event: SseEvent, out: list[Event]) -> None:
        try:
            data = loads(event.data)
        except ValueError as error:
            raise ServiceError(Reason.MALFORMED_RESPONSE, f"an event of the stream is not JSON: {error}") from error
        if not isinstance(data, dict):
            raise ServiceError(Reason.MALFORMED_RESPONSE, "an event of the stream is no JSON object")
        given = data.get("type")
        kind = given if isinstance(given, str) else event.event
        if kind == "error" or (kind not in _EVENTS and isinstance(data.get("message"), str)):
            raise event_error(data)
        handler = _EVENTS.get(kind)
        if not self._started and kind != "message-start":
            self._start({}, out)
        if handler is not None:
            handler(self, data, out)
        else:
            self._head[kind] = {key: value for key, value in data.items() if key != "type"}

    def _message_start(self, data: JsonObject, out: list[Event]) -> None:
        self._start(data, out)
        message = object_at(object_at(data, "delta"), "message")
        merge(self._message, {key: value for key, value in message.items() if key not in _SAID})
        if isinstance(message.get("tool_plan"), str) and message["tool_plan"]:
            self._tool_plan(data, out)

    def _start(self, data: JsonObject, out: list[Event]) -> None:
        self._started = True
        merge(self._head, {key: value for key, value in data.items() if key not in ("type", "delta")})
        completion = chat_pb2.Completion()
        if isinstance(self._head.get("id"), str):
            completion.id = whole_text(self._head["id"])
        out.append(Event(started=chat_pb2.Started(completion=completion)))

    def _content_start(self, data: JsonObject, out: list[Event]) -> None:
        index, item = _index(data), object_at(_message(data), "content")
        if item.get("type") not in _GROWS:
            self._held[index] = dict(item)
            return
        key = _GROWS[item["type"]]
        text = item.get(key)
        number = self._begin_content(index, key, {**item, key: ""}, out)
        if isinstance(text, str) and text:
            out.append(_delta(number, text))

    def _content_delta(self, data: JsonObject, out: list[Event]) -> None:
        index, item = _index(data), object_at(_message(data), "content")
        tokens = data.get("logprobs")
        if index in self._held:
            _grow(self._held[index], item)
            return
        key = next((key for key in ("text", "thinking") if isinstance(item.get(key), str)), "")
        if not key:
            return
        number = self._content.get(index)
        if number is None:
            number = self._begin_content(index, key, {"type": key, key: ""}, out)
        event = _delta(number, item[key])
        if tokens is not None:
            self._tokens += tokens if isinstance(tokens, list) else [tokens]
        if number in self._texts and self._tokens:
            # Tokens of thinking have no place of their own; a unary answer has them before those of the text, too.
            event.part_delta.logprobs.extend(lift_logprobs(self._tokens))
            self._tokens.clear()
        out.append(event)

    def _content_end(self, data: JsonObject, out: list[Event]) -> None:
        held = self._held.pop(_index(data), None)
        if held is not None:
            number = self._begin(lift_item(held, RESPONSE), out)
            self._content[_index(data)] = number

    def _begin_content(self, index: int, key: str, item: JsonObject, out: list[Event]) -> int:
        part = lift_item(item, RESPONSE)
        part.ClearField("form")  # the spelling of an empty content is not that of the whole one
        number = self._content[index] = self._begin(part, out)
        if key == "text":
            self._texts.append(number)
            for citation in self._waiting:
                self._cite(citation, out)
            self._waiting.clear()
        return number

    def _tool_plan(self, data: JsonObject, out: list[Event]) -> None:
        text = _message(data).get("tool_plan")
        if not isinstance(text, str) or not text:
            return
        if self._plan < 0:
            self._plan = self._begin(plan(""), out)
        out.append(_delta(self._plan, text))

    def _call_start(self, data: JsonObject, out: list[Event]) -> None:
        given: Any = _message(data).get("tool_calls")
        call = given[0] if isinstance(given, list) and given else given
        part = lift_call(call if isinstance(call, dict) else {}, RESPONSE)
        self._calls[_index(data)] = self._begin(part, out)

    def _call_delta(self, data: JsonObject, out: list[Event]) -> None:
        text = object_at(object_at(_message(data), "tool_calls"), "function").get("arguments")
        number = self._calls.get(_index(data))
        if number is None:
            raise ServiceError(Reason.MALFORMED_RESPONSE, "the stream went on with a call that had not begun")
        if isinstance(text, str) and text:
            delta = chat_pb2.PartDelta(part_index=number, arguments_json=whole_text(text))
            out.append(Event(part_delta=delta))

    def _call_end(self, data: JsonObject, out: list[Event]) -> None:
        number = self._calls.pop(_index(data), None)
        if number is not None:
            out.append(Event(part_done=self._ends.pop(number)))

    def _citation_start(self, data: JsonObject, out: list[Event]) -> None:
        given: Any = _message(data).get("citations")
        for citation in given if isinstance(given, list) else [given]:
            if isinstance(citation, dict):
                self._cite(citation, out)

    def _cite(self, citation: JsonObject, out: list[Event]) -> None:
        index = citation.get("content_index")
        if citation.get("type") == PLAN:
            number: int | None = self._plan if self._plan >= 0 else None
        elif type(index) is int:
            number = self._content.get(index)
        else:
            number = self._texts[-1] if self._texts else None
        if number is None:
            self._waiting.append(citation)
        elif number in self._texts:
            delta = chat_pb2.PartDelta(part_index=number, citation=lift_citation(citation, RESPONSE))
            out.append(Event(part_delta=delta))
        else:  # deltas cite text alone
            self._ends[number].part.reasoning.citations.append(lift_citation(citation, RESPONSE))

    def _begin(self, part: content_pb2.Part, out: list[Event]) -> int:
        number = self._parts
        self._parts += 1
        started = chat_pb2.PartStarted(part_index=number, role=content_pb2.ROLE_ASSISTANT, part=part)
        out.append(Event(part_started=started))
        self._ends[number] = chat_pb2.PartDone(part_index=number)
        return number

    def _message_end(self, data: JsonObject, out: list[Event]) -> None:
        merge(self._head, {key: value for key, value in data.items() if key not in ("type", "delta")})
        merge(self._head, object_at(data, "delta"))
        for index in list(self._held):
            self._content_end({"index": index}, out)
        if self._waiting:
            self._message["citations"] = self._waiting
        if self._tokens:
            self._head["logprobs"] = self._tokens
        out += [Event(part_done=done) for _, done in sorted(self._ends.items())]
        message = {"role": "assistant", **self._message}
        completion = lift_answer({**self._head, "message": message})
        completion.outputs[0].messages[0].ClearField("form")
        out.append(Event(output_done=chat_pb2.OutputDone(output=completion.outputs[0])))
        completion.ClearField("outputs")
        out.append(Event(usage=completion.usage))
        out.append(Event(completed=chat_pb2.Completed(completion=completion)))
        self._done = True

    def _pass(self, data: JsonObject, out: list[Event]) -> None:
        """Says nothing new."""


_EVENTS: Mapping[str, Callable[[Decoder, JsonObject, list[Event]], None]] = {
    "message-start": Decoder._message_start,
    "content-start": Decoder._content_start,
    "content-delta": Decoder._content_delta,
    "content-end": Decoder._content_end,
    "tool-plan-delta": Decoder._tool_plan,
    "tool-call-start": Decoder._call_start,
    "tool-call-delta": Decoder._call_delta,
    "tool-call-end": Decoder._call_end,
    "citation-start": Decoder._citation_start,
    "citation-end": Decoder._pass,
    "message-end": Decoder._message_end,
}


def _message(data: JsonObject) -> JsonObject:
    return object_at(object_at(data, "delta"), "message")


def _index(data: JsonObject) -> int:
    index = data.get("index", 0)
    if type(index) is not int:
        raise ServiceError(Reason.MALFORMED_RESPONSE, "an event of the stream has no number `index`")
    return index


def _delta(number: int, text: str) -> Event:
    return Event(part_delta=chat_pb2.PartDelta(part_index=number, text=whole_text(text)))


def _grow(target: JsonObject, delta: JsonObject) -> None:
    """Add a delta of an unknown kind the way the known ones add: text to text."""
    for key, value in delta.items():
        before = target.get(key)
        if key != "type":
            target[key] = before + value if isinstance(before, str) and isinstance(value, str) else value
