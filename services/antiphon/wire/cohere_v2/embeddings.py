"""Cohere's embeddings, both ways: `/v2/embed`, and the same body over Bedrock's `invoke`."""

from __future__ import annotations

from collections.abc import Mapping

from antiphon.core.errors import Reason, ServiceError, invalid
from antiphon.v1 import chat_pb2, content_pb2, embeddings_pb2
from antiphon.wire.base import HttpCall, HttpReply
from antiphon.wire.cohere_v2.errors import decode_error, encode_error
from antiphon.wire.cohere_v2.request import read_body
from antiphon.wire.cohere_v2.spelling import DEFAULT, Quirks
from antiphon.wire.fields import REQUEST, RESPONSE, Fields, Place, object_at, objects, whole_text
from antiphon.wire.jsontext import Json, JsonObject, dumps, object_of
from antiphon.wire.openai_chat.parts import data_url, lift_part, lower_part, read_address
from antiphon.wire.scribe import Scribe
from antiphon.wire.vectors import lift_floats, lift_integers, lower_floats, lower_integers

WIRE = "cohere_embeddings"
pb = embeddings_pb2

_REQUEST = Fields(pb.EmbedRequest, output_dimension="dimensions")
_TASKS: Mapping[str, pb.TaskType.ValueType] = {
    "search_query": pb.TASK_TYPE_RETRIEVAL_QUERY,
    "search_document": pb.TASK_TYPE_RETRIEVAL_DOCUMENT,
    "classification": pb.TASK_TYPE_CLASSIFICATION,
    "clustering": pb.TASK_TYPE_CLUSTERING,
}
_TASK_WORDS = {task: word for word, task in _TASKS.items()} | {
    pb.TASK_TYPE_SEMANTIC_SIMILARITY: "clustering",
    pb.TASK_TYPE_QUESTION_ANSWERING: "search_query",
    pb.TASK_TYPE_FACT_VERIFICATION: "search_query",
    pb.TASK_TYPE_CODE_RETRIEVAL_QUERY: "search_query",
    pb.TASK_TYPE_UNSPECIFIED: "search_document",
}
"""The wire requires a word; for a task that it has none for, the nearest."""
_ENCODINGS: Mapping[str, pb.VectorEncoding.ValueType] = {
    "float": pb.VECTOR_ENCODING_FLOAT32,
    "base64": pb.VECTOR_ENCODING_FLOAT32,
    "int8": pb.VECTOR_ENCODING_INT8,
    "uint8": pb.VECTOR_ENCODING_UINT8,
    "ubinary": pb.VECTOR_ENCODING_BINARY,
    "binary": pb.VECTOR_ENCODING_BINARY,
}
_WORDS = {
    pb.VECTOR_ENCODING_FLOAT32: "float",
    pb.VECTOR_ENCODING_INT8: "int8",
    pb.VECTOR_ENCODING_UINT8: "uint8",
    pb.VECTOR_ENCODING_BINARY: "ubinary",
}
_TRUNCATIONS: Mapping[str, bool] = {"NONE": False, "END": True, "START": True}
_IMAGE = "image"
_TYPE, _TRUNCATE, _IMAGES, _LIST, _NO_TYPE = "type=", "truncate=", "images", "list", "no_input_type"


class CohereEmbeddings:
    """The codec of embeddings."""

    name = WIRE

    def __init__(self, quirks: Quirks = DEFAULT) -> None:
        self._quirks = quirks

    def encode_request(self, request: pb.EmbedRequest, /) -> HttpCall:
        """The request for the provider. Raises ServiceError UNSUPPORTED_PARAMETER, unless `on_unsupported` is WARN."""
        strict = request.on_unsupported != chat_pb2.UNSUPPORTED_POLICY_WARN
        scribe = Scribe(wire=WIRE, provider=self._quirks.provider, strict=strict)
        body = scribe.restore(request, {"model": request.model, **lower_request(request, scribe)})
        path = f"{self._quirks.base_path}/embed"
        headers = {"content-type": "application/json"}
        return HttpCall(method="POST", path=path, body=dumps(body), headers=headers, warnings=tuple(scribe.warnings))

    def decode_request(self, call: HttpCall, /) -> pb.EmbedRequest:
        """What a client asks. Raises ServiceError INVALID_REQUEST with the path in the body."""
        body, scribe = read_body(call), Scribe(wire=WIRE)
        request = lift_request(body, scribe)
        if isinstance(body.get("model"), str):
            request.model = whole_text(body["model"])
        scribe.keep(request, {"model": request.model, **lower_request(request, scribe)}, body)
        return request

    def decode_response(self, reply: HttpReply, /) -> pb.EmbedResponse:
        """The vectors in a reply. Raises ServiceError: MALFORMED_RESPONSE, or the error inside it."""
        body = object_of(reply.body, "the answer")
        if "embeddings" not in body and isinstance(body.get("message"), str):
            raise decode_error(reply)
        return lift_response(body, Scribe(wire=WIRE, direction=RESPONSE))

    def encode_response(self, response: pb.EmbedResponse, /) -> HttpReply:
        """The vectors for a client of this wire."""
        body = lower_response(response, Scribe(wire=WIRE, direction=RESPONSE))
        return HttpReply(status=200, body=dumps(body), headers={"content-type": "application/json"})

    def decode_error(self, reply: HttpReply, /) -> ServiceError:
        """The meaning of an unsuccessful reply, whatever its body."""
        return decode_error(reply)

    def encode_error(self, error: ServiceError, /) -> HttpReply:
        """The error for a client."""
        return encode_error(error)


