"""Results of tools: of the client's, of MCP servers and of those that Anthropic runs itself.

What Anthropic runs answers with an object whose type says what it is; each becomes one part of the result.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from antiphon.core.errors import invalid
from antiphon.v1 import content_pb2
from antiphon.wire.anthropic_messages.fields import REQUEST, Fields, Place, objects, spell, spelled, whole_text
from antiphon.wire.anthropic_messages.media import Untypable
from antiphon.wire.anthropic_messages.writer import Writer
from antiphon.wire.jsontext import Json, JsonObject


class BlockCodec(Protocol):
    """Reads and writes any block: results hold blocks, and blocks hold results."""

    def lift(self, block: JsonObject, place: Place) -> content_pb2.Part:
        """The part that a block says."""

    def lower(self, part: content_pb2.Part, writer: Writer, path: str) -> JsonObject | None:
        """The block of a part; None, and noted, where the wire has none."""


CLIENT, MCP = "tool_result", "mcp_tool_result"
PROVIDER = frozenset(
    {
        "web_search_tool_result",
        "web_fetch_tool_result",
        "code_execution_tool_result",
        "bash_code_execution_tool_result",
        "text_editor_code_execution_tool_result",
        "tool_search_tool_result",
        "advisor_tool_result",
    }
)
BLOCKS = frozenset({CLIENT, MCP}) | PROVIDER

_OUTER = Fields(content_pb2.ToolResult, tool_use_id="call_id", is_error="is_error")
_ERROR = Fields(content_pb2.ToolResult, error_code="error_code", error_message="error_message")
_WEB = Fields(
    content_pb2.SearchResult,
    url="source",
    title="title",
    encrypted_content="encrypted_content",
    page_age="page_age",
    retrieved_at="retrieved_at",
)
_CODE = Fields(
    content_pb2.CodeResult,
    return_code="return_code",
    encrypted_stdout="encrypted_stdout",
    stderr="stderr",
    stdout="stdout",
)
_FILE = Fields(
    content_pb2.FileResult,
    content="content",
    file_type="file_type",
    start_line="start_line",
    num_lines="num_lines",
    total_lines="total_lines",
    is_file_update="is_update",
    lines="lines",
    old_start="old_start",
    old_lines="old_lines",
    new_start="new_start",
    new_lines="new_lines",
)
OWN_RUN = "own_run"
_OWN_IDS = {content_pb2.TOOL_EXECUTOR_PROVIDER: "srvtoolu_", content_pb2.TOOL_EXECUTOR_MCP: "mcptoolu_"}
_OUTPUT_TYPES = {"bash_code_execution_result": "bash_code_execution_output"}


def lift_result(block: JsonObject, part: content_pb2.Part, place: Place, codec: BlockCodec) -> None:
    """A result block of any type in BLOCKS."""
    kind, result = block["type"], part.tool_result
    result.SetInParent()
    if place.direction == REQUEST and kind != CLIENT:
        spell(part, OWN_RUN, REQUEST)
    _OUTER.lift(block, result, place)
    content = block.get("content")
    if kind in (CLIENT, MCP):
        result.executor = content_pb2.TOOL_EXECUTOR_CLIENT if kind == CLIENT else content_pb2.TOOL_EXECUTOR_MCP
        result.provider_type = "" if kind == CLIENT else kind
        result.content.extend(lift_content(content, part, place.at("content"), codec))
        return
    result.executor = content_pb2.TOOL_EXECUTOR_PROVIDER
    result.provider_type = kind
    if isinstance(content, list):
        result.content.extend(_lift_web_item(item, place, codec) for item in objects(content))
    elif isinstance(content, dict):
        if "error_code" in content:
            _ERROR.lift(content, result, place)
            result.is_error = True
        elif content.get("type") == "tool_search_tool_search_result":
            result.content.extend(codec.lift(item, place) for item in objects(content.get("tool_references")))
        else:
            result.content.append(_lift_inner(content, place, codec))


def lower_result(part: content_pb2.Part, writer: Writer, path: str, codec: BlockCodec) -> JsonObject | None:
    """The result block; None, and noted, for a result of another provider's own tool."""
    result = part.tool_result
    if result.executor in (content_pb2.TOOL_EXECUTOR_UNSPECIFIED, content_pb2.TOOL_EXECUTOR_CLIENT):
        kind = CLIENT
    elif result.executor == content_pb2.TOOL_EXECUTOR_MCP:
        kind = MCP
    else:
        kind = result.provider_type
        if kind not in PROVIDER:
            writer.warn("NOT_SENT", path, f"'{kind}' is the result of another provider's own tool; it was left out")
            return None
    if is_foreign_run(part, result.call_id, writer):
        writer.warn("NOT_SENT", path, "the result of a tool that another provider ran was left out")
        return None
    block: JsonObject = {"type": kind, "tool_use_id": result.call_id}
    if kind in PROVIDER:
        block["content"] = _lower_provider(result, kind, writer, path, codec)
        return block
    if result.content or kind == MCP:
        block["content"] = lower_content(
            result.content, part, writer, f"{path}.tool_result.content", codec, text=kind == CLIENT
        )
    if result.HasField("is_error"):
        block["is_error"] = result.is_error
    return block


def is_foreign_run(part: content_pb2.Part, call_id: str, writer: Writer) -> bool:
    """Whether another provider ran a call, so that Anthropic refuses to hear of it: Anthropic's own have identifiers
    of their own kind, unless a client of this wire wrote them."""
    executor = getattr(part, part.WhichOneof("kind") or "text").executor
    if writer.direction != REQUEST or executor not in _OWN_IDS or spelled(part, OWN_RUN, REQUEST):
        return False
    return not call_id.startswith(_OWN_IDS[executor])


