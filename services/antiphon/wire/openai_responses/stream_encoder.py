"""A streamed answer, written: events of the contract into server-sent events.

Parts become items, or elements of the content of one; the items of an answer may grow side by side. What is whole is
told again at the end, as clients of this wire expect, so the encoder keeps the parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from antiphon.core.errors import Reason, ServiceError
from antiphon.v1 import chat_pb2, content_pb2
from antiphon.wire.fields import RESPONSE
from antiphon.wire.jsontext import JsonObject, dumps
from antiphon.wire.openai_responses.errors import error_event
from antiphon.wire.openai_responses.response import lower_completion, lower_head
from antiphon.wire.openai_responses.stream_written import Grown, Written, begin
from antiphon.wire.openai_responses.writer import Writer
from antiphon.wire.sse import encode_comment, encode_event

Event = chat_pb2.StreamChatResponse
Key = tuple[int, int]
Place = chat_pb2.PartStarted | chat_pb2.PartDelta | chat_pb2.PartDone


class Encoder:
    """Writes one stream."""

    def __init__(self) -> None:
        self._writer = Writer(direction=RESPONSE)
        self._number = 0
        self._parts: dict[Key, Grown] = {}
        self._items: list[Written] = []
        self._of: dict[Key, Written] = {}
        self._open: dict[int, Written] = {}
        """By number of the message: its last item, which may go on."""
        self._abouts: dict[int, content_pb2.Message] = {}
        self._output = chat_pb2.Output()

    def encode(self, event: Event) -> bytes:
        """The bytes of an event; empty where the wire has none for it."""
        name = event.WhichOneof("event")
        if name is None:
            return b""
        if name == "heartbeat":
            return encode_comment(b"alive")
        return b"".join(map(self._sse, _EVENTS[name](self, event)))

    def error(self, error: ServiceError) -> bytes:
        """The event that ends a stream that fails."""
        return encode_event(dumps(error_event(error, self._number)), event="error")

    def _sse(self, value: JsonObject) -> bytes:
        value["sequence_number"] = self._number
        self._number += 1
        return encode_event(dumps(value), event=value["type"])

    def _started(self, event: Event) -> Iterator[JsonObject]:
        for name in ("created", "in_progress"):
            body = {**lower_head(event.started.completion), "status": "in_progress", "output": []}
            yield {"type": f"response.{name}", "response": body}

    def _part_started(self, event: Event) -> Iterator[JsonObject]:
        started = event.part_started
        key = self._key(started)
        grown = self._parts[key] = Grown(started.part)
        about = self._abouts.setdefault(key[0], content_pb2.Message())
        about.role = content_pb2.ROLE_ASSISTANT
        about.id = about.id or started.message_id
        for written in self._items:
            if written.takes_result(started.part):
                self._of[key] = written
                written.result = grown
                return
        last = self._open.get(key[0])
        if last is not None and last.goes_on(started.part):
            self._of[key] = last
            yield from last.more(grown)
            return
        begun = begin(grown, about, self._writer, len(self._items))
        if begun is None:
            return
        if last is not None:
            last.is_superseded = True
            yield from self._close(last)
        self._of[key] = self._open[key[0]] = begun
        self._items.append(begun)
        self._writer.items = len(self._items)
        yield begun.added()
        yield from begun.more(grown)

    def _part_delta(self, event: Event) -> Iterator[JsonObject]:
        key = self._key(event.part_delta)
        if key not in self._parts:
            return
        grown = self._parts[key]
        grown.add(event.part_delta)
        if key in self._of and self._of[key].result is not grown:
            yield from self._of[key].delta(grown, event.part_delta)

    def _part_done(self, event: Event) -> Iterator[JsonObject]:
        done = event.part_done
        key = self._key(done)
        if key not in self._parts:
            return
        self._parts[key].finish(done)
        if done.HasField("message"):
            self._abouts[key[0]].MergeFrom(done.message)
        written = self._of.get(key)
        if written is None:
            return
        if done.HasField("message"):
            written.is_superseded = True
        if written.result is not self._parts[key]:
            yield from written.part_done(self._parts[key])
        yield from self._close(written)

    def _close(self, written: Written, *, force: bool = False) -> Iterator[JsonObject]:
        if force or written.is_whole():
            yield from written.done()

    def _output_done(self, event: Event) -> Iterator[JsonObject]:
        if event.output_done.output.index:
            raise _one_answer()
        self._output.CopyFrom(event.output_done.output)
        return iter(())

    def _completed(self, event: Event) -> Iterator[JsonObject]:
        for written in self._items:
            yield from self._close(written, force=True)
        completion = chat_pb2.Completion()
        completion.CopyFrom(event.completed.completion)
        del completion.outputs[:]
        completion.outputs.append(self._output)
        output = completion.outputs[0]
        for (number, _), grown in sorted(self._parts.items(), key=lambda item: item[0]):
            while len(output.messages) <= number:
                output.messages.add(role=content_pb2.ROLE_ASSISTANT)
            message = output.messages[number]
            message.id = message.id or self._abouts[number].id
            message.parts.append(grown.part())
        body = lower_completion(completion)
        kind = body["status"] if body["status"] in ("incomplete", "failed") else "completed"
        yield {"type": f"response.{kind}", "response": body}

    def _silent(self, event: Event) -> Iterator[JsonObject]:
        """Usage is told at the end; for warnings this wire has no word, so the edge puts them in a header."""
        return iter(())

    def _key(self, place: Place) -> Key:
        if place.output_index:
            raise _one_answer()
        return place.message_index, place.part_index


_EVENTS: Mapping[str, Callable[[Encoder, Event], Iterator[JsonObject]]] = {
    "started": Encoder._started,
    "part_started": Encoder._part_started,
    "part_delta": Encoder._part_delta,
    "part_done": Encoder._part_done,
    "output_done": Encoder._output_done,
    "usage": Encoder._silent,
    "completed": Encoder._completed,
    "warning": Encoder._silent,
}


def _one_answer() -> ServiceError:
    return ServiceError(Reason.UNSUPPORTED_PARAMETER, "this format streams one answer: ask for n = 1")
