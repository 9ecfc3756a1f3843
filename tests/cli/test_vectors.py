"""Vectors in every form of the contract."""

from __future__ import annotations

import struct

import pytest

from antiphon.cli.vectors import cosine, numbers
from antiphon.core.errors import ServiceError
from antiphon.v1 import embeddings_pb2 as pb

PACKED = [
    (pb.VECTOR_ENCODING_FLOAT32, struct.pack("<2f", 0.5, -2.0), [0.5, -2.0]),
    (pb.VECTOR_ENCODING_FLOAT16, struct.pack("<2e", 0.5, -2.0), [0.5, -2.0]),
    (pb.VECTOR_ENCODING_INT8, b"\x01\xff", [1.0, -1.0]),
    (pb.VECTOR_ENCODING_UINT8, b"\x01\xff", [1.0, 255.0]),
    (pb.VECTOR_ENCODING_BINARY, b"\x80", [1.0, -1.0]),
]


@pytest.mark.parametrize(("encoding", "data", "expected"), PACKED)
def test_packed_numbers_are_read(encoding: pb.VectorEncoding.ValueType, data: bytes, expected: list[float]) -> None:
    vector = pb.PackedVector(encoding=encoding, dimensions=2, data=data)
    assert numbers(pb.Embedding(packed=vector)) == expected


def test_plain_and_sparse_numbers_are_read() -> None:
    assert numbers(pb.Embedding(float32=pb.FloatVector(values=[1, 2]))) == [1.0, 2.0]
    assert numbers(pb.Embedding(float64=pb.DoubleVector(values=[0.1]))) == [0.1]
    assert numbers(pb.Embedding(sparse=pb.SparseVector(indices=[2], values=[3]))) == [0.0, 0.0, 3.0]


@pytest.mark.parametrize(
    "embedding",
    [
        pb.Embedding(),
        pb.Embedding(packed=pb.PackedVector(data=b"\x00")),
        pb.Embedding(packed=pb.PackedVector(encoding=pb.VECTOR_ENCODING_FLOAT32, data=b"\x00")),
    ],
)
def test_a_vector_that_cannot_be_read_is_a_typed_error(embedding: pb.Embedding) -> None:
    with pytest.raises(ServiceError):
        numbers(embedding)


def test_cosine_compares_directions() -> None:
    assert cosine([1, 0], [2, 0]) == pytest.approx(1)
    assert cosine([1, 0], [0, 5]) == 0
    assert cosine([1, 0], [-1, 0]) == pytest.approx(-1)
    assert cosine([0, 0], [1, 0]) == 0
