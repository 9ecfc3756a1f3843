"""The options of a request: sampling, reasoning, the form of the answer, the choice of tools, context management."""

from __future__ import annotations

from antiphon.v1 import chat_pb2, content_pb2, tools_pb2
from antiphon.wire.anthropic_messages.cache import lift_breakpoint, lower_breakpoint
from antiphon.wire.anthropic_messages.fields import REQUEST, Fields, Place, object_at, spell, spelled, whole_text
from antiphon.wire.anthropic_messages.writer import Writer
from antiphon.wire.jsontext import JsonObject, loads, text_of
from antiphon.wire.unsaid import unsaid

_SPEC = Fields(
    chat_pb2.ChatSpec,
    max_tokens="max_output_tokens",
    service_tier="service_tier",
    inference_geo="inference_region",
    speed="speed",
)
_SAMPLING = Fields(chat_pb2.Sampling, temperature="temperature", top_p="top_p", top_k="top_k", stop_sequences="stop")
_BUDGET = Fields(chat_pb2.TaskBudget, total="total_tokens", remaining="remaining_tokens")
_THINKING = Fields(chat_pb2.Reasoning, budget_tokens="budget_tokens")
_CHOICES = {
    "auto": tools_pb2.ToolChoice.MODE_AUTO,
    "any": tools_pb2.ToolChoice.MODE_REQUIRED,
    "none": tools_pb2.ToolChoice.MODE_NONE,
}
_MODES = {mode: word for word, mode in _CHOICES.items()} | {tools_pb2.ToolChoice.MODE_UNSPECIFIED: "auto"}
_DISPLAYS = {"auto": "summarized", "concise": "summarized", "detailed": "summarized", "hidden": "omitted"}
_EFFORTS = {"minimal": "low"}
_FOREIGN_DISPLAYS = ("parsed", "raw")


def lift_options(body: JsonObject, spec: chat_pb2.ChatSpec, place: Place) -> None:
    """Set the options of `spec`."""
    _SPEC.lift(body, spec, place)
    _SAMPLING.lift(body, spec.sampling, place)
    if body.get("cache_control") is not None:
        lift_breakpoint(body["cache_control"], spec.cache.breakpoint)
    user = object_at(body, "metadata").get("user_id")
    if isinstance(user, str):
        spec.end_user_id = whole_text(user)
    _lift_thinking(object_at(body, "thinking"), spec.reasoning, place.at("thinking"))
    _lift_choice(object_at(body, "tool_choice"), spec, place.at("tool_choice"))
    config = object_at(body, "output_config")
    if isinstance(config.get("effort"), str):
        spec.reasoning.effort = whole_text(config["effort"])
    if object_at(config, "task_budget").get("type") == "tokens":
        _BUDGET.lift(config["task_budget"], spec.task_budget, place.at("output_config").at("task_budget"))
    if _is_schema(object_at(config, "format")):
        spec.response_format.json_schema.schema_json = text_of(config["format"]["schema"])
    elif _is_schema(object_at(body, "output_format")):
        spec.response_format.json_schema.schema_json = text_of(body["output_format"]["schema"])
        spell(spec, "output_format", place.direction)


def lower_options(spec: chat_pb2.ChatSpec, body: JsonObject, writer: Writer) -> None:
    """Write the options of `spec`."""
    _SPEC.lower(spec, body)
    _SAMPLING.lower(spec.sampling, body)
    if spec.cache.HasField("breakpoint"):
        body["cache_control"] = lower_breakpoint(spec.cache.breakpoint)
    if spec.end_user_id:
        body["metadata"] = {"user_id": spec.end_user_id}
    if spec.speed == "fast":
        writer.use("fast-mode-2026-02-01")
    if thinking := _lower_thinking(spec.reasoning, writer):
        body["thinking"] = thinking
    if choice := _lower_choice(spec, writer):
        body["tool_choice"] = choice
    config: JsonObject = {}
    if spec.reasoning.effort not in ("", "none"):
        config["effort"] = _EFFORTS.get(spec.reasoning.effort, spec.reasoning.effort)
    if spec.HasField("task_budget"):
        config["task_budget"] = _BUDGET.lower(spec.task_budget, {"type": "tokens"})
        writer.use("task-budgets-2026-03-13")
    if form := _lower_format(spec.response_format, writer):
        if spelled(spec, "output_format", REQUEST):
            body["output_format"] = form
            writer.use("structured-outputs-2025-11-13")
        else:
            config["format"] = form
    if config:
        body["output_config"] = config


def _is_schema(form: JsonObject) -> bool:
    return form.get("type") == "json_schema" and isinstance(form.get("schema"), dict)


def _lower_format(form: tools_pb2.ResponseFormat, writer: Writer) -> JsonObject | None:
    """The form of the answer. The name of a schema is a label that Anthropic has no place for, and every schema is
    enforced, so that neither `name` nor `strict` is missed."""
    kind = form.WhichOneof("format")
    if kind == "json_schema":
        return {"type": "json_schema", "schema": loads(form.json_schema.schema_json or '{"type":"object"}')}
    if kind not in (None, "text"):
        writer.unsupported(f"spec.response_format.{kind}", "Anthropic takes only text and json_schema; give a schema")
    return None


def _lift_thinking(thinking: JsonObject, reasoning: chat_pb2.Reasoning, place: Place) -> None:
    kind, display = thinking.get("type"), thinking.get("display")
    if kind == "enabled":
        reasoning.enabled = True
        _THINKING.lift(thinking, reasoning, place)
    elif kind == "adaptive":
        reasoning.adaptive = True
    elif kind == "disabled":
        reasoning.enabled = False
    if isinstance(display, str):
        reasoning.display = whole_text(display)


