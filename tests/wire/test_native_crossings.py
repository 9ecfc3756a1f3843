"""What other wires read can be written by the wires of Ollama, Bedrock and Cohere, or is refused with a reason."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from antiphon.core.errors import Reason, ServiceError
from antiphon.core.fold import fold
from antiphon.v1 import chat_pb2, content_pb2, tools_pb2
from antiphon.wire.anthropic_messages.codec import AnthropicMessages
from antiphon.wire.base import ChatWire, HttpReply
from antiphon.wire.bedrock_converse import BedrockConverse
from antiphon.wire.cohere_v2 import CohereChat
from antiphon.wire.ollama_native.codec import OllamaChat
from antiphon.wire.openai_chat import OpenAIChat
from tests.laws.chat import ChatLaws, decode, spoken, written
from tests.laws.recordings import Folder, Recorded, default_folder
from tests.laws.test_laws import ABSENT
from tests.laws.wires import wire_of

PATH = default_folder()
FOLDER = Folder(PATH) if PATH else None
NATIVE: tuple[ChatWire, ...] = (OllamaChat(), BedrockConverse(), CohereChat())
COMMON: tuple[ChatWire, ...] = (OpenAIChat(), AnthropicMessages())
NAMES = {wire.name for wire in NATIVE}
recorded_only = pytest.mark.skipif(FOLDER is None, reason=ABSENT)


def _targets(source: ChatWire) -> tuple[ChatWire, ...]:
    every = (*NATIVE, *COMMON) if source.name in NAMES else NATIVE
    return tuple(wire for wire in every if wire.name != source.name)


def _recorded() -> Iterator[tuple[ChatLaws, Recorded]]:
    assert FOLDER is not None
    for file in FOLDER.files:
        for recorded in FOLDER.exchanges(file):
            laws = wire_of(recorded)
            if isinstance(laws, ChatLaws):
                yield laws, recorded


@recorded_only
def test_a_request_is_written_or_refused_and_with_warnings_always_written() -> None:
    refused = done = 0
    for laws, recorded in _recorded():
        try:
            spec = laws.wire.decode_request(recorded.call).spec
        except ServiceError:
            continue  # no request of its own wire either
        for target in _targets(laws.wire):
            problem = _problem(target, spec)
            assert problem is None or (problem.reason is Reason.UNSUPPORTED_PARAMETER and problem.violations), problem
            refused += problem is not None
            done += problem is None
            lenient = chat_pb2.ChatSpec()
            lenient.CopyFrom(spec)
            lenient.on_unsupported = chat_pb2.UNSUPPORTED_POLICY_WARN
            target.decode_request(target.encode_request(lenient, stream=False))
    assert done > refused > 0


@recorded_only
def test_an_answer_says_the_same_in_every_wire() -> None:
    done = 0
    for laws, recorded in _recorded():
        completion = _completion(laws, recorded)
        for target in _targets(laws.wire) if completion is not None and len(completion.outputs) == 1 else ():
            assert completion is not None
            reply = target.encode_response(completion)
            again = target.decode_response(HttpReply(status=200, body=reply.body))
            place = f"{recorded.file} #{recorded.number} to {target.name}"
            assert _said(again) == _said(completion), place
            assert _calls(again) == _calls(completion), place
            done += 1
    assert done > 0


@recorded_only
def test_a_stream_says_the_same_in_every_wire() -> None:
    done = 0
    for laws, recorded in _recorded():
        if not _is_stream(laws, recorded) or recorded.status >= 400:
            continue
        events, error = decode(laws.wire, [recorded.body])
        if error is not None or len(fold(events).outputs) != 1:
            continue
        for target in _targets(laws.wire):
            again, error = decode(target, [written(target, events)])
            assert error is None, f"{recorded.file} #{recorded.number} to {target.name}: {error}"
            assert _said(fold(again)) == _said(fold(events)), f"{recorded.file} #{recorded.number} to {target.name}"
            done += 1
    assert done > 0


def _problem(target: ChatWire, spec: chat_pb2.ChatSpec) -> ServiceError | None:
    """Why a request cannot be written; what is written, its own wire reads."""
    try:
        call = target.encode_request(spec, stream=True)
    except ServiceError as error:
        return error
    target.decode_request(call)
    return None


def _is_stream(laws: ChatLaws, recorded: Recorded) -> bool:
    streams = getattr(laws, "streams", None)
    return bool(streams(recorded)) if streams is not None else recorded.streamed


def _completion(laws: ChatLaws, recorded: Recorded) -> chat_pb2.Completion | None:
    if recorded.status >= 400 or _is_stream(laws, recorded):
        return None
    try:
        return laws.wire.decode_response(recorded.reply)
    except ServiceError:
        return None


def _said(completion: chat_pb2.Completion) -> str:
    return spoken(completion)["text"]


def _calls(completion: chat_pb2.Completion) -> list[str]:
    parts = (part for output in completion.outputs for message in output.messages for part in message.parts)
    return [part.tool_call.name for part in parts if part.HasField("tool_call") and part.tool_call.executor <= 1]


@pytest.mark.parametrize("wire", NATIVE, ids=lambda wire: wire.name)
@pytest.mark.parametrize("field", ["output_schema_json", "defer_loading", "input_examples_json"])
def test_what_cannot_be_said_of_a_tool_is_refused(wire: ChatWire, field: str) -> None:
    spec = chat_pb2.ChatSpec(model="m")
    spec.tools.add().function.CopyFrom(
        tools_pb2.FunctionTool(name="f", output_schema_json="{}", defer_loading=True, input_examples_json=["{}"])
    )
    for other in {"output_schema_json", "defer_loading", "input_examples_json"} - {field}:
        spec.tools[0].function.ClearField(other)  # type: ignore[arg-type]
    with pytest.raises(ServiceError) as caught:
        wire.encode_request(spec, stream=False)
    assert caught.value.violations[0].field == f"spec.tools[0].function.{field}"


@pytest.mark.parametrize("wire", NATIVE, ids=lambda wire: wire.name)
def test_a_hint_is_left_out_with_a_warning(wire: ChatWire) -> None:
    spec = chat_pb2.ChatSpec(model="m")
    spec.messages.add(role=content_pb2.ROLE_USER).parts.add().text.text = "x"
    spec.cache.key = "k"
    warnings = wire.encode_request(spec, stream=False).warnings
    assert [(warning.code, warning.field) for warning in warnings] == [("NOT_SENT", "spec.cache.key")]
