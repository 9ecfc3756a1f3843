"""L1 to L5 over authored samples that cover every kind of object, where recordings cover only those in use."""

from __future__ import annotations

from typing import Any

import pytest

from antiphon.core.fold import fold
from antiphon.wire.base import HttpCall, HttpReply
from antiphon.wire.jsontext import dumps, loads
from antiphon.wire.openai_responses.codec import OpenAIResponses
from tests.laws.chat import decode, written
from tests.laws.recordings import Recorded
from tests.laws.responses import OpenAIResponsesLaws
from tests.laws.verdict import first_difference, message_difference, untyped
from tests.wire.openai_responses.answers import ANSWERS, HEAD
from tests.wire.openai_responses.requests import CHOICES, ITEMS, OPTIONS, TOOLS
from tests.wire.openai_responses.streams import STREAMS

WIRE = OpenAIResponses()
LAWS = OpenAIResponsesLaws()
UNTYPED = {
    "shells": 1,
    "tools that search tools": 19,
    "what the provider stores": 1,
    "what nobody knows": 7,
    "moderation": 3,
}
"""How many values of a sample have no field, and why that is right: definitions of tools that a search found, marks
without content, errors of a side model, and fields that nobody knows."""
BODIES = (
    *({"model": "m", "input": "x", "tools": [tool]} for tool in TOOLS.values()),
    *({"model": "m", "input": "x", "tools": list(TOOLS.values()), "tool_choice": choice} for choice in CHOICES),
    *({"model": "m", "input": "x", name: value} for name, value in OPTIONS.items()),
    {"model": "m", "input": "x", **OPTIONS, "stream": True},
    {"model": "m", "input": "x", "stream": False, "conversation": {"id": "conv_1"}},
    {"model": "m", "input": "x", "user": "u", "safety_identifier": "u", "reasoning": {"generate_summary": "auto"}},
    {"model": "m", "input": "x", "reasoning": {"effort": None, "max_tokens": 9, "enabled": True, "exclude": False}},
    {"model": "m", "input": "x", "text": {"format": {"type": "json_object"}}},
    {"model": "m", "previous_response_id": "resp_1"},
    {"prompt": {"id": "pmpt_1"}},
)


def _call(body: Any) -> HttpCall:
    return HttpCall(method="POST", path="/v1/responses", body=dumps(body))


def _again(body: Any) -> tuple[Any, int]:
    call = WIRE.decode_request(_call(body))
    again = WIRE.encode_request(call.spec, stream=call.stream)
    assert "/input" not in call.spec.form.patch_json, "the items keep their own remainders"
    return loads(again.body), untyped(call.spec, WIRE.name)


@pytest.mark.parametrize("name", ITEMS)
def test_items_of_a_request_are_written_as_they_were_read(name: str) -> None:
    body = {"model": "m", "input": ITEMS[name]}
    again, escaped = _again(body)
    assert first_difference(body, again) is None
    assert escaped == UNTYPED.get(name, 0)


@pytest.mark.parametrize("body", BODIES, ids=lambda body: str(body)[:70])
def test_a_request_is_written_as_it_was_read_and_typed_whole(body: Any) -> None:
    again, escaped = _again(body)
    assert first_difference(body, again) is None
    assert escaped == 0


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_written_as_it_was_read(name: str) -> None:
    completion = WIRE.decode_response(HttpReply(status=200, body=dumps(ANSWERS[name])))
    assert first_difference(ANSWERS[name], loads(WIRE.encode_response(completion).body)) is None
    assert untyped(completion, WIRE.name) == UNTYPED.get(name, 0)


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_keeps_the_laws(name: str) -> None:
    recorded = Recorded(
        file="sample",
        number=0,
        provider="openai",
        method="POST",
        url="https://api.openai.com/v1/responses",
        request_body=b"",
        status=200,
        body=STREAMS[name],
    )
    checks = LAWS.examine(recorded).checks
    told_late = "only" in name or name in ("reasoning", "calls side by side", "without identifiers")
    # Where the deltas say less than the whole, joining them is no second opinion; the other laws still are.
    assert [found for _, found in checks if found and not (told_late and "$joined" in found)] == []
    assert {law for law, _ in checks} == {"L3", "L4"}


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_folds_to_the_answer_that_its_last_event_has(name: str) -> None:
    events, error = decode(WIRE, [STREAMS[name]])
    assert error is None
    body = loads(STREAMS[name].rstrip().rpartition(b"data: ")[2])["response"]
    whole = WIRE.decode_response(HttpReply(status=200, body=dumps(body)))
    assert message_difference(whole, fold(events)) is None
    again, error = decode(WIRE, [written(WIRE, events)])
    assert error is None
    assert message_difference(whole, fold(again)) is None


@pytest.mark.parametrize("name", [name for name in ITEMS if name not in ("what nobody knows", "a bare message")])
def test_items_survive_the_way_from_an_answer_into_the_next_request(name: str) -> None:
    items = [item for item in ITEMS[name] if item.get("role", "assistant") == "assistant" and item.get("id")]
    body = {**HEAD, "output": items}
    completion = WIRE.decode_response(HttpReply(status=200, body=dumps(body)))
    spec = WIRE.decode_request(_call({"model": "m", "input": []})).spec
    spec.messages.extend(completion.outputs[0].messages)
    replayed = loads(WIRE.encode_request(spec, stream=False).body)["input"]
    assert len(replayed) == len(items)
    for item, again in zip(items, replayed, strict=True):
        assert first_difference(_said(item), {key: _said(again).get(key) for key in _said(item)}) is None


def _said(value: Any) -> Any:
    """What a value says: the wire lets out or wants what says nothing, by direction."""
    if isinstance(value, dict):
        return {key: _said(inner) for key, inner in value.items() if inner not in (None, [], "auto")}
    return [_said(inner) for inner in value] if isinstance(value, list) else value
