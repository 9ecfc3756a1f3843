"""Tools: functions of the caller, and the tools that Google runs.

One entry of `tools` can hold functions and several of Google's tools. Google wants all functions in one entry, so they
are put there unless they were read otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from antiphon.v1 import chat_pb2, tools_pb2
from antiphon.wire.fields import Fields, Place, object_at, whole_text
from antiphon.wire.gemini.quirks import WIRE
from antiphon.wire.gemini.schema import lift_schema, lower_schema
from antiphon.wire.gemini.spelling import camel, plain, snake
from antiphon.wire.gemini.writer import REQUEST, Writer
from antiphon.wire.jsontext import JsonObject, loads, text_of

_FUNCTIONS = "functionDeclarations"
_FUNCTION = Fields(tools_pb2.FunctionTool, name="name", description="description")
_SCHEMAS = (
    ("parameters", "parametersJsonSchema", "parameters_schema_json"),
    ("response", "responseJsonSchema", "output_schema_json"),
)
_SNAKE, _OWN_ENTRY, _SAME_ENTRY = "snake_entry", "own_entry", "same_entry"
_STREAMED = "stream_arguments"
_DIRECT = Place(REQUEST)
_CALLING = "functionCallingConfig"
_CHOICE = Fields(
    tools_pb2.ToolChoice, allowedFunctionNames="allowed_tools", streamFunctionCallArguments="stream_arguments"
)
_MODES = {
    "AUTO": tools_pb2.ToolChoice.MODE_AUTO,
    "ANY": tools_pb2.ToolChoice.MODE_REQUIRED,
    "NONE": tools_pb2.ToolChoice.MODE_NONE,
    "VALIDATED": tools_pb2.ToolChoice.MODE_VALIDATED,
}
_MODE_WORDS = {mode: word for word, mode in _MODES.items()}


@dataclass(frozen=True, slots=True)
class _Known:
    """One of Google's tools: the field of Tool that it is, and its settings."""

    kind: str
    fields: Fields


_WEB = Fields(tools_pb2.WebSearchTool, excludeDomains="blocked_domains")
_MCP = Fields(tools_pb2.McpTool, name="server_label")
_KNOWN: Mapping[str, _Known] = {
    "googleSearch": _Known("web_search", _WEB),
    "enterpriseWebSearch": _Known("web_search", _WEB),
    "googleSearchRetrieval": _Known("web_search", Fields(tools_pb2.WebSearchTool)),
    "codeExecution": _Known("code_execution", Fields(tools_pb2.CodeExecutionTool)),
    "urlContext": _Known("web_fetch", Fields(tools_pb2.WebFetchTool)),
    "fileSearch": _Known(
        "file_search",
        Fields(tools_pb2.FileSearchTool, fileSearchStoreNames="store_ids", topK="max_results", metadataFilter="filter"),
    ),
}
_DEFAULTS = {
    "web_search": "googleSearch",
    "code_execution": "codeExecution",
    "web_fetch": "urlContext",
    "file_search": "fileSearch",
}
_SERVERS = "mcpServers"


def lift_tools(body: JsonObject, spec: chat_pb2.ChatSpec) -> None:
    """The tools of a request, one for each function and each of Google's."""
    given = body.get("tools")
    if given is not None and not (isinstance(given, list) and all(isinstance(item, dict) for item in given)):
        _DIRECT.wrong("tools", "must be a list of objects")
    for number, entry in enumerate(given if isinstance(given, list) else ()):
        place = _DIRECT.at("tools").at(number)
        before = len(spec.tools)
        if not entry or any(camel(key) == _FUNCTIONS and value == [] for key, value in entry.items()):
            spec.tools.add().provider.CopyFrom(tools_pb2.ProviderTool(wire=WIRE, config_json=text_of(entry)))
            continue
        for key in entry:
            _lift_entry(key, entry[key], spec, place)
        _note_entries(spec.tools[before:], spec.tools[:before])


