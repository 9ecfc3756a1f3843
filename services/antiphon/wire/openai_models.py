"""OpenAI's list of models and a single model, both ways, with the facts that other providers add."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from antiphon.core.errors import Reason, ServiceError
from antiphon.v1 import content_pb2, models_pb2
from antiphon.wire.base import HttpCall, HttpReply
from antiphon.wire.jsontext import JsonObject, dumps, loads, same
from antiphon.wire.model_prices import WIRE, has_form, lift_prices, lower_prices, spell, spelled
from antiphon.wire.openai_chat.errors import lift_error, lower_error
from antiphon.wire.remainder import keep, merge, restore

Model = models_pb2.Model
_DIRECTION = "response"
PATH = "/models"

_MODALITIES = {
    "text": content_pb2.MODALITY_TEXT,
    "image": content_pb2.MODALITY_IMAGE,
    "audio": content_pb2.MODALITY_AUDIO,
    "video": content_pb2.MODALITY_VIDEO,
    "file": content_pb2.MODALITY_DOCUMENT,
}
_MODALITY_WORDS = {modality: word for word, modality in _MODALITIES.items()}
_CAPABILITIES = {
    "completion_chat": "chat",  # Mistral
    "supports_chat": "chat",  # Fireworks
    "chat": "chat",
    "function_calling": "tools",
    "supports_tools": "tools",
    "tool_use": "tools",  # LM Studio
    "tools": "tools",
    "reasoning": "reasoning",
}
_SINGLE_FLOW = "architecture_modality"
_PERMISSION = "permission"
_BARE = "bare_list"
"""A list without an object around it (Together)."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A scalar of Model and the paths under which providers write it, the usual one first."""

    field: str
    kind: type
    paths: tuple[str, ...]


FACTS: tuple[Fact, ...] = (
    Fact("owner", str, ("owned_by", "organization", "publisher")),
    Fact("display_name", str, ("name", "display_name")),
    Fact("description", str, ("description",)),
    Fact(
        "context_window_tokens",
        int,
        ("context_length", "context_window", "max_context_length", "max_model_len", "top_provider.context_length"),
    ),
    Fact(
        "max_output_tokens", int, ("top_provider.max_completion_tokens", "max_completion_tokens", "max_output_tokens")
    ),
    Fact("embedding_dimensions", int, ("embedding_dimensions",)),
    Fact("kind", str, ("type", "kind")),
    Fact("architecture", str, ("arch",)),
    Fact("quantization", str, ("quantization",)),
    Fact("file_format", str, ("compatibility_type",)),
    Fact("state", str, ("state",)),
    Fact("loaded_context_tokens", int, ("loaded_context_length",)),
    Fact("tokenizer", str, ("architecture.tokenizer",)),
    Fact("source_url", str, ("link", "links.details")),
    Fact("hugging_face_id", str, ("hugging_face_id",)),
    Fact("license", str, ("license",)),
    Fact("moderated", bool, ("top_provider.is_moderated",)),
    Fact("base_model", str, ("root", "parent")),
    Fact("canonical_name", str, ("canonical_slug",)),
    Fact("knowledge_cutoff", str, ("knowledge_cutoff",)),
    Fact("active", bool, ("active",)),
    Fact("default_temperature", float, ("default_model_temperature", "default_parameters.temperature")),
)
LISTS: Mapping[str, str] = {
    "supported_parameters": "supported_parameters",
    "provider_aliases": "aliases",
}


