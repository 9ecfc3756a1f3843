"""Messages, in requests and answers: content, a plan, calls of tools, and citations beside them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from antiphon.core.errors import invalid
from antiphon.v1 import content_pb2
from antiphon.wire.cohere_v2.sources import (
    PLAN,
    lift_citation,
    lift_document,
    lower_citation,
    lower_document,
    tells_index,
)
from antiphon.wire.cohere_v2.spelling import TOOL_PLAN, WIRE, reader
from antiphon.wire.fields import Fields, Place, object_at, objects, whole_text
from antiphon.wire.jsontext import Json, JsonObject, dumps, loads, text_of
from antiphon.wire.openai_chat.parts import data_url, read_address
from antiphon.wire.plain_text import OF_SERVERS, as_text, provider_run
from antiphon.wire.scribe import REQUEST, RESPONSE, Scribe

Part = content_pb2.Part
Message = content_pb2.Message

ROLES = {
    "system": content_pb2.ROLE_SYSTEM,
    "developer": content_pb2.ROLE_DEVELOPER,
    "user": content_pb2.ROLE_USER,
    "assistant": content_pb2.ROLE_ASSISTANT,
    "tool": content_pb2.ROLE_TOOL,
}
_WORDS = {role: word for word, role in ROLES.items()} | {content_pb2.ROLE_DEVELOPER: "system"}
_RESULT = Fields(content_pb2.ToolResult, tool_call_id="call_id")
_LIST, _EMPTY, _DEVELOPER, _TYPED = "content_list", "empty", "developer", "call_without_type"


def lift_message(data: JsonObject, place: Place) -> Message:
    """A message. In a request, raises ServiceError INVALID_REQUEST for a role or a content of the wrong kind."""
    scribe = reader(place.direction)
    message = Message(role=_role(data.get("role"), place))
    if message.role == content_pb2.ROLE_DEVELOPER:
        scribe.spell(message, _DEVELOPER)
    if isinstance(data.get("tool_plan"), str) and data["tool_plan"]:
        message.parts.append(plan(data["tool_plan"]))
    content = _lift_content(data.get("content"), message, place, scribe)
    if message.role == content_pb2.ROLE_TOOL:
        result = message.parts.add().tool_result
        result.executor = content_pb2.TOOL_EXECUTOR_CLIENT
        _RESULT.lift(data, result, place)
        result.content.extend(content)
    else:
        message.parts.extend(content)
    message.parts.extend(lift_call(call, place.direction) for call in objects(data.get("tool_calls")))
    for citation in objects(data.get("citations")):
        target = cited(message.parts, citation)
        if target is not None:
            add_citation(target, lift_citation(citation, place.direction))
    scribe.keep(message, _lowered(message, scribe, ""), data)
    return message


def lower_messages(message: Message, scribe: Scribe, path: str) -> list[JsonObject]:
    """The wire's messages of one message: a result of a tool is a message of its own. Documents are left out."""
    results = [part for part in message.parts if part.WhichOneof("kind") == "tool_result" and not provider_run(part)]
    if not results:
        said = [part for part in message.parts if not is_document(part)]
        if message.parts and not said:
            return []
        return [scribe.restore(message, _lowered(message, scribe, path))]
    first, *rest = results
    alone = Message(role=content_pb2.ROLE_TOOL, parts=[first], form=message.form)
    out = [scribe.restore(message, _lowered(alone, scribe, path))]
    out += [_lowered(Message(role=content_pb2.ROLE_TOOL, parts=[part]), scribe, path) for part in rest]
    others = [part for part in message.parts if part.WhichOneof("kind") != "tool_result"]
    if others:
        role = content_pb2.ROLE_USER if message.role == content_pb2.ROLE_TOOL else message.role
        out += lower_messages(Message(role=role, parts=others), scribe, path)
    return out


def lower_answer(message: Message) -> JsonObject:
    """The message of an answer."""
    scribe = reader(RESPONSE)
    return scribe.restore(message, _lowered(message, scribe, "completion.outputs[0]"))


def lift_call(data: JsonObject, direction: str) -> Part:
    """One of the calls of a message."""
    part, scribe = Part(), reader(direction)
    call = part.tool_call
    call.executor = content_pb2.TOOL_EXECUTOR_CLIENT
    if isinstance(data.get("id"), str):
        call.call_id = whole_text(data["id"])
    if data.get("type") is None:
        scribe.spell(part, _TYPED)
    function = object_at(data, "function")
    if isinstance(function.get("name"), str):
        call.name = whole_text(function["name"])
    if isinstance(function.get("arguments"), str):
        call.arguments_json = whole_text(function["arguments"])
    scribe.keep(part, _lowered_call(part, scribe), data)
    return part


def lower_call(part: Part, scribe: Scribe) -> JsonObject:
    """One of the calls of a message."""
    return scribe.restore(part, _lowered_call(part, scribe))


def plan(text: str) -> Part:
    """What the model means to do with its tools."""
    return Part(reasoning=content_pb2.ReasoningPart(text=whole_text(text), format=TOOL_PLAN))


