"""What providers answer to the tests of SDKs, written by hand: no provider was called, and each recording says so.

The demo's recordings answer plain questions and one tool. Here are the rest: a shape, an image, counts, streamed calls,
and every kind of error. The requests are written by hand too: what a provider gets of each SDK is part of the test.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from antiphon.cli.questions import WEATHER
from antiphon.harness import Interaction, SseEvent, authored_json, authored_sse, write_cassette
from tests.clients.edges.sdks import LENGTH, PIXEL_TEXT, TOOL_NAME, TOOL_SCHEMA, TOOL_WORDS, City

CITY = "In which city is the Louvre?"
LOOK = "What is in this picture?"
SEEN = "A single dot, and nothing else."
COUNTED = "How many tokens are these?"
TOKENS = 14
RETRY_AFTER = 7
BROKEN = "Break off."
SPOKEN = "The first words"
FAILING = {400: "Refuse this.", 404: "Lose this.", 429: "Come later.", 500: "Fail.", 503: "Be away."}
"""Questions by the status with which the provider answers them."""

OPENAI = "https://api.openai.com/v1/chat/completions"
ANTHROPIC = "https://api.anthropic.com/v1/messages"
GPT = "gpt-4o-mini"
CLAUDE = "claude-sonnet-4-5"
VERSION = {"anthropic-version": "2023-06-01"}

_PLAIN_SCHEMA = {
    "description": City.__doc__,
    "properties": {"city": {"title": "City", "type": "string"}},
    "required": ["city"],
    "title": "City",
    "type": "object",
}
CLOSED_SCHEMA = _PLAIN_SCHEMA | {"additionalProperties": False}
PICTURE = f"data:image/png;base64,{PIXEL_TEXT}"
_OPEN_TOOL_SCHEMA = {name: value for name, value in TOOL_SCHEMA.items() if name != "additionalProperties"}
"""As Ollama's SDK sends it: its types have no room for `additionalProperties`."""
_RESULT = {"city": "Paris", "temperature_celsius": 18, "sky": "light rain"}
_WEATHER = "In Paris it is 18 °C now, with light rain."


def write(folder: Path) -> None:
    """Write all recordings below `folder`."""
    for name, interactions in {
        "openai/sdk-shapes": _openai_shapes(),
        "openai/sdk-images": _openai_images(),
        "openai/sdk-tools": _openai_tools(),
        "openai/sdk-errors": _openai_errors(),
        "anthropic/sdk-shapes": _anthropic_shapes(),
        "anthropic/sdk-tools": _anthropic_tools(),
        "anthropic/sdk-errors": _anthropic_errors(),
    }.items():
        write_cassette(folder, name, list(interactions))


def _user(content: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": content}]


def _gpt(content: Any, **more: Any) -> dict[str, Any]:
    return {"model": GPT, "messages": _user(content), **more}


def _claude(content: Any, **more: Any) -> dict[str, Any]:
    return {"model": CLAUDE, "max_tokens": LENGTH, "messages": _user(content), **more}


def _completion(message: Mapping[str, Any], finish: str = "stop") -> dict[str, Any]:
    said = {"role": "assistant", "content": None, "refusal": None, **message}
    return {
        "id": "chatcmpl-authored-sdk",
        "object": "chat.completion",
        "created": 1795219200,
        "model": f"{GPT}-2024-07-18",
        "choices": [{"index": 0, "message": said, "logprobs": None, "finish_reason": finish}],
        "usage": {"prompt_tokens": 20, "completion_tokens": 12, "total_tokens": 32},
    }


def _chunks(*deltas: tuple[Mapping[str, Any], str | None]) -> list[SseEvent]:
    head = {
        "id": "chatcmpl-authored-sdk",
        "object": "chat.completion.chunk",
        "created": 1795219200,
        "model": f"{GPT}-2024-07-18",
    }
    return [
        SseEvent(data={**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], "usage": None})
        for delta, finish in deltas
    ]


def _message(content: Sequence[Mapping[str, Any]], reason: str = "end_turn") -> dict[str, Any]:
    return {
        "model": f"{CLAUDE}-20250929",
        "id": "msg_authored_sdk",
        "type": "message",
        "role": "assistant",
        "content": list(content),
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": {"input_tokens": 20, "output_tokens": 12},
    }


