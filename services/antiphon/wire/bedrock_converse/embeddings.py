"""Embeddings over Bedrock's `invoke`: Amazon's Titan and Nova, and Cohere's models, each with a body of its own.

Titan and Nova embed one input a call. Which body a model takes follows from its name; which one an answer has, from
its shape.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from antiphon.core.errors import Reason, ServiceError, invalid
from antiphon.v1 import chat_pb2, content_pb2, embeddings_pb2
from antiphon.wire.base import HttpCall, HttpReply
from antiphon.wire.bedrock_converse.errors import decode_error, encode_error
from antiphon.wire.bedrock_converse.request import HEADERS, model_and_action, path_of, read_body
from antiphon.wire.bedrock_converse.spelling import DEFAULT, FORMATS, Quirks
from antiphon.wire.cohere_v2 import embeddings as cohere
from antiphon.wire.fields import REQUEST, RESPONSE, Fields, Place, count_of, object_at, whole_text
from antiphon.wire.jsontext import Json, JsonObject, dumps, object_of
from antiphon.wire.plain_text import as_text
from antiphon.wire.scribe import Scribe
from antiphon.wire.vectors import lift_floats, lift_integers, lower_floats, lower_integers

WIRE = "bedrock_embeddings"
pb = embeddings_pb2

_TITAN_REQUEST = Fields(pb.EmbedRequest, dimensions="dimensions", normalize="normalize")
_PURPOSES: Mapping[str, pb.TaskType.ValueType] = {
    "GENERIC_INDEX": pb.TASK_TYPE_RETRIEVAL_DOCUMENT,
    "TEXT_RETRIEVAL": pb.TASK_TYPE_RETRIEVAL_QUERY,
    "CLASSIFICATION": pb.TASK_TYPE_CLASSIFICATION,
    "CLUSTERING": pb.TASK_TYPE_CLUSTERING,
}
_PURPOSE_WORDS = {task: word for word, task in _PURPOSES.items()}
_TRUNCATIONS: Mapping[str, bool] = {"NONE": False, "END": True, "START": True}
_TEXT, _TYPES, _TRUNCATE, _PURPOSE = "text", "embeddingsByType", "truncate=", "purpose="
_PARAMS = "singleEmbeddingParams"
_LENIENT = Place(RESPONSE)


class BedrockEmbeddings:
    """The codec of embeddings."""

    name = WIRE

    def __init__(self, quirks: Quirks = DEFAULT) -> None:
        self._quirks = quirks

    def encode_request(self, request: pb.EmbedRequest, /) -> HttpCall:
        """The request for the provider, to be signed. Raises ServiceError UNSUPPORTED_PARAMETER."""
        strict = request.on_unsupported != chat_pb2.UNSUPPORTED_POLICY_WARN
        scribe = Scribe(wire=WIRE, provider=self._quirks.provider, strict=strict)
        body = scribe.restore(request, _dialect(request.model).lower(request, scribe))
        path = path_of(request.model, "invoke")
        return HttpCall(method="POST", path=path, body=dumps(body), headers=HEADERS, warnings=tuple(scribe.warnings))

    def decode_request(self, call: HttpCall, /) -> pb.EmbedRequest:
        """What a client asks. Raises ServiceError INVALID_REQUEST with the path in the body."""
        model, _ = model_and_action(call)
        body, scribe, dialect = read_body(call), Scribe(wire=WIRE), _dialect(model)
        request = dialect.lift(body, scribe)
        request.model = model
        scribe.keep(request, dialect.lower(request, scribe), body)
        return request

    def decode_response(self, reply: HttpReply, /) -> pb.EmbedResponse:
        """The vectors in a reply. Raises ServiceError: MALFORMED_RESPONSE, or the error inside it."""
        body, scribe = object_of(reply.body, "the answer"), Scribe(wire=WIRE, direction=RESPONSE)
        if isinstance(body.get("embedding"), list) or _TYPES in body:
            return _lift_titan(body, scribe)
        items = body.get("embeddings")
        if isinstance(items, list) and items and all(isinstance(item, dict) for item in items):
            return _lift_nova(body, items, scribe)
        if "embeddings" in body:
            return cohere.lift_response(body, scribe)
        if "message" in body:
            raise decode_error(reply)
        raise ServiceError(Reason.MALFORMED_RESPONSE, "the answer has no vectors")

    def encode_response(self, response: pb.EmbedResponse, /) -> HttpReply:
        """The vectors for a client of this wire, in the shape in which they were read; else in Titan's."""
        scribe = Scribe(wire=WIRE, direction=RESPONSE)
        named = scribe.spelling(response, "shape=")
        if named == "nova":
            body = _lower_nova_answer(response, scribe)
        elif named == "titan" or (named is None and not response.HasField("form")):
            body = _lower_titan_answer(response, scribe)
        else:
            body = cohere.lower_response(response, scribe)
        return HttpReply(status=200, body=dumps(body), headers={"content-type": "application/json"})

    def decode_error(self, reply: HttpReply, /) -> ServiceError:
        """The meaning of an unsuccessful reply, whatever its body."""
        return decode_error(reply)

    def encode_error(self, error: ServiceError, /) -> HttpReply:
        """The error for a client."""
        return encode_error(error)


