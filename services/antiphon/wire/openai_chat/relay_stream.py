"""Streamed answers that go to another speaker of this wire as they come.

Nearly every chunk of a stream differs from the one before it in its text alone. The first of a kind is parsed; of all
that follow in a read, only what stands between their texts is compared, and the texts are parsed in one call: at a cost
a read, not a chunk. What else a plain stream holds (a role, the end, usage) is parsed chunk by chunk. Whatever is not
plain ends the relay, and the rest of the stream takes the general way, which is told what it has missed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import orjson

from antiphon.core.errors import ServiceError
from antiphon.v1 import chat_pb2, content_pb2, usage_pb2
from antiphon.wire.base import Told
from antiphon.wire.jsontext import JsonObject
from antiphon.wire.openai_chat.finish import OWN_WORDS
from antiphon.wire.openai_chat.plain_usage import PlainUsage
from antiphon.wire.openai_chat.relay import is_plain_frame, plain_usage
from antiphon.wire.openai_chat.stream import PADDING, ChatStreamDecoder

Event = chat_pb2.StreamChatResponse

_END: Final = b"\n\n"
_DATA: Final = b"data: "
_DONE: Final = b"data: [DONE]\n\n"
_NULL_USAGE: Final = b',"usage":null'
"""A member of an object and nothing else: within a text the quotes would be escaped."""
_VARIES: Final = PADDING | {"choices", "usage"}
_CHOICE: Final = frozenset({"index", "delta", "finish_reason"})
_DELTA: Final = frozenset({"role", "content"})
_CUT: Final = 12
_NO_MARKS: Final = bytes(set(range(256)) - set(b"\t\n"))
_MOST_PARSED: Final = 256
"""Chunks that may be parsed one by one and kept before the general way takes over."""
_MOST_BYTES: Final = 64 * 1024 * 1024
"""Of one event, as `wire.sse` takes."""


class _Kind(NamedTuple):
    """Chunks that differ in their text, and perhaps in their padding: what stands before, between and after."""

    before: bytes
    between: bytes
    after: bytes
    drop: bytes
    """What is cut out for a client that asked for no usage."""

    def run(self, data: bytes, start: int) -> int:
        """Where the last chunk of the kind seems to end in `data`; -1 where there seems to be none."""
        at = start
        if self.between:
            at = data.rfind(self.between, start)
            end = -1 if at < 0 else data.find(self.after, at + len(self.between))
        else:
            end = data.rfind(self.after, start)
        return -1 if end < 0 else end + len(self.after)

    def fits(self, run: bytes) -> bool:
        """Whether `run` is chunks of this kind, whole ones, and nothing else.

        What stands between their texts is compared by writing the run again from them, which costs a tenth of a search
        for it; where to cut is told by the short end of what stands before, which is found faster than all of it. The
        texts become a list, each on a line of its own: JSON text holds no bare line feed or tab, so every mark between
        them stood outside of texts, and where there are as many texts as there should be, each is one whole text.
        """
        before, between, after = self.before, self.between, self.after
        texts = run.split(before[-_CUT:])
        last = texts.pop()[: -len(after)]
        end = max(_CUT - len(before), -len(before)) - len(after)
        texts = [text[:end] for text in texts[1:]]
        texts.append(last)
        if before + (after + before).join(texts) + after != run:
            return False
        lines = b'["%b"]' % b'",\n"'.join(texts)
        marks = b"\n" * (len(texts) - 1)
        if between:
            lines = b'",\t"'.join(lines.split(between))  # which is faster than to replace
            marks = b"\t\n" * (len(texts) - 1) + b"\t"
        try:
            said = orjson.loads(lines)
        except orjson.JSONDecodeError:
            return False
        return len(said) == len(marks) + 1 and lines.translate(None, _NO_MARKS) == marks


class RelayReader:
    """Reads one streamed answer on its way: bytes of the provider in, bytes for the client out.

    `usage` is whether the client asked for it; `write` is how the general way writes events for this client.
    """

    def __init__(self, *, usage: bool, write: Callable[[Sequence[Event]], bytes]) -> None:
        self._wants_usage = usage
        self._write = write
        self._rest = b""
        self._parsed: list[bytes] = []
        self._kind: _Kind | None = None
        self._head: tuple[Any, Any, Any] | None = None
        self._frame: JsonObject | None = None
        self._choices = 0
        self._texted: set[int] = set()
        self._finished: dict[int, str] = {}
        self._held: list[bytes] = []
        self._usage: PlainUsage | None = None
        self._general: ChatStreamDecoder | None = None
        self._completion: chat_pb2.Completion | None = None
        self._reasons: list[str] = []
        self.begun = False
        """Whether the answer has begun, even if there is nothing to send yet."""
        self.spoken = False
        """Whether any of the answer's content has come."""
        self.ended = False
        """Whether the answer is whole."""
        self.error: ServiceError | None = None
        """What the stream failed with, behind all that was sent of it."""

    def feed(self, chunk: bytes) -> bytes:
        """What the client gets for `chunk`; see `error`."""
        if self._general is not None:
            return self._generally(self._general, chunk)
        if self.ended:
            return b""
        data, searched = (self._rest + chunk, len(self._rest) - 1) if self._rest else (chunk, 0)
        end = data.rfind(_END, max(searched, 0)) + 2
        if end >= 2:
            self._rest = data[end:]
            return self._walk(data[:end] if end < len(data) else data)
        self._rest = data
        foreign = not self.begun and data[:1] not in (b"", b"d", b":")
        return self._turn(b"") if foreign or b"\r" in chunk or len(data) > _MOST_BYTES else b""

    def close(self) -> bytes:
        """What the client gets at the end of the stream, which may have broken off; see `error`."""
        written = b""
        if self._general is None and not self.ended:
            rest, self._rest = self._rest.rstrip(b"\n"), b""
            if rest:  # some servers leave out the last blank line
                written = self._walk(rest + _END)
            if self._general is None and not self.ended:
                written += self._turn(b"")
        if self._general is None or self.error is not None:
            return written
        try:
            return written + self._told(self._general.close())
        except ServiceError as error:
            self.error = error
            return written

    def told(self) -> Told:
        """What the books want of an answer that is whole."""
        if self._completion is not None:
            found = self._completion
            return Told(id=found.id, model=found.model, usage=found.usage, finish_reasons=self._reasons)
        response_id, _, model = self._head or ("", 0, "")
        reasons = [self._finished[index] for index in sorted(self._finished)]
        return Told(id=response_id, model=model, plain=self._usage, finish_reasons=reasons)

    def usage(self) -> usage_pb2.Usage:
        """What is known to have been used so far."""
        if self._general is not None:
            return self._general.usage()
        usage = usage_pb2.Usage()
        if self._usage is not None:
            self._usage.put(usage)
        return usage

    # The plain way.

    def _walk(self, data: bytes) -> bytes:
        """Whole events."""
        written: list[bytes] = []
        start, size, runs = 0, len(data), True
        while start < size:
            kind = self._kind
            if kind is not None and data.startswith(kind.before, start):
                end = kind.run(data, start) if runs else data.find(_END, start) + 2
                run = data[start:end] if end > start else b""
                if kind.fits(run):
                    self.spoken = True
                    written.append(run.replace(kind.drop, b"") if kind.drop else run)
                    start = end
                    continue
                runs = False  # not again in this read: looking to its end for every chunk would be quadratic
            end = data.find(_END, start) + 2
            event = data[start:end]
            if event[:1] != b":":  # comments are of no interest
                passed = self._take(event)
                if passed is None:
                    return b"".join(written) + self._turn(data[start:])
                written.append(passed)
                if self.ended:
                    break
            start = end
        return b"".join(written)

    def _take(self, event: bytes) -> bytes | None:
        """What is sent of an event; None where it is not plain."""
        if event == _DONE:
            return self._end()
        if event[:6] != _DATA or b"\r" in event or b"\n" in event[:-2] or len(self._parsed) >= _MOST_PARSED:
            return None
        try:
            chunk = orjson.loads(event[6:])
        except orjson.JSONDecodeError:
            return None
        if type(chunk) is not dict or not self._is_plain(chunk):
            return None
        choices = chunk["choices"]
        if not choices:
            return self._take_usage(chunk, event)
        if chunk.get("usage") is not None or len(choices) != 1:
            return None
        return self._take_choice(choices[0], chunk, event)

    def _is_plain(self, chunk: JsonObject) -> bool:
        """Whether all but the choices is as in every chunk before."""
        frame = chunk.copy()
        for name in _VARIES.intersection(chunk):
            if type(frame.pop(name)) is not str and name in PADDING:
                return False
        if frame == self._frame and type(frame["created"]) is int:  # seen before, and found plain
            return type(chunk.get("choices")) is list
        if not is_plain_frame({**frame, "choices": chunk.get("choices")}, "chat.completion.chunk"):
            return False
        head = (chunk["id"], chunk["created"], chunk["model"])
        self._head = self._head or head
        self._frame = frame
        return head == self._head

    def _take_usage(self, chunk: JsonObject, event: bytes) -> bytes | None:
        usage = plain_usage(chunk)
        if usage is None or self._usage is not None or len(self._finished) != self._choices:
            return None
        self._usage = usage
        self._parsed.append(event)
        if self._wants_usage:
            self._held.append(event)
        return b""

    def _take_choice(self, choice: Any, chunk: JsonObject, event: bytes) -> bytes | None:
        if type(choice) is not dict or _says_more(choice, _CHOICE):
            return None
        index, delta, word = choice.get("index"), choice.get("delta"), choice.get("finish_reason")
        if type(index) is not int or type(delta) is not dict or "usage" in choice or index in self._finished:
            return None
        if _says_more(delta, _DELTA):
            return None
        begins = index == self._choices
        text = delta.get("content")
        if (text is not None and type(text) is not str) or not 0 <= index <= self._choices:
            return None
        if delta.get("role") != "assistant" if begins else "role" in delta:  # the first of a choice, and no other
            return None
        if word is not None and (text or type(word) is not str or word not in OWN_WORDS):
            return None
        self.begun = True
        self._choices += begins
        passed = event if self._wants_usage else _without_usage(chunk, event)
        if not text or index not in self._texted:
            self._parsed.append(event)
        if word is not None:  # told at the very end, as the general way does: what comes may say more
            self._finished[index] = word
            self._held.append(passed)
            return b""
        if text:
            self.spoken = True
            self._texted.add(index)
            if not begins:
                self._kind = self._learned(chunk, text, event)
        return passed

    def _learned(self, chunk: JsonObject, text: str, event: bytes) -> _Kind | None:
        """The kind of a chunk that adds text; None where its text cannot be told from what stands around it."""
        drop = _NULL_USAGE if not self._wants_usage and "usage" in chunk else b""
        if drop and event.count(drop) != 1:
            return None
        spans = [_place(b'"content":', text, event)]
        spans += [_place(b'"%b":' % name.encode(), chunk[name], event) for name in PADDING if name in chunk]
        if len(spans) > 2 or None in spans:
            return None
        (start, end), *more = sorted(span for span in spans if span is not None)
        if not more:
            return _Kind(event[:start], b"", event[end:], drop)
        ((again, last),) = more
        return _Kind(event[:start], event[end:again], event[last:], drop)

    def _end(self) -> bytes | None:
        if not self._choices or len(self._finished) != self._choices or (self._wants_usage and self._usage is None):
            return None
        self.ended = True
        return b"".join([*self._held, _DONE])

    # The general way.

    def _turn(self, data: bytes) -> bytes:
        """Go on generally: what was sent until now is told, what was held back is not."""
        decoder = self._general = ChatStreamDecoder()
        for index in range(self._choices):  # whose it is was said
            begun = chat_pb2.PartStarted(output_index=index, role=content_pb2.ROLE_ASSISTANT)
            begun.part.text.SetInParent()
            self._write([Event(part_started=begun)])
        for passed in self._parsed:
            self._write(decoder.feed(passed))
        self._parsed.clear()
        self._held.clear()
        data, self._rest = data + self._rest, b""
        return self._generally(decoder, data)

    def _generally(self, decoder: ChatStreamDecoder, chunk: bytes) -> bytes:
        written = b""
        try:
            # A decoder gives the events before an error first: asking again tells of the error at once.
            while self.error is None and (events := decoder.feed(chunk)):
                written += self._told(events)
                chunk = b""
        except ServiceError as error:
            self.error = error
        return written

    def _told(self, events: list[Event]) -> bytes:
        for event in events:
            kind = event.WhichOneof("event")
            if kind == "started":
                self.begun = True
            elif kind == "part_started":
                self.spoken = True
            elif kind == "output_done":
                self._reasons.append(event.output_done.output.provider_finish_reason)
            elif kind == "completed":
                self._completion = event.completed.completion
                self.ended = True
        return self._write(events)


def _place(key: bytes, text: str, event: bytes) -> tuple[int, int] | None:
    """Where the one value of a key begins and ends within its quotes; None where it cannot be told for sure."""
    at = event.find(key)
    if at < 0 or event.find(key, at + 1) >= 0:
        return None
    at += len(key)
    at += event[at] == 0x20
    raw = orjson.dumps(text)
    return (at + 1, at + len(raw) - 1) if event.startswith(raw, at) else None


def _says_more(data: JsonObject, known: frozenset[str]) -> bool:
    return bool([name for name, value in data.items() if value is not None and name not in known])


def _without_usage(chunk: JsonObject, event: bytes) -> bytes:
    """A chunk for a client that asked for no usage and so expects no word of it."""
    if "usage" not in chunk:
        return event
    if event.count(_NULL_USAGE) == 1:
        return event.replace(_NULL_USAGE, b"")
    return _DATA + orjson.dumps({name: value for name, value in chunk.items() if name != "usage"}) + _END
