"""Streams that break, and streams that were not born on this wire."""

from __future__ import annotations

import json
from typing import Any

import pytest

from antiphon.core.errors import Reason, ServiceError
from antiphon.core.fold import fold
from antiphon.v1 import chat_pb2, content_pb2, usage_pb2
from antiphon.wire.anthropic_messages.codec import AnthropicMessages
from tests.laws.chat import decode, events_of
from tests.wire.anthropic_messages.streams import STREAMS

WIRE = AnthropicMessages()
Event = chat_pb2.StreamChatResponse


def _begin(number: int, **kind: Any) -> Event:
    part = content_pb2.Part(**kind)
    return Event(part_started=chat_pb2.PartStarted(part_index=number, role=content_pb2.ROLE_ASSISTANT, part=part))


def _more(number: int, **delta: Any) -> Event:
    return Event(part_delta=chat_pb2.PartDelta(part_index=number, **delta))


def _done(number: int) -> Event:
    return Event(part_done=chat_pb2.PartDone(part_index=number))


def _whole(*middle: Event, reason: chat_pb2.FinishReason.ValueType = chat_pb2.FINISH_REASON_STOP) -> list[Event]:
    head = chat_pb2.Completion(id="chatcmpl-1", model="gpt")
    last = chat_pb2.Completion(id="chatcmpl-1", model="gpt", usage=usage_pb2.Usage(input_tokens=3, output_tokens=2))
    output = chat_pb2.Output(finish_reason=reason, provider_finish_reason="stop")
    return [
        Event(started=chat_pb2.Started(completion=head)),
        *middle,
        Event(output_done=chat_pb2.OutputDone(output=output)),
        Event(completed=chat_pb2.Completed(completion=last)),
    ]


def _blocks(events: list[Event]) -> list[dict[str, Any]]:
    """The blocks that a client of this wire puts together; each has to begin after the one before has ended."""
    encoder = WIRE.stream_encoder()
    blocks: list[dict[str, Any]] = []
    is_open = False
    for event in events_of(b"".join(map(encoder.encode, events))):
        if event["type"] == "content_block_start":
            assert not is_open
            is_open = True
            assert event["index"] == len(blocks)
            blocks.append(dict(event["content_block"]))
        elif event["type"] == "content_block_stop":
            assert is_open
            is_open = False
        elif event["type"] == "content_block_delta":
            assert is_open
            assert event["index"] == len(blocks) - 1
            delta = event["delta"]
            key = next(name for name in delta if name != "type")
            target = "json" if key == "partial_json" else key
            blocks[-1][target] = blocks[-1].get(target, "") + delta[key]
    assert not is_open
    return blocks


def _function(number: int, call_id: str) -> Event:
    return _begin(number, tool_call=content_pb2.ToolCall(call_id=call_id, name="get"))


def test_parts_that_grow_side_by_side_are_put_in_a_row() -> None:
    events = _whole(
        _begin(0, reasoning=content_pb2.ReasoningPart()),
        _more(0, text="hm"),
        _begin(1, text=content_pb2.TextPart(text="a")),
        _more(1, text="b"),
        _more(0, text=" more"),
        _more(1, text="c"),
        _function(2, "call_1"),
        _function(3, "call_2"),
        _more(2, arguments_json='{"a"'),
        _more(3, arguments_json='{"b"'),
        _more(2, arguments_json=":1}"),
        _more(3, arguments_json=":2}"),
        *(_done(number) for number in range(4)),
        reason=chat_pb2.FINISH_REASON_TOOL_CALLS,
    )
    assert _blocks(events) == [
        {"type": "thinking", "thinking": "hm", "signature": ""},
        {"type": "text", "text": "ab"},
        {"type": "thinking", "thinking": " more", "signature": ""},
        {"type": "text", "text": "c"},
        {"type": "tool_use", "id": "call_1", "name": "get", "input": {}, "json": '{"a":1}'},
        {"type": "tool_use", "id": "call_2", "name": "get", "input": {}, "json": '{"b":2}'},
    ]


def test_what_is_left_open_is_closed_at_the_end() -> None:
    events = _whole(_function(0, "call_1"), _function(1, "call_2"), _more(1, arguments_json="{}"))
    assert [block["id"] for block in _blocks(events)] == ["call_1", "call_2"]


def test_free_text_for_a_tool_becomes_an_argument() -> None:
    events = _whole(_function(0, "call_1"), _more(0, text='say "'), _more(0, text='hi"'), _done(0))
    assert json.loads(_blocks(events)[0]["json"]) == {"input": 'say "hi"'}


def test_a_refusal_and_hidden_reasoning_reach_the_client() -> None:
    events = _whole(
        _begin(0, reasoning=content_pb2.ReasoningPart()),
        _more(0, encrypted=b"sec"),
        _more(0, encrypted=b"ret"),
        _done(0),
        _begin(1, refusal=""),
        _more(1, text="No."),
        _done(1),
        reason=chat_pb2.FINISH_REASON_CONTENT_FILTER,
    )
    blocks = _blocks(events)
    assert {"type": "redacted_thinking", "data": "secret"} in blocks
    assert blocks[-1] == {"type": "text", "text": "No."}
    written = b"".join(map(WIRE.stream_encoder().encode, events))
    assert events_of(written)[-2]["delta"]["stop_reason"] == "refusal"


