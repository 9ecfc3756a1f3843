"""Messages in both directions: roles, content, reasoning, calls, results, audio, citations."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator
from typing import Any

from antiphon.core.errors import invalid
from antiphon.v1 import content_pb2
from antiphon.wire.jsontext import JsonObject, fits, objects, word
from antiphon.wire.openai_chat import calls, citations, reasoning
from antiphon.wire.openai_chat.gaps import Gaps
from antiphon.wire.openai_chat.parts import lift_part, lower_part
from antiphon.wire.openai_chat.quirks import WIRE, Quirks
from antiphon.wire.openai_chat.spelling import REQUEST, RESPONSE, spell, spelled
from antiphon.wire.plain_text import OF_SERVERS, as_text
from antiphon.wire.remainder import keep, restore

Message = content_pb2.Message
Part = content_pb2.Part

ROLES: dict[str, content_pb2.Role.ValueType] = {
    "system": content_pb2.ROLE_SYSTEM,
    "developer": content_pb2.ROLE_DEVELOPER,
    "user": content_pb2.ROLE_USER,
    "assistant": content_pb2.ROLE_ASSISTANT,
    "tool": content_pb2.ROLE_TOOL,
    "function": content_pb2.ROLE_TOOL,  # before 2023-11
}
_ROLE_NAMES = {role: name for name, role in ROLES.items() if name != "function"}

_PLAIN_ROLES = (content_pb2.ROLE_SYSTEM, content_pb2.ROLE_USER, content_pb2.ROLE_ASSISTANT)

IN_CONTENT = "in_content"
"""A reasoning or refusal part that stands in the content list (Mistral) instead of a field of its own."""
CONTENT_LIST = "content_list"
"""One text written as a list of one text part."""
TOOL_NAME = "tool_name"
"""The result of a tool names its function (Mistral, Google); others refuse that, and the call names it anyway."""
FUNCTION_CALL = "function_call"
FUNCTION_ROLE = "function"
ANNOTATIONS = "annotations"
_AS_TEXT = frozenset({"search_result", "code_result", "file_result", "compaction", "tool_reference", "stored_item"})
"""Kinds of part that this wire can say as plain text at best."""
IMAGES = "images"
"""Images of an answer in a field of their own (OpenRouter)."""


def lift_message(data: JsonObject, direction: str, path: str) -> Message:
    """One message. `path` is its field, for errors. Raises ServiceError INVALID_REQUEST for an unknown role."""
    message = Message()
    role = word(data.get("role"))
    if direction == RESPONSE and role not in ROLES:
        role = "assistant"
    if role not in ROLES:
        raise invalid(f"{path}.role", f"{role!r} is no role; use one of {', '.join(ROLES)}")
    message.role = ROLES[role]
    if role == FUNCTION_ROLE:
        spell(message, direction, FUNCTION_ROLE)
    if message.role == content_pb2.ROLE_TOOL:
        _lift_result(message, data, direction)
    else:
        _lift_turn(message, data, direction)
    keep(message, WIRE, direction, _lowered(message, message.parts, direction, Quirks(), path, Gaps()), data)
    return message


def lower_messages(message: Message, direction: str, quirks: Quirks, path: str, gaps: Gaps) -> list[JsonObject]:
    """A message as one object, or as several where it holds results of several tools. Raises ServiceError."""
    text = _text_alone(message)
    if text is not None:
        return [{"role": _ROLE_NAMES[message.role], "content": text}]
    return lower_any(message, direction, quirks, path, gaps)


def lower_any(message: Message, direction: str, quirks: Quirks, path: str, gaps: Gaps) -> list[JsonObject]:
    """As `lower_messages`, whatever the message holds."""
    refused = quirks.refuses if direction == REQUEST else frozenset()
    sayable = list(said_parts(message.parts, path, gaps, refused))
    if "messages.cache_control" in refused and any(part.HasField("cache_breakpoint") for part in sayable):
        gaps.drops(f"{path}.parts.cache_breakpoint", "this provider takes no breakpoints; the answer is the same")
    if message.parts and not sayable and direction == REQUEST:
        return []
    results: list[Part] = []
    rest: list[Part] = []
    for part in sayable:
        answers = part.WhichOneof("kind") == "tool_result" and not calls.provider_run(part)
        (results if answers else rest).append(part)
    whole = len(results) + bool(rest) <= 1
    if whole:
        lowered = _lowered(message, sayable, direction, quirks, path, gaps)
        return [restore(message, WIRE, direction, lowered)]
    answer = Message(role=content_pb2.ROLE_TOOL)
    turn = Message(role=content_pb2.ROLE_USER if message.role == content_pb2.ROLE_TOOL else message.role)
    objects = [_lowered(answer, [result], direction, quirks, path, gaps) for result in results]
    if rest:
        objects.append(_lowered(turn, rest, direction, quirks, path, gaps))
    return objects


def _text_alone(message: Message) -> str | None:
    """The text of a message that is a role and a text and nothing else: most are, and every quirk leaves them alone.

    Anything else that a message said would make it larger, so its size tells, and no field need be asked for.
    """
    parts = message.parts
    if len(parts) != 1 or message.role not in _PLAIN_ROLES:
        return None
    text = parts[0].text.text
    size = len(text) if text.isascii() else len(text.encode())
    for _ in range(3):  # the text in its part, that in the list of parts, and that in the message
        size += 2 + (size.bit_length() - 1) // 7
    return text if text and message.ByteSize() == size + 2 else None


def said_parts(parts: Iterable[Part], path: str, gaps: Gaps, refused: frozenset[str] = frozenset()) -> Iterator[Part]:
    """The parts that this wire can say, some as plain text; the others are noted."""
    for number, part in enumerate(parts):
        kind = part.WhichOneof("kind")
        here = f"{path}.parts[{number}]"
        if kind in ("tool_call", "tool_result") and "tools" in refused:
            gaps.lacks(here, "this provider takes no tools, and nothing of their calls")
        elif kind == "media" and "messages.file" in refused and part.media.modality == content_pb2.MODALITY_DOCUMENT:
            gaps.lacks(here, "this provider takes no documents; send their text")
        elif kind in OF_SERVERS:
            gaps.drops(here, f"a {kind} of an MCP server is for the provider alone that asked it; it was left out")
        elif kind == "opaque" and part.opaque.wire != WIRE:
            gaps.lacks(here, f"is a '{part.opaque.type}' of {part.opaque.wire}, which no other wire can say")
        elif kind in _AS_TEXT:
            text = as_text(part)
            if text is None:
                gaps.lacks(here, f"a {kind} has no place in OpenAI's chat format; leave it out or send it as text")
            elif text:
                yield Part(text=content_pb2.TextPart(text=text))
        else:
            yield part


def _lift_turn(message: Message, data: JsonObject, direction: str) -> None:
    message.name = word(data.get("name"))
    reasoning.lift_reasoning(message, data, direction)
    _lift_content(message.parts, message, data.get("content"), direction)
    if isinstance(data.get("refusal"), str) and data["refusal"]:
        message.parts.add().refusal = data["refusal"]
    for image in objects(data.get(IMAGES)):
        part = lift_part(image, direction)
        spell(part, direction, IMAGES)
        message.parts.append(part)
    if isinstance(data.get("audio"), dict) and data["audio"].get("id"):
        message.parts.append(_lift_audio(data["audio"]))
    citations.lift_annotations(message, data.get(ANNOTATIONS), direction)
    message.parts.extend(calls.lift_executed(data.get("executed_tools"), direction))
    tool_calls = data.get("tool_calls")
    if isinstance(tool_calls, list) and all(isinstance(call, dict) for call in tool_calls):
        message.parts.extend(calls.lift_call(call, index, direction) for index, call in enumerate(tool_calls))
    elif isinstance(data.get(FUNCTION_CALL), dict) and data[FUNCTION_CALL].get("name"):
        part = message.parts.add()
        calls.lift_function(part, data[FUNCTION_CALL], direction)
        spell(message, direction, FUNCTION_CALL)


def _lift_content(parts: Any, holder: Message, content: Any, direction: str) -> None:
    if isinstance(content, str):
        # The empty text of an answer with calls says nothing, and other providers refuse empty text parts.
        if content or holder.role != content_pb2.ROLE_ASSISTANT:
            parts.add().text.text = content
    elif isinstance(content, list):
        spell(holder, direction, CONTENT_LIST)
        for item in content:
            part = lift_part(item, direction)
            if part.WhichOneof("kind") in ("reasoning", "refusal"):
                spell(part, direction, IN_CONTENT)
            parts.append(part)


def _lift_result(message: Message, data: JsonObject, direction: str) -> None:
    result = message.parts.add().tool_result
    result.call_id, result.name = word(data.get("tool_call_id")), word(data.get("name"))
    if result.name:
        spell(message, direction, TOOL_NAME)
    if data.get("content") != "":
        _lift_content(result.content, message, data.get("content"), direction)


def _lift_audio(audio: JsonObject) -> Part:
    part = Part(id=word(audio["id"]))
    part.media.modality = content_pb2.MODALITY_AUDIO
    if isinstance(audio.get("data"), str):
        try:
            part.media.data = base64.b64decode(audio["data"], validate=True)
        except (binascii.Error, ValueError):
            part.media.data = b""
    part.media.transcript = word(audio.get("transcript"))
    if fits(audio.get("expires_at"), 36):
        part.media.expire_time.seconds = audio["expires_at"]
    return part


def _lowered(
    message: Message, parts: Iterable[Part], direction: str, quirks: Quirks, path: str, gaps: Gaps
) -> JsonObject:
    if message.role == content_pb2.ROLE_TOOL:
        return _lowered_result(message, parts, direction, quirks, path, gaps)
    role = message.role
    data: JsonObject = {"role": _ROLE_NAMES.get(role, "user")}
    if role == content_pb2.ROLE_DEVELOPER and quirks.developer_role:
        data["role"] = quirks.developer_role
    if message.name:
        if "messages.name" in quirks.refuses:
            gaps.lacks(f"{path}.name", "this provider takes no names of participants")
        else:
            data["name"] = message.name
    sorted_parts = _Sorted(parts)
    data |= _lowered_reasoning(message, sorted_parts.reasoning, direction, quirks, path, gaps)
    data["content"] = _lowered_content(message, sorted_parts.content, direction, quirks, path)
    if direction == REQUEST and any(part.signature for part in sorted_parts.content):
        gaps.drops(f"{path}.parts", "signatures of texts go to the provider that wrote them alone; they were left out")
    if sorted_parts.refusals:
        data["refusal"] = "".join(part.refusal for part in sorted_parts.refusals)
    if sorted_parts.images:
        data[IMAGES] = [lower_part(part, direction, path) for part in sorted_parts.images]
    if sorted_parts.audio:
        data["audio"] = _lowered_audio(sorted_parts.audio[0], direction)
    annotations = citations.lower_annotations(message, sorted_parts.content, direction)
    if annotations and direction == REQUEST and quirks.provider and not quirks.annotations:
        gaps.drops(f"{path}.parts", "documents that another provider parsed were left out")
    elif annotations:
        data[ANNOTATIONS] = annotations
    _lower_calls(data, message, sorted_parts, direction, quirks, path, gaps)
    return data


class _Sorted:
    """Parts by the field that says them; the order among fields is lost, for the wire has none."""

    def __init__(self, parts: Iterable[Part]) -> None:
        self.reasoning: list[Part] = []
        self.content: list[Part] = []
        self.refusals: list[Part] = []
        self.images: list[Part] = []
        self.audio: list[Part] = []
        self.executed: list[Part] = []
        self.calls: list[Part] = []
        for part in parts:
            self._place(part).append(part)

    def _place(self, part: Part) -> list[Part]:
        kind = part.WhichOneof("kind")
        if calls.provider_run(part):
            return self.executed
        if spelled(part, IMAGES):
            return self.images
        if kind == "media" and part.id and part.media.modality == content_pb2.MODALITY_AUDIO:
            return self.audio
        if spelled(part, IN_CONTENT):
            return self.content
        return {"reasoning": self.reasoning, "refusal": self.refusals, "tool_call": self.calls}.get(
            kind or "", self.content
        )


def _lowered_reasoning(
    message: Message, given: list[Part], direction: str, quirks: Quirks, path: str, gaps: Gaps
) -> JsonObject:
    parts = given
    field = quirks.reasoning_field if direction == REQUEST else None
    if field == "":
        if parts:
            gaps.drops(f"{path}.parts", "this provider takes no reasoning of earlier answers; it was left out")
        return {}
    if field == "content":
        return {}
    if direction == REQUEST and quirks.provider:
        parts = [_readable(part) for part in parts if part.reasoning.text or not _is_foreign_cipher(part)]
        if any(map(_is_foreign_cipher, given)):
            gaps.drops(f"{path}.parts", "reasoning that a provider of another format encrypted was left out")
    lowered = reasoning.lower_reasoning(message, parts, direction, field)
    ciphers = any(part.signature or part.reasoning.encrypted for part in parts)
    if direction == REQUEST and ciphers and reasoning.DETAILS not in lowered:
        gaps.drops(f"{path}.parts", "this provider takes reasoning as text alone; signatures and ciphers were left out")
    return lowered


def _is_foreign_cipher(part: Part) -> bool:
    """Whether nobody knows who can read what is encrypted: this format names that, and takes Anthropic's else."""
    return bool(part.reasoning.encrypted) and not part.reasoning.redacted and not part.reasoning.format


