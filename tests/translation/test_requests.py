"""The same conversation, and every setting, sent to each provider of the table, and held to its own SDK's types."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from antiphon.adapter.providers import Provider
from antiphon.adapter.rows import BUILT_IN
from antiphon.adapter.wires import chat_wire
from antiphon.core.errors import Reason, ServiceError
from antiphon.v1 import chat_pb2, content_pb2
from antiphon.wire.base import HttpCall
from antiphon.wire.jsontext import canonical, loads
from tests.translation import refusals
from tests.translation.conversation import (
    ANSWER,
    PNG,
    QUESTION,
    SCHEMA,
    SYSTEM,
    THOUGHT,
    conversation,
    question,
)
from tests.translation.sdk_requests import CHECKS, check_request
from tests.translation.settings import SETTINGS

Fill = Callable[[chat_pb2.ChatSpec], None]

BY_NAME = {row.name: row for row in BUILT_IN}
by_row = pytest.mark.parametrize("row", BUILT_IN, ids=lambda row: row.name)
by_manner = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])

WITHOUT_TOOLS = frozenset(
    {
        "spec.messages[2].parts[2]", "spec.messages[2].parts[3]", "spec.messages[3].parts[0]",
        "spec.messages[4].parts[0]", "spec.tools[0]", "spec.tool_choice",
    }
)  # fmt: skip
CONVERSATION_REFUSED = {
    "perplexity": WITHOUT_TOOLS,
    "qwen": frozenset({"spec.reasoning.effort"}),
    "cohere": frozenset({"spec.reasoning.effort"}),
}
"""What of the conversation a provider does not take. Every other takes the whole of it."""
THOUGHT_LEFT_OUT = frozenset(
    {
        "openai", "azure", "mistral", "perplexity", "anthropic", "bedrock", "gemini", "vertex", "openai-responses",
    }
)  # fmt: skip
"""Providers that take no reasoning that they did not write. Left out with a warning, for they can go on without."""


def _model(row: Provider) -> str:
    return row.default_model or "model"


def _lenient(spec: chat_pb2.ChatSpec) -> chat_pb2.ChatSpec:
    spec.on_unsupported = chat_pb2.UNSUPPORTED_POLICY_WARN
    return spec


def _warned(call: HttpCall) -> set[str]:
    return {warning.field for warning in call.warnings if warning.code == str(Reason.UNSUPPORTED_PARAMETER)}


def test_the_tables_name_every_provider() -> None:
    assert set(refusals.REFUSED) == set(refusals.TOLD) == set(BY_NAME)
    assert set(CHECKS) | set(CONVERSATION_REFUSED) | THOUGHT_LEFT_OUT <= set(BY_NAME)
    for table in (refusals.REFUSED, refusals.TOLD, refusals.NO_EFFECT):
        assert frozenset().union(*table.values()) <= set(SETTINGS)


@by_row
def test_a_conversation_is_refused_field_by_field_or_not_at_all(row: Provider) -> None:
    expected = CONVERSATION_REFUSED.get(row.name, frozenset())
    try:
        chat_wire(row).encode_request(conversation(_model(row)), stream=False)
    except ServiceError as error:
        assert error.reason is Reason.UNSUPPORTED_PARAMETER  # noqa: PT017 - one of two good ends
        assert {violation.field for violation in error.violations} == expected  # noqa: PT017
    else:
        assert not expected
    assert _warned(chat_wire(row).encode_request(_lenient(conversation(_model(row))), stream=False)) == expected


@by_manner
@by_row
def test_a_conversation_is_what_the_vendors_sdk_would_send(row: Provider, *, stream: bool) -> None:
    check_request(
        row.name, chat_wire(row).encode_request(_lenient(conversation(_model(row))), stream=stream), stream=stream
    )


@by_manner
@by_row
def test_all_of_a_conversation_arrives_but_what_is_told(row: Provider, *, stream: bool) -> None:
    wire = chat_wire(row)
    call = wire.encode_request(_lenient(conversation(_model(row))), stream=stream)
    read = wire.decode_request(call)
    lost = CONVERSATION_REFUSED.get(row.name, frozenset())
    has_tools = "spec.tools[0]" not in lost
    told = {warning.field for warning in call.warnings} - lost
    assert read.stream is stream
    assert _texts(read.spec) == [SYSTEM, QUESTION, ANSWER]
    assert _pictures(read.spec) == [PNG]
    sent = conversation(_model(row))
    assert _calls(read.spec) == (_calls(sent) if has_tools else [])
    assert _results(read.spec) == (_results(sent) if has_tools else [])
    assert [tool.function.name for tool in read.spec.tools] == (["weather"] if has_tools else [])
    assert canonical(loads(read.spec.response_format.json_schema.schema_json)) == canonical(loads(SCHEMA))
    assert _thoughts(read.spec) == ([] if row.name in THOUGHT_LEFT_OUT else [THOUGHT])
    assert bool(told) == (row.name in THOUGHT_LEFT_OUT), told
    assert all(field.startswith("spec.messages[2].parts") for field in told)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_is_taken_refused_or_told_as_the_tables_say(name: str) -> None:
    found = {row.name: _fate(row, SETTINGS[name]) for row in BUILT_IN}
    assert found == {row.name: _expected(row.name, name) for row in BUILT_IN}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_refusal_names_the_setting(name: str) -> None:
    for row in BUILT_IN:
        if name in refusals.REFUSED[row.name]:
            with pytest.raises(ServiceError) as caught:
                chat_wire(row).encode_request(_with(row, SETTINGS[name]), stream=False)
            fields = [violation.field for violation in caught.value.violations]
            assert any(field.startswith(f"spec.{name.partition('.')[0]}") for field in fields), (row.name, fields)


@by_row
def test_a_setting_is_what_the_vendors_sdk_would_send(row: Provider) -> None:
    for name, fill in SETTINGS.items():
        call = chat_wire(row).encode_request(_lenient(_with(row, fill)), stream=False)
        try:
            check_request(row.name, call, stream=False)
        except Exception as error:
            error.add_note(f"{name}: {call.body.decode()[:500]}")
            raise


@by_row
def test_a_body_that_no_sdk_would_send_does_not_pass(row: Provider) -> None:
    call = chat_wire(row).encode_request(question(_model(row)), stream=False)
    strange = HttpCall(method="POST", path=call.path, body=call.body[:-1] + b',"strange":1}')
    with pytest.raises((AssertionError, ValueError), match=r"(?i)strange"):
        check_request(row.name, strange, stream=False)


def _with(row: Provider, fill: Fill) -> chat_pb2.ChatSpec:
    spec = question(_model(row))
    fill(spec)
    return spec


def _fate(row: Provider, fill: Fill) -> str:
    wire = chat_wire(row)
    plain = wire.encode_request(question(_model(row)), stream=False)
    try:
        call = wire.encode_request(_with(row, fill), stream=False)
    except ServiceError as error:
        return "refused" if error.reason is Reason.UNSUPPORTED_PARAMETER else f"failed: {error}"
    if call.warnings:
        return "told"
    return "no effect" if (call.body, call.headers) == (plain.body, plain.headers) else "sent"


def _expected(row: str, name: str) -> str:
    tables = {"refused": refusals.REFUSED, "told": refusals.TOLD, "no effect": refusals.NO_EFFECT}
    return next((fate for fate, table in tables.items() if name in table.get(row, ())), "sent")


def _parts(spec: chat_pb2.ChatSpec, kind: str) -> list[content_pb2.Part]:
    return [part for message in spec.messages for part in message.parts if part.WhichOneof("kind") == kind]


def _texts(spec: chat_pb2.ChatSpec) -> list[str]:
    return [part.text.text for part in _parts(spec, "text")]


def _thoughts(spec: chat_pb2.ChatSpec) -> list[str]:
    return [part.reasoning.text for part in _parts(spec, "reasoning")]


def _pictures(spec: chat_pb2.ChatSpec) -> list[bytes]:
    return [part.media.data for part in _parts(spec, "media")]


def _calls(spec: chat_pb2.ChatSpec) -> list[tuple[str, bytes]]:
    calls = [part.tool_call for part in _parts(spec, "tool_call")]
    return [(call.name, canonical(loads(call.arguments_json))) for call in calls]


def _results(spec: chat_pb2.ChatSpec) -> list[tuple[int, str]]:
    """Each result with the number of the call that it answers: some providers take identifiers of their kind alone."""
    ids = [part.tool_call.call_id for part in _parts(spec, "tool_call")]
    results = [part.tool_result for part in _parts(spec, "tool_result")]
    return [(ids.index(one.call_id), "".join(part.text.text for part in one.content)) for one in results]
