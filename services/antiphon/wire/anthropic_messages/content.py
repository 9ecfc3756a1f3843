"""Content blocks and the parts of a message, one row a type."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from antiphon.v1 import content_pb2
from antiphon.wire.anthropic_messages.cache import lift_cache, lower_cache
from antiphon.wire.anthropic_messages.citations import lift_citation, lower_citation
from antiphon.wire.anthropic_messages.fields import (
    REQUEST,
    RESPONSE,
    Fields,
    Place,
    object_at,
    objects,
    spell,
    spelled,
    whole_text,
    word,
)
from antiphon.wire.anthropic_messages.media import Untypable, lift_media, lower_media
from antiphon.wire.anthropic_messages.quirks import REASONING_FORMAT, WIRE
from antiphon.wire.anthropic_messages.results import (
    BLOCKS,
    OWN_RUN,
    is_foreign_run,
    lift_content,
    lift_result,
    lower_content,
    lower_result,
)
from antiphon.wire.anthropic_messages.writer import Writer
from antiphon.wire.call_arguments import arguments
from antiphon.wire.jsontext import Json, JsonObject, dumps, loads, text_of
from antiphon.wire.plain_text import OF_SERVERS

Lift = Callable[[JsonObject, content_pb2.Part, Place], None]
Lower = Callable[[content_pb2.Part, Writer, str], JsonObject | None]

_CALL = Fields(content_pb2.ToolCall, id="call_id", name="name")
_SEARCH = Fields(content_pb2.SearchResult, source="source", title="title")
_COMPACTION = Fields(content_pb2.CompactionPart, content="text", encrypted_content="encrypted")
_EXECUTORS = {
    "tool_use": content_pb2.TOOL_EXECUTOR_CLIENT,
    "server_tool_use": content_pb2.TOOL_EXECUTOR_PROVIDER,
    "mcp_tool_use": content_pb2.TOOL_EXECUTOR_MCP,
}
_CALLS = {executor: kind for kind, executor in _EXECUTORS.items()} | {content_pb2.TOOL_EXECUTOR_UNSPECIFIED: "tool_use"}
_SERVER_TOOLS = {
    "search": "web_search",  # Groq
    "nova_grounding": "web_search",  # Amazon
    "google_search": "web_search",
    "code_interpreter": "code_execution",  # OpenAI
    "nova_code_interpreter": "code_execution",  # Amazon
    "python": "code_execution",  # Groq
}
"""Names that clients of this wire know for tools that other providers run themselves."""
_NAMESPACES = {"tool_use": "toolset_name", "mcp_tool_use": "server_name"}
_UNSIGNED = frozenset({"text", "tool_use", "image"})
"""Types of block that Anthropic does not sign: a signature there is Gemini's, which a client sends back."""
_SIGNED = "signed"
_NO_ID = re.compile(r"[^a-zA-Z0-9_-]")


class Blocks:
    """The codec of blocks. Has no state."""

    def lift(self, block: JsonObject, place: Place) -> content_pb2.Part:
        """The part that a block says; one that no field holds is kept whole as Opaque. Raises ServiceError
        INVALID_REQUEST for a block of a request whose known fields have wrong types."""
        part = content_pb2.Part()
        kind = block.get("type")
        if not isinstance(kind, str):
            place.wrong("type", "must be a string that names the kind of block")
            return _opaque(block)
        try:
            _LIFT.get(kind, _lift_unknown)(block, part, place)
        except Untypable:
            return _opaque(block)
        if kind not in ("thinking", "compaction"):
            lift_cache(block, part)
        signature = block.get("signature")
        if isinstance(signature, str):
            part.signature = whole_text(signature).encode()
            if kind not in _UNSIGNED and place.direction == REQUEST:
                spell(part, _SIGNED, REQUEST)
        writer = Writer(direction=place.direction)
        writer.keep(part, self._lower(part, writer, "") or {}, block)
        return part

    def lower(self, part: content_pb2.Part, writer: Writer, path: str) -> JsonObject | None:
        """The block of a part, its remainder included; None, and noted, where the wire has none."""
        block = self._lower(part, writer, path)
        return None if block is None else writer.restore(part, block)

    def _lower(self, part: content_pb2.Part, writer: Writer, path: str) -> JsonObject | None:
        kind = part.WhichOneof("kind")
        if kind is None:
            writer.unsupported(path, "has no kind; set text, media, ...")
            return None
        block = _LOWER.get(kind, _lower_foreign)(part, writer, path)
        if block is not None:
            lower_cache(part, block)
            if part.signature and "signature" not in block:
                _lower_signature(part, block, writer, path)
        return block


