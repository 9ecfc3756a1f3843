"""Content parts: the elements of a message's `content` list, in both directions."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any

from antiphon.core.errors import Reason, invalid
from antiphon.v1 import content_pb2
from antiphon.wire.jsontext import JsonObject, dumps, loads, word
from antiphon.wire.openai_chat.quirks import WIRE
from antiphon.wire.openai_chat.spelling import spell, spelled
from antiphon.wire.remainder import keep, restore

Part = content_pb2.Part
MediaPart = content_pb2.MediaPart

_SECONDS = {"5m": 300, "1h": 3600}
_TTLS = {seconds: word for word, seconds in _SECONDS.items()}
_AUDIO_TYPES = {"wav": "audio/wav", "mp3": "audio/mpeg", "flac": "audio/flac", "ogg": "audio/ogg", "m4a": "audio/mp4"}
_AUDIO_FORMATS = {media_type: word for word, media_type in _AUDIO_TYPES.items()}
_ADDRESSES = {
    "image_url": content_pb2.MODALITY_IMAGE,
    "video_url": content_pb2.MODALITY_VIDEO,  # Qwen, OpenRouter, Together
    "audio_url": content_pb2.MODALITY_AUDIO,  # vLLM, Fireworks
    "document_url": content_pb2.MODALITY_DOCUMENT,  # Mistral; others take a `file`
}
_ADDRESS_OF = {modality: name for name, modality in _ADDRESSES.items()}
_DOCUMENT = "document_url"
_BARE = "bare_url"
"""`image_url` as a text instead of an object (Mistral)."""


def lift_part(data: Any, direction: str) -> Part:
    """One element of a content list. What has no type of its own is kept whole as Opaque."""
    if not isinstance(data, dict):
        return _opaque(data, "")
    kind = data.get("type")
    if kind is None and "text" in data:
        kind = "text"
    part = Part()
    lift = _LIFTS.get(kind) if isinstance(kind, str) else None
    if lift is None or not lift(part, data, direction):
        return _opaque(data, kind if isinstance(kind, str) else "")
    lift_cache(part, data)
    keep(part, WIRE, direction, _lowered(part), data)
    return part


def lower_part(part: Part, direction: str, path: str) -> Any:
    """The element of a content list. Raises ServiceError UNSUPPORTED_PARAMETER for a part that the wire cannot say."""
    if part.WhichOneof("kind") == "opaque" and part.opaque.wire == WIRE:
        return loads(part.opaque.data)
    try:
        lowered = _lowered(part)
    except KeyError as error:
        kind = part.WhichOneof("kind")
        text = f"a {kind} part cannot be sent to a provider of OpenAI's chat format; leave it out or send it as text"
        raise invalid(path, text, reason=Reason.UNSUPPORTED_PARAMETER) from error
    return restore(part, WIRE, direction, lowered)


def lift_cache(holder: Any, data: JsonObject) -> None:
    """Read `cache_control` into `cache_breakpoint`."""
    control = data.get("cache_control")
    if isinstance(control, dict) and control.get("type") == "ephemeral":
        holder.cache_breakpoint.SetInParent()
        if word(control.get("ttl")) in _SECONDS:
            holder.cache_breakpoint.ttl.seconds = _SECONDS[control["ttl"]]


def lower_cache(breakpoint_: content_pb2.CacheBreakpoint) -> JsonObject:
    """`cache_control`: Anthropic's words, which OpenRouter and others take in this wire."""
    control: JsonObject = {"type": "ephemeral"}
    if breakpoint_.HasField("ttl"):
        seconds = breakpoint_.ttl.seconds
        control["ttl"] = _TTLS.get(seconds, f"{seconds}s")
    return control


def data_url(media: MediaPart, fallback: str) -> str:
    """The content of a medium as a data URL, or its address."""
    if media.WhichOneof("source") == "url":
        return media.url
    return f"data:{media.media_type or fallback};base64,{base64.b64encode(media.data).decode()}"


def read_address(media: MediaPart, url: str) -> None:
    """Read a data URL or another address into `media`."""
    head, comma, body = url.partition(",")
    if comma and head.startswith("data:") and head.endswith(";base64"):
        try:
            media.data = base64.b64decode(body, validate=True)
        except (binascii.Error, ValueError):
            media.url = url
        else:
            media.media_type = head[5:-7]
    else:
        media.url = url


def _opaque(data: Any, kind: str) -> Part:
    opaque = content_pb2.Opaque(wire=WIRE, type=kind, media_type="application/json", data=dumps(data))
    return Part(opaque=opaque)


def _lift_text(part: Part, data: JsonObject, direction: str) -> bool:
    if not isinstance(data.get("text"), str):
        return False
    part.text.text = data["text"]
    return True


def _lift_refusal(part: Part, data: JsonObject, direction: str) -> bool:
    if not isinstance(data.get("refusal"), str):
        return False
    part.refusal = data["refusal"]
    return True


def _lift_address(part: Part, data: JsonObject, direction: str) -> bool:
    kind = data["type"]
    value = data.get(kind)
    if kind == _DOCUMENT:
        spell(part, direction, _DOCUMENT)
    if isinstance(value, str):
        spell(part, direction, _BARE)
        value = {"url": value}
    if not isinstance(value, dict) or not isinstance(value.get("url"), str):
        return False
    media = part.media
    media.modality = _ADDRESSES[kind]
    read_address(media, value["url"])
    if isinstance(value.get("detail"), str):
        media.detail = value["detail"]
    if isinstance(data.get("document_name"), str):
        media.filename = data["document_name"]
    return True


