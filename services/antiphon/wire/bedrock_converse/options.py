"""The options of a request: sampling, reasoning, the form of the answer, guardrails.

What only some models know goes into `additionalModelRequestFields`; the fields that have a meaning for the contract
are read from there, in the words of each model family, and written in those of the family that is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from antiphon.v1 import chat_pb2
from antiphon.wire.bedrock_converse.spelling import Family, family
from antiphon.wire.fields import Fields, Place, object_at, whole_text
from antiphon.wire.jsontext import Json, JsonObject, loads
from antiphon.wire.scribe import Scribe

_Reasoning = chat_pb2.Reasoning
_LIMIT = Fields(chat_pb2.ChatSpec, maxTokens="max_output_tokens")
_SAMPLING = Fields(chat_pb2.Sampling, temperature="temperature", topP="top_p", stopSequences="stop")
_GUARDRAIL = Fields(
    chat_pb2.Guardrail,
    guardrailIdentifier="id",
    guardrailVersion="version",
    trace="trace",
    streamProcessingMode="stream_mode",
)
_WANTED = Fields(chat_pb2.ChatSpec, additionalModelResponseFieldPaths="wanted_response_fields")
_FEATURES = Fields(chat_pb2.ChatSpec, anthropic_beta="provider_features")
_BUDGET = Fields(_Reasoning, budget_tokens="budget_tokens", display="display")
_TIER = Fields(chat_pb2.ChatSpec, type="service_tier")
_SPEED = Fields(chat_pb2.ChatSpec, latency="speed")
_SCHEMA = ("name", "description")
_EXTRA = "additionalModelRequestFields"
_OUTPUT_EFFORT, _TOP_K, _NOVA_TOP_K = "outputConfig.effort", "top_k", "inferenceConfig.topK"
_SPEEDS = {"fast": "optimized"}

SAID = frozenset(
    {
        *("max_output_tokens", "response_format", "reasoning.effort", "reasoning.budget_tokens", "reasoning.display"),
        *("reasoning.adaptive", "reasoning.enabled", "reasoning.exclude", "reasoning.include_encrypted"),
        *("sampling.temperature", "sampling.top_p", "sampling.stop", "sampling.top_k", "cache.breakpoint"),
        *("guardrail", "wanted_response_fields", "provider_features", "service_tier", "speed", "metadata"),
        "parallel_tool_calls",
    }
)
"""What this wire can say of a request."""


@dataclass(frozen=True, slots=True)
class _Style:
    """One way to say how much the model reasons."""

    key: str
    lift: Callable[[Json, chat_pb2.Reasoning, Place], bool]
    lower: Callable[[chat_pb2.Reasoning], Json]


def lift_options(body: JsonObject, spec: chat_pb2.ChatSpec, place: Place, scribe: Scribe) -> None:
    """Set the options of `spec`."""
    config, here = object_at(body, "inferenceConfig"), place.at("inferenceConfig")
    _LIMIT.lift(config, spec, here)
    sampling = chat_pb2.Sampling()
    _SAMPLING.lift(config, sampling, here)
    _lift_extra(object_at(body, _EXTRA), spec, sampling, place.at(_EXTRA), scribe)
    if sampling.ListFields():
        spec.sampling.CopyFrom(sampling)
    if isinstance(body.get("guardrailConfig"), dict):
        spec.guardrail.SetInParent()
        _GUARDRAIL.lift(body["guardrailConfig"], spec.guardrail, place.at("guardrailConfig"))
    _WANTED.lift(body, spec, place)
    _TIER.lift(object_at(body, "serviceTier"), spec, place.at("serviceTier"))
    _SPEED.lift(object_at(body, "performanceConfig"), spec, place.at("performanceConfig"))
    for key, value in object_at(body, "requestMetadata").items():
        if isinstance(value, str):
            spec.metadata[whole_text(key)] = whole_text(value)
    output = object_at(body, "outputConfig")
    if isinstance(output.get("effort"), str):
        spec.reasoning.effort = whole_text(output["effort"])
        scribe.spell(spec, _OUTPUT_EFFORT)
    form = object_at(output, "textFormat")
    schema = object_at(object_at(form, "structure"), "jsonSchema")
    if form.get("type") == "json_schema" and _is_json(schema.get("schema")):
        spec.response_format.json_schema.schema_json = whole_text(schema["schema"])
        for key in _SCHEMA:
            if isinstance(schema.get(key), str):
                setattr(spec.response_format.json_schema, key, whole_text(schema[key]))


def lower_options(spec: chat_pb2.ChatSpec, body: JsonObject, scribe: Scribe) -> None:
    """Write the options of `spec`."""
    config = _SAMPLING.lower(spec.sampling, _LIMIT.lower(spec, {}))
    if config:
        body["inferenceConfig"] = config
    extra, output = _lower_extra(spec, scribe), _lower_output(spec, scribe)
    if extra:
        body[_EXTRA] = extra
    if output:
        body["outputConfig"] = output
    if spec.HasField("guardrail"):
        body["guardrailConfig"] = _GUARDRAIL.lower(spec.guardrail, {})
    _WANTED.lower(spec, body)
    if spec.service_tier:
        body["serviceTier"] = {"type": spec.service_tier}
    if spec.speed:
        body["performanceConfig"] = {"latency": _SPEEDS.get(spec.speed, spec.speed)}
    if spec.metadata:
        body["requestMetadata"] = dict(sorted(spec.metadata.items()))


def _lift_extra(
    extra: JsonObject, spec: chat_pb2.ChatSpec, sampling: chat_pb2.Sampling, place: Place, scribe: Scribe
) -> None:
    lenient = Place("response")  # whether the model takes them is for the model to say
    _FEATURES.lift(extra, spec, lenient)
    for style in _STYLES:
        reasoning = chat_pb2.Reasoning()
        if style.key in extra and style.lift(extra[style.key], reasoning, lenient):
            spec.reasoning.MergeFrom(reasoning)
            scribe.spell(spec, style.key)
    for name, holder in ((_TOP_K, extra), (_NOVA_TOP_K, object_at(extra, "inferenceConfig"))):
        value = holder.get(name.rpartition(".")[2])
        if type(value) is int and 0 <= value < 1 << 31:
            sampling.top_k = value
            scribe.spell(spec, name)
            break


def _lower_extra(spec: chat_pb2.ChatSpec, scribe: Scribe) -> JsonObject:
    extra: JsonObject = {}
    maker = family(spec.model)
    spelled = [style for style in _STYLES if scribe.spelled(spec, style.key)]
    if spec.HasField("reasoning") and not scribe.spelled(spec, _OUTPUT_EFFORT):
        styles = spelled or [style for style in _STYLES if style.key in _BY_FAMILY[maker]]
        for style in styles:
            value = style.lower(spec.reasoning)
            if value is not None:
                extra[style.key] = value
        if not styles and spec.reasoning.ListFields():
            scribe.unsupported("spec.reasoning", "how this model reasons cannot be set on Bedrock")
    if spec.sampling.HasField("top_k"):
        if scribe.spelled(spec, _NOVA_TOP_K) or (maker is Family.NOVA and not scribe.spelled(spec, _TOP_K)):
            extra["inferenceConfig"] = {"topK": spec.sampling.top_k}
        else:
            extra[_TOP_K] = spec.sampling.top_k
    _FEATURES.lower(spec, extra)
    return extra


def _lower_output(spec: chat_pb2.ChatSpec, scribe: Scribe) -> JsonObject:
    output: JsonObject = {"effort": spec.reasoning.effort} if scribe.spelled(spec, _OUTPUT_EFFORT) else {}
    kind = spec.response_format.WhichOneof("format")
    if kind == "json_schema":
        given = spec.response_format.json_schema
        schema = {"schema": given.schema_json or '{"type":"object"}'}
        schema |= {key: getattr(given, key) for key in _SCHEMA if getattr(given, key)}
        output["textFormat"] = {"type": "json_schema", "structure": {"jsonSchema": schema}}
    elif kind not in (None, "text"):
        scribe.unsupported(f"spec.response_format.{kind}", "Bedrock takes only text and json_schema; give a schema")
    return output


def _is_json(value: Json) -> bool:
    try:
        return isinstance(value, str) and isinstance(loads(value), dict)
    except ValueError:
        return False


def _lift_thinking(value: Json, reasoning: chat_pb2.Reasoning, place: Place) -> bool:
    kind = value.get("type") if isinstance(value, dict) else None
    if kind == "enabled":
        reasoning.enabled = True
    elif kind == "adaptive":
        reasoning.adaptive = True
    elif kind == "disabled":
        reasoning.enabled = False
    else:
        return False
    _BUDGET.lift(value, reasoning, place)
    return True


def _lower_thinking(reasoning: chat_pb2.Reasoning) -> Json:
    if reasoning.effort == "none" or (reasoning.HasField("enabled") and not reasoning.enabled):
        return {"type": "disabled"}
    display = {"display": "omitted" if reasoning.exclude else reasoning.display}
    shown = display if display["display"] else {}
    if reasoning.HasField("budget_tokens"):
        return {"type": "enabled", "budget_tokens": reasoning.budget_tokens, **shown}
    return {"type": "adaptive", **shown} if reasoning.adaptive or reasoning.enabled or shown else None


def _lift_output_config(value: Json, reasoning: chat_pb2.Reasoning, place: Place) -> bool:
    return isinstance(value, dict) and _lift_effort(value.get("effort"), reasoning, place)


def _lower_output_config(reasoning: chat_pb2.Reasoning) -> Json:
    return {"effort": reasoning.effort} if reasoning.effort not in ("", "none") else None


def _lift_nova(value: Json, reasoning: chat_pb2.Reasoning, place: Place) -> bool:
    if not isinstance(value, dict) or value.get("type") not in ("enabled", "disabled"):
        return False
    reasoning.enabled = value["type"] == "enabled"
    _lift_effort(value.get("maxReasoningEffort"), reasoning, place)
    return True


def _lower_nova(reasoning: chat_pb2.Reasoning) -> Json:
    off = reasoning.effort == "none" or (reasoning.HasField("enabled") and not reasoning.enabled)
    if off:
        return {"type": "disabled"}
    effort = {"maxReasoningEffort": reasoning.effort} if reasoning.effort else {}
    return {"type": "enabled", **effort} if effort or reasoning.enabled or reasoning.adaptive else None


def _lift_effort(value: Json, reasoning: chat_pb2.Reasoning, place: Place) -> bool:
    if not isinstance(value, str) or not value:
        return False
    reasoning.effort = whole_text(value)
    return True


_STYLES = (
    _Style("thinking", _lift_thinking, _lower_thinking),
    _Style("reasoning_config", _lift_thinking, _lower_thinking),
    _Style("output_config", _lift_output_config, _lower_output_config),
    _Style("reasoningConfig", _lift_nova, _lower_nova),
    _Style("reasoning_effort", _lift_effort, lambda reasoning: reasoning.effort or None),
)
_BY_FAMILY: Mapping[Family, tuple[str, ...]] = {
    Family.ANTHROPIC: ("thinking", "output_config"),
    Family.NOVA: ("reasoningConfig",),
    Family.OPENAI: ("reasoning_effort",),
    Family.OTHER: (),
}
