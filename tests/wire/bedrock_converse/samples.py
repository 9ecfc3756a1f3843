"""Requests, answers and streams of the Converse API, authored from its service model."""

from __future__ import annotations

import json
from typing import Any

from antiphon.wire.eventstream import event_frame

Json = dict[str, Any]

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
_USER: Json = {"role": "user", "content": [{"text": "hi"}]}
_TOOL: Json = {
    "toolSpec": {
        "name": "weather",
        "description": "Tells the weather.",
        "inputSchema": {"json": {"type": "object", "properties": {"city": {"type": "string"}}}},
    }
}
_CITATION: Json = {
    "title": "policy",
    "sourceContent": [{"text": "20 days"}],
    "location": {"documentChar": {"documentIndex": 0, "start": 0, "end": 58}},
}
_S3: Json = {"s3Location": {"uri": "s3://bucket/key", "bucketOwner": "111122223333"}}
_SCHEMA = '{"type":"object", "properties":{"a":{"type":"integer"}}}'

REQUESTS: dict[str, Json] = {
    "plain": {"messages": [_USER]},
    "nothing": {"messages": [_USER], "system": [], "inferenceConfig": {}, "toolConfig": None},
    "options": {
        "messages": [_USER],
        "system": [{"text": "Be brief."}, {"cachePoint": {"type": "default", "ttl": "1h"}}],
        "inferenceConfig": {"maxTokens": 10, "temperature": 0.5, "topP": 0.9, "stopSequences": ["\n"]},
        "guardrailConfig": {
            "guardrailIdentifier": "gr-1",
            "guardrailVersion": "DRAFT",
            "trace": "enabled_full",
            "streamProcessingMode": "async",
        },
        "additionalModelRequestFields": {"top_k": 200, "anthropic_beta": ["interleaved-thinking-2025-05-14"]},
        "additionalModelResponseFieldPaths": ["/stop_sequence"],
        "requestMetadata": {"team": "a", "env": "b"},
        "performanceConfig": {"latency": "optimized"},
        "serviceTier": {"type": "flex"},
        "outputConfig": {
            "effort": "high",
            "textFormat": {
                "type": "json_schema",
                "structure": {"jsonSchema": {"schema": _SCHEMA, "name": "n", "description": "d"}},
            },
        },
    },
    "thinking": {
        "messages": [_USER],
        "additionalModelRequestFields": {
            "thinking": {"type": "enabled", "budget_tokens": 1024, "display": "summarized"}
        },
    },
    "adaptive": {
        "messages": [_USER],
        "additionalModelRequestFields": {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}},
    },
    "older_thinking": {
        "messages": [_USER],
        "additionalModelRequestFields": {"reasoning_config": {"type": "disabled"}},
    },
    "nova": {
        "messages": [_USER],
        "additionalModelRequestFields": {
            "reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"},
            "inferenceConfig": {"topK": 20},
        },
    },
    "gpt_oss": {"messages": [_USER], "additionalModelRequestFields": {"reasoning_effort": "low"}},
    "tools": {
        "messages": [
            _USER,
            {
                "role": "assistant",
                "content": [
                    {"text": "I look."},
                    {
                        "toolUse": {
                            "toolUseId": "t1",
                            "name": "weather",
                            "input": {"city": "Oslo", "n": 9007199254740993},
                        }
                    },
                    {"toolUse": {"toolUseId": "t2", "name": "weather", "input": {}}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"toolResult": {"toolUseId": "t1", "content": [{"text": "cold"}], "status": "success"}},
                    {"toolResult": {"toolUseId": "t2", "content": [{"json": {"t": 2.0, "big": 9007199254740993}}]}},
                    {"cachePoint": {"type": "default"}},
                    {"text": "and?"},
                ],
            },
            {
                "role": "assistant",
                "content": [{"toolUse": {"toolUseId": "t3", "name": "weather", "input": {}, "type": "tool_use"}}],
            },
            {
                "role": "user",
                "content": [
                    {
                        "toolResult": {
                            "toolUseId": "t3",
                            "status": "error",
                            "content": [
                                {"image": {"format": "png", "source": {"bytes": PIXEL}}},
                                {"document": {"format": "txt", "name": "d", "source": {"text": "x"}}},
                                {"video": {"format": "mp4", "source": _S3}},
                                {"searchResult": {"source": "u", "title": "t", "content": [{"text": "x"}]}},
                                {"json": [1, "a", None]},
                            ],
                        }
                    }
                ],
            },
        ],
        "toolConfig": {
            "tools": [_TOOL, {"cachePoint": {"type": "default"}}, {"systemTool": {"name": "nova_grounding"}}],
            "toolChoice": {"tool": {"name": "weather"}},
        },
    },
    "choices": {"messages": [_USER], "toolConfig": {"tools": [_TOOL], "toolChoice": {"any": {}}}},
    "strict": {
        "messages": [_USER],
        "toolConfig": {
            "tools": [{"toolSpec": {**_TOOL["toolSpec"], "strict": True}}],
            "toolChoice": {"auto": {}},
        },
    },
    "media": {
        "messages": [
            {
                "role": "user",
                "content": [
                    {"image": {"format": "webp", "source": {"bytes": PIXEL}}},
                    {"image": {"format": "jpeg", "source": _S3}},
                    {
                        "document": {
                            "format": "pdf",
                            "name": "a b-(1) [x]",
                            "source": {"bytes": "JVBERi0xLjQK"},
                            "context": "c",
                            "citations": {"enabled": True},
                        }
                    },
                    {"document": {"format": "md", "name": "m", "source": {"text": "# x"}}},
                    {"document": {"name": "n", "source": {"content": [{"text": "a"}, {"text": "b"}]}}},
                    {"video": {"format": "three_gp", "source": {"bytes": "AAAA"}}},
                    {"audio": {"format": "mp3", "source": {"bytes": "AAAA"}}},
                    {
                        "searchResult": {
                            "source": "https://x",
                            "title": "t",
                            "content": [{"text": "x"}],
                            "citations": {"enabled": True},
                        }
                    },
                    {"cachePoint": {"type": "default", "ttl": "5m"}},
                ],
            }
        ],
    },
    "guarded": {
        "system": [{"guardContent": {"text": {"text": "rules", "qualifiers": ["grounding_source", "query"]}}}],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"guardContent": {"text": {"text": "check me"}}},
                    {"guardContent": {"image": {"format": "png", "source": {"bytes": PIXEL}}}},
                ],
            }
        ],
    },
    "replay": {
        "messages": [
            _USER,
            {
                "role": "assistant",
                "content": [
                    {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}},
                    {"reasoningContent": {"reasoningText": {"text": "unsigned"}}},
                    {"reasoningContent": {"redactedContent": "AAEC"}},
                    {"citationsContent": {"content": [{"text": "20 days"}], "citations": [_CITATION]}},
                    {"citationsContent": {"content": [{"text": "no source"}], "citations": []}},
                    {
                        "toolUse": {
                            "toolUseId": "s1",
                            "name": "nova_code_interpreter",
                            "input": {"snippet": "1"},
                            "type": "server_tool_use",
                        }
                    },
                    {
                        "toolResult": {
                            "toolUseId": "s1",
                            "type": "nova_code_interpreter_result",
                            "status": "success",
                            "content": [{"json": {"stdOut": "1", "stdErr": "", "exitCode": 0, "isError": False}}],
                        }
                    },
                    {"text": "done"},
                ],
            },
            {"role": "user", "content": [{"text": "a"}]},
            {"role": "user", "content": [{"text": "b"}, {"text": ""}]},
        ],
    },
}
UNTYPED: dict[str, Json] = {
    "later": {
        "messages": [{"role": "user", "content": [{"hologram": {"depth": 3}}, {"text": "x", "mood": "y"}], "k": 1}],
        "promptVariables": {"a": {"text": "b"}},
        "additionalModelRequestFields": {"own": {"x": [1, 2]}},
        "toolConfig": {"tools": [{"newTool": {"name": "x"}}]},
    },
}
_USAGE: Json = {"inputTokens": 11, "outputTokens": 264, "totalTokens": 275}