def is_plan(part: Part) -> bool:
    """Whether reasoning is the plan before calls of tools."""
    return part.WhichOneof("kind") == "reasoning" and part.reasoning.format == TOOL_PLAN


def is_document(part: Part) -> bool:
    """Whether a part of a user's message goes beside the messages, as a document."""
    if part.WhichOneof("kind") == "search_result":
        return True
    is_medium = part.WhichOneof("kind") == "media" and part.media.modality == content_pb2.MODALITY_DOCUMENT
    return is_medium and as_text(part) is not None


def cited(parts: Sequence[Part], citation: JsonObject) -> Part | None:
    """The part that a citation is about; None where there is none."""
    if citation.get("type") == PLAN:
        return next((part for part in parts if is_plan(part)), None)
    content = [part for part in parts if _in_content(part)]
    index = citation.get("content_index")
    if type(index) is int:
        found = content[index] if 0 <= index < len(content) else None
        return found if found is not None and found.WhichOneof("kind") in ("text", "reasoning") else None
    return next((part for part in reversed(content) if part.WhichOneof("kind") == "text"), None)


def add_citation(part: Part, citation: content_pb2.Citation) -> None:
    """Attach a citation to text or reasoning."""
    holder = part.text if part.WhichOneof("kind") == "text" else part.reasoning
    holder.citations.append(citation)


def lift_item(item: JsonObject, direction: str) -> Part:
    """One item of a content; one that no field holds is kept whole as Opaque."""
    part, scribe = Part(), reader(direction)
    kind = item.get("type")
    if kind == "text" and isinstance(item.get("text"), str):
        part.text.SetInParent()
        part.text.text = whole_text(item["text"])
        if not item["text"]:
            scribe.spell(part, _EMPTY)
    elif kind == "thinking" and isinstance(item.get("thinking"), str):
        part.reasoning.SetInParent()
        part.reasoning.text = whole_text(item["thinking"])
    elif kind == "image_url" and isinstance(item.get(kind), dict) and isinstance(item[kind].get("url"), str):
        part.media.modality = content_pb2.MODALITY_IMAGE
        read_address(part.media, item[kind]["url"])
        if isinstance(item[kind].get("detail"), str):
            part.media.detail = whole_text(item[kind]["detail"])
    elif kind == "document" and (document := lift_document(item.get("document"), direction)) is not None:
        part.CopyFrom(document)
        return part  # its remainder is that of the document
    else:
        opaque = content_pb2.Opaque(wire=WIRE, media_type="application/json", data=dumps(item))
        opaque.type = whole_text(kind) if isinstance(kind, str) else ""
        return Part(opaque=opaque)
    scribe.keep(part, _lower_item(part, scribe, "") or {}, item)
    return part


def _role(word: Json, place: Place) -> content_pb2.Role.ValueType:
    if word in ROLES:
        return ROLES[word]
    if place.direction == REQUEST:
        raise invalid(place.at("role").path, "must be system, user, assistant or tool")
    return content_pb2.ROLE_ASSISTANT


def _lift_content(content: Json, message: Message, place: Place, scribe: Scribe) -> Iterable[Part]:
    if content is None:
        return []
    if isinstance(content, str):
        part = Part()
        part.text.text = whole_text(content)
        if not content:
            scribe.spell(part, _EMPTY)
        return [part]
    if not isinstance(content, list) or not all(isinstance(item, dict) for item in content):
        place.wrong("content", "must be a string or a list of objects")
        return []
    scribe.spell(message, _LIST)
    return [lift_item(item, place.direction) for item in content]


def _in_content(part: Part) -> bool:
    return part.WhichOneof("kind") not in ("tool_call", "tool_result") and not is_plan(part)


