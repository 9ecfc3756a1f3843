"""Parts of contents, one row a kind."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence

from antiphon.v1 import content_pb2
from antiphon.wire.call_arguments import arguments
from antiphon.wire.fields import Fields, Place, whole_text, word
from antiphon.wire.gemini.media import lift_media, lower_media
from antiphon.wire.gemini.quirks import REASONING_FORMAT, WIRE
from antiphon.wire.gemini.results import (
    CODE,
    CODE_RESULT,
    NO_ID,
    TOOL_RESPONSE,
    has_no_id,
    lift_code_result,
    lift_function_result,
    lift_inner,
    lift_tool_result,
    lower_code_result,
    lower_function_result,
    lower_tool_result,
)
from antiphon.wire.gemini.spelling import plain
from antiphon.wire.gemini.writer import REQUEST, RESPONSE, Writer
from antiphon.wire.jsontext import JsonObject, dumps, loads, text_of
from antiphon.wire.plain_text import as_text

Lift = Callable[[JsonObject, content_pb2.Part, Place], bool]
Lower = Callable[[content_pb2.Part, Writer, str], JsonObject | None]
Names = Mapping[str, str]
"""Names of functions by the identifier of their call."""

_CALL = Fields(content_pb2.ToolCall, name="name")
_ID = Fields(content_pb2.ToolCall, id="call_id")
_TOOL_CALL = Fields(content_pb2.ToolCall, id="call_id", toolType="name")
_UNSIGNED = "unsigned"
_TOOL_TYPE = "toolCall"
_CODE_TYPE = "executableCode"
_CODE_TYPES = frozenset({CODE_RESULT, "code_execution_tool_result", ""})
"""Results of code that can be told to Gemini as its own."""


def lift_part(read: JsonObject, place: Place) -> content_pb2.Part:
    """The part that an object says; one that no field holds is kept whole as Opaque. Raises ServiceError
    INVALID_REQUEST for a part of a request whose known fields have wrong types."""
    value, _ = plain(read)
    part = content_pb2.Part()
    writer = Writer(direction=place.direction)
    kind = next((name for name in _LIFT if name in value), "text" if "thoughtSignature" in value else "")
    if not kind or not _LIFT[kind](value, part, place):
        return _opaque(read, kind)
    signature = value.get("thoughtSignature")
    if isinstance(signature, str):
        part.signature = whole_text(signature).encode()
    elif part.HasField("tool_call"):
        writer.spell(part, _UNSIGNED)
    call = part.tool_call if part.HasField("tool_call") else part.tool_result if part.HasField("tool_result") else None
    if call is not None and not call.call_id:
        writer.spell(part, NO_ID)
    writer.keep(part, _lower(part, writer, "", {}) or {}, read)
    return part


def lower_part(part: content_pb2.Part, writer: Writer, path: str, names: Names) -> JsonObject | None:
    """The object of a part, its remainder included; None, and noted, where the wire has none."""
    lowered = _lower(part, writer, path, names)
    return None if lowered is None else writer.restore(part, lowered)


def name_calls(parts: Sequence[content_pb2.Part], prefix: str, first: int = 0) -> None:
    """Give calls that the provider did not name an identifier, for other formats join results by it. It follows from
    the place of the call, so that a stream and a whole answer give the same."""
    last = ""
    for number, part in enumerate(parts, first):
        if part.HasField("tool_call"):
            last = part.tool_call.call_id = part.tool_call.call_id or f"{prefix}-{number}"
        elif part.HasField("tool_result") and part.tool_result.executor == content_pb2.TOOL_EXECUTOR_PROVIDER:
            part.tool_result.call_id = part.tool_result.call_id or last


def is_unsigned_here(part: content_pb2.Part) -> bool:
    """Whether Gemini itself made a call without a signature, as it does with all but the first of a step."""
    return part.form.wire.startswith(f"{WIRE}/") and _UNSIGNED in part.form.spellings


def _lower(part: content_pb2.Part, writer: Writer, path: str, names: Names) -> JsonObject | None:
    kind = part.WhichOneof("kind")
    if kind is None:
        writer.unsupported(path, "has no kind; set text, media, ...")
        return None
    if kind == "tool_result":
        lowered = _lower_result(part, writer, path, names)
    elif kind in _LOWER:
        lowered = _LOWER[kind](part, writer, path)
    else:
        lowered = _lower_as_text(part, writer, path)
    if part.HasField("cache_breakpoint") and writer.direction == REQUEST:
        writer.omit(f"{path}.cache_breakpoint", "Gemini finds cached prefixes by itself")
    if lowered is not None and part.signature and kind != "opaque":
        lowered["thoughtSignature"] = _base64(part.signature) if writer.direction == RESPONSE else word(part.signature)
    return lowered


def _base64(signature: bytes) -> str:
    """A signature as clients of this wire read it, who unpack it. Those of other providers may be any text."""
    text = word(signature)
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return base64.b64encode(signature).decode()
    return text


def _opaque(read: JsonObject, kind: str) -> content_pb2.Part:
    part = content_pb2.Part()
    part.opaque.wire = WIRE
    part.opaque.type = kind or whole_text(next(iter(read), ""))
    part.opaque.media_type, part.opaque.data = "application/json", dumps(read)
    return part


def _lift_text(value: JsonObject, part: content_pb2.Part, place: Place) -> bool:
    text = value.get("text", "")
    if not isinstance(text, str):
        place.wrong("text", "must be a string")
        return False
    if value.get("thought") is True:
        part.reasoning.text = whole_text(text)
        part.reasoning.summary = True
        part.reasoning.format = REASONING_FORMAT
    else:
        part.text.SetInParent()
        part.text.text = whole_text(text)
        if not text and place.direction == REQUEST:
            Writer().spell(part, "empty")
    return True


def _lower_text(part: content_pb2.Part, writer: Writer, path: str) -> JsonObject | None:
    empty = not part.text.text and not part.signature and not writer.spelled(part, "empty")
    if empty and writer.direction == REQUEST:
        return None  # it says nothing; other wires send it beside tool calls
    return {"text": part.text.text}


def _lower_reasoning(part: content_pb2.Part, writer: Writer, path: str) -> JsonObject | None:
    if writer.direction == REQUEST and part.reasoning.format != REASONING_FORMAT:
        writer.omit(path, "reasoning of another model was left out: Gemini goes on from its own alone")
        return None
    return {"text": part.reasoning.text, "thought": True}


def _lift_call(value: JsonObject, part: content_pb2.Part, place: Place) -> bool:
    read = value["functionCall"]
    given = read.get("args") if isinstance(read, dict) else 0
    if given is not None and not isinstance(given, dict):
        place.at("functionCall").wrong("args", "must be an object")
        return False
    call, inner = part.tool_call, place.at("functionCall")
    call.executor = content_pb2.TOOL_EXECUTOR_CLIENT
    _CALL.lift(read, call, inner)
    _ID.lift(read, call, inner)
    call.arguments_json = text_of(given or {})
    return True


def _lower_call(part: content_pb2.Part, writer: Writer, path: str) -> JsonObject | None:
    call = part.tool_call
    if call.executor == content_pb2.TOOL_EXECUTOR_MCP:
        writer.omit(path, "a call that another provider made at an MCP server was left out")
        return None
    if call.executor == content_pb2.TOOL_EXECUTOR_PROVIDER:
        return _lower_own_call(part, writer, path)
    lowered = _CALL.lower(call, {"args": arguments(call)})
    if not writer.spelled(part, NO_ID):
        _ID.lower(call, lowered)
    return {"functionCall": lowered}


def _lower_own_call(part: content_pb2.Part, writer: Writer, path: str) -> JsonObject | None:
    """A call of a tool that the provider ran."""
    call = part.tool_call
    given = arguments(call)
    if call.provider_type == _TOOL_TYPE:
        lowered = _TOOL_CALL.lower(call, {"args": given})
        if has_no_id(part):
            lowered.pop("id", None)
        return {_TOOL_TYPE: lowered}
    if call.name == CODE and isinstance(given.get("code"), str):
        code: JsonObject = {"language": "PYTHON", "code": given["code"]}
        code |= {key: value for key, value in given.items() if key == "language"}
        if call.provider_type == _CODE_TYPE and not has_no_id(part):
            _ID.lower(call, code)
        return {_CODE_TYPE: code}
    writer.omit(path, f"the call of '{call.name}', which another provider ran, was left out")
    return None


def _lift_code(value: JsonObject, part: content_pb2.Part, place: Place) -> bool:
    read = value[_CODE_TYPE]
    if not isinstance(read, dict) or not isinstance(read.get("code"), str):
        return False
    call = part.tool_call
    call.executor, call.name, call.provider_type = content_pb2.TOOL_EXECUTOR_PROVIDER, CODE, _CODE_TYPE
    _ID.lift(read, call, place)
    call.arguments_json = text_of({key: item for key, item in read.items() if key in ("language", "code")})
    return True


def _lift_own_call(value: JsonObject, part: content_pb2.Part, place: Place) -> bool:
    read = value[_TOOL_TYPE]
    if not isinstance(read, dict) or not isinstance(read.get("args", {}), dict):
        return False
    call = part.tool_call
    call.executor, call.provider_type = content_pb2.TOOL_EXECUTOR_PROVIDER, _TOOL_TYPE
    _TOOL_CALL.lift(read, call, place)
    call.arguments_json = text_of(read.get("args", {}))
    return True


def _lower_result(part: content_pb2.Part, writer: Writer, path: str, names: Names) -> JsonObject | None:
    result = part.tool_result
    if result.executor in (content_pb2.TOOL_EXECUTOR_UNSPECIFIED, content_pb2.TOOL_EXECUTOR_CLIENT):
        name = names.get(result.call_id, "")
        if not result.name and not name and path:
            text = "has no name of a function, and no call before it has its call_id; set one of them"
            writer.unsupported(f"{path}.tool_result.name", text)
        return lower_function_result(part, name, writer, path)
    if result.provider_type == TOOL_RESPONSE:
        return lower_tool_result(part)
    if result.executor == content_pb2.TOOL_EXECUTOR_PROVIDER and result.provider_type in _CODE_TYPES:
        return lower_code_result(part)
    writer.omit(path, f"a result of '{result.name or result.provider_type}', which another provider ran, was left out")
    return None


def _lower_media(part: content_pb2.Part, writer: Writer, path: str) -> JsonObject | None:
    return lower_media(part, writer, path)


def _lower_opaque(part: content_pb2.Part, writer: Writer, path: str) -> JsonObject | None:
    if part.opaque.wire != WIRE:
        writer.omit(path, f"a '{part.opaque.type}' of {part.opaque.wire}, which no other format can say, was left out")
        return None
    value = loads(part.opaque.data)
    return value if isinstance(value, dict) else None


def _lower_as_text(part: content_pb2.Part, writer: Writer, path: str) -> JsonObject | None:
    text = as_text(part)
    if text is None:
        writer.omit(path, f"Gemini knows nothing like a {part.WhichOneof('kind')}; it was left out")
        return None
    return {"text": text}


def _inner(key: str, lift: Lift) -> Lift:
    """`lift` of the object at `key`."""

    def lifted(value: JsonObject, part: content_pb2.Part, place: Place) -> bool:
        return isinstance(value[key], dict) and lift(value[key], part, place.at(key))

    return lifted


def _lift_function_result(value: JsonObject, part: content_pb2.Part, place: Place) -> bool:
    return lift_function_result(value, part, place, lift_inner)


_LIFT: Mapping[str, Lift] = {
    "functionCall": _lift_call,
    "functionResponse": _inner("functionResponse", _lift_function_result),
    "inlineData": lift_media,
    "fileData": lift_media,
    _CODE_TYPE: _lift_code,
    CODE_RESULT: _inner(CODE_RESULT, lift_code_result),
    _TOOL_TYPE: _lift_own_call,
    TOOL_RESPONSE: _inner(TOOL_RESPONSE, lift_tool_result),
    "text": _lift_text,
}
_LOWER: Mapping[str, Lower] = {
    "text": _lower_text,
    "reasoning": _lower_reasoning,
    "media": _lower_media,
    "tool_call": _lower_call,
    "opaque": _lower_opaque,
}
