"""Streamed answers, from bytes to events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from antiphon.core.errors import Reason, ServiceError
from antiphon.v1 import chat_pb2, content_pb2, usage_pb2
from antiphon.wire.base import HttpReply
from antiphon.wire.jsontext import JsonObject, loads_text, same
from antiphon.wire.openai_chat.errors import lift_error
from antiphon.wire.openai_chat.response import lift_completion, lift_response
from antiphon.wire.openai_chat.stream_alike import Alike, alike, joined
from antiphon.wire.openai_chat.stream_choice import StreamedChoice, gather, text_alone
from antiphon.wire.openai_chat.usage import lift_usage
from antiphon.wire.remainder import says_nothing
from antiphon.wire.sse import BOM, SseEvent, SseParser

Event = chat_pb2.StreamChatResponse

PADDING = frozenset({"obfuscation", "p"})
"""Random text that hides the length of a token from who watches the line (OpenAI, Mistral). It says nothing and is
dropped: the one exception to keeping everything."""
_FIRST = frozenset({"id", "model", "created"})
"""Of these the first that says something counts; Azure begins with empty ones, Groq changes them on the way."""
_SHORT = 16
"""No JSON of a chunk is shorter; the mark of the end is."""
_PATIENCE = 4
"""Events that are parsed one by one, in the hope that those that follow are alike; the others are parsed together."""


class ChatStreamDecoder:
    """Reads one streamed answer. See `wire.base.StreamDecoder`."""

    def __init__(self) -> None:
        self._parser = SseParser()
        self._begin = b""
        self._bare: bytearray | None = None
        self._sse = False
        self._frame: JsonObject = {}
        self._choices: dict[int, StreamedChoice] = {}
        self._events: list[Event] = []
        self._started = False
        self._ended = False
        self._error: ServiceError | None = None
        self._repeated: JsonObject = {}
        self._name = ""
        self._alike: Alike | None = None
        self._together = False

    def feed_together(self, chunk: bytes) -> list[Event]:
        """As `feed`, with one event for texts that follow one another in chunks that are alike."""
        self._together = True
        return self.feed(chunk)

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that `chunk` completes. Raises ServiceError."""
        if self._error is not None:
            raise self._error
        if not chunk:
            return self._told()
        if not self._sse:
            chunk = self._recognise(chunk)
        try:
            whole = self._parser.between(chunk)
            if whole is None or self._ended:
                self._take_all(self._parser.feed(chunk))
            else:
                self._take_whole(whole)
        except ValueError as error:
            self._error = ServiceError(Reason.MALFORMED_RESPONSE, f"the stream cannot be read: {error}")
        return self._told()

    def close(self) -> list[Event]:
        """The last events. Raises ServiceError OUTCOME_UNKNOWN where the stream broke off."""
        if self._error is not None:
            raise self._error
        if self._bare is not None:
            self._take_bare(bytes(self._bare))
        elif not self._ended:
            self._take_all(self._parser.close())
            if self._error is None and not self._ended:
                self._end_without_mark()
        return self._told()

    def usage(self) -> usage_pb2.Usage:
        """What is known to have been used so far."""
        usage = usage_pb2.Usage()
        lift_usage(self._whole_frame(), usage)
        return usage

    def _told(self) -> list[Event]:
        """The events so far; an error waits until they are told."""
        if self._events:
            events = self._events.copy()
            self._events.clear()  # the choices hold the list too
            return events
        if self._error is not None:
            raise self._error
        return []

    def _recognise(self, chunk: bytes) -> bytes:
        """Some servers answer a streamed call with one JSON text or a page; then nothing goes to the parser."""
        if self._bare is not None:
            self._bare += chunk
            return b""
        self._begin += chunk
        begin = self._begin.removeprefix(BOM).lstrip()
        if not begin or BOM.startswith(self._begin):
            return b""
        if begin[:1] in (b"{", b"[", b"<"):
            self._bare = bytearray(begin)
            return b""
        self._sse = True
        chunk, self._begin = self._begin, b""
        return chunk

    def _take_whole(self, whole: bytes) -> None:
        """Take events from the beginning of one on."""
        at = parsed = 0
        while self._error is None and not self._ended and at < len(whole):
            known = None if self._name else self._alike
            if known is not None:
                raws, at = known.run(whole, at)
                if raws:
                    self._take_run(raws, known)
                    continue
            end = whole.find(b"\n\n", at) + 2
            if parsed == _PATIENCE or end < 2:
                end = len(whole)
            self._take_all(self._parser.feed(whole[at:end]))
            at = end
            parsed = parsed + 1 if self._alike is None else 0

    def _take_run(self, raws: list[bytes], known: Alike) -> None:
        """Take the texts of chunks that are alike, as one text where that is wanted and can be."""
        text = joined(raws) if self._together or len(raws) == 1 else None
        if text is None:
            for raw in raws:
                self._take_raw(raw, known)
        elif text:
            known.choice.add_text(text)

    def _take_raw(self, raw: bytes, known: Alike) -> None:
        try:
            text = loads_text(b'"%b"' % raw)
        except ValueError:  # a quote within, so the text ends elsewhere; or it is no JSON at all
            if self._error is None and not self._ended:
                self._take_all(self._parser.feed(known.event(raw)))
            return
        if text and self._error is None and not self._ended:
            known.choice.add_text(text)

    def _take_all(self, events: list[SseEvent]) -> None:
        try:
            for event in events:
                if event.comment is None and not self._ended:
                    self._take(event)
        except ServiceError as error:
            self._error = error

    def _take(self, event: SseEvent) -> None:
        if len(event.data) < _SHORT and event.data.strip() == b"[DONE]":
            self._finish()
            return
        if self._take_repeated(event):
            return
        try:
            chunk = loads_text(event.data)
        except ValueError as error:
            text = f"an event of the stream is not JSON: {error}"
            raise ServiceError(Reason.MALFORMED_RESPONSE, text) from error
        if not isinstance(chunk, dict):
            raise ServiceError(Reason.MALFORMED_RESPONSE, "an event of the stream is not a JSON object")
        if self._take_text(chunk, event):
            return
        failed = chunk.get("error") or chunk.get("object") == "error" or event.event == "error"
        self._take_chunk(chunk)
        if failed:
            raise lift_error(HttpReply(status=200, body=event.data))

    def _take_repeated(self, event: SseEvent) -> bool:
        """A chunk that differs from the one before it in its text alone, byte for byte: it need not be parsed."""
        data, known = event.data, self._alike
        if known is None or known.tail or event.event != self._name:
            return False
        if not data.startswith(known.before) or not data.endswith(known.after):
            return False
        raw = data[len(known.before) - 1 : len(data) - len(known.after) + 1]  # with both quotes
        try:
            text = loads_text(raw)
        except ValueError:  # a quote within, so the text ends elsewhere
            return False
        if not text:
            return False
        known.choice.add_text(text)
        return True

    def _take_text(self, chunk: JsonObject, event: SseEvent) -> bool:
        """A chunk that adds text to a choice that has begun and says nothing else that the one before it did not say:
        nearly every chunk of nearly every stream. The general way would come to the same, slower."""
        choices = chunk.pop("choices", None)
        padding = {name: chunk.pop(name) for name in PADDING if name in chunk}
        self._alike = None
        if same(chunk, self._repeated) and event.event == self._name and type(choices) is list and len(choices) == 1:
            choice = choices[0]
            text = text_alone(choice)
            known = self._choices.get(choice["index"]) if text else None
            if known is not None:
                known.add_text(text)
                self._alike = alike(event.data, text, padding, known)
                return True
        self._repeated, self._name = dict(chunk), event.event
        if choices is not None:
            chunk["choices"] = choices
        return False

    def _take_chunk(self, chunk: JsonObject) -> None:
        frame = self._frame
        choices: Any = ()
        for key, value in chunk.items():
            if key == "choices":
                choices = value if isinstance(value, list) else ()
            elif value is None or value == "" or key == "object":
                continue
            elif key in _FIRST:
                if value and key not in frame:
                    frame[key] = value
            elif key != "error" and not says_nothing(value):
                gather(frame, key, value)
        if not self._started and choices:
            self._start()
        for position, choice in enumerate(choices):
            if isinstance(choice, dict):
                self._choice(choice.get("index"), position).take(choice)

    def _choice(self, index: Any, position: int) -> StreamedChoice:
        if not isinstance(index, int) or not 0 <= index < 2**31:
            index = position
        choice = self._choices.get(index)
        if choice is None:
            choice = self._choices[index] = StreamedChoice(index, self._events)
        return choice

    def _start(self) -> None:
        self._started = True
        first = {key: value for key, value in self._frame.items() if key in _FIRST or key == "provider"}
        event = Event()
        whole = {"id": "", "object": "chat.completion", "model": "", **first, "choices": []}
        event.started.completion.CopyFrom(lift_completion(whole))
        event.started.completion.ClearField("form")
        self._events.append(event)

    def _end_without_mark(self) -> None:
        if self._choices and all(choice.finished for choice in self._choices.values()):
            self._finish()
        else:
            text = "the stream ended before the answer was whole; the provider may bill what it made"
            self._error = ServiceError(Reason.OUTCOME_UNKNOWN, text)

    def _finish(self) -> None:
        if not self._choices:
            raise ServiceError(Reason.MALFORMED_RESPONSE, "the stream ended without a choice in it")
        self._ended = True
        for _, choice in sorted(self._choices.items()):
            choice.finish()
        frame = self._whole_frame()
        whole = {"id": "", "model": "", **frame, "object": "chat.completion", "choices": []}
        self._complete(lift_completion(whole))

    def _complete(self, completion: chat_pb2.Completion) -> None:
        completion.form.ClearField("patch_json")
        completion.usage.SetInParent()
        completion.usage.form.ClearField("patch_json")
        usage = Event()
        usage.usage.CopyFrom(completion.usage)
        completed = Event()
        completed.completed.completion.CopyFrom(completion)
        self._events += [usage, completed]

    def _whole_frame(self) -> JsonObject:
        """The fields beside the choices, with what stands elsewhere in streams where whole answers have it."""
        frame = dict(self._frame)
        groq = frame.get("x_groq")
        if isinstance(groq, dict):
            frame["x_groq"] = groq = dict(groq)
            for name in ("usage", "usage_breakdown"):
                if name in groq and name not in frame:
                    frame[name] = groq.pop(name)
        for choice in self._choices.values():
            if "usage" not in frame and isinstance(choice.data.get("usage"), dict):  # Moonshot
                frame["usage"] = choice.data.pop("usage")
        return frame

    def _take_bare(self, body: bytes) -> None:
        self._bare = None
        self._ended = True
        if body[:1] != b"{":
            self._error = lift_error(HttpReply(status=200, body=body))
            return
        try:
            completion = lift_response(HttpReply(status=200, body=body))
        except ServiceError as error:
            self._error = error
            return
        self._events += _events_of(completion)
        del completion.outputs[:]
        self._complete(completion)


def _events_of(completion: chat_pb2.Completion) -> Iterator[Event]:
    """A whole answer as events, for a server that did not stream though asked to."""
    start = Event()
    start.started.completion.id, start.started.completion.model = completion.id, completion.model
    yield start
    for output in completion.outputs:
        for number, message in enumerate(output.messages):
            for index, part in enumerate(message.parts):
                yield from _whole_part(output.index, number, index, message, part)
            del message.parts[:]
        done = Event()
        done.output_done.output.CopyFrom(output)
        yield done


def _whole_part(
    output: int, number: int, index: int, message: content_pb2.Message, part: content_pb2.Part
) -> Iterator[Event]:
    started, done = Event(), Event()
    for place in (started.part_started, done.part_done):
        place.output_index, place.message_index, place.part_index = output, number, index
    started.part_started.role = message.role
    started.part_started.part.CopyFrom(part)
    yield started
    yield done