BLOCK_CODEC = Blocks()


def _lower_signature(part: content_pb2.Part, block: JsonObject, writer: Writer, path: str) -> None:
    """The signature of a block that has none at Anthropic: Gemini's of a text or a call. A client of this wire replays
    what it does not know; Anthropic refuses it."""
    if writer.direction == RESPONSE or spelled(part, _SIGNED, REQUEST):
        block["signature"] = word(part.signature)
    else:
        writer.warn("NOT_SENT", f"{path}.signature", "a signature that another provider made was left out")


def valid_id(call_id: str, writer: Writer) -> str:
    """An identifier of a call as Anthropic takes it: other providers use characters that it refuses."""
    return _NO_ID.sub("_", call_id) if writer.direction == REQUEST else call_id


def _opaque(block: JsonObject) -> content_pb2.Part:
    part = content_pb2.Part()
    kind = block.get("type")
    part.opaque.wire, part.opaque.type = WIRE, whole_text(kind) if isinstance(kind, str) else ""
    part.opaque.media_type, part.opaque.data = "application/json", dumps(block)
    return part


def _lift_unknown(block: JsonObject, part: content_pb2.Part, place: Place) -> None:
    raise Untypable


def _lift_text(block: JsonObject, part: content_pb2.Part, place: Place) -> None:
    if not isinstance(block.get("text"), str):
        place.wrong("text", "must be a string")
        raise Untypable
    part.text.SetInParent()
    part.text.text = whole_text(block["text"])
    if place.direction == REQUEST and not block["text"]:
        spell(part, "empty", REQUEST)
    for citation in objects(block.get("citations")):
        lift_citation(citation, part.text.citations.add())


def _lower_text(part: content_pb2.Part, writer: Writer, path: str) -> JsonObject | None:
    if writer.direction == REQUEST and not part.text.text and not spelled(part, "empty", REQUEST):
        return None  # it says nothing, other wires send it beside tool calls, and Anthropic refuses it
    block: JsonObject = {"type": "text", "text": part.text.text}
    if part.text.citations:
        block["citations"] = [lower_citation(citation) for citation in part.text.citations]
    return block


def _lift_thinking(block: JsonObject, part: content_pb2.Part, place: Place) -> None:
    if not isinstance(block.get("thinking"), str):
        place.wrong("thinking", "must be a string")
        raise Untypable
    part.reasoning.SetInParent()
    part.reasoning.text = whole_text(block["thinking"])
    if place.direction == RESPONSE or block.get("signature"):
        part.reasoning.format = REASONING_FORMAT
    if place.direction == REQUEST and not block.get("signature"):
        spell(part, "unsigned", place.direction)


def _lift_redacted(block: JsonObject, part: content_pb2.Part, place: Place) -> None:
    if not isinstance(block.get("data"), str):
        raise Untypable
    part.reasoning.redacted, part.reasoning.format = True, REASONING_FORMAT
    part.reasoning.encrypted = whole_text(block["data"]).encode()


