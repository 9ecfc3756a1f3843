"""Conversations and answers of other wires in this one, and back, over what providers really sent."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from antiphon.core.errors import Reason, ServiceError
from antiphon.core.fold import fold
from antiphon.v1 import chat_pb2
from antiphon.wire.anthropic_messages.codec import AnthropicMessages
from antiphon.wire.base import ChatWire
from antiphon.wire.jsontext import loads
from antiphon.wire.openai_chat import OpenAIChat
from antiphon.wire.openai_responses.codec import OpenAIResponses
from tests.laws.anthropic import AnthropicMessagesLaws
from tests.laws.chat import ChatLaws, decode, spoken, written
from tests.laws.openai import OpenAIChatLaws
from tests.laws.recordings import Folder, Recorded, default_folder
from tests.laws.responses import OpenAIResponsesLaws

PATH = default_folder()
pytestmark = pytest.mark.skipif(PATH is None, reason="no recordings: set ANTIPHON_RECORDINGS")
WIRE = OpenAIResponses()
OWN = OpenAIResponsesLaws()
OTHERS: dict[str, ChatLaws] = {"openai_chat": OpenAIChatLaws(), "anthropic_messages": AnthropicMessagesLaws()}
CODECS: dict[str, ChatWire] = {"openai_chat": OpenAIChat(), "anthropic_messages": AnthropicMessages()}


@pytest.fixture(scope="module")
def recordings() -> list[Recorded]:
    assert PATH is not None
    folder = Folder(PATH)
    return [recorded for file in folder.files for recorded in folder.exchanges(file)]


def _of(laws: ChatLaws, recordings: list[Recorded]) -> Iterator[Recorded]:
    return (recorded for recorded in recordings if laws.claims(recorded))


def _specs(laws: ChatLaws, recordings: list[Recorded]) -> Iterator[chat_pb2.ChatSpec]:
    for recorded in _of(laws, recordings):
        try:
            spec = laws.wire.decode_request(recorded.call).spec
        except ServiceError:
            continue  # recorded because it is wrong
        yield spec


def _answers(laws: ChatLaws, recordings: list[Recorded]) -> Iterator[chat_pb2.Completion]:
    for recorded in _of(laws, recordings):
        if recorded.status >= 400 or recorded.streamed:
            continue
        try:
            completion = laws.wire.decode_response(recorded.reply)
        except ServiceError:
            continue  # an error with status 200
        if len(completion.outputs) <= 1:
            yield completion


def _sent(wire: ChatWire, spec: chat_pb2.ChatSpec) -> None:
    """Refused or warned, never anything else."""
    refused: ServiceError | None = None
    try:
        wire.encode_request(spec, stream=False)
    except ServiceError as error:
        refused = error
    assert refused is None or (refused.reason is Reason.UNSUPPORTED_PARAMETER and refused.violations)
    spec.on_unsupported = chat_pb2.UNSUPPORTED_POLICY_WARN
    assert loads(wire.encode_request(spec, stream=True).body)["stream"] is True


@pytest.mark.parametrize("name", OTHERS)
def test_a_request_of_another_wire_is_sent_or_refused_with_a_reason(name: str, recordings: list[Recorded]) -> None:
    sent = 0
    for spec in _specs(OTHERS[name], recordings):
        _sent(WIRE, spec)
        sent += 1
    assert sent > 10


@pytest.mark.parametrize("name", OTHERS)
def test_a_request_of_this_wire_goes_to_another_or_is_refused(name: str, recordings: list[Recorded]) -> None:
    sent = 0
    for spec in _specs(OWN, recordings):
        _sent(CODECS[name], spec)
        sent += 1
    assert sent > 10


@pytest.mark.parametrize("name", OTHERS)
def test_an_answer_of_another_wire_says_the_same_to_a_client_of_this_one(name: str, recordings: list[Recorded]) -> None:
    for completion in _answers(OTHERS[name], recordings):
        again = WIRE.decode_response(WIRE.encode_response(completion))
        assert spoken(again) == spoken(completion)
        assert again.usage.input_tokens == completion.usage.input_tokens
        assert again.usage.output_tokens == completion.usage.output_tokens


@pytest.mark.parametrize("name", OTHERS)
def test_a_stream_of_another_wire_says_the_same_to_a_client_of_this_one(name: str, recordings: list[Recorded]) -> None:
    told = 0
    for recorded in _of(OTHERS[name], recordings):
        events, error = decode(OTHERS[name].wire, [recorded.body]) if recorded.streamed else ([], None)
        if error is not None or not events or len(fold(events).outputs) > 1:
            continue
        again, error = decode(WIRE, [written(WIRE, events)])
        assert error is None
        assert spoken(fold(again)) == spoken(OTHERS[name].canonical_order(fold(events)))
        told += 1
    assert told > 5


def test_an_answer_of_this_wire_says_the_same_to_a_client_of_anthropic(recordings: list[Recorded]) -> None:
    wire = CODECS["anthropic_messages"]
    for completion in _answers(OWN, recordings):
        again = wire.decode_response(wire.encode_response(completion))
        assert spoken(again)["text"] == spoken(completion)["text"]
