"""Requests of `/api/chat`, read and written."""

from __future__ import annotations

from collections.abc import Mapping

from antiphon.core.errors import Reason, ServiceError, invalid
from antiphon.v1 import chat_pb2, tools_pb2
from antiphon.wire.base import ChatCall, HttpCall
from antiphon.wire.fields import REQUEST, Fields, Place, object_at, whole_text
from antiphon.wire.jsontext import Json, JsonObject, dumps, loads, text_of
from antiphon.wire.ollama_native.messages import lift_message, lower_messages
from antiphon.wire.ollama_native.spelling import DEFAULT, WIRE, Quirks, reader
from antiphon.wire.scribe import Scribe, refuse_unsaid, refuse_unsaid_function, strict_by

_OPTIONS = Fields(
    chat_pb2.Sampling,
    temperature="temperature",
    top_p="top_p",
    top_k="top_k",
    min_p="min_p",
    typical_p="typical_p",
    repeat_last_n="repetition_window",
    repeat_penalty="repetition_penalty",
    frequency_penalty="frequency_penalty",
    presence_penalty="presence_penalty",
    seed="seed",
    stop="stop",
)
_CONTEXT = Fields(chat_pb2.LocalRuntime, num_ctx="context_tokens")
_LOGPROBS = Fields(chat_pb2.Sampling, logprobs="logprobs", top_logprobs="top_logprobs")
_FUNCTION = Fields(
    tools_pb2.FunctionTool, name="name", description="description", parameters="parameters_schema_json", strict="strict"
)
_SAID = frozenset(
    {
        *(f"sampling.{name}" for name in ("temperature", "top_p", "top_k", "min_p", "typical_p", "repetition_window")),
        *(f"sampling.{name}" for name in ("repetition_penalty", "frequency_penalty", "presence_penalty", "seed")),
        *(f"sampling.{name}" for name in ("stop", "logprobs", "top_logprobs")),
        *("max_output_tokens", "runtime", "response_format", "parallel_tool_calls"),
        *("reasoning.enabled", "reasoning.effort", "reasoning.adaptive"),
    }
)
_EFFORTS: Mapping[str, Json] = {"none": False, "minimal": "low", "xhigh": "high", "max": "high"}
"""Words of other providers as this one says them."""
_STREAM_BY_DEFAULT, _NUMBER, _STRICT = "stream_by_default", "keep_alive_number", "strict"


def decode_request(call: HttpCall) -> ChatCall:
    """What a client asks of `/api/chat`. Raises ServiceError INVALID_REQUEST with the path in the body."""
    body = read_body(call)
    spec, place, scribe = chat_pb2.ChatSpec(), Place(REQUEST), reader(REQUEST)
    if not isinstance(body.get("model"), str):
        raise invalid("model", "must be a string")
    spec.model = whole_text(body["model"])
    stream = body.get("stream")
    if stream is None:
        scribe.spell(spec, _STREAM_BY_DEFAULT)
    elif not isinstance(stream, bool):
        raise invalid("stream", "must be true or false")
    messages = body.get("messages")
    if messages is not None and not isinstance(messages, list):
        raise invalid("messages", "must be a list of messages")
    for number, message in enumerate(messages or ()):
        here = place.at("messages").at(number)
        if not isinstance(message, dict):
            raise invalid(here.path, "must be an object")
        spec.messages.append(lift_message(message, here))
    _lift_options(body, spec, place, scribe)
    _lift_tools(body, spec, place)
    streams = stream is not False
    # What messages and tools keep themselves is the same by now.
    scribe.keep(spec, _lowered(spec, reader(REQUEST), stream=streams), body)
    return ChatCall(spec=spec, stream=streams)


def encode_request(spec: chat_pb2.ChatSpec, *, stream: bool, quirks: Quirks = DEFAULT) -> HttpCall:
    """The call for the provider. Raises ServiceError UNSUPPORTED_PARAMETER, unless `on_unsupported` is WARN."""
    scribe = Scribe(wire=WIRE, provider=quirks.provider, strict=strict_by(spec))
    refuse_unsaid(spec, _SAID, scribe, "Ollama's chat API")
    body = scribe.restore(spec, _lowered(spec, scribe, stream=stream))
    headers = {"content-type": "application/json"}
    path = f"{quirks.base_path}/chat"
    return HttpCall(method="POST", path=path, body=dumps(body), headers=headers, warnings=tuple(scribe.warnings))