def _openai_shapes() -> Iterator[Interaction]:
    answer = _completion({"content": '{"city":"Paris"}'})
    for schema in (
        {"name": "City", "schema": CLOSED_SCHEMA, "strict": True},  # OpenAI's SDKs
        {"name": "answer", "schema": _PLAIN_SCHEMA},  # Google's and Ollama's, whose formats have no name
    ):
        asked = _gpt(CITY, response_format={"type": "json_schema", "json_schema": schema})
        yield authored_json(url=OPENAI, request=asked, response=answer)


def _openai_images() -> Iterator[Interaction]:
    for more in ({}, {"detail": "auto"}):  # only OpenAI's formats have a detail, and Responses must say it
        image = {"type": "image_url", "image_url": {"url": PICTURE, **more}}
        asked = _gpt([{"type": "text", "text": LOOK}, image])
        yield authored_json(url=OPENAI, request=asked, response=_completion({"content": SEEN}))


def _openai_tools() -> Iterator[Interaction]:
    def tools(schema: Mapping[str, Any]) -> list[dict[str, Any]]:
        function = {"name": TOOL_NAME, "description": TOOL_WORDS, "parameters": schema}
        return [{"type": "function", "function": function}]

    def call(call_id: str) -> dict[str, Any]:
        return {"id": call_id, "type": "function", "function": {"name": TOOL_NAME, "arguments": '{"city":"Paris"}'}}

    def told(call_id: str, result: str, schema: Mapping[str, Any]) -> dict[str, Any]:
        asked = _gpt(WEATHER, tools=tools(schema))
        asked["messages"] += [
            {"role": "assistant", "content": None, "tool_calls": [call(call_id)]},
            {"role": "tool", "content": result, "tool_call_id": call_id},
        ]
        return asked

    last = _completion({"content": _WEATHER})
    spaced, compact = json.dumps(_RESULT), json.dumps(_RESULT, separators=(",", ":"))
    for request in (
        told("call_authored_0001", spaced, TOOL_SCHEMA),  # OpenAI's
        told("call_authored_0001", compact, TOOL_SCHEMA),  # Google's: the result is JSON there, not text
        told("call_1", spaced, _OPEN_TOOL_SCHEMA),  # Ollama's, which knows no identifiers: the edge numbers them
    ):
        yield authored_json(url=OPENAI, request=request, response=last)
    first = _completion({"tool_calls": [call("call_authored_0001")]}, "tool_calls")
    yield authored_json(url=OPENAI, request=_gpt(WEATHER, tools=tools(_OPEN_TOOL_SCHEMA)), response=first)

    old = {"name": TOOL_NAME, "description": TOOL_WORDS, "parameters": TOOL_SCHEMA}
    said = {"function_call": {"name": TOOL_NAME, "arguments": '{"city":"Paris"}'}}
    yield authored_json(url=OPENAI, request=_gpt(WEATHER, functions=[old]), response=_completion(said, "function_call"))

    function = {"name": TOOL_NAME, "arguments": ""}
    begun = {"tool_calls": [{"index": 0, "id": "call_authored_0002", "type": "function", "function": function}]}
    pieces = [{"tool_calls": [{"index": 0, "function": {"arguments": text}}]} for text in ('{"ci', 'ty":"Par', 'is"}')]
    first_delta = {"role": "assistant", "content": None, **begun}
    deltas: list[tuple[Mapping[str, Any], str | None]] = [(first_delta, None), *((piece, None) for piece in pieces)]
    events = [*_chunks(*deltas, ({}, "tool_calls")), SseEvent(data="[DONE]")]
    for schema in (TOOL_SCHEMA, _OPEN_TOOL_SCHEMA):
        asked = _gpt(WEATHER, tools=tools(schema), stream=True, stream_options={"include_usage": True})
        yield authored_sse(url=OPENAI, request=asked, events=events)


