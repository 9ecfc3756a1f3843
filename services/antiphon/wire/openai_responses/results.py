"""Results of tools that are items of their own: what the caller answers, and what the provider's shell printed."""

from __future__ import annotations

from collections.abc import Mapping

from antiphon.core.errors import invalid
from antiphon.v1 import content_pb2
from antiphon.wire.fields import REQUEST, RESPONSE, Fields, Place, object_at, objects, whole_text
from antiphon.wire.jsontext import Json, JsonObject
from antiphon.wire.openai_responses.calls import CUSTOM, FUNCTION
from antiphon.wire.openai_responses.content import (
    Untypable,
    lift_content,
    lower_content,
    lower_element,
    read_address,
    text_part,
)
from antiphon.wire.openai_responses.content import address as media_address
from antiphon.wire.openai_responses.status import lower_status, status_of
from antiphon.wire.openai_responses.writer import Writer, lift_name

Part = content_pb2.Part
ToolResult = content_pb2.ToolResult

FUNCTION_OUTPUT, CUSTOM_OUTPUT = "function_call_output", "custom_tool_call_output"
COMPUTER, LOCAL_SHELL, SHELL, PATCH, PROGRAM = (
    "computer_call_output",
    "local_shell_call_output",
    "shell_call_output",
    "apply_patch_call_output",
    "program_output",
)
ANSWERS: Mapping[str, str] = {
    FUNCTION: FUNCTION_OUTPUT,
    CUSTOM: CUSTOM_OUTPUT,
    "computer_call": COMPUTER,
    "local_shell_call": LOCAL_SHELL,
    "shell_call": SHELL,
    "apply_patch_call": PATCH,
    "program": PROGRAM,
}
"""By type of the item that calls: the type of the item that answers."""
KINDS = frozenset(ANSWERS.values())
_TEXTS = (LOCAL_SHELL, PATCH)
_CHECK = Fields(content_pb2.SafetyCheck, id="id", code="code", message="message")
_RESULT = Fields(ToolResult, call_id="call_id", name="name")
_PRINTED = Fields(content_pb2.CodeResult, stdout="stdout", stderr="stderr")
_OUTCOME = Fields(content_pb2.CodeResult, type="provider_type", exit_code="return_code")
_EXIT, _TIMEOUT = "exit", "timeout"
_ROLE = "tool"


def lift_result(item: JsonObject, place: Place) -> Part:
    """The result of an item of any type in KINDS."""
    part, kind = Part(), item["type"]
    result = part.tool_result
    _RESULT.lift(item, result, place)
    part.id = lift_name(item, part, place.direction)
    result.call_id = result.call_id or part.id  # the local shell answers by the call's `id`
    by_provider = kind == PROGRAM or (kind == SHELL and place.direction == RESPONSE)
    result.executor = content_pb2.TOOL_EXECUTOR_PROVIDER if by_provider else content_pb2.TOOL_EXECUTOR_CLIENT
    result.provider_type = "" if kind == FUNCTION_OUTPUT else kind
    result.status = status_of(item.get("status"))
    caller = object_at(item, "caller")
    if isinstance(caller.get("type"), str):
        result.caller_type = whole_text(caller["type"])
        if isinstance(caller.get("caller_id"), str):
            result.caller_call_id = whole_text(caller["caller_id"])
    for check in objects(item.get("acknowledged_safety_checks")):
        _CHECK.lift(check, result.acknowledged_safety_checks.add(), place)
    if kind == PATCH and item.get("status") == "failed":
        result.is_error = True
    _lift_output(item, kind, part, place)
    writer = Writer(direction=place.direction)
    read = {**item}
    lowered = _lowered(part, kind, writer, "") or {}
    if part.tool_result.content and kind in (FUNCTION_OUTPUT, CUSTOM_OUTPUT):
        lowered["output"] = read["output"] = 0  # the elements keep their own remainders
    writer.keep_item(part, lowered, read)
    return part


def lower_result(part: Part, writer: Writer, path: str) -> JsonObject | None:
    """The item of a result; None, and noted, for a result of another provider's own tool."""
    result = part.tool_result
    kind = result.provider_type if result.provider_type in KINDS else ""
    if not kind and result.executor > content_pb2.TOOL_EXECUTOR_CLIENT:
        what = result.provider_type or result.name or "it"
        writer.warn("NOT_SENT", path, f"'{what}' is the result of another provider's own tool; it was left out")
        return None
    kind = kind or ANSWERS.get(writer.calls.get(result.call_id, FUNCTION), FUNCTION_OUTPUT)
    lowered = _lowered(part, kind, writer, path)
    return None if lowered is None else writer.restore(part, lowered)


