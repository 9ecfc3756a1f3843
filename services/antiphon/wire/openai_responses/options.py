"""The options of a request. Answers repeat them, so they are read and written in both directions."""

from __future__ import annotations

from collections.abc import Callable

from antiphon.v1 import chat_pb2, content_pb2, tools_pb2
from antiphon.wire.fields import REQUEST, Fields, Place, object_at, objects, whole_text
from antiphon.wire.jsontext import Json, JsonObject
from antiphon.wire.openai_responses.choice import lift_choice, lower_choice
from antiphon.wire.openai_responses.content import lift_element, lower_element, seconds, text_part, ttl_word
from antiphon.wire.openai_responses.spelling import spell, spelled
from antiphon.wire.openai_responses.tools import lift_tools, lower_tools
from antiphon.wire.openai_responses.writer import Writer
from antiphon.wire.unsaid import unsaid

ChatSpec = chat_pb2.ChatSpec

_SPEC = Fields(
    ChatSpec,
    max_output_tokens="max_output_tokens",
    parallel_tool_calls="parallel_tool_calls",
    store="store",
    service_tier="service_tier",
    previous_response_id="previous_response_id",
    background="background",
    truncation="truncation",
    max_tool_calls="max_tool_calls",
    include="include",
)
_SAMPLING = Fields(
    chat_pb2.Sampling,
    temperature="temperature",
    top_p="top_p",
    top_logprobs="top_logprobs",
    presence_penalty="presence_penalty",
    frequency_penalty="frequency_penalty",
    top_k="top_k",
    seed="seed",
)
_REASONING = Fields(
    chat_pb2.Reasoning,
    effort="effort",
    context="context",
    mode="mode",
)
_SWITCHES = Fields(chat_pb2.Reasoning, max_tokens="budget_tokens", enabled="enabled", exclude="exclude")  # OpenRouter
_SUMMARY = Fields(chat_pb2.Reasoning, summary="display")
_CACHE = Fields(chat_pb2.CachePolicy, prompt_cache_key="key", prompt_cache_retention="retention")
_SCHEMA = Fields(
    tools_pb2.JsonSchemaFormat, name="name", description="description", schema="schema_json", strict="strict"
)
_PROMPT = Fields(chat_pb2.PromptTemplate, id="id", version="version")
_THRESHOLD = Fields(chat_pb2.ContextAmount, compact_threshold="value")
_USERS = ("safety_identifier", "user")
_CIPHER, _LOGPROBS = "reasoning.encrypted_content", "message.output_text.logprobs"
_CONVERSATION = "conversation_object"
_OLD_SUMMARY = "generate_summary"
_SWITCH = "reasoning_switches"
_CONTEXT = "context_management"
_COMPACTION = "compaction"
_DISPLAYS = {"summarized": "auto"}
_NO_DISPLAYS = ("parsed", "raw", "omitted", "hidden")
_EFFORT_OFF = "none"


def lift_options(body: JsonObject, spec: ChatSpec, place: Place) -> None:
    """Set the options and the tools of `spec`."""
    _SPEC.lift(body, spec, place)
    _SAMPLING.lift(body, spec.sampling, place)
    _CACHE.lift(body, spec.cache, place)
    _lift_cache(object_at(body, "prompt_cache_options"), spec.cache)
    _lift_reasoning(object_at(body, "reasoning"), spec, place.at("reasoning"))
    if _CIPHER in spec.include:
        spec.reasoning.include_encrypted = True
    if _LOGPROBS in spec.include:
        spec.sampling.logprobs = True
    for name in _USERS:
        user = body.get(name)
        if isinstance(user, str) and user and spec.end_user_id in ("", user):
            spec.end_user_id = whole_text(user)
            spell(spec, name, place.direction)
    for key, value in object_at(body, "metadata").items():
        if isinstance(value, str):
            spec.metadata[whole_text(key)] = whole_text(value)
    text = object_at(body, "text")
    if isinstance(text.get("verbosity"), str):
        spec.verbosity = whole_text(text["verbosity"])
    _lift_format(object_at(text, "format"), spec.response_format, place.at("text").at("format"))
    lift_tools(body.get("tools"), spec.tools.add, place)
    lift_choice(body.get("tool_choice"), spec, place)
    _lift_state(body, spec, place)
    model = object_at(body, "moderation").get("model")
    if isinstance(model, str):
        spec.moderation_model = whole_text(model)