def read_body(call: HttpCall) -> JsonObject:
    """The JSON object of a request. Raises ServiceError INVALID_REQUEST."""
    try:
        body = loads(call.body)
    except ValueError as error:
        raise ServiceError(Reason.INVALID_REQUEST, f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise invalid("", f"the body must be a JSON object, not {type(body).__name__}")
    return body


def _lowered(spec: chat_pb2.ChatSpec, scribe: Scribe, *, stream: bool) -> JsonObject:
    body: JsonObject = {"model": spec.model}
    messages = enumerate(spec.messages)
    body["messages"] = [
        item for number, message in messages for item in lower_messages(message, scribe, f"spec.messages[{number}]")
    ]
    tools = _lower_tools(spec, scribe)
    if tools:
        body["tools"] = tools
    _lower_options(spec, body, scribe)
    if not (stream and scribe.spelled(spec, _STREAM_BY_DEFAULT)):
        body["stream"] = stream
    return body


def _lift_options(body: JsonObject, spec: chat_pb2.ChatSpec, place: Place, scribe: Scribe) -> None:
    options = object_at(body, "options")
    sampling = chat_pb2.Sampling()
    _OPTIONS.lift(options, sampling, place.at("options"))
    _LOGPROBS.lift(body, sampling, place)
    if sampling.ListFields():
        spec.sampling.CopyFrom(sampling)
    runtime = chat_pb2.LocalRuntime()
    _CONTEXT.lift(options, runtime, place.at("options"))
    limit = options.get("num_predict")
    if type(limit) is int and 0 <= limit < 1 << 31:  # -1 is no limit, -2 fills the context: no bound of the contract
        spec.max_output_tokens = limit
    keep = body.get("keep_alive")
    if isinstance(keep, str):
        runtime.keep_loaded = whole_text(keep)
    elif isinstance(keep, int | float) and not isinstance(keep, bool):
        runtime.keep_loaded = text_of(keep)
        scribe.spell(spec, _NUMBER)
    if runtime.ListFields():
        spec.runtime.CopyFrom(runtime)
    think = body.get("think")
    if isinstance(think, bool):
        spec.reasoning.enabled = think
    elif isinstance(think, str) and think:
        spec.reasoning.effort = whole_text(think)
    form = body.get("format")
    if form == "json":
        spec.response_format.json_object.SetInParent()
    elif isinstance(form, dict) and form:
        spec.response_format.json_schema.schema_json = text_of(form)


def _lower_options(spec: chat_pb2.ChatSpec, body: JsonObject, scribe: Scribe) -> None:
    options: JsonObject = {}
    _OPTIONS.lower(spec.sampling, options)
    _CONTEXT.lower(spec.runtime, options)
    if spec.HasField("max_output_tokens"):
        options["num_predict"] = spec.max_output_tokens
    if options:
        body["options"] = options
    _LOGPROBS.lower(spec.sampling, body)
    keep = spec.runtime.keep_loaded
    if keep:
        body["keep_alive"] = _number(keep) if scribe.spelled(spec, _NUMBER) else keep
    think = _think(spec.reasoning)
    if think is not None:
        body["think"] = think
    match spec.response_format.WhichOneof("format"):
        case "json_object":
            body["format"] = "json"
        case "json_schema":
            body["format"] = loads(spec.response_format.json_schema.schema_json or "{}") or "json"
        case "grammar" | "choice" as kind:
            scribe.unsupported(f"spec.response_format.{kind}", "Ollama takes only JSON, with or without a schema")


def _number(text: str) -> Json:
    try:
        return loads(text)
    except ValueError:
        return text


def _think(reasoning: chat_pb2.Reasoning) -> Json:
    if reasoning.effort:
        return _EFFORTS.get(reasoning.effort, reasoning.effort)
    if reasoning.HasField("enabled"):
        return reasoning.enabled
    return True if reasoning.adaptive else None


def _lift_tools(body: JsonObject, spec: chat_pb2.ChatSpec, place: Place) -> None:
    tools = body.get("tools")
    if tools is not None and not (isinstance(tools, list) and all(isinstance(tool, dict) for tool in tools)):
        raise invalid("tools", "must be a list of objects")
    for number, item in enumerate(tools or ()):
        tool, scribe = spec.tools.add(), reader(REQUEST)
        function = item.get("function")
        if not isinstance(function, dict):
            tool.provider.wire, tool.provider.config_json = WIRE, text_of(item)
            continue
        tool.function.SetInParent()
        _FUNCTION.lift(function, tool.function, place.at("tools").at(number).at("function"))
        if tool.function.HasField("strict"):
            scribe.spell(tool, _STRICT)
        scribe.keep(tool, _lowered_tool(tool), item)


def _lower_tools(spec: chat_pb2.ChatSpec, scribe: Scribe) -> list[JsonObject]:
    mode = spec.tool_choice.mode
    if spec.HasField("tool_choice"):
        if mode == tools_pb2.ToolChoice.MODE_NONE:
            return []  # without tools none can be called
        forced = mode in (tools_pb2.ToolChoice.MODE_REQUIRED, tools_pb2.ToolChoice.MODE_VALIDATED)
        if forced or spec.tool_choice.allowed_tools:
            scribe.unsupported("spec.tool_choice", "Ollama lets the model decide; give only the tools that it may call")
    if spec.HasField("parallel_tool_calls") and not spec.parallel_tool_calls and spec.tools:
        scribe.unsupported("spec.parallel_tool_calls", "Ollama cannot be held to one call at a time")
    out: list[JsonObject] = []
    for number, tool in enumerate(spec.tools):
        if tool.HasField("function"):
            refuse_unsaid_function(tool, frozenset({"strict"}), scribe, f"spec.tools[{number}]", "Ollama")
            lowered = scribe.restore(tool, _lowered_tool(tool))
            if not scribe.spelled(tool, _STRICT) and lowered["function"].pop("strict", False):
                scribe.omit(f"spec.tools[{number}].function.strict", "Ollama holds no call to its schema")
            out.append(lowered)
        elif tool.HasField("provider") and tool.provider.wire == WIRE:
            out.append(loads(tool.provider.config_json))
        else:
            what = tool.provider_type or tool.WhichOneof("tool") or "no kind of tool"
            scribe.unsupported(f"spec.tools[{number}]", f"Ollama runs no '{what}'; give a function instead")
    return out


def _lowered_tool(tool: tools_pb2.Tool) -> JsonObject:
    function: JsonObject = {"name": tool.function.name}
    return {"type": "function", "function": _FUNCTION.lower(tool.function, function)}
