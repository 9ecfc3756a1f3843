"""The options of a request: `generationConfig` and what stands beside it."""

from __future__ import annotations

from collections.abc import Mapping

from antiphon.v1 import chat_pb2, content_pb2
from antiphon.wire.fields import Fields, Place, object_at, objects, whole_text
from antiphon.wire.gemini.media import DETAILS, RESOLUTIONS
from antiphon.wire.gemini.reasoning import lift_thinking, lower_thinking
from antiphon.wire.gemini.schema import lift_schema, lower_schema
from antiphon.wire.gemini.speech import lift_speech, lower_speech
from antiphon.wire.gemini.tools import lift_choice, lower_choice
from antiphon.wire.gemini.writer import REQUEST, Writer
from antiphon.wire.jsontext import JsonObject, text_of
from antiphon.wire.scribe import refuse_unsaid

_SPEC = Fields(chat_pb2.ChatSpec, serviceTier="service_tier", store="store")
_TIERS = {"auto": "", "default": "standard", "standard_only": "standard"}
"""Words of other formats for a class of service."""
_CACHE = Fields(chat_pb2.CachePolicy, cachedContent="cached_content")
_LIMITS = Fields(chat_pb2.ChatSpec, maxOutputTokens="max_output_tokens", candidateCount="n")
_SAMPLING = Fields(
    chat_pb2.Sampling,
    temperature="temperature",
    topP="top_p",
    topK="top_k",
    seed="seed",
    stopSequences="stop",
    presencePenalty="presence_penalty",
    frequencyPenalty="frequency_penalty",
    responseLogprobs="logprobs",
    logprobs="top_logprobs",
)
_SAFETY = Fields(chat_pb2.SafetySetting, category="category", threshold="threshold", method="method")
_IMAGE = Fields(chat_pb2.ImageOutput, aspectRatio="aspect_ratio", imageSize="size")
_MODALITIES: Mapping[str, content_pb2.Modality.ValueType] = {
    "TEXT": content_pb2.MODALITY_TEXT,
    "IMAGE": content_pb2.MODALITY_IMAGE,
    "AUDIO": content_pb2.MODALITY_AUDIO,
    "VIDEO": content_pb2.MODALITY_VIDEO,
}
_MODALITY_WORDS = {modality: word for word, modality in _MODALITIES.items()}
_JSON, _TEXT, _ENUM = "application/json", "text/plain", "text/x.enum"
_SCHEMA, _JSON_SCHEMA = "responseSchema", "responseJsonSchema"
_LABELS = "labels"
_PLACE = Place(REQUEST)
_CONFIG = _PLACE.at("generationConfig")
_SAID = frozenset(
    {
        "response_format",
        "max_output_tokens",
        "n",
        "output_modalities",
        "audio",
        "image",
        "media_detail",
        "service_tier",
        "store",
        "safety",
        "metadata",
        "end_user_id",
        "parallel_tool_calls",
        "verbosity",
        "cache.cached_content",
        "cache.breakpoint",
        "cache.key",
        "stream_padding",
        "include",
        *(f"sampling.{field.name}" for field in chat_pb2.Sampling.DESCRIPTOR.fields if field.name in (
            "temperature", "top_p", "top_k", "seed", "stop", "presence_penalty", "frequency_penalty", "logprobs",
            "top_logprobs",
        )),
        *(f"reasoning.{name}" for name in (
            "effort", "budget_tokens", "display", "include_encrypted", "adaptive", "enabled", "exclude",
        )),
    }
)  # fmt: skip


def lift_options(body: JsonObject, spec: chat_pb2.ChatSpec) -> None:
    """Set the options of `spec` from a body in camelCase."""
    config = object_at(body, "generationConfig")
    _SPEC.lift(body, spec, _PLACE)
    if body.get("cachedContent") is not None:
        _CACHE.lift(body, spec.cache, _PLACE)
    _LIMITS.lift(config, spec, _CONFIG)
    _SAMPLING.lift(config, spec.sampling, _CONFIG)
    for number, setting in enumerate(objects(body.get("safetySettings"))):
        _SAFETY.lift(setting, spec.safety.add(), _PLACE.at("safetySettings").at(number))
    for key, value in object_at(body, "labels").items():
        if isinstance(value, str):
            spec.metadata[whole_text(key)] = whole_text(value)
            Writer().spell(spec, _LABELS)
    lift_choice(object_at(body, "toolConfig"), spec)
    _lift_format(config, spec)
    lift_thinking(object_at(config, "thinkingConfig"), spec)
    words = config.get("responseModalities")
    if isinstance(words, list) and words and all(word in _MODALITIES for word in words if isinstance(word, str)):
        spec.output_modalities.extend(_MODALITIES[word] for word in words if isinstance(word, str))
    lift_speech(object_at(config, "speechConfig"), spec)
    if object_at(config, "imageConfig"):
        _IMAGE.lift(config["imageConfig"], spec.image, _CONFIG.at("imageConfig"))
    level = config.get("mediaResolution")
    if isinstance(level, str) and level in DETAILS:
        spec.media_detail = DETAILS[level]


