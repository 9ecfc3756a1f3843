"""The short way of the encoder: text that grows a part that is nothing but text, byte for byte as the general way."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from antiphon.v1 import chat_pb2, content_pb2
from antiphon.wire.openai_chat import ChatStreamEncoder

Event = chat_pb2.StreamChatResponse
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
PLACES = st.tuples(st.integers(0, 1), st.integers(0, 1), st.integers(0, 1))


class General(ChatStreamEncoder):
    """The encoder without its short way."""

    def _open_lane(self, grown: chat_pb2.PartDelta) -> None:
        """Open none."""


class Counting(ChatStreamEncoder):
    """The encoder, which tells how many chunks it built the general way."""

    general = 0

    def _delta(self, index: int, choice: Any, delta: dict[str, Any], **fields: Any) -> bytes:
        self.general += 1
        return super()._delta(index, choice, delta, **fields)


def built(part: content_pb2.Part, *texts: str) -> int:
    """How many of the pieces that a part grows by are written the general way."""
    encoder = Counting()
    for event in (started(id="x", model="m"), begun(HERE, part)):
        encoder.encode(event)
    encoder.general = 0
    for text in texts:
        encoder.encode(grown(HERE, text))
    return encoder.general


def started(**head: str) -> Event:
    return Event(started=chat_pb2.Started(completion=chat_pb2.Completion(**head)))  # type: ignore[arg-type]


def begun(place: tuple[int, int, int], part: content_pb2.Part) -> Event:
    output, message, number = place
    begin = chat_pb2.PartStarted(output_index=output, message_index=message, part_index=number, part=part)
    return Event(part_started=begin)


def grown(place: tuple[int, int, int], text: str, **more: object) -> Event:
    output, message, number = place
    delta = chat_pb2.PartDelta(output_index=output, message_index=message, part_index=number, text=text)
    if more.get("logprobs"):
        delta.logprobs.add(token=text, logprob=-0.5)
    return Event(part_delta=delta)


def done(place: tuple[int, int, int]) -> Event:
    output, message, number = place
    return Event(part_done=chat_pb2.PartDone(output_index=output, message_index=message, part_index=number))


PARTS = (
    content_pb2.Part(text=content_pb2.TextPart()),
    content_pb2.Part(reasoning=content_pb2.ReasoningPart()),
    content_pb2.Part(refusal=""),
    content_pb2.Part(),
)
HERE = (0, 0, 0)


@st.composite
def streams(draw: st.DrawFn) -> list[Event]:
    """Streams whose parts begin, grow and end in any order that a stream may have."""
    events = [started(id=draw(TEXTS), model=draw(TEXTS))]
    open_parts: list[tuple[int, int, int]] = []
    for _ in range(draw(st.integers(1, 25))):
        step = draw(st.sampled_from(("begin", "grow", "grow", "grow", "logprobs", "done", "head")))
        if step == "begin" or not open_parts:
            place = draw(PLACES)
            events.append(begun(place, draw(st.sampled_from(PARTS))))
            open_parts.append(place)
            continue
        place = draw(st.sampled_from(open_parts))
        match step:
            case "head":
                events.append(started(id=draw(TEXTS), model=draw(TEXTS)))
            case "done":
                events.append(done(place))
            case _:
                events.append(grown(place, draw(TEXTS), logprobs=step == "logprobs"))
    return events


@given(streams())
def test_the_short_way_writes_the_same_bytes(events: list[Event]) -> None:
    short, general = ChatStreamEncoder(), General()
    assert [short.encode(event) for event in events] == [general.encode(event) for event in events]


def test_plain_text_takes_the_short_way_from_its_second_piece() -> None:
    assert built(PARTS[0], *(f"word {number}" for number in range(100))) == 1


def test_what_is_no_plain_text_takes_the_general_way() -> None:
    for part in PARTS[1:3]:
        assert built(part, "one", "two", "three") == 3


def test_a_name_that_looks_like_the_end_of_a_chunk_changes_nothing() -> None:
    odd = '""},"finish_reason":null}]}\n\n'
    events = [started(id=odd, model=odd), begun(HERE, PARTS[0]), *(grown(HERE, odd) for _ in range(3))]
    short, general = ChatStreamEncoder(), General()
    assert [short.encode(event) for event in events] == [general.encode(event) for event in events]
