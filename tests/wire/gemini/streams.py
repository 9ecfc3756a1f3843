"""Streams of generateContent, authored to cover what streams can tell."""

from __future__ import annotations

import json
from typing import Any

Json = dict[str, Any]
_SIGNATURE = "CvECAdHtim8rZe/H2au6SXNRNGgF+hI0iigoXtLVJ2wm"


def chunk(*parts: Json, index: int = 0, usage: Json | None = None, **rest: Any) -> Json:
    """One chunk with the next pieces of one candidate."""
    candidate: Json = {"index": index, **rest}
    if parts:
        candidate["content"] = {"parts": list(parts), "role": "model"}
    body = {"candidates": [candidate], "modelVersion": "gemini-2.5-flash", "responseId": "abc"}
    return body if usage is None else {**body, "usageMetadata": usage}


def sse(*chunks: Json) -> bytes:
    """Server-sent events, as Google ends its lines."""
    return b"".join(b"data: " + json.dumps(one, ensure_ascii=False).encode() + b"\r\n\r\n" for one in chunks)


def array(*chunks: Json) -> bytes:
    """A stream without `alt=sse`, as Google indents it."""
    return json.dumps(list(chunks), ensure_ascii=False, indent=2).encode() + b"\n"


END = {"promptTokenCount": 3, "candidatesTokenCount": 9, "totalTokenCount": 12}


def _piece(path: str, **value: Any) -> Json:
    return {"jsonPath": path, **value}


def _call(**fields: Any) -> Json:
    return {"functionCall": fields}


PARTIAL: tuple[Json, ...] = (
    chunk({**_call(name="book", willContinue=True), "thoughtSignature": _SIGNATURE}),
    chunk(_call(partialArgs=[_piece("$.city", stringValue="Par", willContinue=True)], willContinue=True)),
    chunk(_call(partialArgs=[_piece("$.city", stringValue='is "é"')], willContinue=True)),
    chunk(
        _call(
            partialArgs=[
                _piece("$.days", numberValue=3),
                _piece("$.guests[0].name", stringValue="Ann"),
                _piece("$.guests[0].child", boolValue=False),
                _piece("$.guests[1].name", stringValue="Bob", willContinue=True),
                _piece("$.guests[1].name", stringValue="", willContinue=False),
                _piece("$['odd key'].x", nullValue="NULL_VALUE"),
            ],
            willContinue=True,
        )
    ),
    chunk({"functionCall": {}}),
    chunk(_call(name="second", args={"a": 1})),
    chunk(_call(name="third", willContinue=True)),
    chunk({"functionCall": {}}, finishReason="STOP", usage=END),
)
PARTIAL_ARGUMENTS = {
    "city": 'Paris "é"',
    "days": 3,
    "guests": [{"name": "Ann", "child": False}, {"name": "Bob"}],
    "odd key": {"x": None},
}

CHUNKS: dict[str, tuple[Json, ...]] = {
    "text": (
        chunk({"text": "Grö"}, usage={"promptTokenCount": 3, "totalTokenCount": 3}),
        chunk({"text": "ße zählt\u2028"}),
        chunk({"text": ""}, finishReason="STOP", usage=END),
    ),
    "usage alone at the end": (
        chunk({"text": "Hi"}, finishReason="STOP"),
        {"usageMetadata": END, "responseId": "abc"},
    ),
    "thoughts, text and signatures": (
        chunk({"text": "I ", "thought": True}),
        chunk({"text": "think", "thought": True}),
        chunk({"text": "Hel"}),
        chunk({"text": "lo"}, {"text": " dear", "thoughtSignature": _SIGNATURE}),
        chunk({"text": " world"}),
        chunk({"text": "", "thoughtSignature": _SIGNATURE}, finishReason="STOP", usage=END),
    ),
    "calls": (
        chunk({**_call(name="get", args={"b": 1, "a": "x"}), "thoughtSignature": _SIGNATURE}),
        chunk(_call(name="get", args={}, id="c2"), finishReason="STOP", usage=END),
    ),
    "partial arguments": PARTIAL,
    "code": (
        chunk({"executableCode": {"language": "PYTHON", "code": "print(1)"}}),
        chunk({"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}}),
        chunk({"text": "It is 1."}, finishReason="STOP", usage=END),
    ),
    "image": (
        chunk({"text": "Here: "}),
        chunk({"inlineData": {"mimeType": "image/png", "data": "AAEC"}}),
        chunk(finishReason="STOP", usage=END),
    ),
    "several candidates": (
        chunk({"text": "a"}),
        chunk({"text": "b"}, index=1),
        {
            "candidates": [
                {"content": {"parts": [{"text": "A"}], "role": "model"}, "index": 0, "finishReason": "STOP"},
                {"content": {"parts": [{"text": "B"}], "role": "model"}, "index": 1},
            ]
        },
        chunk(index=1, finishReason="MAX_TOKENS", usage=END),
    ),
    "grounding": (
        chunk({"text": "Ä fact. "}, groundingMetadata={}),
        chunk({"text": "Größe"}, groundingMetadata={"webSearchQueries": ["q"]}),
        chunk(
            {"text": " zählt."},
            finishReason="STOP",
            usage=END,
            safetyRatings=[{"category": "HARM_CATEGORY_HARASSMENT", "probability": "LOW"}],
            citationMetadata={"citationSources": [{"endIndex": 8, "uri": "https://b.com"}]},
            groundingMetadata={
                "groundingChunks": [{"web": {"uri": "https://a.com", "title": "A"}}],
                "groundingSupports": [
                    {
                        "segment": {"startIndex": 9, "endIndex": 24, "text": "Größe zählt."},
                        "groundingChunkIndices": [0],
                        "confidenceScores": [0.5],
                    }
                ],
            },
        ),
    ),
    "logprobs": (
        chunk(
            {"text": "Hi"}, logprobsResult={"chosenCandidates": [{"token": "Hi", "tokenId": 1, "logProbability": -0.5}]}
        ),
        chunk(
            {"text": "!"},
            logprobsResult={"chosenCandidates": [{"token": "!", "tokenId": 2, "logProbability": -1.5}]},
            finishReason="STOP",
            avgLogprobs=-1.0,
            usage=END,
        ),
    ),
    "blocked prompt": (
        {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": END, "modelVersion": "m", "responseId": "abc"},
    ),
    "nothing said": (
        {
            "candidates": [{"content": {"role": "model"}, "finishReason": "MAX_TOKENS", "index": 0}],
            "usageMetadata": END,
        },
    ),
    "no content": ({"candidates": [{"finishReason": "SAFETY", "index": 0}], "usageMetadata": END},),
}
UNKNOWN_CHUNKS: tuple[Json, ...] = (
    {**chunk({"text": "x", "mood": "good"}), "modelStatus": {"stage": "PREVIEW"}},
    chunk({"hologram": {"depth": 3}}, oddity=[1]),
    chunk({"text": "y"}, finishReason="BORED", usage={**END, "photons": 3}),
)
