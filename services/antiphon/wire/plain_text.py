"""Parts as plain text, for wires that have nothing but text for them."""

from __future__ import annotations

from antiphon.v1 import content_pb2

OF_SERVERS = frozenset({"tool_list", "approval_request", "approval_response"})
"""Kinds of part that say what a provider does with MCP servers: no other provider can go on from them, and none needs
to, so they are left out of what is sent to another one, with a warning."""
_PROVIDER_RUN = (content_pb2.TOOL_EXECUTOR_PROVIDER, content_pb2.TOOL_EXECUTOR_MCP)


def as_text(part: content_pb2.Part) -> str | None:
    """What a part says as text; None where text cannot say it."""
    match part.WhichOneof("kind"):
        case "text":
            return part.text.text
        case "refusal":
            return part.refusal
        case "search_result":
            found = part.search_result
            lines = [found.title, found.source, *(item.text.text for item in found.content)]
            return "\n".join(line for line in lines if line)
        case "code_result":
            return part.code_result.stdout + part.code_result.stderr
        case "file_result":
            return part.file_result.content or "\n".join(part.file_result.lines)
        case "compaction" if part.compaction.text:
            return part.compaction.text
        case "media" if part.media.WhichOneof("source") == "inline_text":
            return part.media.inline_text
        case "media" if part.media.media_type.startswith("text/") and part.media.data:
            return part.media.data.decode("utf-8", "replace")
    return None


def provider_run(part: content_pb2.Part) -> bool:
    """Whether a part is a call of a tool that the provider ran, or its result: no other provider can go on from it."""
    kind = part.WhichOneof("kind")
    if kind == "tool_call":
        return part.tool_call.executor in _PROVIDER_RUN
    return kind == "tool_result" and part.tool_result.executor in _PROVIDER_RUN
