"""Other formats' recorded requests and answers at Google's door, and Google's at theirs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from antiphon.core.errors import ServiceError
from antiphon.core.fold import fold
from antiphon.v1 import chat_pb2
from antiphon.wire.anthropic_messages.codec import AnthropicMessages
from antiphon.wire.base import ChatWire
from antiphon.wire.gemini.codec import Gemini
from antiphon.wire.openai_chat import OpenAIChat
from tests.laws.chat import ChatLaws, decode, spoken, written
from tests.laws.recordings import Folder, Recorded, default_folder
from tests.laws.wires import wire_of

PATH = default_folder()
FOLDER = Folder(PATH) if PATH else None
GEMINI = Gemini()
OTHERS: dict[str, ChatWire] = {"openai_chat": OpenAIChat(), "anthropic_messages": AnthropicMessages()}
FILES = (
    [file for file in FOLDER.files if file.split("/")[0] in ("openai", "anthropic", "mistral", "gemini", "vertex")]
    if FOLDER
    else []
)

pytestmark = pytest.mark.skipif(
    FOLDER is None, reason="no recordings: set ANTIPHON_RECORDINGS to a folder with reader.py and INDEX.tsv"
)


def _exchanges(file: str) -> Iterator[tuple[Recorded, ChatWire]]:
    assert FOLDER is not None
    for recorded in FOLDER.exchanges(file):
        laws = wire_of(recorded)
        if isinstance(laws, ChatLaws) and laws.name in (GEMINI.name, *OTHERS):
            yield recorded, laws.wire


def _targets(wire: ChatWire) -> list[ChatWire]:
    return list(OTHERS.values()) if wire.name == GEMINI.name else [GEMINI]


@pytest.mark.parametrize("file", FILES)
def test_what_one_format_says_the_other_says_or_refuses(file: str) -> None:
    for recorded, wire in _exchanges(file):
        try:
            call = wire.decode_request(recorded.call)
        except ServiceError:
            continue  # a request that was wrong when it was recorded
        for target in _targets(wire):
            spec = chat_pb2.ChatSpec()
            spec.CopyFrom(call.spec)
            spec.model = "gemini-3-pro" if target is GEMINI else "other"
            spec.on_unsupported = chat_pb2.UNSUPPORTED_POLICY_WARN
            written_call = target.encode_request(spec, stream=call.stream)
            again = target.decode_request(written_call)
            assert (again.spec.model, again.stream) == (spec.model, call.stream)
            assert again.spec.messages


@pytest.mark.parametrize("file", FILES)
def test_an_answer_says_the_same_in_the_other_format(file: str) -> None:
    for recorded, wire in _exchanges(file):
        if recorded.status >= 400:
            continue
        stream = recorded.streamed or isinstance(recorded.json, list)
        try:
            events = decode(wire, [recorded.body])[0] if stream else []
            completion = fold(events) if stream else wire.decode_response(recorded.reply)
        except ServiceError:
            continue  # an error inside of an answer
        for target in _targets(wire):
            if len(completion.outputs) > 1 and target.name == "anthropic_messages":
                continue  # which knows one answer only
            if stream:
                again, error = decode(target, [written(target, events)])
                assert error is None
                told = fold(again)
            else:
                told = target.decode_response(target.encode_response(completion))
            for kind in ("text", "reasoning"):
                assert spoken(told)[kind] == spoken(completion)[kind]
            if completion.HasField("usage"):
                assert told.usage.input_tokens == completion.usage.input_tokens
                assert told.usage.output_tokens == completion.usage.output_tokens