def _lower_thinking(reasoning: chat_pb2.Reasoning, writer: Writer) -> JsonObject | None:
    thinking: JsonObject
    if reasoning.effort == "none" or (reasoning.HasField("enabled") and not reasoning.enabled):
        return {"type": "disabled"}
    if reasoning.HasField("budget_tokens"):
        thinking = {"type": "enabled", "budget_tokens": reasoning.budget_tokens}
    elif reasoning.adaptive or reasoning.enabled or reasoning.display:
        thinking = {"type": "adaptive"}
    else:
        return None
    display = "omitted" if reasoning.exclude else _DISPLAYS.get(reasoning.display, reasoning.display)
    if display in _FOREIGN_DISPLAYS:
        writer.unsupported("spec.reasoning.display", f"'{display}' is unknown to Anthropic; give summarized or omitted")
    elif display:
        thinking["display"] = display
    return thinking


def _lift_choice(choice: JsonObject, spec: chat_pb2.ChatSpec, place: Place) -> None:
    kind, name, single = choice.get("type"), choice.get("name"), choice.get("disable_parallel_tool_use")
    if kind == "tool" and isinstance(name, str):
        spec.tool_choice.mode = tools_pb2.ToolChoice.MODE_REQUIRED
        spec.tool_choice.allowed_tools.append(whole_text(name))
    elif str(kind) in _CHOICES:
        spec.tool_choice.mode = _CHOICES[str(kind)]
    elif kind is not None:
        place.wrong("type", "must be auto, any, none or tool")
    if isinstance(single, bool):
        spec.parallel_tool_calls = not single


def _lower_choice(spec: chat_pb2.ChatSpec, writer: Writer) -> JsonObject | None:
    given, choice = spec.tool_choice, JsonObject()
    if spec.HasField("tool_choice"):
        if given.mode == tools_pb2.ToolChoice.MODE_REQUIRED and len(given.allowed_tools) == 1:
            choice = {"type": "tool", "name": given.allowed_tools[0]}
        elif given.mode in _MODES and not given.allowed_tools:
            choice = {"type": _MODES[given.mode]}
        else:
            why = "Anthropic can force one tool or any; give only the allowed tools in spec.tools instead"
            writer.unsupported("spec.tool_choice", why)
    if spec.HasField("parallel_tool_calls") and choice.get("type") != "none":
        if not choice and not spec.parallel_tool_calls and spec.tools:
            choice = {"type": "auto"}
        if choice:
            choice["disable_parallel_tool_use"] = not spec.parallel_tool_calls
    return choice or None


_SAID = frozenset(
    {
        "parallel_tool_calls", "response_format", "sampling.temperature", "sampling.top_p", "sampling.top_k",
        "sampling.min_p", "sampling.frequency_penalty", "sampling.presence_penalty", "sampling.repetition_penalty",
        "sampling.seed", "sampling.stop", "sampling.logit_bias", "sampling.logprobs", "sampling.top_logprobs",
        "max_output_tokens", "n", "reasoning.effort", "reasoning.budget_tokens", "reasoning.display",
        "reasoning.include_encrypted", "reasoning.adaptive", "reasoning.enabled", "reasoning.exclude",
        "output_modalities", "audio", "verbosity", "cache.key", "cache.retention", "cache.cached_content",
        "cache.breakpoint", "service_tier", "end_user_id", "metadata", "previous_response_id", "store", "prediction",
        "safety", "moderation_model", "container", "context_management", "inference_region", "speed", "task_budget",
        "provider_features",
    }
)  # fmt: skip
"""Fields of a request that this wire says, or refuses by itself; every other one is refused for it."""


def unsayable(spec: chat_pb2.ChatSpec, writer: Writer) -> None:
    """Note every set field of `spec` that this wire has no word for. A value that changes nothing is no loss."""
    sampling, cache = spec.sampling, spec.cache
    for path, lost in (
        ("n", spec.n > 1),
        ("sampling.min_p", bool(sampling.min_p)),
        ("sampling.frequency_penalty", bool(sampling.frequency_penalty)),
        ("sampling.presence_penalty", bool(sampling.presence_penalty)),
        ("sampling.repetition_penalty", sampling.repetition_penalty not in (0.0, 1.0)),
        ("sampling.seed", sampling.HasField("seed")),
        ("sampling.logit_bias", bool(sampling.logit_bias)),
        ("sampling.logprobs", sampling.logprobs),
        ("sampling.top_logprobs", bool(sampling.top_logprobs)),
        ("output_modalities", any(kind != content_pb2.MODALITY_TEXT for kind in spec.output_modalities)),
        ("audio", spec.HasField("audio")),
        ("verbosity", bool(spec.verbosity)),
        ("cache.cached_content", bool(cache.cached_content)),
        ("metadata", bool(spec.metadata)),
        ("previous_response_id", bool(spec.previous_response_id)),
        ("store", spec.store),
        ("prediction", bool(spec.prediction)),
        ("safety", bool(spec.safety)),
        ("moderation_model", bool(spec.moderation_model)),
    ):
        if lost:
            writer.unsupported(f"spec.{path}", "Anthropic's Messages API cannot say this; leave it out")
    for path, hinted in (
        ("cache.key", bool(cache.key)),
        ("cache.retention", bool(cache.retention)),
        ("reasoning.include_encrypted", spec.reasoning.include_encrypted),
    ):
        if hinted:
            writer.warn("NOT_SENT", f"spec.{path}", "Anthropic cannot say this; the answer is the same without it")
    for path in unsaid(spec, _SAID):
        writer.unsupported(f"spec.{path}", "Anthropic's Messages API cannot say this; leave it out")
