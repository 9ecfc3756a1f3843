"""Requests, answers and streams of Ollama's chat API, authored from its documentation."""

from __future__ import annotations

import json
from typing import Any

Json = dict[str, Any]

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
TOOL: Json = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Tells the weather.",
        "parameters": {"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}}},
    },
}
_USER: Json = {"role": "user", "content": "hi"}

REQUESTS: dict[str, Json] = {
    "plain": {"model": "m", "messages": [_USER]},
    "no_stream": {"model": "m", "messages": [_USER], "stream": False},
    "empty": {"model": "m", "messages": []},
    "options": {
        "model": "m",
        "messages": [_USER],
        "stream": True,
        "options": {
            "num_ctx": 4096,
            "num_predict": 64,
            "temperature": 0.5,
            "top_k": 40,
            "top_p": 0.9,
            "min_p": 0.05,
            "typical_p": 0.7,
            "repeat_last_n": 33,
            "repeat_penalty": 1.2,
            "presence_penalty": 1.5,
            "frequency_penalty": 1.0,
            "seed": 42,
            "stop": ["\n", "user:"],
        },
        "keep_alive": "5m",
        "think": True,
        "format": "json",
        "logprobs": True,
        "top_logprobs": 2,
    },
    "numbers": {"model": "m", "messages": [_USER], "keep_alive": -1, "think": "high"},
    "nothing": {"model": "m", "messages": [_USER], "options": {}, "format": "", "tools": [], "keep_alive": None},
    "schema": {
        "model": "m",
        "messages": [_USER],
        "stream": False,
        "format": {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]},
    },
    "conversation": {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "what is this?", "images": [PIXEL]},
            {
                "role": "assistant",
                "content": "",
                "thinking": "I should look.",
                "tool_calls": [
                    {"function": {"name": "weather", "arguments": {"city": "Oslo"}}},
                    {"id": "call_2", "type": "function", "function": {"index": 1, "name": "weather", "arguments": {}}},
                ],
            },
            {"role": "tool", "content": "cold", "tool_name": "weather"},
            {"role": "tool", "content": "warm", "tool_name": "weather", "tool_call_id": "call_2"},
            {"role": "assistant", "content": "It is cold.", "tool_calls": []},
        ],
        "tools": [TOOL],
    },
}
UNTYPED: dict[str, Json] = {
    "unlimited": {"model": "m", "messages": [_USER], "options": {"num_predict": -1, "mirostat": 2, "num_gpu": 1}},
    "later": {"model": "m", "messages": [{**_USER, "mood": "good"}], "shift": False, "truncate": True, "new": {"a": 1}},
}

_END: Json = {
    "done": True,
    "done_reason": "stop",
    "total_duration": 4883583458,
    "load_duration": 1334875,
    "prompt_eval_count": 26,
    "prompt_eval_duration": 342546000,
    "eval_count": 282,
    "eval_duration": 4535599000,
}
_HEAD: Json = {"model": "m", "created_at": "2026-08-07T06:08:11.017589Z"}
_CALL: Json = {
    "id": "c1",
    "function": {"index": 0, "name": "weather", "arguments": {"city": "Oslo", "n": 9007199254740993}},
}
_TOKEN: Json = {
    "token": "Hi",
    "logprob": -0.1,
    "bytes": [72, 105],
    "top_logprobs": [{"token": "Ho", "logprob": -2.5, "bytes": [72, 111]}],
}

ANSWERS: dict[str, Json] = {
    "text": {**_HEAD, "message": {"role": "assistant", "content": "Hi"}, **_END},
    "zoned": {
        **_HEAD,
        "created_at": "2026-08-07T08:08:11.01758+02:00",
        "message": {"role": "assistant", "content": "Hi"},
        **_END,
    },
    "call": {**_HEAD, "message": {"role": "assistant", "content": "", "thinking": "x", "tool_calls": [_CALL]}, **_END},
    "cut": {**_HEAD, "message": {"role": "assistant", "content": "Hi"}, **_END, "done_reason": "length"},
    "loaded": {**_HEAD, "message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "load"},
    "old": {**_HEAD, "message": {"role": "assistant", "content": "Hi"}, "done": True},
    "logprobs": {**_HEAD, "message": {"role": "assistant", "content": "Hi"}, **_END, "logprobs": [_TOKEN]},
    "cloud": {
        **_HEAD,
        "remote_model": "gpt-oss:120b",
        "remote_host": "https://ollama.com:443",
        "message": {"role": "assistant", "content": "Hi", "images": [PIXEL]},
        **_END,
    },
}


def _lines(*messages: Json, **end: Any) -> bytes:
    lines = [
        {**_HEAD, "message": {"role": "assistant", "content": "", **message}, "done": False} for message in messages
    ]
    last = {**_HEAD, "message": {"role": "assistant", "content": ""}, **_END, **end}
    return b"".join(json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in [*lines, last])


STREAMS: dict[str, bytes] = {
    "text": _lines({"content": "H"}, {"content": "é\u2028"}, {"content": "🙂"}),
    "thinking": _lines({"thinking": "a"}, {"thinking": "b"}, {"content": "c"}, {"thinking": "d"}),
    "calls": _lines(
        {"thinking": "a"},
        {"tool_calls": [_CALL]},
        {"tool_calls": [{"function": {"index": 1, "name": "n", "arguments": {}}}]},
    ),
    "all_at_once": _lines({"thinking": "a", "content": "b", "tool_calls": [_CALL], "images": [PIXEL]}),
    "nothing": _lines(),
    "crlf": _lines({"content": "H"}).replace(b"\n", b"\r\n"),
    "no_last_line_end": _lines({"content": "H"}).rstrip(),
    "blank_lines": _lines({"content": "H"}).replace(b"\n", b"\n\n"),
}
