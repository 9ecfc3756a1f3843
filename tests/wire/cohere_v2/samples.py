"""Requests, answers and streams of Cohere's chat API, version 2, authored from its documentation."""

from __future__ import annotations

import json
from typing import Any

Json = dict[str, Any]

PIXEL = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
_USER: Json = {"role": "user", "content": "hi"}
_TOOL: Json = {
    "type": "function",
    "function": {"name": "f", "description": "d", "parameters": {"type": "object", "properties": {}}},
}
_CALL: Json = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1.0}'}}
_SOURCE: Json = {"type": "document", "id": "doc:0", "document": {"id": "doc:0", "snippet": "s", "title": "t"}}
_OUTPUT: Json = {"type": "tool", "id": "c1:0", "tool_output": {"content": "Ruby", "url": "https://x"}}


def _citation(source: Json = _OUTPUT, **more: Any) -> Json:
    return {"start": 0, "end": 4, "text": "Ruby", "sources": [source], **more}


REQUESTS: dict[str, Json] = {
    "plain": {"model": "m", "messages": [_USER]},
    "not_streamed": {"model": "m", "messages": [_USER], "stream": False},
    "options": {
        "model": "m",
        "messages": [{"role": "system", "content": "Be brief."}, _USER],
        "stream": True,
        "max_tokens": 9,
        "stop_sequences": ["x"],
        "temperature": 0.3,
        "seed": 4,
        "frequency_penalty": 0.1,
        "presence_penalty": 0.2,
        "k": 5,
        "p": 0.7,
        "logprobs": True,
        "priority": 3,
        "safety_mode": "STRICT",
        "citation_options": {"mode": "ACCURATE"},
        "thinking": {"type": "enabled", "token_budget": 512},
        "response_format": {"type": "json_object", "json_schema": {"type": "object", "required": ["a"]}},
        "tools": [_TOOL],
        "strict_tools": True,
        "tool_choice": "REQUIRED",
    },
    "formats": {
        "model": "m",
        "messages": [_USER],
        "response_format": {"type": "json_object", "schema": {"type": "object"}},
        "thinking": {"type": "disabled"},
        "strict_tools": None,
        "tool_choice": "NONE",
    },
    "json": {"model": "m", "messages": [_USER], "response_format": {"type": "json_object"}},
    "text": {"model": "m", "messages": [_USER], "response_format": {"type": "text"}},
    "documents": {
        "model": "m",
        "messages": [{"role": "system", "content": "s"}, _USER],
        "documents": [
            "plain text",
            {"id": "d1", "data": {"title": "t", "text": "x", "url": "https://x"}},
            {"data": {"snippet": "x"}},
            {"id": "d2", "data": "text"},
        ],
    },
    "conversation": {
        "model": "m",
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "what?"},
                    {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}},
                    {"type": "image_url", "image_url": {"url": "https://x/y.png"}},
                ],
            },
            {"role": "assistant", "tool_plan": "I will look.", "tool_calls": [_CALL, {**_CALL, "id": "c2"}]},
            {"role": "tool", "tool_call_id": "c1", "content": "Ruby"},
            {
                "role": "tool",
                "tool_call_id": "c2",
                "content": [
                    {"type": "document", "document": {"id": "d", "data": {"text": "x", "title": "t"}}},
                    {"type": "text", "text": "more"},
                ],
            },
            {
                "role": "assistant",
                "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "Ruby is."}],
                "citations": [_citation(type="TEXT_CONTENT", content_index=1), _citation(_SOURCE)],
            },
            {"role": "user", "content": [{"type": "text", "text": "single"}]},
            {"role": "assistant", "content": [{"type": "text", "text": ""}], "tool_calls": [_CALL]},
            {"role": "assistant", "content": "", "tool_calls": []},
        ],
        "tools": [_TOOL],
    },
}
UNTYPED: dict[str, Json] = {
    "later": {
        "model": "m",
        "messages": [{**_USER, "mood": "good"}, {"role": "user", "content": [{"type": "hologram", "depth": 3}]}],
        "raw_prompting": True,
        "documents": [{"id": "d", "data": {"text": "x", "author": "me"}}],
        "tools": [{"type": "browser", "x": 1}],
    }
}

_USAGE: Json = {
    "billed_units": {"input_tokens": 51, "output_tokens": 66.0, "search_units": 1},
    "tokens": {"input_tokens": 267, "output_tokens": 91, "reasoning_tokens": 58, "image_tokens": 259},
    "cached_tokens": 144,
}


def _answer(message: Json, reason: str = "COMPLETE", **more: Any) -> Json:
    return {"id": "i", "message": {"role": "assistant", **message}, "finish_reason": reason, "usage": _USAGE, **more}


