"""Every recorded answer, whole and streamed, brought back as the answer of every other edge.

What an edge writes has to be of its vendor's SDK's types, and to say the same when it is read again: the text, the
calls, why it ended, and what it used. One test is one pair of formats; a failure names each recording.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from antiphon.gateway.edges.chats import Stamp, Stamping
from antiphon.v1 import chat_pb2, content_pb2
from antiphon.wire.base import HttpReply
from antiphon.wire.jsontext import canonical, loads
from tests.laws.chat import decode, spoken
from tests.translation.corpus import ABSENT, Answer, answers, folded, of_wire
from tests.translation.sdk_answers import EDGES, Edge
from tests.translation.strictness import told

Call = tuple[str, str, bytes]
SOURCES = (*EDGES, "bedrock_anthropic")
PAIRS = [(source, target) for source in SOURCES for target in EDGES if source != target]
ONE_ANSWER = frozenset(EDGES) - {"openai_chat", "gemini"}
"""Formats that hold one answer; several are refused."""
TOTALS = frozenset({"openai_chat", "openai_responses", "gemini", "bedrock_converse"})
"""Formats that say a sum. Some providers' sum holds reasoning that they count nowhere else."""
NEEDED = {
    "openai_chat": "choices",
    "openai_responses": "output",
    "anthropic_messages": "usage",
    "ollama_chat": "message",
    "bedrock_converse": "output",
    "cohere_chat": "finish_reason",
}
"""A key that each format needs; Gemini's needs none."""
STOP, LENGTH = chat_pb2.FINISH_REASON_STOP, chat_pb2.FINISH_REASON_LENGTH
CALLS, FILTER = chat_pb2.FINISH_REASON_TOOL_CALLS, chat_pb2.FINISH_REASON_CONTENT_FILTER
REFUSAL, MALFORMED = chat_pb2.FINISH_REASON_REFUSAL, chat_pb2.FINISH_REASON_MALFORMED_TOOL_CALL
FINISHES = {
    "openai_chat": {
        chat_pb2.FINISH_REASON_STOP_SEQUENCE: STOP,
        chat_pb2.FINISH_REASON_CONTEXT_WINDOW: LENGTH,
        chat_pb2.FINISH_REASON_RECITATION: FILTER,
        chat_pb2.FINISH_REASON_PAUSE_TURN: STOP,
        chat_pb2.FINISH_REASON_OTHER: STOP,
        REFUSAL: FILTER,
        MALFORMED: STOP,
    },
    "openai_responses": {MALFORMED: CALLS},
    "anthropic_messages": {FILTER: REFUSAL, MALFORMED: STOP},
    "ollama_chat": {FILTER: STOP, MALFORMED: CALLS},
    "cohere_chat": {MALFORMED: chat_pb2.FINISH_REASON_ERROR},
}
"""What a format has no word for comes back as the nearest that it has."""

pytestmark = pytest.mark.skipif(not answers(), reason=ABSENT)
by_pair = pytest.mark.parametrize(("source", "target"), PAIRS, ids=[f"{a} to {b}" for a, b in PAIRS])


@by_pair
def test_a_whole_answer_fits_the_sdk_and_says_the_same(source: str, target: str) -> None:
    _check(source, target, _whole)


@by_pair
def test_a_stream_fits_the_sdk_and_says_the_same(source: str, target: str) -> None:
    _check(source, target, _streamed)


def test_every_recorded_answer_of_a_chat_wire_is_among_them() -> None:
    found = answers()
    assert {answer.wire.name for answer in found} == set(SOURCES)
    assert sum(bool(answer.events) for answer in found) > 90
    assert sum(not answer.events for answer in found) > 180


@pytest.mark.parametrize("name", EDGES)
def test_an_answer_with_a_key_that_no_client_knows_does_not_pass(name: str) -> None:
    with pytest.raises((AssertionError, ValueError), match="strange"):
        EDGES[name].whole({**_written(name), "strange": 1})


@pytest.mark.parametrize(("name", "key"), NEEDED.items())
def test_an_answer_without_what_clients_need_does_not_pass(name: str, key: str) -> None:
    body = _written(name)
    EDGES[name].whole(body)
    with pytest.raises((AssertionError, ValueError)):
        EDGES[name].whole({other: value for other, value in body.items() if other != key})


