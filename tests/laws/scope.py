"""Why an exchange belongs to no wire here."""

from __future__ import annotations

import re

from tests.laws.recordings import Recorded

OTHER_ENDPOINTS: tuple[tuple[str, str], ...] = (
    (r":batch\w+|/interactions|fileSearchStores|googleapis\.com.*:predict", "Gemini's other endpoints"),
    (r"bedrock-agent", "Bedrock agents and knowledge bases"),
    (r"/model/[^/]*rerank", "rerank"),
    (r"/model/[^/]+/invoke", "Bedrock invoke in the format of another model family"),
    (r"api\.cohere\.\w+/v1/(chat|embed|generate|classify|summarize)", "Cohere's version 1"),
    (r"cohere.*/tokenize", "tokenizing"),
    (r"/api/(generate|pull|push|create|copy|delete|version)$", "Ollama beside chat, embeddings and models"),
    (r"aiplatform", "a cloud's own format"),
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
