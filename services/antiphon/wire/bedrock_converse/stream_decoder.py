"""A streamed answer, read: binary frames into events of the contract.

The answer's head (why it ended, usage, trace) is put together as the JSON that a unary answer would have had, and
lifted once at the end by the same code. `p`, the padding that hides lengths from listeners, is dropped.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from antiphon.core.errors import Reason, ServiceError
from antiphon.v1 import chat_pb2, content_pb2, usage_pb2
from antiphon.wire.bedrock_converse.blocks import BLOCK_CODEC, mark_unsigned
from antiphon.wire.bedrock_converse.citations import lift_citation
from antiphon.wire.bedrock_converse.errors import frame_error
from antiphon.wire.bedrock_converse.response import lift_answer
from antiphon.wire.bedrock_converse.spelling import WIRE, reader
from antiphon.wire.bedrock_converse.usage import lift_usage
from antiphon.wire.eventstream import BrokenFrames, Frame, FrameParser
from antiphon.wire.fields import RESPONSE, Place, object_at, sorted_text, whole_text
from antiphon.wire.jsontext import Json, JsonObject, loads
from antiphon.wire.remainder import merge

Event = chat_pb2.StreamChatResponse

_LENIENT = Place(RESPONSE)
_PADDING = "p"


@dataclass(slots=True)
class _Block:
    number: int = -1
    """Of the part in the message; -1 before it has begun."""
    kind: str = ""
    held: JsonObject | None = None
    """A block that is told whole at its end."""
    has_arguments: bool = False
    extra: JsonObject = field(default_factory=dict)
    """Deltas of unknown kinds."""


class Decoder:
    """Reads one stream."""

    def __init__(self) -> None:
        self._parser = FrameParser()
        self._head: JsonObject = {}
        self._blocks: dict[int, _Block] = {}
        self._parts = 0
        self._started = self._stopped = self._done = False
        self._error: ServiceError | None = None

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that `chunk` completes. Raises ServiceError."""
        if self._error is not None:
            raise self._error
        try:
            return self._take(self._parser.feed(chunk))
        except BrokenFrames as error:
            self._error = ServiceError(Reason.MALFORMED_RESPONSE, str(error))
            if out := self._take(error.frames):
                return out
            raise self._error from error
        except ValueError as error:
            self._error = ServiceError(Reason.MALFORMED_RESPONSE, str(error))
            raise self._error from error

    def close(self) -> list[Event]:
        """The last events. Raises ServiceError OUTCOME_UNKNOWN where the stream broke off."""
        if self._error is not None:
            raise self._error
        if self._done:
            return []
        if self._stopped and not self._parser.unfinished:
            out: list[Event] = []
            self._finish(out)
            return out
        raise ServiceError(
            Reason.OUTCOME_UNKNOWN,
            "the stream broke off before `messageStop`: the provider may bill what it had written; "
            "ask again if that is acceptable",
        )

    def usage(self) -> usage_pb2.Usage:
        """What is known to have been used so far."""
        usage = usage_pb2.Usage()
        lift_usage(self._head.get("usage"), usage)
        usage.partial = not self._done
        return usage

    def _take(self, frames: list[Frame]) -> list[Event]:
        out: list[Event] = []
        for frame in frames:
            if self._done:
                continue
            try:
                self._read(frame, out)
            except ServiceError as error:
                self._error = error
                if out:  # what came before the error is still told; the next call raises
                    return out
                raise
        return out

    def _read(self, frame: Frame, out: list[Event]) -> None:
        if frame.text(":message-type") in ("exception", "error"):
            raise frame_error(frame)
        try:
            data = loads(frame.payload)
        except ValueError as error:
            raise ServiceError(Reason.MALFORMED_RESPONSE, f"an event of the stream is not JSON: {error}") from error
        if not isinstance(data, dict):
            raise ServiceError(Reason.MALFORMED_RESPONSE, "an event of the stream is no JSON object")
        data.pop(_PADDING, None)
        kind = frame.text(":event-type")
        if not self._started:
            self._started = True
            out.append(Event(started=chat_pb2.Started(completion=chat_pb2.Completion())))
        handler = _EVENTS.get(kind)
        if handler is not None:
            handler(self, data, out)
        else:
            self._head[kind] = data

    def _message_start(self, data: JsonObject, out: list[Event]) -> None:
        extra = {key: value for key, value in data.items() if key != "role"}
        if extra:
            self._head["messageStart"] = extra

    def _block_start(self, data: JsonObject, out: list[Event]) -> None:
        block = self._blocks.setdefault(_index(data), _Block())
        start = object_at(data, "start")
        if isinstance(start.get("toolUse"), dict):
            part = BLOCK_CODEC.lift({"toolUse": {**start["toolUse"], "input": {}}}, _LENIENT)
            part.tool_call.arguments_json = ""
            self._begin(block, "toolUse", part, out)
        elif isinstance(start.get("toolResult"), dict):
            block.held = {"toolResult": {**start["toolResult"], "content": []}}
        elif start:
            block.held = start

    def _block_delta(self, data: JsonObject, out: list[Event]) -> None:
        block = self._blocks.setdefault(_index(data), _Block())
        for kind, value in object_at(data, "delta").items():
            if block.held is not None:
                _grow(block.held, kind, value)
            elif kind in _DELTAS and isinstance(value, _TYPES[kind]):
                _DELTAS[kind](self, block, value, out)
            elif kind in ("toolResult", "image"):
                block.held = {kind: {}}
                _grow(block.held, kind, value)
            else:
                merge(block.extra, {kind: value})

    def _text(self, block: _Block, text: str, out: list[Event]) -> None:
        self._begin(block, "text", content_pb2.Part(text=content_pb2.TextPart()), out)
        self._delta(block, chat_pb2.PartDelta(text=whole_text(text)), out)

    def _citation(self, block: _Block, citation: JsonObject, out: list[Event]) -> None:
        self._begin(block, "text", content_pb2.Part(text=content_pb2.TextPart()), out)
        self._delta(block, chat_pb2.PartDelta(citation=lift_citation(citation, RESPONSE)), out)

    def _arguments(self, block: _Block, use: JsonObject, out: list[Event]) -> None:
        text = use.get("input")
        call = content_pb2.ToolCall(executor=content_pb2.TOOL_EXECUTOR_CLIENT)
        self._begin(block, "toolUse", content_pb2.Part(tool_call=call), out)
        if isinstance(text, str) and text:
            block.has_arguments = True
            self._delta(block, chat_pb2.PartDelta(arguments_json=whole_text(text)), out)

    def _reasoning(self, block: _Block, said: JsonObject, out: list[Event]) -> None:
        redacted = said.get("redactedContent")
        part = content_pb2.Part(reasoning=content_pb2.ReasoningPart(redacted=isinstance(redacted, str)))
        mark_unsigned(part, reader(RESPONSE))  # until a signature comes
        self._begin(block, "reasoning", part, out)
        if isinstance(said.get("text"), str):
            self._delta(block, chat_pb2.PartDelta(text=whole_text(said["text"])), out)
        if isinstance(said.get("signature"), str):
            self._delta(block, chat_pb2.PartDelta(signature=whole_text(said["signature"]).encode()), out)
        if isinstance(redacted, str):
            self._delta(block, chat_pb2.PartDelta(encrypted=_bytes(redacted)), out)

    def _block_stop(self, data: JsonObject, out: list[Event]) -> None:
        self._end(_index(data), out)

    def _end(self, index: int, out: list[Event]) -> None:
        block = self._blocks.pop(index, _Block())
        if block.held is not None:
            self._begin(block, "held", BLOCK_CODEC.lift(block.held, _LENIENT), out)
        elif block.extra and block.number < 0:
            self._begin(block, "held", BLOCK_CODEC.lift(block.extra, _LENIENT), out)
            block.extra = {}
        if block.number < 0:
            return  # a block that said nothing
        if block.kind == "toolUse" and not block.has_arguments:
            self._delta(block, chat_pb2.PartDelta(arguments_json="{}"), out)
        done = chat_pb2.PartDone(part_index=block.number)
        if block.extra:
            done.part.provider_data[WIRE] = sorted_text(block.extra)
        out.append(Event(part_done=done))

    def _begin(self, block: _Block, kind: str, part: content_pb2.Part, out: list[Event]) -> None:
        if block.number >= 0:
            return
        block.number, block.kind = self._parts, kind
        self._parts += 1
        started = chat_pb2.PartStarted(part_index=block.number, role=content_pb2.ROLE_ASSISTANT, part=part)
        out.append(Event(part_started=started))

    def _delta(self, block: _Block, delta: chat_pb2.PartDelta, out: list[Event]) -> None:
        delta.part_index = block.number
        out.append(Event(part_delta=delta))

    def _message_stop(self, data: JsonObject, out: list[Event]) -> None:
        merge(self._head, data)
        self._stopped = True
        if "usage" in self._head:
            self._finish(out)

    def _metadata(self, data: JsonObject, out: list[Event]) -> None:
        merge(self._head, data)
        if self._stopped:
            self._finish(out)

    def _finish(self, out: list[Event]) -> None:
        for index in list(self._blocks):
            self._end(index, out)
        completion = lift_answer({**self._head, "output": {"message": {"role": "assistant", "content": []}}})
        out.append(Event(output_done=chat_pb2.OutputDone(output=completion.outputs[0])))
        completion.ClearField("outputs")
        completion.usage.SetInParent()
        out.append(Event(usage=completion.usage))
        out.append(Event(completed=chat_pb2.Completed(completion=completion)))
        self._done = True


