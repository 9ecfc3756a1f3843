"""Conversations that change their provider midway: what one provider answered, sent on to every other one.

The caller's tool calls go on everywhere. Signatures and ciphers, which only their maker can read, go to providers of
the same make, and are left out with a warning elsewhere; nothing of an answer is refused, or goes to the wrong maker.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from antiphon.adapter.providers import Provider
from antiphon.adapter.rows import BUILT_IN
from antiphon.adapter.wires import chat_wire
from antiphon.core.errors import Reason, ServiceError
from antiphon.v1 import chat_pb2, content_pb2
from antiphon.wire.base import HttpCall
from antiphon.wire.jsontext import canonical, loads
from tests.translation.conversation import QUESTION, weather
from tests.translation.corpus import ABSENT, Answer, answers
from tests.translation.sdk_requests import check_request
from tests.translation.strictness import told

Part = content_pb2.Part

WITHOUT_TOOLS = frozenset({"perplexity"})
CLAUDE, OPENAI, GEMINI = "claude", "openai", "gemini"
READERS = {
    CLAUDE: frozenset({"anthropic", "bedrock", "openrouter"}),
    OPENAI: frozenset({"openai-responses"}),
    GEMINI: frozenset({"gemini", "vertex"}),
}
"""Who can read what the model of each maker signed or encrypted."""
BY_DETAILS = frozenset({"openrouter"})
"""Who takes reasoning of any maker that is named in it."""
BY_FORMAT = {"anthropic-claude-v1": CLAUDE, "openai-responses-v1": OPENAI, "google-gemini-v1": GEMINI}
BY_WIRE = {"anthropic_messages": CLAUDE, "bedrock_converse": CLAUDE, "openai_responses": OPENAI, "gemini": GEMINI}
LEFT_OUT = frozenset({"NOT_SENT", "REASONING_OMITTED", "UNSUPPORTED_PARAMETER"})

by_row = pytest.mark.parametrize("row", BUILT_IN, ids=lambda row: row.name)


@pytest.mark.skipif(not answers(), reason=ABSENT)
@by_row
def test_recorded_answers_with_calls_or_signatures_go_on_at_another_provider(row: Provider) -> None:
    failures, sent = [], 0
    for answer in answers():
        if not any(_is_call(part) or _secret(part) for part in _parts(answer)):
            continue
        spec = _gone_on(answer, row)
        try:
            failures += [f"{answer.place}: {line}" for line in _faults(answer, spec, row)]
        except Exception as error:  # every recording has its turn, and its line
            failures += [f"{answer.place}: {line}" for line in told(error)]
        sent += 1
    assert not failures, "\n".join(failures)
    assert sent > 60


def _faults(answer: Answer, spec: chat_pb2.ChatSpec, row: Provider) -> Iterator[str]:
    wire = chat_wire(row)
    if row.name in WITHOUT_TOOLS:
        if any(map(_is_call, _parts(answer))):
            with pytest.raises(ServiceError) as caught:
                wire.encode_request(spec, stream=False)
            assert caught.value.reason is Reason.UNSUPPORTED_PARAMETER
        spec.on_unsupported = chat_pb2.UNSUPPORTED_POLICY_WARN
    call = wire.encode_request(spec, stream=False)
    check_request(row.name, call, stream=False)
    again = wire.decode_request(call).spec
    if row.name not in WITHOUT_TOOLS:
        yield from _lost_calls(spec, again)
    for number, part in enumerate(_parts(answer)):
        yield from _secrets(part, answer, row, call, number)


def _lost_calls(spec: chat_pb2.ChatSpec, again: chat_pb2.ChatSpec) -> Iterator[str]:
    """Names, arguments and order of calls, and which result answers which."""
    if _calls(spec) != _calls(again):
        yield f"calls {_calls(spec)} became {_calls(again)}"
    if _results(spec) != _results(again):
        yield f"results {_results(spec)} became {_results(again)}"


def _secrets(part: Part, answer: Answer, row: Provider, call: HttpCall, number: int) -> Iterator[str]:
    secret = _secret(part)
    if not secret:
        return
    text, maker = secret.decode(), _maker(part, answer)
    arrives = text in call.body.decode()
    named = bool(part.reasoning.format)
    if row.name in READERS[maker] or (row.name in BY_DETAILS and named):
        if not arrives:
            yield f"the {maker} secret of part {number} did not arrive"
    elif arrives:
        yield f"the {maker} secret of part {number} went to {row.name}"
    elif not any(
        warning.code in LEFT_OUT and warning.field.startswith("spec.messages[1]") for warning in call.warnings
    ):
        yield f"the {maker} secret of part {number} was left out in silence"


def _gone_on(answer: Answer, row: Provider) -> chat_pb2.ChatSpec:
    """A question, the recorded answer, results of its calls, and another question."""
    spec = chat_pb2.ChatSpec(model=row.default_model or "model", max_output_tokens=100)
    spec.messages.add(role=content_pb2.ROLE_USER).parts.add().text.text = QUESTION
    said = spec.messages.add(role=content_pb2.ROLE_ASSISTANT)
    said.parts.extend(_parts(answer))
    for part in filter(_is_call, _parts(answer)):
        result = spec.messages.add(role=content_pb2.ROLE_TOOL).parts.add().tool_result
        result.call_id, result.name = part.tool_call.call_id, part.tool_call.name
        result.executor = content_pb2.TOOL_EXECUTOR_CLIENT
        result.content.add().text.text = f"result of {part.tool_call.name} {part.tool_call.call_id}"
    spec.messages.add(role=content_pb2.ROLE_USER).parts.add().text.text = "Go on."
    if any(map(_is_call, _parts(answer))):
        spec.tools.append(weather())
    return spec


def _parts(answer: Answer) -> list[Part]:
    output = answer.completion.outputs[0] if answer.completion.outputs else chat_pb2.Output()
    return [part for message in output.messages for part in message.parts]


def _is_call(part: Part) -> bool:
    return part.HasField("tool_call") and part.tool_call.executor <= content_pb2.TOOL_EXECUTOR_CLIENT


def _secret(part: Part) -> bytes:
    return part.signature or part.reasoning.encrypted


def _maker(part: Part, answer: Answer) -> str:
    return BY_FORMAT.get(part.reasoning.format) or BY_WIRE[answer.wire.name]


def _calls(spec: chat_pb2.ChatSpec) -> list[tuple[str, bytes]]:
    parts = (part for message in spec.messages for part in message.parts if _is_call(part))
    return [(part.tool_call.name, _arguments(part.tool_call)) for part in parts]


def _arguments(call: content_pb2.ToolCall) -> bytes:
    """Free text, and what is no JSON, goes into an object where a format has only objects."""
    text = call.text if call.WhichOneof("input") == "text" else call.arguments_json or "{}"
    try:
        value = loads(text)
    except ValueError:
        value = text
    if isinstance(value, dict) and len(value) == 1 and value.keys() <= {"input", "INVALID_JSON"}:
        value = next(iter(value.values()))
    return canonical(value)


def _results(spec: chat_pb2.ChatSpec) -> list[tuple[int, str]]:
    """Each result with the number of the call that it answers."""
    parts = [part for message in spec.messages for part in message.parts]
    ids = [part.tool_call.call_id for part in parts if _is_call(part)]
    results = (part.tool_result for part in parts if part.HasField("tool_result") and part.tool_result.executor <= 1)
    return [(ids.index(one.call_id), "".join(part.text.text for part in one.content)) for one in results]


def _said(*parts: Part) -> chat_pb2.ChatSpec:
    """An authored answer in the middle of a conversation."""
    spec = chat_pb2.ChatSpec(model="us.anthropic.claude-sonnet-4-5-20250929-v1:0", max_output_tokens=100)
    spec.messages.add(role=content_pb2.ROLE_USER).parts.add().text.text = QUESTION
    spec.messages.add(role=content_pb2.ROLE_ASSISTANT).parts.extend(
        [*parts, Part(text=content_pb2.TextPart(text="A."))]
    )
    spec.messages.add(role=content_pb2.ROLE_USER).parts.add().text.text = "Go on."
    return spec


SECRETS = {
    "a thought that Gemini signed": (
        Part(reasoning=content_pb2.ReasoningPart(text="T", format="google-gemini-v1"), signature=b"c2VjcmV0"),
        READERS[GEMINI] | BY_DETAILS,
    ),
    "a thought that Claude signed": (
        Part(reasoning=content_pb2.ReasoningPart(text="T", format="anthropic-claude-v1"), signature=b"c2VjcmV0"),
        READERS[CLAUDE],
    ),
    "a thought that Claude hid": (
        Part(reasoning=content_pb2.ReasoningPart(encrypted=b"c2VjcmV0", redacted=True, format="anthropic-claude-v1")),
        frozenset({"anthropic", "openrouter"}),  # Bedrock packs it once more
    ),
    "a thought that Claude hid, by way of OpenRouter": (
        Part(reasoning=content_pb2.ReasoningPart(encrypted=b"c2VjcmV0", format="anthropic-claude-v1")),
        frozenset({"anthropic", "openrouter"}),
    ),
    "a thought that OpenAI encrypted": (
        Part(reasoning=content_pb2.ReasoningPart(encrypted=b"c2VjcmV0", format="openai-responses-v1"), id="rs_1"),
        READERS[OPENAI] | BY_DETAILS,
    ),
    "a text that Gemini signed": (
        Part(text=content_pb2.TextPart(text="T"), signature=b"c2VjcmV0"),
        READERS[GEMINI],
    ),
}


@pytest.mark.parametrize("name", SECRETS)
@by_row
def test_a_secret_goes_to_its_maker_alone(row: Provider, name: str) -> None:
    part, readers = SECRETS[name]
    call = chat_wire(row).encode_request(_said(part), stream=False)
    check_request(row.name, call, stream=False)
    arrived = b"c2VjcmV0" in call.body
    told_of = any(warning.field.startswith("spec.messages[1].parts") for warning in call.warnings)
    if row.name == "bedrock" and part.reasoning.redacted:
        return  # held by the test of its own, below
    assert arrived == (row.name in readers)
    assert arrived or told_of


def test_what_claude_hid_is_packed_once_more_for_bedrock() -> None:
    part, _ = SECRETS["a thought that Claude hid"]
    row = next(row for row in BUILT_IN if row.name == "bedrock")
    body = loads(chat_wire(row).encode_request(_said(part), stream=False).body)
    assert body["messages"][1]["content"][0] == {"reasoningContent": {"redactedContent": "YzJWamNtVjA="}}


SERVERS = {
    "a list of tools": Part(tool_list=content_pb2.ToolListPart(namespace="calendar")),
    "a question for approval": Part(approval_request=content_pb2.ApprovalRequest(namespace="calendar", name="add")),
    "an approval": Part(approval_response=content_pb2.ApprovalResponse(approval_request_id="mcpr_1", approve=True)),
}


@pytest.mark.parametrize("name", SERVERS)
@by_row
def test_what_was_agreed_with_an_mcp_server_is_left_out_with_a_warning(row: Provider, name: str) -> None:
    call = chat_wire(row).encode_request(_said(SERVERS[name]), stream=False)
    if row.wire == "openai_responses":
        assert not call.warnings
        return
    check_request(row.name, call, stream=False)
    assert [(warning.code, warning.field) for warning in call.warnings] == [("NOT_SENT", "spec.messages[1].parts[0]")]
