"""Folding stream events gives the answer that they tell."""

from __future__ import annotations

import pytest

from antiphon.core.errors import Reason, ServiceError
from antiphon.core.fold import Fold, fold
from antiphon.v1 import chat_pb2, content_pb2, usage_pb2

Event = chat_pb2.StreamChatResponse


def started(part: content_pb2.Part, index: int = 0, *, output: int = 0, message: int = 0) -> Event:
    place = chat_pb2.PartStarted(output_index=output, message_index=message, part_index=index, part=part)
    place.role = content_pb2.ROLE_ASSISTANT
    return Event(part_started=place)


def delta(index: int = 0, *, output: int = 0, **fields: object) -> Event:
    return Event(part_delta=chat_pb2.PartDelta(output_index=output, part_index=index, **fields))  # type: ignore[arg-type]


def completed(**fields: object) -> Event:
    completion = chat_pb2.Completion(usage=usage_pb2.Usage(input_tokens=3), **fields)  # type: ignore[arg-type]
    return Event(completed=chat_pb2.Completed(completion=completion))


def text() -> content_pb2.Part:
    return content_pb2.Part(text=content_pb2.TextPart())


def test_deltas_of_every_kind_grow_their_parts() -> None:
    call = content_pb2.Part(tool_call=content_pb2.ToolCall(call_id="c", name="f", arguments_json=""))
    answer = fold(
        [
            started(content_pb2.Part(reasoning=content_pb2.ReasoningPart()), 0),
            delta(0, text="let me "),
            delta(0, text="think"),
            delta(0, signature=b"si"),
            delta(0, signature=b"gn"),
            delta(0, encrypted=b"x"),
            started(text(), 1),
            delta(1, text="Hel"),
            delta(1, text="lo", logprobs=[content_pb2.TokenLogprob(token="lo")]),
            delta(1, citation=content_pb2.Citation(url="u")),
            started(content_pb2.Part(refusal=""), 2),
            delta(2, text="no"),
            started(content_pb2.Part(media=content_pb2.MediaPart()), 3),
            delta(3, media=b"\x00\x01"),
            delta(3, media=b"\x02"),
            delta(3, transcript="hi"),
            started(call, 4),
            delta(4, arguments_json='{"a"'),
            delta(4, arguments_json=":1}"),
            delta(4, tool_status=content_pb2.TOOL_STATUS_COMPLETED),
            completed(),
        ]
    )
    reasoning, said, refusal, media, called = answer.outputs[0].messages[0].parts
    assert (reasoning.reasoning.text, reasoning.signature, reasoning.reasoning.encrypted) == (
        "let me think",
        b"sign",
        b"x",
    )
    assert (said.text.text, said.text.logprobs[0].token, said.text.citations[0].url) == ("Hello", "lo", "u")
    assert refusal.refusal == "no"
    assert (media.media.data, media.media.transcript) == (b"\x00\x01\x02", "hi")
    assert called.tool_call.arguments_json == '{"a":1}'
    assert called.tool_call.status == content_pb2.TOOL_STATUS_COMPLETED


def test_text_grows_the_free_text_of_a_custom_tool_call() -> None:
    call = content_pb2.Part(tool_call=content_pb2.ToolCall(name="f", text=""))
    answer = fold([started(call), delta(text="a"), delta(text="b"), completed()])
    assert answer.outputs[0].messages[0].parts[0].tool_call.text == "ab"


def test_outputs_and_messages_keep_their_places() -> None:
    answer = fold(
        [
            started(text(), 0, output=1),
            started(text(), 0, output=0, message=1),
            started(text(), 0, output=0, message=0),
            delta(output=1, text="second"),
            completed(),
        ]
    )
    assert [output.index for output in answer.outputs] == [0, 1]
    assert len(answer.outputs[0].messages) == 2
    assert answer.outputs[1].messages[0].parts[0].text.text == "second"


def test_output_done_brings_what_is_not_a_part() -> None:
    output = chat_pb2.Output(index=0, finish_reason=chat_pb2.FINISH_REASON_STOP)
    output.messages.add(id="m").provider_data["w"] = "{}"
    answer = fold(
        [started(text()), delta(text="x"), Event(output_done=chat_pb2.OutputDone(output=output)), completed()]
    )
    message = answer.outputs[0].messages[0]
    assert answer.outputs[0].finish_reason == chat_pb2.FINISH_REASON_STOP
    assert (message.id, message.provider_data["w"], message.parts[0].text.text) == ("m", "{}", "x")


def test_part_done_brings_what_was_known_late() -> None:
    late = chat_pb2.PartDone(part=content_pb2.Part(id="late"))
    answer = fold([started(text()), delta(text="x"), Event(part_done=late), completed()])
    part = answer.outputs[0].messages[0].parts[0]
    assert (part.id, part.text.text) == ("late", "x")


def test_completed_counts_and_usage_events_stand_in_for_it() -> None:
    used = Event(usage=usage_pb2.Usage(input_tokens=9))
    assert fold([used, completed()]).usage.input_tokens == 3
    bare = Event(completed=chat_pb2.Completed(completion=chat_pb2.Completion(id="x")))
    assert fold([used, bare]).usage.input_tokens == 9
    assert fold([used, bare]).id == "x"


def test_usage_is_known_before_the_end() -> None:
    whole = Fold()
    assert whole.usage() == usage_pb2.Usage()
    whole.add(Event(usage=usage_pb2.Usage(output_tokens=2)))
    assert whole.usage().output_tokens == 2


def test_warnings_join_the_answer_once() -> None:
    warning = chat_pb2.Warning(code="X")
    answer = fold([Event(warning=warning), Event(heartbeat=chat_pb2.Heartbeat()), completed(warnings=[warning])])
    assert list(answer.warnings) == [warning]


def test_a_snapshot_is_taken_as_it_is() -> None:
    outputs = [chat_pb2.Output(index=0, finish_message="whole")]
    answer = fold([started(text()), delta(text="x"), completed(outputs=outputs)])
    assert answer.outputs[0].finish_message == "whole"


@pytest.mark.parametrize(
    "events",
    [
        [],
        [started(text()), delta(text="x")],
        [delta(text="x"), completed()],
        [started(text()), started(text()), completed()],
        [completed(), completed()],
        [completed(), delta(text="x")],
    ],
    ids=["empty", "no end", "delta first", "begun twice", "two ends", "after the end"],
)
def test_a_broken_stream_has_no_answer(events: list[Event]) -> None:
    with pytest.raises(ServiceError) as caught:
        fold(events)
    assert caught.value.reason is Reason.MALFORMED_RESPONSE


def test_folding_twice_gives_the_same_and_spoils_no_event() -> None:
    events = [started(text()), delta(text="x"), completed()]
    whole = Fold()
    for event in events:
        whole.add(event)
    assert whole.completion() == whole.completion() == fold(events)