def _lower_reasoning(part: content_pb2.Part, writer: Writer, path: str) -> JsonObject | None:
    reasoning = part.reasoning
    if writer.direction == REQUEST and reasoning.format not in ("", REASONING_FORMAT):
        writer.warn("REASONING_OMITTED", path, f"reasoning in the format {reasoning.format} was left out")
        return None
    if reasoning.redacted or (reasoning.encrypted and not reasoning.text):
        if writer.direction == REQUEST and not reasoning.redacted and not reasoning.format:
            writer.warn("REASONING_OMITTED", path, "reasoning that another provider encrypted was left out")
            return None
        return {"type": "redacted_thinking", "data": word(reasoning.encrypted)}
    if writer.direction == REQUEST and not part.signature and not spelled(part, "unsigned", REQUEST):
        # Anthropic takes only reasoning that it signed itself; what another model thought is not needed to go on.
        writer.warn("REASONING_OMITTED", path, "reasoning without Anthropic's signature was left out")
        return None
    return {"type": "thinking", "thinking": reasoning.text, "signature": word(part.signature)}


def _lift_call(block: JsonObject, part: content_pb2.Part, place: Place) -> None:
    given = block.get("input")
    if not isinstance(given, dict):
        place.wrong("input", "must be an object")
        raise Untypable
    call = part.tool_call
    call.executor = _EXECUTORS[block["type"]]
    if place.direction == REQUEST and call.executor != content_pb2.TOOL_EXECUTOR_CLIENT:
        spell(part, OWN_RUN, REQUEST)
    _CALL.lift(block, call, place)
    call.arguments_json = text_of(given)
    namespace = block.get(_NAMESPACES.get(block["type"], ""))
    if isinstance(namespace, str):
        call.namespace = whole_text(namespace)
    _lift_caller(block, call)


def _lower_call(part: content_pb2.Part, writer: Writer, path: str) -> JsonObject | None:
    call = part.tool_call
    kind = _CALLS[call.executor]
    if is_foreign_run(part, call.call_id, writer):
        writer.warn("NOT_SENT", path, f"the call of '{call.name}', which another provider ran, was left out")
        return None
    if kind == "mcp_tool_use":
        writer.use("mcp-client-2025-11-20")
    foreign = kind == "server_tool_use" and writer.direction == RESPONSE
    block: JsonObject = {
        "type": kind,
        "id": valid_id(call.call_id, writer),
        "name": _SERVER_TOOLS.get(call.name, call.name) if foreign else call.name,
        "input": arguments(call),
    }
    if call.namespace and kind in _NAMESPACES:
        block[_NAMESPACES[kind]] = call.namespace
    return _lower_caller(call, block)


def _lift_caller(block: JsonObject, target: content_pb2.ToolCall | content_pb2.ToolResult) -> None:
    caller = object_at(block, "caller")
    if isinstance(caller.get("type"), str):
        target.caller_type = whole_text(caller["type"])
        if isinstance(caller.get("tool_id"), str):
            target.caller_call_id = whole_text(caller["tool_id"])


def _lower_caller(source: content_pb2.ToolCall | content_pb2.ToolResult, block: JsonObject) -> JsonObject:
    if source.caller_type:
        block["caller"] = {"type": source.caller_type}
        if source.caller_call_id:
            block["caller"]["tool_id"] = source.caller_call_id
    return block


def _lift_result(block: JsonObject, part: content_pb2.Part, place: Place) -> None:
    lift_result(block, part, place, BLOCK_CODEC)
    _lift_caller(block, part.tool_result)


def _lower_result(part: content_pb2.Part, writer: Writer, path: str) -> JsonObject | None:
    block = lower_result(part, writer, path, BLOCK_CODEC)
    if block is not None:
        block["tool_use_id"] = valid_id(block["tool_use_id"], writer)
        _lower_caller(part.tool_result, block)
    return block


def _lift_media(block: JsonObject, part: content_pb2.Part, place: Place) -> None:
    lift_media(block, part, place, lambda content, here: lift_content(content, part, here, BLOCK_CODEC))


def _lower_media(part: content_pb2.Part, writer: Writer, path: str) -> JsonObject | None:
    def lower_parts(parts: content_pb2.PartList, writer: Writer, path: str) -> Json:
        return lower_content(parts.parts, part, writer, f"{path}.media.parts.parts", BLOCK_CODEC, text=False)

    return lower_media(part, writer, path, lower_parts)


