"""MCP servers as tools."""

from __future__ import annotations

from antiphon.v1 import tools_pb2
from antiphon.wire.fields import Fields, Place, object_at, whole_text
from antiphon.wire.jsontext import Json, JsonObject
from antiphon.wire.openai_responses.spelling import spell, spelled
from antiphon.wire.openai_responses.writer import Writer

Tool = tools_pb2.Tool

_MCP = Fields(
    tools_pb2.McpTool,
    server_label="server_label",
    server_url="server_url",
    connector_id="connector_id",
    authorization="authorization",
    server_description="server_description",
    tunnel_id="tunnel_id",
)
_COMMON = Fields(Tool, defer_loading="defer_loading", allowed_callers="allowed_callers")
_FILTER = Fields(tools_pb2.McpTool, tool_names="allowed_tools", read_only="allowed_read_only")
_OBJECT = "allowed_tools_object"


def lift_mcp(item: JsonObject, tool: Tool, place: Place) -> None:
    """One tool of type `mcp`."""
    mcp = tool.mcp
    mcp.SetInParent()
    _MCP.lift(item, mcp, place)
    _COMMON.lift(item, tool, place)
    allowed = item.get("allowed_tools")
    if isinstance(allowed, dict):
        spell(tool, _OBJECT, place.direction)
        _FILTER.lift(allowed, mcp, place.at("allowed_tools"))
    else:
        mcp.allowed_tools.extend(_words(allowed))
    for name, value in object_at(item, "headers").items():
        if isinstance(value, str):
            mcp.headers[whole_text(name)] = whole_text(value)
    approval = item.get("require_approval")
    if isinstance(approval, str):
        mcp.require_approval = whole_text(approval)
    elif isinstance(approval, dict):
        for key, names in (("always", mcp.approval_tools), ("never", mcp.approval_free_tools)):
            names.extend(_words(object_at(approval, key).get("tool_names")))


def lower_mcp(tool: Tool, writer: Writer, path: str) -> JsonObject:
    """One tool of type `mcp`."""
    mcp = tool.mcp
    lowered = _MCP.lower(mcp, {"type": "mcp", "server_label": mcp.server_label})
    _COMMON.lower(tool, lowered)
    if spelled(tool, _OBJECT, writer.direction) or mcp.HasField("allowed_read_only"):
        lowered["allowed_tools"] = _FILTER.lower(mcp, {})
    elif mcp.allowed_tools:
        lowered["allowed_tools"] = list(mcp.allowed_tools)
    if mcp.headers:
        lowered["headers"] = dict(sorted(mcp.headers.items()))
    if mcp.require_approval:
        lowered["require_approval"] = mcp.require_approval
    elif mcp.approval_tools or mcp.approval_free_tools:
        lists = {"always": list(mcp.approval_tools), "never": list(mcp.approval_free_tools)}
        lowered["require_approval"] = {key: {"tool_names": names} for key, names in lists.items() if names}
    if mcp.tool_configs or mcp.HasField("default_config") or (mcp.HasField("enabled") and not mcp.enabled):
        why = "this wire has no settings tool by tool; give allowed_tools"
        writer.unsupported(f"{path}.mcp", why)
    return lowered


def _words(value: Json) -> list[str]:
    return [whole_text(item) for item in value if isinstance(item, str)] if isinstance(value, list) else []
