"""A streamed answer: one JSON object a line, read and written.

A line holds what its message adds: text, thinking, whole tool calls, images. The last line, `done`, has the head of a
unary answer. Text and thinking grow in one part each, as the one text and the one thinking of a unary answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from antiphon.core.errors import Reason, ServiceError
from antiphon.v1 import chat_pb2, content_pb2, usage_pb2
from antiphon.wire.fields import RESPONSE, Place, object_at, objects, whole_text
from antiphon.wire.jsontext import JsonObject, dumps, loads
from antiphon.wire.ndjson import LineParser
from antiphon.wire.ollama_native.errors import error_line, line_error
from antiphon.wire.ollama_native.messages import is_client_call, lift_call, lift_image, lower_answer, lower_call
from antiphon.wire.ollama_native.response import lift_answer, lift_usage, lower_head, lower_logprobs, one_answer
from antiphon.wire.ollama_native.spelling import answerer
from antiphon.wire.openai_chat.logprobs import is_list, lift_token
from antiphon.wire.plain_text import as_text
from antiphon.wire.remainder import merge

Event = chat_pb2.StreamChatResponse
Key = tuple[int, int]

_LENIENT = Place(RESPONSE)
_SAID = frozenset({"role", "content", "thinking", "tool_calls", "images"})


class Decoder:
    """Reads one stream."""

    def __init__(self) -> None:
        self._parser = LineParser()
        self._head: JsonObject = {}
        self._extra: JsonObject = {}
        self._started = False
        self._done = False
        self._parts = 0
        self._open: dict[str, int] = {}
        self._calls = 0
        self._tokens: list[Any] = []
        self._error: ServiceError | None = None

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that `chunk` completes. Raises ServiceError."""
        if self._error is not None:
            raise self._error
        try:
            lines = self._parser.feed(chunk)
        except ValueError as error:
            raise ServiceError(Reason.MALFORMED_RESPONSE, str(error)) from error
        return self._take(lines)

    def close(self) -> list[Event]:
        """The last events. Raises ServiceError OUTCOME_UNKNOWN where the stream broke off."""
        if self._error is not None:
            raise self._error
        out = self._take(self._parser.close())
        if self._done or out:
            return out
        raise ServiceError(
            Reason.OUTCOME_UNKNOWN,
            "the stream broke off before the line that is `done`; ask again if that is acceptable",
        )

    def usage(self) -> usage_pb2.Usage:
        """What is known to have been used so far."""
        usage = usage_pb2.Usage()
        lift_usage(self._head, usage)
        usage.partial = not self._done
        return usage

    def _take(self, lines: list[bytes]) -> list[Event]:
        out: list[Event] = []
        for line in lines:
            if self._done:
                continue
            try:
                self._read(line, out)
            except ServiceError as error:
                self._error = error
                if out:  # what came before the error is still told; the next call raises
                    return out
                raise
        return out

    def _read(self, line: bytes, out: list[Event]) -> None:
        try:
            data = loads(line)
        except ValueError as error:
            raise ServiceError(Reason.MALFORMED_RESPONSE, f"a line of the stream is not JSON: {error}") from error
        if not isinstance(data, dict):
            raise ServiceError(Reason.MALFORMED_RESPONSE, "a line of the stream is no JSON object")
        if "error" in data and "message" not in data:
            raise line_error(data)
        message = object_at(data, "message")
        merge(self._head, {key: value for key, value in data.items() if key not in ("message", "logprobs")})
        if not self._started:
            self._started = True
            completion = lift_answer({**self._head, "message": {}})
            for name in ("outputs", "usage", "provider_data", "form"):
                completion.ClearField(name)
            out.append(Event(started=chat_pb2.Started(completion=completion)))
        merge(self._extra, {key: value for key, value in message.items() if key not in _SAID})
        self._read_message(message, data.get("logprobs"), out)
        if data.get("done") is True:
            self._finish(out)

    def _read_message(self, message: JsonObject, tokens: Any, out: list[Event]) -> None:
        if isinstance(message.get("thinking"), str) and message["thinking"]:
            number = self._number("thinking", content_pb2.Part(reasoning=content_pb2.ReasoningPart()), out)
            out.append(_delta(number, message["thinking"]))
        if tokens and is_list(tokens):
            self._tokens += tokens
        if isinstance(message.get("content"), str) and message["content"]:
            number = self._number("content", content_pb2.Part(text=content_pb2.TextPart()), out)
            event = _delta(number, message["content"])
            # Tokens of thinking have no place of their own; a unary answer has them before those of the text, too.
            event.part_delta.logprobs.extend(map(lift_token, self._tokens))
            self._tokens.clear()
            out.append(event)
        for image in message.get("images") or ():
            if (part := lift_image(image)) is not None:
                self._whole(part, out)
        for call in objects(message.get("tool_calls")):
            self._whole(lift_call(call, self._calls, _LENIENT), out)
            self._calls += 1

    def _number(self, name: str, part: content_pb2.Part, out: list[Event]) -> int:
        if name not in self._open:
            self._open[name] = self._start(part, out)
        return self._open[name]

    def _start(self, part: content_pb2.Part, out: list[Event]) -> int:
        number = self._parts
        self._parts += 1
        started = chat_pb2.PartStarted(part_index=number, role=content_pb2.ROLE_ASSISTANT, part=part)
        out.append(Event(part_started=started))
        return number

    def _whole(self, part: content_pb2.Part, out: list[Event]) -> None:
        number = self._start(part, out)
        out.append(Event(part_done=chat_pb2.PartDone(part_index=number)))

    def _finish(self, out: list[Event]) -> None:
        if self._tokens and "content" in self._open:
            event = _delta(self._open["content"], "")
            event.part_delta.logprobs.extend(map(lift_token, self._tokens))
            out.append(event)
        elif self._tokens:
            self._head["logprobs"] = self._tokens
        out += [Event(part_done=chat_pb2.PartDone(part_index=number)) for number in sorted(self._open.values())]
        message = {"role": "assistant", "content": "", **self._extra}
        completion = lift_answer({**self._head, "message": message}, called=self._calls > 0)
        out.append(Event(output_done=chat_pb2.OutputDone(output=completion.outputs[0])))
        completion.ClearField("outputs")
        out.append(Event(usage=completion.usage))
        out.append(Event(completed=chat_pb2.Completed(completion=completion)))
        self._done = True


