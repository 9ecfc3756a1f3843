"""Streamed answers, from events to bytes."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from antiphon.v1 import chat_pb2, content_pb2
from antiphon.wire.jsontext import JsonObject, dumps
from antiphon.wire.openai_chat import calls, citations, messages, reasoning
from antiphon.wire.openai_chat.gaps import Gaps
from antiphon.wire.openai_chat.logprobs import lower_token
from antiphon.wire.openai_chat.quirks import WIRE, Quirks
from antiphon.wire.openai_chat.response import lower_choice, lower_frame
from antiphon.wire.openai_chat.spelling import RESPONSE, spellings
from antiphon.wire.remainder import restore
from antiphon.wire.sse import encode_comment, encode_event

Event = chat_pb2.StreamChatResponse
Part = content_pb2.Part


@dataclass(slots=True)
class _Open:
    """A part that was begun: what it is, and how it is written."""

    part: Part
    names: tuple[str, ...] = ()
    number: int = 0
    """Of the call among calls, or of the detail among details."""
    said: JsonObject = field(default_factory=dict)
    """What was written of a call when it began."""
    whole: bool = False
    """Written when its choice ends, for the wire cannot stream it."""


@dataclass(slots=True)
class _Choice:
    """What was written of one choice."""

    spoken: bool = False
    calls: int = 0
    details: int = 0
    parts: dict[tuple[int, int], _Open] = field(default_factory=dict)
    annotations: list[JsonObject] = field(default_factory=list)
    """Written together when the choice ends: OpenAI's SDK cannot add to a list whose elements have no index."""


