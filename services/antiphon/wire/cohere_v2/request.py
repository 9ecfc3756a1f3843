"""Requests of `/v2/chat`, read and written."""

from __future__ import annotations

from antiphon.core.errors import Reason, ServiceError, invalid
from antiphon.v1 import chat_pb2, content_pb2, tools_pb2
from antiphon.wire.base import ChatCall, HttpCall
from antiphon.wire.call_ids import with_call_ids
from antiphon.wire.cohere_v2.messages import is_document, lift_message, lower_messages
from antiphon.wire.cohere_v2.sources import lift_document, lower_document
from antiphon.wire.cohere_v2.spelling import DEFAULT, WIRE, Quirks, reader
from antiphon.wire.fields import REQUEST, Fields, Place, object_at, whole_text
from antiphon.wire.jsontext import Json, JsonObject, dumps, loads, text_of
from antiphon.wire.scribe import Scribe, refuse_unsaid, refuse_unsaid_function, strict_by

_SPEC = Fields(chat_pb2.ChatSpec, max_tokens="max_output_tokens", priority="priority")
_SAMPLING = Fields(
    chat_pb2.Sampling,
    temperature="temperature",
    p="top_p",
    k="top_k",
    seed="seed",
    frequency_penalty="frequency_penalty",
    presence_penalty="presence_penalty",
    stop_sequences="stop",
    logprobs="logprobs",
)
_FUNCTION = Fields(tools_pb2.FunctionTool, name="name", description="description", parameters="parameters_schema_json")
_BUDGET = Fields(chat_pb2.Reasoning, token_budget="budget_tokens")  # noqa: S106 - tokens of text
_SAID = frozenset(
    {
        *(f"sampling.{name}" for name in ("temperature", "top_p", "top_k", "seed", "stop", "logprobs")),
        *("sampling.frequency_penalty", "sampling.presence_penalty", "max_output_tokens", "priority"),
        *("reasoning.enabled", "reasoning.adaptive", "reasoning.budget_tokens", "reasoning.effort"),
        *("response_format", "safety", "citation_mode", "parallel_tool_calls"),
    }
)
_CHOICES = {"REQUIRED": tools_pb2.ToolChoice.MODE_REQUIRED, "NONE": tools_pb2.ToolChoice.MODE_NONE}
_MODES = {mode: word for word, mode in _CHOICES.items()}
_STREAM_FALSE, _DOCUMENTS, _SCHEMA = "stream_false", "documents", "schema_key"


def decode_request(call: HttpCall) -> ChatCall:
    """What a client asks of `/v2/chat`. Raises ServiceError INVALID_REQUEST with the path in the body."""
    body = read_body(call)
    spec, place, scribe = chat_pb2.ChatSpec(), Place(REQUEST), reader(REQUEST)
    if not isinstance(body.get("model"), str):
        raise invalid("model", "must be a string")
    spec.model = whole_text(body["model"])
    stream = body.get("stream")
    if stream is not None and not isinstance(stream, bool):
        raise invalid("stream", "must be true or false")
    if stream is False:
        scribe.spell(spec, _STREAM_FALSE)
    messages = body.get("messages")
    if not isinstance(messages, list):
        raise invalid("messages", "must be a list of messages")
    for number, message in enumerate(messages):
        here = place.at("messages").at(number)
        if not isinstance(message, dict):
            raise invalid(here.path, "must be an object")
        spec.messages.append(lift_message(message, here))
    _lift_documents(body.get("documents"), spec, scribe)
    _lift_tools(body, spec, place)
    _lift_options(body, spec, place, scribe)
    # What messages and tools keep themselves is the same by now.
    scribe.keep(spec, _lowered(spec, reader(REQUEST), stream=stream is True), body)
    return ChatCall(spec=spec, stream=stream is True)