def _readable(part: Part) -> Part:
    """Reasoning without a cipher that nobody could read."""
    if not _is_foreign_cipher(part):
        return part
    readable = Part()
    readable.CopyFrom(part)
    readable.reasoning.ClearField("encrypted")
    return readable


def _lowered_content(message: Message, parts: list[Part], direction: str, quirks: Quirks, path: str) -> Any:
    texts = [part for part in parts if part.WhichOneof("kind") in ("text", None)]
    plain = len(texts) == len(parts) and not any(_marked(part, quirks) for part in parts)
    if plain and not spelled(message, CONTENT_LIST):
        if len(parts) == 1:
            return parts[0].text.text
        if not parts:
            return None if message.role == content_pb2.ROLE_ASSISTANT else ""
        if direction == RESPONSE:  # clients read a text here
            return "".join(part.text.text for part in parts)
    items = [lower_part(part, direction, path) for part in parts]
    if quirks.document_field:
        items = [_document(item, quirks.document_field) for item in items]
    for item in items:
        if isinstance(item, dict) and "messages.cache_control" in quirks.refuses:
            item.pop("cache_control", None)
    return items


def _document(item: Any, field: str) -> Any:
    """A file of a content list under the name that a provider has for documents."""
    file = item.get("file") if isinstance(item, dict) and item.get("type") == "file" else None
    if not isinstance(file, dict) or "file_data" not in file:
        return item
    name = {"document_name": file["filename"]} if "filename" in file else {}
    return {"type": field, field: file["file_data"], **name}


