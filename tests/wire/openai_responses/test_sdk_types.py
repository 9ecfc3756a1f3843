"""What this wire writes is what the types of OpenAI's own SDK take."""

from __future__ import annotations

from typing import Any

import pytest

from antiphon.v1 import chat_pb2
from antiphon.wire.base import HttpCall, HttpReply
from antiphon.wire.jsontext import dumps, loads
from antiphon.wire.openai_responses.codec import OpenAIResponses
from antiphon.wire.openai_responses.quirks import OPENAI
from tests.laws.chat import decode, events_of, written
from tests.laws.verdict import without_form
from tests.wire.openai_responses.answers import ANSWERS
from tests.wire.openai_responses.requests import ITEMS, TOOLS
from tests.wire.openai_responses.streams import STREAMS

pytest.importorskip("openai.types.responses.response_stream_event", reason="the openai SDK is not installed")
responses = pytest.importorskip("openai.types.responses")
pydantic = pytest.importorskip("pydantic")

WIRE = OpenAIResponses()
STRANGE = {"what nobody knows", "without identifiers", "reasoning without identifier"}
"""Samples that no SDK knows either."""
OLD = {"MCP"}
"""Errors of MCP servers as text, as the format had them at first."""


@pytest.mark.parametrize("name", [name for name in ANSWERS if name not in OLD])
def test_an_answer_fits_the_sdk(name: str) -> None:
    completion = WIRE.decode_response(HttpReply(status=200, body=dumps(ANSWERS[name])))
    responses.Response.model_validate(loads(WIRE.encode_response(without_form(completion)).body))


@pytest.mark.parametrize("name", [name for name in STREAMS if name not in STRANGE])
def test_a_stream_fits_the_sdk(name: str) -> None:
    adapter = pydantic.TypeAdapter(responses.ResponseStreamEvent)
    events, _ = decode(WIRE, [STREAMS[name]])
    for event in events_of(written(WIRE, events)):
        adapter.validate_python(event)


@pytest.mark.parametrize("name", [name for name in ITEMS if name not in STRANGE | OLD])
def test_items_of_a_request_fit_the_sdk(name: str) -> None:
    adapter = pydantic.TypeAdapter(responses.response_input_item_param.ResponseInputItemParam)
    for item in _again({"model": "m", "input": ITEMS[name]})["input"]:
        adapter.validate_python(item)


@pytest.mark.parametrize("name", [name for name in TOOLS if name not in ("x search", "xAI web search")])
def test_tools_fit_the_sdk(name: str) -> None:
    adapter = pydantic.TypeAdapter(responses.tool_param.ToolParam)
    body = _again({"model": "m", "input": "x", "tools": [TOOLS[name]]})
    adapter.validate_python(body["tools"][0])


def _again(body: Any) -> Any:
    """A request as if another wire had read it: without spelling."""
    call = WIRE.decode_request(HttpCall(method="POST", path="/v1/responses", body=dumps(body)))
    spec = without_form(call.spec)
    spec.on_unsupported = chat_pb2.UNSUPPORTED_POLICY_WARN
    return loads(OpenAIResponses(OPENAI).encode_request(spec, stream=False).body)
