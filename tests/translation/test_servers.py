"""What an MCP server and a provider said to each other, in the answers of edges that have no word for it."""

from __future__ import annotations

import pytest

from antiphon.v1 import chat_pb2, content_pb2
from antiphon.wire.anthropic_messages.codec import AnthropicMessages
from antiphon.wire.base import ChatWire, HttpReply
from antiphon.wire.openai_chat import OpenAIChat
from tests.laws.chat import decode, spoken, written
from tests.translation.sdk_answers import EDGES

Event = chat_pb2.StreamChatResponse
Part = content_pb2.Part

WIRES: tuple[ChatWire, ...] = (OpenAIChat(), AnthropicMessages())
PARTS = {
    "tool_list": Part(tool_list=content_pb2.ToolListPart(namespace="calendar")),
    "approval_request": Part(approval_request=content_pb2.ApprovalRequest(namespace="calendar", name="add")),
}
by_wire = pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
by_kind = pytest.mark.parametrize("kind", PARTS)


def answer(kind: str) -> chat_pb2.Completion:
    completion = chat_pb2.Completion(id="resp_1", model="m")
    completion.create_time.seconds = 1
    output = completion.outputs.add(finish_reason=chat_pb2.FINISH_REASON_STOP)
    message = output.messages.add(role=content_pb2.ROLE_ASSISTANT)
    message.parts.append(PARTS[kind])
    message.parts.add().text.text = "Done."
    completion.usage.input_tokens, completion.usage.output_tokens, completion.usage.total_tokens = 1, 2, 3
    return completion


def events(kind: str) -> list[Event]:
    whole = answer(kind)
    head = chat_pb2.Completion(id=whole.id, model=whole.model, create_time=whole.create_time)
    out = [Event(started=chat_pb2.Started(completion=head))]
    for number, part in enumerate(whole.outputs[0].messages[0].parts):
        out.append(Event(part_started=chat_pb2.PartStarted(part_index=number, part=part)))
        out.append(Event(part_done=chat_pb2.PartDone(part_index=number)))
    done = chat_pb2.Output(finish_reason=chat_pb2.FINISH_REASON_STOP)
    out.append(Event(output_done=chat_pb2.OutputDone(output=done)))
    head.usage.CopyFrom(whole.usage)
    out.append(Event(completed=chat_pb2.Completed(completion=head)))
    return out


@by_kind
@by_wire
def test_a_whole_answer_says_the_rest_and_warns(wire: ChatWire, kind: str) -> None:
    reply = wire.encode_response(answer(kind))
    assert [(warning.code, kind in warning.message) for warning in reply.warnings] == [("NOT_SENT", True)]
    again = wire.decode_response(HttpReply(status=200, body=reply.body))
    assert spoken(again)["text"] == "Done."


@by_kind
@by_wire
def test_a_stream_says_the_rest_and_warns_in_a_comment(wire: ChatWire, kind: str) -> None:
    data = written(wire, events(kind))
    notes = [line for line in data.splitlines() if line.startswith(b": warning NOT_SENT")]
    assert len(notes) == 1
    assert kind.encode() in notes[0]
    EDGES[wire.name].stream(data)
    again, error = decode(wire, [data])
    assert error is None
    assert any(event.part_started.part.text.text == "Done." or event.part_delta.text == "Done." for event in again)
