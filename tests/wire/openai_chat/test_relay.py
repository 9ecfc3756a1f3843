"""What is passed on as it came is what reading and writing it would have given."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.adapter.rows import BUILT_IN
from antiphon.core.errors import ServiceError
from antiphon.gateway.edges.openai import ChatManner
from antiphon.v1 import chat_pb2
from antiphon.wire.base import HttpCall, HttpReply, Told
from antiphon.wire.jsontext import canonical, loads
from antiphon.wire.openai_chat import OpenAIChat, Quirks
from tests.laws.openai import OpenAIChatLaws
from tests.laws.recordings import Folder, Recorded, default_folder
from tests.wire.openai_chat.test_plain import PLAIN, answers, changed

WIRE = OpenAIChat()
LAWS = OpenAIChatLaws()
QUIRKS = [Quirks(), *{row.quirks: None for row in BUILT_IN if isinstance(row.quirks, Quirks)}]
MANNER = ChatManner()


def recordings() -> list[Recorded]:
    """The exchanges of this wire; where there are no recordings, whoever asks is skipped."""
    path = default_folder()
    if path is None:
        pytest.skip("no recordings here")
    folder = Folder(path)
    return [each for file in folder.files for each in folder.exchanges(file) if LAWS.claims(each)]


@pytest.fixture(scope="module")
def recorded() -> list[Recorded]:
    return recordings()


# Requests.

REQUEST: dict[str, Any] = {
    "model": "door/gpt",
    "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}],
    "temperature": 0.5,
    "max_tokens": 100,
    "seed": 7,
    "stop": ["a", "b"],
    "user": "u",
    "stream": True,
    "stream_options": {"include_usage": True},
}
REQUEST_KEYS = ["name", "tools", "tool_choice", "max_completion_tokens", "seed", "random_seed", "user", "n", "stop",
                "store", "reasoning_effort", "response_format", "metadata", "top_p", "top_k", "min_p", "logit_bias",
                "modalities", "verbosity", "service_tier", "include_usage", "safety_identifier", "presence_penalty",
                "parallel_tool_calls", "logprobs", "top_logprobs", "prompt_cache_key", "functions", "x"]  # fmt: skip


def generally(request: Any, quirks: Quirks) -> tuple[bytes, bool] | None:
    """What the provider would get in the general way, and whether it would stream; None where that is refused."""
    body = json.dumps(request).encode()
    try:
        asked = WIRE.decode_request(HttpCall(method="POST", path="/v1/chat/completions", body=body))
        MANNER.prepare(asked)
        asked.spec.model = "own"
        call = OpenAIChat(quirks).encode_request(asked.spec, stream=asked.stream)
    except ServiceError:
        return None
    assert not call.warnings or OpenAIChat(quirks).relay_request(request, len(body), "own") is None
    return canonical(loads(call.body)), asked.stream


def relayed_alike(request: dict[str, Any], quirks: Quirks) -> bool:
    before = copy.deepcopy(request)
    relayed = OpenAIChat(quirks).relay_request(request, len(json.dumps(request)), "own")
    assert request == before
    if relayed is None:
        return False
    assert (canonical(loads(relayed.call.body)), relayed.stream) == generally(request, quirks), json.dumps(request)
    options = request.get("stream_options")
    assert relayed.usage is bool(options and options["include_usage"])
    return True


def test_a_usual_request_goes_on_as_it_came() -> None:
    assert relayed_alike(REQUEST, Quirks(stream_usage=True))
    assert relayed_alike({"model": "m", "messages": REQUEST["messages"]}, Quirks())


@settings(max_examples=1000, deadline=None)
@given(st.data(), st.sampled_from(QUIRKS))
def test_whatever_request_goes_on_is_what_the_general_way_would_send(data: st.DataObject, quirks: Quirks) -> None:
    @st.composite
    def requests(draw: st.DrawFn) -> dict[str, Any]:
        return changed(draw, REQUEST, REQUEST_KEYS)

    relayed_alike(data.draw(requests()), quirks)


@pytest.mark.parametrize("field", ["temperature", "top_p", "n", "seed", "stop", "user", "max_tokens",
                                   "max_completion_tokens", "frequency_penalty", "logprobs", "store"])  # fmt: skip
def test_every_field_goes_on_as_the_general_way_sends_it_to_every_provider(field: str) -> None:
    values = [0, 1, 2, 0.5, True, False, "x", ["x"], ["x", "y"], "", None, -1, 2**31, 10**25]
    relayed = 0
    for quirks in QUIRKS:
        for value in values:
            relayed += relayed_alike({"model": "m", "messages": REQUEST["messages"], field: value}, quirks)
    assert relayed


@pytest.mark.parametrize(
    "more",
    [
        {"messages": []},
        {"messages": [{"role": "developer", "content": "x"}]},
        {"messages": [{"role": "user", "content": ""}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]},
        {"functions": [{"name": "f"}]},
        {"tools": []},
        {"n": 0},
        {"stream_options": {"include_usage": True}, "stream": False},
        {"stream_options": None},
        {"max_tokens": 1, "max_completion_tokens": 2},
    ],
)
def test_what_has_to_be_looked_at_is_left_to_the_general_way(more: dict[str, Any]) -> None:
    plain = {"model": "m", "messages": REQUEST["messages"]}
    assert OpenAIChat(Quirks(max_tokens_field="max_tokens")).relay_request({**plain, **more}, 100, "own") is None


def test_every_recorded_request_that_goes_on_is_what_the_general_way_would_send(recorded: list[Recorded]) -> None:
    asked = [each.request_json for each in recorded if isinstance(each.request_json, dict)]
    assert sum(relayed_alike(request, quirks) for request in asked for quirks in QUIRKS) > 100


# Whole answers.


def passed_alike(body: bytes) -> bool:
    told = WIRE.relay_answer(HttpReply(status=200, body=body))
    if told is None:
        return False
    completion = WIRE.decode_response(HttpReply(status=200, body=body))
    assert canonical(loads(WIRE.encode_response(completion).body)) == canonical(loads(body)), body
    assert completion.id
    assert completion.HasField("create_time")
    assert completion.usage.HasField("total_tokens")
    assert not completion.warnings
    assert told == told_of(completion, [output.provider_finish_reason for output in completion.outputs])
    return True


def told_of(completion: chat_pb2.Completion, reasons: Sequence[str]) -> Told:
    usage = chat_pb2.Completion().usage
    usage.CopyFrom(completion.usage)
    usage.ClearField("form")  # how it was written is no matter of the books
    return Told(id=completion.id, model=completion.model, usage=usage, finish_reasons=list(reasons))


def test_a_usual_answer_is_passed_on() -> None:
    assert passed_alike(json.dumps(PLAIN).encode())


@settings(max_examples=1000, deadline=None)
@given(answers())
def test_whatever_answer_is_passed_on_is_what_the_general_way_would_write(answer: dict[str, Any]) -> None:
    passed_alike(json.dumps(answer).encode())


def test_every_recorded_answer_that_is_passed_on_is_what_the_general_way_would_write(recorded: list[Recorded]) -> None:
    assert sum(passed_alike(each.body) for each in recorded if each.status == 200 and not each.streamed) >= 15
