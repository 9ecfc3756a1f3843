"""A streamed answer, read: server-sent events into events of the contract.

The answer's head (identifier, usage, why it ended) is put together as the JSON that a unary answer would have had,
and lifted once at the end by the same code. Blocks that come whole are lifted when they start; blocks that grow are
lifted empty and told by deltas. `p`, the padding that hides lengths from listeners, is dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from antiphon.core.errors import Reason, ServiceError
from antiphon.v1 import chat_pb2, content_pb2, usage_pb2
from antiphon.wire.anthropic_messages.citations import lift_citation
from antiphon.wire.anthropic_messages.content import BLOCK_CODEC
from antiphon.wire.anthropic_messages.errors import body_error
from antiphon.wire.anthropic_messages.fields import RESPONSE, Place, whole_text
from antiphon.wire.anthropic_messages.quirks import WIRE
from antiphon.wire.anthropic_messages.response import lift_head
from antiphon.wire.anthropic_messages.usage import lift_usage
from antiphon.wire.base import HttpReply
from antiphon.wire.fields import sorted_text
from antiphon.wire.jsontext import Json, JsonObject, loads, text_of
from antiphon.wire.sse import SseEvent, SseParser

Event = chat_pb2.StreamChatResponse

_LENIENT = Place(RESPONSE)
_PADDING = "p"
_OPENAI_END = b"[DONE]"
"""Ends the streams of another wire; some providers that speak both send it here too."""
_CALLS = ("tool_use", "server_tool_use", "mcp_tool_use")
_GROWING = ("text", "thinking", *_CALLS)
_REPLY = HttpReply(status=200, body=b"")


@dataclass(slots=True)
class _Block:
    number: int
    """Of the part in the message."""
    json: JsonObject
    """The block as it started; of a block that is held until its end, as it has grown."""
    held: bool = False
    has_arguments: bool = False
    extra: JsonObject = field(default_factory=dict)
    """Untyped fields, those of the start included."""
    grew_extra: bool = False


class Decoder:
    """Reads one stream."""

    def __init__(self) -> None:
        self._parser = SseParser()
        self._head: JsonObject | None = None
        self._usage: JsonObject = {}
        self._blocks: dict[int, _Block] = {}
        self._parts = 0
        self._done = False
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
            "the stream broke off before `message_stop`: the provider may bill what it had written; "
            "ask again if that is acceptable",
        )

    def usage(self) -> usage_pb2.Usage:
        """What is known to have been used so far."""
        usage = usage_pb2.Usage()
        lift_usage(self._usage, usage)
        usage.partial = not self._done
        return usage

    def _take(self, events: list[SseEvent]) -> list[Event]:
        out: list[Event] = []
        for event in events:
            if event.comment is not None or self._done or event.data == _OPENAI_END:
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
        if self._head is None and kind in _NEEDS_HEAD:
            raise ServiceError(Reason.MALFORMED_RESPONSE, f"the stream began with `{kind}`, not `message_start`")
        handler = _EVENTS.get(kind)
        if handler is not None:
            handler(self, data, out)
        elif self._head is not None:
            self._head[kind] = {key: value for key, value in data.items() if key not in ("type", _PADDING)}

    def _message_start(self, data: JsonObject, out: list[Event]) -> None:
        message = data.get("message")
        if not isinstance(message, dict):
            raise ServiceError(Reason.MALFORMED_RESPONSE, "`message_start` has no message")
        self._head = {key: value for key, value in message.items() if key not in ("content", "usage")}
        _more(self._usage, message.get("usage"))
        completion = self._completion()
        completion.ClearField("outputs")
        completion.ClearField("form")
        out.append(Event(started=chat_pb2.Started(completion=completion)))
        content = message.get("content")
        for number, block in enumerate(content if isinstance(content, list) else ()):
            self._block_start({"index": number, "content_block": block}, out)
            self._block_stop({"index": number}, out)

    def _block_start(self, data: JsonObject, out: list[Event]) -> None:
        json = data.get("content_block")
        if not isinstance(json, dict):
            raise ServiceError(Reason.MALFORMED_RESPONSE, "`content_block_start` has no block")
        block = self._blocks[_index(data)] = _Block(number=self._parts, json=json)
        self._parts += 1
        kind = json.get("type")
        if kind in _CALLS:
            part = BLOCK_CODEC.lift({**json, "input": {}}, _LENIENT)
            part.tool_call.arguments_json = ""
        else:
            part = BLOCK_CODEC.lift(json, _LENIENT)
        if kind in _GROWING:
            part.ClearField("form")  # the spelling of an empty block is not that of the whole one
        if WIRE in part.provider_data:
            block.extra = loads(part.provider_data[WIRE])
        block.held = part.HasField("opaque") or part.HasField("compaction")
        _more(block.extra, data, skip=("type", "index", "content_block", _PADDING, *json))
        if not block.held:
            self._start(block, part, out)

    def _start(self, block: _Block, part: content_pb2.Part, out: list[Event]) -> None:
        started = chat_pb2.PartStarted(part_index=block.number, role=content_pb2.ROLE_ASSISTANT, part=part)
        out.append(Event(part_started=started))

    def _block_delta(self, data: JsonObject, out: list[Event]) -> None:
        block, delta = self._block(data), data.get("delta")
        if not isinstance(delta, dict):
            raise ServiceError(Reason.MALFORMED_RESPONSE, "`content_block_delta` has no delta")
        kind = delta.get("type")
        key = _DELTA_KEYS.get(kind, "") if isinstance(kind, str) else ""
        value: Any = delta.get(key)
        if block.held:
            _grow(block.json, delta)
            return
        if not _fits(key, value):
            # Under a name of its own, lest it replaces a typed field when the block is written.
            name = str(kind) if str(kind) not in block.json else f"{kind}_delta"
            _grow(block.extra.setdefault(name, {}), delta)
            block.grew_extra = True
            return
        if len(delta) > 2 or len(data) > 3:
            _more(block.extra, delta, skip=("type", key, *block.json))
            _more(block.extra, data, skip=("type", "index", "delta", _PADDING, *block.json))
            block.grew_extra = bool(block.extra)
        event = chat_pb2.PartDelta(part_index=block.number)
        if key == "partial_json":
            if not value:
                return
            block.has_arguments = True
            event.arguments_json = whole_text(value)
        elif key == "signature":
            event.signature = whole_text(value).encode()
        elif key == "citation":
            lift_citation(value, event.citation)
        else:
            event.text = whole_text(value)
        out.append(Event(part_delta=event))

    def _block_stop(self, data: JsonObject, out: list[Event]) -> None:
        block = self._block(data)
        self._blocks.pop(_index(data))
        done = chat_pb2.PartDone(part_index=block.number)
        if block.held:
            self._start(block, BLOCK_CODEC.lift(block.json, _LENIENT), out)
        elif block.json.get("type") in _CALLS and not block.has_arguments:
            text = text_of(block.json.get("input") or {})
            out.append(Event(part_delta=chat_pb2.PartDelta(part_index=block.number, arguments_json=text)))
        if block.grew_extra:
            done.part.provider_data[WIRE] = sorted_text(block.extra)
        out.append(Event(part_done=done))

    def _block(self, data: JsonObject) -> _Block:
        try:
            return self._blocks[_index(data)]
        except KeyError as error:
            text = f"the stream went on with block {_index(data)}, which had not begun"
            raise ServiceError(Reason.MALFORMED_RESPONSE, text) from error

    def _message_delta(self, data: JsonObject, out: list[Event]) -> None:
        assert self._head is not None  # noqa: S101 - `_read` has made sure
        _more(self._head, data.get("delta"))
        _more(self._usage, data.get("usage"))
        _more(self._head, data, skip=("type", "delta", "usage", _PADDING))

    def _message_stop(self, data: JsonObject, out: list[Event]) -> None:
        assert self._head is not None  # noqa: S101 - `_read` has made sure
        _more(self._head, data, skip=("type", _PADDING))
        for index in list(self._blocks):
            self._block_stop({"index": index}, out)
        completion = self._completion()
        output = completion.outputs[0]
        if self._parts:
            output.ClearField("messages")
        out.append(Event(output_done=chat_pb2.OutputDone(output=output)))
        completion.ClearField("outputs")
        out.append(Event(usage=completion.usage))
        out.append(Event(completed=chat_pb2.Completed(completion=completion)))
        self._done = True

    def _ping(self, data: JsonObject, out: list[Event]) -> None:
        """Says only that the connection lives, which its bytes have said already."""

    def _fail(self, data: JsonObject, out: list[Event]) -> None:
        raise body_error(data, _REPLY)

    def _completion(self) -> chat_pb2.Completion:
        return lift_head({**(self._head or {}), "content": [], "usage": self._usage})


_EVENTS: Mapping[str, Callable[[Decoder, JsonObject, list[Event]], None]] = {
    "message_start": Decoder._message_start,
    "content_block_start": Decoder._block_start,
    "content_block_delta": Decoder._block_delta,
    "content_block_stop": Decoder._block_stop,
    "message_delta": Decoder._message_delta,
    "message_stop": Decoder._message_stop,
    "ping": Decoder._ping,
    "error": Decoder._fail,
}
_NEEDS_HEAD = frozenset(_EVENTS) - {"message_start", "ping", "error"}
_DELTA_KEYS: Mapping[str, str] = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "input_json_delta": "partial_json",
    "signature_delta": "signature",
    "citations_delta": "citation",
}


def _index(data: JsonObject) -> int:
    index = data.get("index")
    if type(index) is not int:
        raise ServiceError(Reason.MALFORMED_RESPONSE, "an event of a content block has no number `index`")
    return index


def _fits(key: str, value: Json) -> bool:
    return isinstance(value, dict) if key == "citation" else bool(key) and isinstance(value, str)


def _more(target: JsonObject, source: Json, *, skip: tuple[str, ...] = ()) -> None:
    """Add what `source` has. Counts are cumulative, so later ones replace; a null replaces nothing."""
    if isinstance(source, dict):
        for key, value in source.items():
            if key not in skip and (value is not None or key not in target):
                target[key] = value


def _grow(target: JsonObject, delta: JsonObject) -> None:
    """Add a delta of an unknown kind the way the known ones add: text to text, lists to lists."""
    for key, value in delta.items():
        if key == "type":
            continue
        before = target.get(key)
        kind = next((kind for kind in (str, list) if isinstance(value, kind) and isinstance(before, kind)), None)
        if kind is not None and before is not None:
            target[key] = before + value
        elif value is not None or key not in target:
            target[key] = value