_EVENTS: Mapping[str, Callable[[Decoder, JsonObject, list[Event]], None]] = {
    "messageStart": Decoder._message_start,
    "contentBlockStart": Decoder._block_start,
    "contentBlockDelta": Decoder._block_delta,
    "contentBlockStop": Decoder._block_stop,
    "messageStop": Decoder._message_stop,
    "metadata": Decoder._metadata,
}
_DELTAS: Mapping[str, Callable[[Decoder, _Block, Any, list[Event]], None]] = {
    "text": Decoder._text,
    "citation": Decoder._citation,
    "toolUse": Decoder._arguments,
    "reasoningContent": Decoder._reasoning,
}
_TYPES: Mapping[str, type] = {"text": str, "citation": dict, "toolUse": dict, "reasoningContent": dict}


def _index(data: JsonObject) -> int:
    index = data.get("contentBlockIndex")
    if type(index) is not int:
        raise ServiceError(Reason.MALFORMED_RESPONSE, "an event of a content block has no number `contentBlockIndex`")
    return index


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ServiceError(Reason.MALFORMED_RESPONSE, "redacted reasoning of the stream is not base64") from error


def _grow(held: JsonObject, kind: str, value: Json) -> None:
    """Add a delta to a block that is told whole: results come as lists of items, images in pieces of base64."""
    inner = held.setdefault(kind, {})
    if kind == "toolResult" and isinstance(inner, dict):
        content = inner.setdefault("content", [])
        content += value if isinstance(value, list) else [value]
    elif isinstance(inner, dict) and isinstance(value, dict):
        before, after = object_at(inner, "source").get("bytes"), object_at(value, "source").get("bytes")
        merge(inner, value)
        if isinstance(before, str) and isinstance(after, str):
            inner["source"]["bytes"] = base64.b64encode(_bytes(before) + _bytes(after)).decode()
    elif isinstance(inner, str) and isinstance(value, str):
        held[kind] = inner + value
    else:
        held[kind] = value
