"""What each provider of the table cannot take of the settings in `settings`: reviewed by hand, and held by a test.

A setting that is in none of the tables is sent, in a form that the provider's SDK takes too.
"""

from __future__ import annotations

from collections.abc import Mapping

OPEN_SAMPLING = frozenset({"sampling.top_k", "sampling.min_p", "sampling.repetition_penalty"})
PENALTIES = frozenset({"sampling.frequency_penalty", "sampling.presence_penalty"})
BIAS = frozenset({"sampling.logit_bias", "sampling.top_logprobs"})
NOT_IN_CHAT = frozenset({"previous_response_id", "safety"})
AMOUNTS = frozenset({"reasoning.budget_tokens", "reasoning.display"})
OPENAI_ONLY = frozenset({"verbosity", "store", "prediction"})
CACHE_KEYS = frozenset({"cache.key", "cache.retention"})
MARKS = frozenset({"cache.breakpoint", "messages.cache_breakpoint"})
ENCRYPTED = frozenset({"reasoning.include_encrypted"})

REFUSED: Mapping[str, frozenset[str]] = {
    "openai": OPEN_SAMPLING | NOT_IN_CHAT | AMOUNTS,
    "anthropic": PENALTIES
    | BIAS
    | NOT_IN_CHAT
    | OPENAI_ONLY
    | {
        "response_format.json_object",
        "sampling.min_p",
        "sampling.repetition_penalty",
        "sampling.seed",
        "n",
        "metadata",
        "messages.name",
    },
    "groq": OPEN_SAMPLING | BIAS | NOT_IN_CHAT | AMOUNTS | {"verbosity", "prediction", "messages.document"},
    "mistral": OPEN_SAMPLING | BIAS | NOT_IN_CHAT | AMOUNTS | {"verbosity", "end_user_id", "store", "messages.name"},
    "xai": OPEN_SAMPLING | NOT_IN_CHAT | AMOUNTS,
    "openrouter": NOT_IN_CHAT | {"reasoning.display"},
    "perplexity": NOT_IN_CHAT
    | AMOUNTS
    | {
        "tools",
        "tools.strict",
        "tool_choice.required",
        "tool_choice.named",
        "parallel_tool_calls.false",
        "sampling.min_p",
        "sampling.repetition_penalty",
        "sampling.seed",
        "sampling.logit_bias",
        "n",
    },
    "cerebras": OPEN_SAMPLING | PENALTIES | NOT_IN_CHAT | AMOUNTS,
    "deepseek": OPEN_SAMPLING | NOT_IN_CHAT | {"sampling.seed", "sampling.logit_bias", "n", "reasoning.display"},
    "together": NOT_IN_CHAT | AMOUNTS,
    "fireworks": NOT_IN_CHAT | AMOUNTS,
    "qwen": NOT_IN_CHAT | {"sampling.min_p", "reasoning.effort", "reasoning.display"},
    "ollama": OPEN_SAMPLING | NOT_IN_CHAT | AMOUNTS,
    "lmstudio": NOT_IN_CHAT | AMOUNTS | {"sampling.repetition_penalty"},
    "openai-responses": OPEN_SAMPLING
    | PENALTIES
    | {
        "sampling.seed",
        "sampling.stop",
        "sampling.logit_bias",
        "n",
        "reasoning.budget_tokens",
        "prediction",
        "safety",
        "messages.name",
    },
    "azure": OPEN_SAMPLING | NOT_IN_CHAT | AMOUNTS,
    "gemini": frozenset(
        {
            "parallel_tool_calls.false",
            "sampling.min_p",
            "sampling.repetition_penalty",
            "sampling.logit_bias",
            "metadata",
            "previous_response_id",
            "prediction",
            "messages.name",
        }
    ),
    "vertex": frozenset(
        {
            "parallel_tool_calls.false",
            "sampling.min_p",
            "sampling.repetition_penalty",
            "sampling.logit_bias",
            "previous_response_id",
            "prediction",
            "messages.name",
        }
    ),
    "bedrock": PENALTIES
    | BIAS
    | NOT_IN_CHAT
    | OPENAI_ONLY
    | {
        "parallel_tool_calls.false",
        "response_format.json_object",
        "sampling.min_p",
        "sampling.repetition_penalty",
        "sampling.seed",
        "n",
        "end_user_id",
        "messages.name",
        "messages.image_url",
    },
    "cohere": BIAS
    | NOT_IN_CHAT
    | OPENAI_ONLY
    | {
        "parallel_tool_calls.false",
        "sampling.min_p",
        "sampling.repetition_penalty",
        "n",
        "reasoning.effort",
        "reasoning.display",
        "service_tier",
        "end_user_id",
        "metadata",
        "messages.name",
        "messages.document",
    },
    "huggingface": NOT_IN_CHAT | AMOUNTS,
    "ollama-native": NOT_IN_CHAT
    | AMOUNTS
    | OPENAI_ONLY
    | {
        "tool_choice.required",
        "tool_choice.named",
        "parallel_tool_calls.false",
        "sampling.logit_bias",
        "n",
        "service_tier",
        "end_user_id",
        "metadata",
        "messages.name",
        "messages.image_url",
        "messages.document",
    },
}
"""Refused with UNSUPPORTED_PARAMETER, or left out with a warning where the caller allowed that."""
TOLD: Mapping[str, frozenset[str]] = {
    "openai": MARKS | ENCRYPTED,
    "anthropic": CACHE_KEYS | ENCRYPTED,
    "groq": CACHE_KEYS | MARKS | ENCRYPTED,
    "mistral": MARKS | ENCRYPTED | {"cache.retention"},
    "xai": MARKS | ENCRYPTED,
    "openrouter": ENCRYPTED,
    "perplexity": MARKS | ENCRYPTED,
    "cerebras": MARKS | ENCRYPTED,
    "deepseek": MARKS | ENCRYPTED,
    "together": MARKS | ENCRYPTED,
    "fireworks": MARKS | ENCRYPTED,
    "qwen": ENCRYPTED | {"cache.breakpoint"},
    "ollama": MARKS | ENCRYPTED,
    "lmstudio": MARKS | ENCRYPTED,
    "openai-responses": frozenset({"cache.breakpoint"}),
    "azure": MARKS | ENCRYPTED,
    "gemini": CACHE_KEYS | MARKS | {"tools.strict", "verbosity", "end_user_id"},
    "vertex": CACHE_KEYS | MARKS | {"tools.strict", "verbosity", "end_user_id"},
    "bedrock": CACHE_KEYS,
    "cohere": CACHE_KEYS | MARKS | ENCRYPTED,
    "huggingface": MARKS | ENCRYPTED,
    "ollama-native": CACHE_KEYS | MARKS | ENCRYPTED | {"tools.strict"},
}
"""Left out with a warning in any case, because the answer means the same without it."""
NO_EFFECT: Mapping[str, frozenset[str]] = {
    "gemini": ENCRYPTED | {"service_tier"},
    "vertex": ENCRYPTED | {"service_tier"},
    "bedrock": ENCRYPTED,
}
"""Sent as nothing, because it is what the provider does anyway: Gemini and Claude at Bedrock send signatures without
being asked, and `auto` is Gemini's own choice of a tier."""