def test_the_end_tells_all_of_the_usage() -> None:
    events = events_of(b"".join(map(WIRE.stream_encoder().encode, _whole())))
    assert [event["type"] for event in events] == ["message_start", "message_delta", "message_stop"]
    assert events[0]["message"]["usage"] == {"input_tokens": 0, "output_tokens": 0}
    assert events[0]["message"]["stop_reason"] is None
    assert events[1] == {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"input_tokens": 3, "output_tokens": 2},
    }


def test_a_heartbeat_is_a_ping_and_a_warning_is_silent() -> None:
    encoder = WIRE.stream_encoder()
    assert encoder.encode(Event(heartbeat=chat_pb2.Heartbeat())) == b'event: ping\ndata: {"type":"ping"}\n\n'
    assert encoder.encode(Event(warning=chat_pb2.Warning(code="X"))) == b""


def test_a_second_answer_cannot_be_told() -> None:
    encoder = WIRE.stream_encoder()
    with pytest.raises(ServiceError) as caught:
        encoder.encode(Event(part_delta=chat_pb2.PartDelta(output_index=1, text="x")))
    assert caught.value.reason is Reason.UNSUPPORTED_PARAMETER
    completion = chat_pb2.Completion(outputs=[chat_pb2.Output(), chat_pb2.Output(index=1)])
    with pytest.raises(ServiceError):
        WIRE.encode_response(completion)


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_stream_that_breaks_off_is_never_whole(cut: int) -> None:
    whole = STREAMS["text"]
    blocks = whole.split(b"\n\n")
    events, error = decode(WIRE, [b"\n\n".join(blocks[:-2][:cut]) + b"\n\n"])
    assert error is not None
    assert error.reason is Reason.OUTCOME_UNKNOWN
    assert not any(event.HasField("completed") for event in events)


def test_the_usage_of_a_broken_stream_is_known_and_marked() -> None:
    decoder = WIRE.stream_decoder()
    decoder.feed(STREAMS["text"][:600])
    usage = decoder.usage()
    assert (usage.input_tokens, usage.output_tokens, usage.partial) == (9, 1, True)


def test_an_error_in_a_stream_comes_after_the_events_before_it() -> None:
    failing = STREAMS["text"].partition(b"event: message_delta")[0]
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    failing += b"event: error\ndata: " + json.dumps(error).encode() + b"\n\n"
    decoder = WIRE.stream_decoder()
    events = decoder.feed(failing)
    assert events[-1].HasField("part_done")
    for _ in range(2):
        with pytest.raises(ServiceError) as caught:
            decoder.feed(b"")
        assert caught.value.reason is Reason.OVERLOADED
    with pytest.raises(ServiceError):
        decoder.close()


def test_an_error_is_an_event_that_the_reader_understands() -> None:
    written = WIRE.stream_encoder().error(ServiceError(Reason.RATE_LIMIT_EXCEEDED, "slow down"))
    assert written.startswith(b"event: error\n")
    _, error = decode(WIRE, [written])
    assert error is not None
    assert (error.reason, error.message) == (Reason.RATE_LIMIT_EXCEEDED, "slow down")


@pytest.mark.parametrize(
    "data",
    [
        b"no json",
        b"[]",
        b'{"type":"content_block_delta","index":0,"delta":{}}',
        b'{"type":"message_stop"}',
        b'{"type":"message_start"}',
    ],
)
def test_a_stream_that_makes_no_sense_is_malformed(data: bytes) -> None:
    _, error = decode(WIRE, [b"data: " + data + b"\n\n"])
    assert error is not None
    assert error.reason is Reason.MALFORMED_RESPONSE


def test_what_follows_the_end_is_not_told() -> None:
    more = b'data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":"late"}}\n\n'
    events, error = decode(WIRE, [STREAMS["text"] + more + b"data: [DONE]\n\n"])
    assert error is None
    assert fold(events) == fold(decode(WIRE, [STREAMS["text"]])[0])


def test_a_completion_of_another_wire_becomes_a_message() -> None:
    completion = chat_pb2.Completion(id="x", model="gpt", service_tier="default")
    completion.usage.input_tokens, completion.usage.cache_read_tokens, completion.usage.output_tokens = 10, 4, 2
    output = completion.outputs.add(finish_reason=chat_pb2.FINISH_REASON_TOOL_CALLS)
    output.provider_finish_reason = "tool_calls"
    message = output.messages.add(role=content_pb2.ROLE_ASSISTANT)
    message.parts.add().reasoning.text = "hm"
    message.parts.add().text.text = "hi"
    call = message.parts.add().tool_call
    call.call_id, call.name, call.arguments_json = "call_1", "get", '{"a": 1}'
    assert json.loads(WIRE.encode_response(completion).body) == {
        "id": "x",
        "type": "message",
        "role": "assistant",
        "model": "gpt",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": ""},
            {"type": "text", "text": "hi"},
            {"type": "tool_use", "id": "call_1", "name": "get", "input": {"a": 1}},
        ],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 6,
            "cache_read_input_tokens": 4,
            "output_tokens": 2,
            "service_tier": "standard",
        },
    }


def test_every_finish_reason_has_a_word() -> None:
    for reason in chat_pb2.FinishReason.values():
        completion = chat_pb2.Completion(outputs=[chat_pb2.Output(finish_reason=reason)])
        word = json.loads(WIRE.encode_response(completion).body)["stop_reason"]
        assert (word is None) is (reason == chat_pb2.FINISH_REASON_UNSPECIFIED)
