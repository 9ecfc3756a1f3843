"""Tool calls: items that say what the model wants of a tool, and, where the provider ran it, what came of it.

One row a type of item. Where the wire has an object for what the tool is called with, its JSON text is the arguments.
An item that the provider ran holds the result too; the contract has it as a part of its own behind the call.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from antiphon.v1 import content_pb2
from antiphon.wire.fields import REQUEST, RESPONSE, Fields, Place, object_at, objects, whole_text
from antiphon.wire.jsontext import Json, JsonObject, loads, text_of
from antiphon.wire.openai_responses.outcomes import OUTCOMES, lift_outcome, lower_outcome
from antiphon.wire.openai_responses.status import lower_status, status_of
from antiphon.wire.openai_responses.writer import Writer, lift_name

Part = content_pb2.Part
CLIENT, PROVIDER, MCP = (
    content_pb2.TOOL_EXECUTOR_CLIENT,
    content_pb2.TOOL_EXECUTOR_PROVIDER,
    content_pb2.TOOL_EXECUTOR_MCP,
)
FUNCTION, CUSTOM, MCP_CALL = "function_call", "custom_tool_call", "mcp_call"
CODE = "code_interpreter_call"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRow:
    """How one type of item says a call."""

    executor: content_pb2.ToolExecutor.ValueType = PROVIDER
    name: str = ""
    """Name of the tool where the item has none."""
    arguments: str = ""
    """Key of the arguments, as text or as an object."""
    members: tuple[str, ...] = ()
    """Keys that together are the arguments."""
    empty: Json = None
    """What a client finds at `arguments` where there are none."""
    prefix: str
    """Of identifiers."""


ROWS: Mapping[str, CallRow] = {
    FUNCTION: CallRow(executor=CLIENT, arguments="arguments", empty="", prefix="fc"),
    CUSTOM: CallRow(executor=CLIENT, arguments="input", empty="", prefix="ctc"),
    MCP_CALL: CallRow(executor=MCP, arguments="arguments", empty="", prefix="mcp"),
    "web_search_call": CallRow(name="web_search", arguments="action", empty={"type": "search"}, prefix="ws"),
    "file_search_call": CallRow(name="file_search", members=("queries",), prefix="fs"),
    CODE: CallRow(name="code_interpreter", members=("code",), prefix="ci"),
    "image_generation_call": CallRow(
        name="image_generation",
        members=("action", "background", "output_format", "quality", "revised_prompt", "size"),
        prefix="ig",
    ),
    "computer_call": CallRow(executor=CLIENT, name="computer", members=("action", "actions"), prefix="cu"),
    "local_shell_call": CallRow(executor=CLIENT, name="local_shell", arguments="action", empty={}, prefix="lsh"),
    "shell_call": CallRow(executor=CLIENT, name="shell", arguments="action", empty={}, prefix="sh"),
    "apply_patch_call": CallRow(executor=CLIENT, name="apply_patch", arguments="operation", empty={}, prefix="apc"),
    "tool_search_call": CallRow(name="tool_search", arguments="arguments", empty={}, prefix="tsc"),
    "program": CallRow(name="program", members=("code",), prefix="prog"),
}
TEXT = frozenset({FUNCTION, CUSTOM, MCP_CALL})
"""Items whose arguments are a text that the model wrote."""
_ITEMS: Mapping[str, str] = {
    "web_search": "web_search_call",
    "file_search": "file_search_call",
    "code_interpreter": CODE,
    "code_execution": CODE,
    "image_generation": "image_generation_call",
    "tool_search": "tool_search_call",
}
"""By name of a tool, for calls that the provider of another wire ran."""
FOREIGN_SERVER = "provider"
"""The server that a tool of another provider, unknown to this wire, is told to clients to run on: the one type of
item that says any tool which is not the client's to run."""
_CALL = Fields(
    content_pb2.ToolCall,
    call_id="call_id",
    name="name",
    server_label="namespace",
    namespace="namespace",
    container_id="container_id",
    approval_request_id="approval_request_id",
)
_CHECK = Fields(content_pb2.SafetyCheck, id="id", code="code", message="message")
_CONTAINER = "container_reference"


def lift_call(item: JsonObject, place: Place) -> list[Part]:
    """The call of an item, and its result where the item holds it."""
    kind = item["type"]
    part = start_call(item, place)
    if (given := _given(item, ROWS[kind])) is not None:
        if kind == CUSTOM:
            part.tool_call.text = given
        else:
            part.tool_call.arguments_json = given
    parts = [part]
    if kind in OUTCOMES:
        parts.append(lift_outcome(item, part.tool_call.call_id, part.tool_call.name, place))
    writer = Writer(direction=place.direction)
    writer.keep_item(part, _lowered(part, parts[1] if len(parts) > 1 else None, kind, writer, ""), item)
    return parts