def _lift_upload(block: JsonObject, part: content_pb2.Part, place: Place) -> None:
    if not isinstance(block.get("file_id"), str):
        raise Untypable
    part.media.file_id, part.media.for_container = whole_text(block["file_id"]), True


def _lift_search(block: JsonObject, part: content_pb2.Part, place: Place) -> None:
    part.search_result.SetInParent()
    _SEARCH.lift(block, part.search_result, place)
    inner = place.at("content")
    for number, item in enumerate(objects(block.get("content"))):
        part.search_result.content.append(BLOCK_CODEC.lift(item, inner.at(number)))
    enabled = object_at(block, "citations").get("enabled")
    if isinstance(enabled, bool):
        part.search_result.citations_enabled = enabled


def _lower_search(part: content_pb2.Part, writer: Writer, path: str) -> JsonObject:
    found = part.search_result
    block = _SEARCH.lower(found, {"type": "search_result", "source": "", "title": ""})
    path = f"{path}.search_result.content"
    block["content"] = lower_content(found.content, part, writer, path, BLOCK_CODEC, text=False)
    if found.HasField("citations_enabled"):
        block["citations"] = {"enabled": found.citations_enabled}
    return block


def _lift_compaction(block: JsonObject, part: content_pb2.Part, place: Place) -> None:
    part.compaction.SetInParent()
    _COMPACTION.lift(block, part.compaction, place)
    lift_cache(block, part)


def _lower_compaction(part: content_pb2.Part, writer: Writer, path: str) -> JsonObject:
    block = _COMPACTION.lower(part.compaction, {"type": "compaction", "content": None})
    if part.signature:
        block["signature"] = word(part.signature)
    return block


def _lift_reference(block: JsonObject, part: content_pb2.Part, place: Place) -> None:
    if not isinstance(block.get("tool_name"), str):
        raise Untypable
    part.tool_reference.name = whole_text(block["tool_name"])


def _lower_opaque(part: content_pb2.Part, writer: Writer, path: str) -> JsonObject | None:
    if part.opaque.wire != WIRE:
        writer.unsupported(path, f"is a '{part.opaque.type}' of {part.opaque.wire}, which no other wire can say")
        return None
    value = loads(part.opaque.data)
    return value if isinstance(value, dict) else {"type": part.opaque.type}


def _lower_foreign(part: content_pb2.Part, writer: Writer, path: str) -> None:
    kind = part.WhichOneof("kind")
    if kind in OF_SERVERS:
        writer.warn("NOT_SENT", path, f"a {kind} of an MCP server is for the provider alone that asked it; left out")
    else:
        writer.unsupported(path, f"a {kind} belongs to another wire; leave it out")


def _lower_as_text(part: content_pb2.Part, writer: Writer, path: str) -> JsonObject:
    """What a code run or a file editor of another provider printed, which here can only be told."""
    if part.HasField("file_result"):
        return {"type": "text", "text": part.file_result.content or "\n".join(part.file_result.lines)}
    return {"type": "text", "text": part.code_result.stdout + part.code_result.stderr}


_LIFT: Mapping[str, Lift] = {
    "text": _lift_text,
    "thinking": _lift_thinking,
    "redacted_thinking": _lift_redacted,
    **dict.fromkeys(_EXECUTORS, _lift_call),
    **dict.fromkeys(BLOCKS, _lift_result),
    "image": _lift_media,
    "document": _lift_media,
    "container_upload": _lift_upload,
    "search_result": _lift_search,
    "compaction": _lift_compaction,
    "tool_reference": _lift_reference,
}
_LOWER: Mapping[str, Lower] = {
    "text": _lower_text,
    "reasoning": _lower_reasoning,
    "refusal": lambda part, writer, path: {"type": "text", "text": part.refusal},
    "media": _lower_media,
    "tool_call": _lower_call,
    "tool_result": _lower_result,
    "search_result": _lower_search,
    "code_result": _lower_as_text,
    "file_result": _lower_as_text,
    "compaction": _lower_compaction,
    "tool_reference": lambda part, writer, path: {"type": "tool_reference", "tool_name": part.tool_reference.name},
    "opaque": _lower_opaque,
}
