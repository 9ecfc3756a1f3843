"""Requests as clients of OpenAI Responses write them, one for each thing that the format can say. Written by hand from
the format's documentation; the recordings test what providers really send."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PNG = "data:image/png;base64,iVBORw0KGgo="
CALLER = {"type": "program", "caller_id": "prog_1"}
WEATHER: Mapping[str, Any] = {
    "type": "function",
    "name": "weather",
    "description": "Tells the weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    "strict": True,
}
ITEMS: Mapping[str, list[dict[str, Any]]] = {
    "a bare message": [{"role": "user", "content": "Hello"}],
    "a message with type": [{"type": "message", "role": "user", "content": "Hello"}],
    "an empty content": [{"role": "assistant", "content": []}, {"role": "user", "content": ""}],
    "system and developer": [
        {"role": "system", "content": "Be brief."},
        {"role": "developer", "content": [{"type": "input_text", "text": "In verse."}]},
        {"role": "user", "content": "Hello"},
    ],
    "pictures": [
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "Look", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "30m"}},
                {"type": "input_image", "image_url": PNG, "detail": "high"},
                {"type": "input_image", "image_url": "https://example.org/a.png"},
                {"type": "input_image", "file_id": "file-1", "detail": "auto"},
            ],
        }
    ],
    "files": [
        {
            "role": "user",
            "content": [
                {"type": "input_file", "file_data": "data:application/pdf;base64,JVBERi0=", "filename": "a.pdf"},
                {"type": "input_file", "file_url": "https://example.org/a.pdf"},
                {"type": "input_file", "file_id": "file-2"},
                {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
            ],
        }
    ],
    "an answer replayed": [
        {"role": "user", "content": "Hello"},
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "First."}, {"type": "summary_text", "text": "Then."}],
            "content": [{"type": "reasoning_text", "text": "Hm."}],
            "encrypted_content": "gAAAA",
            "status": "completed",
        },
        {"type": "reasoning", "id": "rs_2", "summary": []},
        {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "status": "completed",
            "phase": "final_answer",
            "content": [
                {"type": "output_text", "text": "Hi", "annotations": [], "logprobs": []},
                {"type": "refusal", "refusal": "No more."},
            ],
        },
        {"role": "assistant", "content": [{"type": "output_text", "text": "Again"}]},
    ],
    "reasoning without identifier": [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "One."}]},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Two."}], "encrypted_content": "x"},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Three."}]},
    ],
    "functions": [
        {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": '{"city": "Oslo"}'},
        {
            "type": "function_call",
            "id": "fc_2",
            "call_id": "call_2",
            "name": "weather",
            "namespace": "nature",
            "arguments": "{",
            "status": "incomplete",
            "caller": CALLER,
        },
        {"type": "function_call_output", "call_id": "call_1", "output": "rain"},
        {
            "type": "function_call_output",
            "id": "fco_2",
            "call_id": "call_2",
            "status": "completed",
            "output": [{"type": "input_text", "text": "sun"}, {"type": "input_image", "image_url": PNG}],
            "caller": CALLER,
        },
        {"type": "function_call_output", "call_id": "call_3", "output": [{"type": "input_text", "text": "fog"}]},
    ],
    "custom tools": [
        {"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_1", "name": "sql", "input": "select 1"},
        {"type": "custom_tool_call_output", "call_id": "call_1", "output": "1"},
    ],
    "searches": [
        {
            "type": "web_search_call",
            "id": "ws_1",
            "status": "completed",
            "action": {
                "type": "search",
                "query": "ruby",
                "queries": ["ruby"],
                "sources": [{"type": "url", "url": "https://ruby-lang.org"}],
            },
        },
        {"type": "web_search_call", "id": "ws_2", "status": "failed", "action": {"type": "open_page", "url": "x:"}},
        {
            "type": "web_search_call",
            "id": "ws_3",
            "status": "completed",
            "action": {"type": "find_in_page", "url": "x:", "pattern": "y"},
        },
        {
            "type": "file_search_call",
            "id": "fs_1",
            "queries": ["a", "b"],
            "status": "completed",
            "results": [
                {
                    "file_id": "file-1",
                    "filename": "a.txt",
                    "score": 0.5,
                    "text": "words",
                    "attributes": {"year": 2020.0, "done": True},
                }
            ],
        },
    ],
    "code": [
        {
            "type": "code_interpreter_call",
            "id": "ci_1",
            "code": "print(1)",
            "container_id": "cntr_1",
            "status": "completed",
            "outputs": [{"type": "logs", "logs": "1\n"}, {"type": "image", "url": "https://example.org/plot.png"}],
        }
    ],
    "a picture made": [
        {
            "type": "image_generation_call",
            "id": "ig_1",
            "status": "completed",
            "result": "iVBORw0KGgo=",
            "revised_prompt": "a cat",
            "size": "1024x1024",
            "quality": "high",
            "background": "opaque",
            "output_format": "png",
            "action": "generate",
        }
    ],
    "a computer": [
        {
            "type": "computer_call",
            "id": "cu_1",
            "call_id": "call_1",
            "action": {"type": "click", "button": "left", "x": 1, "y": 2},
            "pending_safety_checks": [{"id": "sc_1", "code": "malicious", "message": "Careful"}],
            "status": "completed",
        },
        {
            "type": "computer_call",
            "id": "cu_2",
            "call_id": "call_2",
            "actions": [{"type": "screenshot"}, {"type": "keypress", "keys": ["a"]}],
            "pending_safety_checks": [],
            "status": "completed",
        },
        {
            "type": "computer_call_output",
            "call_id": "call_1",
            "output": {"type": "computer_screenshot", "image_url": PNG},
            "acknowledged_safety_checks": [{"id": "sc_1", "code": "malicious", "message": "Careful"}],
        },
        {
            "type": "computer_call_output",
            "call_id": "call_2",
            "output": {"type": "computer_screenshot", "file_id": "file-1"},
        },
    ],
    "shells": [
        {
            "type": "local_shell_call",
            "id": "lsh_1",
            "call_id": "call_1",
            "status": "completed",
            "action": {"type": "exec", "command": ["ls"], "env": {}, "timeout_ms": 10},
        },
        {"type": "local_shell_call_output", "id": "call_1", "output": "a\nb"},
        {
            "type": "shell_call",
            "id": "sh_1",
            "call_id": "call_2",
            "status": "completed",
            "action": {"commands": ["ls", "pwd"], "timeout_ms": 10, "max_output_length": 99},
        },
        {
            "type": "shell_call_output",
            "call_id": "call_2",
            "max_output_length": 99,
            "output": [
                {"stdout": "a", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}},
                {"stdout": "", "stderr": "slow", "outcome": {"type": "timeout"}},
            ],
        },
        {
            "type": "apply_patch_call",
            "id": "apc_1",
            "call_id": "call_3",
            "status": "completed",
            "operation": {"type": "update_file", "path": "a", "diff": "@@"},
        },
        {"type": "apply_patch_call_output", "call_id": "call_3", "status": "failed", "output": "no such file"},
    ],
    "MCP": [
        {
            "type": "mcp_list_tools",
            "id": "mcpl_1",
            "server_label": "docs",
            "tools": [
                {
                    "name": "find",
                    "description": "Finds",
                    "input_schema": {"type": "object", "properties": {"q": {"type": "string"}}},
                    "annotations": {"read_only": True},
                }
            ],
        },
        {"type": "mcp_list_tools", "id": "mcpl_2", "server_label": "gone", "tools": [], "error": "no answer"},
        {
            "type": "mcp_approval_request",
            "id": "mcpr_1",
            "server_label": "docs",
            "name": "find",
            "arguments": '{"q": "a"}',
        },
        {
            "type": "mcp_approval_response",
            "approval_request_id": "mcpr_1",
            "approve": False,
            "reason": "Not now",
        },
        {
            "type": "mcp_call",
            "id": "mcp_1",
            "server_label": "docs",
            "name": "find",
            "arguments": '{"q": "a"}',
            "approval_request_id": "mcpr_1",
            "output": "found",
            "status": "completed",
        },
        {
            "type": "mcp_call",
            "id": "mcp_2",
            "server_label": "docs",
            "name": "find",
            "arguments": "{}",
            "error": {"type": "http_error", "code": 500, "message": "broken"},
            "status": "failed",
        },
        {
            "type": "mcp_call",
            "id": "mcp_3",
            "server_label": "docs",
            "name": "find",
            "arguments": "{}",
            "error": {"type": "mcp_tool_execution_error", "content": [{"type": "text", "text": "no"}]},
        },
        {"type": "mcp_call", "id": "mcp_4", "server_label": "d", "name": "f", "arguments": "{}", "error": "no"},
    ],
    "tools that search tools": [
        {
            "type": "tool_search_call",
            "id": "tsc_1",
            "call_id": None,
            "execution": "server",
            "arguments": {"paths": ["a"]},
            "status": "completed",
        },
        {"type": "tool_search_output", "call_id": None, "execution": "server", "tools": [dict(WEATHER)]},
        {"type": "additional_tools", "role": "developer", "tools": [dict(WEATHER)]},
    ],
    "programs": [
        {"type": "program", "id": "prog_1", "call_id": "call_1", "code": "f()", "fingerprint": "abc"},
        {"type": "program_output", "id": "po_1", "call_id": "call_1", "result": "3", "status": "completed"},
    ],
    "what the provider stores": [
        {"type": "item_reference", "id": "msg_9"},
        {"id": "rs_9"},
        {"type": "compaction", "id": "cmp_1", "encrypted_content": "gAAAA"},
        {"type": "compaction_trigger"},
        {"role": "user", "content": "Go on"},
    ],
    "what nobody knows": [
        {"type": "hologram_call", "id": "hc_1", "beam": {"x": 1}},
        {"role": "user", "content": [{"type": "input_smell", "smell": "rose"}], "mood": "gay"},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}", "async": True},
    ],
}
TOOLS: Mapping[str, dict[str, Any]] = {
    "function": {**WEATHER, "defer_loading": True, "allowed_callers": ["direct"], "output_schema": {"type": "string"}},
    "custom": {
        "type": "custom",
        "name": "sql",
        "description": "Runs SQL",
        "format": {"type": "grammar", "syntax": "lark", "definition": "start: A"},
    },
    "custom text": {"type": "custom", "name": "sql", "format": {"type": "text"}},
    "web search": {
        "type": "web_search",
        "filters": {"allowed_domains": ["example.org"]},
        "search_context_size": "low",
        "external_web_access": False,
        "user_location": {"type": "approximate", "city": "Oslo", "country": "NO", "timezone": "Europe/Oslo"},
    },
    "web search preview": {"type": "web_search_preview_2025_03_11", "search_content_types": ["text", "image"]},
    "xAI web search": {
        "type": "web_search",
        "filters": {"excluded_domains": ["example.org"]},
        "enable_image_understanding": True,
    },
    "x search": {
        "type": "x_search",
        "allowed_x_handles": ["a"],
        "from_date": "2025-01-01",
        "to_date": "2025-02-01",
        "enable_image_understanding": False,
        "enable_video_understanding": True,
    },
    "file search": {
        "type": "file_search",
        "vector_store_ids": ["vs_1"],
        "max_num_results": 3,
        "filters": {"type": "eq", "key": "year", "value": 2020},
        "ranking_options": {
            "ranker": "auto",
            "score_threshold": 0.5,
            "hybrid_search": {"embedding_weight": 1.0, "text_weight": 0.5},
        },
    },
    "code in a new container": {
        "type": "code_interpreter",
        "container": {
            "type": "auto",
            "file_ids": ["file-1"],
            "memory_limit": "4g",
            "network_policy": {"type": "allowlist", "allowed_domains": ["example.org"]},
        },
    },
    "code in a container": {"type": "code_interpreter", "container": "cntr_1"},
    "image generation": {
        "type": "image_generation",
        "model": "gpt-image-1",
        "size": "1024x1024",
        "quality": "high",
        "background": "transparent",
        "input_fidelity": "high",
        "input_image_mask": {"file_id": "file-1"},
        "moderation": "low",
        "output_compression": 90,
        "output_format": "webp",
        "partial_images": 2,
        "action": "edit",
    },
    "computer": {"type": "computer"},
    "computer preview": {
        "type": "computer_use_preview",
        "display_width": 800,
        "display_height": 600,
        "environment": "browser",
    },
    "shell": {"type": "shell", "environment": {"type": "container_auto", "file_ids": ["file-1"], "memory_limit": "1g"}},
    "shell in a container": {"type": "shell", "environment": {"type": "container_reference", "container_id": "c"}},
    "local shell": {"type": "local_shell"},
    "patch": {"type": "apply_patch"},
    "tool search": {
        "type": "tool_search",
        "execution": "client",
        "description": "Finds tools",
        "parameters": {"type": "object"},
    },
    "namespace": {"type": "namespace", "name": "nature", "description": "About nature", "tools": [dict(WEATHER)]},
    "MCP": {
        "type": "mcp",
        "server_label": "docs",
        "server_url": "https://example.org/mcp",
        "server_description": "Documents",
        "authorization": "token",
        "headers": {"x-a": "b"},
        "allowed_tools": ["find"],
        "require_approval": "never",
        "defer_loading": True,
    },
    "MCP connector": {
        "type": "mcp",
        "server_label": "mail",
        "connector_id": "connector_gmail",
        "allowed_tools": {"tool_names": ["find"], "read_only": True},
        "require_approval": {"always": {"tool_names": ["send"]}, "never": {"tool_names": ["find"]}},
    },
}
CHOICES: tuple[Any, ...] = (
    "auto",
    "none",
    "required",
    {"type": "function", "name": "weather"},
    {"type": "custom", "name": "sql"},
    {"type": "web_search"},
    {"type": "code_interpreter"},
    {"type": "image_generation"},
    {"type": "mcp", "server_label": "docs"},
    {"type": "mcp", "server_label": "docs", "name": "find"},
    {"type": "shell"},
    {"type": "apply_patch"},
    {
        "type": "allowed_tools",
        "mode": "required",
        "tools": [{"type": "function", "name": "weather"}, {"type": "mcp", "server_label": "docs"}],
    },
    {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "weather"}]},
)
OPTIONS: Mapping[str, Any] = {
    "instructions": "Be brief.",
    "previous_response_id": "resp_1",
    "conversation": "conv_1",
    "store": False,
    "include": ["web_search_call.action.sources", "reasoning.encrypted_content", "message.output_text.logprobs"],
    "reasoning": {"effort": "high", "summary": "auto", "context": "all_turns", "mode": "pro"},
    "text": {
        "format": {"type": "json_schema", "name": "city", "schema": {"type": "object"}, "strict": True},
        "verbosity": "low",
    },
    "parallel_tool_calls": False,
    "truncation": "auto",
    "metadata": {"a": "b"},
    "service_tier": "flex",
    "prompt_cache_key": "k",
    "prompt_cache_retention": "24h",
    "prompt_cache_options": {"mode": "explicit", "ttl": "12h"},
    "safety_identifier": "u-1",
    "background": True,
    "max_output_tokens": 100,
    "max_tool_calls": 3,
    "temperature": 0.5,
    "top_p": 0.9,
    "top_logprobs": 2,
    "stream_options": {"include_obfuscation": False},
    "context_management": [{"type": "compaction", "compact_threshold": 1000}],
    "moderation": {"model": "omni-moderation-latest"},
    "prompt": {
        "id": "pmpt_1",
        "version": "2",
        "variables": {"city": "Oslo", "picture": {"type": "input_image", "image_url": PNG}},
    },
}
