"""Tools, the choice among them, and the form of the answer, in both directions."""

from __future__ import annotations

from typing import Any

from antiphon.v1 import chat_pb2, tools_pb2
from antiphon.wire.jsontext import JsonObject, fits, loads, objects, text_of, word
from antiphon.wire.openai_chat.gaps import Gaps
from antiphon.wire.openai_chat.parts import lift_cache, lower_cache
from antiphon.wire.openai_chat.quirks import WIRE, Quirks
from antiphon.wire.openai_chat.spelling import REQUEST, spell, spelled
from antiphon.wire.remainder import keep, restore

ChatSpec = chat_pb2.ChatSpec
Tool = tools_pb2.Tool
ToolChoice = tools_pb2.ToolChoice

LEGACY = "functions"
"""Tools and their choice as `functions` and `function_call` (before 2023-11)."""
ANY = "any"
"""`tool_choice: "any"` for `required` (Mistral)."""
ALLOWED = "allowed_tools"
NAMELESS = "nameless_schema"
"""A JSON schema for the answer without a name, as Perplexity takes it."""
OPENROUTER_SEARCH = "openrouter:web_search"

_MODES = {
    "auto": ToolChoice.MODE_AUTO,
    "none": ToolChoice.MODE_NONE,
    "required": ToolChoice.MODE_REQUIRED,
    ANY: ToolChoice.MODE_REQUIRED,
}
_WORDS = {mode: word for word, mode in _MODES.items() if word != ANY}
_PLACE = {"country": "region_code", "region": "region", "city": "city", "timezone": "time_zone"}


def lift_tools(spec: ChatSpec, data: JsonObject) -> None:
    """Read `tools`, `functions` and `web_search_options`."""
    for item in objects(data.get("tools")):
        tool = spec.tools.add()
        function, custom = item.get("function"), item.get("custom")
        if item.get("type") in ("function", None) and isinstance(function, dict):
            _lift_function(tool.function, function)
        elif item.get("type") == "custom" and isinstance(custom, dict):
            _lift_custom(tool.custom, custom)
        elif item.get("type") == OPENROUTER_SEARCH:
            _lift_search(tool, item)
        else:
            tool.provider.wire, tool.provider.config_json = WIRE, text_of(item)
            continue
        lift_cache(tool, item)
        keep(tool, WIRE, REQUEST, _lowered(tool, Quirks(), "", Gaps()), item)
    for item in objects(data.get(LEGACY)):
        tool = spec.tools.add()
        spell(tool, REQUEST, LEGACY)
        _lift_function(tool.function, item)
        keep(tool, WIRE, REQUEST, _lowered_function(tool.function, Quirks()), item)
    options = data.get("web_search_options")
    if isinstance(options, dict):
        tool = spec.tools.add()
        _lift_options(tool.web_search, options)
        keep(tool, WIRE, REQUEST, _lowered_options(tool.web_search), options)


def lower_tools(spec: ChatSpec, quirks: Quirks, gaps: Gaps) -> JsonObject:
    """`tools`, `functions` and `web_search_options`."""
    data: JsonObject = {}
    tools: list[Any] = []
    for index, tool in enumerate(spec.tools):
        path = f"spec.tools[{index}]"
        kind = tool.WhichOneof("tool")
        if kind in ("function", "custom") and "tools" in quirks.refuses:
            gaps.lacks(path, "this provider takes no tools")
            continue
        if kind == "provider" and tool.provider.wire in (WIRE, quirks.provider):
            tools.append(loads(tool.provider.config_json))
        elif kind == "function" and spelled(tool, LEGACY):
            lowered = _lowered_function(tool.function, quirks)
            data.setdefault(LEGACY, []).append(restore(tool, WIRE, REQUEST, lowered))
        elif kind in ("function", "custom") or (kind == "web_search" and tool.provider_type == OPENROUTER_SEARCH):
            tools.append(restore(tool, WIRE, REQUEST, _lowered(tool, quirks, path, gaps)))
        elif kind == "web_search" and "web_search_options" not in quirks.refuses:
            data["web_search_options"] = restore(tool, WIRE, REQUEST, _lowered_search(tool, path, gaps))
        else:
            gaps.lacks(path, f"this provider does not run a {kind} tool over OpenAI's chat format")
    if tools:
        data["tools"] = tools
    return data


def lift_choice(spec: ChatSpec, data: JsonObject) -> None:
    """Read `tool_choice` or `function_call`."""
    legacy = data.get("function_call")
    choice = data.get("tool_choice", {"type": "function", "function": legacy} if isinstance(legacy, dict) else legacy)
    if isinstance(choice, str) and choice in _MODES:
        spec.tool_choice.mode = _MODES[choice]
        if choice == ANY:
            spell(spec, REQUEST, ANY)
    elif isinstance(choice, dict):
        _lift_forced(spec, choice)
    if "function_call" in data and "tool_choice" not in data and spec.HasField("tool_choice"):
        spell(spec, REQUEST, LEGACY)