def lower_options(spec: ChatSpec, body: JsonObject, writer: Writer) -> None:
    """Write the options and the tools of `spec`."""
    _SPEC.lower(spec, body)
    _SAMPLING.lower(spec.sampling, body)
    _CACHE.lower(spec.cache, body)
    include = _included(spec, writer)
    if include:
        body["include"] = include
    else:
        body.pop("include", None)
    if options := _lower_cache(spec.cache):
        body["prompt_cache_options"] = options
    if reasoning := _lower_reasoning(spec, writer):
        body["reasoning"] = reasoning
    if spec.end_user_id:
        for name in [name for name in _USERS if spelled(spec, name, writer.direction)] or _USERS[:1]:
            body[name] = spec.end_user_id
    if spec.metadata:
        body["metadata"] = dict(sorted(spec.metadata.items()))
    text: JsonObject = {}
    if form := _lower_format(spec.response_format, writer):
        text["format"] = form
    if spec.verbosity:
        text["verbosity"] = spec.verbosity
    if text:
        body["text"] = text
    if tools := lower_tools(spec.tools, writer, "spec.tools"):
        body["tools"] = tools
    if (choice := lower_choice(spec, writer)) is not None:
        body["tool_choice"] = choice
    _lower_state(spec, body, writer)
    if spec.moderation_model:
        body["moderation"] = {"model": spec.moderation_model}


_SAID = frozenset(
    {
        "parallel_tool_calls", "response_format", "sampling.temperature", "sampling.top_p", "sampling.top_k",
        "sampling.min_p", "sampling.frequency_penalty", "sampling.presence_penalty", "sampling.repetition_penalty",
        "sampling.seed", "sampling.stop", "sampling.logit_bias", "sampling.logprobs", "sampling.top_logprobs",
        "sampling.typical_p", "max_output_tokens", "n", "reasoning.effort", "reasoning.budget_tokens",
        "reasoning.display", "reasoning.include_encrypted", "reasoning.enabled", "reasoning.context",
        "reasoning.mode", "output_modalities", "audio", "verbosity", "cache.key", "cache.retention",
        "cache.cached_content", "cache.breakpoint", "cache.mode", "cache.ttl", "service_tier", "end_user_id",
        "metadata", "previous_response_id", "store", "prediction", "safety", "moderation_model", "container",
        "context_management", "inference_region", "speed", "task_budget", "guardrail", "citation_mode",
        "conversation_id", "background", "truncation", "max_tool_calls", "include", "prompt_template",
        "stream_padding"
    }
)  # fmt: skip
"""Fields of a request that this wire says, or refuses by itself; every other one is refused for it."""


def unsayable(spec: ChatSpec, writer: Writer) -> None:
    """Note the options that the wire has no field for."""
    for path, is_said, why in _UNSAYABLE:
        if is_said(spec):
            writer.unsupported(path, why)
    if spec.cache.HasField("breakpoint"):
        writer.warn("NOT_SENT", "spec.cache.breakpoint", "breakpoints stand on parts here; set one on the last part")
    for path in unsaid(spec, _SAID):
        writer.unsupported(f"spec.{path}", "this wire has no field for it")


def _lift_reasoning(given: JsonObject, spec: ChatSpec, place: Place) -> None:
    _REASONING.lift(given, spec.reasoning, place)
    _SUMMARY.lift(given, spec.reasoning, place)
    old = given.get(_OLD_SUMMARY)
    if isinstance(old, str) and not spec.reasoning.display:
        spec.reasoning.display = whole_text(old)
        spell(spec, _OLD_SUMMARY, place.direction)
    if _SWITCHES.keys & given.keys():
        _SWITCHES.lift(given, spec.reasoning, place)
        spell(spec, _SWITCH, place.direction)


