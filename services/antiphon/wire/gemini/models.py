"""Google's list of models and a single model, both ways."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

from antiphon.core.errors import Reason, ServiceError
from antiphon.v1 import models_pb2
from antiphon.wire.base import HttpCall, HttpReply
from antiphon.wire.fields import RESPONSE, Fields, Place, whole_text
from antiphon.wire.gemini import errors
from antiphon.wire.gemini.quirks import DEFAULT, Quirks
from antiphon.wire.gemini.request import model_of, resource_of
from antiphon.wire.gemini.response import JSON
from antiphon.wire.gemini.spelling import plain
from antiphon.wire.gemini.writer import Writer
from antiphon.wire.jsontext import JsonObject, dumps, object_of

Model = models_pb2.Model
WIRE = "gemini_models"
_LISTS = ("models", "publisherModels", "tunedModels")
"""Names of the list: of the Gemini API, of Vertex AI's catalogue, of models that the caller tuned."""
_LIST, _RESOURCE = "list:", "resource:"
_CATALOGUE = "catalogue"
"""Spelling: as Vertex AI's catalogue writes models."""
_LENIENT = Place(RESPONSE)
_FIELDS = Fields(
    Model,
    baseModelId="base_model",
    version="version",
    displayName="display_name",
    description="description",
    inputTokenLimit="max_input_tokens",
    outputTokenLimit="max_output_tokens",
    supportedGenerationMethods="supported_methods",
    temperature="default_temperature",
    topP="default_top_p",
    topK="default_top_k",
    maxTemperature="max_temperature",
    launchStage="state",
    versionId="version",
)
_PAGE = Fields(models_pb2.ListModelsResponse, nextPageToken="next_page_token")
_CAPABILITIES: Mapping[str, str] = {
    "generateContent": "chat",
    "embedContent": "embeddings",
    "createCachedContent": "prompt_caching",
}
"""What a method tells about a model. Every model that generates content can stream it."""


class GeminiModels:
    """The wire of model lists."""

    name = WIRE

    def __init__(self, quirks: Quirks = DEFAULT) -> None:
        self._quirks = quirks

    def encode_list_request(self, request: models_pb2.ListModelsRequest | None = None, /) -> HttpCall:
        """The request for the list, or for its next page."""
        asked = request or models_pb2.ListModelsRequest()
        query = {"pageSize": asked.page_size, "pageToken": asked.page_token}
        text = urlencode({key: value for key, value in query.items() if value})
        return HttpCall(method="GET", path=f"{self._quirks.base_path}/models{f'?{text}' if text else ''}")

    def decode_list_request(self, call: HttpCall, /) -> models_pb2.ListModelsRequest:
        """Which page a client wants. A page size that is no number is taken for none."""
        query = parse_qs(urlsplit(call.path).query)
        size = (query.get("pageSize") or query.get("page_size") or ["0"])[0]
        token = (query.get("pageToken") or query.get("page_token") or [""])[0]
        whole = int(size) if size.isascii() and size.isdigit() and len(size) < 10 else 0
        return models_pb2.ListModelsRequest(page_size=whole, page_token=token)

    def encode_get_request(self, provider_model_id: str, /) -> HttpCall:
        """The request for one model."""
        path = f"{self._quirks.base_path}/{quote(resource_of(provider_model_id), safe='/')}"
        return HttpCall(method="GET", path=path)

    def decode_get_request(self, call: HttpCall, /) -> str:
        """Which model a client wants."""
        return model_of(unquote(urlsplit(call.path).path))

    def decode_list(self, reply: HttpReply, /) -> models_pb2.ListModelsResponse:
        """The models of a successful reply. Raises ServiceError MALFORMED_RESPONSE."""
        read = _object(reply)
        key = next((name for name in _LISTS if name in read), "")
        items = read.get(key, [])
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise ServiceError(Reason.MALFORMED_RESPONSE, "the answer is no list of models")
        if not key and read.keys() - {"nextPageToken"}:
            raise ServiceError(Reason.MALFORMED_RESPONSE, "the answer has no list of models")
        response, writer = models_pb2.ListModelsResponse(models=map(lift_model, items)), _writer()
        writer.spell(response, f"{_LIST}{key}")
        _PAGE.lift(read, response, _LENIENT)
        writer.keep(response, _PAGE.lower(response, {}), {name: item for name, item in read.items() if name != key})
        return response

    def encode_list(self, response: models_pb2.ListModelsResponse, /) -> HttpReply:
        """The list for a client of this wire."""
        writer = _writer()
        key = writer.spelling(response, _LIST)
        body = writer.restore(response, _PAGE.lower(response, {}))
        if key != "":
            body[key or _LISTS[0]] = [lower_model(model) for model in response.models]
        return HttpReply(status=200, body=dumps(body), headers=dict(JSON))

    def decode_model(self, reply: HttpReply, /) -> Model:
        """The model of a successful reply. Raises ServiceError MALFORMED_RESPONSE."""
        read = _object(reply)
        if not isinstance(read.get("name"), str):
            raise ServiceError(Reason.MALFORMED_RESPONSE, "the answer is no model")
        return lift_model(read)

    def encode_model(self, model: Model, /) -> HttpReply:
        """One model for a client of this wire."""
        return HttpReply(status=200, body=dumps(lower_model(model)), headers=dict(JSON))

    def decode_error(self, reply: HttpReply, /) -> ServiceError:
        """The meaning of an unsuccessful reply."""
        return errors.decode_error(reply)

    def encode_error(self, error: ServiceError, /) -> HttpReply:
        """The error for a client."""
        return errors.encode_error(error)