def lower_choice(spec: ChatSpec, quirks: Quirks, gaps: Gaps) -> JsonObject:
    """`tool_choice` or `function_call`."""
    if not spec.HasField("tool_choice"):
        return {}
    choice = spec.tool_choice
    if "tool_choice" in quirks.refuses:
        gaps.lacks("spec.tool_choice", "this provider does not take tool_choice")
        return {}
    if choice.mode == ToolChoice.MODE_VALIDATED:
        gaps.lacks("spec.tool_choice.mode", "this wire has no VALIDATED; use AUTO with strict tools")
    mode = _WORDS.get(choice.mode, "auto")
    if mode == "required":
        mode = quirks.required_word or (ANY if spelled(spec, ANY) else mode)
    names = list(choice.allowed_tools)
    if spelled(spec, LEGACY):
        return {"function_call": {"name": names[0]} if names else mode}
    value: Any = mode
    if len(names) == 1 and choice.mode == ToolChoice.MODE_REQUIRED and not spelled(spec, ALLOWED):
        value = _named(spec, names[0])
    elif names:
        value = {"type": ALLOWED, ALLOWED: {"mode": mode, "tools": [_named(spec, name) for name in names]}}
    return {"tool_choice": value}


def lift_format(spec: ChatSpec, data: JsonObject) -> None:
    """Read `response_format`."""
    value = data.get("response_format")
    if not isinstance(value, dict):
        return
    form = spec.response_format
    kind = value.get("type")
    if kind == "text":
        form.text.SetInParent()
    elif kind == "json_object":
        form.json_object.SetInParent()
    elif kind == "json_schema" and isinstance(value.get(kind), dict):
        inner = value[kind]
        schema = form.json_schema
        schema.SetInParent()
        schema.name, schema.description = word(inner.get("name")), word(inner.get("description"))
        if not schema.name:
            spell(spec, REQUEST, NAMELESS)
        if isinstance(inner.get("schema"), dict | bool):
            schema.schema_json = text_of(inner["schema"])
        if isinstance(inner.get("strict"), bool):
            schema.strict = inner["strict"]
    elif kind == "grammar" and isinstance(value.get(kind), str):  # Fireworks
        form.grammar.syntax, form.grammar.definition = "gbnf", value[kind]
    elif kind == "regex" and isinstance(value.get(kind), dict):  # Perplexity
        form.grammar.syntax, form.grammar.definition = kind, word(value[kind].get(kind))


def lower_format(spec: ChatSpec, quirks: Quirks, gaps: Gaps) -> JsonObject:
    """`response_format`."""
    kind = spec.response_format.WhichOneof("format")
    if kind is None:
        return {}
    if f"response_format.{kind}" in quirks.refuses or kind == "choice":
        gaps.lacks(f"spec.response_format.{kind}", "this provider does not take this form of answer")
        return {}
    if kind == "grammar":
        grammar = spec.response_format.grammar
        if grammar.syntax == "regex":
            return {"response_format": {"type": "regex", "regex": {"regex": grammar.definition}}}
        return {"response_format": {"type": "grammar", "grammar": grammar.definition}}
    if kind != "json_schema":
        return {"response_format": {"type": kind}}
    schema = spec.response_format.json_schema
    # OpenAI requires a name, and most other formats of a request have none to hand on.
    inner: JsonObject = {} if spelled(spec, NAMELESS) else {"name": schema.name or "answer"}
    if schema.description:
        inner["description"] = schema.description
    if schema.schema_json:
        inner["schema"] = loads(schema.schema_json)
    if schema.HasField("strict"):
        inner["strict"] = schema.strict
    return {"response_format": {"type": kind, kind: inner}}


def _lift_function(function: tools_pb2.FunctionTool, data: JsonObject) -> None:
    function.name, function.description = word(data.get("name")), word(data.get("description"))
    if isinstance(data.get("parameters"), dict):
        function.parameters_schema_json = text_of(data["parameters"])
    if isinstance(data.get("strict"), bool):
        function.strict = data["strict"]


def _lift_custom(custom: tools_pb2.CustomTool, data: JsonObject) -> None:
    custom.name, custom.description = word(data.get("name")), word(data.get("description"))
    grammar = data["format"].get("grammar") if isinstance(data.get("format"), dict) else None
    if isinstance(grammar, dict):
        custom.grammar.syntax, custom.grammar.definition = (
            word(grammar.get("syntax")),
            word(grammar.get("definition")),
        )


