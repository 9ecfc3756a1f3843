"""The conversation: the system prompt beside the messages, and tool results as a user's turn.

This wire alternates user and assistant. Results of tools that ran side by side have to stand in one user turn,
before what the user says next; the contract has them as messages of their own (ROLE_TOOL), so turns are split here
when read and joined when written.
"""

from __future__ import annotations

from collections.abc import Iterable

from antiphon.core.errors import invalid
from antiphon.v1 import chat_pb2, content_pb2
from antiphon.wire.anthropic_messages.content import BLOCK_CODEC
from antiphon.wire.anthropic_messages.fields import REQUEST, Place, spell, spelled
from antiphon.wire.anthropic_messages.results import is_bare, lift_content, lower_content
from antiphon.wire.anthropic_messages.writer import Writer
from antiphon.wire.jsontext import Json, JsonObject

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


def lift_turns(body: JsonObject, spec: chat_pb2.ChatSpec, place: Place) -> None:
    """The system prompt and the messages of a request. Raises ServiceError INVALID_REQUEST."""
    system = body.get("system")
    if system is not None and system != []:
        message = spec.messages.add(role=content_pb2.ROLE_SYSTEM)
        message.parts.extend(lift_content(system, message, place.at("system"), BLOCK_CODEC))
    messages = body.get("messages")
    if not isinstance(messages, list):
        raise invalid("messages", "must be a list of messages")
    for number, turn in enumerate(messages):
        here = place.at("messages").at(number)
        if not isinstance(turn, dict) or str(turn.get("role")) not in _ROLES:
            raise invalid(here.path, "must be an object with role user, assistant or system")
        _lift_turn(turn, spec, here)


def lower_turns(spec: chat_pb2.ChatSpec, body: JsonObject, writer: Writer) -> None:
    """Write the system prompt and the messages of a request."""
    system: list[tuple[int, content_pb2.Message]] = []
    turns: list[JsonObject] = []
    before: content_pb2.Message | None = None
    for number, message in enumerate(spec.messages):
        path = f"spec.messages[{number}]"
        if message.name:
            writer.unsupported(f"{path}.name", "Anthropic takes no names of participants; say it in the text")
        if message.role in _OPERATOR and not _is_inline(message, writer):
            if not turns:
                system.append((number, message))
                continue
            if not writer.quirks.inline_system:
                text = "a system message between others was moved to the front: Anthropic has it only there"
                writer.warn("MESSAGE_MOVED", path, text)
                system.append((number, message))
                continue
        if message.role not in _WORDS:
            raise invalid(f"{path}.role", "is not set")
        _lower_turn(message, before, turns, writer, path)
        before = message
    if system and (prompt := _lower_system(system, writer)) is not None:
        body["system"] = prompt
    body["messages"] = turns


def _lift_turn(turn: JsonObject, spec: chat_pb2.ChatSpec, place: Place) -> None:
    role = _ROLES[turn["role"]]
    carrier = content_pb2.Message(role=role)
    if turn.get("content") is None:
        raise invalid(place.at("content").path, "is missing; give a string or a list of blocks")
    parts = lift_content(turn["content"], carrier, place.at("content"), BLOCK_CODEC)
    leading = 0
    if role == content_pb2.ROLE_USER:
        leading = next((n for n, part in enumerate(parts) if not _is_client_result(part)), len(parts))
    before = spec.messages[-1] if spec.messages else None
    split = 0 < leading < len(parts) and not any(_is_client_result(part) for part in parts[leading:])
    if leading and (split or leading == len(parts)):
        carrier.role = content_pb2.ROLE_TOOL
    if role == content_pb2.ROLE_SYSTEM:
        spell(carrier, "inline", REQUEST)
    elif _joins(carrier, before):
        spell(carrier, "own_turn", REQUEST)
    carrier.parts.extend(parts[:leading] if split else parts)
    # The content is kept part by part, so only what else the turn holds is compared.
    Writer().keep(carrier, {"role": turn["role"], "content": 0}, {**turn, "content": 0})
    spec.messages.append(carrier)
    if split:
        spec.messages.add(role=content_pb2.ROLE_USER).parts.extend(parts[leading:])


def _lower_turn(
    message: content_pb2.Message,
    before: content_pb2.Message | None,
    turns: list[JsonObject],
    writer: Writer,
    path: str,
) -> None:
    content = _lower_parts(message, writer, path)
    if content in ("", []) and not spelled(message, "empty", writer.direction):
        return  # it says nothing, or what it said was left out and noted; Anthropic refuses empty turns
    joins = _joins(message, before) and not spelled(message, "own_turn", writer.direction)
    if joins and turns and turns[-1]["role"] == "user":
        turns[-1]["content"] = _as_list(turns[-1]["content"]) + _as_list(content)
        turns[-1] = writer.restore(message, turns[-1]) if message.provider_data else turns[-1]
        return
    turns.append(writer.restore(message, {"role": _WORDS[message.role], "content": content}))


def _lower_parts(message: content_pb2.Message, writer: Writer, path: str) -> Json:
    return lower_content(message.parts, message, writer, f"{path}.parts", BLOCK_CODEC)


def _lower_system(messages: Iterable[tuple[int, content_pb2.Message]], writer: Writer) -> Json:
    blocks: list[JsonObject] = []
    single: list[str] = []
    for number, message in messages:
        path = f"spec.messages[{number}]"
        if spelled(message, "empty", writer.direction):
            return ""
        for place, part in enumerate(message.parts):
            if part.WhichOneof("kind") not in ("text", "opaque"):
                writer.unsupported(f"{path}.parts[{place}]", "Anthropic takes only text in system messages")
                continue
            block = BLOCK_CODEC.lower(part, writer, f"{path}.parts[{place}]")
            if block is not None:
                blocks.append(block)
            if block is not None and is_bare(part) and not spelled(message, "blocks", writer.direction):
                single.append(part.text.text)
    return single[0] if len(blocks) == len(single) == 1 else blocks or None


def _is_inline(message: content_pb2.Message, writer: Writer) -> bool:
    return spelled(message, "inline", writer.direction)


def _is_client_result(part: content_pb2.Part) -> bool:
    return part.HasField("tool_result") and part.tool_result.executor == content_pb2.TOOL_EXECUTOR_CLIENT


def _joins(message: content_pb2.Message, before: content_pb2.Message | None) -> bool:
    """Whether a message goes into the turn of the one before: the results of one round, and what follows them."""
    after_tool = before is not None and before.role == content_pb2.ROLE_TOOL
    return after_tool and message.role in (content_pb2.ROLE_TOOL, content_pb2.ROLE_USER)


def _as_list(content: Json) -> list[JsonObject]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content)
