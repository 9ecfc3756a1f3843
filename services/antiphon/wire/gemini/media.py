"""Images, sound, video and documents: inline, or by the address of a file."""

from __future__ import annotations

import re
from collections.abc import Mapping

from antiphon.v1 import content_pb2
from antiphon.wire.fields import Fields, Place, object_at, whole_text
from antiphon.wire.gemini.binary import (
    UNPADDED,
    URL_SAFE,
    read_base64,
    read_duration,
    write_base64,
    write_duration,
)
from antiphon.wire.gemini.writer import REQUEST, Writer
from antiphon.wire.jsontext import JsonObject

_COMMON = Fields(content_pb2.MediaPart, mimeType="media_type", displayName="filename")
_VIDEO = Fields(content_pb2.MediaPart, fps="frames_per_second")
DETAILS: Mapping[str, str] = {
    "MEDIA_RESOLUTION_LOW": "low",
    "MEDIA_RESOLUTION_MEDIUM": "medium",
    "MEDIA_RESOLUTION_HIGH": "high",
    "MEDIA_RESOLUTION_ULTRA_HIGH": "ultra_high",
}
RESOLUTIONS = {detail: level for level, detail in DETAILS.items()}
_RESOLUTION = "resolution"
_FILE = re.compile(r"(?:https://generativelanguage\.googleapis\.com/[^/]+/)?files/[^/]+")
"""A file that the provider holds; every other address is one that it fetches."""
_DATA_URL = re.compile(r"data:([^;,]*)(?:;[^,;]*)*;base64,(.*)", re.DOTALL)
_BY_ENDING: Mapping[str, str] = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "heic": "image/heic",
    "pdf": "application/pdf",
    "txt": "text/plain",
    "html": "text/html",
    "csv": "text/csv",
    "mp3": "audio/mp3",
    "wav": "audio/wav",
    "ogg": "audio/ogg",
    "flac": "audio/flac",
    "aac": "audio/aac",
    "mp4": "video/mp4",
    "mov": "video/mov",
    "webm": "video/webm",
    "mpeg": "video/mpeg",
}
_BY_KIND: Mapping[int, str] = {
    content_pb2.MODALITY_IMAGE: "image/png",
    content_pb2.MODALITY_DOCUMENT: "application/pdf",
}


def lift_media(value: JsonObject, part: content_pb2.Part, place: Place) -> bool:
    """Set the medium of a part from `inlineData` or `fileData`; whether the typed fields can hold it."""
    source = object_at(value, "inlineData") or object_at(value, "fileData")
    media = part.media
    media.SetInParent()
    writer = Writer(direction=place.direction)
    data, address = source.get("data"), source.get("fileUri")
    if isinstance(data, str) and "inlineData" in value:
        found = read_base64(data)
        if found is None:
            place.at("inlineData").wrong("data", "must be base64")
            return False
        media.data = found[0]
        for name in found[1]:
            writer.spell(part, name)
    elif isinstance(address, str):
        if _FILE.fullmatch(address):
            media.file_id = whole_text(address)
        else:
            media.url = whole_text(address)
    else:
        return False
    _COMMON.lift(source, media, place)
    video = object_at(value, "videoMetadata")
    _VIDEO.lift(video, media, place.at("videoMetadata"))
    for key, offset in (("startOffset", "start_offset"), ("endOffset", "end_offset")):
        if not read_duration(video.get(key), getattr(media, offset)):
            media.ClearField(offset)  # type: ignore[arg-type]  # one of the two names
    level = object_at(value, "mediaResolution").get("level")
    if isinstance(level, str) and level in DETAILS:
        media.detail = DETAILS[level]
        writer.spell(part, _RESOLUTION)
    return True


def lower_media(part: content_pb2.Part, writer: Writer, path: str) -> JsonObject | None:
    """The JSON of a medium; None, and noted, where the wire has none for it."""
    media = part.media
    kind = media.WhichOneof("source")
    lowered: JsonObject
    if kind == "data":
        spelling = tuple(name for name in (URL_SAFE, UNPADDED) if writer.spelled(part, name))
        lowered = _inline(_media_type(media), write_base64(media.data, spelling))
    elif kind == "inline_text":
        lowered = _inline(media.media_type or "text/plain", write_base64(media.inline_text.encode()))
    elif kind == "url" and (match := _DATA_URL.fullmatch(media.url)):
        lowered = _inline(media.media_type or match[1], match[2])
    elif kind in ("url", "file_id"):
        lowered = {"fileData": {"fileUri": media.url or media.file_id}}
        if media_type := _media_type(media):
            lowered["fileData"]["mimeType"] = media_type
    else:
        writer.unsupported(path, "Gemini takes data, inline_text, url or file_id of a medium; set one of them")
        return None
    if media.filename:
        next(iter(lowered.values()))["displayName"] = media.filename
    video = _VIDEO.lower(media, {})
    if media.HasField("start_offset"):
        video["startOffset"] = write_duration(media.start_offset)
    if media.HasField("end_offset"):
        video["endOffset"] = write_duration(media.end_offset)
    if video:
        lowered["videoMetadata"] = video
    _lower_detail(part, lowered, writer, path)
    if writer.direction == REQUEST and (media.context or media.citations_enabled):
        writer.omit(path, "Gemini takes no context of a document and no wish for citations; they were left out")
    return lowered


def _inline(media_type: str, data: str) -> JsonObject:
    return {"inlineData": {"mimeType": media_type, "data": data} if media_type else {"data": data}}


def _lower_detail(part: content_pb2.Part, lowered: JsonObject, writer: Writer, path: str) -> None:
    detail = part.media.detail
    if not detail or detail == "auto":
        return
    if writer.spelled(part, _RESOLUTION) and detail in RESOLUTIONS:
        lowered["mediaResolution"] = {"level": RESOLUTIONS[detail]}
    else:
        writer.omit(f"{path}.media.detail", "most Gemini models refuse it for a single part; set spec.media_detail")


def _media_type(media: content_pb2.MediaPart) -> str:
    if media.media_type:
        return media.media_type
    if media.format in _BY_ENDING:
        return _BY_ENDING[media.format]
    address = (media.url or media.filename).split("?")[0]
    ending = address.rpartition(".")[2].lower()
    return _BY_ENDING.get(ending) or _BY_KIND.get(media.modality, "")