def _written(name: str) -> dict[str, Any]:
    completion = chat_pb2.Completion(id="x", model="m")
    output = completion.outputs.add(finish_reason=STOP)
    output.messages.add(role=content_pb2.ROLE_ASSISTANT).parts.add().text.text = "Hi."
    completion.usage.input_tokens, completion.usage.output_tokens = 1, 2
    Stamp().put(completion)
    body: dict[str, Any] = loads(EDGES[name].wire.encode_response(completion).body)
    return body


def _check(source: str, target: str, find: Callable[[Answer, Edge], Iterator[str]]) -> None:
    failures = []
    for answer in of_wire(source):
        if len(answer.completion.outputs) > 1 and target in ONE_ANSWER:
            continue
        try:
            found = list(find(answer, EDGES[target]))
        except Exception as error:  # every recording has its turn, and its line
            found = told(error)
        failures += [f"{answer.place}: {line}" for line in found]
    assert not failures, "\n".join(failures)


def _whole(answer: Answer, edge: Edge) -> Iterator[str]:
    completion = chat_pb2.Completion()
    completion.CopyFrom(answer.completion)
    Stamp().put(completion)
    reply = edge.wire.encode_response(completion)
    edge.whole(loads(reply.body))
    again = edge.wire.decode_response(HttpReply(status=200, body=reply.body, headers=reply.headers))
    yield from _differences(answer.completion, again, edge.wire.name)


def _streamed(answer: Answer, edge: Edge) -> Iterator[str]:
    if not answer.events:
        return
    encoder = Stamping(edge.wire.stream_encoder())
    pieces = []
    for event in answer.events:
        copied = chat_pb2.StreamChatResponse()
        copied.CopyFrom(event)  # the stamp is put into the event
        pieces.append(encoder.encode(copied))
    data = b"".join(pieces)
    edge.stream(data)
    events, error = decode(edge.wire, [data])
    if error is not None:
        yield f"read again: {error}"
    else:
        yield from _differences(answer.completion, folded(events), edge.wire.name)


def _differences(given: chat_pb2.Completion, again: chat_pb2.Completion, target: str) -> Iterator[str]:
    said, heard = spoken(given)["text"] + _refused(given), spoken(again)["text"] + _refused(again)
    if said != heard:
        yield f"text {said[:60]!r} became {heard[:60]!r}"
    if not _alike(_calls(given), _calls(again)):
        yield f"calls {_calls(given)} became {_calls(again)}"
    for one, other in zip(given.outputs, again.outputs, strict=False):
        expected = FINISHES.get(target, {}).get(one.finish_reason, one.finish_reason)
        if expected != chat_pb2.FINISH_REASON_UNSPECIFIED and other.finish_reason != expected:
            name = chat_pb2.FinishReason.Name
            yield f"finish {name(one.finish_reason)} became {name(other.finish_reason)}"
    for field in ("input_tokens", "output_tokens", *(["total_tokens"] if target in TOTALS else [])):
        one_count, other_count = getattr(given.usage, field), getattr(again.usage, field)
        if given.usage.HasField(field) and one_count != other_count:  # type: ignore[arg-type]
            yield f"{field} {one_count} became {other_count}"


def _refused(completion: chat_pb2.Completion) -> str:
    """Refusals, which some formats say as text."""
    messages = (message for output in completion.outputs for message in output.messages)
    return "".join(part.refusal for message in messages for part in message.parts)


def _calls(completion: chat_pb2.Completion) -> list[Call]:
    """The caller's calls. Free text becomes a member of an object where a format has only objects."""
    messages = (message for output in completion.outputs for message in output.messages)
    calls = (part.tool_call for message in messages for part in message.parts if part.HasField("tool_call"))
    return [(call.call_id, call.name, _arguments(call.arguments_json)) for call in calls if call.executor <= 1]


def _alike(given: list[Call], again: list[Call]) -> bool:
    """Whether two lists of calls are the same; a call without an identifier may have been given one."""
    blank = [("" if not one[0] else other[0], *other[1:]) for one, other in zip(given, again, strict=False)]
    return len(given) == len(again) and given == blank


def _arguments(text: str) -> bytes:
    try:
        return canonical(loads(text or "{}"))
    except ValueError:
        return text.encode()