def _lift_titan_request(body: JsonObject, scribe: Scribe) -> pb.EmbedRequest:
    request, parts = pb.EmbedRequest(), []
    text, image = body.get("inputText"), body.get("inputImage")
    if isinstance(text, str) and image is None:
        request.inputs.add().text = whole_text(text)
    elif isinstance(text, str):
        parts.append(content_pb2.Part(text=content_pb2.TextPart(text=whole_text(text))))
    if isinstance(image, str):
        parts.append(_image(image, ""))
    if parts:
        request.inputs.add().parts.parts.extend(parts)
    if not request.inputs:
        raise invalid("inputText", "must be a string")
    _TITAN_REQUEST.lift(body, request, Place(REQUEST))
    config = object_at(body, "embeddingConfig").get("outputEmbeddingLength")
    if type(config) is int and 0 < config < 1 << 31:
        request.dimensions = config
    types = body.get("embeddingTypes")
    if types in (["float"], ["binary"]):
        binary = types == ["binary"]
        request.encoding = pb.VECTOR_ENCODING_BINARY if binary else pb.VECTOR_ENCODING_FLOAT32
    return request


def _lower_titan_request(request: pb.EmbedRequest, scribe: Scribe) -> JsonObject:
    item, body = _only(request, scribe), JsonObject()
    text, media = _content(item)
    if text is not None:
        body["inputText"] = text
    if media is not None:
        body["inputImage"] = base64.b64encode(media.data).decode()
    _TITAN_REQUEST.lower(request, body)
    if "image" in request.model and "dimensions" in body:
        body["embeddingConfig"] = {"outputEmbeddingLength": body.pop("dimensions")}
    if request.encoding in (pb.VECTOR_ENCODING_FLOAT32, pb.VECTOR_ENCODING_BINARY):
        body["embeddingTypes"] = ["binary" if request.encoding == pb.VECTOR_ENCODING_BINARY else "float"]
    elif request.encoding:
        scribe.unsupported("encoding", "Titan gives 32-bit floats and bits")
    for name in ("task_type", "truncate", "end_user_id"):
        if getattr(request, name):
            scribe.unsupported(name, "Titan has no field for it")
    return body


def _lift_nova_request(body: JsonObject, scribe: Scribe) -> pb.EmbedRequest:
    request, params = pb.EmbedRequest(), object_at(body, _PARAMS)
    text = object_at(params, _TEXT)
    if isinstance(text.get("value"), str):
        request.inputs.add().text = whole_text(text["value"])
    else:
        kind = next((kind for kind in ("image", "video", "audio") if isinstance(params.get(kind), dict)), "")
        data = object_at(object_at(params, kind), "source").get("bytes")
        word = object_at(params, kind).get("format")
        item = request.inputs.add()
        item.parts.SetInParent()
        if isinstance(data, str) and kind == "image":
            item.parts.parts.append(_image(data, word if isinstance(word, str) else ""))
    if text.get("truncationMode") in _TRUNCATIONS:
        request.truncate = _TRUNCATIONS[text["truncationMode"]]
        scribe.spell(request, f"{_TRUNCATE}{text['truncationMode']}")
    purpose = params.get("embeddingPurpose")
    if isinstance(purpose, str):
        scribe.spell(request, f"{_PURPOSE}{purpose}")
        if purpose in _PURPOSES or purpose.endswith("_RETRIEVAL"):
            request.task_type = _PURPOSES.get(purpose, pb.TASK_TYPE_RETRIEVAL_QUERY)
    length = params.get("embeddingDimension")
    if type(length) is int and 0 < length < 1 << 31:
        request.dimensions = length
    return request


def _lower_nova_request(request: pb.EmbedRequest, scribe: Scribe) -> JsonObject:
    text, media = _content(_only(request, scribe))
    spelled = scribe.spelling(request, _PURPOSE)
    params: JsonObject = {"embeddingPurpose": spelled or _PURPOSE_WORDS.get(request.task_type, "GENERIC_INDEX")}
    if request.HasField("dimensions"):
        params["embeddingDimension"] = request.dimensions
    if text is not None:
        mode = scribe.spelling(request, _TRUNCATE) or ("END" if request.truncate else "NONE")
        params[_TEXT] = {"truncationMode": mode, "value": text}
    elif media is not None:
        source = {"bytes": base64.b64encode(media.data).decode()}
        word = next((word for word, kind in FORMATS["image"].items() if kind == media.media_type), media.format)
        params["image"] = {"format": word or "png", "source": source}
    for name in ("normalize", "end_user_id"):
        if getattr(request, name):
            scribe.unsupported(name, "Nova has no field for it")
    if request.encoding not in (pb.VECTOR_ENCODING_UNSPECIFIED, pb.VECTOR_ENCODING_FLOAT32):
        scribe.unsupported("encoding", "Nova gives 32-bit floats")
    return {"taskType": "SINGLE_EMBEDDING", _PARAMS: params}


