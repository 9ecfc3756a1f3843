"""What came of a tool that the provider ran, as far as the item of the call holds it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

from antiphon.v1 import content_pb2
from antiphon.wire.fields import RESPONSE, Fields, Place, object_at, objects, whole_text
from antiphon.wire.jsontext import Json, JsonObject, loads, text_of
from antiphon.wire.openai_responses.content import address, read_address, text_part
from antiphon.wire.openai_responses.status import status_of
from antiphon.wire.openai_responses.writer import Writer
from antiphon.wire.plain_text import as_text

Part = content_pb2.Part
ToolResult = content_pb2.ToolResult

_LENIENT = Place(RESPONSE)
_FILE = Fields(
    content_pb2.SearchResult, file_id="file_id", filename="title", score="score", attributes="attributes_json"
)
_PAGE = Fields(content_pb2.SearchResult, url="source", title="title")
_ERROR = Fields(ToolResult, type="error_code", message="error_message", code="error_status")
_WEB, _FILES = "web", "file"
_LOGS = "logs"
_MCP = "mcp_call"


def lift_outcome(item: JsonObject, call_id: str, name: str, place: Place) -> Part:
    """The result part of an item; without content where the item shows none."""
    part = Part()
    result = part.tool_result
    kind = item["type"]
    result.call_id, result.name, result.provider_type = call_id, name, kind
    mcp = kind == _MCP
    result.executor = content_pb2.TOOL_EXECUTOR_MCP if mcp else content_pb2.TOOL_EXECUTOR_PROVIDER
    result.status = status_of(item.get("status"))
    OUTCOMES[kind][0](item, result)
    return part


def lower_outcome(kind: str, part: Part | None, item: JsonObject, writer: Writer, path: str) -> None:
    """Write what came of the call into its item."""
    OUTCOMES[kind][1](part.tool_result if part is not None else ToolResult(), item)


def _lift_web(item: JsonObject, result: ToolResult) -> None:
    for source in objects(object_at(item, "action").get("sources")):
        found = result.content.add().search_result
        found.origin = _WEB
        _PAGE.lift(source, found, _LENIENT)


def _lower_web(result: ToolResult, item: JsonObject) -> None:
    sources = [
        {"type": "url", **_PAGE.lower(part.search_result, {})}
        for part in result.content
        if _kind(part) == "search_result"
    ]
    if sources and isinstance(item.get("action"), dict):
        item["action"] = {**item["action"], "sources": sources}


def _lift_files(item: JsonObject, result: ToolResult) -> None:
    for entry in objects(item.get("results")):
        found = result.content.add().search_result
        found.origin = _FILES
        _FILE.lift(entry, found, _LENIENT)
        found.source = found.file_id
        if isinstance(entry.get("text"), str):
            found.content.append(text_part(entry["text"]))


def _lower_files(result: ToolResult, item: JsonObject) -> None:
    item.setdefault("queries", [])
    entries = []
    for part in result.content:
        if _kind(part) == "search_result":
            entry = _FILE.lower(part.search_result, {})
            if part.search_result.content:
                entry["text"] = "".join(inner.text.text for inner in part.search_result.content)
            entries.append(entry)
    item["results"] = entries or None


def _lift_code(item: JsonObject, result: ToolResult) -> None:
    for output in objects(item.get("outputs")):
        part = result.content.add()
        if output.get("type") == "image" and isinstance(output.get("url"), str):
            part.media.modality = content_pb2.MODALITY_IMAGE
            read_address(output["url"], part.media)
        else:
            part.code_result.provider_type = _LOGS
            logs = output.get(_LOGS)
            part.code_result.stdout = whole_text(logs) if isinstance(logs, str) else ""


def _lower_code(result: ToolResult, item: JsonObject) -> None:
    item.setdefault("code", None)
    outputs: list[JsonObject] = []
    for part in result.content:
        if _kind(part) == "media":
            outputs.append({"type": "image", "url": address(part.media, "image/png")})
        else:
            printed = part.code_result.stdout + part.code_result.stderr
            outputs.append({"type": _LOGS, _LOGS: printed or part.text.text})
    item["outputs"] = outputs or None


def _lift_image(item: JsonObject, result: ToolResult) -> None:
    data = item.get("result")
    if isinstance(data, str) and data:
        media = result.content.add().media
        media.modality = content_pb2.MODALITY_IMAGE
        try:
            media.data = base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError):
            media.url = whole_text(data)
        form = item.get("output_format")
        media.media_type = f"image/{whole_text(form)}" if isinstance(form, str) else "image/png"
    _lift_error(item, result)


def _lower_image(result: ToolResult, item: JsonObject) -> None:
    media = next((part.media for part in result.content if _kind(part) == "media"), None)
    if media is None:
        item["result"] = None
    elif media.WhichOneof("source") == "url":
        item["result"] = media.url
    else:
        item["result"] = base64.b64encode(media.data).decode()
    if result.is_error:
        item["error"] = _ERROR.lower(result, {})


def _lift_mcp(item: JsonObject, result: ToolResult) -> None:
    if isinstance(item.get("output"), str):
        result.content.append(text_part(item["output"]))
    _lift_error(item, result)


def _lower_mcp(result: ToolResult, item: JsonObject) -> None:
    item["output"] = _told(result) if result.content and not result.is_error else None
    item["error"] = _lower_error(result)


def _lift_error(item: JsonObject, result: ToolResult) -> None:
    error = item.get("error")
    if isinstance(error, str):
        result.is_error, result.error_message = True, whole_text(error)
    elif isinstance(error, dict):
        result.is_error = True
        _ERROR.lift(error, result, _LENIENT)
        if "content" in error:  # what the tool itself says of its failure
            result.content.append(text_part(text_of(error["content"])))


def _lower_error(result: ToolResult) -> Json:
    if not result.is_error:
        return None
    if not result.error_code:
        return result.error_message or _told(result)
    if result.provider_type != _MCP:
        told = result.error_message or _told(result) or result.error_code
        return {"type": "mcp_tool_execution_error", "content": [{"type": "text", "text": told}]}
    error = _ERROR.lower(result, {})
    if result.content:
        error["content"] = _value(result.content[0].text.text)
    return error


def _value(text: str) -> Json:
    try:
        return loads(text)
    except ValueError:
        return text


def _told(result: ToolResult) -> str:
    """A result as text, for an item that takes nothing else."""
    return "\n".join(filter(None, map(_text, result.content)))


def _text(part: Part) -> str:
    return as_text(part) or part.media.url or part.media.file_id


def _kind(part: Part) -> Any:
    return part.WhichOneof("kind")


OUTCOMES: Mapping[str, tuple[Callable[[JsonObject, ToolResult], None], Callable[[ToolResult, JsonObject], None]]] = {
    "web_search_call": (_lift_web, _lower_web),
    "file_search_call": (_lift_files, _lower_files),
    "code_interpreter_call": (_lift_code, _lower_code),
    "image_generation_call": (_lift_image, _lower_image),
    "mcp_call": (_lift_mcp, _lower_mcp),
}
"""By type of item: how its result is read and written."""
