"""The wires under the laws."""

from __future__ import annotations

from tests.laws.anthropic import AnthropicCountLaws, AnthropicMessagesLaws
from tests.laws.bedrock import (
    BedrockAnthropicLaws,
    BedrockConverseLaws,
    BedrockCountLaws,
    BedrockEmbeddingsLaws,
)
from tests.laws.cohere import CohereChatLaws, CohereEmbeddingsLaws
from tests.laws.gemini import GeminiCountLaws, GeminiEmbeddingsLaws, GeminiLaws, GeminiModelsLaws
from tests.laws.ollama import OllamaChatLaws, OllamaEmbeddingsLaws, OllamaModelsLaws
from tests.laws.openai import OpenAIChatLaws
from tests.laws.openai_lists import OpenAIEmbeddingsLaws, OpenAIModelsLaws
from tests.laws.recordings import Recorded
from tests.laws.responses import OpenAIResponsesLaws
from tests.laws.verdict import WireLaws

WIRES: tuple[WireLaws, ...] = (
    OpenAIChatLaws(),
    OpenAIEmbeddingsLaws(),
    OpenAIModelsLaws(),
    AnthropicMessagesLaws(),
    AnthropicCountLaws(),
    OllamaChatLaws(),
    OllamaEmbeddingsLaws(),
    OllamaModelsLaws(),
    BedrockConverseLaws(),
    BedrockAnthropicLaws(),
    BedrockCountLaws(),
    BedrockEmbeddingsLaws(),
    CohereChatLaws(),
    CohereEmbeddingsLaws(),
    OpenAIResponsesLaws(),
    GeminiLaws(),
    GeminiCountLaws(),
    GeminiEmbeddingsLaws(),
    GeminiModelsLaws(),
)


def wire_of(recorded: Recorded) -> WireLaws | None:
    """The wire that an exchange belongs to."""
    return next((wire for wire in WIRES if wire.claims(recorded)), None)