def _lift_search(tool: Tool, data: JsonObject) -> None:
    tool.provider_type = OPENROUTER_SEARCH
    parameters = data.get("parameters")
    tool.web_search.SetInParent()
    if isinstance(parameters, dict):
        tool.web_search.context_size = word(parameters.get("search_context_size"))
        if fits(parameters.get("max_uses")):
            tool.web_search.max_uses = parameters["max_uses"]


def _lift_options(search: tools_pb2.WebSearchTool, options: JsonObject) -> None:
    search.SetInParent()
    search.context_size = word(options.get("search_context_size"))
    location = options.get("user_location")
    place = location.get("approximate", location) if isinstance(location, dict) else None
    if isinstance(place, dict):
        search.user_location.SetInParent()
        for name, field in _PLACE.items():
            setattr(search.user_location, field, word(place.get(name)))


def _lowered(tool: Tool, quirks: Quirks, path: str, gaps: Gaps) -> JsonObject:
    kind = tool.WhichOneof("tool")
    if kind == "function":
        if tool.function.output_schema_json or tool.function.input_examples_json or tool.function.defer_loading:
            gaps.lacks(path, "this wire takes no result schema, examples or deferred loading of a tool")
        if tool.function.strict and "tools.function.strict" in quirks.refuses:
            gaps.drops(f"{path}.function.strict", "this provider does not promise that calls fit the schema")
        data: JsonObject = {"type": "function", "function": _lowered_function(tool.function, quirks)}
    elif kind == "custom":
        data = {"type": "custom", "custom": _lowered_custom(tool.custom)}
    else:
        data = {"type": OPENROUTER_SEARCH}
        if tool.web_search.context_size:
            data["parameters"] = {"search_context_size": tool.web_search.context_size}
        if tool.web_search.HasField("max_uses"):
            data.setdefault("parameters", {})["max_uses"] = tool.web_search.max_uses
    if tool.HasField("cache_breakpoint") and "messages.cache_control" not in quirks.refuses:
        data["cache_control"] = lower_cache(tool.cache_breakpoint)
    return data


def _lowered_function(function: tools_pb2.FunctionTool, quirks: Quirks) -> JsonObject:
    data: JsonObject = {"name": function.name}
    if function.description:
        data["description"] = function.description
    if function.parameters_schema_json:
        data["parameters"] = loads(function.parameters_schema_json)
    if function.HasField("strict") and "tools.function.strict" not in quirks.refuses:
        data["strict"] = function.strict
    return data


def _lowered_custom(custom: tools_pb2.CustomTool) -> JsonObject:
    data: JsonObject = {"name": custom.name}
    if custom.description:
        data["description"] = custom.description
    if custom.HasField("grammar"):
        grammar = {"syntax": custom.grammar.syntax, "definition": custom.grammar.definition}
        data["format"] = {"type": "grammar", "grammar": grammar}
    return data


def _lowered_search(tool: Tool, path: str, gaps: Gaps) -> JsonObject:
    search = tool.web_search
    if search.allowed_domains or search.blocked_domains or search.HasField("max_uses"):
        gaps.lacks(f"{path}.web_search", "web_search_options take a context size and a place, no domains and no bound")
    return _lowered_options(search)


def _lowered_options(search: tools_pb2.WebSearchTool) -> JsonObject:
    data: JsonObject = {"search_context_size": search.context_size} if search.context_size else {}
    if search.HasField("user_location"):
        place = search.user_location
        fields = {name: getattr(place, field) for name, field in _PLACE.items() if getattr(place, field)}
        data["user_location"] = {"type": "approximate", "approximate": fields}
    return data


def _lift_forced(spec: ChatSpec, choice: JsonObject) -> None:
    kind = choice.get("type")
    inner = choice.get(kind) if isinstance(kind, str) else None
    if not isinstance(inner, dict):
        return
    if kind in ("function", "custom") and isinstance(inner.get("name"), str):
        spec.tool_choice.mode = ToolChoice.MODE_REQUIRED
        spec.tool_choice.allowed_tools.append(inner["name"])
    elif kind == ALLOWED and word(inner.get("mode")) in _MODES:
        spec.tool_choice.mode = _MODES[inner["mode"]]
        spell(spec, REQUEST, ALLOWED)
        for tool in objects(inner.get("tools")):
            named = tool.get(word(tool.get("type")))
            if isinstance(named, dict) and isinstance(named.get("name"), str):
                spec.tool_choice.allowed_tools.append(named["name"])


def _named(spec: ChatSpec, name: str) -> JsonObject:
    custom = any(tool.WhichOneof("tool") == "custom" and tool.custom.name == name for tool in spec.tools)
    kind = "custom" if custom else "function"
    return {"type": kind, kind: {"name": name}}