def encode_request(spec: chat_pb2.ChatSpec, *, stream: bool, quirks: Quirks = DEFAULT) -> HttpCall:
    """The call for the provider. Raises ServiceError UNSUPPORTED_PARAMETER, unless `on_unsupported` is WARN."""
    spec = with_call_ids(spec)
    scribe = Scribe(wire=WIRE, provider=quirks.provider, strict=strict_by(spec))
    refuse_unsaid(spec, _SAID, scribe, "Cohere's chat API")
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
    documents: list[Json] = []
    messages: list[JsonObject] = []
    for number, message in enumerate(spec.messages):
        path = f"spec.messages[{number}]"
        if message.name:
            scribe.unsupported(f"{path}.name", "Cohere takes no names of participants; say it in the text")
        if message.role == content_pb2.ROLE_USER:
            documents += [lower_document(part, scribe) for part in message.parts if is_document(part)]
        messages += lower_messages(message, scribe, path)
    body["messages"] = messages
    if documents:
        body["documents"] = documents
    _lower_tools(spec, body, scribe)
    _lower_options(spec, body, scribe)
    if stream or scribe.spelled(spec, _STREAM_FALSE):
        body["stream"] = stream
    return body


def _lift_documents(documents: Json, spec: chat_pb2.ChatSpec, scribe: Scribe) -> None:
    """Documents beside the messages, as a message of the user before them."""
    parts = [lift_document(item, REQUEST) for item in documents] if isinstance(documents, list) else []
    if not parts or None in parts:
        return
    message = content_pb2.Message(role=content_pb2.ROLE_USER, parts=[part for part in parts if part is not None])
    scribe.spell(message, _DOCUMENTS)
    operators = (content_pb2.ROLE_SYSTEM, content_pb2.ROLE_DEVELOPER)
    leading = next((n for n, item in enumerate(spec.messages) if item.role not in operators), len(spec.messages))
    spec.messages.insert(leading, message)


def _lift_tools(body: JsonObject, spec: chat_pb2.ChatSpec, place: Place) -> None:
    tools = body.get("tools")
    if tools is not None and not (isinstance(tools, list) and all(isinstance(tool, dict) for tool in tools)):
        raise invalid("tools", "must be a list of objects")
    strict = body.get("strict_tools")
    for number, item in enumerate(tools or ()):
        tool, scribe = spec.tools.add(), reader(REQUEST)
        function = item.get("function")
        if item.get("type", "function") != "function" or not isinstance(function, dict):
            tool.provider.wire, tool.provider.config_json = WIRE, text_of(item)
            continue
        tool.function.SetInParent()
        _FUNCTION.lift(function, tool.function, place.at("tools").at(number).at("function"))
        if isinstance(strict, bool):
            tool.function.strict = strict
        scribe.keep(tool, _lowered_tool(tool), item)
    choice = body.get("tool_choice")
    if isinstance(choice, str) and choice in _CHOICES:
        spec.tool_choice.mode = _CHOICES[choice]


def _lower_tools(spec: chat_pb2.ChatSpec, body: JsonObject, scribe: Scribe) -> None:
    choice = spec.tool_choice
    allowed = frozenset(choice.allowed_tools)
    tools: list[JsonObject] = []
    strict: set[bool] = set()
    for number, tool in enumerate(spec.tools):
        if tool.HasField("function"):
            if allowed and tool.function.name not in allowed:
                continue  # a tool that may not be called need not be told
            refuse_unsaid_function(tool, frozenset({"strict"}), scribe, f"spec.tools[{number}]", "Cohere")
            tools.append(scribe.restore(tool, _lowered_tool(tool)))
            strict.add(tool.function.strict)
        elif tool.HasField("provider") and tool.provider.wire == WIRE:
            tools.append(loads(tool.provider.config_json))
        else:
            what = tool.provider_type or tool.WhichOneof("tool") or "no kind of tool"
            scribe.unsupported(f"spec.tools[{number}]", f"Cohere runs no '{what}'; give a function instead")
    if tools:
        body["tools"] = tools
    functions = [tool.function for tool in spec.tools if tool.HasField("function")]
    if len(strict) > 1:
        scribe.unsupported("spec.tools", "Cohere holds calls to the schemas of all tools or of none")
    elif any(function.HasField("strict") for function in functions):
        body["strict_tools"] = True in strict
    if spec.HasField("parallel_tool_calls") and not spec.parallel_tool_calls and tools:
        scribe.unsupported("spec.parallel_tool_calls", "Cohere cannot be held to one call at a time")
    if choice.mode == tools_pb2.ToolChoice.MODE_VALIDATED:
        scribe.unsupported("spec.tool_choice.mode", "Cohere has no such mode; use strict tools")
    if choice.mode in _MODES:
        body["tool_choice"] = _MODES[choice.mode]


