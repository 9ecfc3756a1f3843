"""What a provider that speaks Gemini's format does otherwise than Google's Gemini API, as data."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

WIRE = "gemini"
"""Name of the wire: the key of its untyped fields in `provider_data`."""

REASONING_FORMAT = "google-gemini-v1"
"""Name of the encoding of Gemini's reasoning: what has another name was not thought by Gemini."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirks:
    """Settings of one provider. The defaults are those of the Gemini API (generativelanguage.googleapis.com)."""

    provider: str = "gemini"
    """Name of the provider: a further key of `provider_data` that is merged into requests."""
    base_path: str = "/v1beta"
    """What stands before `/models/{model}`; for Vertex AI it names project and location."""
    labels: bool = False
    """Whether requests take labels (`metadata`)."""
    plain_count: bool = False
    """Whether countTokens takes system instruction and tools beside the contents, rather than a whole request."""
    streams_arguments: bool = False
    """Whether arguments of calls can be streamed."""
    batch_embeddings: bool = True
    """Whether several inputs can be embedded at once."""
    parallel_switch: bool = False
    """Whether parallel calls can be switched off; Google has no word for it so far."""
    budget_models: str = r"gemini-(1|2)\b"
    """Pattern of models that take a number of reasoning tokens rather than a level."""
    effort_budgets: Mapping[str, int] = field(
        default_factory=lambda: MappingProxyType({"minimal": 1024, "low": 1024, "medium": 8192, "high": 24576})
    )
    """Reasoning tokens by effort, as Google's own OpenAI door translates it."""
    signed_models: str = r"gemini-(?!1|2)\d"
    """Pattern of models that refuse calls without a signature."""
    foreign_signature: str = "skip_thought_signature_validator"
    """What Google's documentation names as the signature of a call that another model made."""

    def takes_budget(self, model: str) -> bool:
        """Whether `model` takes a number of reasoning tokens rather than a level."""
        return re.search(self.budget_models, model) is not None

    def wants_signature(self, model: str) -> bool:
        """Whether `model` refuses calls without a signature."""
        return re.search(self.signed_models, model) is not None


DEFAULT = Quirks()


def vertex(project: str, location: str, *, version: str = "v1beta1") -> Quirks:
    """The quirks of Vertex AI for one project and location."""
    return Quirks(
        provider="vertex",
        base_path=f"/{version}/projects/{project}/locations/{location}/publishers/google",
        labels=True,
        plain_count=True,
        streams_arguments=True,
        batch_embeddings=False,
    )