def lift_request(body: JsonObject, scribe: Scribe) -> pb.EmbedRequest:
    """The request that a body says, without its remainder. Raises ServiceError INVALID_REQUEST."""
    request = pb.EmbedRequest()
    for key in ("texts", "images"):
        given = body.get(key)
        if given is not None and not (isinstance(given, list) and all(isinstance(item, str) for item in given)):
            raise invalid(key, "must be a list of strings")
        for item in given or ():
            if key == "texts":
                request.inputs.add().text = whole_text(item)
            else:
                media = request.inputs.add().parts.parts.add().media
                media.modality = content_pb2.MODALITY_IMAGE
                read_address(media, item)
                scribe.spell(request, _IMAGES)
    for item in objects(body.get("inputs")):
        parts = request.inputs.add().parts.parts
        parts.extend(lift_part(part, REQUEST) for part in objects(item.get("content")))
    _REQUEST.lift(body, request, Place(REQUEST))
    word = body.get("input_type")
    if isinstance(word, str) and word in _TASKS:
        request.task_type = _TASKS[word]
    elif word is None:
        scribe.spell(request, _NO_TYPE)
    types = body.get("embedding_types")
    if isinstance(types, list) and types and types[0] in _ENCODINGS:
        request.encoding = _ENCODINGS[types[0]]
        scribe.spell(request, f"{_TYPE}{types[0]}")
    mode = body.get("truncate")
    if isinstance(mode, str) and mode in _TRUNCATIONS:
        request.truncate = _TRUNCATIONS[mode]
        scribe.spell(request, f"{_TRUNCATE}{mode}")
    return request


def lower_request(request: pb.EmbedRequest, scribe: Scribe) -> JsonObject:
    """The body of a request but its model."""
    body: JsonObject = {}
    texts = [item.text for item in request.inputs if item.WhichOneof("input") == "text"]
    rest = [item for item in request.inputs if item.WhichOneof("input") != "text"]
    images = [_image(item) for item in rest]
    if any(item.WhichOneof("input") == "tokens" for item in rest):
        scribe.unsupported("inputs", "Cohere takes texts and images, no numbers of tokens")
    elif rest and not texts and scribe.spelled(request, _IMAGES) and None not in images:
        body["images"] = images
    elif rest:
        body["inputs"] = [{"content": _content(item, n, scribe)} for n, item in enumerate(request.inputs)]
    if not rest:
        body["texts"] = texts
    for number, item in enumerate(request.inputs):
        if item.title:
            scribe.unsupported(f"inputs[{number}].title", "Cohere takes no titles; put it into the text")
    pictures = bool(rest) and not request.task_type and scribe.spelled(request, _IMAGES)
    if not scribe.spelled(request, _NO_TYPE):
        body["input_type"] = _IMAGE if pictures else _TASK_WORDS[request.task_type]
    word = scribe.spelling(request, _TYPE) or _WORDS.get(request.encoding or pb.VECTOR_ENCODING_FLOAT32)
    if word is None:
        scribe.unsupported("encoding", "Cohere gives 32-bit floats, bytes and bits")
    elif request.encoding or not request.HasField("form"):
        body["embedding_types"] = [word]
    if request.HasField("truncate"):
        body["truncate"] = scribe.spelling(request, _TRUNCATE) or ("END" if request.truncate else "NONE")
    for name in ("normalize", "end_user_id"):
        if getattr(request, name):
            scribe.unsupported(name, "Cohere has no field for it")
    return _REQUEST.lower(request, body)