class ChatStreamEncoder:
    """Writes one streamed answer. See `wire.base.StreamEncoder`."""

    def __init__(self, *, usage: bool = True) -> None:
        self._with_usage = usage
        self._head: JsonObject = {"id": "", "object": "chat.completion.chunk", "created": 0, "model": ""}
        self._choices: dict[int, _Choice] = {}
        self._lanes: dict[tuple[int, int, int], bytes] = {}
        """For each part that grows by plain text: what stands before the text in its chunks."""

    def encode(self, event: Event) -> bytes:
        """The bytes of an event; empty where this wire says it later or not at all."""
        if self._lanes and event.HasField("part_delta"):
            grown = event.part_delta
            before = self._lanes.get((grown.output_index, grown.message_index, grown.part_index))
            if before is not None and grown.WhichOneof("delta") == "text" and not grown.logprobs:
                return before + dumps(grown.text) + _AFTER
            return self._part_delta(grown)
        name = event.WhichOneof("event")
        return _EVENTS[name](self, getattr(event, name)) if name is not None and name in _EVENTS else b""

    def _start(self, started: chat_pb2.Started) -> bytes:
        completion = started.completion
        self._lanes.clear()
        self._head["id"], self._head["model"] = completion.id, completion.model
        self._head["created"] = completion.create_time.seconds
        return b""

    def _part_started(self, started: chat_pb2.PartStarted) -> bytes:
        choice = self._choices.setdefault(started.output_index, _Choice())
        part = Part()
        part.CopyFrom(started.part)
        opened = choice.parts[started.message_index, started.part_index] = _Open(part)
        self._lanes.pop((started.output_index, started.message_index, started.part_index), None)
        kind = part.WhichOneof("kind") or "text"
        delta: JsonObject = {}
        if kind in _LIVE and not calls.provider_run(part):
            delta = _LIVE[kind](choice, opened)
        else:
            opened.whole = True
        return self._delta(started.output_index, choice, delta) if delta else b""

    def _part_delta(self, grown: chat_pb2.PartDelta) -> bytes:
        choice = self._choices[grown.output_index]
        opened = choice.parts[grown.message_index, grown.part_index]
        name = grown.WhichOneof("delta")
        if opened.whole:
            _grow(opened.part, grown, name)
            return b""
        if name == "citation" and citations.is_sayable(grown.citation):
            choice.annotations.append(citations.lower_citation(grown.citation, RESPONSE))
        delta = _GROWTH[name](opened, getattr(grown, name)) if name is not None and name in _GROWTH else {}
        logprobs = {"content": [lower_token(token) for token in grown.logprobs], "refusal": None}
        if not grown.logprobs:
            written = self._delta(grown.output_index, choice, delta) if delta else b""
            if name == "text" and opened.part.WhichOneof("kind") in (None, "text"):
                self._open_lane(grown)
            return written
        return self._delta(grown.output_index, choice, delta, logprobs=logprobs)

    def _open_lane(self, grown: chat_pb2.PartDelta) -> None:
        """From now on write the text of this part without building its chunk: the same bytes for a tenth of the work.

        Holds until the part ends or begins anew, or the head changes.
        """
        choice = {"index": grown.output_index, "delta": {"content": ""}, "finish_reason": None}
        before, found, _ = self._chunk([choice]).rpartition(b'""' + _AFTER)
        if found:
            self._lanes[grown.output_index, grown.message_index, grown.part_index] = before

    def _part_done(self, done: chat_pb2.PartDone) -> bytes:
        choice = self._choices[done.output_index]
        opened = choice.parts[done.message_index, done.part_index]
        self._lanes.pop((done.output_index, done.message_index, done.part_index), None)
        if not done.HasField("part"):
            return b""
        opened.part.MergeFrom(done.part)
        kind = opened.part.WhichOneof("kind")
        if opened.whole:
            return b""
        if kind == "tool_call":
            lowered = {**calls.lower_call(opened.part, opened.number, RESPONSE), "index": opened.number}
            late = {key: value for key, value in lowered.items() if key not in _GROWN and opened.said.get(key) != value}
            return self._delta(done.output_index, choice, _more_of(opened, late)) if late else b""
        if kind == "media" and opened.part.media.HasField("expire_time"):
            audio = {"expires_at": opened.part.media.expire_time.seconds}
            return self._delta(done.output_index, choice, {"audio": audio})
        return b""

    def _output_done(self, done: chat_pb2.OutputDone) -> bytes:
        output = done.output
        choice = self._choices.setdefault(output.index, _Choice())
        rest = content_pb2.Message(role=content_pb2.ROLE_ASSISTANT)
        for said in output.messages:
            for name, text in said.provider_data.items():
                rest.provider_data[name] = text
        rest.parts.extend(opened.part for opened in choice.parts.values() if opened.whole)
        gaps = Gaps()
        lowered = messages.lower_messages(rest, RESPONSE, Quirks(), "completion.outputs.messages", gaps)
        delta = {key: value for item in lowered for key, value in item.items() if key != "role"}
        if not delta.get("content"):
            delta.pop("content", None)
        if choice.annotations:
            delta["annotations"] = choice.annotations
        written = self._delta(output.index, choice, delta) if delta or not choice.spoken else b""
        fields = restore(output, WIRE, RESPONSE, {"index": output.index, "delta": {}, **lower_choice(output)})
        told = gaps.settle(chat_pb2.UNSUPPORTED_POLICY_WARN)
        notes = b"".join(encode_comment(f"warning {note.code} {note.field}: {note.message}".encode()) for note in told)
        return notes + written + self._chunk([fields])

    def _complete(self, completed: chat_pb2.Completed) -> bytes:
        completion = completed.completion
        fields = restore(completion, WIRE, RESPONSE, lower_frame(completion))
        if not self._with_usage:
            fields.pop("usage", None)
        for name in ("id", "object", "created", "model", "choices"):
            fields.pop(name, None)
        return (self._chunk([], **fields) if fields else b"") + encode_event(b"[DONE]")

    def _beat(self, heartbeat: chat_pb2.Heartbeat) -> bytes:
        return encode_comment()

    def _delta(self, index: int, choice: _Choice, delta: JsonObject, **fields: Any) -> bytes:
        if not choice.spoken:
            choice.spoken = True
            delta = {"role": "assistant", **delta}
        return self._chunk([{"index": index, "delta": delta, "finish_reason": None, **fields}])

    def _chunk(self, choices: list[JsonObject], **fields: Any) -> bytes:
        return encode_event(dumps({**self._head, "choices": choices, **fields}))


_AFTER = b'},"finish_reason":null}]}\n\n'
"""What stands behind the text in a chunk that only adds text."""

_GROWN = ("type", "function", "custom")
"""Of a call: said when it begins, and piece by piece after that."""


def _start_text(choice: _Choice, opened: _Open) -> JsonObject:
    return {"content": opened.part.text.text} if opened.part.text.text or not choice.spoken else {}


def _start_refusal(choice: _Choice, opened: _Open) -> JsonObject:
    return {"refusal": opened.part.refusal} if opened.part.refusal else {}


def _start_reasoning(choice: _Choice, opened: _Open) -> JsonObject:
    """Without a spelling both ways are written: the text that most clients read, and the details, in which a
    signature can follow."""
    names = spellings(opened.part, (messages.IN_CONTENT, *reasoning.FIELDS))
    opened.names = tuple(names or (reasoning.CONTENT, reasoning.DETAILS))
    opened.number = choice.details
    delta: JsonObject = {}
    if reasoning.DETAILS in opened.names:
        choice.details += 1
        delta[reasoning.DETAILS] = [reasoning.lower_detail(opened.part, opened.number, RESPONSE)]
    return delta | (_grow_text(opened, opened.part.reasoning.text) if opened.part.reasoning.text else {})


