"""Answers of the Messages API, authored from its documentation to cover every kind of object."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


def answer(*content: Json, stop: str = "end_turn", usage: Json | None = None, **more: Any) -> Json:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-6",
        "content": list(content),
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": usage or {"input_tokens": 3, "output_tokens": 5},
        **more,
    }


USAGE: Json = {
    "input_tokens": 3,
    "cache_creation_input_tokens": 20,
    "cache_read_input_tokens": 100,
    "cache_creation": {"ephemeral_5m_input_tokens": 15, "ephemeral_1h_input_tokens": 5},
    "output_tokens": 7,
    "output_tokens_details": {"thinking_tokens": 4},
    "server_tool_use": {"web_search_requests": 1, "web_fetch_requests": 0},
    "service_tier": "standard",
    "inference_geo": "us",
    "speed": "fast",
    "iterations": [
        {
            "type": "compaction",
            "input_tokens": 1,
            "output_tokens": 2,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        },
        {"type": "message", "model": "claude-opus-4-8", "input_tokens": 2, "output_tokens": 5},
    ],
}
CITATIONS: list[Json] = [
    {
        "type": "char_location",
        "cited_text": "a",
        "document_index": 0,
        "document_title": "t",
        "file_id": "file_1",
        "start_char_index": 0,
        "end_char_index": 1,
    },
    {
        "type": "page_location",
        "cited_text": "b",
        "document_index": 1,
        "document_title": "t",
        "start_page_number": 1,
        "end_page_number": 2,
    },
    {
        "type": "content_block_location",
        "cited_text": "c",
        "document_index": 2,
        "document_title": "t",
        "start_block_index": 0,
        "end_block_index": 3,
    },
    {
        "type": "search_result_location",
        "cited_text": "d",
        "search_result_index": 0,
        "source": "https://example.com",
        "title": "t",
        "start_block_index": 0,
        "end_block_index": 1,
    },
    {
        "type": "web_search_result_location",
        "cited_text": "e",
        "encrypted_index": "ZQ==",
        "title": "t",
        "url": "https://example.com",
    },
]


def _tool_result(kind: str, content: Any, **more: Any) -> Json:
    return {"type": kind, "tool_use_id": "srvtoolu_1", "content": content, **more}


SERVER_RESULTS: list[Json] = [
    _tool_result(
        "web_search_tool_result",
        [
            {
                "type": "web_search_result",
                "url": "https://example.com",
                "title": "t",
                "encrypted_content": "ZQ==",
                "page_age": "3 weeks ago",
            }
        ],
        caller={"type": "direct"},
    ),
    _tool_result("web_search_tool_result", []),
    _tool_result("web_search_tool_result", {"type": "web_search_tool_result_error", "error_code": "max_uses_exceeded"}),
    _tool_result(
        "web_fetch_tool_result",
        {
            "type": "web_fetch_result",
            "url": "https://example.com",
            "retrieved_at": "2025-11-14T23:34:21.151000+00:00",
            "content": {
                "type": "document",
                "source": {"type": "text", "media_type": "text/plain", "data": "text"},
                "title": "t",
                "citations": {"enabled": True},
            },
        },
    ),
    _tool_result("web_fetch_tool_result", {"type": "web_fetch_tool_result_error", "error_code": "url_not_allowed"}),
    _tool_result(
        "code_execution_tool_result",
        {
            "type": "code_execution_result",
            "stdout": "1\n",
            "stderr": "",
            "return_code": 0,
            "content": [{"type": "code_execution_output", "file_id": "file_1"}],
        },
    ),
    _tool_result(
        "code_execution_tool_result",
        {
            "type": "encrypted_code_execution_result",
            "encrypted_stdout": "ZQ==",
            "stderr": "",
            "return_code": 0,
            "content": [],
        },
    ),
    _tool_result(
        "bash_code_execution_tool_result",
        {
            "type": "bash_code_execution_result",
            "stdout": "",
            "stderr": "no",
            "return_code": 1,
            "content": [{"type": "bash_code_execution_output", "file_id": "file_2"}],
        },
    ),
    _tool_result(
        "text_editor_code_execution_tool_result",
        {
            "type": "text_editor_code_execution_view_result",
            "file_type": "text",
            "content": "",
            "num_lines": 1,
            "start_line": 1,
            "total_lines": 1,
        },
    ),
    _tool_result(
        "text_editor_code_execution_tool_result",
        {"type": "text_editor_code_execution_create_result", "is_file_update": False},
    ),
    _tool_result(
        "text_editor_code_execution_tool_result",
        {
            "type": "text_editor_code_execution_str_replace_result",
            "lines": ["-a", "+b"],
            "old_start": 1,
            "old_lines": 1,
            "new_start": 1,
            "new_lines": 1,
        },
    ),
    _tool_result(
        "text_editor_code_execution_tool_result",
        {
            "type": "text_editor_code_execution_tool_result_error",
            "error_code": "file_not_found",
            "error_message": "no file",
        },
    ),
    _tool_result(
        "tool_search_tool_result",
        {
            "type": "tool_search_tool_search_result",
            "tool_references": [{"type": "tool_reference", "tool_name": "get"}],
        },
    ),
    _tool_result(
        "tool_search_tool_result", {"type": "tool_search_tool_result_error", "error_code": "too_many_requests"}
    ),
]

ANSWERS: dict[str, Json] = {
    "text": answer({"type": "text", "text": "hi"}),
    "nothing": answer(),
    "citations": answer({"type": "text", "text": "hi", "citations": CITATIONS}),
    "thinking": answer(
        {"type": "thinking", "thinking": "", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "ZGF0YQ=="},
        {"type": "text", "text": "hi", "citations": None},
        usage=USAGE,
    ),
    "tool use": answer(
        {"type": "tool_use", "id": "toolu_1", "name": "get", "input": {"b": 1, "a": 12345678901234567890}},
        {"type": "tool_use", "id": "toolu_2", "name": "click", "toolset_name": "browser", "input": {}},
        stop="tool_use",
    ),
    "server tools": answer(
        {
            "type": "server_tool_use",
            "id": "srvtoolu_1",
            "name": "web_search",
            "input": {"query": "q"},
            "caller": {"type": "code_execution_20260120", "tool_id": "srvtoolu_0"},
        },
        *SERVER_RESULTS,
        {"type": "container_upload", "file_id": "file_9"},
        stop="pause_turn",
        container={
            "id": "container_1",
            "expires_at": "2026-04-24T11:13:36.730129Z",
            "skills": [{"type": "custom", "skill_id": "skill_1", "version": "2"}],
        },
        context_management={
            "applied_edits": [
                {"type": "clear_tool_uses_20250919", "cleared_input_tokens": 10, "cleared_tool_uses": 2},
                {"type": "clear_thinking_20251015", "cleared_input_tokens": 10, "cleared_thinking_turns": 1},
            ]
        },
    ),
    "refusal": answer(
        stop="refusal",
        stop_details={"type": "refusal", "category": "cyber", "explanation": "That is not safe to tell."},
    ),
    "stop sequence": {**answer({"type": "text", "text": "a"}, stop="stop_sequence"), "stop_sequence": "END"},
    "context window": answer(stop="model_context_window_exceeded"),
    "compaction": answer({"type": "compaction", "content": "so far"}, stop="compaction"),
    "nulls": answer(
        {"type": "text", "text": "hi"},
        stop_details=None,
        container=None,
        context_management=None,
        diagnostics=None,
        usage={
            "input_tokens": 1,
            "output_tokens": 1,
            "server_tool_use": None,
            "service_tier": None,
            "cache_creation": None,
        },
    ),
}
"""Answers by what they show; no value of any stays outside the typed fields."""

UNKNOWN_ANSWER: Json = answer(
    {"type": "text", "text": "hi", "mood": "good"},
    {"type": "hologram", "depth": 3, "layers": [{"type": "text", "text": "x"}]},
    {"type": "text", "text": "c", "citations": [{"type": "star_location", "star": "Vega"}]},
    stop="because",
    new_field={"a": [1, None]},
    usage={"input_tokens": 3, "output_tokens": 5, "photons": 7, "server_tool_use": {"gazes": 1}},
)
"""An answer of a later version of the API."""
