"""The choice of tools, in both directions."""

from __future__ import annotations

from collections.abc import Iterable

from antiphon.v1 import chat_pb2, tools_pb2
from antiphon.wire.fields import Place, objects, whole_text
from antiphon.wire.jsontext import Json, JsonObject
from antiphon.wire.openai_responses.spelling import spell, spelled
from antiphon.wire.openai_responses.tools import ROWS, type_of
from antiphon.wire.openai_responses.writer import Writer

ToolChoice = tools_pb2.ToolChoice

_MODES = {
    "auto": ToolChoice.MODE_AUTO,
    "none": ToolChoice.MODE_NONE,
    "required": ToolChoice.MODE_REQUIRED,
}
_WORDS = {mode: word for word, mode in _MODES.items()} | {ToolChoice.MODE_UNSPECIFIED: "auto"}
ALLOWED = "allowed_tools"
_SERVER = "mcp:"
"""How the name of an MCP server as a whole begins in `allowed_tools`."""


def lift_choice(choice: Json, spec: chat_pb2.ChatSpec, place: Place) -> None:
    """Read `tool_choice`."""
    if isinstance(choice, str):
        if choice in _MODES:
            spec.tool_choice.mode = _MODES[choice]
        else:
            place.wrong("tool_choice", f"must be one of {', '.join(_MODES)}, or an object")
        return
    if not isinstance(choice, dict):
        return
    if choice.get("type") == ALLOWED:
        spec.tool_choice.mode = _MODES.get(str(choice.get("mode")), ToolChoice.MODE_AUTO)
        spell(spec, ALLOWED, place.direction)
        spec.tool_choice.allowed_tools.extend(filter(None, map(_name, objects(choice.get("tools")))))
    elif name := _name(choice):
        spec.tool_choice.mode = ToolChoice.MODE_REQUIRED
        spec.tool_choice.allowed_tools.append(name)


def lower_choice(spec: chat_pb2.ChatSpec, writer: Writer) -> Json:
    """`tool_choice`; None where the request leaves it open."""
    if not spec.HasField("tool_choice"):
        return None
    choice = spec.tool_choice
    if choice.mode == ToolChoice.MODE_VALIDATED:
        writer.unsupported("spec.tool_choice.mode", "this wire has no VALIDATED; use AUTO with strict tools")
    mode = _WORDS.get(choice.mode, "auto")
    names = list(choice.allowed_tools)
    if not names:
        return mode
    if len(names) == 1 and choice.mode == ToolChoice.MODE_REQUIRED and not spelled(spec, ALLOWED, writer.direction):
        return _named(names[0], spec.tools)
    return {"type": ALLOWED, "mode": mode, "tools": [_named(name, spec.tools) for name in names]}


def _name(choice: JsonObject) -> str:
    """How the contract calls a tool that the wire names by type and name."""
    type_, name = choice.get("type"), choice.get("name")
    if isinstance(name, str):
        return whole_text(name)
    if type_ == "mcp" and isinstance(choice.get("server_label"), str):
        return _SERVER + whole_text(choice["server_label"])
    return whole_text(type_) if isinstance(type_, str) else ""


def _named(name: str, tools: Iterable[tools_pb2.Tool]) -> JsonObject:
    if name.startswith(_SERVER):
        return {"type": "mcp", "server_label": name.removeprefix(_SERVER)}
    for tool in tools:
        if tool.HasField("custom") and tool.custom.name == name:
            return {"type": "custom", "name": name}
        if tool.HasField("function") and tool.function.name == name:
            return {"type": "function", "name": name}
        if tool.HasField("mcp") and name in tool.mcp.allowed_tools:
            return {"type": "mcp", "server_label": tool.mcp.server_label, "name": name}
        if name in (tool.WhichOneof("tool"), tool.provider_name) and type_of(tool) in ROWS:
            return {"type": type_of(tool)}
    return {"type": name} if name in ROWS else {"type": "function", "name": name}
