"""Why an exchange belongs to no wire here."""

from __future__ import annotations

import re

from tests.laws.recordings import Recorded

OTHER_ENDPOINTS: tuple[tuple[str, str], ...] = (
    (r":(stream)?[gG]enerateContent|:countTokens|:batch\w+|/v1beta\d*/models|/interactions|fileSearchStores", "Gemini"),
    (r"bedrock|aiplatform", "a cloud's own format"),
    (r"/v2/(chat|embed|rerank)|/v1/tokenize", "Cohere's own format"),
    (r"11434/api/|ollama\.com/api/", "Ollama's own format"),
    (r"/responses", "OpenAI responses"),
    (r"/batches|/batch/|/messages/batches|:batch", "batches"),
    (r"/files|/upload", "files"),
    (r"/audio/|/tts|/images|/ocr|/realtime", "speech, images or documents"),
    (r"/rerank", "rerank"),
    (r"/moderations", "moderations"),
    (r"/complete$|/completions$", "completions without chat"),
    (r"huggingface\.co/api/models", "Hugging Face hub"),
    (r"huggingface.*/pipeline/", "Hugging Face pipelines"),
    (r"/(available-)?models", "a model list of another shape"),
)


def why_not(recorded: Recorded) -> str:
    """The reason for which no wire claims the exchange."""
    url = recorded.url.split("?")[0]
    for pattern, name in OTHER_ENDPOINTS:
        if re.search(pattern, url):
            return f"{name}: another issue"
    return f"{recorded.method} {recorded.path}: no wire here"
