"""OpenAI embeddings, read and written without loss."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.core.errors import Reason, ServiceError
from antiphon.v1 import embeddings_pb2 as pb
from antiphon.wire.base import HttpCall, HttpReply
from antiphon.wire.embedding_quirks import EmbeddingQuirks
from antiphon.wire.openai_embeddings import OpenAIEmbeddings
from tests.laws.verdict import first_difference, untyped

WIRE = OpenAIEmbeddings()
FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


def lifted(body: Any) -> pb.EmbedRequest:
    return WIRE.decode_request(HttpCall(method="POST", path="/", body=json.dumps(body).encode()))


def lowered(request: pb.EmbedRequest, **quirks: Any) -> Any:
    return json.loads(OpenAIEmbeddings(EmbeddingQuirks(**quirks)).encode_request(request).body)


def answer(*vectors: Any, **fields: Any) -> dict[str, Any]:
    data = [{"object": "embedding", "index": i, "embedding": vector} for i, vector in enumerate(vectors)]
    usage = {"prompt_tokens": 1, "total_tokens": 1}
    return {"object": "list", "data": data, "model": "m", "usage": usage, **fields}


def response(body: Any, **quirks: Any) -> pb.EmbedResponse:
    wire = OpenAIEmbeddings(EmbeddingQuirks(**quirks))
    return wire.decode_response(HttpReply(status=200, body=json.dumps(body).encode()))


REQUESTS: dict[str, dict[str, Any]] = {
    "one text": {"input": "a"},
    "texts": {"input": ["a", ""]},
    "tokens": {"input": [1, 2, 3]},
    "lists of tokens": {"input": [[1, 2], [3]]},
    "floats": {"input": ["a"], "encoding_format": "float", "dimensions": 256, "user": "u"},
    "base64": {"input": ["a"], "encoding_format": "base64"},
    "voyage": {
        "input": ["a"],
        "input_type": "query",
        "truncation": True,
        "output_dimension": 5,
        "output_dtype": "int8",
    },
    "perplexity": {"input": ["a"], "encoding_format": "base64_int8"},
    "an image": {"input": [{"type": "image_url", "image_url": {"url": "https://x.test/a.png"}}]},
}


@pytest.mark.parametrize("name", REQUESTS)
def test_requests_are_typed_and_come_back(name: str) -> None:
    body = {"model": "m", **REQUESTS[name]}
    request = lifted(body)
    assert first_difference(body, lowered(request)) is None
    assert untyped(request, WIRE.name) == 0


def test_unknown_request_fields_survive() -> None:
    assert lowered(lifted({"model": "m", "input": "a", "odd": {"x": 1}}))["odd"] == {"x": 1}


def test_quirks_choose_field_and_encoding() -> None:
    request = pb.EmbedRequest(model="m", dimensions=5, encoding=pb.VECTOR_ENCODING_INT8)
    request.inputs.add(text="a")
    encodings = {pb.VECTOR_ENCODING_INT8: ("output_dtype", "int8")}
    body = lowered(request, dimensions_field="output_dimension", encodings=encodings)
    assert (body["output_dimension"], body["output_dtype"]) == (5, "int8")
    request.encoding = pb.VECTOR_ENCODING_FLOAT32
    assert lowered(request, base64=True)["encoding_format"] == "base64"


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"encoding": pb.VECTOR_ENCODING_BINARY}, "encoding"),
        ({"normalize": True}, "normalize"),
        ({"task_type": pb.TASK_TYPE_CLUSTERING}, "task_type"),
        ({"dimensions": 5}, "dimensions"),
    ],
)
def test_what_a_provider_cannot_take_is_refused_by_path(fields: Any, path: str) -> None:
    request = pb.EmbedRequest(model="m", **fields)
    request.inputs.add(text="a")
    with pytest.raises(ServiceError) as caught:
        lowered(request, refuses=frozenset({"dimensions"}))
    assert caught.value.reason is Reason.UNSUPPORTED_PARAMETER
    assert caught.value.violations[0].field == path


@pytest.mark.parametrize("value", [None, 5, [1, "a"], [None]])
def test_an_input_that_is_none_is_refused(value: Any) -> None:
    with pytest.raises(ServiceError) as caught:
        lifted({"model": "m", "input": value})
    assert caught.value.reason is Reason.INVALID_REQUEST


@given(st.lists(FLOATS, max_size=6))
def test_floats_written_in_full_come_back(vector: list[float]) -> None:
    read = response(answer(vector))
    assert list(read.embeddings[0].float32.values) == vector
    assert json.loads(WIRE.encode_response(read).body)["data"][0]["embedding"] == vector


@pytest.mark.parametrize("vector", [[0.1, -0.009544373, 1e-8, 3.4e38], [1, 0, -1], []])
def test_floats_written_as_shortest_decimals_come_back(vector: list[float]) -> None:
    read = response(answer(vector))
    assert read.embeddings[0].WhichOneof("vector") == "float32"
    assert json.loads(WIRE.encode_response(read).body)["data"][0]["embedding"] == vector


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=6))
def test_any_numbers_come_back(vector: list[float]) -> None:
    assert json.loads(WIRE.encode_response(response(answer(vector))).body)["data"][0]["embedding"] == vector


def test_numbers_that_are_no_32_bit_floats_stay_doubles() -> None:
    assert list(response(answer([1 / 3, 1e300])).embeddings[0].float64.values) == [1 / 3, 1e300]


@given(st.lists(FLOATS, min_size=1, max_size=6))
def test_base64_becomes_numbers_and_comes_back(vector: list[float]) -> None:
    text = base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
    read = response(answer(text))
    assert list(read.embeddings[0].float32.values) == vector
    assert json.loads(WIRE.encode_response(read).body)["data"][0]["embedding"] == text


@given(st.binary(min_size=1, max_size=16))
def test_any_base64_comes_back(data: bytes) -> None:
    text = base64.b64encode(data).decode()
    assert json.loads(WIRE.encode_response(response(answer(text))).body)["data"][0]["embedding"] == text


def test_bytes_of_another_encoding_stay_packed() -> None:
    text = base64.b64encode(b"\x01\xff\x7f\x80").decode()
    packed = response(answer(text), base64_holds=pb.VECTOR_ENCODING_INT8).embeddings[0].packed
    assert (packed.encoding, packed.dimensions, packed.data) == (pb.VECTOR_ENCODING_INT8, 4, b"\x01\xff\x7f\x80")


def test_a_client_gets_the_encoding_that_it_asked_for() -> None:
    read = response(answer([0.5, -1.0]))
    text = json.loads(WIRE.encode_response(read, encoding_format="base64").body)["data"][0]["embedding"]
    assert struct.unpack("<2f", base64.b64decode(text)) == (0.5, -1.0)
    packed = response(answer(text))
    assert json.loads(WIRE.encode_response(packed, encoding_format="float").body)["data"][0]["embedding"] == [0.5, -1.0]


def test_answers_keep_everything_beside_the_vectors() -> None:
    body = answer([0.5], id="x", provider="OpenAI", usage={"prompt_tokens": 1, "total_tokens": 1, "cost": 1.4e-07})
    body["data"][0]["index"] = 3
    body["data"][0]["odd"] = 1
    read = response(body)
    assert read.embeddings[0].index == 3
    assert first_difference(body, json.loads(WIRE.encode_response(read).body)) is None


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"data":[{}]}', b'{"data":[{"embedding":"%"}]}', b'{"data":[{"embedding":["x"]}]}']
)
def test_an_answer_that_cannot_be_read_is_malformed(body: bytes) -> None:
    with pytest.raises(ServiceError) as caught:
        WIRE.decode_response(HttpReply(status=200, body=body))
    assert caught.value.reason is Reason.MALFORMED_RESPONSE


def test_errors_are_read() -> None:
    error = WIRE.decode_error(HttpReply(status=404, body=b'{"error":{"code":"model_not_found","message":"x"}}'))
    assert WIRE.decode_error(WIRE.encode_error(error)).reason is Reason.MODEL_NOT_FOUND
