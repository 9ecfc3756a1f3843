"""Which set fields of a request a wire has no word for.

What a wire can say is an allow-list, so that a field which the contract gains later is refused by every wire until its
codec learns it, and never dropped in silence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from antiphon.v1 import chat_pb2, content_pb2

ALWAYS = frozenset(
    {"model", "messages", "tools", "tool_choice", "idempotency_key", "on_unsupported", "provider_data", "form",
     "report_parameters"}
)  # fmt: skip
"""Fields that every codec handles itself, or that no provider is meant to see."""
NESTED = frozenset({"sampling", "reasoning", "cache"})
"""Fields of which a wire may say only a part."""
HARMLESS: Mapping[str, tuple[Any, ...]] = {
    "n": (0, 1),
    "store": (False,),
    "background": (False,),
    "parallel_tool_calls": (True,),
    "output_modalities": ([content_pb2.MODALITY_TEXT],),
    "sampling.min_p": (0.0,),
    "sampling.frequency_penalty": (0.0,),
    "sampling.presence_penalty": (0.0,),
    "sampling.repetition_penalty": (0.0, 1.0),
    "sampling.typical_p": (1.0,),
    "sampling.logprobs": (False,),
    "sampling.top_logprobs": (0,),
    "reasoning.exclude": (False,),
    "reasoning.include_encrypted": (False,),
}
"""Values that change nothing where a wire cannot say the field."""


def unsaid(spec: chat_pb2.ChatSpec, said: frozenset[str]) -> Iterator[str]:
    """The path of every set field of `spec` that is not among `said` and would change something.

    `said` holds names, or names as "sampling.top_k" of the messages of which a wire says a part.
    """
    handled = _handled(said)
    for descriptor, value in spec.ListFields():
        if descriptor.name in NESTED and descriptor.name not in said:
            for inner, part in value.ListFields():
                path = f"{descriptor.name}.{inner.name}"
                if path not in said and not _harmless(path, part):
                    yield path
        elif descriptor.name not in handled and not _harmless(descriptor.name, value):
            yield descriptor.name


@lru_cache(maxsize=64)
def _handled(said: frozenset[str]) -> frozenset[str]:
    return ALWAYS | said


def _harmless(path: str, value: Any) -> bool:
    plain = list(value) if path == "output_modalities" else value
    return plain in HARMLESS.get(path, ()) or (path == "response_format" and value.HasField("text"))
