"""A streamed answer, written: server-sent events, or the elements of one JSON array.

Clients of this wire read every chunk as a small answer: text goes out as it comes, calls and media when they are whole,
because a chunk that holds half of them means nothing. What is said of a candidate as a whole, and usage, come last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from antiphon.core.errors import ServiceError
from antiphon.core.fold import Fold
from antiphon.v1 import chat_pb2, content_pb2
from antiphon.wire.fields import RESPONSE
from antiphon.wire.gemini.candidates import lower_content, lower_rest
from antiphon.wire.gemini.errors import error_body
from antiphon.wire.gemini.parts import lower_part
from antiphon.wire.gemini.response import lower_head
from antiphon.wire.gemini.writer import Writer
from antiphon.wire.jsontext import JsonObject, dumps
from antiphon.wire.sse import encode_comment, encode_event

Event = chat_pb2.StreamChatResponse
Key = tuple[int, int, int]
Place = chat_pb2.PartStarted | chat_pb2.PartDelta | chat_pb2.PartDone

_TOLD = ("text", "reasoning", "refusal")
_PASSED_ON = ("responseId", "modelVersion", "createTime")


@dataclass(slots=True)
class _Open:
    """A part that is not whole."""

    thought: bool
    told: bool
    """Whether its text goes out as it comes."""
    events: Fold = field(default_factory=Fold)

    def part(self) -> content_pb2.Part:
        """The part so far."""
        return next(part for output in self.events.outputs() for message in output.messages for part in message.parts)


class Encoder:
    """Writes one stream; as an array for a client that did not ask for `alt=sse`."""

    def __init__(self, *, array: bool = False) -> None:
        self._array = array
        self._writer = Writer(direction=RESPONSE)
        self._fold = Fold()
        self._head: JsonObject = {}
        self._open: dict[Key, _Open] = {}
        self._chunks = 0

    def encode(self, event: Event) -> bytes:
        """The bytes of an event; empty where the wire has none for it, or holds it back."""
        self._fold.add(event)
        name = event.WhichOneof("event")
        handler = _EVENTS.get(name or "")
        return b"".join(handler(self, event)) if handler is not None else b""

    def error(self, error: ServiceError) -> bytes:
        """The chunk that ends a stream that fails."""
        return self._chunk(error_body(error)) + (b"]" if self._array else b"")

    def _started(self, event: Event) -> Iterator[bytes]:
        head = lower_head(event.started.completion)
        self._head = {key: head[key] for key in _PASSED_ON if key in head}
        yield b""

    def _part_started(self, event: Event) -> Iterator[bytes]:
        part = event.part_started.part
        told = part.WhichOneof("kind") in _TOLD and not part.signature and not part.provider_data
        opened = self._open[_key(event.part_started)] = _Open(part.HasField("reasoning"), told)
        opened.events.add(event)
        if told and (text := _text(part)):
            yield self._say(event.part_started.output_index, text, opened)

    def _part_delta(self, event: Event) -> Iterator[bytes]:
        delta = event.part_delta
        opened = self._open.get(_key(delta))
        if opened is None:
            return  # what is said of a part that has gone out, such as a citation, is said at the end
        opened.events.add(event)
        if delta.text and opened.told:
            yield self._say(delta.output_index, delta.text, opened)

    def _part_done(self, event: Event) -> Iterator[bytes]:
        key = _key(event.part_done)
        if key in self._open:
            self._open[key].events.add(event)
        yield self._whole(key)

    def _completed(self, event: Event) -> Iterator[bytes]:
        for key in list(self._open):
            yield self._whole(key)
        completion = self._fold.completion()
        head = lower_head(completion)
        rest = [] if completion.prompt_blocked else list(completion.outputs)
        for output in rest[:-1]:
            yield self._chunk({**self._head, "candidates": [self._last(output, completion)]})
        if rest:
            head["candidates"] = [self._last(rest[-1], completion)]
        yield self._chunk(head) + (b"]" if self._array else b"")

    def _heartbeat(self, event: Event) -> Iterator[bytes]:
        yield b"" if self._array else encode_comment(b"ping")

    def _last(self, output: chat_pb2.Output, completion: chat_pb2.Completion) -> JsonObject:
        """What is left to say of a candidate; its content too where that holds no parts."""
        candidate = lower_rest(output, completion)
        candidate.setdefault("finishReason", "FINISH_REASON_UNSPECIFIED")  # else the stream would seem to break off
        if output.messages and not any(message.parts for message in output.messages):
            candidate["content"] = lower_content(output.messages, self._writer, "completion.outputs")
        return candidate

    def _whole(self, key: Key) -> bytes:
        """What has not been said of a part."""
        opened = self._open.pop(key, None)
        if opened is None:
            return b""
        part = opened.part()
        if opened.told:
            if not part.signature and not part.provider_data:
                return b""
            _clear_text(part)  # the text went out already; what proves it follows
        lowered = lower_part(part, self._writer, f"parts[{key}]", {})
        return b"" if lowered is None else self._parts(key[0], lowered)

    def _say(self, index: int, text: str, opened: _Open) -> bytes:
        return self._parts(index, {"text": text, "thought": True} if opened.thought else {"text": text})

    def _parts(self, index: int, part: JsonObject) -> bytes:
        content = {"parts": [part], "role": "model"}
        return self._chunk({"candidates": [{"content": content, "index": index}], **self._head})

    def _chunk(self, body: JsonObject) -> bytes:
        self._chunks += 1
        if not self._array:
            return encode_event(dumps(body))
        return (b"[" if self._chunks == 1 else b",\n") + dumps(body)


_EVENTS: Mapping[str, Callable[[Encoder, Event], Iterator[bytes]]] = {
    "started": Encoder._started,
    "part_started": Encoder._part_started,
    "part_delta": Encoder._part_delta,
    "part_done": Encoder._part_done,
    "completed": Encoder._completed,
    "heartbeat": Encoder._heartbeat,
}
"""Usage and the ends of outputs are told with the last chunk; for warnings this wire has no word."""


def _key(place: Place) -> Key:
    return place.output_index, place.message_index, place.part_index


def _text(part: content_pb2.Part) -> str:
    kind = part.WhichOneof("kind")
    return part.refusal if kind == "refusal" else part.reasoning.text if kind == "reasoning" else part.text.text


def _clear_text(part: content_pb2.Part) -> None:
    if part.HasField("reasoning"):
        part.reasoning.text = ""
    else:
        part.text.text = ""