def answer(*content: Json, **more: Any) -> Json:
    """An answer with these blocks."""
    return {
        "output": {"message": {"role": "assistant", "content": list(content)}},
        "stopReason": "end_turn",
        "usage": _USAGE,
        "metrics": {"latencyMs": 7053},
        **more,
    }


_WEB: Json = {"title": "w", "location": {"web": {"url": "https://x", "domain": "x"}}}
_CHUNK: Json = {"source": "s", "location": {"documentChunk": {"documentIndex": 1, "start": 2, "end": 3}}}
_PAGE: Json = {"location": {"documentPage": {"documentIndex": 1, "start": 2, "end": 3}}}
_FOUND: Json = {"source": "s", "location": {"searchResultLocation": {"searchResultIndex": 1, "start": 2, "end": 3}}}
_TEXTS: Json = {"sourceContent": [{"text": "a"}, {"text": "b"}], "location": {"documentPage": {"documentIndex": 0}}}

ANSWERS: dict[str, Json] = {
    "text": answer({"text": "Hi"}),
    "nothing": answer(),
    "cached": answer(
        {"text": "Hi"},
        usage={
            "inputTokens": 11,
            "outputTokens": 264,
            "totalTokens": 1403,
            "cacheReadInputTokens": 100,
            "cacheReadInputTokenCount": 100,
            "cacheWriteInputTokens": 1028,
            "cacheWriteInputTokenCount": 1028,
            "cacheDetails": [{"ttl": "5m", "inputTokens": 28}, {"ttl": "1h", "inputTokens": 1000}],
            "serverToolUsage": {},
        },
    ),
    "cached_within": answer(
        {"text": "Hi"},
        usage={"inputTokens": 111, "outputTokens": 9, "totalTokens": 120, "cacheReadInputTokens": 100},
    ),
    "reasoning": answer(
        {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}},
        {"reasoningContent": {"redactedContent": "AAEC"}},
        {"text": "Hi"},
    ),
    "citations": answer(
        {"text": "I say "},
        {
            "citationsContent": {
                "content": [{"text": "x"}],
                "citations": [_CITATION, _WEB, _CHUNK, _PAGE, _FOUND, _TEXTS],
            }
        },
        {"text": " "},
    ),
    "calls": answer(
        {"toolUse": {"toolUseId": "t", "name": "n", "input": {"a": 1.0}, "type": "tool_use"}},
        {"toolUse": {"toolUseId": "u", "name": "n", "input": {}}},
        stopReason="tool_use",
    ),
    "server_tools": answer(
        {"toolUse": {"toolUseId": "s", "name": "nova_grounding", "input": {}, "type": "server_tool_use"}},
        {"toolResult": {"toolUseId": "s", "type": "nova_grounding_result", "status": "success", "content": []}},
        {"text": "Hi"},
        usage={**_USAGE, "serverToolUsage": {"nova_grounding": 1}},
    ),
    "image": answer({"image": {"format": "png", "source": {"bytes": PIXEL}}}),
    "tiers": answer(
        {"text": "Hi"},
        stopReason="stop_sequence",
        additionalModelResponseFields={"stop_sequence": "\n"},
        performanceConfig={"latency": "standard"},
        serviceTier={"type": "default"},
        trace={"promptRouter": {"invokedModelId": "arn:aws:bedrock:us-east-1:1:inference-profile/x"}},
    ),
    **{
        word: answer({"text": "Hi"}, stopReason=word)
        for word in (
            "max_tokens",
            "guardrail_intervened",
            "content_filtered",
            "malformed_model_output",
            "malformed_tool_use",
            "model_context_window_exceeded",
            "some_later_reason",
        )
    },
}
GUARDED = answer(
    {"text": "no"},
    stopReason="guardrail_intervened",
    trace={
        "guardrail": {
            "inputAssessment": {
                "gr-1": {
                    "topicPolicy": {"topics": [{"name": "money", "type": "DENY", "action": "BLOCKED"}]},
                    "contentPolicy": {"filters": [{"type": "HATE", "confidence": "LOW", "action": "NONE"}]},
                }
            },
            "outputAssessments": {"gr-1": [{"wordPolicy": {"customWords": [{"match": "x", "action": "BLOCKED"}]}}]},
            "modelOutput": ["raw"],
        }
    },
)