def lift_content(content: Json, carrier: Any, place: Place, codec: BlockCodec) -> list[content_pb2.Part]:
    """The parts of a content that is a text or a list of blocks; which of them, is noted on `carrier`.
    `place` is that of the content."""
    if place.direction == REQUEST and content in ("", []):
        spell(carrier, "empty", REQUEST)
    if isinstance(content, str):
        return [text_part(content)]
    if content is None:
        return []
    if not isinstance(content, list) or not all(isinstance(item, dict) for item in content):
        if place.direction == REQUEST:
            raise invalid(place.path, "must be a string or a list of objects")
        raise Untypable
    parts = [codec.lift(item, place.at(number)) for number, item in enumerate(content)]
    if len(parts) == 1 and is_bare(parts[0]):
        spell(carrier, "blocks", place.direction)
    return parts


def lower_content(
    parts: Iterable[content_pb2.Part],
    carrier: Any,
    writer: Writer,
    path: str,
    codec: BlockCodec,
    *,
    text: bool = True,
) -> Json:
    """The content as a text where it is one plain text and was not read as a list; as a list otherwise."""
    items = list(parts)
    if text and len(items) == 1 and is_bare(items[0]) and not spelled(carrier, "blocks", writer.direction):
        return items[0].text.text
    blocks = (codec.lower(item, writer, f"{path}[{number}]") for number, item in enumerate(items))
    return [block for block in blocks if block is not None]


def text_part(text: str) -> content_pb2.Part:
    """A part of nothing but text."""
    part = content_pb2.Part()
    part.text.SetInParent()
    part.text.text = whole_text(text)
    return part


def is_bare(part: content_pb2.Part) -> bool:
    """Whether a part is nothing but text, so that a string says it all."""
    return (
        part.WhichOneof("kind") == "text"
        and not part.text.citations
        and not part.signature
        and not part.HasField("cache_breakpoint")
        and not part.HasField("form")
        and not part.provider_data
    )


def _lift_web_item(item: JsonObject, place: Place, codec: BlockCodec) -> content_pb2.Part:
    if item.get("type") != "web_search_result":
        return codec.lift(item, place)
    part = content_pb2.Part()
    part.search_result.origin = "web_search"
    _WEB.lift(item, part.search_result, place)
    return _kept(part, item, place, codec)


def _lift_inner(content: JsonObject, place: Place, codec: BlockCodec) -> content_pb2.Part:
    kind = content.get("type")
    part = content_pb2.Part()
    if kind == "web_fetch_result":
        part.search_result.origin = "web_fetch"
        _WEB.lift(content, part.search_result, place)
        if isinstance(content.get("content"), dict):
            part.search_result.content.append(codec.lift(content["content"], place.at("content")))
    elif isinstance(kind, str) and kind.startswith("text_editor_code_execution_"):
        part.file_result.provider_type = whole_text(kind)
        _FILE.lift(content, part.file_result, place)
    elif isinstance(kind, str) and kind.endswith("code_execution_result"):
        part.code_result.provider_type = whole_text(kind)
        _CODE.lift(content, part.code_result, place)
        files = (item.get("file_id") for item in objects(content.get("content")))
        part.code_result.file_ids.extend(whole_text(file) for file in files if isinstance(file, str))
    else:
        return codec.lift(content, place)
    return _kept(part, content, place, codec)


def _kept(part: content_pb2.Part, read: JsonObject, place: Place, codec: BlockCodec) -> content_pb2.Part:
    writer = Writer(direction=place.direction)
    writer.keep(part, _lower_inner(part, writer, "", codec) or {}, read)
    return part


def _lower_provider(result: content_pb2.ToolResult, kind: str, writer: Writer, path: str, codec: BlockCodec) -> Json:
    if result.error_code:
        return _ERROR.lower(result, {"type": f"{kind}_error"})
    if kind == "tool_search_tool_result":
        found = [codec.lower(item, writer, path) for item in result.content]
        return {"type": "tool_search_tool_search_result", "tool_references": [item for item in found if item]}
    items = [_lower_inner(item, writer, path, codec) for item in result.content]
    if kind == "web_search_tool_result":
        return [item for item in items if item is not None]
    return items[0] if items else {}


def _lower_inner(part: content_pb2.Part, writer: Writer, path: str, codec: BlockCodec) -> JsonObject | None:
    """One part of the result of a tool that Anthropic runs."""
    match part.WhichOneof("kind"):
        case "search_result":
            lowered = _lower_search(part.search_result, writer, path, codec)
        case "file_result":
            lowered = _FILE.lower(part.file_result, {"type": part.file_result.provider_type})
        case "code_result":
            lowered = _lower_code(part.code_result)
        case _:
            return codec.lower(part, writer, path)
    return writer.restore(part, lowered)


def _lower_search(found: content_pb2.SearchResult, writer: Writer, path: str, codec: BlockCodec) -> JsonObject:
    if found.origin != "web_fetch":
        return _WEB.lower(found, {"type": "web_search_result", "url": "", "title": "", "encrypted_content": ""})
    lowered = _WEB.lower(found, {"type": "web_fetch_result"})
    if found.content:
        lowered["content"] = codec.lower(found.content[0], writer, path)
    return lowered


def _lower_code(result: content_pb2.CodeResult) -> JsonObject:
    kind = result.provider_type or "code_execution_result"
    lowered: JsonObject = {"type": kind, "stderr": ""}
    if kind != "encrypted_code_execution_result":
        lowered["stdout"] = ""
    output = _OUTPUT_TYPES.get(kind, "code_execution_output")
    lowered["content"] = [{"type": output, "file_id": file} for file in result.file_ids]
    return _CODE.lower(result, lowered)