@dataclass(frozen=True, slots=True)
class _Dialect:
    lift: Callable[[JsonObject, Scribe], pb.EmbedRequest]
    lower: Callable[[pb.EmbedRequest, Scribe], JsonObject]


_DIALECTS: Mapping[str, _Dialect] = {
    "cohere.": _Dialect(cohere.lift_request, cohere.lower_request),
    "amazon.nova": _Dialect(_lift_nova_request, _lower_nova_request),
    "amazon.titan": _Dialect(_lift_titan_request, _lower_titan_request),
}


def _dialect(model: str) -> _Dialect:
    found = next((dialect for name, dialect in _DIALECTS.items() if name in model), None)
    if found is None:
        raise invalid("model", f"embeddings of '{model}' are not known: give one of Titan, Nova or Cohere")
    return found


def _only(request: pb.EmbedRequest, scribe: Scribe) -> pb.EmbedInput:
    """The one input; several take several calls."""
    if len(request.inputs) != 1:
        why = f"{request.model} embeds one input a call, not {len(request.inputs)}; send them one by one"
        raise invalid("inputs", why, reason=Reason.UNSUPPORTED_PARAMETER)
    if request.inputs[0].title:
        scribe.unsupported("inputs[0].title", "Bedrock takes no titles; put it into the text")
    return request.inputs[0]


def _content(item: pb.EmbedInput) -> tuple[str | None, content_pb2.MediaPart | None]:
    if item.WhichOneof("input") == "text":
        return item.text, None
    if item.WhichOneof("input") == "tokens":
        raise invalid("inputs[0].tokens", "Bedrock takes no numbers of tokens", reason=Reason.UNSUPPORTED_PARAMETER)
    texts = [text for part in item.parts.parts if (text := as_text(part)) is not None]
    media = [part.media for part in item.parts.parts if part.media.WhichOneof("source") == "data"]
    return ("\n".join(texts) if texts else None), (media[0] if media else None)


def _image(text: str, word: str) -> content_pb2.Part:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise invalid("image", "must be base64") from error
    media = content_pb2.MediaPart(data=data, format=word, modality=content_pb2.MODALITY_IMAGE)
    media.media_type = FORMATS["image"].get(word, "")
    return content_pb2.Part(media=media)


def _lift_titan(body: JsonObject, scribe: Scribe) -> pb.EmbedResponse:
    response = pb.EmbedResponse()
    scribe.spell(response, "shape=titan")
    embedding, by_type = response.embeddings.add(), object_at(body, _TYPES)
    vector: Json = body.get("embedding")
    if isinstance(vector, list):
        lift_floats(embedding, vector, scribe)
        scribe.spell(response, "embedding")
    elif isinstance(by_type.get("float"), list):
        lift_floats(embedding, by_type["float"], scribe)
    else:
        bits = by_type.get("binary")
        lift_integers(embedding, bits, pb.VECTOR_ENCODING_UINT8, scribe, signed=False)
    for word in ("float", "binary"):
        if word in by_type:
            scribe.spell(response, f"type {word}")
    if (count := count_of(body.get("inputTextTokenCount"))) is not None:
        response.usage.input_tokens = count
    scribe.keep(response, _lower_titan_answer(response, scribe), body)
    return response


def _lower_titan_answer(response: pb.EmbedResponse, scribe: Scribe) -> JsonObject:
    body, first = JsonObject(), response.embeddings[0] if response.embeddings else pb.Embedding()
    vector: Json = lower_integers(first, scribe) if first.HasField("packed") else lower_floats(first, scribe)
    words = [word for word in ("float", "binary") if scribe.spelled(response, f"type {word}")]
    own = "binary" if first.HasField("packed") else "float"
    if scribe.spelled(response, "embedding") or not words:
        body["embedding"] = vector
    if own in words:
        body[_TYPES] = {own: vector}
    if response.usage.HasField("input_tokens"):
        body["inputTextTokenCount"] = response.usage.input_tokens
    return scribe.restore(response, body)


def _lift_nova(body: JsonObject, items: list[JsonObject], scribe: Scribe) -> pb.EmbedResponse:
    response = pb.EmbedResponse()
    scribe.spell(response, "shape=nova")
    for number, item in enumerate(items):
        embedding = response.embeddings.add(index=number)
        lift_floats(embedding, item.get("embedding"), scribe)
        rest = {key: value for key, value in item.items() if key != "embedding"}
        if rest.get("embeddingType") == "TEXT":
            scribe.spell(embedding, _TEXT)
        scribe.keep(embedding, {"embeddingType": "TEXT"} if scribe.spelled(embedding, _TEXT) else {}, rest)
    scribe.keep(response, {"embeddings": 0}, {**body, "embeddings": 0})
    return response


def _lower_nova_answer(response: pb.EmbedResponse, scribe: Scribe) -> JsonObject:
    body = scribe.restore(response, {})
    body["embeddings"] = [
        {
            **scribe.restore(item, {"embeddingType": "TEXT"} if scribe.spelled(item, _TEXT) else {}),
            "embedding": lower_floats(item, scribe),
        }
        for item in response.embeddings
    ]
    return body