def _lowered(message: Message, scribe: Scribe, path: str) -> JsonObject:
    role = "developer" if scribe.spelled(message, _DEVELOPER) else _WORDS.get(message.role, "user")
    lowered: JsonObject = {"role": role}
    result = next((part.tool_result for part in message.parts if part.WhichOneof("kind") == "tool_result"), None)
    if result is not None and message.role == content_pb2.ROLE_TOOL:
        _RESULT.lower(result, lowered)
        if result.is_error:
            scribe.omit(path, "Cohere cannot say that a tool failed; the content has to tell")
        lowered["content"] = _lower_result(result, message, scribe, path)
        return lowered
    plans = "".join(part.reasoning.text for part in message.parts if is_plan(part))
    if plans:
        lowered["tool_plan"] = plans
    items: list[JsonObject] = []
    citations: list[JsonObject] = []
    calls: list[JsonObject] = []
    last = max((n for n, part in enumerate(message.parts) if part.WhichOneof("kind") == "text"), default=-1)
    for number, part in enumerate(message.parts):
        here = f"{path}.parts[{number}]"
        if part.HasField("cache_breakpoint"):
            scribe.omit(f"{here}.cache_breakpoint", "Cohere finds cached prefixes by itself")
        if scribe.direction == REQUEST and (part.signature or _has_cipher(part)):
            scribe.omit(f"{here}.signature", "Cohere takes no signatures and ciphers; they were left out")
        if provider_run(part):
            scribe.omit(here, "tools that another provider ran cannot be replayed to Cohere; left out")
        elif part.WhichOneof("kind") in OF_SERVERS:
            scribe.omit(here, "what another provider did with an MCP server cannot be replayed to Cohere; left out")
        elif part.WhichOneof("kind") == "tool_call":
            calls.append(lower_call(part, scribe))
        elif is_plan(part):
            citations += [lower_citation(item, scribe, None) for item in part.reasoning.citations]
        elif message.role == content_pb2.ROLE_USER and is_document(part):
            continue
        elif (item := _item(part, scribe, here)) is not None:
            found = part.text.citations if part.HasField("text") else part.reasoning.citations
            plain = number == last
            citations += [
                lower_citation(one, scribe, None if plain and not tells_index(one, scribe) else len(items))
                for one in found
            ]
            items.append(item)
    if items or not (calls or plans):
        lowered["content"] = _content(items, message, scribe)
    if calls:
        lowered["tool_calls"] = calls
    # Citations of other wires' answers are no business of a request.
    if citations and (scribe.direction == RESPONSE or message.form.wire.startswith(WIRE)):
        lowered["citations"] = citations
    return lowered


def _content(items: list[JsonObject], message: Message, scribe: Scribe) -> Json:
    single = len(items) == 1 and items[0].keys() == {"type", "text"}
    if scribe.direction == RESPONSE or scribe.spelled(message, _LIST):
        return items
    return items[0]["text"] if single else items or ""


def _item(part: Part, scribe: Scribe, path: str) -> JsonObject | None:
    lowered = _lower_item(part, scribe, path)
    own = part.WhichOneof("kind") != "search_result"
    return scribe.restore(part, lowered) if lowered is not None and own else lowered


def _lower_item(part: Part, scribe: Scribe, path: str) -> JsonObject | None:
    kind = part.WhichOneof("kind")
    if kind == "text":
        if scribe.direction == REQUEST and not part.text.text and not scribe.spelled(part, _EMPTY):
            return None  # it says nothing; other wires send it beside tool calls
        return {"type": "text", "text": part.text.text}
    if kind == "reasoning":
        if not part.reasoning.text and scribe.direction == REQUEST and not part.form.wire.startswith(WIRE):
            scribe.warn("REASONING_OMITTED", path, "reasoning that another provider encrypted was left out")
            return None
        return {"type": "thinking", "thinking": part.reasoning.text}
    if kind == "search_result":
        return {"type": "document", "document": lower_document(part, scribe)}
    if kind == "opaque" and part.opaque.wire == WIRE:
        value = loads(part.opaque.data)
        return value if isinstance(value, dict) else None
    if kind == "media" and _is_image(part.media):
        detail = {"detail": part.media.detail} if part.media.detail else {}
        return {"type": "image_url", "image_url": {"url": data_url(part.media, "image/png"), **detail}}
    if (text := as_text(part)) is not None:
        return {"type": "text", "text": text} if text else None
    scribe.unsupported(path, f"Cohere takes text, images and documents of text, no {_what(part)}")
    return None


def _lower_result(result: content_pb2.ToolResult, message: Message, scribe: Scribe, path: str) -> Json:
    items = [_item(part, scribe, f"{path}.tool_result") for part in result.content]
    said = [item for item in items if item is not None]
    for item in said:
        if item.get("type") == "image_url":
            scribe.unsupported(path, "Cohere takes text and documents from tools, no images")
    if scribe.spelled(message, _LIST) or len(said) > 1 or any(item.get("type") != "text" for item in said):
        return said
    return said[0]["text"] if said else ""


def _lowered_call(part: Part, scribe: Scribe) -> JsonObject:
    call = part.tool_call
    lowered: JsonObject = {"id": call.call_id}
    if not scribe.spelled(part, _TYPED):
        lowered["type"] = "function"
    text = call.arguments_json if call.WhichOneof("input") != "text" else text_of({"input": call.text})
    lowered["function"] = {"name": call.name, "arguments": text}
    return lowered


def _is_image(media: content_pb2.MediaPart) -> bool:
    is_image = media.modality == content_pb2.MODALITY_IMAGE or media.media_type.startswith("image/")
    return is_image and media.WhichOneof("source") in ("data", "url")


def _has_cipher(part: Part) -> bool:
    return bool(part.reasoning.text and part.reasoning.encrypted)


def _what(part: Part) -> str:
    if part.WhichOneof("kind") == "media":
        return f"{part.media.WhichOneof('source') or 'content'} of {part.media.media_type or 'this medium'}"
    if part.WhichOneof("kind") == "opaque":
        return f"'{part.opaque.type}' of {part.opaque.wire}"
    return part.WhichOneof("kind") or "part without a kind"