class Encoder:
    """Writes one stream."""

    def __init__(self) -> None:
        self._scribe = answerer()
        self._frame: JsonObject = {}
        self._held: dict[Key, content_pb2.Part] = {}
        self._kinds: dict[Key, str] = {}
        self._calls = 0
        self._output = chat_pb2.Output()

    def encode(self, event: Event) -> bytes:
        """The bytes of an event; empty where the wire has none for it, or holds it back."""
        name = event.WhichOneof("event")
        handler = _EVENTS.get(name or "")
        return b"".join(handler(self, event)) if handler is not None else b""

    def error(self, error: ServiceError) -> bytes:
        """The line that ends a stream that fails."""
        return error_line(error)

    def _started(self, event: Event) -> Iterator[bytes]:
        head = lower_head(event.started.completion)
        self._frame = {key: head[key] for key in ("model", "created_at", "remote_host", "remote_model") if key in head}
        yield b""

    def _part_started(self, event: Event) -> Iterator[bytes]:
        started = event.part_started
        if started.output_index:
            raise one_answer()
        key = (started.message_index, started.part_index)
        kind = started.part.WhichOneof("kind") or "text"
        self._kinds[key] = kind
        if kind in ("tool_call", "media"):
            self._held[key] = content_pb2.Part()
            self._held[key].CopyFrom(started.part)
        elif text := _said(started.part):
            yield self._text(kind, text, lower_logprobs(started.part.text.logprobs))

    def _part_delta(self, event: Event) -> Iterator[bytes]:
        delta = event.part_delta
        key = (delta.message_index, delta.part_index)
        held = self._held.get(key)
        match delta.WhichOneof("delta"):
            case "text" if held is None:
                yield self._text(self._kinds.get(key, "text"), delta.text, lower_logprobs(delta.logprobs))
            case "text" if held is not None:
                held.tool_call.text += delta.text
            case "arguments_json" if held is not None:
                held.tool_call.arguments_json += delta.arguments_json
            case "media" if held is not None:
                held.media.data += delta.media

    def _part_done(self, event: Event) -> Iterator[bytes]:
        done = event.part_done
        held = self._held.pop((done.message_index, done.part_index), None)
        if held is None:
            return
        held.MergeFrom(done.part)
        if held.WhichOneof("kind") == "tool_call" and not is_client_call(held):
            return  # no call of the client
        message: JsonObject
        if held.WhichOneof("kind") == "tool_call":
            call = lower_call(held, self._calls, self._scribe)
            message = {"role": "assistant", "content": "", "tool_calls": [call]}
            self._calls += 1
        else:
            whole = content_pb2.Message(role=content_pb2.ROLE_ASSISTANT, parts=[held])
            message = lower_answer(whole, self._scribe)
        yield self._line(message)

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
        message = content_pb2.Message(role=content_pb2.ROLE_ASSISTANT)
        for item in self._output.messages:
            message.MergeFrom(item)
        del message.parts[:]
        yield dumps({**lower_head(completion), "message": lower_answer(message, self._scribe)}) + b"\n"

    def _text(self, kind: str, text: str, tokens: list[JsonObject]) -> bytes:
        message: JsonObject = {"role": "assistant", "content": ""}
        message["thinking" if kind == "reasoning" else "content"] = whole_text(text)
        return self._line(message, tokens)

    def _line(self, message: JsonObject, tokens: list[JsonObject] | None = None) -> bytes:
        line = {**self._frame, "message": message, "done": False}
        if tokens:
            line["logprobs"] = tokens
        return dumps(line) + b"\n"


_EVENTS: Mapping[str, Callable[[Encoder, Event], Iterator[bytes]]] = {
    "started": Encoder._started,
    "part_started": Encoder._part_started,
    "part_delta": Encoder._part_delta,
    "part_done": Encoder._part_done,
    "output_done": Encoder._output_done,
    "completed": Encoder._completed,
}


def _said(part: content_pb2.Part) -> str:
    return part.reasoning.text if part.HasField("reasoning") else as_text(part) or ""


def _delta(number: int, text: str) -> Event:
    return Event(part_delta=chat_pb2.PartDelta(part_index=number, text=whole_text(text)))