def _start_call(choice: _Choice, opened: _Open) -> JsonObject:
    opened.number = choice.calls
    choice.calls += 1
    opened.said = {**calls.lower_call(opened.part, opened.number, RESPONSE), "index": opened.number}
    return {"tool_calls": [opened.said]}


def _more_of(opened: _Open, late: JsonObject) -> JsonObject:
    """What else is known of a call. OpenAI's SDK wants a function in every piece of one."""
    kind = "custom" if opened.part.tool_call.WhichOneof("input") == "text" else "function"
    return {"tool_calls": [{**late, "index": opened.number, kind: {}}]}


def _start_media(choice: _Choice, opened: _Open) -> JsonObject:
    media = opened.part.media
    if media.modality != content_pb2.MODALITY_AUDIO or not opened.part.id:
        opened.whole = True
        return {}
    audio: JsonObject = {"id": opened.part.id}
    if media.data:
        audio["data"] = base64.b64encode(media.data).decode()
    if media.transcript:
        audio["transcript"] = media.transcript
    return {"audio": audio}


def _grow_text(opened: _Open, text: str) -> JsonObject:
    kind = opened.part.WhichOneof("kind")
    if kind == "refusal":
        return {"refusal": text}
    if kind == "tool_call":
        return {"tool_calls": [{"index": opened.number, "custom": {"input": text}}]}
    if kind != "reasoning":
        return {"content": text}
    if messages.IN_CONTENT in opened.names:
        return {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": text}], "closed": True}]}
    delta: JsonObject = {name: text for name in reasoning.TEXT_FIELDS if name in opened.names}
    if reasoning.DETAILS in opened.names:
        field_name = "summary" if opened.part.reasoning.summary else "text"
        delta[reasoning.DETAILS] = [_detail(opened, field_name, text)]
    return delta


def _grow_arguments(opened: _Open, text: str) -> JsonObject:
    return {"tool_calls": [{"index": opened.number, "function": {"arguments": text}}]}


def _grow_media(opened: _Open, data: bytes) -> JsonObject:
    return {"audio": {"data": base64.b64encode(data).decode()}}


def _grow_transcript(opened: _Open, text: str) -> JsonObject:
    return {"audio": {"transcript": text}}


def _grow_signature(opened: _Open, signature: bytes) -> JsonObject:
    if opened.part.WhichOneof("kind") == "tool_call":
        signed = Part(signature=signature, tool_call=content_pb2.ToolCall())
        return _more_of(opened, {calls.SIGNED: calls.lower_call(signed, opened.number, RESPONSE)[calls.SIGNED]})
    if opened.part.WhichOneof("kind") != "reasoning" or reasoning.DETAILS not in opened.names:
        return {}
    return {reasoning.DETAILS: [_detail(opened, "signature", signature.decode("utf-8", "replace"))]}


def _grow_encrypted(opened: _Open, data: bytes) -> JsonObject:
    opened.part.reasoning.encrypted = b""
    return {reasoning.DETAILS: [_detail(opened, "data", data.decode("utf-8", "replace"))]}


def _detail(opened: _Open, name: str, value: str) -> JsonObject:
    kind = "reasoning.encrypted" if name == "data" else "reasoning.summary" if opened.part.reasoning.summary else None
    return {"type": kind or "reasoning.text", name: value, "index": opened.number}


def _grow(part: Part, grown: chat_pb2.PartDelta, name: str | None) -> None:
    """Add to a part that is written whole."""
    if name == "arguments_json":
        part.tool_call.arguments_json += grown.arguments_json
    elif name == "media":
        part.media.data += grown.media
    elif name == "transcript":
        part.media.transcript += grown.transcript
    elif name == "tool_status":
        part.tool_call.status = grown.tool_status


_LIVE: Mapping[str, Callable[[_Choice, _Open], JsonObject]] = {
    "text": _start_text,
    "refusal": _start_refusal,
    "reasoning": _start_reasoning,
    "tool_call": _start_call,
    "media": _start_media,
}
_GROWTH: Mapping[str, Callable[[_Open, Any], JsonObject]] = {
    "text": _grow_text,
    "arguments_json": _grow_arguments,
    "media": _grow_media,
    "transcript": _grow_transcript,
    "signature": _grow_signature,
    "encrypted": _grow_encrypted,
}
_EVENTS: Mapping[str, Callable[[ChatStreamEncoder, Any], bytes]] = {
    "started": ChatStreamEncoder._start,
    "part_started": ChatStreamEncoder._part_started,
    "part_delta": ChatStreamEncoder._part_delta,
    "part_done": ChatStreamEncoder._part_done,
    "output_done": ChatStreamEncoder._output_done,
    "completed": ChatStreamEncoder._complete,
    "heartbeat": ChatStreamEncoder._beat,
}
