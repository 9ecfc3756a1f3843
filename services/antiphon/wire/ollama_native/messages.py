"""Messages, in requests and answers: one text with images, thinking and tool calls as fields beside it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Sequence

from antiphon.core.errors import invalid
from antiphon.v1 import content_pb2
from antiphon.wire.call_arguments import arguments
from antiphon.wire.fields import Fields, Place, objects, whole_text
from antiphon.wire.jsontext import Json, JsonObject, text_of
from antiphon.wire.ollama_native.spelling import reader
from antiphon.wire.plain_text import OF_SERVERS, as_text, provider_run
from antiphon.wire.scribe import REQUEST, Scribe

ROLES = {
    "system": content_pb2.ROLE_SYSTEM,
    "user": content_pb2.ROLE_USER,
    "assistant": content_pb2.ROLE_ASSISTANT,
    "tool": content_pb2.ROLE_TOOL,
}
_WORDS = {role: word for word, role in ROLES.items()} | {content_pb2.ROLE_DEVELOPER: "system"}
_RESULT = Fields(content_pb2.ToolResult, tool_name="name", tool_call_id="call_id")
_MAGIC = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif", b"RIFF": "image/webp"}

_INDEX, _TYPE, _TEXT = "index", "type", "arguments_text"


def lift_message(data: JsonObject, place: Place) -> content_pb2.Message:
    """A message. In a request, raises ServiceError INVALID_REQUEST for a role or a content of the wrong kind."""
    message = content_pb2.Message(role=_role(data.get("role"), place))
    if isinstance(data.get("thinking"), str) and data["thinking"]:
        message.parts.add().reasoning.text = whole_text(data["thinking"])
    content = data.get("content")
    if content is not None and not isinstance(content, str):
        place.wrong("content", "must be a string")
        content = None
    holder = message.parts
    if message.role == content_pb2.ROLE_TOOL:
        result = message.parts.add().tool_result
        result.executor = content_pb2.TOOL_EXECUTOR_CLIENT
        _RESULT.lift(data, result, place)
        holder = result.content
    if content:
        holder.add().text.text = whole_text(content)
    holder.extend(_lift_images(data.get("images")))
    calls = objects(data.get("tool_calls"))
    message.parts.extend(lift_call(call, number, place) for number, call in enumerate(calls))
    scribe = reader(place.direction)
    lowered = _lowered(message, scribe, "")
    same = {"tool_calls": 0} if calls else {}  # each call keeps its own remainder
    scribe.keep(message, {**lowered, **same}, {**data, **same})
    return message


def lower_messages(message: content_pb2.Message, scribe: Scribe, path: str) -> list[JsonObject]:
    """The wire's messages of one message: a result of a tool is a message of its own."""
    if message.name:
        scribe.unsupported(f"{path}.name", "Ollama takes no names of participants; say it in the text")
    results = [part for part in message.parts if part.WhichOneof("kind") == "tool_result" and not provider_run(part)]
    if not results:
        return [scribe.restore(message, _lowered(message, scribe, path))]
    out: list[JsonObject] = []
    for part in results:
        alone = content_pb2.Message(role=content_pb2.ROLE_TOOL, parts=[part])
        out.append(_lowered(alone, scribe, path))
    out[0] = scribe.restore(message, out[0])
    rest = [part for part in message.parts if part.WhichOneof("kind") != "tool_result"]
    if rest:
        role = content_pb2.ROLE_USER if message.role == content_pb2.ROLE_TOOL else message.role
        out.append(_lowered(content_pb2.Message(role=role, parts=rest), scribe, path))
    return out


def lower_answer(message: content_pb2.Message, scribe: Scribe) -> JsonObject:
    """The message of an answer."""
    return scribe.restore(message, _lowered(message, scribe, "completion.outputs[0]"))


def lift_call(data: JsonObject, number: int, place: Place) -> content_pb2.Part:
    """One of the calls of a message; `number` counts them."""
    part = content_pb2.Part()
    call = part.tool_call
    scribe = reader(place.direction)
    function = data.get("function")
    if not isinstance(function, dict):
        function = {}
    call.executor = content_pb2.TOOL_EXECUTOR_CLIENT
    if isinstance(data.get("id"), str):
        call.call_id = whole_text(data["id"])
    if isinstance(function.get("name"), str):
        call.name = whole_text(function["name"])
    given = function.get("arguments")
    if isinstance(given, str):
        call.arguments_json = whole_text(given)
        scribe.spell(part, _TEXT)
    else:
        call.arguments_json = text_of(given if isinstance(given, dict) else {})
    if function.get("index") == number and type(function.get("index")) is int:
        scribe.spell(part, _INDEX)
    if data.get("type") == "function":
        scribe.spell(part, _TYPE)
    scribe.keep(part, _lowered_call(part, number, scribe), data)
    return part


def lower_call(part: content_pb2.Part, number: int, scribe: Scribe) -> JsonObject:
    """One of the calls of a message."""
    return scribe.restore(part, _lowered_call(part, number, scribe))


def is_client_call(part: content_pb2.Part) -> bool:
    """Whether a part is a call that the client has to run."""
    return part.WhichOneof("kind") == "tool_call" and not provider_run(part)


