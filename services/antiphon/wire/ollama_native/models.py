"""Ollama's models, both ways: the list of `/api/tags` (and of `/api/ps`), and one model of `/api/show`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from antiphon.core.errors import Reason, ServiceError
from antiphon.v1 import content_pb2, models_pb2
from antiphon.wire.base import HttpCall, HttpReply
from antiphon.wire.fields import RESPONSE, Fields, Place, count_of, object_at, whole_text
from antiphon.wire.jsontext import Json, JsonObject, dumps, loads, object_of, text_of
from antiphon.wire.ollama_native.errors import decode_error, encode_error
from antiphon.wire.ollama_native.request import read_body
from antiphon.wire.ollama_native.response import lift_time, time_text
from antiphon.wire.ollama_native.spelling import DEFAULT, Quirks
from antiphon.wire.scribe import Scribe

WIRE = "ollama_models"
pb = models_pb2

_MODEL = Fields(
    pb.Model,
    model="provider_model_id",
    name="display_name",
    size="size_bytes",
    digest="digest",
    remote_host="remote_host",
    remote_model="remote_model",
    license="license",
    template="prompt_template",
    parameters="default_parameters",
    modelfile="build_file",
    system="default_system_message",
    context_length="loaded_context_tokens",
)
_DETAILS = Fields(
    pb.Model,
    parent_model="base_model",
    format="file_format",
    family="architecture",
    families="architectures",
    parameter_size="parameter_size",
    quantization_level="quantization",
    context_length="context_window_tokens",
    embedding_length="embedding_dimensions",
)
_LENIENT = Place(RESPONSE)
_CAPABILITIES: Mapping[str, str] = {
    "completion": "chat",
    "embedding": "embeddings",
    "tools": "tools",
    "thinking": "reasoning",
}
_VISION, _AUDIO = "vision", "audio"
_INPUTS = {_VISION: content_pb2.MODALITY_IMAGE, _AUDIO: content_pb2.MODALITY_AUDIO}
_INFO, _CAPABLE = "model_info", "capabilities"
_ZONE = "zone"
_WINDOW, _LENGTH = ".context_length", ".embedding_length"


class OllamaModels:
    """The codec of model lists and single models."""

    name = WIRE

    def __init__(self, quirks: Quirks = DEFAULT) -> None:
        self._quirks = quirks

    def encode_list_request(self) -> HttpCall:
        """The request for the list."""
        return HttpCall(method="GET", path=f"{self._quirks.base_path}/tags")

    def decode_list(self, reply: HttpReply, /) -> pb.ListModelsResponse:
        """The models of one provider. Raises ServiceError: MALFORMED_RESPONSE, or the error inside it."""
        body = object_of(reply.body, "the list of models")
        models = body.get("models")
        if not isinstance(models, list) or not all(isinstance(item, dict) for item in models):
            if "error" in body:
                raise decode_error(reply)
            raise ServiceError(Reason.MALFORMED_RESPONSE, "the answer has no list of models")
        response = pb.ListModelsResponse()
        for item in models:
            _lift(item, response.models.add())
        Scribe(wire=WIRE, direction=RESPONSE).keep(response, {"models": 0}, {**body, "models": 0})
        return response

    def encode_list(self, response: pb.ListModelsResponse, /) -> HttpReply:
        """The list for a client of this wire."""
        body = Scribe(wire=WIRE, direction=RESPONSE).restore(response, {"models": []})
        body["models"] = [_lower(model) for model in response.models]
        return _reply(body)

    def encode_model_request(self, name: str) -> HttpCall:
        """The request for one model, by the provider's own name."""
        return HttpCall(
            method="POST",
            path=f"{self._quirks.base_path}/show",
            body=dumps({"model": name}),
            headers={"content-type": "application/json"},
        )

    def decode_model_request(self, call: HttpCall, /) -> str:
        """The provider's name of the model that a client asks for. Raises ServiceError INVALID_REQUEST."""
        body = read_body(call)
        name = body.get("model") or body.get("name")  # `name` until 2024
        if not isinstance(name, str):
            raise ServiceError(Reason.INVALID_REQUEST, "model: must be a string")
        return whole_text(name)

    def decode_model(self, reply: HttpReply, /) -> pb.Model:
        """One model. The answer does not repeat its name. Raises ServiceError."""
        body = object_of(reply.body, "the model")
        if "error" in body and "details" not in body:
            raise decode_error(reply)
        model = pb.Model()
        _lift(body, model)
        return model

    def encode_model(self, model: pb.Model, /) -> HttpReply:
        """One model for a client of this wire."""
        return _reply(_lower(model))

    def decode_error(self, reply: HttpReply, /) -> ServiceError:
        """The meaning of an unsuccessful reply, whatever its body."""
        return decode_error(reply)

    def encode_error(self, error: ServiceError, /) -> HttpReply:
        """The error for a client."""
        return encode_error(error)


