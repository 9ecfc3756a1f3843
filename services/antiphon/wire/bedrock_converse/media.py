"""Images, documents, videos and sound."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping

from antiphon.v1 import content_pb2
from antiphon.wire.bedrock_converse.spelling import FORMATS
from antiphon.wire.fields import Fields, Place, object_at, objects, whole_text
from antiphon.wire.jsontext import JsonObject
from antiphon.wire.scribe import REQUEST, Scribe

KINDS: Mapping[str, content_pb2.Modality.ValueType] = {
    "image": content_pb2.MODALITY_IMAGE,
    "document": content_pb2.MODALITY_DOCUMENT,
    "video": content_pb2.MODALITY_VIDEO,
    "audio": content_pb2.MODALITY_AUDIO,
}
_WORDS = {modality: word for word, modality in KINDS.items()}
_DETAILS = Fields(content_pb2.MediaPart, name="filename", context="context")
_S3 = Fields(content_pb2.MediaPart, uri="url", bucketOwner="storage_owner")
_TEXT_FORMATS = {"txt": "text/plain", "md": "text/markdown", "html": "text/html", "csv": "text/csv"}
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9\s\-()\[\]]+")
"""Document names hold letters, digits, white space, hyphens, parentheses and square brackets."""
_SPACES = re.compile(r"\s+")
_NAME, _TEXTS = "name", "texts"


class Untypable(Exception):  # noqa: N818 - it says what a block is, not that anything failed
    """A block that the typed fields cannot hold; it is kept whole instead."""


def lift_media(kind: str, block: JsonObject, part: content_pb2.Part, place: Place, scribe: Scribe) -> None:
    """A medium block. Raises Untypable for a source that no field holds."""
    media = part.media
    media.modality = KINDS[kind]
    word = block.get("format")
    if isinstance(word, str):
        media.format = whole_text(word)
        media.media_type = FORMATS[kind].get(word, "")
    source = object_at(block, "source")
    if isinstance(source.get("bytes"), str):
        try:
            media.data = base64.b64decode(source["bytes"], validate=True)
        except (binascii.Error, ValueError) as error:
            raise Untypable from error
    elif isinstance(source.get("s3Location"), dict):
        _S3.lift(source["s3Location"], media, place.at("source").at("s3Location"))
    elif isinstance(source.get("text"), str):
        media.inline_text = whole_text(source["text"])
    elif items := list(objects(source.get("content"))):
        for item in items:
            if not isinstance(item.get("text"), str):
                raise Untypable
            media.parts.parts.add().text.text = whole_text(item["text"])
    elif source or place.direction == REQUEST:
        raise Untypable
    if kind == "document":
        _DETAILS.lift(block, media, place)
        scribe.spell(part, _NAME)
        enabled = object_at(block, "citations").get("enabled")
        if isinstance(enabled, bool):
            media.citations_enabled = enabled


def lower_media(part: content_pb2.Part, scribe: Scribe, path: str) -> JsonObject | None:
    """The block of a medium; None, and noted, where the wire has none for it."""
    media = part.media
    kind = _kind(media)
    word = _format(kind, media)
    source = _source(media)
    if kind and kind != "document" and not word and media.WhichOneof("source") is not None:
        word = media.media_type.rpartition("/")[2]
    if not kind or source is None:
        what = media.WhichOneof("source") or "no content"
        why = f"Bedrock takes bytes, text and s3:// addresses, not {what} of {media.media_type or 'this kind'}"
        scribe.unsupported(path, why)
        return None
    block: JsonObject = {"format": word} if word else {}
    if kind == "document":
        # Only what was read from this wire goes back as it was: others' file names hold characters it refuses.
        name = media.filename if scribe.spelled(part, _NAME) else document_name(media)
        block["name"] = name
        if media.context:
            block["context"] = media.context
        if media.HasField("citations_enabled"):
            block["citations"] = {"enabled": media.citations_enabled}
    block["source"] = source
    return {kind: block}


def document_name(media: content_pb2.MediaPart) -> str:
    """A name that Bedrock takes, from the title or the file name."""
    name = _NOT_IN_NAMES.sub(" ", media.title or media.filename)
    return _SPACES.sub(" ", name).strip()[:200] or "document"


def _kind(media: content_pb2.MediaPart) -> str:
    if media.modality in _WORDS:
        return _WORDS[media.modality]
    head = media.media_type.partition("/")[0]
    if head in ("image", "video", "audio"):
        return head
    is_document = media.media_type in FORMATS["document"].values() or media.WhichOneof("source") in (
        "inline_text",
        "parts",
    )
    return "document" if is_document or not media.media_type else ""


def _format(kind: str, media: content_pb2.MediaPart) -> str:
    formats = FORMATS.get(kind, {})
    if media.format in formats or (media.format and not media.media_type):
        return media.format
    found = next((word for word, kind_ in formats.items() if kind_ == media.media_type), "")
    if found or kind != "document":
        return found
    if media.WhichOneof("source") in ("inline_text", "parts"):
        return "txt"
    return "txt" if media.media_type.startswith("text/") else "" if media.media_type else "pdf"


def _source(media: content_pb2.MediaPart) -> JsonObject | None:
    match media.WhichOneof("source"):
        case "data":
            return {"bytes": base64.b64encode(media.data).decode()}
        case "url" if media.url.startswith("s3://"):
            return {"s3Location": _S3.lower(media, {})}
        case "inline_text":
            return {"text": media.inline_text}
        case "parts":
            return {"content": [{"text": part.text.text} for part in media.parts.parts]}
    return None