def _lower_reasoning(spec: ChatSpec, writer: Writer) -> JsonObject:
    reasoning = spec.reasoning
    lowered = _REASONING.lower(reasoning, {})
    display = _DISPLAYS.get(reasoning.display, reasoning.display)
    if spelled(spec, _OLD_SUMMARY, writer.direction):
        lowered[_OLD_SUMMARY] = display
    elif display in _NO_DISPLAYS:
        if display in ("parsed", "raw"):
            writer.unsupported("spec.reasoning.display", "this wire shows summaries alone: auto, concise or detailed")
    elif display and not reasoning.exclude:  # reasoning is not shown unless it is asked for
        lowered["summary"] = display
    if spelled(spec, _SWITCH, writer.direction):
        return _SWITCHES.lower(reasoning, lowered)
    if reasoning.HasField("enabled") and not reasoning.enabled:
        lowered["effort"] = _EFFORT_OFF
    if reasoning.HasField("budget_tokens"):
        writer.unsupported("spec.reasoning.budget_tokens", "this wire takes an effort, no number of tokens")
    return lowered


def _included(spec: ChatSpec, writer: Writer) -> list[str]:
    words = list(spec.include)
    wanted = (
        (_CIPHER, spec.reasoning, "include_encrypted"),
        (_LOGPROBS, spec.sampling, "logprobs"),
    )
    for word, holder, name in wanted:
        if not holder.HasField(name):  # type: ignore[arg-type]  # one of the table's names
            continue
        if getattr(holder, name) and word not in words:
            words.append(word)
        elif not getattr(holder, name) and word in words:
            words.remove(word)
    return words


def _lift_cache(options: JsonObject, cache: chat_pb2.CachePolicy) -> None:
    if isinstance(options.get("mode"), str):
        cache.mode = whole_text(options["mode"])
    if (length := seconds(options.get("ttl"))) is not None:
        cache.ttl.seconds = length


def _lower_cache(cache: chat_pb2.CachePolicy) -> JsonObject:
    lowered: JsonObject = {"mode": cache.mode} if cache.mode else {}
    if cache.HasField("ttl"):
        lowered["ttl"] = ttl_word(cache.ttl.seconds)
    return lowered


def _lift_format(form: JsonObject, target: tools_pb2.ResponseFormat, place: Place) -> None:
    match form.get("type"):
        case "text":
            target.text.SetInParent()
        case "json_object":
            target.json_object.SetInParent()
        case "json_schema":
            target.json_schema.SetInParent()
            _SCHEMA.lift(form, target.json_schema, place)
        case "grammar" if isinstance(form.get("grammar"), str):
            target.grammar.syntax, target.grammar.definition = "lark", whole_text(form["grammar"])


def _lower_format(form: tools_pb2.ResponseFormat, writer: Writer) -> JsonObject:
    match form.WhichOneof("format"):
        case "text":
            return {"type": "text"}
        case "json_object":
            return {"type": "json_object"}
        case "json_schema":
            schema = _SCHEMA.lower(form.json_schema, {"type": "json_schema"})
            schema.setdefault("name", "answer")  # the wire requires one
            return schema
        case "grammar" if form.grammar.syntax == "lark":
            return {"type": "grammar", "grammar": form.grammar.definition}
        case "grammar" | "choice" as kind:
            why = "this wire takes text, json_object and json_schema; give a schema"
            writer.unsupported(f"spec.response_format.{kind}", why)
    return {}


def _lift_state(body: JsonObject, spec: ChatSpec, place: Place) -> None:
    """What the provider holds: conversations, prompts; and what it does with long ones."""
    conversation = body.get("conversation")
    if isinstance(conversation, dict) and isinstance(conversation.get("id"), str):
        spec.conversation_id = whole_text(conversation["id"])
        spell(spec, _CONVERSATION, place.direction)
    elif isinstance(conversation, str):
        spec.conversation_id = whole_text(conversation)
    prompt = body.get("prompt")
    if isinstance(prompt, dict):
        _PROMPT.lift(prompt, spec.prompt_template, place.at("prompt"))
        for name, value in object_at(prompt, "variables").items():
            if isinstance(value, str):
                part = text_part(value)
                spell(part, "text", place.direction)
                spec.prompt_template.variables[whole_text(name)].CopyFrom(part)
            elif isinstance(value, dict):
                lifted = lift_element(value, place.at("prompt").at("variables").at(name), "user")
                spec.prompt_template.variables[whole_text(name)].CopyFrom(lifted)
    padding = object_at(body, "stream_options").get("include_obfuscation")
    if isinstance(padding, bool):
        spec.stream_padding = padding
    for given in objects(body.get("context_management")):
        edit = spec.context_management.edits.add()
        if len(spec.context_management.edits) == 1:
            spell(spec, _CONTEXT, place.direction)
        if isinstance(given.get("type"), str):
            edit.provider_type = whole_text(given["type"])
        _THRESHOLD.lift(given, edit.trigger, place.at(_CONTEXT))
        if edit.trigger.HasField("value"):
            edit.trigger.provider_type = "input_tokens"


