"""Answers of generateContent, authored from Google's documentation to cover every kind of object."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

_SIGNATURE = "CvECAdHtim8rZe/H2au6SXNRNGgF+hI0iigoXtLVJ2wm"
USAGE = {
    "promptTokenCount": 10,
    "candidatesTokenCount": 20,
    "totalTokenCount": 67,
    "cachedContentTokenCount": 4,
    "thoughtsTokenCount": 30,
    "toolUsePromptTokenCount": 7,
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 6}, {"modality": "IMAGE", "tokenCount": 4}],
    "cacheTokensDetails": [{"modality": "TEXT", "tokenCount": 4}],
    "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": 20}],
    "toolUsePromptTokensDetails": [{"modality": "TEXT", "tokenCount": 7}],
    "serviceTier": "standard",
    "trafficType": "ON_DEMAND",
}


def answer(*parts: Json, usage: Json | None = None, **rest: Any) -> Json:
    """An answer with one candidate."""
    candidate = {"content": {"role": "model", "parts": list(parts)}, "finishReason": "STOP", "index": 0, **rest}
    return {
        "candidates": [candidate],
        "usageMetadata": usage or {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5},
        "modelVersion": "gemini-2.5-flash",
        "responseId": "abc",
    }


_TEXT = "Ä fact. Größe zählt. Ende."
_GROUNDED = {
    "webSearchQueries": ["a", "b"],
    "imageSearchQueries": ["c"],
    "retrievalQueries": ["d"],
    "searchEntryPoint": {"renderedContent": "<b>"},
    "retrievalMetadata": {"googleSearchDynamicRetrievalScore": 0.7},
    "googleMapsWidgetContextToken": "tok",
    "groundingChunks": [
        {"web": {"uri": "https://a.com", "title": "a.com", "domain": "a.com"}},
        {"retrievedContext": {"uri": "gs://b", "title": "B", "text": "b text", "fileSearchStore": "stores/x"}},
        {"maps": {"uri": "https://maps.google.com/1", "title": "C", "placeId": "places/1", "text": "good"}},
        {"image": {"sourceUri": "https://d.com", "imageUri": "https://d.com/i.png", "title": "D", "domain": "d.com"}},
    ],
    "groundingSupports": [
        {
            "segment": {"endIndex": 8, "text": "Ä fact."},
            "groundingChunkIndices": [0],
            "confidenceScores": [0.9],
        },
        {
            "segment": {"startIndex": 9, "endIndex": 24, "text": "Größe zählt."},
            "groundingChunkIndices": [0, 1, 3],
        },
        {"segment": {"startIndex": 25, "endIndex": 30, "text": "Ende."}, "groundingChunkIndices": [2]},
    ],
}

ANSWERS: dict[str, Json] = {
    "plain": answer({"text": "Hi ✓"}),
    "usage": answer({"text": "Hi"}, usage=USAGE),
    "no text": answer({"text": ""}),
    "zero counts": answer({"text": ""}, usage={"promptTokenCount": 3, "candidatesTokenCount": 0, "totalTokenCount": 3}),
    "thoughts and signatures": answer(
        {"text": "I think.", "thought": True},
        {"text": "Hello", "thoughtSignature": _SIGNATURE},
        {"text": " world"},
        {"text": "", "thoughtSignature": _SIGNATURE},
        {"thoughtSignature": _SIGNATURE},
    ),
    "calls": answer(
        {"functionCall": {"name": "get", "args": {"b": 1, "a": [1.5, None]}}, "thoughtSignature": _SIGNATURE},
        {"functionCall": {"name": "get", "args": {}, "id": "c2"}},
        {"functionCall": {"name": "nothing"}},
        finishMessage="Model generated function call(s).",
    ),
    "code": answer(
        {"executableCode": {"language": "PYTHON", "code": "print(1)"}},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}},
        {"text": "1"},
        avgLogprobs=-0.5,
    ),
    "google's own calls": answer(
        {"toolCall": {"id": "t", "toolType": "URL_CONTEXT", "args": {"urls": ["u"]}}},
        {"toolResponse": {"id": "t", "toolType": "URL_CONTEXT", "response": {"ok": True}}},
    ),
    "image": answer({"text": "Here"}, {"inlineData": {"mimeType": "image/png", "data": "AAEC"}}),
    "no content": {
        "candidates": [{"finishReason": "SAFETY", "index": 0}],
        "usageMetadata": {"promptTokenCount": 3, "totalTokenCount": 3},
    },
    "empty content": {
        "candidates": [
            {
                "content": {},
                "finishReason": "SAFETY",
                "safetyRatings": [
                    {
                        "category": "HARM_CATEGORY_HATE_SPEECH",
                        "probability": "HIGH",
                        "blocked": True,
                        "probabilityScore": 0.75,
                        "severity": "HARM_SEVERITY_LOW",
                        "severityScore": 0.25,
                    }
                ],
            }
        ],
        "modelVersion": "gemini-1.5-flash",
    },
    "content without parts": answer(finishReason="MAX_TOKENS") | {"createTime": "2025-08-19T15:18:43.287437Z"},
    "several": {
        "candidates": [
            {"content": {"role": "model", "parts": [{"text": "a"}]}, "finishReason": "STOP"},
            {"content": {"role": "model", "parts": [{"text": "b"}]}, "finishReason": "RECITATION", "index": 1},
        ],
        "usageMetadata": {"promptTokenCount": 1},
    },
    "blocked prompt": {
        "promptFeedback": {
            "blockReason": "PROHIBITED_CONTENT",
            "blockReasonMessage": "no",
            "safetyRatings": [{"category": "HARM_CATEGORY_HARASSMENT", "probability": "LOW"}],
        },
        "usageMetadata": {"promptTokenCount": 3, "totalTokenCount": 3},
        "modelVersion": "gemini-2.5-flash",
    },
    "rated prompt": {
        **answer({"text": "x"}),
        "promptFeedback": {"safetyRatings": [{"category": "HARM_CATEGORY_HARASSMENT", "probability": "LOW"}]},
    },
    "grounded": answer({"text": _TEXT}, groundingMetadata=_GROUNDED),
    "grounded in several parts": answer(
        {"text": "hm", "thought": True},
        {"executableCode": {"language": "PYTHON", "code": "x"}},
        {"text": _TEXT[:12]},
        {"text": _TEXT[12:], "thoughtSignature": _SIGNATURE},
        groundingMetadata=_GROUNDED,
    ),
    "grounded by part": answer(
        {"text": "One. "},
        {"text": "Zwölf."},
        groundingMetadata={
            "groundingChunks": [{"web": {"uri": "https://a.com"}}],
            "groundingSupports": [
                {"segment": {"partIndex": 1, "endIndex": 7, "text": "Zwölf."}, "groundingChunkIndices": [0]}
            ],
        },
    ),
    "pages": answer(
        {"text": "x"},
        urlContextMetadata={
            "urlMetadata": [
                {"retrievedUrl": "https://a.com", "urlRetrievalStatus": "URL_RETRIEVAL_STATUS_SUCCESS"},
                {"retrievedUrl": "https://b.com", "urlRetrievalStatus": "URL_RETRIEVAL_STATUS_PAYWALL"},
            ]
        },
        groundingMetadata={"groundingChunks": [{"web": {"uri": "https://a.com", "title": "A"}}]},
    ),
    "recited": answer(
        {"text": _TEXT},
        citationMetadata={
            "citationSources": [
                {"startIndex": 9, "endIndex": 24, "uri": "https://a.com", "license": "mit"},
                {"endIndex": 8, "title": "B", "publicationDate": {"year": 2024, "month": 5, "day": 7}},
            ]
        },
    ),
    "recited at Vertex": answer(
        {"text": _TEXT}, citationMetadata={"citations": [{"endIndex": 8, "publicationDate": {"year": 2024}}]}
    ),
    "logprobs": answer(
        {"text": "Hi!"},
        tokenCount=2,
        logprobsResult={
            "topCandidates": [
                {
                    "candidates": [
                        {"token": "Hi", "tokenId": 5, "logProbability": -0.1},
                        {"token": "Ho", "tokenId": 6, "logProbability": -2.5},
                    ]
                },
                {"candidates": [{"token": "!", "tokenId": 7, "logProbability": -0.2}]},
            ],
            "chosenCandidates": [
                {"token": "Hi", "tokenId": 5, "logProbability": -0.1},
                {"token": "!", "tokenId": 7, "logProbability": -0.2},
            ],
            "logProbabilitySum": -0.3,
        },
    ),
    "numbers for words": {
        "candidates": [
            {
                "content": {"role": "model", "parts": [{"executableCode": {"language": 1, "code": "x"}}]},
                "finishReason": 8,
                "safetyRatings": [{"category": 1, "probability": 2, "severity": 3}, {"category": 8, "probability": 99}],
            }
        ],
        "usageMetadata": {
            "promptTokenCount": 5,
            "trafficType": 2,
            "promptTokensDetails": [{"modality": 4, "tokenCount": 5}],
        },
    },
    "snake case": {
        "candidates": [
            {
                "content": {"role": "model", "parts": [{"function_call": {"name": "f", "args": {"a_b": 1}}}]},
                "finish_reason": "STOP",
                "avg_logprobs": -1.5,
                "grounding_metadata": {"web_search_queries": ["x"]},
            }
        ],
        "usage_metadata": {"prompt_token_count": 3, "total_token_count": 3},
        "model_version": "gemini-2.5-flash",
        "response_id": "abc",
    },
}
UNTYPED: dict[str, int] = {"numbers for words": 1}

UNKNOWN_ANSWER: Json = {
    "candidates": [
        {
            "content": {"role": "narrator", "parts": [{"text": "x", "tone": {"a": 1}}, {"scent": "rose"}], "age": 3},
            "finishReason": "BORED",
            "groundingMetadata": {"groundingChunks": [{"smell": {"uri": "u"}}], "newKey": 1},
            "newField": {"deep": [1, {"er": None}]},
        }
    ],
    "usageMetadata": {"promptTokenCount": 3, "photons": 7, "promptTokensDetails": [{"modality": "SMELL"}]},
    "modelStatus": {"stage": "PREVIEW"},
}
