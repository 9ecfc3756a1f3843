"""MCP servers, which the wire spells in two places: the server in `mcp_servers`, its tools in a toolset in `tools`.
An older form (beta mcp-client-2025-04-04) has both in `mcp_servers`, and is kept where a request used it."""

from __future__ import annotations

from antiphon.v1 import chat_pb2, tools_pb2
from antiphon.wire.anthropic_messages.cache import lift_cache, lower_cache
from antiphon.wire.anthropic_messages.fields import (
    REQUEST,
    Fields,
    Place,
    object_at,
    objects,
    spell,
    spelled,
    whole_text,
)
from antiphon.wire.anthropic_messages.writer import Writer
from antiphon.wire.jsontext import JsonObject

MCP, TOOLSET = "mcp_servers", "mcp_toolset"

_SERVER = Fields(tools_pb2.McpTool, url="server_url", authorization_token="authorization")  # noqa: S106 - field names
_OLD = Fields(tools_pb2.McpTool, allowed_tools="allowed_tools", enabled="enabled")
_CONFIG = Fields(tools_pb2.McpToolConfig, enabled="enabled", defer_loading="defer_loading")


def lift_mcp(body: JsonObject, spec: chat_pb2.ChatSpec, toolsets: dict[str, JsonObject], place: Place) -> None:
    """Complete the tools that toolsets began, and add one for each server that no toolset names."""
    given = body.get(MCP)
    if given is not None and not (isinstance(given, list) and all(isinstance(item, dict) for item in given)):
        place.wrong(MCP, "must be a list of objects")
    begun = {tool.mcp.server_label: tool for tool in spec.tools if tool.HasField("mcp")}
    servers: dict[str, JsonObject] = {}
    for number, server in enumerate(objects(given)):
        name = server.get("name")
        if not isinstance(name, str):
            place.at(MCP).at(number).wrong("name", "must be a string")
            continue
        servers[name] = server
        tool = begun.get(name)
        if tool is None:
            tool = begun[name] = spec.tools.add()
            tool.mcp.server_label = whole_text(name)
            spell(tool, "server_only", place.direction)
        _lift_server(server, tool, place.at(MCP).at(number))
    for name, tool in begun.items():
        if name in toolsets:
            _lift_toolset(toolsets[name], tool, place.at("tools").at(name))
        read = {"server": servers.get(name), "toolset": toolsets.get(name)}
        known = {key: value for key, value in read.items() if value is not None}
        Writer().keep(tool, {key: value for key, value in _lower(tool, Writer()).items() if key in known}, known)


def lower_mcp(
    tool: tools_pb2.Tool, writer: Writer, path: str, tools: list[JsonObject], servers: list[JsonObject]
) -> None:
    """Write the server and its toolset."""
    lowered = writer.restore(tool, _lower(tool, writer))
    if tool.mcp.headers:
        writer.unsupported(f"{path}.mcp.headers", "Anthropic sends no own headers; give authorization instead")
    if tool.mcp.require_approval not in ("", "never"):
        writer.unsupported(f"{path}.mcp.require_approval", "Anthropic asks for no approval; give 'never'")
    old = "server" in lowered and "toolset" not in lowered
    writer.use("mcp-client-2025-04-04" if old else "mcp-client-2025-11-20")
    if "server" in lowered:
        servers.append(lowered["server"])
    if "toolset" in lowered:
        tools.append(lowered["toolset"])


def _lift_server(server: JsonObject, tool: tools_pb2.Tool, place: Place) -> None:
    _SERVER.lift(server, tool.mcp, place)
    old = server.get("tool_configuration")
    if isinstance(old, dict):
        spell(tool, "tool_configuration", place.direction)
        _OLD.lift(old, tool.mcp, place.at("tool_configuration"))


def _lift_toolset(toolset: JsonObject, tool: tools_pb2.Tool, place: Place) -> None:
    lift_cache(toolset, tool)
    mcp = tool.mcp
    default, configs = toolset.get("default_config"), object_at(toolset, "configs")
    if isinstance(default, dict):
        mcp.default_config.SetInParent()
        _CONFIG.lift(default, mcp.default_config, place)
    allowed = default == {"enabled": False} and all(config == {"enabled": True} for config in configs.values())
    for name, config in configs.items():
        if allowed:
            mcp.allowed_tools.append(whole_text(name))
        elif isinstance(config, dict):
            _CONFIG.lift(config, mcp.tool_configs[whole_text(name)], place)
    if allowed and configs:
        mcp.ClearField("default_config")


def _lower(tool: tools_pb2.Tool, writer: Writer) -> JsonObject:
    """Both objects of a server; of them only the ones that the wire's form has."""
    mcp = tool.mcp
    lowered: JsonObject = {}
    if mcp.server_url or spelled(tool, "server_only", REQUEST):
        lowered["server"] = _SERVER.lower(mcp, {"type": "url", "name": mcp.server_label})
    if spelled(tool, "server_only", REQUEST):
        if spelled(tool, "tool_configuration", REQUEST):
            lowered["server"]["tool_configuration"] = _OLD.lower(mcp, {})
        return lowered
    toolset: JsonObject = {"type": TOOLSET, "mcp_server_name": mcp.server_label}
    if mcp.HasField("default_config"):
        toolset["default_config"] = _CONFIG.lower(mcp.default_config, {})
    elif mcp.allowed_tools or (mcp.HasField("enabled") and not mcp.enabled):
        toolset["default_config"] = {"enabled": False}
    configs = {name: _CONFIG.lower(config, {}) for name, config in sorted(mcp.tool_configs.items())}
    configs |= {name: {"enabled": True} for name in mcp.allowed_tools}
    if configs:
        toolset["configs"] = configs
    lower_cache(tool, toolset)
    lowered["toolset"] = toolset
    return lowered