class OpenAIModels:
    """The wire of model lists."""

    @property
    def name(self) -> str:
        """The wire's name."""
        return WIRE

    def encode_list_request(self) -> HttpCall:
        """The request for the list."""
        return HttpCall(method="GET", path=PATH)

    def encode_get_request(self, provider_model_id: str) -> HttpCall:
        """The request for one model. The slash of a name such as `meta/llama` stays one, as providers expect."""
        return HttpCall(method="GET", path=f"{PATH}/{quote(provider_model_id, safe='/:')}")

    def decode_list(self, reply: HttpReply) -> models_pb2.ListModelsResponse:
        """The models of a successful reply. Raises ServiceError MALFORMED_RESPONSE."""
        data = _json(reply)
        items = data if isinstance(data, list) else data.get("data") if isinstance(data, dict) else None
        if not isinstance(items, list) or not all(isinstance(item, dict) and "id" in item for item in items):
            raise ServiceError(Reason.MALFORMED_RESPONSE, "the answer is no list of models")
        response = models_pb2.ListModelsResponse(models=map(lift_model, items))
        if isinstance(data, list):
            response.form.wire = f"{WIRE}/{_DIRECTION}"
            response.form.spellings.append(_BARE)
        else:
            keep(response, WIRE, _DIRECTION, _lowered_list(response), data)
        return response

    def encode_list(self, response: models_pb2.ListModelsResponse) -> HttpReply:
        """The list for a client of this wire."""
        lowered = _lowered_list(response)
        bare = _BARE in response.form.spellings and response.form.wire.startswith(WIRE)
        return _reply(lowered["data"] if bare else restore(response, WIRE, _DIRECTION, lowered))

    def decode_model(self, reply: HttpReply) -> Model:
        """The model of a successful reply. Raises ServiceError MALFORMED_RESPONSE."""
        data = _json(reply)
        if not isinstance(data, dict) or "id" not in data:
            raise ServiceError(Reason.MALFORMED_RESPONSE, "the answer is no model")
        return lift_model(data)

    def encode_model(self, model: Model) -> HttpReply:
        """One model for a client of this wire."""
        return _reply(lower_model(model))

    def decode_error(self, reply: HttpReply) -> ServiceError:
        """The meaning of an unsuccessful reply."""
        return lift_error(reply)

    def encode_error(self, error: ServiceError) -> HttpReply:
        """The error for a client."""
        return lower_error(error)


def _lowered_list(response: models_pb2.ListModelsResponse) -> JsonObject:
    return {"object": "list", "data": [lower_model(model) for model in response.models]}


def lift_model(data: JsonObject) -> Model:
    """One model. Its `name` is left for whoever knows the provider's name."""
    model = Model(provider_model_id=data["id"] if isinstance(data["id"], str) else "")
    created = data.get("created")
    if isinstance(created, int) and not isinstance(created, bool) and 0 <= created < 2**33:
        model.create_time.seconds = created
    for fact in FACTS:
        _lift_fact(model, fact, data)
    for field, name in LISTS.items():
        if isinstance(data.get(name), list) and all(isinstance(item, str) for item in data[name]):
            getattr(model, field).extend(data[name])
    _lift_modalities(model, data)
    _lift_capabilities(model, data)
    lift_prices(model, data.get("pricing"))
    _lift_shutdown(model, data)
    keep(model, WIRE, _DIRECTION, _lowered(model), data)
    return model


def lower_model(model: Model) -> JsonObject:
    """One model."""
    return restore(model, WIRE, _DIRECTION, _lowered(model))


def _lowered(model: Model) -> JsonObject:
    data: JsonObject = {"id": model.name or model.provider_model_id, "object": "model"}
    if model.HasField("create_time"):
        data["created"] = model.create_time.seconds
    for fact in FACTS:
        _lower_fact(data, model, fact)
    for field, name in LISTS.items():
        if getattr(model, field):
            data[name] = list(getattr(model, field))
    _lower_modalities(data, model)
    _lower_capabilities(data, model)
    lower_prices(data, model)
    for name in ("expiration_date", "deprecation"):
        if model.HasField("shutdown_time") and spelled(model, name):
            moment = datetime.fromtimestamp(model.shutdown_time.seconds, UTC)
            data[name] = moment.strftime("%Y-%m-%d" if name == "expiration_date" else "%Y-%m-%dT%H:%M:%SZ")
    return data


def _lift_fact(model: Model, fact: Fact, data: JsonObject) -> None:
    taken: Any = None
    for path in fact.paths:
        value = _get(data, path)
        fits = (
            isinstance(value, int | float) and not isinstance(value, bool)
            if fact.kind is float
            else (type(value) is fact.kind)
        )
        if not fits or value == "" or (fact.kind is int and not 0 <= value < 2**31):
            continue
        if taken is None:
            setattr(model, fact.field, value)
            taken = value
        if same(taken, value):
            spell(model, path)


def _lower_fact(data: JsonObject, model: Model, fact: Fact) -> None:
    present = model.HasField(fact.field) if fact.kind is not str else getattr(model, fact.field)  # type: ignore[arg-type]
    if present:
        for path in [path for path in fact.paths if spelled(model, path)] or fact.paths[:1]:
            _set(data, path, getattr(model, fact.field))


