"""Stream events into the answer that they tell: `fold(StreamChat) == Chat`.

The gateway, the clients and the laws all need the whole answer of a stream; only here is it put together. Pure: no
clock and no I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from antiphon.core.errors import Reason, ServiceError
from antiphon.v1 import chat_pb2, content_pb2, usage_pb2

Event = chat_pb2.StreamChatResponse


@dataclass(slots=True)
class _Growing:
    """A part and the pieces of its long fields, joined once: adding text to a message field copies it each time."""

    part: content_pb2.Part
    texts: dict[str, list[str]] = field(default_factory=dict)
    data: dict[str, list[bytes]] = field(default_factory=dict)

    def whole(self) -> content_pb2.Part:
        part = content_pb2.Part()
        part.CopyFrom(self.part)
        for name, pieces in self.texts.items():
            _TEXTS[name](part, "".join(pieces))
        for name, chunks in self.data.items():
            _DATA[name](part, b"".join(chunks))
        return part


class Fold:
    """The answer so far. Add every event of one stream in order, then ask for the completion."""

    def __init__(self) -> None:
        self._completed: chat_pb2.Completion | None = None
        self._usage: usage_pb2.Usage | None = None
        self._outputs: dict[int, chat_pb2.Output] = {}
        self._messages: dict[tuple[int, int], content_pb2.Message] = {}
        self._parts: dict[tuple[int, int, int], _Growing] = {}
        self._warnings: list[chat_pb2.Warning] = []

    def add(self, event: Event) -> None:
        """Take the next event. Raises ServiceError MALFORMED_RESPONSE where it does not fit the ones before."""
        name = event.WhichOneof("event")
        if self._completed is not None and name not in (None, "heartbeat"):
            raise ServiceError(Reason.MALFORMED_RESPONSE, f"the stream went on with `{name}` after `completed`")
        if name is not None:
            _EVENTS[name](self, event)

    def completion(self) -> chat_pb2.Completion:
        """The whole answer. Raises ServiceError MALFORMED_RESPONSE where no `completed` has come."""
        if self._completed is None:
            raise ServiceError(
                Reason.MALFORMED_RESPONSE, "the stream ended without a `completed` event: its answer is not whole"
            )
        completion = chat_pb2.Completion()
        completion.CopyFrom(self._completed)
        if not completion.outputs:
            completion.outputs.extend(self.outputs())
        if not completion.HasField("usage") and self._usage is not None:
            completion.usage.CopyFrom(self._usage)
        completion.warnings.extend(warning for warning in self._warnings if warning not in completion.warnings)
        return completion

    def outputs(self) -> list[chat_pb2.Output]:
        """What has been said so far, whole or not."""
        outputs: dict[int, chat_pb2.Output] = {}
        for index in sorted({key[0] for key in self._parts} | self._outputs.keys()):
            output = outputs[index] = chat_pb2.Output(index=index)
            if index in self._outputs:
                output.CopyFrom(self._outputs[index])
        for (index, number), message in sorted(self._messages.items(), key=lambda item: item[0]):
            _message(outputs[index], number).MergeFrom(message)
        for (index, number, _), growing in sorted(self._parts.items(), key=lambda item: item[0]):
            outputs[index].messages[number].parts.append(growing.whole())
        return list(outputs.values())

    def usage(self) -> usage_pb2.Usage:
        """What is known to have been used so far; empty where nothing is."""
        if self._completed is not None and self._completed.HasField("usage"):
            return self._completed.usage
        return self._usage or usage_pb2.Usage()

    def _part_started(self, event: Event) -> None:
        started = event.part_started
        key = (started.output_index, started.message_index, started.part_index)
        if key in self._parts:
            raise ServiceError(Reason.MALFORMED_RESPONSE, f"the stream began part {key} twice")
        part = content_pb2.Part()
        part.CopyFrom(started.part)
        self._parts[key] = _Growing(part)
        message = self._messages.setdefault(key[:2], content_pb2.Message())
        if started.role:
            message.role = started.role
        if started.message_id:
            message.id = started.message_id

    def _part_delta(self, event: Event) -> None:
        delta = event.part_delta
        growing = self._part(delta)
        name = delta.WhichOneof("delta")
        if name == "citation":
            growing.part.text.citations.append(delta.citation)
        elif name == "tool_status":
            growing.part.tool_call.status = delta.tool_status
        elif name in _DATA:
            growing.data.setdefault(name, []).append(getattr(delta, name))
        elif name is not None:
            growing.texts.setdefault(name, []).append(getattr(delta, name))
        if delta.logprobs and growing.part.WhichOneof("kind") in ("text", None):
            growing.part.text.logprobs.extend(delta.logprobs)

    def _part_done(self, event: Event) -> None:
        growing = self._part(event.part_done)
        if event.part_done.HasField("part"):
            growing.part.MergeFrom(event.part_done.part)

    def _output_done(self, event: Event) -> None:
        output = event.output_done.output
        self._outputs[output.index] = output

    def _use(self, event: Event) -> None:
        self._usage = event.usage

    def _complete(self, event: Event) -> None:
        self._completed = event.completed.completion

    def _warn(self, event: Event) -> None:
        self._warnings.append(event.warning)

    def _pass(self, event: Event) -> None:
        """Says nothing that `completed` does not say."""

    def _part(self, place: chat_pb2.PartDelta | chat_pb2.PartDone) -> _Growing:
        key = (place.output_index, place.message_index, place.part_index)
        try:
            return self._parts[key]
        except KeyError as error:
            text = f"the stream went on with part {key} before it began"
            raise ServiceError(Reason.MALFORMED_RESPONSE, text) from error


def fold(events: Iterable[Event]) -> chat_pb2.Completion:
    """The answer that the events of one stream tell. Raises ServiceError MALFORMED_RESPONSE."""
    whole = Fold()
    for event in events:
        whole.add(event)
    return whole.completion()


def _message(output: chat_pb2.Output, number: int) -> content_pb2.Message:
    while len(output.messages) <= number:
        output.messages.add()
    return output.messages[number]


def _add_text(part: content_pb2.Part, text: str) -> None:
    kind = part.WhichOneof("kind")
    if kind == "refusal":
        part.refusal += text
    elif kind == "reasoning":
        part.reasoning.text += text
    elif kind == "tool_call":
        part.tool_call.text += text
    else:
        part.text.text += text


def _add_arguments(part: content_pb2.Part, text: str) -> None:
    part.tool_call.arguments_json += text


def _add_transcript(part: content_pb2.Part, text: str) -> None:
    part.media.transcript += text


def _add_media(part: content_pb2.Part, data: bytes) -> None:
    part.media.data += data


def _add_signature(part: content_pb2.Part, data: bytes) -> None:
    part.signature += data


def _add_encrypted(part: content_pb2.Part, data: bytes) -> None:
    part.reasoning.encrypted += data


_TEXTS: dict[str, Callable[[content_pb2.Part, str], None]] = {
    "text": _add_text,
    "arguments_json": _add_arguments,
    "transcript": _add_transcript,
}
_DATA: dict[str, Callable[[content_pb2.Part, bytes], None]] = {
    "media": _add_media,
    "signature": _add_signature,
    "encrypted": _add_encrypted,
}
_EVENTS: dict[str, Callable[[Fold, Event], None]] = {
    "started": Fold._pass,
    "part_started": Fold._part_started,
    "part_delta": Fold._part_delta,
    "part_done": Fold._part_done,
    "output_done": Fold._output_done,
    "usage": Fold._use,
    "completed": Fold._complete,
    "heartbeat": Fold._pass,
    "warning": Fold._warn,
}