_TEXT: Json = {"type": "text", "text": "Ruby is."}
ANSWERS: dict[str, Json] = {
    "text": _answer({"content": [_TEXT]}),
    "no_usage": {"id": "i", "message": {"role": "assistant", "content": [_TEXT]}, "finish_reason": "COMPLETE"},
    "calls": _answer({"tool_plan": "I look.", "tool_calls": [_CALL, {**_CALL, "id": "c2"}]}, "TOOL_CALL"),
    "thinking": _answer({"content": [{"type": "thinking", "thinking": "hm"}, _TEXT]}),
    "citations": _answer(
        {
            "content": [{"type": "thinking", "thinking": "hm"}, _TEXT],
            "citations": [
                _citation(type="TEXT_CONTENT", content_index=1),
                _citation(_SOURCE, type="TEXT_CONTENT"),
                {**_citation(), "sources": [_SOURCE, _OUTPUT]},
            ],
        }
    ),
    "plan_citations": _answer(
        {"tool_plan": "Ruby", "tool_calls": [_CALL], "citations": [_citation(_SOURCE, type="PLAN")]}, "TOOL_CALL"
    ),
    "thinking_citations": _answer(
        {
            "content": [{"type": "thinking", "thinking": "Ruby"}, _TEXT],
            "citations": [_citation(_SOURCE, type="THINKING_CONTENT", content_index=0)],
        }
    ),
    "logprobs": _answer(
        {"content": [_TEXT]},
        logprobs=[
            {"text": "Ru", "token_ids": [1], "logprobs": [-0.5]},
            {"text": "by", "token_ids": [2, 3], "logprobs": [-0.1, -0.2]},
        ],
    ),
    "error": _answer({"content": [_TEXT]}, "ERROR", error="it broke"),
    **{
        word: _answer({"content": [_TEXT]}, word)
        for word in ("MAX_TOKENS", "STOP_SEQUENCE", "TIMEOUT", "ERROR_TOXIC", "ERROR_LIMIT", "SOMETHING_LATER")
    },
}


def stream(*events: tuple[str, Json], end: str = "data: [DONE]\n\n") -> bytes:
    """Server-sent events."""
    said = [f"event: {name}\ndata: {json.dumps({'type': name, **body})}\n\n" for name, body in events]
    return ("".join(said) + end).encode()


def message(**fields: Any) -> Json:
    """A delta of a message."""
    return {"delta": {"message": fields}}


_EMPTY = message(role="assistant", content=[], tool_plan="", tool_calls=[], citations=[])
BEGIN = ("message-start", {"id": "i", **_EMPTY})
END = ("message-end", {"delta": {"finish_reason": "COMPLETE", "usage": _USAGE}})


def content(index: int, kind: str, *pieces: str) -> list[tuple[str, Json]]:
    """The events of one content."""
    deltas = [("content-delta", {"index": index, **message(content={kind: piece})}) for piece in pieces]
    start = ("content-start", {"index": index, **message(content={"type": kind, kind: ""})})
    return [start, *deltas, ("content-end", {"index": index})]


def _call(index: int, *pieces: str) -> list[tuple[str, Json]]:
    call = {"id": f"c{index}", "type": "function", "function": {"name": "f", "arguments": ""}}
    deltas = [
        ("tool-call-delta", {"index": index, **message(tool_calls={"function": {"arguments": piece}})})
        for piece in pieces
    ]
    return [
        ("tool-call-start", {"index": index, **message(tool_calls=call)}),
        *deltas,
        ("tool-call-end", {"index": index}),
    ]


def _cited(index: int, citation: Json) -> list[tuple[str, Json]]:
    return [("citation-start", {"index": index, **message(citations=citation)}), ("citation-end", {"index": index})]


_PLAN = [("tool-plan-delta", message(tool_plan=piece)) for piece in ("I ", "look.")]
_SAID = content(0, "text", "Ruby", " is.\u2028")
_TOKENS = {"logprobs": {"text": "Ruby", "token_ids": [7], "logprobs": [-0.5]}}

STREAMS: dict[str, bytes] = {
    "text": stream(BEGIN, *_SAID, END),
    "without_done": stream(BEGIN, *_SAID, END, end=""),
    "crlf": stream(BEGIN, *_SAID, END).replace(b"\n", b"\r\n"),
    "nothing": stream(BEGIN, END),
    "thinking": stream(BEGIN, *content(0, "thinking", "a", "b"), *content(1, "text", "c"), END),
    "calls": stream(BEGIN, *_PLAN, *_call(0, '{"a"', ": 1}"), *_call(1), END),
    "citations": stream(BEGIN, *_SAID[:2], *_cited(0, _citation(type="TEXT_CONTENT")), *_SAID[2:], END),
    "late_citations": stream(
        BEGIN,
        *content(0, "thinking", "Ruby"),
        *content(1, "text", "Ruby"),
        *_cited(0, _citation(_SOURCE, content_index=1, type="TEXT_CONTENT")),
        *_cited(1, _citation(_SOURCE, content_index=0, type="THINKING_CONTENT")),
        END,
    ),
    "plan_citations": stream(BEGIN, *_PLAN, *_cited(0, _citation(type="PLAN")), *_call(0, "{}"), END),
    "logprobs": stream(
        BEGIN,
        _SAID[0],
        ("content-delta", {"index": 0, **message(content={"text": "Ruby"}), **_TOKENS}),
        _SAID[-1],
        END,
    ),
    "error": stream(BEGIN, *_SAID, ("message-end", {"delta": {"finish_reason": "ERROR", "error": "it broke"}})),
}
