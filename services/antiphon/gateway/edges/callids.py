"""Identifiers for the calls of tools where a format has none: most providers join results to calls by them."""

from __future__ import annotations

from antiphon.v1 import chat_pb2, content_pb2


def put_call_ids(spec: chat_pb2.ChatSpec) -> None:
    """Number the calls that have no identifier, and give each result that names no call the one that it answers: the
    oldest open one of its name, or the oldest at all where it has no name."""
    open_calls: list[content_pb2.ToolCall] = []
    parts = (part for message in spec.messages for part in message.parts)
    for number, part in enumerate(parts):
        if part.HasField("tool_call"):
            part.tool_call.call_id = part.tool_call.call_id or f"call_{number}"
            open_calls.append(part.tool_call)
        elif part.HasField("tool_result"):
            _join(part.tool_result, open_calls)


def _join(result: content_pb2.ToolResult, open_calls: list[content_pb2.ToolCall]) -> None:
    for place, call in enumerate(open_calls):
        if result.call_id == call.call_id if result.call_id else result.name in ("", call.name):
            result.call_id = call.call_id
            del open_calls[place]
            return
