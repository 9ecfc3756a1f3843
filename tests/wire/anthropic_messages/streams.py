"""Streams of the Messages API, authored from its documentation to cover every kind of event."""

from __future__ import annotations

import json
from typing import Any

from tests.wire.anthropic_messages.answers import CITATIONS, SERVER_RESULTS, USAGE, Json, answer


def _events(*events: Json, newline: str = "\n") -> bytes:
    return "".join(
        f"event: {event['type']}{newline}data: {json.dumps(event)}{newline}{newline}" for event in events
    ).encode()


def _start(**more: Any) -> Json:
    message = {**answer(), "stop_reason": None, "usage": {"input_tokens": 9, "output_tokens": 1}, **more}
    return {"type": "message_start", "message": message}


def _block(index: int, block: Json, *deltas: Json) -> list[Json]:
    return [
        {"type": "content_block_start", "index": index, "content_block": block},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def _end(stop: str = "end_turn", usage: Json | None = None, **more: Any) -> list[Json]:
    return [
        {
            "type": "message_delta",
            "delta": {"stop_reason": stop, "stop_sequence": None},
            "usage": usage or {"output_tokens": 12},
            **more,
        },
        {"type": "message_stop"},
    ]


STREAMS: dict[str, bytes] = {
    "text": _events(
        _start(),
        {"type": "ping"},
        *_block(
            0,
            {"type": "text", "text": "", "citations": []},
            {"type": "text_delta", "text": "Hé"},
            *({"type": "citations_delta", "citation": citation} for citation in CITATIONS),
            {"type": "text_delta", "text": "llo\u2028"},
        ),
        *_end(),
    ),
    "crlf": _events(
        _start(),
        *_block(0, {"type": "text", "text": "a"}, {"type": "text_delta", "text": "b"}),
        *_end(),
        newline="\r\n",
    ),
    "nothing": _events(_start(), *_end("refusal")),
    "thinking and tools": _events(
        _start(usage=USAGE),
        *_block(
            0,
            {"type": "thinking", "thinking": "", "signature": ""},
            {"type": "thinking_delta", "thinking": "a"},
            {"type": "thinking_delta", "thinking": "b"},
            {"type": "signature_delta", "signature": "c2ln"},
        ),
        *_block(1, {"type": "redacted_thinking", "data": "ZGF0YQ=="}),
        *_block(
            2,
            {"type": "tool_use", "id": "toolu_1", "name": "get", "input": {}, "caller": {"type": "direct"}},
            {"type": "input_json_delta", "partial_json": ""},
            {"type": "input_json_delta", "partial_json": '{"a": [1, '},
            {"type": "input_json_delta", "partial_json": '"ü"]}'},
        ),
        *_block(3, {"type": "tool_use", "id": "toolu_2", "name": "now", "input": {}}),
        *_end("tool_use", {"input_tokens": 9, "output_tokens": 30, "server_tool_use": {"web_search_requests": 2}}),
    ),
    "server tools": _events(
        _start(),
        *_block(
            0,
            {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}},
            {"type": "input_json_delta", "partial_json": '{"query":"q"}'},
        ),
        *(event for index, result in enumerate(SERVER_RESULTS, 1) for event in _block(index, result)),
        {
            "type": "message_delta",
            "delta": {
                "stop_reason": "end_turn",
                "stop_sequence": None,
                "container": {"id": "container_1", "expires_at": "2026-04-24T11:13:36.730129Z"},
            },
            "usage": {"output_tokens": 12},
            "context_management": {"applied_edits": [{"type": "clear_tool_uses_20250919", "cleared_tool_uses": 1}]},
        },
        {"type": "message_stop"},
    ),
    "compaction": _events(
        _start(),
        *_block(0, {"type": "compaction", "content": None}, {"type": "compaction_delta", "content": "so far"}),
        *_end("compaction"),
    ),
    "padding": _events(
        _start(),
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}, "p": "abc"},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "x"}, "p": "abcdef"},
        {"type": "content_block_stop", "index": 0, "p": "a"},
        *_end(),
    ),
}
"""Streams by what they show."""

UNKNOWN_STREAM = _events(
    _start(origin="moon"),
    *_block(
        0,
        {"type": "text", "text": "", "mood": "good"},
        {"type": "text_delta", "text": "x", "estimated_tokens": 5},
        {"type": "mood_delta", "mood": " and calm"},
    ),
    *_block(1, {"type": "hologram", "depth": ""}, {"type": "depth_delta", "depth": "3"}, {"type": "d", "depth": "4"}),
    {"type": "weather_report", "sky": "blue"},
    *_end(new_field=7, usage={"output_tokens": 12, "photons": 3}),
)
"""A stream of a later version of the API."""