def stream(*events: tuple[str, Json], padding: str = "abc") -> bytes:
    """Frames of events, each padded."""
    return b"".join(event_frame(name, json.dumps({**body, "p": padding}).encode()) for name, body in events)


def _delta(index: int, **delta: Any) -> tuple[str, Json]:
    return "contentBlockDelta", {"contentBlockIndex": index, "delta": delta}


def _start(index: int, **start: Any) -> tuple[str, Json]:
    return "contentBlockStart", {"contentBlockIndex": index, "start": start}


def _stop(index: int) -> tuple[str, Json]:
    return "contentBlockStop", {"contentBlockIndex": index}


BEGIN = ("messageStart", {"role": "assistant"})
END = ("messageStop", {"stopReason": "end_turn"})
METADATA = ("metadata", {"usage": _USAGE, "metrics": {"latencyMs": 7}})

STREAMS: dict[str, bytes] = {
    "text": stream(BEGIN, _delta(0, text="H"), _delta(0, text="é\u2028🙂"), _stop(0), END, METADATA),
    "nothing": stream(BEGIN, END, METADATA),
    "empty_text": stream(BEGIN, _delta(0, text=""), _stop(0), END, METADATA),
    "without_stop": stream(BEGIN, _delta(0, text="x"), END, METADATA),
    "without_metadata": stream(BEGIN, _delta(0, text="x"), _stop(0), END),
    "reasoning": stream(
        BEGIN,
        _delta(0, reasoningContent={"text": "a"}),
        _delta(0, reasoningContent={"text": "b"}),
        _delta(0, reasoningContent={"signature": "c2ln"}),
        _stop(0),
        _delta(1, reasoningContent={"redactedContent": "AAEC"}),
        _stop(1),
        _delta(2, text="x"),
        _stop(2),
        END,
        METADATA,
    ),
    "calls": stream(
        BEGIN,
        _start(0, toolUse={"toolUseId": "t", "name": "n"}),
        _start(1, toolUse={"toolUseId": "u", "name": "n", "type": "tool_use"}),
        _delta(0, toolUse={"input": '{"a"'}),
        _delta(1, toolUse={"input": ""}),
        _delta(0, toolUse={"input": ": 1.0}"}),
        _stop(0),
        _stop(1),
        ("messageStop", {"stopReason": "tool_use"}),
        METADATA,
    ),
    "server_tools": stream(
        BEGIN,
        _start(0, toolUse={"toolUseId": "s", "name": "nova_code_interpreter", "type": "server_tool_use"}),
        _delta(0, toolUse={"input": "{}"}),
        _stop(0),
        _start(1, toolResult={"toolUseId": "s", "type": "nova_code_interpreter_result", "status": "success"}),
        _delta(1, toolResult=[{"json": {"stdOut": "7", "stdErr": "", "exitCode": 0, "isError": False}}]),
        _delta(1, toolResult=[{"text": "more"}]),
        _stop(1),
        END,
        METADATA,
    ),
    "citations": stream(
        BEGIN,
        _delta(0, citation=_CITATION),
        _delta(0, text="20 days"),
        _delta(0, citation=_WEB),
        _stop(0),
        END,
        METADATA,
    ),
    "image": stream(
        BEGIN,
        _start(0, image={"format": "png"}),
        _delta(0, image={"source": {"bytes": PIXEL[:40]}}),
        _delta(0, image={"source": {"bytes": PIXEL[40:]}}),
        _stop(0),
        END,
        METADATA,
    ),
    "tiers": stream(
        BEGIN,
        _delta(0, text="x"),
        _stop(0),
        ("messageStop", {"stopReason": "stop_sequence", "additionalModelResponseFields": {"stop_sequence": "y"}}),
        ("metadata", {**METADATA[1], "serviceTier": {"type": "flex"}, "performanceConfig": {"latency": "optimized"}}),
    ),
}
