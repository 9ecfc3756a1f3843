"""A streamed answer, written: events of the contract into server-sent events.

This wire sends one content block after the other, so parts that grow side by side are put in a row: text and
reasoning end when another part begins, and go on in a new block should more of them come; a tool call that begins
while another is open waits for its end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from antiphon.core.errors import Reason, ServiceError
from antiphon.v1 import chat_pb2, content_pb2
from antiphon.wire.anthropic_messages.citations import lower_citation
from antiphon.wire.anthropic_messages.content import BLOCK_CODEC
from antiphon.wire.anthropic_messages.errors import error_body
from antiphon.wire.anthropic_messages.fields import RESPONSE, word
from antiphon.wire.anthropic_messages.quirks import WIRE
from antiphon.wire.anthropic_messages.response import lower_head
from antiphon.wire.anthropic_messages.writer import Writer
from antiphon.wire.jsontext import Json, JsonObject, dumps, loads, text_of
from antiphon.wire.sse import encode_comment, encode_event

Event = chat_pb2.StreamChatResponse
Key = tuple[int, int]
Place = chat_pb2.PartStarted | chat_pb2.PartDelta | chat_pb2.PartDone

_YIELDING = ("text", "reasoning", "refusal")
_HEAD_KEYS = frozenset({"id", "type", "role", "model", "content", "usage"})
_END_KEYS = ("stop_reason", "stop_sequence", "stop_details", "container")
_DELTA_TYPES = {"text": "text_delta", "refusal": "text_delta", "reasoning": "thinking_delta"}


class Encoder:
    """Writes one stream."""

    def __init__(self) -> None:
        self._writer = Writer(direction=RESPONSE)
        self._blocks = 0
        self._current: Key | None = None
        self._kinds: dict[Key, str] = {}
        self._waiting: dict[Key, list[Event]] = {}
        self._free_text: list[str] = []
        self._encrypted: list[bytes] = []
        self._output = chat_pb2.Output()

    def encode(self, event: Event) -> bytes:
        """The bytes of an event; empty where the wire has none for it, or holds it back."""
        name = event.WhichOneof("event")
        return b"".join(_EVENTS[name](self, event)) if name is not None else b""

    def error(self, error: ServiceError) -> bytes:
        """The event that ends a stream that fails."""
        return _sse("error", error_body(error))

    def _started(self, event: Event) -> Iterator[bytes]:
        message = lower_head(event.started.completion)
        message["stop_reason"] = None
        yield _sse("message_start", {"type": "message_start", "message": message})

    def _part_started(self, event: Event) -> Iterator[bytes]:
        started = event.part_started
        key = self._key(started)
        kind = started.part.WhichOneof("kind") or "text"
        self._kinds[key] = kind
        if self._current is not None:
            if self._kinds[self._current] not in _YIELDING:
                self._waiting[key] = [event]
                return
            yield from self._stop()
        block = BLOCK_CODEC.lower(started.part, self._writer, f"parts[{key}]")
        if block is None:
            del self._kinds[key]
            yield from self._notes()
            return
        self._current = key
        pieces = list(_pieces(started.part))
        for name in _EMPTY.get(str(block.get("type")), ()):
            block[name] = {} if name == "input" else ""
        if kind == "text":
            block.pop("citations", None)
        start = {"type": "content_block_start", "index": self._blocks, "content_block": block}
        yield _sse("content_block_start", start)
        for piece in pieces:
            yield self._delta(piece)

    def _part_delta(self, event: Event) -> Iterator[bytes]:
        delta = event.part_delta
        key = self._key(delta)
        if key in self._waiting:
            self._waiting[key].append(event)
            return
        if key != self._current:
            kind = self._kinds.get(key)
            if kind is None:
                return  # the wire has no block for this part
            yield from self._part_started(_again(delta, kind))
            if key in self._waiting:
                self._waiting[key].append(event)
                return
        piece = self._piece(delta, self._kinds[key])
        if piece is not None:
            yield self._delta(piece)

    def _part_done(self, event: Event) -> Iterator[bytes]:
        done = event.part_done
        key = self._key(done)
        if key in self._waiting:
            self._waiting[key].append(event)
        elif key == self._current:
            for piece in _pieces(done.part):
                yield self._delta(piece)
            if WIRE in done.part.provider_data:
                kind = _DELTA_TYPES.get(self._kinds[key], "input_json_delta")
                empty = {"text_delta": "text", "thinking_delta": "thinking"}.get(kind, "partial_json")
                yield self._delta({**loads(done.part.provider_data[WIRE]), "type": kind, empty: ""})
            yield from self._stop()
            yield from self._go_on()

    def _output_done(self, event: Event) -> Iterator[bytes]:
        self._output.CopyFrom(event.output_done.output)
        if self._output.index:
            raise _one_answer()
        yield b""

    def _completed(self, event: Event) -> Iterator[bytes]:
        while self._current is not None:
            yield from self._stop()
            yield from self._go_on()
        completion = chat_pb2.Completion()
        completion.CopyFrom(event.completed.completion)
        del completion.outputs[:]
        completion.outputs.append(self._output)
        whole = lower_head(completion)
        usage = {key: value for key, value in whole["usage"].items() if key != "service_tier"}  # told at the start
        end: JsonObject = {"type": "message_delta", "delta": {}, "usage": usage}
        for key, value in whole.items():
            if key in _END_KEYS:
                end["delta"][key] = value
            elif key not in _HEAD_KEYS:
                end[key] = value
        yield _sse("message_delta", end)
        yield _sse("message_stop", {"type": "message_stop"})

    def _heartbeat(self, event: Event) -> Iterator[bytes]:
        yield _sse("ping", {"type": "ping"})

    def _silent(self, event: Event) -> Iterator[bytes]:
        """Usage is told at the end; for warnings this wire has no word, so the edge puts them in a header."""
        yield b""

    def _go_on(self) -> Iterator[bytes]:
        """Write the parts that waited, as far as they are whole."""
        while self._current is None and self._waiting:
            key = next(iter(self._waiting))
            for event in self._waiting.pop(key):
                yield from _EVENTS[event.WhichOneof("event") or ""](self, event)

    def _stop(self) -> Iterator[bytes]:
        if self._free_text:
            text = text_of({"input": "".join(self._free_text)})
            self._free_text.clear()
            yield self._delta({"type": "input_json_delta", "partial_json": text})
        yield _sse("content_block_stop", {"type": "content_block_stop", "index": self._blocks})
        self._blocks += 1
        self._current = None
        if self._encrypted:
            block = {"type": "redacted_thinking", "data": word(b"".join(self._encrypted))}
            self._encrypted.clear()
            start = {"type": "content_block_start", "index": self._blocks, "content_block": block}
            yield _sse("content_block_start", start)
            yield _sse("content_block_stop", {"type": "content_block_stop", "index": self._blocks})
            self._blocks += 1

    def _piece(self, delta: chat_pb2.PartDelta, kind: str) -> JsonObject | None:
        match delta.WhichOneof("delta"):
            case "text" if kind == "tool_call":
                self._free_text.append(delta.text)  # it has to become a JSON string, whole
                return None
            case "text":
                key = "thinking" if kind == "reasoning" else "text"
                return {"type": _DELTA_TYPES.get(kind, "text_delta"), key: delta.text}
            case "arguments_json":
                return {"type": "input_json_delta", "partial_json": delta.arguments_json}
            case "signature":
                return {"type": "signature_delta", "signature": word(delta.signature)}
            case "citation":
                return {"type": "citations_delta", "citation": lower_citation(delta.citation)}
            case "encrypted":
                self._encrypted.append(delta.encrypted)
        return None  # the state of a tool, and sound, have no word in this wire

    def _delta(self, piece: JsonObject) -> bytes:
        return _sse("content_block_delta", {"type": "content_block_delta", "index": self._blocks, "delta": piece})

    def _notes(self) -> Iterator[bytes]:
        """What the wire could not say, as comments, which every client skips."""
        for note in self._writer.warnings:
            yield encode_comment(f"warning {note.code} {note.field}: {note.message}".encode())
        self._writer.warnings.clear()

    def _key(self, place: Place) -> Key:
        if place.output_index:
            raise _one_answer()
        return place.message_index, place.part_index


_EVENTS: Mapping[str, Callable[[Encoder, Event], Iterator[bytes]]] = {
    "started": Encoder._started,
    "part_started": Encoder._part_started,
    "part_delta": Encoder._part_delta,
    "part_done": Encoder._part_done,
    "output_done": Encoder._output_done,
    "usage": Encoder._silent,
    "completed": Encoder._completed,
    "heartbeat": Encoder._heartbeat,
    "warning": Encoder._silent,
}
_EMPTY: Mapping[str, tuple[str, ...]] = {
    "text": ("text",),
    "thinking": ("thinking", "signature"),
    "tool_use": ("input",),
    "server_tool_use": ("input",),
    "mcp_tool_use": ("input",),
}
"""What a block of each kind starts without, because deltas tell it."""


def _pieces(part: content_pb2.Part) -> Iterator[JsonObject]:
    """What a part already holds, as the deltas that tell it."""
    match part.WhichOneof("kind"):
        case "text":
            if part.text.text:
                yield {"type": "text_delta", "text": part.text.text}
            for citation in part.text.citations:
                yield {"type": "citations_delta", "citation": lower_citation(citation)}
        case "refusal" if part.refusal:
            yield {"type": "text_delta", "text": part.refusal}
        case "reasoning" if part.reasoning.text:
            yield {"type": "thinking_delta", "thinking": part.reasoning.text}
        case "tool_call" if part.tool_call.arguments_json:
            yield {"type": "input_json_delta", "partial_json": part.tool_call.arguments_json}
    if part.signature and part.WhichOneof("kind") in ("reasoning", None):
        yield {"type": "signature_delta", "signature": word(part.signature)}


def _again(place: chat_pb2.PartDelta, kind: str) -> Event:
    """A start for a part that goes on after its block had ended."""
    part = content_pb2.Part()
    if kind == "refusal":
        part.refusal = ""
    else:
        getattr(part, kind).SetInParent()
    started = chat_pb2.PartStarted(message_index=place.message_index, part_index=place.part_index, part=part)
    return Event(part_started=started)


def _sse(name: str, value: Json) -> bytes:
    return encode_event(dumps(value), event=name)


def _one_answer() -> ServiceError:
    return ServiceError(Reason.UNSUPPORTED_PARAMETER, "this format streams one answer: ask for n = 1")