def start_call(item: JsonObject, place: Place) -> Part:
    """The call of an item but its arguments and its remainder."""
    kind = item["type"]
    row, part = ROWS[kind], Part()
    call = part.tool_call
    call.executor, call.name = row.executor, row.name
    _CALL.lift(item, call, place)
    if kind != FUNCTION:
        call.provider_type = kind
    part.id = lift_name(item, part, place.direction)
    call.call_id = call.call_id or part.id
    call.status = status_of(item.get("status"))
    caller = object_at(item, "caller")
    if isinstance(caller.get("type"), str):
        call.caller_type = whole_text(caller["type"])
        if isinstance(caller.get("caller_id"), str):
            call.caller_call_id = whole_text(caller["caller_id"])
    for check in objects(item.get("pending_safety_checks")):
        _CHECK.lift(check, call.safety_checks.add(), place)
    environment = object_at(item, "environment")
    if environment.get("type") == _CONTAINER and isinstance(environment.get("container_id"), str):
        call.executor, call.container_id = PROVIDER, whole_text(environment["container_id"])
    if kind == "tool_search_call" and item.get("execution") == "client":
        call.executor = CLIENT
    if isinstance(item.get("fingerprint"), str):
        part.signature = whole_text(item["fingerprint"]).encode()
    return part


def kind_of(part: Part, writer: Writer) -> str:
    """The type of the item that says a call; empty where the wire has none."""
    call = part.tool_call
    if call.provider_type in ROWS:
        return call.provider_type
    if call.executor == MCP:
        return MCP_CALL
    if call.executor == PROVIDER:
        known = _ITEMS.get(call.name, "")
        if writer.direction == RESPONSE:
            return known or MCP_CALL
        return ""
    return CUSTOM if call.WhichOneof("input") == "text" else FUNCTION


def lower_call(part: Part, result: Part | None, writer: Writer, path: str) -> JsonObject | None:
    """The item of a call; `result` is what came of it where the provider ran it. None, and noted, where the wire has
    no item for it."""
    kind = kind_of(part, writer)
    if not kind:
        writer.warn("NOT_SENT", path, f"the call of '{part.tool_call.name}', which another provider ran, was left out")
        return None
    writer.calls[part.tool_call.call_id] = kind
    return writer.restore(part, _lowered(part, result, kind, writer, path))


def _lowered(part: Part, result: Part | None, kind: str, writer: Writer, path: str) -> JsonObject:
    row, call = ROWS[kind], part.tool_call
    inside = kind in OUTCOMES
    name = writer.name(part, part.id or (call.call_id if inside else ""), row.prefix)
    item: JsonObject = {"type": kind, **({"id": name} if name else {})}
    if not inside and (call.call_id or kind != "tool_search_call"):
        item["call_id"] = call.call_id
    if not row.name:
        item["name"] = call.name
    if kind == MCP_CALL:
        item["server_label"] = call.namespace or FOREIGN_SERVER
    elif call.namespace:
        item["namespace"] = call.namespace
    _lower_given(call, row, item)
    if kind in (FUNCTION, MCP_CALL) and writer.direction == REQUEST:
        item["arguments"] = item["arguments"] or "{}"
    _lower_rest(part, kind, item, writer)
    if inside:
        lower_outcome(kind, result, item, writer, path)
    return item


def _lower_given(call: content_pb2.ToolCall, row: CallRow, item: JsonObject) -> None:
    if isinstance(row.empty, str):
        item[row.arguments] = call.text if call.WhichOneof("input") == "text" else call.arguments_json
    elif row.arguments:
        value = _loaded(call)
        if call.provider_type not in ROWS and isinstance(value, dict):
            value = {**row.empty, **value}  # another wire's arguments lack what clients of this one count on
        item[row.arguments] = row.empty if value is None else value
    else:
        value = _loaded(call)
        for key in row.members:
            if isinstance(value, dict) and key in value:
                item[key] = value[key]


def _lower_rest(part: Part, kind: str, item: JsonObject, writer: Writer) -> None:
    call = part.tool_call
    if kind == "shell_call":
        if call.container_id:
            item["environment"] = {"type": _CONTAINER, "container_id": call.container_id}
    elif kind == CODE:
        item["container_id"] = call.container_id
    if kind == "tool_search_call":
        item["execution"] = "server" if call.executor == PROVIDER else "client"
    if call.approval_request_id:
        item["approval_request_id"] = call.approval_request_id
    if call.safety_checks or kind == "computer_call":
        item["pending_safety_checks"] = [_CHECK.lower(check, {}) for check in call.safety_checks]
    if call.caller_type and (call.caller_type != "direct" or writer.direction == RESPONSE):
        caller = {"type": call.caller_type}
        if call.caller_call_id:
            caller["caller_id"] = call.caller_call_id
        item["caller"] = caller
    if kind == "program" and part.signature:
        item["fingerprint"] = part.signature.decode("utf-8", "replace")
    status = call.status
    if status == content_pb2.TOOL_STATUS_UNSPECIFIED and (writer.direction == RESPONSE or kind not in TEXT):
        status = content_pb2.TOOL_STATUS_COMPLETED
    if kind != "program":
        lower_status(status, item)


def _given(item: JsonObject, row: CallRow) -> str | None:
    """The arguments of an item as text; None where it has none."""
    if row.members:
        held = {key: item[key] for key in row.members if item.get(key) is not None}
        return text_of(held) if held else None
    value = item.get(row.arguments)
    if isinstance(row.empty, str):
        return whole_text(value) if isinstance(value, str) else text_of(value) if value else None
    if isinstance(value, dict):
        kept = {key: inner for key, inner in value.items() if not (key == "sources" and item["type"] in OUTCOMES)}
        return text_of(kept)
    return None


def _loaded(call: content_pb2.ToolCall) -> Json:
    if call.WhichOneof("input") == "text":
        return {"input": call.text}
    if not call.arguments_json:
        return None
    try:
        return loads(call.arguments_json)
    except ValueError:
        return {"input": call.arguments_json}