def _lowered_tool(tool: tools_pb2.Tool) -> JsonObject:
    function: JsonObject = {"name": tool.function.name}
    return {"type": "function", "function": _FUNCTION.lower(tool.function, function)}


def _lift_options(body: JsonObject, spec: chat_pb2.ChatSpec, place: Place, scribe: Scribe) -> None:
    _SPEC.lift(body, spec, place)
    sampling = chat_pb2.Sampling()
    _SAMPLING.lift(body, sampling, place)
    if sampling.ListFields():
        spec.sampling.CopyFrom(sampling)
    thinking = object_at(body, "thinking")
    if thinking.get("type") in ("enabled", "disabled"):
        spec.reasoning.enabled = thinking["type"] == "enabled"
        _BUDGET.lift(thinking, spec.reasoning, place.at("thinking"))
    if isinstance(body.get("safety_mode"), str):
        spec.safety.add(threshold=whole_text(body["safety_mode"]))
    mode = object_at(body, "citation_options").get("mode")
    if isinstance(mode, str):
        spec.citation_mode = whole_text(mode)
    form = object_at(body, "response_format")
    if form.get("type") == "text":
        spec.response_format.text.SetInParent()
    elif form.get("type") == "json_object":
        key = "json_schema" if isinstance(form.get("json_schema"), dict) else "schema"
        if isinstance(form.get(key), dict):
            spec.response_format.json_schema.schema_json = text_of(form[key])
            if key == "schema":
                scribe.spell(spec, _SCHEMA)
        else:
            spec.response_format.json_object.SetInParent()


def _lower_options(spec: chat_pb2.ChatSpec, body: JsonObject, scribe: Scribe) -> None:
    _SPEC.lower(spec, body)
    _SAMPLING.lower(spec.sampling, body)
    thinking = _thinking(spec.reasoning, scribe)
    if thinking is not None:
        body["thinking"] = thinking
    for number, setting in enumerate(spec.safety):
        if setting.category:
            why = "Cohere has one mode for all categories; set only a threshold"
            scribe.unsupported(f"spec.safety[{number}].category", why)
        else:
            body["safety_mode"] = setting.threshold
    if spec.citation_mode:
        body["citation_options"] = {"mode": spec.citation_mode}
    form = spec.response_format
    match form.WhichOneof("format"):
        case "text":
            body["response_format"] = {"type": "text"}
        case "json_object":
            body["response_format"] = {"type": "json_object"}
        case "json_schema":
            key = "schema" if scribe.spelled(spec, _SCHEMA) else "json_schema"
            schema = loads(form.json_schema.schema_json or '{"type":"object"}')
            body["response_format"] = {"type": "json_object", key: schema}
        case "grammar" | "choice" as kind:
            scribe.unsupported(f"spec.response_format.{kind}", "Cohere takes only JSON, with or without a schema")


def _thinking(reasoning: chat_pb2.Reasoning, scribe: Scribe) -> JsonObject | None:
    if reasoning.effort == "none":
        return {"type": "disabled"}
    if reasoning.effort:
        why = "Cohere takes a number of tokens; set budget_tokens instead"
        scribe.unsupported("spec.reasoning.effort", why)
    if reasoning.HasField("enabled") and not reasoning.enabled:
        return _BUDGET.lower(reasoning, {"type": "disabled"})
    if reasoning.enabled or reasoning.adaptive or reasoning.HasField("budget_tokens"):
        return _BUDGET.lower(reasoning, {"type": "enabled"})
    return None