def _marked(part: Part, quirks: Quirks) -> bool:
    """Whether a text part says more than a text can."""
    cached = part.HasField("cache_breakpoint") and "messages.cache_control" not in quirks.refuses
    return cached or WIRE in part.provider_data


def _lowered_audio(part: Part, direction: str) -> JsonObject:
    if direction == REQUEST and not part.media.data:
        return {"id": part.id}
    if direction == REQUEST:  # an answer that is replayed: the provider still has it
        return {"id": part.id}
    audio: JsonObject = {"id": part.id, "data": base64.b64encode(part.media.data).decode()}
    if part.media.HasField("expire_time"):
        audio["expires_at"] = part.media.expire_time.seconds
    audio["transcript"] = part.media.transcript
    return audio


def _lower_calls(
    data: JsonObject, message: Message, parts: _Sorted, direction: str, quirks: Quirks, path: str, gaps: Gaps
) -> None:
    if parts.executed and direction == RESPONSE:
        data["executed_tools"] = calls.lower_executed(parts.executed, direction)
    elif parts.executed:
        gaps.drops(f"{path}.parts", "tools that another provider ran cannot be replayed here; they were left out")
    unsigned = direction == REQUEST and bool(quirks.provider) and not quirks.signed_calls
    if len(parts.calls) == 1 and spelled(message, FUNCTION_CALL):
        data[FUNCTION_CALL] = calls.lower_function(parts.calls[0])
    elif parts.calls:
        data["tool_calls"] = [calls.lower_call(part, index, direction) for index, part in enumerate(parts.calls)]
        if unsigned:
            for call in data["tool_calls"]:
                call.pop(calls.SIGNED, None)
    signed = any(calls.SIGNED in call for call in data.get("tool_calls", ()))
    if direction == REQUEST and not signed and any(part.signature for part in parts.calls):
        gaps.drops(f"{path}.parts", "signatures of calls go to the provider that made them alone; left out")


def _lowered_result(
    message: Message, parts: Iterable[Part], direction: str, quirks: Quirks, path: str, gaps: Gaps
) -> JsonObject:
    data: JsonObject = {"role": "tool", "content": ""}
    for part in parts:
        result = part.tool_result
        if spelled(message, FUNCTION_ROLE):
            data["role"] = FUNCTION_ROLE
        else:
            data["tool_call_id"] = result.call_id
        if result.name and (spelled(message, TOOL_NAME) or spelled(message, FUNCTION_ROLE)):
            data["name"] = result.name
        if result.is_error:
            gaps.drops(f"{path}.parts", "this wire cannot say that a tool failed; the content has to tell")
        content = list(said_parts(result.content, f"{path}.parts.tool_result", gaps))
        data["content"] = _lowered_content(message, content, direction, quirks, path)
    return data
