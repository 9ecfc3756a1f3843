"""How far an item is, in both directions."""

from __future__ import annotations

from collections.abc import Mapping

from antiphon.v1 import content_pb2
from antiphon.wire.jsontext import Json, JsonObject

STATUSES: Mapping[str, content_pb2.ToolStatus.ValueType] = {
    "in_progress": content_pb2.TOOL_STATUS_IN_PROGRESS,
    "completed": content_pb2.TOOL_STATUS_COMPLETED,
    "incomplete": content_pb2.TOOL_STATUS_INCOMPLETE,
    "failed": content_pb2.TOOL_STATUS_FAILED,
    "searching": content_pb2.TOOL_STATUS_IN_PROGRESS,
    "interpreting": content_pb2.TOOL_STATUS_IN_PROGRESS,
    "generating": content_pb2.TOOL_STATUS_IN_PROGRESS,
    "calling": content_pb2.TOOL_STATUS_IN_PROGRESS,
}
WORDS: Mapping[content_pb2.ToolStatus.ValueType, str] = {
    content_pb2.TOOL_STATUS_IN_PROGRESS: "in_progress",
    content_pb2.TOOL_STATUS_COMPLETED: "completed",
    content_pb2.TOOL_STATUS_INCOMPLETE: "incomplete",
    content_pb2.TOOL_STATUS_FAILED: "failed",
}
UNKNOWN = content_pb2.TOOL_STATUS_UNSPECIFIED


def status_of(value: Json) -> content_pb2.ToolStatus.ValueType:
    """The status that a word means; UNSPECIFIED for another value."""
    return STATUSES.get(value, UNKNOWN) if isinstance(value, str) else UNKNOWN


def lower_status(status: content_pb2.ToolStatus.ValueType, item: JsonObject) -> None:
    """Write the status of an item, where it has one."""
    if status in WORDS:
        item["status"] = WORDS[status]