def _reply(body: JsonObject) -> HttpReply:
    return HttpReply(status=200, body=dumps(body), headers={"content-type": "application/json; charset=utf-8"})


def _lift(data: JsonObject, model: pb.Model) -> None:
    scribe = Scribe(wire=WIRE, direction=RESPONSE)
    _MODEL.lift(data, model, _LENIENT)
    _DETAILS.lift(object_at(data, "details"), model, _LENIENT)
    time = Timestamp()
    zone = lift_time(data.get("modified_at"), time)
    if time.ListFields():
        model.modify_time.CopyFrom(time)
        scribe.spell(model, f"{_ZONE}{zone}")
    capable = data.get(_CAPABLE)
    words = [word for word in capable if isinstance(word, str)] if isinstance(capable, list) else []
    if words:
        _lift_capabilities(words, model)
    for key, value in object_at(data, _INFO).items():
        model.weights_metadata_json[whole_text(key)] = text_of(value)
        number = count_of(value)
        if key.endswith(_WINDOW) and number is not None and number < 1 << 31:
            model.context_window_tokens = number
        elif key.endswith(_LENGTH) and number is not None and number < 1 << 31:
            model.embedding_dimensions = number
    scribe.keep(model, _lowered(model, scribe), data)


def _lift_capabilities(words: list[str], model: pb.Model) -> None:
    for word, name in _CAPABILITIES.items():
        setattr(model.capabilities, name, word in words)
    for word in words:
        if word not in _CAPABILITIES and word not in _INPUTS:
            model.capabilities.others[whole_text(word)] = True
    model.input_modalities.append(content_pb2.MODALITY_TEXT)
    model.input_modalities.extend(kind for word, kind in _INPUTS.items() if word in words)


def _lower(model: pb.Model) -> JsonObject:
    scribe = Scribe(wire=WIRE, direction=RESPONSE)
    return scribe.restore(model, _lowered(model, scribe))


def _lowered(model: pb.Model, scribe: Scribe) -> JsonObject:
    body = _MODEL.lower(model, {})
    if model.HasField("modify_time"):
        body["modified_at"] = time_text(model.modify_time, scribe.spelling(model, _ZONE) or "")
    details = _DETAILS.lower(model, {})
    if model.weights_metadata_json:
        body[_INFO] = {key: loads(text) for key, text in sorted(model.weights_metadata_json.items())}
        known: Any = body[_INFO]
        for key, ending in (("context_length", _WINDOW), ("embedding_length", _LENGTH)):
            if any(name.endswith(ending) for name in known):
                details.pop(key, None)
    if details:
        body["details"] = details
    words = _words(model)
    if words:
        body[_CAPABLE] = words
    return body


def _words(model: pb.Model) -> list[Json]:
    words = [word for word, name in _CAPABILITIES.items() if getattr(model.capabilities, name)]
    words += [word for word, kind in _INPUTS.items() if kind in model.input_modalities]
    return [*words, *sorted(word for word, yes in model.capabilities.others.items() if yes)]
