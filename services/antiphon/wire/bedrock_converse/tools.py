"""Tools and the choice among them."""

from __future__ import annotations

from collections.abc import Mapping

from antiphon.v1 import chat_pb2, tools_pb2
from antiphon.wire.bedrock_converse.blocks import CACHE_POINT, is_plain_point, lift_point, lower_point
from antiphon.wire.bedrock_converse.spelling import WIRE, Family, family, reader
from antiphon.wire.fields import Fields, Place, object_at, objects, whole_text
from antiphon.wire.jsontext import JsonObject, text_of
from antiphon.wire.jsontext import loads as load
from antiphon.wire.scribe import REQUEST, Scribe, refuse_unsaid_function

_SPEC = Fields(tools_pb2.FunctionTool, name="name", description="description", strict="strict")
_SYSTEM: Mapping[str, str] = {"nova_code_interpreter": "code_execution", "nova_grounding": "web_search"}
"""The tools that Amazon's models run themselves, and the field of Tool."""
_SYSTEM_NAMES = {kind: name for name, kind in _SYSTEM.items()}
_CHOICES = {"auto": tools_pb2.ToolChoice.MODE_AUTO, "any": tools_pb2.ToolChoice.MODE_REQUIRED}
_MODES = {mode: word for word, mode in _CHOICES.items()} | {tools_pb2.ToolChoice.MODE_UNSPECIFIED: "auto"}
_OBJECT = {"type": "object", "properties": {}}
_NO_SCHEMA = "no_schema"


def lift_tools(body: JsonObject, spec: chat_pb2.ChatSpec, place: Place) -> None:
    """Read `toolConfig`."""
    config, place = object_at(body, "toolConfig"), place.at("toolConfig")
    given = config.get("tools")
    if given is not None and not (isinstance(given, list) and all(isinstance(item, dict) for item in given)):
        place.wrong("tools", "must be a list of objects")
    for number, item in enumerate(objects(given)):
        point = item.get(CACHE_POINT)
        if spec.tools and len(item) == 1 and is_plain_point(point) and not spec.tools[-1].HasField("cache_breakpoint"):
            lift_point(point, spec.tools[-1].cache_breakpoint)
        else:
            _lift_tool(item, spec.tools.add(), place.at("tools").at(number))
    choice = object_at(config, "toolChoice")
    word = next((word for word in _CHOICES if isinstance(choice.get(word), dict)), "")
    name = object_at(choice, "tool").get("name")
    if word:
        spec.tool_choice.mode = _CHOICES[word]
    elif isinstance(name, str):
        spec.tool_choice.mode = tools_pb2.ToolChoice.MODE_REQUIRED
        spec.tool_choice.allowed_tools.append(whole_text(name))


def lower_tools(spec: chat_pb2.ChatSpec, body: JsonObject, scribe: Scribe) -> None:
    """Write `toolConfig`."""
    tools: list[JsonObject] = []
    for number, tool in enumerate(spec.tools):
        lowered = _lower_tool(tool, spec.model, scribe, f"spec.tools[{number}]")
        if lowered is not None:
            tools.append(scribe.restore(tool, lowered))
            if tool.HasField("cache_breakpoint"):
                tools.append(lower_point(tool.cache_breakpoint))
    if spec.tool_choice.mode == tools_pb2.ToolChoice.MODE_NONE and tools:
        if _calls(body):
            why = "Bedrock cannot forbid tools in a conversation that has used them; leave tool_choice out"
            scribe.unsupported("spec.tool_choice", why)
        else:
            return  # without tools none can be called
    if spec.HasField("parallel_tool_calls") and not spec.parallel_tool_calls and tools:
        scribe.unsupported("spec.parallel_tool_calls", "Bedrock cannot be held to one call at a time")
    config: JsonObject = {"tools": tools} if tools else {}
    if spec.HasField("tool_choice") and (choice := _lower_choice(spec.tool_choice, scribe)):
        config["toolChoice"] = choice
    if config:
        body["toolConfig"] = config


def _lift_tool(item: JsonObject, tool: tools_pb2.Tool, place: Place) -> None:
    scribe = reader(REQUEST)
    given, system = item.get("toolSpec"), object_at(item, "systemTool").get("name")
    if isinstance(given, dict):
        tool.function.SetInParent()
        _SPEC.lift(given, tool.function, place.at("toolSpec"))
        schema = object_at(given, "inputSchema").get("json")
        if schema is not None:
            tool.function.parameters_schema_json = text_of(schema)
        else:
            scribe.spell(tool, _NO_SCHEMA)
    elif isinstance(system, str) and system in _SYSTEM:
        getattr(tool, _SYSTEM[system]).SetInParent()
        tool.provider_name = system
    else:
        tool.provider.wire, tool.provider.config_json = WIRE, text_of(item)
        return
    scribe.keep(tool, _lower_tool(tool, "", scribe, "") or {}, item)


def _lower_tool(tool: tools_pb2.Tool, model: str, scribe: Scribe, path: str) -> JsonObject | None:
    kind = tool.WhichOneof("tool") or ""
    if kind == "function":
        refuse_unsaid_function(tool, frozenset({"strict"}), scribe, path, "Bedrock")
        spec = _SPEC.lower(tool.function, {"name": tool.function.name})
        if not scribe.spelled(tool, _NO_SCHEMA):
            text = tool.function.parameters_schema_json
            spec["inputSchema"] = {"json": load(text) if text else _OBJECT}
        return {"toolSpec": spec}
    if kind == "provider" and tool.provider.wire == WIRE:
        config = load(tool.provider.config_json)
        return config if isinstance(config, dict) else {}
    own = tool.provider_name in _SYSTEM
    if kind in _SYSTEM_NAMES and (own or family(model) is Family.NOVA):
        return {"systemTool": {"name": tool.provider_name if own else _SYSTEM_NAMES[kind]}}
    what = tool.provider_type or kind or "no kind of tool"
    scribe.unsupported(path, f"this model on Bedrock runs no '{what}'; give a function instead")
    return None


def _lower_choice(choice: tools_pb2.ToolChoice, scribe: Scribe) -> JsonObject | None:
    names = choice.allowed_tools
    if choice.mode == tools_pb2.ToolChoice.MODE_REQUIRED and len(names) == 1:
        return {"tool": {"name": names[0]}}
    if choice.mode in _MODES and not names:
        return {_MODES[choice.mode]: {}}
    if choice.mode != tools_pb2.ToolChoice.MODE_NONE:
        why = "Bedrock can force one tool or any; give only the allowed tools in spec.tools instead"
        scribe.unsupported("spec.tool_choice", why)
    return None


def _calls(body: JsonObject) -> bool:
    """Whether the conversation holds calls of tools: Bedrock then wants the tools, too."""
    blocks = (block for turn in body.get("messages", ()) for block in turn["content"])
    return any("toolUse" in block or "toolResult" in block for block in blocks)
