"""What a provider that speaks OpenAI Responses does otherwise than OpenAI itself, as data."""

from __future__ import annotations

from dataclasses import dataclass

WIRE = "openai_responses"
"""Name of the wire: the key of its untyped fields in `provider_data`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirks:
    """Settings of one provider. The defaults are OpenAI's own."""

    provider: str = "openai"
    """Name of the provider: a further key of `provider_data` that is merged into requests."""
    base_path: str = ""
    """What stands before `/responses`; the base URL usually ends in `/v1`."""
    query: str = ""
    """What stands behind it, such as "?api-version=preview" (Azure)."""
    takes_reasoning_text: bool = False
    """Whether reasoning in the clear that has neither identifier nor cipher is taken back (DeepSeek)."""
    refuses: frozenset[str] = frozenset()
    """Names of fields of the request's body that the provider refuses, and of its content `input_audio` and
    `prompt_cache_breakpoint`."""


DEFAULT = Quirks()
OPENAI = Quirks(refuses=frozenset({"frequency_penalty", "input_audio", "presence_penalty", "seed", "top_k"}))
"""OpenAI itself: it repeats some of these in answers, and takes them from nobody."""
