"""Images, documents and files for the code tool."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping

from antiphon.v1 import content_pb2
from antiphon.wire.anthropic_messages.fields import Fields, Place, object_at, spell, spelled, whole_text
from antiphon.wire.anthropic_messages.writer import Writer
from antiphon.wire.jsontext import Json, JsonObject

FILES = "files-api-2025-04-14"

LiftParts = Callable[[Json, Place], list[content_pb2.Part]]
LowerParts = Callable[[content_pb2.PartList, Writer, str], Json]

_DETAILS = Fields(content_pb2.MediaPart, title="title", context="context")


class Untypable(Exception):  # noqa: N818 - it says what a block is, not that anything failed
    """A block that the typed fields cannot hold; it is kept whole instead."""


def lift_media(block: JsonObject, part: content_pb2.Part, place: Place, lift_parts: LiftParts) -> None:
    """An image or document block. Raises Untypable for a source that no field holds."""
    media = part.media
    is_image = block["type"] == "image"
    media.modality = content_pb2.MODALITY_IMAGE if is_image else content_pb2.MODALITY_DOCUMENT
    source = object_at(block, "source")
    kind, given = source.get("type"), source.get("media_type")
    if isinstance(given, str):
        media.media_type = whole_text(given)
    value = source.get(_VALUES.get(kind, "")) if isinstance(kind, str) else None
    if kind == "content" and isinstance(value, str | list):
        media.parts.parts.extend(lift_parts(value, place.at("source").at("content")))
        if isinstance(value, str):
            spell(part, "text", place.direction)
    elif not isinstance(value, str):
        raise Untypable
    elif kind == "base64":
        try:
            media.data = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError) as error:
            raise Untypable from error
    elif kind == "text":
        media.inline_text = whole_text(value)
    elif kind == "url":
        media.url = whole_text(value)
    else:
        media.file_id = whole_text(value)
    if not is_image:
        _DETAILS.lift(block, media, place)
        enabled = object_at(block, "citations").get("enabled")
        if isinstance(enabled, bool):
            media.citations_enabled = enabled


def lower_media(part: content_pb2.Part, writer: Writer, path: str, lower_parts: LowerParts) -> JsonObject | None:
    """The block of a medium; None, and noted, where the wire has none for it."""
    media = part.media
    if media.for_container:
        writer.use(FILES)
        return {"type": "container_upload", "file_id": media.file_id}
    if _is_image(media):
        kind = "image"
    elif _is_document(media):
        kind = "document"
    else:
        what = media.media_type or content_pb2.Modality.Name(media.modality)
        writer.unsupported(path, f"Anthropic takes images, PDF and text, not {what}; leave it out or convert it")
        return None
    source = _source(part, kind, writer, path, lower_parts)
    if source is None:
        writer.unsupported(path, "has no content; set data, url, file_id or inline_text")
        return None
    block: JsonObject = {"type": kind, "source": source}
    if kind == "document":
        if media.filename and not media.title:
            block["title"] = media.filename
        _DETAILS.lower(media, block)
        if media.HasField("citations_enabled"):
            block["citations"] = {"enabled": media.citations_enabled}
    return block


def _source(part: content_pb2.Part, kind: str, writer: Writer, path: str, lower_parts: LowerParts) -> JsonObject | None:
    media = part.media
    match media.WhichOneof("source"):
        case "data" if media.media_type.startswith("text/"):
            return {"type": "text", "media_type": "text/plain", "data": media.data.decode("utf-8", "replace")}
        case "data":
            usual = "image/png" if kind == "image" else "application/pdf"
            data = base64.b64encode(media.data).decode()
            return {"type": "base64", "media_type": media.media_type or usual, "data": data}
        case "inline_text":
            return {"type": "text", "media_type": media.media_type or "text/plain", "data": media.inline_text}
        case "url":
            return {"type": "url", "url": media.url}
        case "file_id":
            writer.use(FILES)
            return {"type": "file", "file_id": media.file_id}
        case "parts":
            if spelled(part, "text", writer.direction) and len(media.parts.parts) == 1:
                return {"type": "content", "content": media.parts.parts[0].text.text}
            return {"type": "content", "content": lower_parts(media.parts, writer, path)}
    return None


def _is_image(media: content_pb2.MediaPart) -> bool:
    return media.modality == content_pb2.MODALITY_IMAGE or media.media_type.startswith("image/")


def _is_document(media: content_pb2.MediaPart) -> bool:
    return (
        media.modality == content_pb2.MODALITY_DOCUMENT
        or media.media_type == "application/pdf"
        or media.media_type.startswith("text/")
        or (not media.media_type and media.modality == content_pb2.MODALITY_UNSPECIFIED)
    )


_VALUES: Mapping[str, str] = {
    "base64": "data",
    "text": "data",
    "url": "url",
    "file": "file_id",
    "content": "content",
}
