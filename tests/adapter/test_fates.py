"""What the adapter reports of each parameter, over every row and over real answers."""

from __future__ import annotations

from contextlib import aclosing

import pytest

from antiphon.adapter.rows import BUILT_IN
from antiphon.adapter.wires import chat_wire
from antiphon.core.call import Call
from antiphon.core.fates import fates
from antiphon.core.fold import fold
from antiphon.v1 import chat_pb2, content_pb2, embeddings_pb2
from antiphon.wire.sent import sent
from tests.adapter.test_adapter import ANSWER, END, SSE, STREAM, adapter, question, reply, server
from tests.harness.streaming_server import Reply, StreamingServer

__all__ = ["server"]

APPLIED = chat_pb2.PARAMETER_OUTCOME_APPLIED
TRANSLATED = chat_pb2.PARAMETER_OUTCOME_TRANSLATED
REFUSED = chat_pb2.PARAMETER_OUTCOME_REFUSED
NOT_SENT = chat_pb2.PARAMETER_OUTCOME_NOT_SENT


def everything() -> chat_pb2.ChatSpec:
    """A request with a parameter of each kind; no provider takes them all."""
    spec = question()
    spec.report_parameters = True
    spec.on_unsupported = chat_pb2.UNSUPPORTED_POLICY_WARN
    spec.sampling.temperature = 0.25
    spec.sampling.top_k = 7
    spec.sampling.stop.append("END")
    spec.sampling.seed = 11
    spec.max_output_tokens = 321
    spec.reasoning.effort = "low"
    spec.n = 1
    tool = spec.tools.add().function
    tool.name, tool.parameters_schema_json = "find", '{"type":"object"}'
    spec.end_user_id = "user-7"
    return spec


@pytest.mark.parametrize("row", BUILT_IN, ids=lambda row: row.name)
def test_no_row_leaves_a_parameter_without_a_fate_or_drops_one_in_silence(row: object) -> None:
    wire = chat_wire(row)  # type: ignore[arg-type]
    spec = everything()
    spec.model = "some-model"
    found = {
        fate.field.removeprefix("spec."): fate
        for fate in fates(spec, lambda each: sent(wire.encode_request(each, stream=False)), prefix="spec.")
    }
    wanted = {"sampling.temperature", "sampling.top_k", "sampling.stop", "sampling.seed", "max_output_tokens", "tools",
              "n", "end_user_id", "reasoning.effort"}  # fmt: skip
    assert wanted <= found.keys()
    for path, fate in found.items():
        assert fate.outcome != chat_pb2.PARAMETER_OUTCOME_UNSPECIFIED, path
        assert bool(fate.sent_as) == (fate.outcome in (APPLIED, TRANSLATED)), path
        assert fate.reason or fate.outcome in (APPLIED, TRANSLATED), path
    for path in ("sampling.temperature", "max_output_tokens", "tools", "sampling.stop", "reasoning.effort"):
        assert found[path].outcome in (APPLIED, TRANSLATED, REFUSED), path
        # What is neither sent nor warned of would have been dropped in silence.
        assert found[path].outcome != NOT_SENT, path
    assert found["n"].outcome in (APPLIED, NOT_SENT)


async def test_an_answer_and_a_stream_report_alike_and_only_on_request(server: StreamingServer) -> None:
    spec = everything()
    server.serve("/chat/completions", reply(ANSWER))
    async with adapter(server) as service:
        plain = await service.chat(question(), Call())
        whole = await service.chat(spec, Call())
        server.serve("/chat/completions", Reply(steps=[*STREAM, *END], headers=SSE))
        request = chat_pb2.StreamChatRequest(spec=spec)
        async with aclosing(service.stream_chat(request, Call())) as events:
            streamed = fold([event async for event in events])
    assert not plain.parameter_fates
    assert list(whole.parameter_fates) == list(streamed.parameter_fates)
    told = {fate.field: fate for fate in whole.parameter_fates}
    assert told["spec.sampling.temperature"].outcome == APPLIED
    assert list(told["spec.sampling.temperature"].sent_as) == ["/temperature"]
    assert told["spec.sampling.top_k"].outcome == REFUSED
    assert "top_k" in {warning.field.rpartition(".")[2] for warning in whole.warnings}
    assert told["spec.tools"].outcome == TRANSLATED


async def test_embeddings_report_too(server: StreamingServer) -> None:
    vector = {"object": "embedding", "index": 0, "embedding": [0.5, 0.25]}
    usage = {"prompt_tokens": 1, "total_tokens": 1}
    server.serve("/embeddings", reply({"object": "list", "data": [vector], "model": "e", "usage": usage}))
    request = embeddings_pb2.EmbedRequest(model="openai/e", dimensions=2, report_parameters=True)
    request.inputs.add().text = "hello"
    async with adapter(server) as service:
        response = await service.embed(request, Call())
    assert [(fate.field, fate.outcome, list(fate.sent_as)) for fate in response.parameter_fates] == [
        ("dimensions", APPLIED, ["/dimensions"])
    ]


def test_the_role_of_a_message_is_no_parameter() -> None:
    spec = chat_pb2.ChatSpec(model="m")
    spec.messages.add(role=content_pb2.ROLE_USER).parts.add().text.text = "hi"
    wire = chat_wire(BUILT_IN[0])
    assert fates(spec, lambda each: sent(wire.encode_request(each, stream=False))) == []
