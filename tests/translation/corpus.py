"""Every recorded answer that a chat wire reads, decoded once for all tests."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from antiphon.core.errors import ServiceError
from antiphon.core.fold import fold
from antiphon.v1 import chat_pb2
from antiphon.wire.base import ChatWire
from tests.laws.chat import ChatLaws, Events, decode
from tests.laws.recordings import Folder, Recorded, default_folder
from tests.laws.wires import wire_of

ABSENT = "no recordings: set ANTIPHON_RECORDINGS to a folder with reader.py and INDEX.tsv"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A recorded answer; `events` are those of a stream, else empty."""

    place: str
    wire: ChatWire
    completion: chat_pb2.Completion
    events: tuple[chat_pb2.StreamChatResponse, ...] = ()
    asked: chat_pb2.ChatSpec | None = None


@cache
def answers() -> tuple[Answer, ...]:
    """All of them, without errors, in the order of the folder; none where it is absent."""
    path = default_folder()
    if path is None:
        return ()
    folder = Folder(path)
    every = (recorded for file in folder.files for recorded in folder.exchanges(file))
    found = (_answer(recorded) for recorded in every)
    return tuple(answer for answer in found if answer is not None)


def of_wire(name: str) -> list[Answer]:
    """The answers of one wire."""
    return [answer for answer in answers() if answer.wire.name == name]


def _answer(recorded: Recorded) -> Answer | None:
    laws = wire_of(recorded)
    if not isinstance(laws, ChatLaws) or recorded.status >= 400:
        return None
    wire, place = laws.wire, f"{recorded.file} #{recorded.number}"
    try:
        asked = wire.decode_request(recorded.call).spec
    except ServiceError:
        asked = None
    try:
        if not _is_stream(laws, recorded):
            return Answer(place=place, wire=wire, completion=wire.decode_response(recorded.reply), asked=asked)
        events, error = decode(wire, [recorded.body])
    except ServiceError:
        return None  # an error with status 200
    if error is not None:
        return None
    return Answer(place=place, wire=wire, completion=folded(events), events=tuple(events), asked=asked)


def folded(events: Events) -> chat_pb2.Completion:
    """The whole answer of a stream."""
    return fold(events)


def _is_stream(laws: ChatLaws, recorded: Recorded) -> bool:
    streams = getattr(laws, "streams", None)
    if streams is not None:
        return bool(streams(recorded))
    return recorded.streamed or isinstance(recorded.json, list)  # Gemini's streams may be an array
