"""The conversation: the system instruction beside the contents, and results of functions as a user's turn.

Results of functions that ran side by side have to stand in one content, as many as there were calls; the contract has
them as messages of their own (ROLE_TOOL). Where a client names no calls, they are named here by their place, and
results find theirs by name and order, for every other format joins them by an identifier.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from antiphon.core.errors import invalid
from antiphon.v1 import chat_pb2, content_pb2
from antiphon.wire.fields import Place
from antiphon.wire.gemini.parts import is_unsigned_here, lift_part, lower_part, name_calls
from antiphon.wire.gemini.writer import REQUEST, Writer
from antiphon.wire.jsontext import Json, JsonObject

SYSTEM = "systemInstruction"
_ROLES: Mapping[str, content_pb2.Role.ValueType] = {
    "user": content_pb2.ROLE_USER,
    "model": content_pb2.ROLE_ASSISTANT,
    "function": content_pb2.ROLE_TOOL,
    "tool": content_pb2.ROLE_TOOL,
}
_WORDS: Mapping[content_pb2.Role.ValueType, str] = {
    content_pb2.ROLE_USER: "user",
    content_pb2.ROLE_TOOL: "user",
    content_pb2.ROLE_ASSISTANT: "model",
}
_OPERATOR = (content_pb2.ROLE_SYSTEM, content_pb2.ROLE_DEVELOPER)
_ROLE = "role:"
SINGLE = "single"
"""An object where a list of one is meant."""
_JOINED, _OWN_TURN, _EMPTY = "joined", "own_turn", "empty"
_PLACE = Place(REQUEST)


def lift_turns(body: JsonObject, spec: chat_pb2.ChatSpec, system: Json) -> None:
    """The system instruction and the contents of a request. Raises ServiceError INVALID_REQUEST."""
    if system is not None:
        if not isinstance(system, dict):
            raise invalid(SYSTEM, "must be an object with parts")
        message = _lift_content(system, _PLACE.at(SYSTEM))
        message.role = content_pb2.ROLE_SYSTEM
        _keep_role(message, system, "")
        spec.messages.append(message)
    contents = body.get("contents")
    if isinstance(contents, dict):
        Writer().spell(spec, SINGLE)
        contents = [contents]
    if not isinstance(contents, list):
        raise invalid("contents", "must be a list of contents")
    for number, content in enumerate(contents):
        place = _PLACE.at("contents").at(number)
        if not isinstance(content, dict):
            raise invalid(place.path, "must be an object with role and parts")
        _lift_turn(content, spec, place)
    _join_results(spec.messages)


def lower_turns(spec: chat_pb2.ChatSpec, body: JsonObject, writer: Writer) -> None:
    """Write the system instruction and the contents of a request."""
    system: list[tuple[int, content_pb2.Message]] = []
    turns: list[JsonObject] = []
    names: dict[str, str] = {}
    before: content_pb2.Message | None = None
    for number, message in enumerate(spec.messages):
        path = f"spec.messages[{number}]"
        if message.name:
            writer.unsupported(f"{path}.name", "Gemini takes no names of participants; say it in the text")
        if message.role in _OPERATOR:
            if turns:
                text = "a system message between others was moved to the front: Gemini has it only there"
                writer.warn("MESSAGE_MOVED", path, text)
            system.append((number, message))
            continue
        if message.role not in _WORDS:
            raise invalid(f"{path}.role", "is not set")
        names.update({part.tool_call.call_id: part.tool_call.name for part in message.parts if part.tool_call.call_id})
        _lower_turn(message, before, turns, names, writer, path)
        before = message
    if system:
        _lower_system(system, body, writer)
    body["contents"] = turns[0] if len(turns) == 1 and writer.spelled(spec, SINGLE) else turns


def lift_parts(content: JsonObject, carrier: content_pb2.Message, place: Place) -> list[content_pb2.Part]:
    """The parts of a content. Raises ServiceError INVALID_REQUEST in a request."""
    read = content.get("parts")
    writer = Writer(direction=place.direction)
    if isinstance(read, dict):
        writer.spell(carrier, SINGLE)
        read = [read]
    if read is None or read == []:
        writer.spell(carrier, _EMPTY)
        return []
    if not _are_parts(read):
        place.wrong("parts", "must be a list of objects")
        return []
    return [lift_part(item, place.at("parts").at(number)) for number, item in enumerate(read)]


def keep_content(carrier: content_pb2.Message, lowered: JsonObject, read: JsonObject, direction: str) -> None:
    """Keep what else a content holds beside its parts, which keep themselves."""
    rest = {key: value for key, value in read.items() if key != "parts" or not _are_parts(value)}
    Writer(direction=direction).keep(carrier, lowered, rest)


def _are_parts(value: Json) -> bool:
    if isinstance(value, dict):
        return True
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)


def _lift_content(content: JsonObject, place: Place) -> content_pb2.Message:
    message = content_pb2.Message()
    message.parts.extend(lift_parts(content, message, place))
    return message


def _keep_role(message: content_pb2.Message, content: JsonObject, usual: str) -> None:
    role = content.get("role")
    if isinstance(role, str) and role and role != usual:
        Writer().spell(message, f"{_ROLE}{role}")
    keep_content(message, _role(message, usual, Writer()), content, REQUEST)


def _role(message: content_pb2.Message, usual: str, writer: Writer) -> JsonObject:
    role = writer.spelling(message, _ROLE) or usual
    return {"role": role} if role else {}


def _lift_turn(content: JsonObject, spec: chat_pb2.ChatSpec, place: Place) -> None:
    role = content.get("role") or "user"
    if not isinstance(role, str) or (role not in _ROLES and role != "system"):
        raise invalid(place.at("role").path, "must be user or model")
    message = _lift_content(content, place)
    message.role = _ROLES.get(role, content_pb2.ROLE_USER)
    number = len(spec.messages)
    if message.role == content_pb2.ROLE_ASSISTANT:
        name_calls(message.parts, f"call-{number}")
    results = next((n for n, part in enumerate(message.parts) if not _is_result(part)), len(message.parts))
    rest: list[content_pb2.Part] = []
    if message.role == content_pb2.ROLE_USER and results:
        message.role = content_pb2.ROLE_TOOL
        if any(map(_is_result, message.parts[results:])):
            message.role = content_pb2.ROLE_USER  # mixed: there is no telling which belongs where
        else:
            rest = list(message.parts[results:])
            del message.parts[results:]
    if _joins(message, spec.messages[-1] if spec.messages else None):
        Writer().spell(message, _OWN_TURN)
    _keep_role(message, content, _WORDS[message.role])
    spec.messages.append(message)
    if rest:
        asked = spec.messages.add(role=content_pb2.ROLE_USER)
        asked.parts.extend(rest)
        Writer().spell(asked, _JOINED)


def _join_results(messages: Iterable[content_pb2.Message]) -> None:
    """Give results that name no call the one that they answer: the oldest open one of the same name."""
    open_calls: list[content_pb2.ToolCall] = []
    for message in messages:
        for part in message.parts:
            if part.HasField("tool_call") and part.tool_call.executor == content_pb2.TOOL_EXECUTOR_CLIENT:
                open_calls.append(part.tool_call)
            elif _is_result(part):
                _answer(part.tool_result, open_calls)


def _answer(result: content_pb2.ToolResult, open_calls: list[content_pb2.ToolCall]) -> None:
    if result.call_id:
        found = next((call for call in open_calls if call.call_id == result.call_id), None)
    else:
        found = next((call for call in open_calls if call.name == result.name), None)
    if found is not None:
        result.call_id = found.call_id
        open_calls.remove(found)


def _lower_turn(
    message: content_pb2.Message,
    before: content_pb2.Message | None,
    turns: list[JsonObject],
    names: Mapping[str, str],
    writer: Writer,
    path: str,
) -> None:
    parts = _lower_parts(message, names, writer, path)
    if not parts and not writer.spelled(message, _EMPTY):
        return  # it says nothing, or what it said was left out and noted; Gemini refuses empty contents
    joined = _joins(message, before) and not writer.spelled(message, _OWN_TURN)
    if (joined or writer.spelled(message, _JOINED)) and turns and turns[-1].get("role") != "model":
        turns[-1]["parts"] = [*_as_list(turns[-1].get("parts")), *parts]
        return
    turn = writer.restore(message, _role(message, _WORDS[message.role], writer))
    if parts:
        turn["parts"] = parts[0] if len(parts) == 1 and writer.spelled(message, SINGLE) else parts
    turns.append(turn)


def _lower_parts(message: content_pb2.Message, names: Mapping[str, str], writer: Writer, path: str) -> list[JsonObject]:
    lowered: list[JsonObject] = []
    unsigned = _lacks_signature(message, writer)
    for number, part in enumerate(message.parts):
        found = lower_part(part, writer, f"{path}.parts[{number}]", names)
        if found is not None and unsigned and "functionCall" in found:
            found["thoughtSignature"] = writer.quirks.foreign_signature
            unsigned = False
        if found is not None:
            lowered.append(found)
    return lowered


def _lacks_signature(message: content_pb2.Message, writer: Writer) -> bool:
    """Whether a model that wants its calls signed is shown those of another one."""
    calls = [part for part in message.parts if part.HasField("tool_call")]
    if not calls or message.role != content_pb2.ROLE_ASSISTANT or not writer.quirks.wants_signature(writer.model):
        return False
    return not any(part.signature or is_unsigned_here(part) for part in calls)


def _lower_system(messages: Sequence[tuple[int, content_pb2.Message]], body: JsonObject, writer: Writer) -> None:
    parts: list[JsonObject] = []
    for number, message in messages:
        parts += _lower_parts(message, {}, writer, f"spec.messages[{number}]")
    _, first = messages[0]
    if not parts and not writer.spelled(first, _EMPTY):
        return
    instruction = writer.restore(first, _role(first, "", writer))
    if parts:
        instruction["parts"] = parts[0] if len(parts) == 1 and writer.spelled(first, SINGLE) else parts
    body[SYSTEM] = instruction


def _is_result(part: content_pb2.Part) -> bool:
    return part.HasField("tool_result") and part.tool_result.executor == content_pb2.TOOL_EXECUTOR_CLIENT


def _joins(message: content_pb2.Message, before: content_pb2.Message | None) -> bool:
    """Whether a message goes into the content of the one before: the results of one round."""
    return before is not None and before.role == content_pb2.ROLE_TOOL and message.role == content_pb2.ROLE_TOOL


def _as_list(parts: Json) -> list[JsonObject]:
    return list(parts) if isinstance(parts, list) else [parts] if isinstance(parts, dict) else []