def _openai_errors() -> Iterator[Interaction]:
    words = {
        400: ("invalid_request_error", "invalid_value"),
        404: ("invalid_request_error", "model_not_found"),
        429: ("requests", "rate_limit_exceeded"),
        500: ("server_error", None),
        503: ("server_error", None),
    }
    for status, text in FAILING.items():
        kind, code = words[status]
        fault = {"error": {"message": f"the provider says {status}", "type": kind, "param": None, "code": code}}
        headers = {"retry-after": str(RETRY_AFTER)} if status == 429 else {}
        yield authored_json(url=OPENAI, request=_gpt(text), response=fault, status=status, headers=headers)
    asked = _gpt(BROKEN, stream=True, stream_options={"include_usage": True})
    fault = {"error": {"message": "the provider says it broke", "type": "server_error", "param": None, "code": None}}
    begun = _chunks(({"role": "assistant", "content": ""}, None), ({"content": SPOKEN}, None))
    yield authored_sse(url=OPENAI, request=asked, events=[*begun, SseEvent(data=fault)])


def _anthropic_shapes() -> Iterator[Interaction]:
    form = {"format": {"type": "json_schema", "schema": CLOSED_SCHEMA}}
    text = _message([{"type": "text", "text": '{"city":"Paris"}'}])
    yield _anthropic(_claude(CITY, output_config=form), text)
    source = {"type": "base64", "media_type": "image/png", "data": PIXEL_TEXT}
    asked = _claude([{"type": "text", "text": LOOK}, {"type": "image", "source": source}])
    yield _anthropic(asked, _message([{"type": "text", "text": SEEN}]))
    yield authored_json(
        url=f"{ANTHROPIC}/count_tokens",
        request={"model": CLAUDE, "messages": _user(COUNTED)},
        response={"input_tokens": TOKENS},
        request_headers=VERSION,
    )


def _anthropic_tools() -> Iterator[Interaction]:
    tool = {"name": TOOL_NAME, "description": TOOL_WORDS, "input_schema": TOOL_SCHEMA}
    block = {"type": "tool_use", "id": "toolu_authored_0002", "name": TOOL_NAME, "input": {}}
    pieces = [{"type": "input_json_delta", "partial_json": text} for text in ("", '{"city": ', '"Paris"}')]
    start = _message([])
    start["stop_reason"] = None
    end = {"stop_reason": "tool_use", "stop_sequence": None}
    events = [
        _event("message_start", message=start),
        _event("content_block_start", index=0, content_block=block),
        *(_event("content_block_delta", index=0, delta=piece) for piece in pieces),
        _event("content_block_stop", index=0),
        _event("message_delta", delta=end, usage={"output_tokens": 12}),
        _event("message_stop"),
    ]
    yield authored_sse(
        url=ANTHROPIC, request=_claude(WEATHER, tools=[tool], stream=True), events=events, request_headers=VERSION
    )


def _anthropic_errors() -> Iterator[Interaction]:
    words = {
        400: "invalid_request_error",
        404: "not_found_error",
        429: "rate_limit_error",
        500: "api_error",
        503: "overloaded_error",
    }
    for status, text in FAILING.items():
        fault = {"type": "error", "error": {"type": words[status], "message": f"the provider says {status}"}}
        headers = {"retry-after": str(RETRY_AFTER)} if status == 429 else {}
        sent = 529 if status == 503 else status
        yield _anthropic(_claude(text), fault, status=sent, headers=headers)
    block = {"type": "text", "text": ""}
    start = _message([])
    start["stop_reason"] = None
    events = [
        _event("message_start", message=start),
        _event("content_block_start", index=0, content_block=block),
        _event("content_block_delta", index=0, delta={"type": "text_delta", "text": SPOKEN}),
        _event("error", error={"type": "api_error", "message": "the provider says it broke"}),
    ]
    yield authored_sse(url=ANTHROPIC, request=_claude(BROKEN, stream=True), events=events, request_headers=VERSION)


def _anthropic(request: Any, response: Any, **more: Any) -> Interaction:
    return authored_json(url=ANTHROPIC, request=request, response=response, request_headers=VERSION, **more)


def _event(kind: str, **said: Any) -> SseEvent:
    return SseEvent(event=kind, data={"type": kind, **said})
