"""A typed answer as the events of a stream, each with the pause before it: the inverse of `core.fold`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from antiphon.v1 import chat_pb2, content_pb2, harness_pb2

Event = chat_pb2.StreamChatResponse

CREATED = 1_735_689_600
"""Seconds since 1970 at which mocks say that they were made, 2025-01-01: the same mock gives the same bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Events that come together, `delay_ms` after the ones before."""

    events: tuple[Event, ...]
    delay_ms: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """What one part of an answer grows by, and the pause before it. A tool call is one piece."""

    kind: str
    text: str = ""
    call: content_pb2.ToolCall | None = None
    delay_ms: float = 0.0


def completion_of(chat: harness_pb2.MockChat, *, model: str, asked: int) -> chat_pb2.Completion:
    """The whole answer. `model` is the one that was asked, `asked` how many words the question has."""
    completion = chat_pb2.Completion(id="mock-1", model=chat.model or model)
    completion.create_time.seconds = CREATED
    output = completion.outputs.add(finish_reason=_finish(chat))
    message = output.messages.add(role=content_pb2.ROLE_ASSISTANT)
    words = 0
    for piece in pieces_of(chat):
        words += len(piece.text.split())
        _grow(message, piece)
    if chat.HasField("usage"):
        completion.usage.CopyFrom(chat.usage)
    else:
        completion.usage.input_tokens = asked
        completion.usage.output_tokens = words
        completion.usage.total_tokens = asked + words
    return completion


def script_of(chat: harness_pb2.MockChat, completion: chat_pb2.Completion) -> list[Line]:
    """The answer as events at the times of its pieces."""
    lines = [Line(events=(_started(completion),))]
    part = -1
    kind = ""
    for piece in pieces_of(chat):
        events: list[Event] = []
        if piece.kind != kind or piece.call is not None:
            if part >= 0:
                events.append(_done(part))
            part += 1
            kind = piece.kind
            events.append(_begun(0, 0, part, _opened(piece)))
        events.append(_delta(part, piece))
        lines.append(Line(events=tuple(events), delay_ms=piece.delay_ms))
    end = [_done(part)] if part >= 0 else []
    lines.append(Line(events=(*end, *_ending(completion))))
    return lines


def unfolded(completion: chat_pb2.Completion) -> list[Line]:
    """A whole answer as events, all at once; texts are one delta each."""
    events = [_started(completion)]
    for output in completion.outputs:
        for place, message in enumerate(output.messages):
            for number, part in enumerate(message.parts):
                events.append(_begun(output.index, place, number, part, message.id))
                done = chat_pb2.PartDone(output_index=output.index, message_index=place, part_index=number)
                events.append(Event(part_done=done))
    return [Line(events=(*events, *_ending(completion)))]


def pieces_of(chat: harness_pb2.MockChat) -> Iterator[Piece]:
    """The pieces of a mock as this module takes them."""
    for number, piece in enumerate(chat.pieces):
        delay = piece.delay.ToNanoseconds() / 1e6
        if piece.HasField("tool_call"):
            given = piece.tool_call
            call = content_pb2.ToolCall(
                call_id=given.id or f"call_mock_{number + 1}",
                name=given.name,
                arguments_json=given.arguments_json or "{}",
                executor=content_pb2.TOOL_EXECUTOR_CLIENT,
            )
            yield Piece(kind="tool_call", text=call.arguments_json, call=call, delay_ms=delay)
        else:
            kind = piece.WhichOneof("piece") or "text"
            yield Piece(kind=kind, text=getattr(piece, kind), delay_ms=delay)


def _finish(chat: harness_pb2.MockChat) -> chat_pb2.FinishReason.ValueType:
    if chat.finish_reason:
        return chat.finish_reason
    calls = any(piece.HasField("tool_call") for piece in chat.pieces)
    return chat_pb2.FINISH_REASON_TOOL_CALLS if calls else chat_pb2.FINISH_REASON_STOP


def _grow(message: content_pb2.Message, piece: Piece) -> None:
    last = message.parts[-1] if message.parts else None
    if piece.call is not None:
        message.parts.add(tool_call=piece.call)
    elif last is None or last.WhichOneof("kind") != piece.kind:
        part = message.parts.add()
        getattr(part, piece.kind).text = piece.text
    else:
        getattr(last, piece.kind).text += piece.text


def _opened(piece: Piece) -> content_pb2.Part:
    part = content_pb2.Part()
    if piece.call is not None:
        part.tool_call.CopyFrom(piece.call)
        part.tool_call.arguments_json = ""
    else:
        getattr(part, piece.kind).SetInParent()
    return part


def _delta(part: int, piece: Piece) -> Event:
    field = "arguments_json" if piece.call is not None else "text"
    return Event(part_delta=chat_pb2.PartDelta(part_index=part, **{field: piece.text}))  # type: ignore[arg-type]


def _begun(output: int, message: int, number: int, part: content_pb2.Part, identifier: str = "") -> Event:
    return Event(
        part_started=chat_pb2.PartStarted(
            output_index=output,
            message_index=message,
            part_index=number,
            role=content_pb2.ROLE_ASSISTANT,
            part=part,
            message_id=identifier,
        )
    )


def _done(part: int) -> Event:
    return Event(part_done=chat_pb2.PartDone(part_index=part))


def _started(completion: chat_pb2.Completion) -> Event:
    about = chat_pb2.Completion(id=completion.id, model=completion.model)
    about.create_time.CopyFrom(completion.create_time)
    about.usage.CopyFrom(completion.usage)
    about.usage.ClearField("output_tokens")
    return Event(started=chat_pb2.Started(completion=about))


def _ending(completion: chat_pb2.Completion) -> Sequence[Event]:
    outputs = []
    for output in completion.outputs:
        about = chat_pb2.Output()
        about.CopyFrom(output)
        about.ClearField("messages")
        outputs.append(Event(output_done=chat_pb2.OutputDone(output=about)))
    whole = chat_pb2.Completion()
    whole.CopyFrom(completion)
    whole.ClearField("outputs")
    return (
        *outputs,
        Event(usage=completion.usage),
        Event(completed=chat_pb2.Completed(completion=whole)),
    )
