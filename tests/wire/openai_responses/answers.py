"""Answers of OpenAI Responses, written by hand from the format's documentation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.wire.openai_responses.requests import ITEMS

Json = Any

HEAD: Mapping[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1700000000,
    "completed_at": 1700000002,
    "status": "completed",
    "error": None,
    "incomplete_details": None,
    "instructions": None,
    "metadata": {},
    "model": "gpt-5",
    "parallel_tool_calls": True,
    "temperature": 1.0,
    "tool_choice": "auto",
    "tools": [],
    "top_p": 1.0,
    "usage": {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 0},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 3},
        "total_tokens": 15,
    },
}
_CITED = "See the source and the plot."
CITED: Mapping[str, Any] = {
    "type": "message",
    "id": "msg_1",
    "role": "assistant",
    "status": "completed",
    "content": [
        {
            "type": "output_text",
            "text": _CITED,
            "annotations": [
                {"type": "url_citation", "url": "https://a.org", "title": "A", "start_index": 0, "end_index": 3},
                {"type": "file_citation", "file_id": "file-1", "filename": "a.txt", "index": 4},
                {
                    "type": "container_file_citation",
                    "container_id": "cntr_1",
                    "file_id": "cfile_1",
                    "filename": "plot.png",
                    "start_index": 5,
                    "end_index": 9,
                },
                {"type": "file_path", "file_id": "file-2", "index": 7},
            ],
            "logprobs": [
                {
                    "token": "See",
                    "bytes": [83, 101, 101],
                    "logprob": -0.1,
                    "top_logprobs": [{"token": "See", "bytes": [83, 101, 101], "logprob": -0.1}],
                }
            ],
        }
    ],
}
_TOLD = ("functions", "custom tools", "searches", "code", "a picture made", "a computer", "shells", "MCP", "programs")
_TEXT = {"type": "output_text", "text": "Hi", "annotations": [], "logprobs": []}


def message(number: int, **more: Any) -> dict[str, Any]:
    """A message that says Hi."""
    name = f"msg_{number}"
    return {"type": "message", "id": name, "role": "assistant", "status": "completed", "content": [_TEXT], **more}


ANSWERS: Mapping[str, Json] = {
    "citations": {**HEAD, "output": [CITED]},
    "several messages": {
        **HEAD,
        "output": [
            {"type": "reasoning", "id": "rs_1", "summary": []},
            message(1, phase="commentary"),
            ITEMS["searches"][0],
            message(2, phase="final_answer"),
            message(3, content=[]),
            message(4, content=[_TEXT, {"type": "refusal", "refusal": "No."}]),
        ],
    },
    **{name: {**HEAD, "output": ITEMS[name]} for name in _TOLD},
    "too long": {
        **HEAD,
        "status": "incomplete",
        "incomplete_details": {"reason": "max_output_tokens"},
        "output": [message(1, status="incomplete")],
    },
    "filtered": {
        **HEAD,
        "status": "incomplete",
        "incomplete_details": {"reason": "content_filter"},
        "output": [message(1)],
        "content_filters": [
            {
                "blocked": True,
                "source_type": "prompt",
                "content_filter_raw": [],
                "content_filter_results": {
                    "hate": {"filtered": False, "severity": "safe"},
                    "jailbreak": {"detected": True, "filtered": True},
                },
                "content_filter_offsets": {"start_offset": 0, "end_offset": 9, "check_offset": 0},
            },
            {
                "blocked": False,
                "source_type": "completion",
                "content_filter_raw": [],
                "content_filter_results": {},
                "content_filter_offsets": {"start_offset": 0, "end_offset": 3, "check_offset": 0},
            },
        ],
    },
    "in the background": {**HEAD, "status": "queued", "background": True, "output": [], "usage": None},
    "cancelled": {**HEAD, "status": "cancelled", "background": True, "output": []},
    "what was asked is repeated": {
        **HEAD,
        "output": [message(1)],
        "instructions": "Be brief.",
        "previous_response_id": "resp_0",
        "conversation": {"id": "conv_1"},
        "reasoning": {"effort": "low", "summary": None},
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tools": [{"type": "function", "name": "f", "description": None, "parameters": {}, "strict": True}],
        "tool_choice": {"type": "function", "name": "f"},
        "metadata": {"a": "b"},
        "service_tier": "default",
        "store": True,
        "truncation": "disabled",
        "billing": {"payer": "developer"},
        "max_output_tokens": 9,
        "top_logprobs": 0,
        "user": None,
        "safety_identifier": "u",
    },
    "instructions as items": {
        **HEAD,
        "output": [message(1)],
        "instructions": [{"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Hm"}]}],
    },
    "tools that were used": {
        **HEAD,
        "output": [message(1)],
        "tool_usage": {
            "image_gen": {
                "input_tokens": 1,
                "input_tokens_details": {"image_tokens": 0, "text_tokens": 1},
                "output_tokens": 2,
                "output_tokens_details": {"image_tokens": 2, "text_tokens": 0},
                "total_tokens": 3,
            },
            "web_search": {"num_requests": 4},
        },
        "usage": {
            **HEAD["usage"],
            "input_tokens_details": {
                "cached_tokens": 0,
                "cache_write_tokens": 3,
                "cache_write_tokens_details": {"ttl_12h_tokens": 1, "ttl_30m_tokens": 2},
            },
        },
    },
    "xAI's usage": {
        **HEAD,
        "output": [message(1)],
        "usage": {
            **HEAD["usage"],
            "num_sources_used": 1,
            "num_server_side_tools_used": 2,
            "cost_in_usd_ticks": 11446501,
            "server_side_tool_usage_details": {"web_search_calls": 2, "x_search_calls": 0},
            "context_details": {"input_tokens": 4, "output_tokens": 5},
        },
    },
    "OpenRouter's usage": {
        **HEAD,
        "output": [message(1)],
        "usage": {
            **HEAD["usage"],
            "cost": 0.025265,
            "is_byok": False,
            "cost_details": {
                "upstream_inference_cost": 0.02,
                "upstream_inference_input_cost": 0.01,
                "upstream_inference_output_cost": 1e-7,
            },
        },
    },
    "Perplexity's usage": {
        **HEAD,
        "output": [message(1)],
        "usage": {
            **HEAD["usage"],
            "cost": {"currency": "USD", "input_cost": 0.1, "output_cost": 0.2, "total_cost": 0.3},
        },
    },
    "moderation": {
        **HEAD,
        "output": [message(1)],
        "moderation": {
            "input": {
                "type": "moderation_result",
                "model": "omni",
                "flagged": True,
                "categories": {"hate": True},
                "category_scores": {"hate": 0.5},
                "category_applied_input_types": {"hate": ["text"]},
            },
            "output": {"type": "error", "code": "busy", "message": "no answer"},
        },
    },
}
