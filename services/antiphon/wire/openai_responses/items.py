"""Items and messages: input and output are one flat list of items, the contract has messages with parts.

An item that is no message is a part of the message that it stands beside: of the model's, or, for results of the
caller's tools, of a message of role TOOL. A message holds at most one item of type `message`, whose content parts
stand side by side; a second one begins the next message.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from antiphon.core.errors import invalid
from antiphon.v1 import content_pb2
from antiphon.wire.fields import REQUEST, RESPONSE, Fields, Place, objects, whole_text, word
from antiphon.wire.jsontext import Json, JsonObject, loads
from antiphon.wire.openai_responses import content as contents
from antiphon.wire.openai_responses.calls import ROWS, kind_of, lift_call, lower_call
from antiphon.wire.openai_responses.outcomes import OUTCOMES
from antiphon.wire.openai_responses.quirks import WIRE
from antiphon.wire.openai_responses.reasoning import END, continues, groups, lift_reasoning, lower_reasoning
from antiphon.wire.openai_responses.results import KINDS as RESULTS
from antiphon.wire.openai_responses.results import lift_result, lower_result
from antiphon.wire.openai_responses.spelling import spell, spelled
from antiphon.wire.openai_responses.status import lower_status, status_of
from antiphon.wire.openai_responses.writer import Writer, lift_name

Message = content_pb2.Message
Part = content_pb2.Part

MESSAGE, REASONING = "message", "reasoning"
ROLES = {
    "user": content_pb2.ROLE_USER,
    "assistant": content_pb2.ROLE_ASSISTANT,
    "system": content_pb2.ROLE_SYSTEM,
    "developer": content_pb2.ROLE_DEVELOPER,
}
_WORDS = {role: name for name, role in ROLES.items()} | {content_pb2.ROLE_TOOL: "user"}
_LISTED = Fields(
    content_pb2.ListedTool,
    name="name",
    description="description",
    input_schema="parameters_schema_json",
    annotations="annotations_json",
)
_LIST = Fields(content_pb2.ToolListPart, server_label="namespace", error="error_message")
_REQUEST = Fields(content_pb2.ApprovalRequest, server_label="namespace", name="name")
_ANSWER = Fields(
    content_pb2.ApprovalResponse, approval_request_id="approval_request_id", approve="approve", reason="reason"
)
_COMPACTION = Fields(content_pb2.CompactionPart, encrypted_content="encrypted")


_STRING = "string"
"""The content of a message of an answer was a string."""
_WHOLE = f"{contents.ELEMENT}*"
"""Type of an opaque part that is a content as a whole, where that is no list of objects."""


class Turns:
    """Decides to which message an item belongs. Messages are numbered from 0."""

    def __init__(self) -> None:
        self.number = -1
        self._role: content_pb2.Role.ValueType = content_pb2.ROLE_UNSPECIFIED
        self._has_message = False

    def take(self, role: content_pb2.Role.ValueType, *, is_message: bool) -> int:
        """The number of the message that takes the next item."""
        if role != self._role or (is_message and self._has_message):
            self.number += 1
            self._role, self._has_message = role, False
        self._has_message = self._has_message or is_message
        return self.number


def kind(item: JsonObject) -> str:
    """The type of an item; messages and references may leave it out."""
    given = item.get("type")
    if isinstance(given, str):
        return given
    if "role" in item:
        return MESSAGE
    return "item_reference" if set(item) <= {"id", "type"} and isinstance(item.get("id"), str) else ""


def lift_items(items: Iterable[JsonObject], place: Place) -> list[Message]:
    """The messages that a list of items says. Raises ServiceError INVALID_REQUEST."""
    messages: list[Message] = []
    turns = Turns()
    for number, item in enumerate(items):
        here = place.at(number)
        is_message = kind(item) == MESSAGE
        role = _role(item, here)
        if turns.take(role, is_message=is_message) == len(messages):
            messages.append(Message(role=role))
        message = messages[-1]
        if is_message:
            lift_message(item, message, here)
        else:
            parts = lift_item(item, here)
            if message.parts and continues(message.parts[-1], parts[0]):
                spell(message.parts[-1], END, place.direction)
            message.parts.extend(parts)
    return messages


def lift_message(item: JsonObject, message: Message, place: Place) -> None:
    """Add an item of type `message` to its message."""
    role = _WORDS[message.role]
    given = item.get("content")
    lift_about(item, message, place)
    if isinstance(given, str | list):
        if isinstance(given, str) and place.direction == RESPONSE:
            spell(message, _STRING, RESPONSE)
        try:
            message.parts.extend(contents.lift_content(given, place.at("content"), message, role))
        except contents.Untypable:
            message.parts.append(contents.opaque({"content": given}, _WHOLE))
    elif place.direction == REQUEST:
        raise invalid(place.at("content").path, "must be a string or a list of objects")
    else:
        message.parts.extend(contents.lift_content([], place, message, role))


def lift_about(item: JsonObject, message: Message, place: Place) -> None:
    """What an item of type `message` says of its message, beside its content."""
    message.id = lift_name(item, message, place.direction)
    if isinstance(item.get("phase"), str):
        message.phase = whole_text(item["phase"])
    message.status = status_of(item.get("status"))
    writer = Writer(direction=place.direction)
    read = {**item}
    lowered = lower_about(message, writer)
    if isinstance(item.get("content"), str | list):
        lowered["content"] = read["content"] = 0
    writer.keep(message, lowered, read)


def lower_about(message: Message, writer: Writer) -> JsonObject:
    """An item of type `message` without its content and remainder."""
    item: JsonObject = {"type": MESSAGE}
    if name := writer.name(message, message.id, "msg"):
        item["id"] = name
    item["role"] = _WORDS.get(message.role, "assistant")
    item["content"] = []
    if message.phase:
        item["phase"] = message.phase
    status = message.status
    if status == content_pb2.TOOL_STATUS_UNSPECIFIED and writer.direction == RESPONSE:
        status = content_pb2.TOOL_STATUS_COMPLETED
    lower_status(status, item)
    return item


def lift_item(item: JsonObject, place: Place) -> list[Part]:
    """The parts of an item that is no message."""
    name = kind(item)
    if name == REASONING:
        return lift_reasoning(item, place)
    if name in ROWS:
        return lift_call(item, place)
    if name in RESULTS:
        return [lift_result(item, place)]
    lift = _OTHERS.get(name)
    if lift is None:
        return [contents.opaque(item)]
    part = Part()
    part.id = lift_name(item, part, place.direction)
    lift(item, part, place)
    writer = Writer(direction=place.direction)
    writer.keep_item(part, _lower_other(part, writer), item)
    return [part]


def lower_items(messages: Iterable[Message], writer: Writer, path: str, start: int = 0) -> list[Json]:
    """The items of some messages; `path` is that of the messages in the contract, the first of which is `start`."""
    items: list[Json] = []
    for number, message in enumerate(messages, start):
        if message.name:
            writer.unsupported(f"{path}[{number}].name", "this wire takes no names of participants; say it in the text")
        if message.role not in _WORDS:
            raise invalid(f"{path}[{number}].role", "is not set")
        for item in _lower_message(message, writer, f"{path}[{number}].parts"):
            items.append(item)
            writer.items = len(items)
    return items


def _lower_message(message: Message, writer: Writer, path: str) -> Iterable[Json]:
    parts, used, first = list(message.parts), set[int](), True
    for number, part in enumerate(parts):
        own = part.HasField("reasoning") or part.tool_call.provider_type in ROWS
        if part.signature and writer.direction == REQUEST and not own:
            writer.warn("NOT_SENT", f"{path}[{number}].signature", "a signature of another provider was left out")
    number = 0
    while number < len(parts):
        part, start = parts[number], number
        if part.HasField("reasoning"):
            while number + 1 < len(parts) and parts[number + 1].HasField("reasoning"):
                number += 1
            for group in groups(parts[start : number + 1]):
                if (item := lower_reasoning(group, writer, f"{path}[{start}]")) is not None:
                    yield item
        elif is_content(part):
            while number + 1 < len(parts) and is_content(parts[number + 1]):
                number += 1
            yield lower_message(message, parts[start : number + 1], writer, f"{path}[{start}]", first=first)
            first = False
        elif number not in used:
            result = _result_of(parts, number, writer)
            used |= {result} if result is not None else set()
            given = parts[result] if result is not None else None
            if (item := lower_item(part, given, writer, f"{path}[{number}]")) is not None:
                yield item
        number += 1


def lower_message(message: Message, parts: list[Part], writer: Writer, path: str, *, first: bool) -> JsonObject:
    """An item of type `message`. What is known of the message stands on its first one alone."""
    about = message if first else Message(role=message.role)
    item = lower_about(about, writer)
    role = item["role"]
    if len(parts) == 1 and parts[0].HasField("opaque") and parts[0].opaque.type == _WHOLE:
        item["content"] = loads(parts[0].opaque.data)["content"]
    elif _is_short(about, item, writer):
        item["content"] = contents.lower_content(parts, about, writer, path, role)
    else:
        item["content"] = contents.lower_list(parts, writer, path, role)
    return writer.restore(about, item)


def _is_short(message: Message, item: JsonObject, writer: Writer) -> bool:
    """Whether the content may be a string: what has an identifier has a list, and answers have."""
    if writer.direction == RESPONSE:
        return spelled(message, _STRING, RESPONSE)
    return "id" not in item and "status" not in item


def is_content(part: Part) -> bool:
    """Whether a part stands in the content of a message; a part without kind is refused there."""
    name = part.WhichOneof("kind")
    return (
        name is None or name in contents.KINDS or (name == "opaque" and part.opaque.type.startswith(contents.ELEMENT))
    )


def _result_of(parts: list[Part], number: int, writer: Writer) -> int | None:
    """The number of the result part that the item of a call holds."""
    part = parts[number]
    if not part.HasField("tool_call") or kind_of(part, writer) not in OUTCOMES:
        return None
    call_id = part.tool_call.call_id
    for later in range(number + 1, len(parts)):
        if parts[later].HasField("tool_result") and parts[later].tool_result.call_id == call_id:
            return later
    return None


def lower_item(part: Part, result: Part | None, writer: Writer, path: str) -> Json:
    """The item of a part that is neither reasoning nor content; None, and noted, where the wire has none."""
    match part.WhichOneof("kind"):
        case "tool_call":
            return lower_call(part, result, writer, path)
        case "tool_result":
            return lower_result(part, writer, path)
        case "opaque":
            if part.opaque.wire == WIRE:
                return loads(part.opaque.data)
            writer.unsupported(path, f"'{part.opaque.type}' belongs to {part.opaque.wire}; leave it out")
            return None
        case "compaction" if not part.compaction.encrypted:
            text = contents.text_part(part.compaction.text)
            return lower_message(Message(role=content_pb2.ROLE_ASSISTANT), [text], writer, path, first=True)
        case "tool_reference":
            writer.unsupported(path, "stands only in results of a tool search; leave it out")
            return None
    return writer.restore(part, _lower_other(part, writer))


def _lower_other(part: Part, writer: Writer) -> JsonObject:
    name = part.WhichOneof("kind") or ""
    type_, prefix = _TYPES[name]
    item: JsonObject = {"type": type_}
    if own := writer.name(part, part.id, prefix):
        item["id"] = own
    match name:
        case "tool_list":
            _LIST.lower(part.tool_list, item)
            item["tools"] = [_LISTED.lower(tool, {"name": "", "input_schema": {}}) for tool in part.tool_list.tools]
        case "approval_request":
            _REQUEST.lower(part.approval_request, item)
            item["arguments"] = part.approval_request.arguments_json
        case "approval_response":
            item |= _ANSWER.lower(part.approval_response, {"approve": part.approval_response.approve})
        case "compaction":
            item["encrypted_content"] = word(part.compaction.encrypted)
    return item


def _lift_list(item: JsonObject, part: Part, place: Place) -> None:
    part.tool_list.SetInParent()
    _LIST.lift(item, part.tool_list, Place(RESPONSE))
    for tool in objects(item.get("tools")):
        _LISTED.lift(tool, part.tool_list.tools.add(), Place(RESPONSE))


def _lift_approval(item: JsonObject, part: Part, place: Place) -> None:
    part.approval_request.SetInParent()
    _REQUEST.lift(item, part.approval_request, place)
    if isinstance(item.get("arguments"), str):
        part.approval_request.arguments_json = whole_text(item["arguments"])


def _lift_answer(item: JsonObject, part: Part, place: Place) -> None:
    part.approval_response.SetInParent()
    _ANSWER.lift(item, part.approval_response, place)


def _lift_compaction(item: JsonObject, part: Part, place: Place) -> None:
    part.compaction.SetInParent()
    _COMPACTION.lift(item, part.compaction, place)


def _lift_reference(item: JsonObject, part: Part, place: Place) -> None:
    part.stored_item.SetInParent()


_OTHERS: Mapping[str, Callable[[JsonObject, Part, Place], None]] = {
    "mcp_list_tools": _lift_list,
    "mcp_approval_request": _lift_approval,
    "mcp_approval_response": _lift_answer,
    "compaction": _lift_compaction,
    "compaction_summary": _lift_compaction,
    "item_reference": _lift_reference,
}
_TYPES: Mapping[str, tuple[str, str]] = {
    "tool_list": ("mcp_list_tools", "mcpl"),
    "approval_request": ("mcp_approval_request", "mcpr"),
    "approval_response": ("mcp_approval_response", "mcpa"),
    "compaction": ("compaction", "cmp"),
    "stored_item": ("item_reference", "ref"),
}
"""By kind of part: the type of its item, and how identifiers of such begin."""
_BY_USER = frozenset({"mcp_approval_response"})


def _role(item: JsonObject, place: Place) -> content_pb2.Role.ValueType:
    """Who says an item."""
    name = kind(item)
    if name == MESSAGE:
        if place.direction == RESPONSE:
            return ROLES.get(str(item.get("role")), content_pb2.ROLE_ASSISTANT)
        role = item.get("role")
        if not isinstance(role, str) or role not in ROLES:
            raise invalid(place.at("role").path, f"must be one of {', '.join(ROLES)}")
        return ROLES[role]
    if place.direction == RESPONSE:
        return content_pb2.ROLE_ASSISTANT
    if name in RESULTS and name != "program_output":
        return content_pb2.ROLE_TOOL
    return content_pb2.ROLE_USER if name in _BY_USER else content_pb2.ROLE_ASSISTANT
