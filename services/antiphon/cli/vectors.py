"""Vectors as plain numbers, in whatever form the contract carries them, and how alike two of them are."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Final

from antiphon.core.errors import Reason, ServiceError
from antiphon.v1 import embeddings_pb2

_FORMATS: Final = {
    embeddings_pb2.VECTOR_ENCODING_FLOAT32: ("f", 4),
    embeddings_pb2.VECTOR_ENCODING_FLOAT16: ("e", 2),
    embeddings_pb2.VECTOR_ENCODING_INT8: ("b", 1),
    embeddings_pb2.VECTOR_ENCODING_UINT8: ("B", 1),
}


def numbers(embedding: embeddings_pb2.Embedding) -> list[float]:
    """The numbers of a vector; bits become 1 and -1. Raises ServiceError MALFORMED_RESPONSE."""
    kind = embedding.WhichOneof("vector")
    if kind == "float32":
        return list(embedding.float32.values)
    if kind == "float64":
        return list(embedding.float64.values)
    if kind == "packed":
        return _unpacked(embedding.packed)
    if kind == "sparse":
        return _spread(embedding.sparse)
    raise ServiceError(Reason.MALFORMED_RESPONSE, f"vector {embedding.index} holds no numbers")


def cosine(left: Sequence[float], right: Sequence[float]) -> float:
    """How alike two directions are, from -1 to 1; 0 where one has none. Raises ValueError for different lengths."""
    scale = math.sqrt(math.fsum(x * x for x in left)) * math.sqrt(math.fsum(y * y for y in right))
    if scale == 0:
        return 0.0
    return math.fsum(x * y for x, y in zip(left, right, strict=True)) / scale


def _unpacked(packed: embeddings_pb2.PackedVector) -> list[float]:
    if packed.encoding == embeddings_pb2.VECTOR_ENCODING_BINARY:
        bits = [1.0 if byte >> place & 1 else -1.0 for byte in packed.data for place in range(7, -1, -1)]
        return bits[: packed.dimensions] if packed.dimensions else bits
    if packed.encoding not in _FORMATS:
        raise ServiceError(Reason.MALFORMED_RESPONSE, f"the encoding {packed.encoding} of a vector is not known here")
    letter, size = _FORMATS[packed.encoding]
    if len(packed.data) % size:
        raise ServiceError(Reason.MALFORMED_RESPONSE, f"{len(packed.data)} bytes are no numbers of {size} bytes each")
    return [float(value) for value in struct.unpack(f"<{len(packed.data) // size}{letter}", packed.data)]


def _spread(sparse: embeddings_pb2.SparseVector) -> list[float]:
    dense = [0.0] * (max(sparse.indices, default=-1) + 1)
    for place, value in zip(sparse.indices, sparse.values, strict=False):
        dense[place] = value
    return dense
