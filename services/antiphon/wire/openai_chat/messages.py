"""Messages in both directions: roles, content, reasoning, calls, results, audio, citations."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import Any

from antiphon.core.errors import invalid
from antiphon.v1 import content_pb2
from antiphon.wire.jsontext import JsonObject, fits, objects, word
from antiphon.wire.openai_chat import calls, citations, reasoning
from antiphon.wire.openai_chat.gaps import Gaps
from antiphon.wire.openai_chat.parts import lift_part, lower_part
from antiphon.wire.openai_chat.quirks import WIRE, Quirks
from antiphon.wire.openai_chat.spelling import REQUEST, RESPONSE, spell, spelled
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

IN_CONTENT = "in_content"
"""A reasoning or refusal part that stands in the content list (Mistral) instead of a field of its own."""
CONTENT_LIST = "content_list"
"""One text written as a list of one text part."""
FUNCTION_CALL = "function_call"
FUNCTION_ROLE = "function"
ANNOTATIONS = "annotations"
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
    results: list[Part] = []
    rest: list[Part] = []
    for part in message.parts:
        answers = part.WhichOneof("kind") == "tool_result" and not calls.provider_run(part)
        (results if answers else rest).append(part)
    whole = len(results) + bool(rest) <= 1
    if whole:
        lowered = _lowered(message, message.parts, direction, quirks, path, gaps)
        return [restore(message, WIRE, direction, lowered)]
    answer = Message(role=content_pb2.ROLE_TOOL)
    turn = Message(role=content_pb2.ROLE_USER if message.role == content_pb2.ROLE_TOOL else message.role)
    objects = [_lowered(answer, [result], direction, quirks, path, gaps) for result in results]
    if rest:
        objects.append(_lowered(turn, rest, direction, quirks, path, gaps))
    return objects


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
    if sorted_parts.refusals:
        data["refusal"] = "".join(part.refusal for part in sorted_parts.refusals)
    if sorted_parts.images:
        data[IMAGES] = [lower_part(part, direction, path) for part in sorted_parts.images]
    if sorted_parts.audio:
        data["audio"] = _lowered_audio(sorted_parts.audio[0], direction)
    annotations = citations.lower_annotations(message, sorted_parts.content, direction)
    if annotations:
        data[ANNOTATIONS] = annotations
    _lower_calls(data, message, sorted_parts, direction, path, gaps)
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
    message: Message, parts: list[Part], direction: str, quirks: Quirks, path: str, gaps: Gaps
) -> JsonObject:
    field = quirks.reasoning_field if direction == REQUEST else None
    if field == "":
        if parts:
            gaps.drops(f"{path}.parts", "this provider takes no reasoning of earlier answers; it was left out")
        return {}
    if field == "content":
        return {}
    return reasoning.lower_reasoning(message, parts, direction, field)


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
    if "messages.cache_control" in quirks.refuses:  # a hint: without it nothing changes but the price
        for item in items:
            if isinstance(item, dict):
                item.pop("cache_control", None)
    return items


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


def _lower_calls(data: JsonObject, message: Message, parts: _Sorted, direction: str, path: str, gaps: Gaps) -> None:
    if parts.executed and direction == RESPONSE:
        data["executed_tools"] = calls.lower_executed(parts.executed, direction)
    elif parts.executed:
        gaps.drops(f"{path}.parts", "tools that another provider ran cannot be replayed here; they were left out")
    if len(parts.calls) == 1 and spelled(message, FUNCTION_CALL):
        data[FUNCTION_CALL] = calls.lower_function(parts.calls[0])
    elif parts.calls:
        data["tool_calls"] = [calls.lower_call(part, index, direction) for index, part in enumerate(parts.calls)]


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
        if result.name and ("messages.name" not in quirks.refuses):
            data["name"] = result.name
        if result.is_error:
            gaps.drops(f"{path}.parts", "this wire cannot say that a tool failed; the content has to tell")
        content = [inner for item in result.content for inner in _searched(item)]
        data["content"] = _lowered_content(message, content, direction, quirks, path)
    return data


def _searched(part: Part) -> list[Part]:
    """A search result, which this wire has no part for, as its text with its source."""
    if part.WhichOneof("kind") != "search_result":
        return [part]
    found = part.search_result
    text = "\n".join([found.title, found.source, *(item.text.text for item in found.content)])
    return [Part(text=content_pb2.TextPart(text=text))]
