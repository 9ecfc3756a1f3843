"""OpenAI embeddings, both ways, and the providers that speak them.

Vectors are 32-bit floats, as models make them and as vector stores keep them: half the bytes of doubles, so that a
batch stays under gRPC's usual 4 MB. JSON has only decimals, and providers write them in two ways: the shortest that
gives the float back, or all digits of the float as a double. Both are read without loss and written again as they
were; the form tells which. Numbers that are no 32-bit floats at all stay doubles.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson

from antiphon.core.errors import Reason, ServiceError, invalid
from antiphon.v1 import embeddings_pb2
from antiphon.wire.base import HttpCall, HttpReply
from antiphon.wire.embedding_quirks import EmbeddingQuirks
from antiphon.wire.jsontext import JsonObject, dumps, loads, object_of
from antiphon.wire.openai_chat.errors import lift_error, lower_error
from antiphon.wire.openai_chat.gaps import Gaps
from antiphon.wire.openai_chat.parts import lift_part, lower_part
from antiphon.wire.openai_chat.usage import lift_usage, lower_usage
from antiphon.wire.remainder import keep, restore
from antiphon.wire.vectors import are_shortest, doubles_of, floats_of, set_doubles, set_floats

WIRE = "openai_embeddings"
PATH = "/embeddings"
REQUEST = "request"
RESPONSE = "response"

pb = embeddings_pb2
_SINGLE = "single_input"
_PAST = 2.0**63
_BASE64 = "base64"
_WIDENED = "widened"
"""Decimals with all digits of the float as a double: -0.04541015625 (Mistral, OpenRouter)."""

_TASKS = {
    "query": pb.TASK_TYPE_RETRIEVAL_QUERY,  # Voyage, NVIDIA
    "document": pb.TASK_TYPE_RETRIEVAL_DOCUMENT,
    "passage": pb.TASK_TYPE_RETRIEVAL_DOCUMENT,
    "search_query": pb.TASK_TYPE_RETRIEVAL_QUERY,  # Cohere
    "search_document": pb.TASK_TYPE_RETRIEVAL_DOCUMENT,
    "classification": pb.TASK_TYPE_CLASSIFICATION,
    "clustering": pb.TASK_TYPE_CLUSTERING,
}
_FORMATS: Mapping[str, pb.VectorEncoding.ValueType] = {
    "float": pb.VECTOR_ENCODING_FLOAT32,
    "base64": pb.VECTOR_ENCODING_FLOAT32,
    "base64_int8": pb.VECTOR_ENCODING_INT8,  # Perplexity
    "base64_binary": pb.VECTOR_ENCODING_BINARY,
}
_TYPES: Mapping[str, pb.VectorEncoding.ValueType] = {
    "float": pb.VECTOR_ENCODING_FLOAT32,
    "int8": pb.VECTOR_ENCODING_INT8,  # Voyage, Mistral
    "uint8": pb.VECTOR_ENCODING_UINT8,
    "ubinary": pb.VECTOR_ENCODING_BINARY,
}
_NAMES: Mapping[str, Mapping[str, pb.VectorEncoding.ValueType]] = {"encoding_format": _FORMATS, "output_dtype": _TYPES}


class OpenAIEmbeddings:
    """The wire of embeddings."""

    def __init__(self, quirks: EmbeddingQuirks | None = None) -> None:
        self._quirks = quirks or EmbeddingQuirks()

    @property
    def name(self) -> str:
        """The wire's name."""
        return WIRE

    def encode_request(self, request: pb.EmbedRequest) -> HttpCall:
        """The request for the provider. Raises ServiceError UNSUPPORTED_PARAMETER; see `HttpCall.warnings`."""
        gaps = Gaps()
        lowered = _lowered_request(request, self._quirks, gaps)
        warnings = gaps.settle(request.on_unsupported)
        names = [self._quirks.provider] if self._quirks.provider else []
        body = dumps(restore(request, WIRE, REQUEST, lowered, *names))
        headers = {"content-type": "application/json"}
        return HttpCall(method="POST", path=PATH, body=body, headers=headers, warnings=warnings)

    def decode_request(self, call: HttpCall) -> pb.EmbedRequest:
        """What a client asks. Raises ServiceError INVALID_REQUEST with the field's path."""
        return _lift_request(call)

    def decode_response(self, reply: HttpReply) -> pb.EmbedResponse:
        """The vectors of a successful reply. Raises ServiceError: MALFORMED_RESPONSE, or the error inside it."""
        data = object_of(reply.body, "the answer", read=_read)
        if "data" not in data and ("error" in data or "detail" in data):
            raise lift_error(reply)
        items = data.get("data")
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise ServiceError(Reason.MALFORMED_RESPONSE, "the answer has no list of vectors")
        response = pb.EmbedResponse()
        for position, item in enumerate(items):
            _lift_vector(response.embeddings.add(), item, position, self._quirks.base64_holds)
        for name, target in (("model", "model"), ("id", "id")):
            if isinstance(data.get(name), str):
                setattr(response, target, data[name])
        if isinstance(data.get("usage"), dict):
            lift_usage(data, response.usage)
        keep(response, WIRE, RESPONSE, _lowered_frame(response), {**data, "data": []})
        return response

    def encode_response(self, response: pb.EmbedResponse, *, encoding_format: str = "") -> HttpReply:
        """The vectors for a client of this wire; `encoding_format` as it asked, or empty for as they were read."""
        data = restore(response, WIRE, RESPONSE, _lowered_frame(response))
        data["data"] = [_lower_vector(item, encoding_format) for item in response.embeddings]
        body = orjson.dumps(data, option=orjson.OPT_SERIALIZE_NUMPY)
        return HttpReply(status=200, body=body, headers={"content-type": "application/json"})

    def decode_error(self, reply: HttpReply) -> ServiceError:
        """The meaning of an unsuccessful reply."""
        return lift_error(reply)

    def encode_error(self, error: ServiceError) -> HttpReply:
        """The error for a client."""
        return lower_error(error)


