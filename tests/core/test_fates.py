"""What became of each field, found out from any encoder."""

from __future__ import annotations

from typing import Any

from antiphon.core.fates import Sent, fates
from antiphon.v1 import chat_pb2, content_pb2, tools_pb2

APPLIED = chat_pb2.PARAMETER_OUTCOME_APPLIED
TRANSLATED = chat_pb2.PARAMETER_OUTCOME_TRANSLATED
REFUSED = chat_pb2.PARAMETER_OUTCOME_REFUSED
NOT_SENT = chat_pb2.PARAMETER_OUTCOME_NOT_SENT


def encode(spec: chat_pb2.ChatSpec) -> Sent:
    """An encoder that keeps temperature, doubles the tokens, refuses top_k and drops the user in silence."""
    values: dict[str, Any] = {"/model": spec.model}
    warnings = []
    if spec.sampling.HasField("temperature"):
        values["/temperature"] = spec.sampling.temperature
    if spec.HasField("max_output_tokens"):
        values["/max"] = spec.max_output_tokens * 2
    if spec.sampling.HasField("top_k"):
        warnings.append(chat_pb2.Warning(code="UNSUPPORTED_PARAMETER", field="spec.sampling.top_k", message="no top_k"))
    for number, tool in enumerate(spec.tools):
        values[f"/tools/{number}/name"] = tool.function.name
    if spec.HasField("tool_choice"):
        values["/tools/choice"] = "any"
    return Sent(values=values, warnings=warnings)


def spec_of(**fields: Any) -> chat_pb2.ChatSpec:
    spec = chat_pb2.ChatSpec(model="m", report_parameters=True, **fields)
    spec.messages.add(role=content_pb2.ROLE_USER).parts.add().text.text = "hello"
    return spec


def test_each_field_that_was_set_has_one_fate_and_no_other_field_has_one() -> None:
    spec = spec_of(max_output_tokens=5, end_user_id="u")
    spec.sampling.temperature = 0.5
    spec.sampling.top_k = 3
    found = {fate.field: fate for fate in fates(spec, encode, prefix="spec.")}
    assert {path: fate.outcome for path, fate in found.items()} == {
        "spec.sampling.temperature": APPLIED,
        "spec.max_output_tokens": TRANSLATED,
        "spec.sampling.top_k": REFUSED,
        "spec.end_user_id": NOT_SENT,
    }
    assert list(found["spec.sampling.temperature"].sent_as) == ["/temperature"]
    assert found["spec.sampling.top_k"].reason == "no top_k"
    assert found["spec.end_user_id"].reason


def test_what_only_depends_on_a_field_does_not_count_as_its_place() -> None:
    spec = spec_of()
    spec.tools.add().function.name = "find"
    spec.tool_choice.mode = tools_pb2.ToolChoice.MODE_REQUIRED
    found = {fate.field: fate for fate in fates(spec, encode)}
    assert list(found["tools"].sent_as) == ["/tools/0/name"]
    assert list(found["tool_choice"].sent_as) == ["/tools/choice"]
    assert found["tools"].outcome == APPLIED
    assert found["tool_choice"].outcome == TRANSLATED


def test_a_truth_value_is_not_taken_for_a_number() -> None:
    spec = spec_of(store=True)
    found = fates(spec, lambda each: Sent(values={"/n": 1} if each.HasField("store") else {}))
    assert [fate.outcome for fate in found] == [TRANSLATED]
