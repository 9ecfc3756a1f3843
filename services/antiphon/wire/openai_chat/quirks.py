"""What a provider of OpenAI-shaped chat does otherwise than OpenAI, as data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

WIRE = "openai_chat"
"""The name of the wire: key of its untyped fields, and first word of its forms."""


class ReasoningStyle(StrEnum):
    """The request fields that say how much the model reasons."""

    EFFORT = "reasoning_effort"
    """`reasoning_effort: "low"` (OpenAI, Groq, Mistral, xAI, Perplexity, Cerebras)."""
    OBJECT = "reasoning"
    """`reasoning: {effort, max_tokens, exclude, enabled}` (OpenRouter, Snowflake, Vercel)."""
    THINKING = "thinking"
    """`thinking: {type: "enabled"}` and `reasoning_effort` (DeepSeek, Z.ai, Moonshot)."""
    ENABLE_THINKING = "enable_thinking"
    """`enable_thinking: true, thinking_budget: 100` (Qwen, SiliconFlow)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirks:
    """How one provider speaks the wire. None means no opinion: the spelling of the client counts, and without one
    OpenAI's own."""

    max_tokens_field: str | None = None
    """`max_tokens` or `max_completion_tokens`."""
    developer_role: str | None = None
    """The role for developer messages, such as `system` where the provider knows no `developer`."""
    stream_usage: bool | None = None
    """Whether streams are asked for usage by `stream_options.include_usage`; False where that is refused."""
    reasoning_style: ReasoningStyle | None = None
    """The request fields that say how much the model reasons."""
    reasoning_field: str | None = None
    """The message field that replays reasoning: `reasoning`, `reasoning_content`, `reasoning_details`; empty where
    the provider takes none."""
    required_word: str | None = None
    """The `tool_choice` that forces a call: `required`, or `any` for Mistral."""
    document_field: str = ""
    """The type of part that holds a document as an address or data URL, such as `document_url` for Mistral, where it is
    no `file`."""
    call_ids: str = r".+"
    """Pattern of the identifiers of calls that the provider takes; others are replaced, calls and results alike."""
    annotations: bool = False
    """Whether documents that the provider parsed come back to it (`annotations`), as at OpenRouter."""
    signed_calls: bool = False
    """Whether calls of the history carry the signature of Gemini (`extra_content.google.thought_signature`), as at
    Google's OpenAI door. A codec for no provider in particular writes what it read."""
    refuses: frozenset[str] = frozenset()
    """Names of request fields that the provider does not take, such as `top_k`, `parallel_tool_calls`,
    `tools.function.strict`, `messages.name`, `messages.cache_control`, `messages.file`."""
    provider: str = ""
    """Second key of untyped fields that go to this provider alone, such as `groq`."""


OPENAI_REFUSES = frozenset({"top_k", "min_p", "repetition_penalty", "messages.cache_control", "cache_control"})
"""What OpenAI itself does not take, for its own row of quirks."""
