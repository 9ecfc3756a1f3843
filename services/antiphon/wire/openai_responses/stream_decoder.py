"""A streamed answer, read: server-sent events into events of the contract.

Items come one inside the other's time, each with its number; what a stream says of them last stands in
`output_item.done`. The answer as a whole comes at the end, and is read by the code that reads unary answers.
`obfuscation`, the padding that hides lengths from listeners, is dropped, and so are previews of pictures: the whole
picture follows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from antiphon.core.errors import Reason, ServiceError
from antiphon.v1 import chat_pb2, content_pb2, usage_pb2
from antiphon.wire.base import HttpReply
from antiphon.wire.fields import objects
from antiphon.wire.jsontext import JsonObject, dumps, loads
from antiphon.wire.openai_responses.errors import body_error, lift_error
from antiphon.wire.openai_responses.items import MESSAGE, Turns, kind
from antiphon.wire.openai_responses.response import check_failure, lift_head
from antiphon.wire.openai_responses.stream_items import Event, Item, Numbers, begin
from antiphon.wire.openai_responses.usage import lift_usage
from antiphon.wire.sse import BOM, SseEvent, SseParser

_END = b"[DONE]"
"""Ends the streams of another wire; some routers send it here too."""
_HEAD = "response."
_SPACE = b" \t\r\n"


class Decoder:
    """Reads one stream."""

    def __init__(self) -> None:
        self._parser = SseParser()
        self._begin: bytes | None = b""
        """What came before the first byte that tells a stream from a bare answer; None once that is known."""
        self._bare: bytearray | None = None
        self._out: list[Event] = []
        self._head: JsonObject = {}
        self._items: dict[int, Item] = {}
        self._messages: list[Numbers] = []
        self._turns = Turns()
        self._started = False
        self._done = False
        self._error: ServiceError | None = None

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that `chunk` completes. Raises ServiceError."""
        if self._error is not None:
            raise self._error
        if self._begin is not None:
            begun = self._begin + chunk
            text = begun.removeprefix(BOM).lstrip(_SPACE)
            if not text or BOM.startswith(begun):
                self._begin = begun
                return []
            self._begin, chunk = None, begun
            if text.startswith(b"{"):
                self._bare = bytearray()
        if self._bare is not None:
            self._bare += chunk
            return []
        return self._take(self._parser.feed, chunk)

    def close(self) -> list[Event]:
        """The last events. Raises ServiceError OUTCOME_UNKNOWN where the stream broke off."""
        if self._error is not None:
            raise self._error
        if self._bare is not None:
            return self._take(_bare_events, bytes(self._bare).removeprefix(BOM))
        told = self._take(lambda _: self._parser.close(), b"")
        if self._done or told:
            return told
        raise ServiceError(
            Reason.OUTCOME_UNKNOWN,
            "the stream broke off before `response.completed`: the provider may bill what it had written; "
            "ask again if that is acceptable",
        )

    def usage(self) -> usage_pb2.Usage:
        """What is known to have been used so far."""
        usage = usage_pb2.Usage()
        lift_usage(self._head, usage)
        usage.partial = not self._done
        return usage

    def _take(self, parse: Callable[[bytes], list[SseEvent]], chunk: bytes) -> list[Event]:
        try:
            for event in parse(chunk):
                if event.comment is None and not self._done and event.data != _END:
                    self._read(event)
        except ValueError as error:
            self._error = ServiceError(Reason.MALFORMED_RESPONSE, f"the stream cannot be read: {error}")
        except ServiceError as error:
            self._error = error
        told = self._out.copy()
        self._out.clear()  # the items hold the list too
        if self._error is not None and not told:  # what came before the error is told first; the next call raises
            raise self._error
        return told

    def _read(self, event: SseEvent) -> None:
        data = loads(event.data)
        if not isinstance(data, dict):
            raise ServiceError(Reason.MALFORMED_RESPONSE, "an event of the stream is no JSON object")
        given = data.get("type")
        name = given if isinstance(given, str) else event.event
        if name == "error" or (not name and "error" in data):
            inner = data.get("error")
            raise body_error(inner if inner else {key: data[key] for key in data if key != "type"})
        name = name.removeprefix(_HEAD)
        handler = _EVENTS.get(name)
        if handler is not None:
            handler(self, data)
            return
        item = self._items.get(_index(data))
        if item is not None and not item.is_done:
            item.event(name, data)

    def _begin_answer(self, data: JsonObject) -> None:
        given = data.get("response")
        if isinstance(given, dict):
            self._head = given
            check_failure(given)
        self._start()

    def _start(self) -> None:
        if self._started:
            return
        self._started = True
        completion = lift_head(self._head, ())
        for name in ("outputs", "form", "provider_data", "usage"):
            completion.ClearField(name)
        self._out.append(Event(started=chat_pb2.Started(completion=completion)))

    def _begin_item(self, data: JsonObject) -> None:
        item, index = data.get("item"), _index(data)
        if not isinstance(item, dict):
            raise ServiceError(Reason.MALFORMED_RESPONSE, "`output_item.added` has no item")
        self._start()
        type_ = kind(item)
        number = self._turns.take(content_pb2.ROLE_ASSISTANT, is_message=type_ == MESSAGE)
        while len(self._messages) <= number:
            self._messages.append(Numbers(len(self._messages)))
        self._items[index] = begin(item, type_, self._messages[number], self._out)

    def _end_item(self, data: JsonObject) -> None:
        item, index = data.get("item"), _index(data)
        if not isinstance(item, dict):
            raise ServiceError(Reason.MALFORMED_RESPONSE, "`output_item.done` has no item")
        if index not in self._items:
            self._begin_item(data)
        begun = self._items[index]
        if not begun.is_done:
            begun.done({**item, "type": begun.read["type"]} if "type" in begun.read else item)

    def _end_answer(self, data: JsonObject) -> None:
        body = data.get("response")
        if not isinstance(body, dict):
            raise ServiceError(Reason.MALFORMED_RESPONSE, "the last event of the stream has no answer")
        self._head = {**self._head, **body}
        check_failure(self._head)
        self._start()
        for index, read in enumerate(objects(self._head.get("output"))):
            self._end_item({"output_index": index, "item": read})
        for item in self._items.values():
            if not item.is_done:
                item.done(item.read)
        messages = [content_pb2.Message(role=content_pb2.ROLE_ASSISTANT) for _ in self._messages]
        for item in self._items.values():
            messages[item.message_number].parts.extend(item.parts)
            if item.message is not None:
                messages[item.message_number].MergeFrom(item.message)
        completion = lift_head(self._head, messages)
        output = completion.outputs[0]
        for message in messages:
            message.ClearField("parts")
        output.messages.extend(messages)
        self._out.append(Event(output_done=chat_pb2.OutputDone(output=output)))
        completion.ClearField("outputs")
        completion.usage.SetInParent()
        self._out.append(Event(usage=completion.usage))
        self._out.append(Event(completed=chat_pb2.Completed(completion=completion)))
        self._done = True


_EVENTS: Mapping[str, Callable[[Decoder, JsonObject], None]] = {
    **dict.fromkeys(("created", "queued", "in_progress"), Decoder._begin_answer),
    **dict.fromkeys(("completed", "incomplete", "failed", "cancelled", "done"), Decoder._end_answer),
    "output_item.added": Decoder._begin_item,
    "output_item.done": Decoder._end_item,
}


def _bare_events(body: bytes) -> list[SseEvent]:
    """A whole answer, or an error, that a provider sends where a stream was asked for."""
    data = loads(body)
    if isinstance(data, dict) and "output" in data:
        return [SseEvent(data=dumps({"type": "response.completed", "response": data}))]
    raise lift_error(HttpReply(status=200, body=body))


def _index(data: JsonObject) -> int:
    index = data.get("output_index")
    return index if type(index) is int else 0
