"""Requests of generateContent, authored from Google's documentation to cover every kind of object."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

PATH = "/v1beta/models/gemini-2.5-flash:generateContent"
_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
_SIGNATURE = "CvECAdHtim8rZe/H2au6SXNRNGgF+hI0iigoXtLVJ2wm"


def ask(*parts: Json, **more: Any) -> Json:
    """A request with one turn of the user."""
    return {"contents": [{"role": "user", "parts": list(parts) or [{"text": "hi"}]}], **more}


def _config(**fields: Any) -> Json:
    return ask(generationConfig=fields)


_SCHEMA = {
    "type": "OBJECT",
    "description": "a place",
    "properties": {
        "city": {"type": "STRING", "nullable": True},
        "tags": {"type": "ARRAY", "items": {"type": "STRING", "enum": ["a", "b"]}, "minItems": "1"},
        "either": {"anyOf": [{"type": "INTEGER"}, {"type": "NUMBER", "format": "double"}]},
    },
    "required": ["city"],
    "propertyOrdering": ["city", "tags"],
}
_STANDARD = {"type": "object", "properties": {"a": {"type": ["integer", "null"]}}, "additionalProperties": False}
_CALL = {"functionCall": {"name": "get", "args": {"n": 12345678901234567890, "s": "ü"}}}
_ROUND = [
    {"role": "user", "parts": [{"text": "weather?"}]},
    {
        "role": "model",
        "parts": [
            {"text": "I think.", "thought": True},
            {"text": "I look.", "thoughtSignature": _SIGNATURE},
            {**_CALL, "thoughtSignature": _SIGNATURE},
            {"functionCall": {"name": "get", "args": {}, "id": "call_7"}},
            {"functionCall": {"name": "other"}},
        ],
    },
]

REQUESTS: dict[str, Json] = {
    "plain": ask(),
    "single objects for lists": {
        "systemInstruction": {"parts": {"text": "be brief"}},
        "contents": {"role": "user", "parts": {"text": "hi"}},
    },
    "no role": {"contents": [{"parts": [{"text": "hi"}]}]},
    "system": ask(systemInstruction={"role": "user", "parts": [{"text": "be"}, {"text": "brief"}]}),
    "system without role": ask(systemInstruction={"parts": [{"text": "be brief"}]}),
    "system in snake case": ask(system_instruction={"role": "system", "parts": [{"text": "be brief"}]}),
    "everything empty": ask(generationConfig={}, tools=[], safetySettings=[], toolConfig={}, systemInstruction=None),
    "empty text": ask({"text": ""}),
    "model in the body": ask(model="models/gemini-2.5-flash"),
    "sampling": _config(
        temperature=0.5,
        topP=0.9,
        topK=40,
        seed=7,
        maxOutputTokens=64,
        candidateCount=2,
        stopSequences=["END", "\n\n"],
        presencePenalty=0.1,
        frequencyPenalty=-0.2,
        responseLogprobs=True,
        logprobs=3,
    ),
    "snake case": {
        "contents": [{"role": "user", "parts": [{"inline_data": {"mime_type": "image/png", "data": _PIXEL}}]}],
        "generation_config": {
            "max_output_tokens": 5,
            "stop_sequences": ["x"],
            "thinking_config": {"include_thoughts": True, "thinking_budget": 100},
        },
        "safety_settings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
        "tool_config": {"function_calling_config": {"mode": "ANY", "allowed_function_names": ["get"]}},
        "tools": [
            {"google_search": {"exclude_domains": ["a.com"]}},
            {"function_declarations": [{"name": "get", "parameters_json_schema": _STANDARD}]},
        ],
    },
    "both dialects": ask(
        generationConfig={
            "response_mime_type": "application/json",
            "response_schema": {"type": "object", "properties": {"a_b": {"type": "string"}}},
            "thinkingConfig": {"includeThoughts": True},
            "maxOutputTokens": 7,
        }
    ),
    "thinking budget": _config(thinkingConfig={"thinkingBudget": 1024, "includeThoughts": False}),
    "thinking off": _config(thinkingConfig={"thinkingBudget": 0}),
    "thinking dynamic": _config(thinkingConfig={"thinkingBudget": -1, "includeThoughts": True}),
    "thinking level": _config(thinkingConfig={"thinkingLevel": "HIGH"}),
    "thinking level in small letters": _config(thinkingConfig={"thinkingLevel": "low"}),
    "json object": _config(responseMimeType="application/json"),
    "json schema": _config(responseMimeType="application/json", responseJsonSchema=_STANDARD),
    "google schema": _config(responseMimeType="application/json", responseSchema=_SCHEMA),
    "google schema in small letters": _config(
        responseMimeType="application/json",
        responseSchema={"type": "object", "properties": {"a": {"type": "string", "nullable": True}}},
    ),
    "schema without type of media": _config(responseSchema={"type": "STRING"}),
    "choice": _config(responseMimeType="text/x.enum", responseSchema={"type": "STRING", "enum": ["yes", "no"]}),
    "plain text": _config(responseMimeType="text/plain"),
    "speech": _config(
        responseModalities=["AUDIO"],
        speechConfig={"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}, "languageCode": "de-DE"},
    ),
    "two voices": _config(
        responseModalities=["TEXT", "AUDIO"],
        speechConfig={
            "multiSpeakerVoiceConfig": {
                "speakerVoiceConfigs": [
                    {"speaker": "Joe", "voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}},
                    {"speaker": "Jane", "voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Puck"}}},
                ]
            }
        },
    ),
    "image": _config(responseModalities=["TEXT", "IMAGE"], imageConfig={"aspectRatio": "16:9", "imageSize": "2K"}),
    "media resolution": _config(mediaResolution="MEDIA_RESOLUTION_LOW"),
    "safety": ask(
        safetySettings=[
            {"category": "HARM_CATEGORY_HATE_SPEECH", "threshold": "BLOCK_NONE", "method": "SEVERITY"},
            {"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"},
        ]
    ),
    "beside the contents": ask(
        cachedContent="cachedContents/abc", labels={"team_a": "x"}, serviceTier="flex", store=False
    ),
    "media": ask(
        {"inlineData": {"mimeType": "image/png", "data": _PIXEL, "displayName": "a.png"}},
        {"inlineData": {"mimeType": "image/png", "data": "-_-_"}},
        {"inlineData": {"mimeType": "image/png", "data": "-_8"}},
        {"fileData": {"mimeType": "application/pdf", "fileUri": "gs://bucket/a.pdf", "displayName": "a.pdf"}},
        {"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/abc"}},
        {
            "fileData": {"mimeType": "video/mp4", "fileUri": "https://youtu.be/x"},
            "videoMetadata": {"startOffset": "1.5s", "endOffset": "60s", "fps": 0.5},
        },
        {
            "inlineData": {"mimeType": "image/png", "data": _PIXEL},
            "mediaResolution": {"level": "MEDIA_RESOLUTION_ULTRA_HIGH"},
        },
    ),
    "tool round": {
        "contents": [
            *_ROUND,
            {
                "role": "user",
                "parts": [
                    {"functionResponse": {"name": "get", "response": {"output": "rain"}}},
                    {"functionResponse": {"name": "get", "id": "call_7", "response": {"error": "no such place"}}},
                    {
                        "functionResponse": {
                            "name": "other",
                            "response": {"a": [1, 2.5, None], "b": {"c": "d"}},
                            "parts": [{"inlineData": {"mimeType": "image/png", "data": _PIXEL}}],
                        }
                    },
                ],
            },
            {"role": "model", "parts": [{"text": "it rains"}]},
        ]
    },
    "results in their own spellings": {
        "contents": [
            *_ROUND,
            {"role": "function", "parts": [{"functionResponse": {"name": "get", "response": {"result": "x"}}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "get", "response": {}}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "other", "response": {"output": '{"a":1}'}}}]},
        ]
    },
    "results before words": {
        "contents": [
            *_ROUND,
            {
                "role": "user",
                "parts": [{"functionResponse": {"name": "get", "response": {"content": "x"}}}, {"text": "and now?"}],
            },
        ]
    },
    "results among words": {
        "contents": [
            *_ROUND,
            {
                "role": "user",
                "parts": [
                    {"text": "here"},
                    {"functionResponse": {"name": "get", "response": {"output": "x"}}},
                    {"text": "there"},
                ],
            },
        ]
    },
    "code": {
        "contents": [
            {"role": "user", "parts": [{"text": "compute"}]},
            {
                "role": "model",
                "parts": [
                    {"executableCode": {"language": "PYTHON", "code": "print(1)"}},
                    {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1\n"}},
                    {"executableCode": {"id": "e1", "language": "PYTHON", "code": "1/0"}},
                    {"codeExecutionResult": {"id": "e1", "outcome": "OUTCOME_FAILED", "output": "division by zero"}},
                    {"executableCode": {"language": "PYTHON", "code": "while 1: pass"}},
                    {"codeExecutionResult": {"outcome": "OUTCOME_DEADLINE_EXCEEDED"}},
                ],
            },
            {"role": "user", "parts": [{"text": "go on"}]},
        ]
    },
    "google's own calls": {
        "contents": [
            {
                "role": "model",
                "parts": [
                    {
                        "toolCall": {"id": "t1", "toolType": "GOOGLE_SEARCH_WEB", "args": {"queries": ["x"]}},
                        "thoughtSignature": _SIGNATURE,
                    },
                    {"toolResponse": {"id": "t1", "toolType": "GOOGLE_SEARCH_WEB", "response": {"html": "<p>"}}},
                ],
            }
        ]
    },
    "functions": ask(
        tools=[
            {
                "functionDeclarations": [
                    {"name": "get", "description": "", "parameters": _SCHEMA, "response": {"type": "STRING"}},
                    {"name": "set", "description": "sets", "parametersJsonSchema": _STANDARD},
                    {"name": "nothing"},
                    {"name": "odd", "parameters": {"type": "object", "properties": {"a": {"type": "STRING"}}}},
                ]
            }
        ],
        toolConfig={"functionCallingConfig": {"mode": "VALIDATED", "allowedFunctionNames": ["get", "set"]}},
    ),
    "functions in entries of their own": ask(
        tools=[
            {"functionDeclarations": [{"name": "a"}]},
            {"functionDeclarations": [{"name": "b"}, {"name": "c"}]},
            {"codeExecution": {}, "functionDeclarations": [{"name": "d"}]},
            {"functionDeclarations": [{"name": "e"}], "googleSearch": {}},
        ],
        toolConfig={"functionCallingConfig": {"mode": "NONE"}},
    ),
    "google's tools": ask(
        tools=[
            {"googleSearch": {"excludeDomains": ["a.com"]}},
            {"enterpriseWebSearch": {}},
            {"googleSearchRetrieval": {}},
            {"codeExecution": {}},
            {"urlContext": {}},
            {"fileSearch": {"fileSearchStoreNames": ["fileSearchStores/x"], "topK": 3, "metadataFilter": "a=1"}},
            {
                "mcpServers": [
                    {
                        "name": "docs",
                        "streamableHttpTransport": {"url": "https://example.com/mcp", "headers": {"X-Key": "1"}},
                    }
                ]
            },
        ],
        toolConfig={"functionCallingConfig": {"mode": "AUTO"}},
    ),
    "streamed arguments": ask(
        toolConfig={"functionCallingConfig": {"mode": "ANY", "streamFunctionCallArguments": True}}
    ),
    "unknown fields": {
        "contents": [{"role": "user", "parts": [{"text": "hi", "new_field": {"deep_er": 1}}], "mood": "good"}],
        "generationConfig": {"newOption": 1, "other_option": [1, {"a_b": 2}]},
        "tools": [{"newTool": {"depth_of": 3}}, {"googleSearch": {"timeRangeFilter": {"startTime": "2024"}}}],
        "toolConfig": {"retrievalConfig": {"latLng": {"latitude": 1.5, "longitude": -2}}},
        "extra": {"some_thing": True},
    },
    "unknown part": ask({"hologram": {"depth": 3}}, {"text": "what?"}),
}
UNTYPED: dict[str, int] = {"unknown fields": 10, "unknown part": 1}
"""How many values are of no typed field."""
