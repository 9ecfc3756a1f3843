"""A streamed answer, written: events of the contract into binary frames. Blocks carry their number, so parts that
grow side by side stay side by side."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from antiphon.core.errors import ServiceError
from antiphon.v1 import chat_pb2, content_pb2
from antiphon.wire.bedrock_converse.blocks import BLOCK_CODEC
from antiphon.wire.bedrock_converse.citations import lower_citation
from antiphon.wire.bedrock_converse.errors import exception
from antiphon.wire.bedrock_converse.response import lower_answer, one_answer
from antiphon.wire.bedrock_converse.spelling import WIRE, reader
from antiphon.wire.eventstream import event_frame, exception_frame
from antiphon.wire.fields import RESPONSE, object_at, word
from antiphon.wire.jsontext import Json, JsonObject, dumps, loads, text_of

Event = chat_pb2.StreamChatResponse
Key = tuple[int, int]
Place = chat_pb2.PartStarted | chat_pb2.PartDelta | chat_pb2.PartDone

_AT_STOP = ("stopReason", "additionalModelResponseFields")
_GROWING = ("text", "refusal", "reasoning", "tool_call")


@dataclass(slots=True)
class _Block:
    index: int
    part: content_pb2.Part
    kind: str
    said: bool = False
    free_text: list[str] = field(default_factory=list)


class Encoder:
    """Writes one stream."""

    def __init__(self) -> None:
        self._scribe = reader(RESPONSE)
        self._blocks: dict[Key, _Block] = {}
        self._count = 0
        self._output = chat_pb2.Output()

    def encode(self, event: Event) -> bytes:
        """The bytes of an event; empty where the wire has none for it, or holds it back."""
        handler = _EVENTS.get(event.WhichOneof("event") or "")
        return b"".join(handler(self, event)) if handler is not None else b""

    def error(self, error: ServiceError) -> bytes:
        """The exception that ends a stream which fails."""
        name, body = exception(error)
        return exception_frame(name, dumps(body))

    def _started(self, event: Event) -> Iterator[bytes]:
        yield _frame("messageStart", {"role": "assistant"})

    def _part_started(self, event: Event) -> Iterator[bytes]:
        started = event.part_started
        part = content_pb2.Part()
        part.CopyFrom(started.part)
        kind = part.WhichOneof("kind") or "text"
        if kind == "tool_call" and part.tool_call.executor == content_pb2.TOOL_EXECUTOR_MCP:
            return  # the wire has no block for it
        block = self._blocks[self._key(started)] = _Block(index=self._count, part=part, kind=kind)
        self._count += 1
        if kind == "tool_call":
            lowered = BLOCK_CODEC.lower(part, self._scribe, "") or {}
            start = {key: value for key, value in object_at(lowered, "toolUse").items() if key != "input"}
            yield self._start(block, {"toolUse": start})
        if kind in _GROWING:
            for piece in self._pieces(block, part):
                yield self._delta(block, piece)

    def _part_delta(self, event: Event) -> Iterator[bytes]:
        delta = event.part_delta
        block = self._blocks.get(self._key(delta))
        if block is None:
            return
        if block.kind not in _GROWING:
            if delta.WhichOneof("delta") == "media":
                block.part.media.data += delta.media
            return
        piece = self._piece(block, delta)
        if piece is not None:
            yield self._delta(block, piece)

    def _part_done(self, event: Event) -> Iterator[bytes]:
        done = event.part_done
        block = self._blocks.pop(self._key(done), None)
        if block is None:
            return
        if block.kind in _GROWING:
            yield from self._finish(block, done.part)
        else:
            block.part.MergeFrom(done.part)
            yield from self._whole(block)
        yield _frame("contentBlockStop", {"contentBlockIndex": block.index})

    def _finish(self, block: _Block, part: content_pb2.Part) -> Iterator[bytes]:
        """What is known of a part that grew only at its end."""
        for piece in self._pieces(block, part) if part.WhichOneof("kind") == block.kind or part.signature else ():
            yield self._delta(block, piece)
        if block.free_text:  # it has to become a JSON string, whole
            text = text_of({"input": "".join(block.free_text)})
            yield self._delta(block, {"toolUse": {"input": text}})
        if WIRE in part.provider_data:
            yield self._delta(block, loads(part.provider_data[WIRE]))
        if not block.said and block.kind != "tool_call":
            said: Json = {"reasoningContent": {"text": ""}} if block.kind == "reasoning" else {"text": ""}
            yield self._delta(block, said)

    def _whole(self, block: _Block) -> Iterator[bytes]:
        """A block that comes at once."""
        lowered = BLOCK_CODEC.lower(block.part, self._scribe, "")
        if lowered is None:
            return
        kind = next(iter(lowered), "")
        if kind == "toolResult":
            start = {key: value for key, value in lowered[kind].items() if key != "content"}
            yield self._start(block, {kind: start})
            content = [_told(item) for item in lowered[kind].get("content", [])]
            yield self._delta(block, {kind: content})
        elif kind == "image":
            start = {key: value for key, value in lowered[kind].items() if key != "source"}
            yield self._start(block, {kind: start})
            yield self._delta(block, {kind: {"source": lowered[kind].get("source", {})}})
        elif kind == "text":
            yield self._delta(block, lowered)
        else:
            yield self._start(block, lowered)

    def _output_done(self, event: Event) -> Iterator[bytes]:
        self._output.CopyFrom(event.output_done.output)
        if self._output.index:
            raise one_answer()
        yield b""

    def _completed(self, event: Event) -> Iterator[bytes]:
        completion = chat_pb2.Completion()
        completion.CopyFrom(event.completed.completion)
        del completion.outputs[:]
        completion.outputs.append(self._output)
        for block in self._blocks.values():
            yield _frame("contentBlockStop", {"contentBlockIndex": block.index})
        body = lower_answer(completion)
        del body["output"]
        yield _frame("messageStop", {key: body.pop(key) for key in _AT_STOP if key in body})
        yield _frame("metadata", body)

    def _pieces(self, block: _Block, part: content_pb2.Part) -> Iterator[JsonObject]:
        """What a part already holds, as the deltas that tell it."""
        match part.WhichOneof("kind"):
            case "text":
                if part.text.text:
                    yield {"text": part.text.text}
                for citation in part.text.citations:
                    yield {"citation": lower_citation(citation, self._scribe)}
            case "refusal" if part.refusal:
                yield {"text": part.refusal}
            case "reasoning":
                if part.reasoning.text:
                    yield {"reasoningContent": {"text": part.reasoning.text}}
                if part.reasoning.encrypted:
                    yield _redacted(part.reasoning.encrypted)
            case "tool_call":
                block.free_text += [part.tool_call.text] if part.tool_call.text else []
                if part.tool_call.arguments_json:
                    yield {"toolUse": {"input": part.tool_call.arguments_json}}
        if part.signature and block.kind == "reasoning":
            yield {"reasoningContent": {"signature": word(part.signature)}}

    def _piece(self, block: _Block, delta: chat_pb2.PartDelta) -> JsonObject | None:
        match delta.WhichOneof("delta"):
            case "text" if block.kind == "tool_call":
                block.free_text.append(delta.text)
            case "text" if block.kind == "reasoning":
                return {"reasoningContent": {"text": delta.text}}
            case "text":
                return {"text": delta.text}
            case "arguments_json":
                return {"toolUse": {"input": delta.arguments_json}}
            case "signature" if block.kind == "reasoning":
                return {"reasoningContent": {"signature": word(delta.signature)}}
            case "citation":
                return {"citation": lower_citation(delta.citation, self._scribe)}
            case "encrypted" if block.part.reasoning.redacted:
                return _redacted(delta.encrypted)
        return None  # the state of a tool, sound, and what other providers encrypt have no word in this wire

    def _start(self, block: _Block, start: JsonObject) -> bytes:
        block.said = True
        return _frame("contentBlockStart", {"contentBlockIndex": block.index, "start": start})

    def _delta(self, block: _Block, delta: JsonObject) -> bytes:
        block.said = True
        return _frame("contentBlockDelta", {"contentBlockIndex": block.index, "delta": delta})

    def _key(self, place: Place) -> Key:
        if place.output_index:
            raise one_answer()
        return place.message_index, place.part_index


_EVENTS: Mapping[str, Callable[[Encoder, Event], Iterator[bytes]]] = {
    "started": Encoder._started,
    "part_started": Encoder._part_started,
    "part_delta": Encoder._part_delta,
    "part_done": Encoder._part_done,
    "output_done": Encoder._output_done,
    "completed": Encoder._completed,
}


def _told(item: JsonObject) -> JsonObject:
    """An element of a result as a stream can say it, which knows text and JSON alone."""
    return {"json": item["searchResult"]} if "searchResult" in item else item


def _redacted(data: bytes) -> JsonObject:
    return {"reasoningContent": {"redactedContent": base64.b64encode(data).decode()}}


def _frame(name: str, body: JsonObject) -> bytes:
    return event_frame(name, dumps(body))
