"""Identifiers of calls change together, always in the same way, and only where a provider would refuse them."""

from __future__ import annotations

import re

from antiphon.v1 import chat_pb2, content_pb2
from antiphon.wire.call_ids import ANY, with_call_ids

NINE = re.compile("[a-zA-Z0-9]{9}")


def conversation(*ids: str, names: tuple[str, ...] = ()) -> chat_pb2.ChatSpec:
    spec = chat_pb2.ChatSpec()
    said = spec.messages.add(role=content_pb2.ROLE_ASSISTANT)
    for number, call_id in enumerate(ids):
        name = names[number] if names else "f"
        said.parts.add().tool_call.CopyFrom(content_pb2.ToolCall(call_id=call_id, name=name))
    for number, call_id in enumerate(ids):
        result = spec.messages.add(role=content_pb2.ROLE_TOOL).parts.add().tool_result
        result.call_id, result.name = call_id, names[number] if names else ""
    return spec


def ids_of(spec: chat_pb2.ChatSpec) -> tuple[list[str], list[str]]:
    calls = [part.tool_call.call_id for part in spec.messages[0].parts]
    return calls, [message.parts[0].tool_result.call_id for message in spec.messages[1:]]


def test_what_a_provider_takes_stays_the_very_same_request() -> None:
    spec = conversation("call_1", "call_2")
    assert with_call_ids(spec) is spec


def test_calls_and_results_change_together_and_the_request_of_the_caller_does_not() -> None:
    spec = conversation("call_1", "abcdefgh9")
    calls, results = ids_of(with_call_ids(spec, NINE))
    assert calls == results
    assert calls[1] == "abcdefgh9"
    assert all(map(NINE.fullmatch, calls))
    assert len(set(calls)) == 2
    assert ids_of(spec)[0] == ["call_1", "abcdefgh9"]


def test_the_same_identifier_always_becomes_the_same_other_one() -> None:
    one, other = (with_call_ids(conversation("call_1"), NINE) for _ in range(2))
    assert ids_of(one) == ids_of(other)


def test_calls_without_identifiers_get_their_own_and_results_follow_by_name_and_order() -> None:
    spec = conversation("", "", "", names=("a", "b", "a"))
    calls, results = ids_of(with_call_ids(spec, ANY))
    assert len(set(calls)) == 3
    assert all(calls)
    assert results == calls


def test_results_without_names_follow_by_order_alone() -> None:
    calls, results = ids_of(with_call_ids(conversation("", "")))
    assert results == calls


def test_a_result_without_a_call_is_left_as_it_is() -> None:
    spec = chat_pb2.ChatSpec()
    spec.messages.add(role=content_pb2.ROLE_TOOL).parts.add().tool_result.name = "f"
    assert with_call_ids(spec).messages[0].parts[0].tool_result.call_id == ""


def test_calls_that_a_provider_ran_keep_what_it_called_them() -> None:
    spec = conversation("srv 1")
    spec.messages[0].parts[0].tool_call.executor = content_pb2.TOOL_EXECUTOR_PROVIDER
    spec.messages[1].parts[0].tool_result.executor = content_pb2.TOOL_EXECUTOR_PROVIDER
    assert with_call_ids(spec, NINE) is spec
