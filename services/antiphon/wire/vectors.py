"""Vectors in JSON: decimals in two spellings, small integers and packed bytes, both ways without loss.

Models make 32-bit floats. Providers write them as the shortest decimals that give the float back, or with all digits
of the float as a double; the form of the vector tells which. Numbers that are no 32-bit floats stay doubles.
"""

from __future__ import annotations

import base64
import binascii
from array import array
from typing import Any, Final

import numpy as np
import orjson

from antiphon.core.errors import Reason, ServiceError
from antiphon.v1 import embeddings_pb2
from antiphon.wire.jsontext import Json
from antiphon.wire.scribe import Scribe

pb = embeddings_pb2
_WIDENED = "widened"
_BASE64 = "base64"
_INTEGERS = {pb.VECTOR_ENCODING_INT8: np.int8, pb.VECTOR_ENCODING_UINT8: np.uint8}
_SIGNED_BITS = "signed_bits"
_SAMPLE: Final = 32
"""Numbers whose decimals are looked at first: where they are not those of 32-bit floats, most of these show it."""

Doubles = np.ndarray[Any, np.dtype[np.float64]]
Floats = np.ndarray[Any, np.dtype[np.float32]]


def lift_floats(embedding: pb.Embedding, vector: Json, scribe: Scribe) -> None:
    """Set the vector of `embedding` from a list of numbers, or from base64 of 32-bit floats. Raises ServiceError."""
    if isinstance(vector, str):
        data = _unpacked(vector)
        scribe.spell(embedding, _BASE64)
        set_floats(embedding, np.frombuffer(data, dtype="<f4"))
        return
    doubles = doubles_of(vector)
    floats = floats_of(doubles)
    if not are_shortest(floats, vector):
        if not np.array_equal(floats, doubles):
            set_doubles(embedding, doubles)
            return
        scribe.spell(embedding, _WIDENED)
    set_floats(embedding, floats)


def doubles_of(vector: Json) -> Doubles:
    """The numbers of a JSON list. Raises ServiceError MALFORMED_RESPONSE where it is none, or holds something else."""
    if not isinstance(vector, list):
        raise ServiceError(Reason.MALFORMED_RESPONSE, "a vector of the answer is no list of numbers")
    try:
        return np.frombuffer(array("d", vector), dtype=np.float64)
    except (TypeError, OverflowError) as error:
        raise ServiceError(Reason.MALFORMED_RESPONSE, "a vector of the answer is no list of numbers") from error


def floats_of(doubles: Doubles) -> Floats:
    """The nearest 32-bit floats."""
    with np.errstate(over="ignore"):
        return doubles.astype(np.float32)


def are_shortest(floats: Floats, vector: list[Any]) -> bool:
    """Whether the numbers of a list are the shortest decimals that give these floats back."""
    return _shortest(floats[:_SAMPLE]) == vector[:_SAMPLE] and _shortest(floats) == vector


def set_floats(embedding: pb.Embedding, floats: Floats) -> None:
    """Set the vector: the bytes of the numbers are those of the message, so that they need not be told one by one."""
    embedding.float32.SetInParent()
    embedding.float32.MergeFromString(_field(floats.astype("<f4", copy=False).tobytes()))


def set_doubles(embedding: pb.Embedding, doubles: Doubles) -> None:
    """As `set_floats`, for doubles."""
    embedding.float64.SetInParent()
    embedding.float64.MergeFromString(_field(doubles.astype("<f8", copy=False).tobytes()))


def _field(data: bytes) -> bytes:
    """The first field of a message, of this packed content."""
    size, length = bytearray(), len(data)
    while length > 0x7F:
        size.append(length & 0x7F | 0x80)
        length >>= 7
    size.append(length)
    return b"\x0a%b%b" % (bytes(size), data)


def lower_floats(embedding: pb.Embedding, scribe: Scribe) -> Json:
    """The JSON of a vector of floats. Raises ServiceError UNSUPPORTED_PARAMETER for one of another kind."""
    kind = embedding.WhichOneof("vector")
    if kind == "float64":
        return list(embedding.float64.values)
    if kind != "float32":
        text = f"this format has no {kind} vectors: ask for 32-bit floats"
        raise ServiceError(Reason.UNSUPPORTED_PARAMETER, text)
    floats = np.array(embedding.float32.values, dtype=np.float32)
    if scribe.spelled(embedding, _BASE64):
        return base64.b64encode(floats.astype("<f4").tobytes()).decode()
    return floats.astype(np.float64).tolist() if scribe.spelled(embedding, _WIDENED) else _shortest(floats)


def lift_integers(
    embedding: pb.Embedding, vector: Json, encoding: pb.VectorEncoding.ValueType, scribe: Scribe, *, signed: bool
) -> None:
    """Set the vector of `embedding` from small whole numbers; with BINARY, each holds eight bits."""
    numbers = _array(vector)
    packed = embedding.packed
    packed.encoding = encoding
    packed.data = numbers.astype(np.int16).astype(np.uint8).tobytes()
    packed.dimensions = len(numbers) * (8 if encoding == pb.VECTOR_ENCODING_BINARY else 1)
    if signed and encoding == pb.VECTOR_ENCODING_BINARY:
        scribe.spell(embedding, _SIGNED_BITS)


def lower_integers(embedding: pb.Embedding, scribe: Scribe) -> list[int]:
    """The small whole numbers of a packed vector."""
    packed = embedding.packed
    signed = packed.encoding == pb.VECTOR_ENCODING_INT8 or scribe.spelled(embedding, _SIGNED_BITS)
    numbers: list[int] = np.frombuffer(packed.data, dtype=np.int8 if signed else np.uint8).tolist()
    return numbers


def is_signed_bits(embedding: pb.Embedding, scribe: Scribe) -> bool:
    """Whether the bits of a binary vector were read as signed bytes."""
    return scribe.spelled(embedding, _SIGNED_BITS)


def is_base64(embedding: pb.Embedding, scribe: Scribe) -> bool:
    """Whether a vector of floats was read as base64."""
    return scribe.spelled(embedding, _BASE64)


def _array(vector: Json) -> np.ndarray[Any, np.dtype[np.float64]]:
    try:
        numbers = np.array(vector, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ServiceError(Reason.MALFORMED_RESPONSE, "a vector of the answer is no list of numbers") from error
    if numbers.ndim != 1:
        raise ServiceError(Reason.MALFORMED_RESPONSE, "a vector of the answer is no plain list of numbers")
    return numbers


def _unpacked(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ServiceError(Reason.MALFORMED_RESPONSE, f"a vector of the answer is not base64: {error}") from error
    if len(data) % 4:
        raise ServiceError(Reason.MALFORMED_RESPONSE, "a vector of the answer is no whole number of 32-bit floats")
    return data


def _shortest(floats: Floats) -> list[float | None]:
    """The shortest decimals that give the floats back; None for what is no number."""
    decimals: list[float | None] = orjson.loads(orjson.dumps(floats, option=orjson.OPT_SERIALIZE_NUMPY))
    return decimals
