"""Embeddings, both ways: one content (`embedContent`) or several (`batchEmbedContents`), of text and other media."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from antiphon.core.errors import Reason, ServiceError, invalid
from antiphon.v1 import chat_pb2, embeddings_pb2
from antiphon.wire.base import HttpCall, HttpReply
from antiphon.wire.fields import REQUEST, RESPONSE, Fields, Place, count_of, object_at, whole_text
from antiphon.wire.gemini import errors
from antiphon.wire.gemini.parts import lift_part, lower_part
from antiphon.wire.gemini.quirks import DEFAULT, Quirks
from antiphon.wire.gemini.request import body_of, path_of, resource_of, target_of
from antiphon.wire.gemini.response import JSON
from antiphon.wire.gemini.spelling import plain
from antiphon.wire.gemini.usage import lift_details, lower_details
from antiphon.wire.gemini.writer import Writer
from antiphon.wire.jsontext import Json, JsonObject, dumps, object_of
from antiphon.wire.vectors import lift_floats, lower_floats

pb = embeddings_pb2
WIRE = "gemini_embeddings"
SINGLE, BATCH = "embedContent", "batchEmbedContents"
_TASKS: Mapping[str, pb.TaskType.ValueType] = {
    "RETRIEVAL_QUERY": pb.TASK_TYPE_RETRIEVAL_QUERY,
    "RETRIEVAL_DOCUMENT": pb.TASK_TYPE_RETRIEVAL_DOCUMENT,
    "SEMANTIC_SIMILARITY": pb.TASK_TYPE_SEMANTIC_SIMILARITY,
    "CLASSIFICATION": pb.TASK_TYPE_CLASSIFICATION,
    "CLUSTERING": pb.TASK_TYPE_CLUSTERING,
    "QUESTION_ANSWERING": pb.TASK_TYPE_QUESTION_ANSWERING,
    "FACT_VERIFICATION": pb.TASK_TYPE_FACT_VERIFICATION,
    "CODE_RETRIEVAL_QUERY": pb.TASK_TYPE_CODE_RETRIEVAL_QUERY,
}
_TASK_WORDS = {task: word for word, task in _TASKS.items()}
_REQUEST = Fields(pb.EmbedRequest, outputDimensionality="dimensions", autoTruncate="truncate")
_INPUT = Fields(pb.EmbedInput, title="title")
_VECTOR = Fields(pb.Embedding, truncated="truncated", tokenCount="token_count")
_PLACE, _LENIENT = Place(REQUEST), Place(RESPONSE)
_IN_BATCH, _NO_MODEL = "batch", "no_model"
_USAGE, _PROMPT = "usageMetadata", "promptTokenCount"
_DETAILS = ("promptTokenDetails", "promptTokensDetails")


class GeminiEmbeddings:
    """The wire of embeddings."""

    name = WIRE

    def __init__(self, quirks: Quirks = DEFAULT) -> None:
        self._quirks = quirks

    def encode_request(self, request: pb.EmbedRequest, /) -> HttpCall:
        """The request for the provider. Raises ServiceError UNSUPPORTED_PARAMETER; see `HttpCall.warnings`."""
        strict = request.on_unsupported != chat_pb2.UNSUPPORTED_POLICY_WARN
        writer = _writer(quirks=self._quirks, provider=self._quirks.provider, strict=strict, model=request.model)
        _refuse(request, writer)
        batch = len(request.inputs) != 1 or writer.spelled(request, _IN_BATCH)
        if batch and not self._quirks.batch_embeddings:
            writer.unsupported("inputs", "this provider embeds one input at a time")
        body = writer.restore(request, _lower_request(request, writer, batch=batch))
        path = path_of(request.model, BATCH if batch else SINGLE, self._quirks)
        headers = {"content-type": "application/json"}
        return HttpCall(method="POST", path=path, body=dumps(body), headers=headers, warnings=tuple(writer.warnings))

    def decode_request(self, call: HttpCall, /) -> pb.EmbedRequest:
        """What a client asks. Raises ServiceError INVALID_REQUEST with the path in the body."""
        target = target_of(call.path)
        if target.method not in (SINGLE, BATCH):
            raise invalid("path", f"the method must be {SINGLE} or {BATCH}, not {target.method}")
        return _lift_request(body_of(call), target.model, batch=target.method == BATCH)

    def decode_response(self, reply: HttpReply, /) -> pb.EmbedResponse:
        """The vectors of a successful reply. Raises ServiceError: MALFORMED_RESPONSE, or the error inside it."""
        read = object_of(reply.body, "the answer")
        if "error" in read:
            raise errors.body_error(read, reply)
        single, batch = read.get("embedding"), read.get("embeddings")
        items = [single] if isinstance(single, dict) else batch
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise ServiceError(Reason.MALFORMED_RESPONSE, "the answer has no vectors")
        response, writer = pb.EmbedResponse(), _writer(direction=RESPONSE)
        if not isinstance(single, dict):
            writer.spell(response, _IN_BATCH)
        for number, item in enumerate(items):
            _lift_vector(item, response.embeddings.add(index=number), writer)
        _lift_usage(read, response)
        frame = {key: value for key, value in read.items() if key not in ("embedding", "embeddings")}
        writer.keep(response, _lower_frame(response), frame)
        return response

    def encode_response(self, response: pb.EmbedResponse, /, *, batch: bool | None = None) -> HttpReply:
        """The vectors for a client of this wire. `batch` as it asked; None for as they were read, or one alone."""
        writer = _writer(direction=RESPONSE)
        body = writer.restore(response, _lower_frame(response))
        vectors = [_lower_vector(item, writer) for item in response.embeddings]
        if batch is None:
            batch = len(vectors) != 1 or writer.spelled(response, _IN_BATCH)
        body |= {"embeddings": vectors} if batch else {"embedding": vectors[0] if vectors else {"values": []}}
        return HttpReply(status=200, body=dumps(body), headers=dict(JSON))

    def decode_error(self, reply: HttpReply, /) -> ServiceError:
        """The meaning of an unsuccessful reply."""
        return errors.decode_error(reply)

    def encode_error(self, error: ServiceError, /) -> HttpReply:
        """The error for a client."""
        return errors.encode_error(error)


def _writer(**settings: Any) -> Writer:
    return Writer(wire=WIRE, **settings)


def _refuse(request: pb.EmbedRequest, writer: Writer) -> None:
    if request.encoding not in (pb.VECTOR_ENCODING_UNSPECIFIED, pb.VECTOR_ENCODING_FLOAT32):
        writer.unsupported("encoding", "Gemini gives 32-bit floats only")
    if request.HasField("normalize"):
        writer.unsupported("normalize", "Gemini has no such switch; scale the vectors yourself")
    if request.end_user_id:
        writer.omit("end_user_id", "Gemini takes no identity of the end user")


def _lift_request(body: JsonObject, model: str, *, batch: bool) -> pb.EmbedRequest:
    request, writer = pb.EmbedRequest(model=model), _writer()
    value, _ = plain(body)
    items = value.get("requests") if batch else [value]
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise invalid("requests", "must be a list of objects")
    if batch and len(items) == 1:
        writer.spell(request, _IN_BATCH)
    for number, item in enumerate(items):
        place = _PLACE.at("requests").at(number) if batch else _PLACE
        _lift_input(item, request.inputs.add(), place)
        if not number:
            _REQUEST.lift(item, request, place)
            task = item.get("taskType")
            request.task_type = _TASKS.get(task, pb.TASK_TYPE_UNSPECIFIED) if isinstance(task, str) else 0  # type: ignore[assignment]
            if "model" not in item:
                writer.spell(request, _NO_MODEL)
    writer.keep(request, _lower_request(request, writer, batch=batch), body)
    return request


def _lift_input(item: JsonObject, target: pb.EmbedInput, place: Place) -> None:
    _INPUT.lift(item, target, place)
    parts = object_at(item, "content").get("parts")
    parts = [parts] if isinstance(parts, dict) else parts
    if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
        raise invalid(place.at("content").path, "must be an object with a list of parts")
    if len(parts) == 1 and isinstance(parts[0].get("text"), str) and len(parts[0]) == 1:
        target.text = whole_text(parts[0]["text"])
    else:
        inner = place.at("content").at("parts")
        target.parts.parts.extend(lift_part(part, inner.at(n)) for n, part in enumerate(parts))


def _lower_request(request: pb.EmbedRequest, writer: Writer, *, batch: bool) -> JsonObject:
    items: list[JsonObject] = []
    for number, one in enumerate(request.inputs):
        item: JsonObject = {} if writer.spelled(request, _NO_MODEL) else {"model": resource_of(request.model)}
        item["content"] = {"parts": _lower_input(one, writer, f"inputs[{number}]")}
        _INPUT.lower(one, item)
        _REQUEST.lower(request, item)
        if request.task_type:
            item["taskType"] = _TASK_WORDS[request.task_type]
        items.append(item)
    return {"requests": items} if batch else items[0]


def _lower_input(one: pb.EmbedInput, writer: Writer, path: str) -> list[JsonObject]:
    kind = one.WhichOneof("input")
    if kind == "tokens":
        writer.unsupported(f"{path}.tokens", "Gemini takes no token numbers; give the text")
        return []
    if kind != "parts":
        return [{"text": one.text}]
    inner = Writer(strict=writer.strict, warnings=writer.warnings)
    lowered = [lower_part(part, inner, f"{path}.parts[{n}]", {}) for n, part in enumerate(one.parts.parts)]
    return [part for part in lowered if part is not None]


def _lift_vector(item: JsonObject, target: pb.Embedding, writer: Writer) -> None:
    value, _ = plain({key: inner for key, inner in item.items() if key != "values"})
    lift_floats(target, item.get("values", []), writer)
    _VECTOR.lift(object_at(value, "statistics"), target, _LENIENT)
    writer.keep(target, _lower_statistics(target), {key: inner for key, inner in item.items() if key != "values"})


def _lower_vector(source: pb.Embedding, writer: Writer) -> JsonObject:
    values: Json = lower_floats(source, writer)
    return {**writer.restore(source, _lower_statistics(source)), "values": values}


def _lower_statistics(source: pb.Embedding) -> JsonObject:
    statistics = _VECTOR.lower(source, {})
    return {"statistics": statistics} if statistics else {}


def _lift_usage(read: JsonObject, response: pb.EmbedResponse) -> None:
    value, _ = plain({key: item for key, item in read.items() if key in (_USAGE, "usage_metadata")})
    usage = object_at(value, _USAGE)
    prompt = count_of(usage.get(_PROMPT))
    if prompt is not None:
        response.usage.input_tokens = response.usage.total_tokens = prompt
    for key in _DETAILS:
        if isinstance(usage.get(key), list):
            lift_details(usage[key], response.usage.input_by_modality)
            _writer(direction=RESPONSE).spell(response, key)


def _lower_frame(response: pb.EmbedResponse) -> JsonObject:
    usage: JsonObject = {_PROMPT: response.usage.input_tokens} if response.usage.HasField("input_tokens") else {}
    writer = _writer(direction=RESPONSE)
    if details := lower_details(response.usage.input_by_modality):
        usage[next((key for key in _DETAILS if writer.spelled(response, key)), _DETAILS[0])] = details
    return {_USAGE: usage} if usage else {}