def _lift_output(item: JsonObject, kind: str, part: Part, place: Place) -> None:
    result, output = part.tool_result, item.get("result" if kind == PROGRAM else "output")
    if kind in (FUNCTION_OUTPUT, CUSTOM_OUTPUT):
        if output is None and place.direction == REQUEST:
            raise invalid(place.at("output").path, "must be a string or a list")
        try:
            result.content.extend(lift_content(output, place.at("output"), part, _ROLE))
        except Untypable:
            return
    elif kind == SHELL:
        for entry in objects(output):
            printed = result.content.add().code_result
            printed.SetInParent()
            _PRINTED.lift(entry, printed, place)
            _OUTCOME.lift(object_at(entry, "outcome"), printed, place.at("outcome"))
    elif kind == COMPUTER:
        shot = output if isinstance(output, dict) else {}
        media = result.content.add().media
        media.modality = content_pb2.MODALITY_IMAGE
        if isinstance(shot.get("image_url"), str):
            read_address(shot["image_url"], media)
        elif isinstance(shot.get("file_id"), str):
            media.file_id = whole_text(shot["file_id"])
    elif isinstance(output, str):
        result.content.append(text_part(output))


def _lowered(part: Part, kind: str, writer: Writer, path: str) -> JsonObject | None:
    result = part.tool_result
    item: JsonObject = {"type": kind}
    name = writer.name(part, part.id or (result.call_id if kind == LOCAL_SHELL else ""), "out")
    if name:
        item["id"] = name
    if kind != LOCAL_SHELL or (part.id and result.call_id != part.id):
        item["call_id"] = result.call_id
    item["result" if kind == PROGRAM else "output"] = _output(part, kind, writer, path)
    if result.name and kind == FUNCTION_OUTPUT and writer.direction == RESPONSE:
        item["name"] = result.name
    if result.acknowledged_safety_checks:
        item["acknowledged_safety_checks"] = [_CHECK.lower(check, {}) for check in result.acknowledged_safety_checks]
    if result.caller_type and (result.caller_type != "direct" or writer.direction == RESPONSE):
        item["caller"] = {"type": result.caller_type}
        if result.caller_call_id:
            item["caller"]["caller_id"] = result.caller_call_id
    status = result.status
    if status == content_pb2.TOOL_STATUS_UNSPECIFIED and (writer.direction == RESPONSE or kind == PATCH):
        failed = result.is_error and kind == PATCH
        status = content_pb2.TOOL_STATUS_FAILED if failed else content_pb2.TOOL_STATUS_COMPLETED
    lower_status(status, item)
    return item


def _output(part: Part, kind: str, writer: Writer, path: str) -> Json:
    result, inner = part.tool_result, f"{path}.tool_result.content"
    if kind in (FUNCTION_OUTPUT, CUSTOM_OUTPUT):
        if not result.content:
            return result.error_message
        return lower_content(result.content, part, writer, inner, _ROLE)
    if kind == SHELL:
        return [_printed(content) for content in result.content]
    if kind == COMPUTER:
        return _screenshot(result, writer, inner)
    texts = (lower_element(content, writer, inner, _ROLE) for content in result.content)
    return "\n".join(element.get("text", "") for element in texts if isinstance(element, dict))


def _printed(content: Part) -> JsonObject:
    printed = content.code_result
    outcome: JsonObject = {"type": printed.provider_type or _EXIT}
    if outcome["type"] not in (_EXIT, _TIMEOUT):
        outcome["type"] = _EXIT
    if printed.HasField("return_code") or (outcome["type"] == _EXIT and not printed.provider_type):
        outcome["exit_code"] = printed.return_code
    stdout = printed.stdout or content.text.text
    return {"stdout": stdout, "stderr": printed.stderr, "outcome": outcome}


def _screenshot(result: ToolResult, writer: Writer, path: str) -> JsonObject:
    shot: JsonObject = {"type": "computer_screenshot"}
    media = next((content.media for content in result.content if content.HasField("media")), None)
    if media is None:
        writer.unsupported(path, "the computer answers with a picture; give a media part")
    elif media.WhichOneof("source") == "file_id":
        shot["file_id"] = media.file_id
    elif media.WhichOneof("source") in ("data", "url"):
        shot["image_url"] = media_address(media, "image/png")
    return shot