def media_type(data: bytes) -> str:
    """The media type of an image by its first bytes: this wire does not say it, and others ask for it."""
    return next((kind for magic, kind in _MAGIC.items() if data.startswith(magic)), "")


def lift_image(text: Json) -> content_pb2.Part | None:
    """An image of a message; None where it is no base64."""
    if not isinstance(text, str):
        return None
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    kind = media_type(data)
    media = content_pb2.MediaPart(data=data, media_type=kind, modality=content_pb2.MODALITY_IMAGE)
    return content_pb2.Part(media=media)


def _role(word: Json, place: Place) -> content_pb2.Role.ValueType:
    if isinstance(word, str) and word in ROLES:
        return ROLES[word]
    if place.direction == REQUEST:
        raise invalid(place.at("role").path, "must be system, user, assistant or tool")
    return content_pb2.ROLE_ASSISTANT


def _lift_images(images: Json) -> Iterable[content_pb2.Part]:
    parts = [lift_image(image) for image in images] if isinstance(images, list) else []
    # All or none: a list in which one stays untyped is kept whole as a remainder.
    return [part for part in parts if part is not None] if None not in parts else []


def _lowered(message: content_pb2.Message, scribe: Scribe, path: str) -> JsonObject:
    result = next((part.tool_result for part in message.parts if _is_result(part)), None)
    parts: Sequence[content_pb2.Part] = result.content if result is not None else message.parts
    thinking: list[str] = []
    texts: list[str] = []
    images: list[str] = []
    calls: list[JsonObject] = []
    for number, part in enumerate(parts):
        here = f"{path}.parts[{number}]"
        kind = part.WhichOneof("kind")
        if part.HasField("cache_breakpoint"):
            scribe.omit(f"{here}.cache_breakpoint", "Ollama finds cached prefixes by itself")
        if scribe.direction == REQUEST and (part.signature or (part.reasoning.text and part.reasoning.encrypted)):
            scribe.omit(f"{here}.signature", "Ollama takes no signatures and ciphers; they were left out")
        if provider_run(part):
            scribe.omit(here, "tools that another provider ran cannot be replayed to Ollama; left out")
        elif kind in OF_SERVERS:
            scribe.omit(here, "what another provider did with an MCP server cannot go to Ollama; left out")
        elif kind == "reasoning":
            thinking.append(_thinking(part, scribe, here))
        elif kind == "tool_call":
            calls.append(lower_call(part, len(calls), scribe))
        elif kind == "tool_result" and result is None:
            scribe.unsupported(here, "a result of a tool stands in a message of the tool alone")
        elif (text := as_text(part)) is not None:
            texts.append(text)
        elif kind == "media" and _is_image(part.media):
            images.append(base64.b64encode(part.media.data).decode())
        else:
            scribe.unsupported(here, f"Ollama takes text and the bytes of images, no {_what(part)}")
    glue = "" if message.role == content_pb2.ROLE_ASSISTANT else "\n\n"
    lowered: JsonObject = {"role": _WORDS.get(message.role, "user"), "content": glue.join(filter(None, texts))}
    if "".join(thinking):
        lowered["thinking"] = "".join(thinking)
    if images:
        lowered["images"] = images
    if calls:
        lowered["tool_calls"] = calls
    if result is not None:
        _RESULT.lower(result, lowered)
        if result.is_error:
            scribe.omit(path, "Ollama cannot say that a tool failed; the content has to tell")
    return lowered


def _lowered_call(part: content_pb2.Part, number: int, scribe: Scribe) -> JsonObject:
    call = part.tool_call
    function: JsonObject = {"index": number} if scribe.spelled(part, _INDEX) else {}
    function["name"] = call.name
    function["arguments"] = call.arguments_json if scribe.spelled(part, _TEXT) else arguments(call)
    lowered: JsonObject = {"id": call.call_id} if call.call_id else {}
    if scribe.spelled(part, _TYPE):
        lowered["type"] = "function"
    lowered["function"] = function
    return lowered


def _thinking(part: content_pb2.Part, scribe: Scribe, path: str) -> str:
    if not part.reasoning.text and scribe.direction == REQUEST:
        scribe.warn("REASONING_OMITTED", path, "reasoning that another provider encrypted was left out")
    return part.reasoning.text


def _is_result(part: content_pb2.Part) -> bool:
    return part.WhichOneof("kind") == "tool_result" and not provider_run(part)


def _is_image(media: content_pb2.MediaPart) -> bool:
    is_image = media.modality == content_pb2.MODALITY_IMAGE or media.media_type.startswith("image/")
    return is_image and media.WhichOneof("source") == "data"


def _what(part: content_pb2.Part) -> str:
    if part.WhichOneof("kind") == "media":
        source = part.media.WhichOneof("source") or "content"
        return f"{source} of a medium such as {part.media.media_type or 'this'}"
    if part.WhichOneof("kind") == "opaque":
        return f"'{part.opaque.type}' of {part.opaque.wire}"
    return part.WhichOneof("kind") or "part without a kind"
