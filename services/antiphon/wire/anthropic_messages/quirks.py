"""What a provider that speaks Anthropic Messages does otherwise than Anthropic itself, as data."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType

WIRE = "anthropic_messages"
"""Name of the wire: the key of its untyped fields in `provider_data`."""

REASONING_FORMAT = "anthropic-claude-v1"
"""Name of the encoding of Claude's reasoning, as OpenRouter calls it: what has another name Anthropic did not sign."""

VERSION = "2023-06-01"
"""The `anthropic-version` header that Anthropic asks for; the only stable one so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirks:
    """Settings of one provider. The defaults are Anthropic's own."""

    provider: str = "anthropic"
    """Name of the provider: a further key of `provider_data` that is merged into requests."""
    base_path: str = "/v1"
    """What stands before `/messages`."""
    default_max_tokens: int = 4096
    """Sent where a request gives no `max_output_tokens`, for the wire requires one. The most that every Claude model
    takes; a caller who wants more says so."""
    inline_system: bool = False
    """Whether a system message may stand between other messages. Where not, it moves to the front, with a warning."""
    derive_betas: bool = True
    """Whether the `anthropic-beta` header is derived from the features that a request uses."""
    tool_versions: MappingProxyType[str, str] = field(
        default_factory=lambda: MappingProxyType(
            {
                "web_search": "web_search_20250305",
                "web_fetch": "web_fetch_20250910",
                "code_execution": "code_execution_20250825",
                "shell": "bash_20250124",
                "text_editor": "text_editor_20250728",
                "computer": "computer_20250124",
                "memory": "memory_20250818",
                "tool_search": "tool_search_tool_bm25_20251119",
            }
        )
    )
    """Version that is asked for where a tool names none that this wire knows."""


DEFAULT = Quirks()