def _lower_state(spec: ChatSpec, body: JsonObject, writer: Writer) -> None:
    if spec.conversation_id:
        wrapped = writer.direction != REQUEST or spelled(spec, _CONVERSATION, REQUEST)
        body["conversation"] = {"id": spec.conversation_id} if wrapped else spec.conversation_id
    if spec.HasField("prompt_template"):
        prompt = _PROMPT.lower(spec.prompt_template, {"id": spec.prompt_template.id})
        variables = {name: _variable(part, writer, name) for name, part in spec.prompt_template.variables.items()}
        if variables:
            prompt["variables"] = dict(sorted(variables.items()))
        body["prompt"] = prompt
    if spec.HasField("stream_padding"):
        body["stream_options"] = {"include_obfuscation": spec.stream_padding}
    edits: list[JsonObject] = []
    for number, edit in enumerate(spec.context_management.edits):
        if edit.provider_type != _COMPACTION and not spelled(spec, _CONTEXT, writer.direction):
            path = f"spec.context_management.edits[{number}]"
            writer.unsupported(path, f"this wire knows '{_COMPACTION}' alone; give that")
            continue
        lowered: JsonObject = {"type": edit.provider_type}
        if edit.trigger.HasField("value"):
            lowered["compact_threshold"] = edit.trigger.value
        edits.append(lowered)
    if edits:
        body["context_management"] = edits


def _variable(part: content_pb2.Part, writer: Writer, name: str) -> Json:
    bare = part.WhichOneof("kind") == "text" and (spelled(part, "text", writer.direction) or not part.HasField("form"))
    if bare and not part.HasField("cache_breakpoint") and not part.provider_data:
        return part.text.text
    return lower_element(part, writer, f"spec.prompt_template.variables[{name}]", "user")


_LACKS = "this wire has no field for it; leave it out"
_UNSAYABLE: tuple[tuple[str, Callable[[ChatSpec], bool], str], ...] = (
    ("spec.n", lambda spec: spec.n > 1, "this wire gives one answer; ask several times"),
    (
        "spec.sampling.stop",
        lambda spec: bool(spec.sampling.stop),
        "this wire has no stop texts; cut the answer yourself",
    ),
    ("spec.sampling.logit_bias", lambda spec: bool(spec.sampling.logit_bias), _LACKS),
    ("spec.sampling.min_p", lambda spec: spec.sampling.HasField("min_p"), _LACKS),
    ("spec.sampling.repetition_penalty", lambda spec: spec.sampling.HasField("repetition_penalty"), _LACKS),
    ("spec.sampling.typical_p", lambda spec: spec.sampling.HasField("typical_p"), _LACKS),
    ("spec.prediction", lambda spec: bool(spec.prediction), _LACKS),
    ("spec.safety", lambda spec: bool(spec.safety), _LACKS),
    ("spec.audio", lambda spec: spec.HasField("audio"), "this wire gives no sound; ask in the chat wire"),
    (
        "spec.output_modalities",
        lambda spec: any(item > content_pb2.MODALITY_TEXT for item in spec.output_modalities),
        "this wire gives text alone; give the tool image_generation for pictures",
    ),
    ("spec.cache.cached_content", lambda spec: bool(spec.cache.cached_content), _LACKS),
    ("spec.container", lambda spec: spec.HasField("container"), "give the container in the tool code_execution"),
    ("spec.inference_region", lambda spec: bool(spec.inference_region), _LACKS),
    ("spec.speed", lambda spec: bool(spec.speed), "give a service_tier instead"),
    ("spec.task_budget", lambda spec: spec.HasField("task_budget"), _LACKS),
    ("spec.guardrail", lambda spec: spec.HasField("guardrail"), _LACKS),
    ("spec.citation_mode", lambda spec: bool(spec.citation_mode), _LACKS),
)