def lower_options(spec: chat_pb2.ChatSpec, body: JsonObject, writer: Writer) -> None:
    """Write the options of `spec`."""
    config: JsonObject = {}
    _SPEC.lower(spec, body)
    if not (tier := _TIERS.get(spec.service_tier, spec.service_tier)):
        body.pop("serviceTier", None)
    else:
        body["serviceTier"] = tier
    _CACHE.lower(spec.cache, body)
    _LIMITS.lower(spec, config)
    _SAMPLING.lower(spec.sampling, config)
    if spec.safety:
        body["safetySettings"] = [_SAFETY.lower(setting, {}) for setting in spec.safety]
    if spec.metadata and (writer.quirks.labels or writer.spelled(spec, _LABELS)):
        body["labels"] = dict(sorted(spec.metadata.items()))
    if choice := lower_choice(spec, writer):
        body["toolConfig"] = choice
    config |= _lower_format(spec, writer)
    if thinking := lower_thinking(spec, writer):
        config["thinkingConfig"] = thinking
    _lower_media(spec, config, writer)
    if config:
        body["generationConfig"] = config


def refuse_options(spec: chat_pb2.ChatSpec, writer: Writer) -> None:
    """Note every set field of `spec` that this wire has no word for."""
    refuse_unsaid(spec, _SAID, writer, "Gemini")
    for path, why, present in (
        ("end_user_id", "Gemini takes no identity of the end user", bool(spec.end_user_id)),
        ("verbosity", "Gemini has no such option; ask for it in the system message", bool(spec.verbosity)),
        ("include", "Gemini tells what it has unasked, signatures of reasoning among it", bool(spec.include)),
        ("cache.key", "Gemini finds cached prefixes by itself", bool(spec.cache.key)),
        ("cache.breakpoint", "Gemini finds cached prefixes by itself", spec.cache.HasField("breakpoint")),
    ):
        if present:
            writer.omit(f"spec.{path}", why)  # it changes no meaning that Google could act on
    if spec.metadata and not writer.quirks.labels and not writer.spelled(spec, _LABELS):
        writer.unsupported("spec.metadata", "only Vertex AI takes labels")
    if spec.HasField("parallel_tool_calls") and not spec.parallel_tool_calls and spec.tools:
        writer.unsupported("spec.parallel_tool_calls", "Gemini cannot be kept from calling several tools at once")


def _lift_format(config: JsonObject, spec: chat_pb2.ChatSpec) -> None:
    kind, writer = config.get("responseMimeType"), Writer()
    schema, standard = config.get(_SCHEMA), config.get(_JSON_SCHEMA)
    form = spec.response_format
    if kind == _ENUM and isinstance(schema, dict) and _is_texts(schema.get("enum")):
        form.choice.choices.extend(map(whole_text, schema["enum"]))
    elif isinstance(standard, dict):
        form.json_schema.schema_json = text_of(standard)
    elif isinstance(schema, dict):
        form.json_schema.schema_json = lift_schema(schema, spec, _SCHEMA, writer)
    elif kind == _JSON:
        form.json_object.SetInParent()
    elif kind == _TEXT:
        form.text.SetInParent()


def _lower_format(spec: chat_pb2.ChatSpec, writer: Writer) -> JsonObject:
    """The form of the answer. The name of a schema is a label that Google has no place for, and every schema is
    enforced, so that neither `name` nor `strict` is missed."""
    form = spec.response_format
    match form.WhichOneof("format"):
        case "text":
            return {"responseMimeType": _TEXT}
        case "json_object":
            return {"responseMimeType": _JSON}
        case "json_schema":
            path = "spec.response_format.json_schema.schema_json"
            text = form.json_schema.schema_json or '{"type":"object"}'
            return {"responseMimeType": _JSON, **lower_schema(text, spec, _SCHEMA, _JSON_SCHEMA, writer, path)}
        case "choice":
            return {"responseMimeType": _ENUM, _SCHEMA: {"type": "STRING", "enum": list(form.choice.choices)}}
        case "grammar":
            writer.unsupported("spec.response_format.grammar", "Gemini takes no grammars; give a schema")
    return {}


def _lower_media(spec: chat_pb2.ChatSpec, config: JsonObject, writer: Writer) -> None:
    words = [_MODALITY_WORDS[kind] for kind in spec.output_modalities if kind in _MODALITY_WORDS]
    if words:
        config["responseModalities"] = words
    if len(words) < len(spec.output_modalities):
        writer.unsupported("spec.output_modalities", "Gemini answers with text, images, sound or video")
    if spec.HasField("audio") and (speech := lower_speech(spec.audio, writer)):
        config["speechConfig"] = speech
    if spec.HasField("image"):
        config["imageConfig"] = _IMAGE.lower(spec.image, {})
    if spec.media_detail in RESOLUTIONS:
        config["mediaResolution"] = RESOLUTIONS[spec.media_detail]
    elif spec.media_detail:
        writer.unsupported("spec.media_detail", "must be low, medium or high")


def _is_texts(values: object) -> bool:
    return isinstance(values, list) and bool(values) and all(isinstance(value, str) for value in values)
