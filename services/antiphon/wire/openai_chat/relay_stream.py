"""Streamed answers that go to another speaker of this wire as they come.

What is plain in a stream, and how chunks are read, is `relay_chunks`' to know; here is what becomes of them one after
the other: what a client gets, what is kept, when the answer is whole. Whatever is not plain ends the relay, and the
rest of the stream takes the general way, which is told what it has missed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from antiphon.core.errors import ServiceError
from antiphon.v1 import chat_pb2, content_pb2, usage_pb2
from antiphon.wire.base import Told
from antiphon.wire.jsontext import JsonObject
from antiphon.wire.openai_chat.plain_usage import PlainUsage
from antiphon.wire.openai_chat.relay import plain_usage
from antiphon.wire.openai_chat.relay_chunks import (
    DATA,
    END,
    LAST,
    NULL_USAGE,
    Chunks,
    Run,
    Said,
    frame_of,
    is_framed,
    learned,
    parsed,
    said_by,
    without_usage,
)
from antiphon.wire.openai_chat.stream import ChatStreamDecoder

Event = chat_pb2.StreamChatResponse

_DONE: Final = b"data: [DONE]\n\n"
_MOST_PARSED: Final = 256
"""Chunks that may be parsed one by one and kept before the general way takes over."""
_MOST_BYTES: Final = 64 * 1024 * 1024
"""Of one event, as `wire.sse` takes."""


class RelayReader:
    """Reads one streamed answer on its way: bytes of the provider in, bytes for the client out.

    `usage` is whether the client asked for it; `write` is how the general way writes events for this client; `chunks`
    is what is known of the provider's.
    """

    def __init__(self, *, usage: bool, write: Callable[[Sequence[Event]], bytes], chunks: Chunks | None = None) -> None:
        self._wants_usage = usage
        self._write = write
        self._chunks = Chunks() if chunks is None else chunks
        self._rest = b""
        self._parsed: list[bytes] = []
        self._run: Run | None = None
        self._name: tuple[Any, Any, Any] | None = None
        self._frame = b""
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
        end = data.rfind(END, max(searched, 0)) + 2
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
                written = self._walk(rest + END)
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
        response_id, _, model = self._name or ("", 0, "")
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
        start, size, held = 0, len(data), bool(self._held)
        while start < size:
            run = self._run
            if run is not None and data.startswith(run.before, start) and (end := run.end(data, start)) > start:
                if run.choice not in self._texted:
                    self._parsed.append(data[start : data.find(END, start) + 2])
                    self._texted.add(run.choice)
                self.spoken = True
                passed = data[start:end]
                written.append(passed.replace(NULL_USAGE, b"") if run.usage and not self._wants_usage else passed)
                start = end
                continue
            end = data.find(END, start) + 2
            event = data[start:end]
            if event[:1] != b":":  # comments are of no interest
                taken = self._take(event)
                if taken is None:
                    return b"".join(written) + self._turn(data[start:])
                written.append(taken)
                if self.ended:
                    break
            start = end
        if not held and sum(map(len, written)) == size:  # nothing was left out, kept back or made shorter
            return data
        return written[0] if len(written) == 1 else b"".join(written)

    def _take(self, event: bytes) -> bytes | None:
        """What is sent of an event; None where it is not plain."""
        if event == _DONE:
            return self._end()
        if event[:6] != DATA or b"\r" in event or b"\n" in event[:-2] or len(self._parsed) >= _MOST_PARSED:
            return None
        said, chunk = None, None
        if self._frame and event.startswith(self._frame) and event.endswith(LAST):
            said, chunk = self._chunks.said(event, self._frame)
        if said is None and chunk is None:
            chunk = parsed(event)
            if chunk is None or not self._is_plain(chunk, event):
                return None
            said = said_by(chunk)
        if said is not None:
            return self._take_choice(said, event)
        return self._take_usage(chunk, event) if chunk is not None and chunk["choices"] == [] else None

    def _is_plain(self, chunk: JsonObject, event: bytes) -> bool:
        """Whether all but the choices is as in every chunk before."""
        if not is_framed(chunk):
            return False
        name = (chunk["id"], chunk["created"], chunk["model"])
        if self._name is None:
            self._name = name
        elif name != self._name:
            return False
        self._frame = frame_of(chunk, event)
        return True

    def _take_usage(self, chunk: JsonObject, event: bytes) -> bytes | None:
        usage = plain_usage(chunk)
        if usage is None or self._usage is not None or len(self._finished) != self._choices:
            return None
        self._usage = usage
        self._parsed.append(event)
        if self._wants_usage:
            self._held.append(event)
        return b""

    def _take_choice(self, said: Said, event: bytes) -> bytes | None:
        index, begins, text, word, usage = said
        if begins != (index == self._choices) or not 0 <= index <= self._choices or index in self._finished:
            return None
        self.begun = True
        self._choices += begins
        passed = without_usage(event) if usage and not self._wants_usage else event
        if not text or index not in self._texted:
            self._parsed.append(event)
        if word is not None:  # told at the very end, as the general way does: what comes may say more
            self._finished[index] = word
            self._held.append(passed)
            if self._run is not None and self._run.choice == index:
                self._run = None
            return b""
        if text:
            self.spoken = True
            self._texted.add(index)
        if begins:
            self._guess(index)
        elif text:
            self._learn(said, event)
        return passed

    def _guess(self, index: int) -> None:
        """The next chunks are probably as the provider's last ones were."""
        kind = self._chunks.kind
        if kind is not None and kind.choice == index and self._frame:
            self._run = kind.run(self._frame)

    def _learn(self, said: Said, event: bytes) -> None:
        frame = self._frame if event.startswith(self._frame) else b""
        kind = learned(said, event, frame)
        self._run = None if kind is None else kind.run(frame)
        if kind is not None and frame:
            self._chunks.kind = kind

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
