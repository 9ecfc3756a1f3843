"""A streamed answer, written: events of the contract into server-sent events. Contents and calls carry their numbers,
so parts that grow side by side stay side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from antiphon.core.errors import ServiceError
from antiphon.v1 import chat_pb2, content_pb2
from antiphon.wire.cohere_v2.errors import error_body
from antiphon.wire.cohere_v2.messages import is_plan, lower_answer, lower_call
from antiphon.wire.cohere_v2.response import lower_head, lower_logprobs, one_answer
from antiphon.wire.cohere_v2.sources import lower_citation, tells_index
from antiphon.wire.cohere_v2.spelling import reader
from antiphon.wire.fields import RESPONSE
from antiphon.wire.jsontext import JsonObject, dumps, text_of
from antiphon.wire.plain_text import provider_run
from antiphon.wire.sse import encode_event

Event = chat_pb2.StreamChatResponse
Key = tuple[int, int]
Place = chat_pb2.PartStarted | chat_pb2.PartDelta | chat_pb2.PartDone

_HEAD = frozenset({"id", "finish_reason", "usage", "error", "logprobs"})
_PLAN, _TEXT, _THINKING, _CALL, _WHOLE = "plan", "text", "thinking", "call", "whole"


@dataclass(slots=True)
class _Open:
    kind: str
    index: int
    part: content_pb2.Part
    free_text: list[str] = field(default_factory=list)


class Encoder:
    """Writes one stream."""

    def __init__(self) -> None:
        self._scribe = reader(RESPONSE)
        self._open: dict[Key, _Open] = {}
        self._contents = self._calls = self._citations = 0
        self._last_text = -1
        self._output = chat_pb2.Output()

    def encode(self, event: Event) -> bytes:
        """The bytes of an event; empty where the wire has none for it, or holds it back."""
        handler = _EVENTS.get(event.WhichOneof("event") or "")
        return b"".join(handler(self, event)) if handler is not None else b""

    def error(self, error: ServiceError) -> bytes:
        """The event that ends a stream which fails."""
        return _sse("error", error_body(error, named=True))

    def _started(self, event: Event) -> Iterator[bytes]:
        message: JsonObject = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
        yield _sse("message-start", {"delta": {"message": message}}, id=event.started.completion.id)

    def _part_started(self, event: Event) -> Iterator[bytes]:
        started, part = event.part_started, content_pb2.Part()
        part.CopyFrom(started.part)
        if started.output_index:
            raise one_answer()
        if provider_run(part):
            return  # no call of the client
        opened = self._open[_key(started)] = self._opened(part)
        if opened.kind in (_TEXT, _THINKING):
            content: JsonObject = {"type": opened.kind, opened.kind: ""}
            yield _sse("content-start", {"delta": {"message": {"content": content}}}, index=opened.index)
        elif opened.kind == _CALL:
            call = lower_call(part, self._scribe)
            call["function"]["arguments"] = ""
            yield _sse("tool-call-start", {"delta": {"message": {"tool_calls": call}}}, index=opened.index)
            if part.tool_call.arguments_json:
                yield self._arguments(opened, part.tool_call.arguments_json)
            opened.free_text += [part.tool_call.text] if part.tool_call.text else []
        if text := part.text.text or part.refusal or part.reasoning.text:
            yield self._said(opened, text, part.text.logprobs)
        for citation in [*part.text.citations, *part.reasoning.citations]:
            yield from self._cited(opened, citation)

    def _opened(self, part: content_pb2.Part) -> _Open:
        kind = part.WhichOneof("kind") or "text"
        if is_plan(part):
            return _Open(_PLAN, 0, part)
        if kind == "tool_call":
            self._calls += 1
            return _Open(_CALL, self._calls - 1, part)
        self._contents += 1
        if kind in ("text", "refusal"):
            self._last_text = self._contents - 1
            return _Open(_TEXT, self._contents - 1, part)
        return _Open(_THINKING if kind == "reasoning" else _WHOLE, self._contents - 1, part)

    def _part_delta(self, event: Event) -> Iterator[bytes]:
        delta = event.part_delta
        opened = self._open.get(_key(delta))
        if opened is None:
            return
        match delta.WhichOneof("delta"):
            case "text" if opened.kind == _CALL:
                opened.free_text.append(delta.text)
            case "text" if opened.kind != _WHOLE:
                yield self._said(opened, delta.text, delta.logprobs)
            case "arguments_json":
                yield self._arguments(opened, delta.arguments_json)
            case "citation":
                yield from self._cited(opened, delta.citation)
            case "media":
                opened.part.media.data += delta.media

    def _part_done(self, event: Event) -> Iterator[bytes]:
        opened = self._open.pop(_key(event.part_done), None)
        if opened is None:
            return
        for citation in [*event.part_done.part.text.citations, *event.part_done.part.reasoning.citations]:
            yield from self._cited(opened, citation)
        if opened.kind == _CALL:
            if opened.free_text:  # it has to become a JSON string, whole
                yield self._arguments(opened, text_of({"input": "".join(opened.free_text)}))
            yield _sse("tool-call-end", index=opened.index)
        elif opened.kind == _WHOLE:
            opened.part.MergeFrom(event.part_done.part)
            message = content_pb2.Message(role=content_pb2.ROLE_ASSISTANT, parts=[opened.part])
            for item in lower_answer(message).get("content", ()):
                yield _sse("content-start", {"delta": {"message": {"content": item}}}, index=opened.index)
                yield _sse("content-end", index=opened.index)
        elif opened.kind != _PLAN:
            yield _sse("content-end", index=opened.index)

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
        head = lower_head(completion)
        end: JsonObject = {"delta": {key: value for key, value in head.items() if key in _HEAD and key != "id"}}
        yield _sse("message-end", {**{key: value for key, value in head.items() if key not in _HEAD}, **end})
        yield encode_event(b"[DONE]")

    def _said(self, opened: _Open, text: str, tokens: Iterable[content_pb2.TokenLogprob]) -> bytes:
        if opened.kind == _PLAN:
            return _sse("tool-plan-delta", {"delta": {"message": {"tool_plan": text}}})
        data: JsonObject = {"delta": {"message": {"content": {opened.kind: text}}}}
        probabilities = lower_logprobs(list(tokens))
        if probabilities:
            data["logprobs"] = probabilities if len(probabilities) > 1 else probabilities[0]
        return _sse("content-delta", data, index=opened.index)

    def _arguments(self, opened: _Open, text: str) -> bytes:
        function = {"function": {"arguments": text}}
        return _sse("tool-call-delta", {"delta": {"message": {"tool_calls": function}}}, index=opened.index)

    def _cited(self, opened: _Open, citation: content_pb2.Citation) -> Iterator[bytes]:
        plain = opened.kind == _PLAN or (opened.index == self._last_text and not tells_index(citation, self._scribe))
        data = lower_citation(citation, self._scribe, None if plain else opened.index)
        yield _sse("citation-start", {"delta": {"message": {"citations": data}}}, index=self._citations)
        yield _sse("citation-end", index=self._citations)
        self._citations += 1


_EVENTS: Mapping[str, Callable[[Encoder, Event], Iterator[bytes]]] = {
    "started": Encoder._started,
    "part_started": Encoder._part_started,
    "part_delta": Encoder._part_delta,
    "part_done": Encoder._part_done,
    "output_done": Encoder._output_done,
    "completed": Encoder._completed,
}


def _key(place: Place) -> Key:
    return place.message_index, place.part_index


def _sse(name: str, data: JsonObject | None = None, **first: str | int) -> bytes:
    return encode_event(dumps({**first, "type": name, **(data or {})}), event=name)
