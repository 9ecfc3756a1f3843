"""Tools: functions, the tools that Anthropic knows by version, and MCP servers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from antiphon.v1 import chat_pb2, tools_pb2
from antiphon.wire.anthropic_messages.cache import lift_cache, lower_cache
from antiphon.wire.anthropic_messages.fields import REQUEST, Fields, Place, object_at, spell, spelled, whole_text
from antiphon.wire.anthropic_messages.mcp import MCP, TOOLSET, lift_mcp, lower_mcp
from antiphon.wire.anthropic_messages.quirks import WIRE
from antiphon.wire.anthropic_messages.writer import Writer
from antiphon.wire.jsontext import JsonObject, loads, text_of

_FUNCTION = Fields(
    tools_pb2.FunctionTool,
    name="name",
    description="description",
    input_schema="parameters_schema_json",
    strict="strict",
    defer_loading="defer_loading",
    input_examples="input_examples_json",
    eager_input_streaming="eager_input_streaming",
)
_COMMON = Fields(
    tools_pb2.Tool,
    name="provider_name",
    allowed_callers="allowed_callers",
    defer_loading="defer_loading",
    strict="strict",
)
_CALLERS = Fields(tools_pb2.Tool, allowed_callers="allowed_callers")
_LOCATION = Fields(tools_pb2.UserLocation, city="city", region="region", country="region_code", timezone="time_zone")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """A tool that Anthropic knows by version."""

    kind: str
    """Field of Tool."""
    name: str
    """Name that the wire wants."""
    fields: Fields
    betas: Mapping[str, str] = field(default_factory=dict)
    """Feature on trial by version."""


_KNOWN: Mapping[str, _Known] = {
    "web_search": _Known(
        kind="web_search",
        name="web_search",
        fields=Fields(
            tools_pb2.WebSearchTool,
            allowed_domains="allowed_domains",
            blocked_domains="blocked_domains",
            max_uses="max_uses",
            response_inclusion="response_inclusion",
        ),
    ),
    "web_fetch": _Known(
        kind="web_fetch",
        name="web_fetch",
        fields=Fields(
            tools_pb2.WebFetchTool,
            allowed_domains="allowed_domains",
            blocked_domains="blocked_domains",
            max_uses="max_uses",
            max_content_tokens="max_content_tokens",
            use_cache="use_cache",
            response_inclusion="response_inclusion",
        ),
        betas={"20250910": "web-fetch-2025-09-10"},
    ),
    "code_execution": _Known(
        kind="code_execution",
        name="code_execution",
        fields=Fields(tools_pb2.CodeExecutionTool),
        betas={"20250522": "code-execution-2025-05-22", "20250825": "code-execution-2025-08-25"},
    ),
    "bash": _Known(
        kind="shell",
        name="bash",
        fields=Fields(tools_pb2.ShellTool),
        betas={"20241022": "computer-use-2024-10-22"},
    ),
    "text_editor": _Known(
        kind="text_editor",
        name="str_replace_based_edit_tool",
        fields=Fields(tools_pb2.TextEditorTool, max_characters="max_characters"),
        betas={"20241022": "computer-use-2024-10-22"},
    ),
    "computer": _Known(
        kind="computer",
        name="computer",
        fields=Fields(
            tools_pb2.ComputerTool,
            display_width_px="display_width_px",
            display_height_px="display_height_px",
            display_number="display_number",
            enable_zoom="enable_zoom",
        ),
        betas={
            "20241022": "computer-use-2024-10-22",
            "20250124": "computer-use-2025-01-24",
            "20251124": "computer-use-2025-11-24",
        },
    ),
    "memory": _Known(
        kind="memory",
        name="memory",
        fields=Fields(tools_pb2.MemoryTool),
        betas={"20250818": "context-management-2025-06-27"},
    ),
    "tool_search_tool_bm25": _Known(
        kind="tool_search", name="tool_search_tool_bm25", fields=Fields(tools_pb2.ToolSearchTool)
    ),
    "tool_search_tool_regex": _Known(
        kind="tool_search", name="tool_search_tool_regex", fields=Fields(tools_pb2.ToolSearchTool)
    ),
}
_VERSIONED = re.compile(r"(.+?)(?:_(\d{8}))?")
_OLD_EDITORS = ("20241022", "20250124")


def lift_tools(body: JsonObject, spec: chat_pb2.ChatSpec, place: Place) -> None:
    """The tools and MCP servers of a request."""
    given = body.get("tools")
    if given is not None and not (isinstance(given, list) and all(isinstance(item, dict) for item in given)):
        place.wrong("tools", "must be a list of objects")
    toolsets: dict[str, JsonObject] = {}
    for number, item in enumerate(given if isinstance(given, list) else ()):
        here = place.at("tools").at(number)
        tool = spec.tools.add()
        if item.get("type") == TOOLSET and isinstance(item.get("mcp_server_name"), str):
            tool.mcp.server_label = whole_text(item["mcp_server_name"])
            toolsets[item["mcp_server_name"]] = item
        else:
            _lift_tool(item, tool, here)
            Writer().keep(tool, _lower_tool(tool, Writer(), "") or {}, item)
    lift_mcp(body, spec, toolsets, place)


def lower_tools(spec: chat_pb2.ChatSpec, body: JsonObject, writer: Writer) -> None:
    """Write the tools and MCP servers of a request."""
    tools: list[JsonObject] = []
    servers: list[JsonObject] = []
    for number, tool in enumerate(spec.tools):
        path = f"spec.tools[{number}]"
        if tool.HasField("mcp"):
            lower_mcp(tool, writer, path, tools, servers)
            continue
        lowered = _lower_tool(tool, writer, path)
        if lowered is not None:
            tools.append(writer.restore(tool, lowered))
    if servers:
        body[MCP] = servers
    if tools:
        body["tools"] = tools


def _lift_tool(item: JsonObject, tool: tools_pb2.Tool, place: Place) -> None:
    lift_cache(item, tool)
    kind = item.get("type")
    if kind is None or kind == "custom":
        tool.function.SetInParent()
        _FUNCTION.lift(item, tool.function, place)
        _CALLERS.lift(item, tool, place)
        if kind is not None:
            spell(tool, "custom", place.direction)
        return
    match = _VERSIONED.fullmatch(kind) if isinstance(kind, str) else None
    known = _KNOWN.get(match[1]) if match else None
    if known is None:
        tool.provider.wire, tool.provider.config_json = WIRE, text_of(item)
        tool.provider_type = whole_text(kind) if isinstance(kind, str) else ""
        tool.ClearField("cache_breakpoint")  # it is part of the configuration
        return
    target = getattr(tool, known.kind)
    target.SetInParent()
    tool.provider_type = whole_text(kind)
    known.fields.lift(item, target, place)
    _COMMON.lift(item, tool, place)
    if tool.HasField("web_search") and object_at(item, "user_location").get("type") == "approximate":
        tool.web_search.user_location.SetInParent()
        _LOCATION.lift(item["user_location"], tool.web_search.user_location, place.at("user_location"))
    if tool.HasField("web_fetch") and isinstance(object_at(item, "citations").get("enabled"), bool):
        tool.web_fetch.citations_enabled = item["citations"]["enabled"]
    if tool.HasField("tool_search") and match is not None:
        tool.tool_search.method = match[1].rpartition("_")[2]


def _lower_tool(tool: tools_pb2.Tool, writer: Writer, path: str) -> JsonObject | None:
    kind = tool.WhichOneof("tool")
    lowered: JsonObject
    if kind == "function":
        lowered = {"type": "custom"} if spelled(tool, "custom", REQUEST) else {}
        lowered["name"] = tool.function.name
        _FUNCTION.lower(tool.function, lowered)
        if not tool.function.parameters_schema_json:
            lowered["input_schema"] = {"type": "object", "properties": {}}
        _CALLERS.lower(tool, lowered)
    elif kind == "provider" and tool.provider.wire == WIRE:
        config = loads(tool.provider.config_json)
        lowered = config if isinstance(config, dict) else {}
    elif kind is not None and (version := _version(tool, kind, writer)):
        lowered = _lower_known(tool, version, writer, path)
    else:
        what = tool.provider_type or kind or "no kind of tool"
        writer.unsupported(path, f"Anthropic has no tool such as '{what}'; give a function instead")
        return None
    lower_cache(tool, lowered)
    return lowered


def _version(tool: tools_pb2.Tool, kind: str, writer: Writer) -> str:
    """The tool's own version where it is one of this wire, the provider's default otherwise; "" where none fits."""
    match = _VERSIONED.fullmatch(tool.provider_type)
    known = _KNOWN.get(match[1]) if match else None
    if known is not None and known.kind == kind and match is not None and (match[2] or kind == "tool_search"):
        return tool.provider_type
    version = writer.quirks.tool_versions.get(kind, "")
    return version.replace("bm25", "regex") if tool.tool_search.method == "regex" else version


def _lower_known(tool: tools_pb2.Tool, version: str, writer: Writer, path: str) -> JsonObject:
    match = _VERSIONED.fullmatch(version)
    base, date = (match[1], match[2]) if match else (version, None)
    known = _KNOWN[base]
    if beta := known.betas.get(date or ""):
        writer.use(beta)
    name = "str_replace_editor" if base == "text_editor" and date in _OLD_EDITORS else known.name
    lowered = _COMMON.lower(tool, {"type": version, "name": name})
    known.fields.lower(getattr(tool, known.kind), lowered)
    if tool.web_search.HasField("user_location"):
        lowered["user_location"] = _LOCATION.lower(tool.web_search.user_location, {"type": "approximate"})
    if tool.web_search.context_size:
        writer.unsupported(f"{path}.web_search.context_size", "Anthropic cannot size search results; leave it out")
    if tool.web_fetch.HasField("citations_enabled"):
        lowered["citations"] = {"enabled": tool.web_fetch.citations_enabled}
    if tool.code_execution.file_ids:
        why = "Anthropic takes files as message parts with for_container; move them there"
        writer.unsupported(f"{path}.code_execution.file_ids", why)
    return lowered
