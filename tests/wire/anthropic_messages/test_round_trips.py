"""L1 to L5 over authored samples that cover every kind of object, where recordings cover only those in use."""

from __future__ import annotations

import json

import pytest

from antiphon.core.fold import fold
from antiphon.wire.anthropic_messages.codec import AnthropicMessages
from antiphon.wire.base import HttpCall, HttpReply
from antiphon.wire.jsontext import loads
from tests.laws.anthropic import AnthropicMessagesLaws
from tests.laws.chat import decode, written
from tests.laws.recordings import Recorded
from tests.laws.verdict import first_difference, untyped
from tests.wire.anthropic_messages.answers import ANSWERS, UNKNOWN_ANSWER, Json
from tests.wire.anthropic_messages.requests import REQUESTS, UNTYPED
from tests.wire.anthropic_messages.streams import STREAMS, UNKNOWN_STREAM

WIRE = AnthropicMessages()
LAWS = AnthropicMessagesLaws()


def _recorded(body: bytes) -> Recorded:
    return Recorded(
        file="sample",
        number=0,
        provider="anthropic",
        method="POST",
        url="https://api.anthropic.com/v1/messages",
        request_body=b"",
        status=200,
        body=body,
    )


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_is_written_as_it_was_read(name: str) -> None:
    body = REQUESTS[name]
    call = WIRE.decode_request(HttpCall(method="POST", path="/v1/messages", body=json.dumps(body).encode()))
    again = WIRE.encode_request(call.spec, stream=call.stream)
    assert first_difference(body, loads(again.body)) is None
    assert untyped(call.spec, WIRE.name) == UNTYPED.get(name, 0)
    assert again.warnings == ()


@pytest.mark.parametrize("name", REQUESTS)
def test_counting_takes_every_request(name: str) -> None:
    body = {key: value for key, value in REQUESTS[name].items() if key not in ("max_tokens", "stream")}
    spec = WIRE.decode_count_request(HttpCall(method="POST", path="", body=json.dumps(body).encode()))
    counted = WIRE.encode_count_request(spec)
    assert counted.path == "/v1/messages/count_tokens"
    left_out = {"temperature", "top_p", "top_k", "stop_sequences", "service_tier", "metadata"}
    kept = {key: value for key, value in body.items() if key not in left_out}
    assert first_difference(kept, loads(counted.body)) is None


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_written_as_it_was_read(name: str) -> None:
    completion = WIRE.decode_response(HttpReply(status=200, body=json.dumps(ANSWERS[name]).encode()))
    assert first_difference(ANSWERS[name], loads(WIRE.encode_response(completion).body)) is None
    assert untyped(completion, WIRE.name) == 0


def test_an_answer_of_a_later_version_loses_nothing() -> None:
    completion = WIRE.decode_response(HttpReply(status=200, body=json.dumps(UNKNOWN_ANSWER).encode()))
    assert first_difference(UNKNOWN_ANSWER, loads(WIRE.encode_response(completion).body)) is None


@pytest.mark.parametrize("name", [name for name in ANSWERS if name != "nothing"])
def test_an_answer_can_be_replayed(name: str) -> None:
    """What the model said goes back as it was, whatever the spelling."""
    completion = WIRE.decode_response(HttpReply(status=200, body=json.dumps(ANSWERS[name]).encode()))
    spec = WIRE.decode_request(HttpCall(method="POST", path="", body=json.dumps(REQUESTS["plain"]).encode())).spec
    spec.messages.extend(completion.outputs[0].messages)
    turns = loads(WIRE.encode_request(spec, stream=False).body)["messages"]
    content: list[Json] = ANSWERS[name]["content"]
    if not content:
        assert turns[1:] in ([], [{"role": "assistant", "content": []}])
        return
    replayed = turns[1]["content"]
    if isinstance(replayed, str):
        replayed = [{"type": "text", "text": replayed}]
    assert [_without_nulls(block) for block in replayed] == [_without_nulls(block) for block in content]


def _without_nulls(block: Json) -> Json:
    return {key: value for key, value in block.items() if value is not None}


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_folds_to_one_answer_however_it_is_cut(name: str) -> None:
    verdict = LAWS.examine(_recorded(STREAMS[name]))
    assert [(law, difference) for law, difference in verdict.checks if difference] == []
    assert {law for law, _ in verdict.checks} == {"L3", "L4"}
    assert verdict.untyped == 0


def test_a_stream_of_a_later_version_loses_nothing_but_the_padding() -> None:
    events, error = decode(WIRE, [UNKNOWN_STREAM])
    assert error is None
    body = loads(WIRE.encode_response(fold(events)).body)
    assert body["origin"] == "moon"
    assert body["content"] == [
        {"type": "text", "text": "x", "mood": "good", "estimated_tokens": 5, "mood_delta": {"mood": " and calm"}},
        {"type": "hologram", "depth": "34"},
    ]
    assert body["weather_report"] == {"sky": "blue"}
    assert body["new_field"] == 7
    assert body["usage"] == {"input_tokens": 9, "output_tokens": 12, "photons": 3}
    again, error = decode(WIRE, [written(WIRE, events)])
    assert error is None
    assert loads(WIRE.encode_response(fold(again)).body) == body