def lower_tools(spec: chat_pb2.ChatSpec, body: JsonObject, writer: Writer) -> None:
    """Write the tools of a request."""
    entries: list[JsonObject] = []
    functions: JsonObject | None = None
    for number, tool in enumerate(spec.tools):
        path = f"spec.tools[{number}]"
        if tool.HasField("function"):
            key = snake(_FUNCTIONS) if writer.spelled(tool, _SNAKE) else _FUNCTIONS
            lowered = writer.restore(tool, _lower_function(tool, writer, path))
            if writer.spelled(tool, _SAME_ENTRY) and entries:
                functions = entries[-1]
            elif functions is None or writer.spelled(tool, _OWN_ENTRY):
                functions = {}
                entries.append(functions)
            functions.setdefault(key, []).append(lowered)
            continue
        found = _lower_tool(tool, writer, path)
        if found is None:
            continue
        entry = writer.restore(tool, found)
        if writer.spelled(tool, _SAME_ENTRY) and entries:
            entries[-1].update(entry)
        else:
            entries.append(entry)
    if entries:
        body["tools"] = entries


def lift_choice(config: JsonObject, spec: chat_pb2.ChatSpec) -> None:
    """`toolConfig.functionCallingConfig`."""
    calling = object_at(config, _CALLING)
    mode = calling.get("mode")
    if calling:
        spec.tool_choice.SetInParent()
        _CHOICE.lift(calling, spec.tool_choice, _DIRECT.at("toolConfig").at(_CALLING))
        if spec.tool_choice.stream_arguments:
            Writer().spell(spec, _STREAMED)
    if isinstance(mode, str) and mode.upper() in _MODES:
        spec.tool_choice.mode = _MODES[mode.upper()]


def lower_choice(spec: chat_pb2.ChatSpec, writer: Writer) -> JsonObject:
    """`toolConfig.functionCallingConfig`; nothing where it says nothing."""
    choice = spec.tool_choice
    if not spec.HasField("tool_choice"):
        return {}
    calling: JsonObject = {"mode": _MODE_WORDS[choice.mode]} if choice.mode in _MODE_WORDS else {}
    if choice.allowed_tools and choice.mode in (tools_pb2.ToolChoice.MODE_AUTO, tools_pb2.ToolChoice.MODE_UNSPECIFIED):
        calling["mode"] = "VALIDATED"  # the only free mode in which Google looks at the names
    _CHOICE.lower(choice, calling)
    if choice.stream_arguments and not (writer.quirks.streams_arguments or writer.spelled(spec, _STREAMED)):
        del calling["streamFunctionCallArguments"]
        writer.unsupported("spec.tool_choice.stream_arguments", "only Vertex AI streams arguments")
    return {_CALLING: calling} if calling else {}


def _lift_entry(key: str, value: object, spec: chat_pb2.ChatSpec, place: Place) -> None:
    name, writer = camel(key), Writer()
    if name == _FUNCTIONS:
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            place.wrong(key, "must be a list of objects")
        for number, item in enumerate(value if isinstance(value, list) else ()):
            tool = spec.tools.add()
            if key != name:
                writer.spell(tool, _SNAKE)
            _lift_function(item, tool, place.at(key).at(number))
        return
    tool = spec.tools.add()
    known = _KNOWN.get(name)
    settings, _ = plain(value)
    if known is not None and isinstance(settings, dict):
        target = getattr(tool, known.kind)
        target.SetInParent()
        tool.provider_type = name
        known.fields.lift(settings, target, place.at(key))
        writer.keep(tool, {name: known.fields.lower(target, {})}, {key: value})
    elif name == _SERVERS and isinstance(settings, list) and len(settings) == 1 and isinstance(settings[0], dict):
        _lift_server(settings[0], tool)
        writer.keep(tool, _lower_server(tool), {key: value})
    else:
        tool.provider_type = whole_text(name)
        tool.provider.wire, tool.provider.config_json = WIRE, text_of({key: value})


def _lift_function(item: JsonObject, tool: tools_pb2.Tool, place: Place) -> None:
    read, _ = plain(item)
    writer = Writer()
    tool.function.SetInParent()
    _FUNCTION.lift(read, tool.function, place)
    for google, standard, field in _SCHEMAS:
        if isinstance(read.get(standard), dict):
            setattr(tool.function, field, text_of(read[standard]))
        elif isinstance(read.get(google), dict):
            setattr(tool.function, field, lift_schema(read[google], tool, google, writer))
    writer.keep(tool, _lower_function(tool, writer, ""), item)