def lift_response(body: JsonObject, scribe: Scribe) -> pb.EmbedResponse:
    """The answer that a body says. Raises ServiceError MALFORMED_RESPONSE."""
    response, given = pb.EmbedResponse(), body.get("embeddings")
    if isinstance(given, list):
        scribe.spell(response, _LIST)
        _lift_vectors(response, given, "float", scribe)
        rest: JsonObject = {key: value for key, value in body.items() if key != "embeddings"}
    elif isinstance(given, dict):
        word = next((word for word in _ENCODINGS if isinstance(given.get(word), list)), "")
        _lift_vectors(response, given.get(word) or [], word, scribe)
        scribe.spell(response, f"{_TYPE}{word}")
        others = {key: value for key, value in given.items() if key != word}
        rest = {**body, "embeddings": others} if others else {k: v for k, v in body.items() if k != "embeddings"}
    else:
        raise ServiceError(Reason.MALFORMED_RESPONSE, "the answer has no embeddings")
    if isinstance(body.get("id"), str):
        response.id = whole_text(body["id"])
    meta = object_at(body, "meta")
    for key, value in object_at(meta, "billed_units").items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            response.usage.billed_units[whole_text(key)] = value
    tokens = object_at(meta, "tokens").get("input_tokens")
    billed = response.usage.billed_units.get("input_tokens")
    if isinstance(tokens, int | float) and not isinstance(tokens, bool):
        response.usage.input_tokens = int(tokens)
    elif billed is not None:
        response.usage.input_tokens = int(billed)
    for warning in meta["warnings"] if isinstance(meta.get("warnings"), list) else ():
        if isinstance(warning, str):
            response.warnings.add(code="PROVIDER_WARNING", message=whole_text(warning))
    scribe.keep(response, _lowered_frame(response, scribe), rest)
    return response


def lower_response(response: pb.EmbedResponse, scribe: Scribe) -> JsonObject:
    """The body of an answer."""
    body = scribe.restore(response, _lowered_frame(response, scribe))
    vectors = [_lower_vector(item, scribe) for item in response.embeddings]
    if scribe.spelled(response, _LIST):
        body["embeddings"] = vectors
        return body
    first = response.embeddings[0] if response.embeddings else pb.Embedding()
    packed = first.packed.encoding if first.HasField("packed") else pb.VECTOR_ENCODING_FLOAT32
    word = scribe.spelling(response, _TYPE) or _WORDS[packed]
    body["embeddings"] = {**object_at(body, "embeddings"), word: vectors}
    return body


def _lift_vectors(response: pb.EmbedResponse, vectors: list[Json], word: str, scribe: Scribe) -> None:
    for number, vector in enumerate(vectors):
        embedding = response.embeddings.add(index=number)
        encoding = _ENCODINGS.get(word, pb.VECTOR_ENCODING_FLOAT32)
        if encoding == pb.VECTOR_ENCODING_FLOAT32:
            lift_floats(embedding, vector, scribe)
        else:
            lift_integers(embedding, vector, encoding, scribe, signed=word == "binary")


def _lower_vector(embedding: pb.Embedding, scribe: Scribe) -> Json:
    return lower_integers(embedding, scribe) if embedding.HasField("packed") else lower_floats(embedding, scribe)


def _lowered_frame(response: pb.EmbedResponse, scribe: Scribe) -> JsonObject:
    body: JsonObject = {"id": response.id} if response.id else {}
    meta: JsonObject = {}
    units = response.usage.billed_units
    if units:
        meta["billed_units"] = {
            key: int(value) if value.is_integer() else value for key, value in sorted(units.items())
        }
    if response.usage.HasField("input_tokens") and units.get("input_tokens") != response.usage.input_tokens:
        meta["tokens"] = {"input_tokens": response.usage.input_tokens}
    warnings = [warning.message for warning in response.warnings if warning.code == "PROVIDER_WARNING"]
    if warnings:
        meta["warnings"] = warnings
    if meta:
        body["meta"] = meta
    body["response_type"] = "embeddings_floats" if scribe.spelled(response, _LIST) else "embeddings_by_type"
    return body


def _image(item: pb.EmbedInput) -> str | None:
    parts = item.parts.parts
    if len(parts) != 1 or not parts[0].HasField("media"):
        return None
    return data_url(parts[0].media, "image/png")


def _content(item: pb.EmbedInput, number: int, scribe: Scribe) -> list[Json]:
    if item.WhichOneof("input") == "text":
        return [{"type": "text", "text": item.text}]
    return [lower_part(part, REQUEST, f"inputs[{number}].parts") for part in item.parts.parts]
