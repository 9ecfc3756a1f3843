"""Content blocks and the parts of a message, one row a kind. A block is an object with one key, its kind."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping
from typing import TypeGuard

from antiphon.core.errors import invalid
from antiphon.v1 import content_pb2
from antiphon.wire.bedrock_converse.citations import lift_citation, lower_citation
from antiphon.wire.bedrock_converse.media import KINDS, Untypable, lift_media, lower_media
from antiphon.wire.bedrock_converse.results import lift_result, lower_result
from antiphon.wire.bedrock_converse.spelling import WIRE, reader
from antiphon.wire.call_arguments import arguments
from antiphon.wire.durations import seconds, ttl_word
from antiphon.wire.fields import Fields, Place, object_at, objects, whole_text, word
from antiphon.wire.jsontext import Json, JsonObject, dumps, loads, text_of
from antiphon.wire.plain_text import OF_SERVERS, as_text
from antiphon.wire.scribe import REQUEST, Scribe

Lift = Callable[[Json, content_pb2.Part, Place, Scribe], None]
Lower = Callable[[content_pb2.Part, Scribe, str], JsonObject | None]

CACHE_POINT = "cachePoint"
SERVER = "server_tool_use"
REASONING_FORMAT = "anthropic-claude-v1"
"""Of the models here, Claude alone signs its reasoning; its signatures serve at Anthropic too, and the other way."""
_CLIENT = "tool_use"
_CALL = Fields(content_pb2.ToolCall, toolUseId="call_id", name="name")
_SEARCH = Fields(content_pb2.SearchResult, source="source", title="title")
_EMPTY, _CITED, _TYPE, _ARGUMENTS, _UNSIGNED = "empty", "citations", "type", "input_value", "unsigned"


class Blocks:
    """The codec of blocks. Has no state."""

    def lift(self, block: JsonObject, place: Place) -> content_pb2.Part:
        """The part that a block says; one that no field holds is kept whole as Opaque."""
        part = content_pb2.Part()
        scribe = reader(place.direction)
        kind = next((key for key in block if key in _LIFT), None)
        if kind is None:
            return _opaque(block)
        try:
            _LIFT[kind](block[kind], part, place.at(kind), scribe)
        except Untypable:
            return _opaque(block)
        scribe.keep(part, self._lower(part, scribe, "") or {}, block)
        return part

    def lower(self, part: content_pb2.Part, scribe: Scribe, path: str) -> JsonObject | None:
        """The block of a part, its remainder included; None, and noted, where the wire has none."""
        block = self._lower(part, scribe, path)
        return None if block is None else scribe.restore(part, block)

    def _lower(self, part: content_pb2.Part, scribe: Scribe, path: str) -> JsonObject | None:
        kind = part.WhichOneof("kind")
        if kind is None:
            scribe.unsupported(path, "has no kind; set text, media, ...")
            return None
        if part.HasField("guard_mark"):
            return _lower_guarded(part, scribe, path)
        lower = _LOWER.get(kind)
        if kind in OF_SERVERS:
            scribe.omit(path, f"a {kind} of an MCP server is for the provider alone that asked it; left out")
            return None
        if lower is None:
            scribe.unsupported(path, f"a {kind} belongs to another wire; leave it out")
            return None
        if part.signature and kind != "reasoning" and scribe.direction == REQUEST:
            scribe.omit(f"{path}.signature", "a signature that another provider made was left out")
        return lower(part, scribe, path)


BLOCK_CODEC = Blocks()


def lift_content(content: Json, place: Place) -> list[content_pb2.Part]:
    """The parts of a list of blocks; a cache point marks the part before it. Raises ServiceError INVALID_REQUEST."""
    if not isinstance(content, list) or not all(isinstance(item, dict) for item in content):
        if place.direction == REQUEST:
            raise invalid(place.path, "must be a list of content blocks")
        return []
    parts: list[content_pb2.Part] = []
    for number, block in enumerate(content):
        point = block.get(CACHE_POINT)
        if parts and len(block) == 1 and is_plain_point(point) and not parts[-1].HasField("cache_breakpoint"):
            lift_point(point, parts[-1].cache_breakpoint)
        else:
            parts.append(BLOCK_CODEC.lift(block, place.at(number)))
    return parts


def lower_content(parts: Iterable[content_pb2.Part], scribe: Scribe, path: str) -> list[JsonObject]:
    """The blocks of parts, with a cache point after each that has a breakpoint."""
    blocks: list[JsonObject] = []
    for number, part in enumerate(parts):
        block = BLOCK_CODEC.lower(part, scribe, f"{path}[{number}]")
        if block is not None:
            blocks.append(block)
            if part.HasField("cache_breakpoint"):
                blocks.append(lower_point(part.cache_breakpoint))
    return blocks


def is_plain_point(point: Json) -> TypeGuard[JsonObject]:
    """Whether a cache point says no more than a breakpoint can."""
    if not isinstance(point, dict) or point.get("type") != "default" or not point.keys() <= {"type", "ttl"}:
        return False
    ttl = point.get("ttl")
    return ttl is None or (isinstance(ttl, str) and (size := seconds(ttl)) is not None and ttl_word(size) == ttl)


def lift_point(point: JsonObject, target: content_pb2.CacheBreakpoint) -> None:
    """Set a breakpoint from a plain cache point."""
    target.SetInParent()
    if isinstance(point.get("ttl"), str):
        target.ttl.seconds = seconds(point["ttl"]) or 0


def lower_point(mark: content_pb2.CacheBreakpoint) -> JsonObject:
    """The cache point of a breakpoint."""
    point = {"type": "default"}
    if mark.HasField("ttl"):
        point["ttl"] = ttl_word(mark.ttl.seconds)
    return {CACHE_POINT: point}


def _opaque(block: JsonObject) -> content_pb2.Part:
    kind = whole_text(next(iter(block), ""))
    opaque = content_pb2.Opaque(wire=WIRE, type=kind, media_type="application/json", data=dumps(block))
    return content_pb2.Part(opaque=opaque)


def _object(value: Json) -> JsonObject:
    if not isinstance(value, dict):
        raise Untypable
    return value


def _lift_text(value: Json, part: content_pb2.Part, place: Place, scribe: Scribe) -> None:
    if not isinstance(value, str):
        raise Untypable
    part.text.SetInParent()
    part.text.text = whole_text(value)
    if not value.strip():
        scribe.spell(part, _EMPTY)


def _lower_text(part: content_pb2.Part, scribe: Scribe, path: str) -> JsonObject | None:
    text = part.text
    if text.citations or scribe.spelled(part, _CITED):
        cited = {"citations": [lower_citation(citation, scribe) for citation in text.citations]}
        return {"citationsContent": {"content": [{"text": text.text}], **cited}}
    if scribe.direction == REQUEST and not text.text.strip() and not scribe.spelled(part, _EMPTY):
        return None  # it says nothing, other wires send it beside tool calls, and Bedrock refuses blank text
    return {"text": text.text}


def _lift_cited(value: Json, part: content_pb2.Part, place: Place, scribe: Scribe) -> None:
    data = _object(value)
    texts: list[Json] = [item.get("text") for item in objects(data.get("content"))]
    if not all(isinstance(text, str) for text in texts):
        raise Untypable
    part.text.SetInParent()
    part.text.text = whole_text("".join(texts))
    for citation in objects(data.get("citations")):
        part.text.citations.append(lift_citation(citation, place.direction))
    if not part.text.citations:
        scribe.spell(part, _CITED)


def _lift_reasoning(value: Json, part: content_pb2.Part, place: Place, scribe: Scribe) -> None:
    data = _object(value)
    if isinstance(data.get("redactedContent"), str):
        try:
            part.reasoning.encrypted = base64.b64decode(data["redactedContent"], validate=True)
        except (binascii.Error, ValueError) as error:
            raise Untypable from error
        part.reasoning.redacted = True
        return
    said = _object(data.get("reasoningText"))
    if not isinstance(said.get("text"), str):
        raise Untypable
    part.reasoning.SetInParent()
    part.reasoning.text = whole_text(said["text"])
    if isinstance(said.get("signature"), str):
        part.signature = whole_text(said["signature"]).encode()
    else:
        mark_unsigned(part, scribe)


def mark_unsigned(part: content_pb2.Part, scribe: Scribe) -> None:
    """Note that reasoning of this provider came without a signature: some of its models do not sign."""
    scribe.spell(part, _UNSIGNED)


def _lower_reasoning(part: content_pb2.Part, scribe: Scribe, path: str) -> JsonObject | None:
    reasoning = part.reasoning
    if scribe.direction == REQUEST and reasoning.format not in ("", REASONING_FORMAT):
        scribe.warn("REASONING_OMITTED", path, f"reasoning in the format {reasoning.format} was left out")
        return None
    if reasoning.redacted or (reasoning.encrypted and not reasoning.text):
        if scribe.direction == REQUEST and not reasoning.redacted:
            scribe.warn("REASONING_OMITTED", path, "reasoning that another provider encrypted was left out")
            return None
        return {"reasoningContent": {"redactedContent": base64.b64encode(reasoning.encrypted).decode()}}
    own = part.form.wire.startswith(WIRE)
    if scribe.direction == REQUEST and not part.signature and not own:
        # What a model of another provider thought is not needed to go on.
        scribe.warn("REASONING_OMITTED", path, "reasoning without a signature was left out")
        return None
    said: JsonObject = {"text": reasoning.text}
    if part.signature:
        said["signature"] = word(part.signature)
    return {"reasoningContent": {"reasoningText": said}}


def _lift_call(value: Json, part: content_pb2.Part, place: Place, scribe: Scribe) -> None:
    data = _object(value)
    call = part.tool_call
    _CALL.lift(data, call, place)
    given, kind = data.get("input"), data.get("type")
    call.executor = content_pb2.TOOL_EXECUTOR_PROVIDER if kind == SERVER else content_pb2.TOOL_EXECUTOR_CLIENT
    if kind == _CLIENT:
        scribe.spell(part, _TYPE)
    if "input" in data:
        call.arguments_json = text_of(given)
    if not isinstance(given, dict):
        scribe.spell(part, _ARGUMENTS)


def _lower_call(part: content_pb2.Part, scribe: Scribe, path: str) -> JsonObject | None:
    call = part.tool_call
    if call.executor == content_pb2.TOOL_EXECUTOR_MCP:
        scribe.omit(path, "a tool that another provider ran on an MCP server cannot be replayed; left out")
        return None
    data: JsonObject = {"toolUseId": call.call_id, "name": call.name, "input": _input(part, scribe)}
    if call.executor == content_pb2.TOOL_EXECUTOR_PROVIDER:
        data["type"] = SERVER
    elif scribe.spelled(part, _TYPE):
        data["type"] = _CLIENT
    return {"toolUse": data}


def _input(part: content_pb2.Part, scribe: Scribe) -> Json:
    if scribe.spelled(part, _ARGUMENTS) and part.tool_call.arguments_json:
        try:
            return loads(part.tool_call.arguments_json)
        except ValueError:
            return part.tool_call.arguments_json
    return arguments(part.tool_call)


def _lift_result(value: Json, part: content_pb2.Part, place: Place, scribe: Scribe) -> None:
    lift_result(_object(value), part, place, lift_content)


def _lower_result(part: content_pb2.Part, scribe: Scribe, path: str) -> JsonObject | None:
    return lower_result(part, scribe, path, lower_content)


def _lift_search(value: Json, part: content_pb2.Part, place: Place, scribe: Scribe) -> None:
    data = _object(value)
    part.search_result.SetInParent()
    _SEARCH.lift(data, part.search_result, place)
    part.search_result.content.extend(lift_content(data.get("content", []), place.at("content")))
    enabled = object_at(data, "citations").get("enabled")
    if isinstance(enabled, bool):
        part.search_result.citations_enabled = enabled


def _lower_search(part: content_pb2.Part, scribe: Scribe, path: str) -> JsonObject:
    found = part.search_result
    data = _SEARCH.lower(found, {"source": "", "title": ""})
    data["content"] = lower_content(found.content, scribe, f"{path}.search_result.content")
    if found.HasField("citations_enabled"):
        data["citations"] = {"enabled": found.citations_enabled}
    return {"searchResult": data}


def _lift_guarded(value: Json, part: content_pb2.Part, place: Place, scribe: Scribe) -> None:
    data = _object(value)
    if isinstance(data.get("text"), dict) and isinstance(data["text"].get("text"), str):
        part.text.SetInParent()
        part.text.text = whole_text(data["text"]["text"])
        given = data["text"].get("qualifiers")
        if isinstance(given, list) and all(isinstance(item, str) for item in given):
            part.guard_mark.qualifiers.extend(map(whole_text, given))
    elif isinstance(data.get("image"), dict):
        lift_media("image", data["image"], part, place.at("image"), scribe)
    else:
        raise Untypable
    part.guard_mark.SetInParent()


def _lower_guarded(part: content_pb2.Part, scribe: Scribe, path: str) -> JsonObject | None:
    if part.HasField("media"):
        return {"guardContent": block} if (block := lower_media(part, scribe, path)) is not None else None
    said: JsonObject = {"text": as_text(part) or ""}
    if part.guard_mark.qualifiers:
        said["qualifiers"] = list(part.guard_mark.qualifiers)
    return {"guardContent": {"text": said}}


def _lift_medium(kind: str) -> Lift:
    def lift(value: Json, part: content_pb2.Part, place: Place, scribe: Scribe) -> None:
        lift_media(kind, _object(value), part, place, scribe)

    return lift


def _lower_opaque(part: content_pb2.Part, scribe: Scribe, path: str) -> JsonObject | None:
    if part.opaque.wire != WIRE:
        scribe.unsupported(path, f"is a '{part.opaque.type}' of {part.opaque.wire}, which no other wire can say")
        return None
    value = loads(part.opaque.data)
    return value if isinstance(value, dict) else None


def _lower_as_text(part: content_pb2.Part, scribe: Scribe, path: str) -> JsonObject | None:
    text = as_text(part)
    if text is None:
        scribe.unsupported(path, f"Bedrock cannot say a {part.WhichOneof('kind')}")
        return None
    return {"text": text} if text else None


_LIFT: Mapping[str, Lift] = {
    "text": _lift_text,
    "citationsContent": _lift_cited,
    "reasoningContent": _lift_reasoning,
    "toolUse": _lift_call,
    "toolResult": _lift_result,
    "searchResult": _lift_search,
    "guardContent": _lift_guarded,
    **{kind: _lift_medium(kind) for kind in KINDS},
}
_LOWER: Mapping[str, Lower] = {
    "text": _lower_text,
    "reasoning": _lower_reasoning,
    "refusal": _lower_as_text,
    "media": lower_media,
    "tool_call": _lower_call,
    "tool_result": _lower_result,
    "search_result": _lower_search,
    "code_result": _lower_as_text,
    "file_result": _lower_as_text,
    "compaction": _lower_as_text,
    "tool_reference": _lower_as_text,
    "opaque": _lower_opaque,
}
