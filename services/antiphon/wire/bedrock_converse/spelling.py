"""The name of the wire, its settings, and what model families want in the fields that only they know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from antiphon.wire.scribe import Scribe

WIRE = "bedrock_converse"
"""Name of the wire: the key of its untyped fields in `provider_data`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirks:
    """Settings of one provider."""

    provider: str = "bedrock"
    """Name of the provider: a further key of `provider_data` that is merged into requests."""


DEFAULT = Quirks()


class Family(StrEnum):
    """Who made the model: its own request fields differ by that."""

    ANTHROPIC = "anthropic."
    NOVA = "amazon.nova"
    OPENAI = "openai."
    OTHER = ""


def family(model: str) -> Family:
    """The family by the model's identifier, also inside an inference profile or an ARN."""
    return next((item for item in Family if item and item in model), Family.OTHER)


FORMATS: Mapping[str, Mapping[str, str]] = {
    "image": {"png": "image/png", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp"},
    "document": {
        "pdf": "application/pdf",
        "csv": "text/csv",
        "doc": "application/msword",
        "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "xls": "application/vnd.ms-excel",
        "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "html": "text/html",
        "txt": "text/plain",
        "md": "text/markdown",
    },
    "video": {
        "mkv": "video/x-matroska",
        "mov": "video/quicktime",
        "mp4": "video/mp4",
        "webm": "video/webm",
        "flv": "video/x-flv",
        "mpeg": "video/mpeg",
        "mpg": "video/mpg",
        "wmv": "video/x-ms-wmv",
        "three_gp": "video/3gpp",
    },
    "audio": {
        "mp3": "audio/mpeg",
        "opus": "audio/opus",
        "wav": "audio/wav",
        "aac": "audio/aac",
        "flac": "audio/flac",
        "mp4": "audio/mp4",
        "ogg": "audio/ogg",
        "mkv": "audio/x-matroska",
        "webm": "audio/webm",
        "m4a": "audio/m4a",
        "pcm": "audio/pcm",
    },
}
"""Media type by the wire's word, for each kind of medium."""


def reader(direction: str) -> Scribe:
    """A scribe for finding the remainder of what is read."""
    return Scribe(wire=WIRE, direction=direction)