def _lift_audio(part: Part, data: JsonObject, direction: str) -> bool:
    value = data.get("input_audio")
    if isinstance(value, str):
        spell(part, direction, _BARE)
        value = {"data": value}
    if not isinstance(value, dict) or not isinstance(value.get("data"), str):
        return False
    media = part.media
    media.modality = content_pb2.MODALITY_AUDIO
    if isinstance(value.get("format"), str):
        media.format = value["format"]
        media.media_type = _AUDIO_TYPES.get(media.format, f"audio/{media.format}")
    try:
        media.data = base64.b64decode(value["data"], validate=True)
    except (binascii.Error, ValueError):
        media.url = value["data"]
    return True


def _lift_file(part: Part, data: JsonObject, direction: str) -> bool:
    value = data.get("file")
    if isinstance(data.get("file_id"), str) and value is None:  # Mistral writes the fields without an object
        spell(part, direction, _BARE)
        value = {"file_id": data["file_id"]}
    if not isinstance(value, dict):
        return False
    media = part.media
    media.modality = content_pb2.MODALITY_DOCUMENT
    if isinstance(value.get("file_data"), str):
        read_address(media, value["file_data"])
    elif isinstance(value.get("file_id"), str):
        media.file_id = value["file_id"]
    if isinstance(value.get("filename"), str):
        media.filename = value["filename"]
    return True


def _lift_thinking(part: Part, data: JsonObject, direction: str) -> bool:
    value = data.get("thinking")
    if isinstance(value, str):
        text = value
    elif isinstance(value, list) and all(isinstance(x, dict) and isinstance(x.get("text"), str) for x in value):
        text = "".join(item["text"] for item in value)
    else:
        return False
    part.reasoning.text = text
    return True


_LIFTS: dict[str, Callable[[Part, JsonObject, str], bool]] = {
    "text": _lift_text,
    "refusal": _lift_refusal,
    **dict.fromkeys(_ADDRESSES, _lift_address),
    "input_audio": _lift_audio,
    "file": _lift_file,
    "thinking": _lift_thinking,  # Mistral
}


def _lowered(part: Part) -> JsonObject:
    data = _LOWERS[part.WhichOneof("kind") or "text"](part)
    if part.HasField("cache_breakpoint"):
        data["cache_control"] = lower_cache(part.cache_breakpoint)
    return data


def _lower_text(part: Part) -> JsonObject:
    return {"type": "text", "text": part.text.text}


def _lower_refusal(part: Part) -> JsonObject:
    return {"type": "refusal", "refusal": part.refusal}


def _lower_reasoning(part: Part) -> JsonObject:
    return {"type": "thinking", "thinking": [{"type": "text", "text": part.reasoning.text}], "closed": True}


def _lower_media(part: Part) -> JsonObject:
    media = part.media
    source = media.WhichOneof("source")
    modality = media.modality or _modality_of(media)
    bare = spelled(part, _BARE)
    if source == "inline_text":
        return {"type": "text", "text": media.inline_text}
    if source == "file_id":
        return _lower_file_id(media, bare=bare)
    if modality == content_pb2.MODALITY_AUDIO and (source == "data" or media.format or bare):
        return _lower_audio(media, bare=bare)
    if modality == content_pb2.MODALITY_DOCUMENT and not spelled(part, _DOCUMENT):
        file: JsonObject = {"file_data": data_url(media, "application/pdf")} if source else {}
        return {"type": "file", "file": {**file, **({"filename": media.filename} if media.filename else {})}}
    name = _ADDRESS_OF[modality]
    url = data_url(media, "image/png")
    if bare:
        data: JsonObject = {"type": name, name: url}
        if media.filename:
            data["document_name"] = media.filename
        return data
    return {"type": name, name: {"url": url, **({"detail": media.detail} if media.detail else {})}}


def _lower_audio(media: MediaPart, *, bare: bool) -> JsonObject:
    content = media.url if media.WhichOneof("source") == "url" else base64.b64encode(media.data).decode()
    if bare:
        return {"type": "input_audio", "input_audio": content}
    name = media.format or _AUDIO_FORMATS.get(media.media_type, media.media_type.rpartition("/")[2])
    return {"type": "input_audio", "input_audio": {"data": content, **({"format": name} if name else {})}}


def _lower_file_id(media: MediaPart, *, bare: bool) -> JsonObject:
    if bare:
        return {"type": "file", "file_id": media.file_id}
    name = {"filename": media.filename} if media.filename else {}
    return {"type": "file", "file": {"file_id": media.file_id, **name}}


def _modality_of(media: MediaPart) -> content_pb2.Modality.ValueType:
    kind = media.media_type.partition("/")[0]
    words = {
        "image": content_pb2.MODALITY_IMAGE,
        "audio": content_pb2.MODALITY_AUDIO,
        "video": content_pb2.MODALITY_VIDEO,
        "": content_pb2.MODALITY_IMAGE,  # an address whose kind nobody named: most often an image
    }
    return words.get(kind, content_pb2.MODALITY_DOCUMENT)


_LOWERS: dict[str, Callable[[Part], JsonObject]] = {
    "text": _lower_text,
    "refusal": _lower_refusal,
    "reasoning": _lower_reasoning,
    "media": _lower_media,
}