def _lower_function(tool: tools_pb2.Tool, writer: Writer, path: str) -> JsonObject:
    function = tool.function
    lowered = _FUNCTION.lower(function, {"name": function.name})
    for google, standard, field in _SCHEMAS:
        text = getattr(function, field)
        if text:
            lowered |= lower_schema(text, tool, google, standard, writer, f"{path}.function.{field}")
    if path and function.strict:
        writer.omit(
            f"{path}.function.strict", "Gemini has no such switch; tool_choice VALIDATED holds calls to schemas"
        )
    if path and (function.input_examples_json or function.defer_loading):
        writer.unsupported(f"{path}.function", "Gemini takes neither examples of arguments nor deferred functions")
    return lowered


def _lower_tool(tool: tools_pb2.Tool, writer: Writer, path: str) -> JsonObject | None:
    kind = tool.WhichOneof("tool")
    if kind == "provider" and tool.provider.wire == WIRE:
        config = loads(tool.provider.config_json)
        return config if isinstance(config, dict) else None
    if kind == "mcp":
        if tool.mcp.allowed_tools or tool.mcp.require_approval not in ("", "never"):
            writer.unsupported(f"{path}.mcp", "Gemini asks for no approval and offers every tool of a server")
        return _lower_server(tool)
    known = _KNOWN.get(tool.provider_type)
    name = tool.provider_type if known is not None and known.kind == kind else _DEFAULTS.get(kind or "", "")
    if not name:
        what = tool.provider_type or kind or "no kind of tool"
        writer.unsupported(path, f"Gemini has no tool such as '{what}'; give a function instead")
        return None
    settings = getattr(tool, _KNOWN[name].kind)
    _refuse_unsaid(settings, _SAID[_KNOWN[name].kind], writer, f"{path}.{kind}")
    return {name: _KNOWN[name].fields.lower(settings, {})}


_SAID: Mapping[str, frozenset[str]] = {
    "web_search": frozenset({"blocked_domains"}),
    "code_execution": frozenset(),
    "web_fetch": frozenset(),
    "file_search": frozenset({"store_ids", "max_results", "filter"}),
}
_HINTS = frozenset({"context_size", "response_inclusion", "citations_enabled", "use_cache", "container_id"})
"""Settings without which the tool still does what it is for."""


def _refuse_unsaid(settings: object, said: frozenset[str], writer: Writer, path: str) -> None:
    list_fields: Callable[[], list[tuple[object, object]]] = settings.ListFields  # type: ignore[attr-defined]
    for descriptor, _ in list_fields():
        name = str(descriptor.name)  # type: ignore[attr-defined]
        if name in _HINTS:
            writer.omit(f"{path}.{name}", "Google's tool has no such setting")
        elif name not in said:
            writer.unsupported(f"{path}.{name}", "Google's tool has no such setting")


def _lift_server(server: JsonObject, tool: tools_pb2.Tool) -> None:
    tool.provider_type = _SERVERS
    tool.mcp.SetInParent()
    _MCP.lift(server, tool.mcp, _DIRECT)
    transport = object_at(server, "streamableHttpTransport")
    if isinstance(transport.get("url"), str):
        tool.mcp.server_url = whole_text(transport["url"])
    for name, value in object_at(transport, "headers").items():
        if isinstance(value, str):
            tool.mcp.headers[whole_text(name)] = whole_text(value)


def _lower_server(tool: tools_pb2.Tool) -> JsonObject:
    transport: JsonObject = {"url": tool.mcp.server_url} if tool.mcp.server_url else {}
    headers = dict(tool.mcp.headers)
    if tool.mcp.authorization:
        headers["Authorization"] = f"Bearer {tool.mcp.authorization}"
    if headers:
        transport["headers"] = headers
    server = _MCP.lower(tool.mcp, {})
    if transport:
        server["streamableHttpTransport"] = transport
    return {_SERVERS: [server]}


def _note_entries(added: list[tools_pb2.Tool], before: list[tools_pb2.Tool]) -> None:
    """Note where entries of `tools` were put together otherwise than this codec would."""
    writer = Writer()
    functions = any(tool.HasField("function") for tool in before)
    for number, tool in enumerate(added):
        is_function = tool.HasField("function")
        if number and is_function and added[number - 1].HasField("function"):
            continue
        if number:
            writer.spell(tool, _SAME_ENTRY)
        elif is_function and functions:
            writer.spell(tool, _OWN_ENTRY)
