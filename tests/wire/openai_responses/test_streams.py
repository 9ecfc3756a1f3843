"""How streams are read and written, beside that they fold to their answers."""

from __future__ import annotations

import pytest

from antiphon.core.errors import Reason, ServiceError
from antiphon.core.fold import fold
from antiphon.v1 import chat_pb2, content_pb2
from antiphon.wire.jsontext import dumps
from antiphon.wire.openai_responses.codec import OpenAIResponses
from tests.laws.chat import decode, events_of, written
from tests.wire.openai_responses.answers import HEAD, message
from tests.wire.openai_responses.streams import STREAMS

WIRE = OpenAIResponses()
Event = chat_pb2.StreamChatResponse


def _kinds(events: list[Event]) -> list[str]:
    return [event.WhichOneof("event") or "" for event in events]


def test_text_is_told_as_it_comes() -> None:
    events, error = decode(WIRE, [STREAMS["text"]])
    assert error is None
    assert _kinds(events) == [
        "started",
        "part_started",
        "part_delta",
        "part_delta",
        "part_done",
        "output_done",
        "usage",
        "completed",
    ]
    assert events[0].started.completion.id == "resp_1"
    assert events[1].part_started.message_id == "msg_1"
    assert [event.part_delta.text for event in events[2:4]] == ["H", "i"]


def test_code_is_told_as_the_arguments_that_have_it() -> None:
    events, _ = decode(WIRE, [STREAMS["tools that the provider runs"]])
    said = "".join(event.part_delta.arguments_json for event in events if event.part_delta.part_index == 4)
    assert said == '{"code":"print(1)"}'


def test_the_state_of_a_tool_is_told() -> None:
    events, _ = decode(WIRE, [STREAMS["tools that the provider runs"]])
    told = [event.part_delta.tool_status for event in events if event.part_delta.HasField("tool_status")]
    assert told[:2] == [content_pb2.TOOL_STATUS_IN_PROGRESS, content_pb2.TOOL_STATUS_COMPLETED]


def test_numbers_of_parts_have_no_gaps() -> None:
    for name, body in STREAMS.items():
        events, _ = decode(WIRE, [body])
        places: dict[int, set[int]] = {}
        for event in events:
            if event.HasField("part_started"):
                places.setdefault(event.part_started.message_index, set()).add(event.part_started.part_index)
        assert all(numbers == set(range(len(numbers))) for numbers in places.values()), name


@pytest.mark.parametrize("rest", [b"data: [DONE]\n\n", b": bye\n\n", b""])
def test_what_follows_the_end_is_passed_over(rest: bytes) -> None:
    events, error = decode(WIRE, [STREAMS["text"] + rest])
    assert error is None
    assert _kinds(events).count("completed") == 1


def test_names_of_events_may_stand_in_the_data_alone() -> None:
    plain = b"".join(b"data: " + dumps(event) + b"\n\n" for event in events_of(STREAMS["text"]))
    assert fold(decode(WIRE, [plain])[0]) == fold(decode(WIRE, [STREAMS["text"]])[0])


def test_a_stream_that_breaks_off_has_an_unknown_outcome() -> None:
    body = STREAMS["text"].rpartition(b"event: response.completed")[0]
    decoder = WIRE.stream_decoder()
    assert _kinds(decoder.feed(body))[-1] == "part_done"
    with pytest.raises(ServiceError) as caught:
        decoder.close()
    assert caught.value.reason is Reason.OUTCOME_UNKNOWN
    assert decoder.usage().partial


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({"type": "error", "code": "rate_limit_exceeded", "message": "slow"}, Reason.RATE_LIMIT_EXCEEDED),
        ({"type": "error", "error": {"code": "server_error", "message": "oh"}}, Reason.PROVIDER_UNAVAILABLE),
        ({"error": {"code": 429, "message": "slow"}}, Reason.RATE_LIMIT_EXCEEDED),
        (
            {
                "type": "response.failed",
                "response": {**HEAD, "status": "failed", "error": {"code": "server_error", "message": "oh"}},
            },
            Reason.PROVIDER_UNAVAILABLE,
        ),
    ],
)
def test_an_error_in_a_stream_comes_after_what_was_told(event: dict[str, object], reason: Reason) -> None:
    begun = STREAMS["text"].rpartition(b"event: response.output_text.done")[0]
    decoder = WIRE.stream_decoder()
    told = decoder.feed(begun + b"data: " + dumps(event) + b"\n\n")
    assert _kinds(told)[-1] == "part_delta"
    with pytest.raises(ServiceError) as caught:
        decoder.feed(b"")
    assert caught.value.reason is reason


@pytest.mark.parametrize("data", [b"{", b"[]", b'{"type": "response.output_item.added"}'])
def test_an_event_that_cannot_be_read_is_malformed(data: bytes) -> None:
    _, error = decode(WIRE, [b"data: " + data + b"\n\n"])
    assert error is not None
    assert error.reason is Reason.MALFORMED_RESPONSE


def test_a_whole_answer_where_a_stream_was_asked_for_is_told_as_one() -> None:
    events, error = decode(WIRE, [b"\xef\xbb\xbf \n", dumps({**HEAD, "output": [message(1)]})])
    assert error is None
    assert fold(events).outputs[0].messages[0].parts[0].text.text == "Hi"


def test_an_error_where_a_stream_was_asked_for_is_one() -> None:
    _, error = decode(WIRE, [dumps({"error": {"code": "invalid_api_key", "message": "no"}})])
    assert error is not None
    assert error.reason is Reason.INVALID_CREDENTIALS


def test_padding_is_dropped() -> None:
    events, _ = decode(WIRE, [STREAMS["text"]])
    assert b"xyz" not in written(WIRE, events)


def test_events_are_numbered_without_gaps() -> None:
    for body in STREAMS.values():
        numbers = [event["sequence_number"] for event in events_of(written(WIRE, decode(WIRE, [body])[0]))]
        assert numbers == list(range(len(numbers)))


def test_each_item_that_begins_ends_once() -> None:
    for name, body in STREAMS.items():
        events = events_of(written(WIRE, decode(WIRE, [body])[0]))
        begun = [event["output_index"] for event in events if event["type"] == "response.output_item.added"]
        ended = [event["output_index"] for event in events if event["type"] == "response.output_item.done"]
        assert sorted(begun) == sorted(ended) == list(range(len(begun))), name


def test_a_message_that_is_whole_ends_before_the_answer_does() -> None:
    events = events_of(written(WIRE, decode(WIRE, [STREAMS["several messages"]])[0]))
    ended = [event["item"].get("phase") for event in events if event["type"] == "response.output_item.done"]
    assert ended == [None, None, "final_answer"]
    types = [event["type"] for event in events]
    assert types.index("response.output_item.done") < types.index("response.web_search_call.in_progress")


def test_a_heartbeat_is_a_comment_and_an_error_an_event() -> None:
    encoder = WIRE.stream_encoder()
    assert encoder.encode(Event(heartbeat=chat_pb2.Heartbeat())).startswith(b":")
    error = events_of(encoder.error(ServiceError(Reason.OVERLOADED, "busy")))[0]
    assert (error["type"], error["message"], error["sequence_number"]) == ("error", "busy", 0)


def test_a_second_answer_cannot_be_streamed() -> None:
    encoder = WIRE.stream_encoder()
    with pytest.raises(ServiceError) as caught:
        encoder.encode(Event(part_started=chat_pb2.PartStarted(output_index=1)))
    assert caught.value.reason is Reason.UNSUPPORTED_PARAMETER
