"""Images that a user names, as parts of a message."""

from __future__ import annotations

import mimetypes
from pathlib import Path
from typing import Final

import typer

from antiphon.v1 import content_pb2

_MAGIC: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)


def image(place: str) -> content_pb2.Part:
    """The image at a path or an http(s) address. Raises typer.BadParameter for what is neither."""
    if place.startswith(("http://", "https://")):
        return content_pb2.Part(media=content_pb2.MediaPart(url=place, modality=content_pb2.MODALITY_IMAGE))
    try:
        data = Path(place).read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"{place} cannot be read: {error.strerror}", param_hint="--image") from error
    kind = media_type(data, place)
    if not kind.startswith("image/"):
        raise typer.BadParameter(f"{place} is no image that is known here (PNG, JPEG, GIF, WebP)", param_hint="--image")
    return content_pb2.Part(media=content_pb2.MediaPart(media_type=kind, data=data))


def media_type(data: bytes, name: str) -> str:
    """The media type by content, else by name; empty where neither says. Providers refuse a wrong one."""
    for magic, kind in _MAGIC:
        if data.startswith(magic):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return mimetypes.guess_type(name)[0] or ""