def _lift_request(call: HttpCall) -> pb.EmbedRequest:
    try:
        data = loads(call.body)
    except ValueError as error:
        raise ServiceError(Reason.INVALID_REQUEST, f"the body is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise ServiceError(Reason.INVALID_REQUEST, "the body is not a JSON object")
    request = pb.EmbedRequest(model=data["model"] if isinstance(data.get("model"), str) else "")
    _lift_inputs(request, data.get("input"))
    for name in ("dimensions", "output_dimension"):
        if type(data.get(name)) is int and -(2**31) <= data[name] < 2**31:
            request.dimensions = data[name]
            _spell(request, REQUEST, name)
            break
    for name, words in _NAMES.items():
        if isinstance(data.get(name), str) and data[name] in words and not request.encoding:
            request.encoding = words[data[name]]
            _spell(request, REQUEST, f"{name}={data[name]}")
    if isinstance(data.get("input_type"), str) and data["input_type"] in _TASKS:
        request.task_type = _TASKS[data["input_type"]]
        _spell(request, REQUEST, f"input_type={data['input_type']}")
    if isinstance(data.get("truncation"), bool):
        request.truncate = data["truncation"]
    if isinstance(data.get("user"), str):
        request.end_user_id = data["user"]
    keep(request, WIRE, REQUEST, _lowered_request(request, EmbeddingQuirks(), Gaps()), data)
    return request


def _lift_inputs(request: pb.EmbedRequest, value: Any) -> None:
    if isinstance(value, str) or (isinstance(value, list) and value and all(type(x) is int for x in value)):
        _spell(request, REQUEST, _SINGLE)
        value = [value]
    if not isinstance(value, list):
        raise invalid("input", "give a text, a list of texts, or lists of token numbers")
    for index, item in enumerate(value):
        target = request.inputs.add()
        if isinstance(item, str):
            target.text = item
        elif isinstance(item, list) and all(type(x) is int and 0 <= x < 2**31 for x in item):
            target.tokens.SetInParent()
            target.tokens.ids.extend(item)
        elif isinstance(item, dict):
            target.parts.parts.append(lift_part(item, REQUEST))
        else:
            raise invalid(f"input[{index}]", "give a text or a list of token numbers")


def _lowered_request(request: pb.EmbedRequest, quirks: EmbeddingQuirks, gaps: Gaps) -> JsonObject:
    inputs = [_lowered_input(item, index, gaps) for index, item in enumerate(request.inputs)]
    single = len(inputs) == 1 and _spelled(request, _SINGLE)
    data: JsonObject = {"model": request.model, "input": inputs[0] if single else inputs}
    rest: dict[str, tuple[str, Any]] = {}
    if request.HasField("dimensions"):
        read = "output_dimension" if _spelled(request, "output_dimension") else "dimensions"
        rest[quirks.dimensions_field or read] = ("dimensions", request.dimensions)
    _lower_encoding(rest, request, quirks, gaps)
    if request.task_type:
        words = [word for word, task in _TASKS.items() if task == request.task_type]
        read_words = [word for word in words if _spelled(request, f"input_type={word}")]
        word = quirks.task_words.get(request.task_type) or next(iter(read_words), None)
        if word is None:
            gaps.lacks("task_type", "this provider's model does not tell tasks apart")
        else:
            rest["input_type"] = ("task_type", word)
    if request.HasField("normalize"):
        gaps.lacks("normalize", "this wire has no field for it")
    if request.HasField("truncate"):
        rest["truncation"] = ("truncate", request.truncate)
    if request.end_user_id:
        rest["user"] = ("end_user_id", request.end_user_id)
    for name, (path, value) in rest.items():
        if name in quirks.refuses:
            gaps.lacks(path, f"this provider does not take {name}")
        else:
            data[name] = value
    return data


def _lowered_input(item: pb.EmbedInput, index: int, gaps: Gaps) -> Any:
    if item.title:
        gaps.lacks(f"inputs[{index}].title", "this wire has no titles")
    kind = item.WhichOneof("input")
    if kind == "tokens":
        return list(item.tokens.ids)
    if kind == "parts":
        if len(item.parts.parts) == 1:
            return lower_part(item.parts.parts[0], REQUEST, f"inputs[{index}].parts")
        gaps.lacks(f"inputs[{index}].parts", "this wire takes one part an input")
    return item.text


def _lower_encoding(
    rest: dict[str, tuple[str, Any]], request: pb.EmbedRequest, quirks: EmbeddingQuirks, gaps: Gaps
) -> None:
    encoding = request.encoding
    if quirks.base64 and encoding in (pb.VECTOR_ENCODING_UNSPECIFIED, pb.VECTOR_ENCODING_FLOAT32):
        rest["encoding_format"] = ("encoding", "base64")
        return
    if not encoding:
        return
    if encoding in quirks.encodings:
        name, word = quirks.encodings[encoding]
        rest[name] = ("encoding", word)
        return
    for name, words in _NAMES.items():
        read = [word for word, meaning in words.items() if meaning == encoding and _spelled(request, f"{name}={word}")]
        if read:
            rest[name] = ("encoding", read[0])
            return
    if encoding == pb.VECTOR_ENCODING_FLOAT32:
        rest["encoding_format"] = ("encoding", "float")
    else:
        gaps.lacks("encoding", "this provider gives 32-bit floats only")


def _read(body: bytes) -> Any:
    """As `jsontext.loads`, without a search through all numbers for an integer past 64 bits: in a vector it is the
    same number as a float, and what stands beside the vectors is soon looked through."""
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        return loads(body)
    return loads(body) if _past_64_bits(data) else data


def _past_64_bits(value: Any) -> bool:
    """Whether a number may have been an integer that orjson cannot hold; vectors are not looked through."""
    if isinstance(value, dict):
        return any(_past_64_bits(inner) for name, inner in value.items() if name != "embedding")
    if isinstance(value, list):
        return any(map(_past_64_bits, value))
    return isinstance(value, float) and abs(value) >= _PAST


def _lift_vector(embedding: pb.Embedding, item: JsonObject, position: int, holds: pb.VectorEncoding.ValueType) -> None:
    index = item.get("index")
    embedding.index = index if type(index) is int and 0 <= index < 2**31 else position
    vector = item.get("embedding")
    if isinstance(vector, str):
        _lift_packed(embedding, vector, holds)
    elif isinstance(vector, list):
        _lift_numbers(embedding, vector)
    else:
        raise ServiceError(Reason.MALFORMED_RESPONSE, f"vector {position} of the answer is no list and no base64")
    read = {name: value for name, value in item.items() if name != "embedding"}
    keep(embedding, WIRE, RESPONSE, _lowered_item(embedding), read)


def _lift_packed(embedding: pb.Embedding, text: str, holds: pb.VectorEncoding.ValueType) -> None:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ServiceError(Reason.MALFORMED_RESPONSE, f"a vector of the answer is not base64: {error}") from error
    _spell(embedding, RESPONSE, _BASE64)
    if holds == pb.VECTOR_ENCODING_FLOAT32 and len(data) % 4 == 0:
        floats = np.frombuffer(data, dtype="<f4")
        if np.isfinite(floats).all():
            set_floats(embedding, floats)
            return
    packed = embedding.packed
    packed.encoding, packed.data = holds, data
    packed.dimensions = len(data) * 8 if holds == pb.VECTOR_ENCODING_BINARY else len(data) // _WIDTHS.get(holds, 1)


def _lift_numbers(embedding: pb.Embedding, vector: list[Any]) -> None:
    doubles = doubles_of(vector)
    floats = floats_of(doubles)
    if np.array_equal(floats, doubles):
        _spell(embedding, RESPONSE, _WIDENED)
    elif not are_shortest(floats, vector):
        set_doubles(embedding, doubles)
        return
    set_floats(embedding, floats)


def _lower_vector(embedding: pb.Embedding, encoding_format: str) -> JsonObject:
    kind = embedding.WhichOneof("vector")
    packed = encoding_format == "base64" or (not encoding_format and _spelled(embedding, _BASE64))
    data = restore(embedding, WIRE, RESPONSE, _lowered_item(embedding))
    if kind == "packed":
        data["embedding"] = base64.b64encode(embedding.packed.data).decode()
    elif kind == "sparse":
        text = "this format has no sparse vectors; call the gRPC API for them"
        raise ServiceError(Reason.UNSUPPORTED_OPERATION, text)
    elif kind == "float64":
        values = list(embedding.float64.values)
        data["embedding"] = base64.b64encode(np.array(values, "<f4").tobytes()).decode() if packed else values
    else:
        floats = np.array(embedding.float32.values, dtype="<f4")
        text = base64.b64encode(floats.tobytes()).decode() if packed else ""
        widened = list(embedding.float32.values) if _spelled(embedding, _WIDENED) else floats
        data["embedding"] = text or widened
    return data


def _lowered_item(embedding: pb.Embedding) -> JsonObject:
    return {"object": "embedding", "index": embedding.index}


def _lowered_frame(response: pb.EmbedResponse) -> JsonObject:
    data: JsonObject = {"object": "list", "data": [], "model": response.model}
    if response.id:
        data["id"] = response.id
    if response.HasField("usage"):
        data["usage"] = lower_usage(response.usage)["usage"]
    return data


_WIDTHS = {pb.VECTOR_ENCODING_FLOAT32: 4, pb.VECTOR_ENCODING_FLOAT16: 2}


def _spell(carrier: pb.EmbedRequest | pb.Embedding, direction: str, name: str) -> None:
    carrier.form.wire = f"{WIRE}/{direction}"
    carrier.form.spellings.append(name)


def _spelled(carrier: pb.EmbedRequest | pb.Embedding, name: str) -> bool:
    return carrier.HasField("form") and carrier.form.wire.startswith(WIRE) and name in carrier.form.spellings
