"""Requests of the Messages API, authored from its documentation to cover every kind of object."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
_CACHED = {"type": "ephemeral", "ttl": "1h"}


def _ask(*content: Json, **more: Any) -> Json:
    return {
        "model": "claude-sonnet-4-6",
        "max_tokens": 64,
        "messages": [{"role": "user", "content": list(content) or "hi"}],
        **more,
    }


def _round(*blocks: Json) -> Json:
    """A request that replays an assistant's turn."""
    return {
        "model": "claude-sonnet-4-6",
        "max_tokens": 64,
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": list(blocks)},
            {"role": "user", "content": "go on"},
        ],
    }


REQUESTS: dict[str, Json] = {
    "plain": _ask(),
    "sampling": _ask(
        temperature=0.5, top_p=0.9, top_k=40, stop_sequences=["END", "\n\n"], service_tier="auto", stream=False
    ),
    "system text": _ask(system="be brief"),
    "system empty": _ask(system=""),
    "system list of one": _ask(system=[{"type": "text", "text": "be brief"}]),
    "system blocks": _ask(
        system=[
            {"type": "text", "text": "be brief"},
            {"type": "text", "text": "a long text", "cache_control": {"type": "ephemeral"}},
        ]
    ),
    "system inline": {
        "model": "claude-opus-4-8",
        "max_tokens": 64,
        "system": "first",
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "system", "content": "from now on in French"},
            {"role": "user", "content": [{"type": "text", "text": "hello"}]},
        ],
    },
    "images": _ask(
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": _PIXEL}},
        {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}, "cache_control": _CACHED},
        {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
        {"type": "text", "text": "what?"},
    ),
    "documents": _ask(
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjQ="},
            "title": "A paper",
            "context": "from the web",
            "citations": {"enabled": True},
            "cache_control": _CACHED,
        },
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Über ✓"}},
        {"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}},
        {"type": "document", "source": {"type": "file", "file_id": "file_1"}, "citations": {"enabled": False}},
        {"type": "document", "source": {"type": "content", "content": "one text"}},
        {
            "type": "document",
            "source": {
                "type": "content",
                "content": [
                    {"type": "text", "text": "one"},
                    {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
                ],
            },
        },
        {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "single"}]}},
    ),
    "search results": _ask(
        {
            "type": "search_result",
            "source": "https://example.com",
            "title": "Example",
            "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}],
            "citations": {"enabled": True},
            "cache_control": {"type": "ephemeral"},
        },
        {"type": "container_upload", "file_id": "file_2"},
    ),
    "tool round": {
        "model": "claude-sonnet-4-6",
        "max_tokens": 64,
        "messages": [
            {"role": "user", "content": "weather?"},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "two tools", "signature": "c2ln"},
                    {"type": "redacted_thinking", "data": "ZGF0YQ=="},
                    {"type": "text", "text": "I look."},
                    {"type": "tool_use", "id": "toolu_1", "name": "get", "input": {"n": 12345678901234567890}},
                    {"type": "tool_use", "id": "toolu_2", "name": "get", "input": {}, "caller": {"type": "direct"}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "toolu_1", "content": "rain"},
                    {
                        "type": "tool_result",
                        "tool_use_id": "toolu_2",
                        "is_error": True,
                        "content": [
                            {"type": "text", "text": "no such place"},
                            {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
                        ],
                        "cache_control": {"type": "ephemeral", "ttl": "5m"},
                    },
                    {"type": "text", "text": "and now?"},
                ],
            },
        ],
    },
    "results alone, then text alone": {
        "model": "claude-sonnet-4-6",
        "max_tokens": 64,
        "messages": [
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a"}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "b", "content": []}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "content": ""}]},
            {"role": "user", "content": "text"},
            {"role": "user", "content": "more"},
            {"role": "assistant", "content": "pre"},
            {"role": "assistant", "content": [{"type": "text", "text": "fill"}]},
        ],
    },
    "text before results": _ask(
        {"type": "text", "text": "first"}, {"type": "tool_result", "tool_use_id": "a", "content": "x"}
    ),
    "programmatic call": _round(
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "code_execution", "input": {"code": "get()"}},
        {
            "type": "tool_use",
            "id": "toolu_1",
            "name": "get",
            "input": {"a": [1, None, {"b": "ü"}]},
            "caller": {"type": "code_execution_20250825", "tool_id": "srvtoolu_1"},
            "cache_control": {"type": "ephemeral"},
        },
    ),
    "tools": _ask(
        tools=[
            {
                "type": "custom",
                "name": "get",
                "description": "gets",
                "input_schema": {"type": "object", "properties": {"z": {"type": "string"}, "a": {"const": 1.0}}},
                "strict": True,
                "defer_loading": False,
                "allowed_callers": ["direct", "code_execution_20250825"],
                "input_examples": [{"z": "1"}, {"z": "2"}],
                "eager_input_streaming": True,
                "cache_control": {"type": "ephemeral"},
            },
            {"name": "bare", "input_schema": {"type": "object"}},
            {
                "type": "web_search_20250305",
                "name": "web_search",
                "max_uses": 5,
                "allowed_domains": ["example.com"],
                "user_location": {"type": "approximate", "city": "Bern", "country": "CH", "timezone": "Europe/Zurich"},
            },
            {"type": "web_search_20260318", "name": "web_search", "response_inclusion": "excluded"},
            {
                "type": "web_fetch_20260309",
                "name": "web_fetch",
                "max_uses": 2,
                "blocked_domains": ["example.org"],
                "citations": {"enabled": True},
                "max_content_tokens": 1000,
                "use_cache": False,
            },
            {"type": "code_execution_20250825", "name": "code_execution"},
            {"type": "bash_20250124", "name": "bash"},
            {"type": "text_editor_20250728", "name": "str_replace_based_edit_tool", "max_characters": 10000},
            {"type": "text_editor_20250124", "name": "str_replace_editor"},
            {
                "type": "computer_20251124",
                "name": "computer",
                "display_width_px": 1024,
                "display_height_px": 768,
                "display_number": 1,
                "enable_zoom": True,
            },
            {"type": "memory_20250818", "name": "memory", "cache_control": {"type": "ephemeral"}},
            {"type": "tool_search_tool_regex_20251119", "name": "tool_search_tool_regex"},
            {"type": "tool_search_tool_bm25", "name": "tool_search_tool_bm25", "strict": True},
        ],
        tool_choice={"type": "any", "disable_parallel_tool_use": True},
    ),
    "tool choice": _ask(tool_choice={"type": "tool", "name": "get"}),
    "tool choice none": _ask(tool_choice={"type": "none"}),
    "tool choice auto": _ask(tool_choice={"type": "auto", "disable_parallel_tool_use": False}),
    "mcp old": _ask(
        mcp_servers=[
            {
                "type": "url",
                "url": "https://mcp.example.com",
                "name": "one",
                "authorization_token": "placeholder",
                "tool_configuration": {"enabled": True, "allowed_tools": ["a", "b"]},
            },
            {"type": "url", "url": "https://mcp.example.org", "name": "two"},
        ]
    ),
    "mcp toolsets": _ask(
        mcp_servers=[
            {"type": "url", "url": "https://mcp.example.com", "name": "one"},
            {"type": "url", "url": "https://mcp.example.org", "name": "two"},
            {"type": "url", "url": "https://mcp.example.net", "name": "three"},
        ],
        tools=[
            {"name": "bare", "input_schema": {"type": "object"}},
            {"type": "mcp_toolset", "mcp_server_name": "one", "cache_control": {"type": "ephemeral"}},
            {
                "type": "mcp_toolset",
                "mcp_server_name": "two",
                "default_config": {"enabled": False},
                "configs": {"b": {"enabled": True}, "a": {"enabled": True}},
            },
            {
                "type": "mcp_toolset",
                "mcp_server_name": "three",
                "default_config": {"defer_loading": True},
                "configs": {"x": {"enabled": False}, "y": {"defer_loading": False}},
            },
        ],
    ),
    "mcp round": _round(
        {"type": "mcp_tool_use", "id": "mcptoolu_1", "name": "ask", "server_name": "one", "input": {"q": "?"}},
        {
            "type": "mcp_tool_result",
            "tool_use_id": "mcptoolu_1",
            "is_error": False,
            "content": [{"type": "text", "text": "yes"}],
        },
    ),
    "thinking": _ask(thinking={"type": "enabled", "budget_tokens": 2048, "display": "omitted"}),
    "adaptive thinking": _ask(thinking={"type": "adaptive", "display": "summarized"}, output_config={"effort": "max"}),
    "no thinking": _ask(thinking={"type": "disabled"}),
    "output": _ask(
        output_config={
            "effort": "low",
            "format": {"type": "json_schema", "schema": {"type": "object", "properties": {"b": {}, "a": {}}}},
            "task_budget": {"type": "tokens", "total": 64000, "remaining": 3000},
        }
    ),
    "old output": _ask(output_format={"type": "json_schema", "schema": {"type": "object"}}),
    "whole cache": _ask(cache_control={"type": "ephemeral"}, metadata={"user_id": "abc"}),
    "place": _ask(inference_geo="us", speed="fast", container="container_1"),
    "skills": _ask(
        container={
            "id": "container_1",
            "skills": [{"type": "anthropic", "skill_id": "pptx", "version": "latest"}],
        }
    ),
    "container object": _ask(container={"id": "container_1"}),
    "context management": _ask(
        context_management={
            "edits": [
                {"type": "clear_thinking_20251015", "keep": {"type": "thinking_turns", "value": 2}},
                {"type": "clear_thinking_20251015", "keep": "all"},
                {
                    "type": "clear_tool_uses_20250919",
                    "trigger": {"type": "input_tokens", "value": 30000},
                    "keep": {"type": "tool_uses", "value": 3},
                    "clear_at_least": {"type": "input_tokens", "value": 5000},
                    "exclude_tools": ["web_search"],
                    "clear_tool_inputs": True,
                },
                {"type": "clear_tool_uses_20250919", "clear_tool_inputs": ["get"]},
                {
                    "type": "compact_20260112",
                    "trigger": {"type": "input_tokens", "value": 150000},
                    "instructions": "keep names",
                    "pause_after_compaction": True,
                },
            ]
        }
    ),
    "compaction": _round({"type": "compaction", "content": "so far: ...", "cache_control": {"type": "ephemeral"}}),
    "nulls": {
        **_ask({"type": "text", "text": "hi", "cache_control": None, "citations": None}),
        "system": None,
        "tools": [],
        "stop_sequences": None,
        "metadata": {},
        "thinking": None,
        "stream": None,
        "container": None,
        "mcp_servers": [],
        "context_management": None,
    },
    "empty texts": {
        **_round({"type": "text", "text": ""}, {"type": "tool_use", "id": "a", "name": "get", "input": {}}),
        "system": [{"type": "text", "text": ""}],
    },
    "empty turns": {
        "model": "claude-sonnet-4-6",
        "max_tokens": 64,
        "messages": [
            {"role": "user", "content": ""},
            {"role": "assistant", "content": []},
            {"role": "user", "content": [{"type": "text", "text": ""}]},
        ],
    },
    "surrogates": _ask({"type": "text", "text": "half \ud83d of a pair"}),
    "arguments that no model should write": _round(
        {"type": "tool_use", "id": "weird id:1", "name": "get", "input": {"": {"type": "text"}}}
    ),
}
"""Requests by what they show. All but those in UNTYPED have no value outside the typed fields."""

UNTYPED: dict[str, int] = {"surrogates": 1, "arguments that no model should write": 1}
"""How many values stay outside the typed fields, by name of the sample."""