def lift_model(read: JsonObject) -> Model:
    """One model. Its `name` is left for whoever knows the provider's name."""
    value, _ = plain(read)
    model, writer = Model(), _writer()
    name = value.get("name")
    if isinstance(name, str):
        model.provider_model_id = whole_text(model_of(name))
        if name != resource_of(model.provider_model_id):
            writer.spell(model, f"{_RESOURCE}{name}")
    _FIELDS.lift(value, model, _LENIENT)
    if model.HasField("max_input_tokens"):
        model.context_window_tokens = model.max_input_tokens
    for method, field in _CAPABILITIES.items():
        if model.supported_methods:
            setattr(model.capabilities, field, method in model.supported_methods)
    if model.supported_methods:
        model.capabilities.streaming = model.capabilities.chat
    if isinstance(value.get("thinking"), bool):
        model.capabilities.reasoning = value["thinking"]
    if "versionId" in value or "launchStage" in value:
        writer.spell(model, _CATALOGUE)
    writer.keep(model, _lower_model(model), read)
    return model


def lower_model(model: Model) -> JsonObject:
    """One model."""
    return _writer().restore(model, _lower_model(model))


def _lower_model(model: Model) -> JsonObject:
    writer = _writer()
    name = writer.spelling(model, _RESOURCE) or resource_of(model.name or model.provider_model_id)
    lowered = _FIELDS.lower(model, {"name": name})
    for key in ("version",) if writer.spelled(model, _CATALOGUE) else ("versionId", "launchStage"):
        lowered.pop(key, None)
    limit = lowered.get("inputTokenLimit") or model.context_window_tokens
    if limit:
        lowered["inputTokenLimit"] = limit
    if model.capabilities.HasField("reasoning"):
        lowered["thinking"] = model.capabilities.reasoning
    if not model.supported_methods:
        methods = [
            method
            for method, field in _CAPABILITIES.items()
            if getattr(model.capabilities, field) and method != "createCachedContent"
        ]
        if methods and not model.form.wire.startswith(WIRE):
            lowered["supportedGenerationMethods"] = methods
    return lowered


def _writer() -> Writer:
    return Writer(wire=WIRE, direction=RESPONSE)


def _object(reply: HttpReply) -> JsonObject:
    read = object_of(reply.body, "the answer")
    if "error" in read:
        raise errors.body_error(read, reply)
    return read