def _lift_modalities(model: Model, data: JsonObject) -> None:
    for side, field in (("input", model.input_modalities), ("output", model.output_modalities)):
        for path in (f"architecture.{side}_modalities", f"{side}_modalities"):
            words = _get(data, path)
            if isinstance(words, list) and words and all(word in _MODALITIES for word in words) and not field:
                field.extend(_MODALITIES[word] for word in words)
                spell(model, path)
    if _get(data, "architecture.modality") == _flow(model):
        spell(model, _SINGLE_FLOW)


def _lower_modalities(data: JsonObject, model: Model) -> None:
    for side, field in (("input", model.input_modalities), ("output", model.output_modalities)):
        if field:
            plain = spelled(model, f"{side}_modalities")
            path = f"{side}_modalities" if plain else f"architecture.{side}_modalities"
            _set(data, path, [_MODALITY_WORDS[modality] for modality in field])
    if spelled(model, _SINGLE_FLOW):
        _set(data, "architecture.modality", _flow(model))


def _flow(model: Model) -> str:
    sides = (model.input_modalities, model.output_modalities)
    return "->".join("+".join(_MODALITY_WORDS[modality] for modality in side) for side in sides)


def _lift_capabilities(model: Model, data: JsonObject) -> None:
    """A list of words, an object of booleans, or the permissions of old OpenAI models and of vLLM."""
    words = data.get("capabilities")
    if isinstance(words, list) and words and all(isinstance(word, str) for word in words):
        _lift_flags(model, dict.fromkeys(words, True))
        spell(model, "capabilities_list")
    elif isinstance(words, dict):
        _lift_flags(model, words)
        spell(model, "capabilities")
    permission = data.get(_PERMISSION)
    if isinstance(permission, list) and len(permission) == 1 and isinstance(permission[0], dict):
        _lift_flags(model, permission[0])
        spell(model, _PERMISSION)
    flags = {name: value for name, value in data.items() if name.startswith("supports_")}
    _lift_flags(model, flags)
    for name in flags:
        spell(model, name)


def _lift_flags(model: Model, flags: JsonObject) -> None:
    for word, value in flags.items():
        if not isinstance(value, bool):
            continue
        field = _CAPABILITIES.get(word)
        if field is None:
            model.capabilities.others[word] = value
        else:
            setattr(model.capabilities, field, value)
            spell(model, word)


def _lower_capabilities(data: JsonObject, model: Model) -> None:
    if not model.HasField("capabilities") or not has_form(model):
        return
    flags = dict(model.capabilities.others)
    for word, field in _CAPABILITIES.items():
        if spelled(model, word) and model.capabilities.HasField(field):  # type: ignore[arg-type]
            flags[word] = getattr(model.capabilities, field)
    for name in [name for name in flags if name.startswith("supports_") and spelled(model, name)]:
        data[name] = flags.pop(name)
    if spelled(model, "capabilities_list"):
        data["capabilities"] = [word for word, value in flags.items() if value]
    elif spelled(model, "capabilities"):
        data["capabilities"] = flags
    elif spelled(model, _PERMISSION):
        data[_PERMISSION] = [{"object": "model_permission", **flags}]


def _lift_shutdown(model: Model, data: JsonObject) -> None:
    for name in ("expiration_date", "deprecation"):
        if isinstance(data.get(name), str):
            try:
                moment = datetime.fromisoformat(data[name])
            except ValueError:
                continue
            model.shutdown_time.seconds = int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp())
            spell(model, name)


def _get(data: JsonObject, path: str) -> Any:
    value: Any = data
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _set(data: JsonObject, path: str, value: Any) -> None:
    outer, _, inner = path.rpartition(".")
    merge(data, {outer: {inner: value}} if outer else {inner: value})


def _json(reply: HttpReply) -> Any:
    try:
        data = loads(reply.body)
    except ValueError as error:
        raise ServiceError(Reason.MALFORMED_RESPONSE, f"the answer is not JSON: {error}") from error
    if isinstance(data, dict) and "error" in data and "id" not in data and "data" not in data:
        raise lift_error(reply)
    return data


def _reply(data: JsonObject | list[JsonObject]) -> HttpReply:
    return HttpReply(status=200, body=dumps(data), headers={"content-type": "application/json"})
