"""The conversation: the system prompt beside the messages, and results of tools as a user's turn.

The wire alternates user and assistant. The contract has results of tools as messages of their own (ROLE_TOOL), so
turns are split here when read, and neighbours that speak for the same side are joined when written.
"""

from __future__ import annotations

from antiphon.core.errors import invalid
from antiphon.v1 import chat_pb2, content_pb2
from antiphon.wire.bedrock_converse.blocks import lift_content, lower_content
from antiphon.wire.bedrock_converse.spelling import reader
from antiphon.wire.fields import Place
from antiphon.wire.jsontext import Json, JsonObject
from antiphon.wire.scribe import REQUEST, Scribe

_ROLES = {
    "user": content_pb2.ROLE_USER,
    "assistant": content_pb2.ROLE_ASSISTANT,
    "system": content_pb2.ROLE_SYSTEM,
}
_OPERATOR = (content_pb2.ROLE_SYSTEM, content_pb2.ROLE_DEVELOPER)
_WORDS = {
    content_pb2.ROLE_USER: "user",
    content_pb2.ROLE_TOOL: "user",
    content_pb2.ROLE_ASSISTANT: "assistant",
    content_pb2.ROLE_SYSTEM: "system",
    content_pb2.ROLE_DEVELOPER: "system",
}
_INLINE, _OWN_TURN, _EMPTY = "inline", "own_turn", "empty"
_IN_SYSTEM = ("text", "guardContent", "cachePoint")


def lift_turns(body: JsonObject, spec: chat_pb2.ChatSpec, place: Place) -> None:
    """The system prompt and the messages of a request. Raises ServiceError INVALID_REQUEST."""
    system = body.get("system")
    if system:
        parts = lift_content(system, place.at("system"))
        spec.messages.add(role=content_pb2.ROLE_SYSTEM).parts.extend(parts)
    messages = body.get("messages")
    if messages is not None and not isinstance(messages, list):
        raise invalid("messages", "must be a list of messages")
    before = ""
    for number, turn in enumerate(messages or ()):
        here = place.at("messages").at(number)
        if not isinstance(turn, dict) or str(turn.get("role")) not in _ROLES:
            raise invalid(here.path, "must be an object with role user, assistant or system")
        _lift_turn(turn, before, spec, here)
        before = turn["role"]


def lower_turns(spec: chat_pb2.ChatSpec, body: JsonObject, scribe: Scribe) -> None:
    """Write the system prompt and the messages of a request."""
    system: list[JsonObject] = []
    turns: list[JsonObject] = []
    for number, message in enumerate(spec.messages):
        path = f"spec.messages[{number}]"
        if message.role not in _WORDS:
            raise invalid(f"{path}.role", "is not set")
        if message.name:
            scribe.unsupported(f"{path}.name", "Bedrock takes no names of participants; say it in the text")
        blocks = lower_content(message.parts, scribe, f"{path}.parts")
        if message.role in _OPERATOR and not scribe.spelled(message, _INLINE):
            if turns:
                scribe.warn("MESSAGE_MOVED", path, "a system message between others was moved to the front")
            system += _for_system(blocks, scribe, path)
        else:
            _lower_turn(message, blocks, turns, scribe)
    if system:
        body["system"] = system
    body["messages"] = turns


def _lift_turn(turn: JsonObject, before: str, spec: chat_pb2.ChatSpec, place: Place) -> None:
    role, scribe = _ROLES[turn["role"]], reader(REQUEST)
    carrier = content_pb2.Message(role=role)
    parts = lift_content(turn.get("content"), place.at("content"))
    if not parts:
        scribe.spell(carrier, _EMPTY)
    if role == content_pb2.ROLE_SYSTEM:
        scribe.spell(carrier, _INLINE)
    if before == turn["role"]:
        scribe.spell(carrier, _OWN_TURN)
    leading = 0
    if role == content_pb2.ROLE_USER:
        leading = next((n for n, part in enumerate(parts) if not part.HasField("tool_result")), len(parts))
    split = 0 < leading < len(parts) and not any(part.HasField("tool_result") for part in parts[leading:])
    if leading and (split or leading == len(parts)):
        carrier.role = content_pb2.ROLE_TOOL
    carrier.parts.extend(parts[:leading] if split else parts)
    # The content is kept part by part, so only what else the turn holds is compared.
    scribe.keep(carrier, {"role": turn["role"], "content": 0}, {**turn, "content": 0})
    spec.messages.append(carrier)
    if split:
        spec.messages.add(role=content_pb2.ROLE_USER).parts.extend(parts[leading:])


def _lower_turn(
    message: content_pb2.Message, blocks: list[JsonObject], turns: list[JsonObject], scribe: Scribe
) -> None:
    if not blocks and not scribe.spelled(message, _EMPTY):
        return  # it says nothing, or what it said was left out and noted; Bedrock refuses empty turns
    role = _WORDS[message.role]
    if turns and turns[-1]["role"] == role and not scribe.spelled(message, _OWN_TURN):
        turns[-1]["content"] += blocks
    else:
        turns.append(scribe.restore(message, {"role": role, "content": blocks}))


def _for_system(blocks: list[JsonObject], scribe: Scribe, path: str) -> list[Json]:
    fitting = [block for block in blocks if any(key in block for key in _IN_SYSTEM)]
    if len(fitting) < len(blocks):
        scribe.unsupported(f"{path}.parts", "Bedrock takes only text in system messages")
    return fitting
