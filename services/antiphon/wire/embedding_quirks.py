"""How one provider speaks OpenAI's embeddings, as data: rows of providers need it, and not the codec with its numpy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from antiphon.v1 import embeddings_pb2

pb = embeddings_pb2


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingQuirks:
    """How one provider speaks the wire."""

    base64: bool = False
    """Ask for 32-bit floats as base64: a quarter of the bytes, and no decimals to read."""
    base64_holds: pb.VectorEncoding.ValueType = pb.VECTOR_ENCODING_FLOAT32
    """What base64 in an answer is; INT8 for Perplexity."""
    dimensions_field: str | None = None
    """`dimensions`, or `output_dimension` for Voyage and Mistral; None for as it was read."""
    encodings: Mapping[pb.VectorEncoding.ValueType, tuple[str, str]] = field(default_factory=dict)
    """Further encodings that the provider gives, each as field and word: INT8 is `("output_dtype", "int8")`."""
    task_words: Mapping[pb.TaskType.ValueType, str] = field(default_factory=dict)
    """Words of `input_type`, where the provider takes it."""
    refuses: frozenset[str] = frozenset()
    """Names of request fields that the provider does not take, such as `dimensions` or `user`."""
    provider: str = ""
    """Second key of untyped fields that go to this provider alone."""
