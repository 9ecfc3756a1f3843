"""Results of tools: the client's, and those of the tools that the provider runs itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from antiphon.v1 import content_pb2
from antiphon.wire.bedrock_converse.spelling import reader
from antiphon.wire.fields import Fields, Place, whole_text
from antiphon.wire.jsontext import Json, JsonObject, loads, text_of
from antiphon.wire.scribe import Scribe

LiftContent = Callable[[Json, Place], list[content_pb2.Part]]
LowerContent = Callable[[Iterable[content_pb2.Part], Scribe, str], list[JsonObject]]

_RESULT = Fields(content_pb2.ToolResult, toolUseId="call_id")
_CODE = Fields(content_pb2.CodeResult, stdOut="stdout", stdErr="stderr", exitCode="return_code")
_CODE_KEYS = frozenset({"stdOut", "stdErr", "exitCode", "isError"})
_STATUSES = {"success": False, "error": True}
_JSON, _CODE_RESULT = "json", "code"


def lift_result(data: JsonObject, part: content_pb2.Part, place: Place, lift_content: LiftContent) -> None:
    """A `toolResult`."""
    result = part.tool_result
    result.executor = content_pb2.TOOL_EXECUTOR_CLIENT
    _RESULT.lift(data, result, place)
    if data.get("status") in _STATUSES:
        result.is_error = _STATUSES[data["status"]]
    if isinstance(data.get("type"), str):
        result.provider_type = whole_text(data["type"])
        result.executor = content_pb2.TOOL_EXECUTOR_PROVIDER
    result.content.extend(lift_items(data.get("content", []), place.at("content"), lift_content))


def lower_result(part: content_pb2.Part, scribe: Scribe, path: str, lower_content: LowerContent) -> JsonObject | None:
    """The `toolResult` of a part; None, and noted, for a result of another provider's own tool."""
    result = part.tool_result
    own = part.form.wire.startswith(scribe.wire) or not result.provider_type.endswith("_tool_result")
    if result.executor == content_pb2.TOOL_EXECUTOR_MCP or (
        result.executor == content_pb2.TOOL_EXECUTOR_PROVIDER and not own
    ):
        scribe.omit(path, f"'{result.provider_type}' is the result of another provider's own tool; left out")
        return None
    data: JsonObject = {"toolUseId": result.call_id}
    content = f"{path}.tool_result.content"
    data["content"] = [item for inner in result.content for item in _lower_item(inner, scribe, content, lower_content)]
    if result.HasField("is_error"):
        data["status"] = "error" if result.is_error else "success"
    if result.executor == content_pb2.TOOL_EXECUTOR_PROVIDER:
        data["type"] = result.provider_type
    return {"toolResult": data}


def lift_items(content: Json, place: Place, lift_content: LiftContent) -> list[content_pb2.Part]:
    """The content of a result: blocks, and JSON values, which are text for the contract."""
    if not isinstance(content, list) or not all(isinstance(item, dict) for item in content):
        return lift_content(content, place)
    parts: list[content_pb2.Part] = []
    for number, item in enumerate(content):
        if _JSON in item and len(item) == 1:
            parts.append(_lift_json(item[_JSON], place))
        else:
            parts += lift_content([item], place.at(number))
    return parts


def _lift_json(value: Json, place: Place) -> content_pb2.Part:
    part, scribe = content_pb2.Part(), reader(place.direction)
    if isinstance(value, dict) and value.keys() == _CODE_KEYS and value["isError"] is False:
        part.code_result.SetInParent()
        _CODE.lift(value, part.code_result, Place("response"))
        if _lowered_code(part) == {_JSON: value}:
            scribe.spell(part, _CODE_RESULT)
            return part
    part.text.text = text_of(value)
    scribe.spell(part, _JSON)
    return part


def _lowered_code(part: content_pb2.Part) -> JsonObject:
    return {_JSON: _CODE.lower(part.code_result, {"stdOut": "", "stdErr": "", "isError": False})}


def _lower_item(part: content_pb2.Part, scribe: Scribe, path: str, lower_content: LowerContent) -> Iterable[JsonObject]:
    if part.WhichOneof("kind") == "code_result" and scribe.wire in part.form.wire:
        return [_lowered_code(part)]
    if part.WhichOneof("kind") == "text" and _JSON in part.form.spellings and part.form.wire.startswith(scribe.wire):
        try:
            return [{_JSON: loads(part.text.text)}]
        except ValueError:
            return [{"text": part.text.text}]  # a caller has edited it
    return lower_content([part], scribe, path)
