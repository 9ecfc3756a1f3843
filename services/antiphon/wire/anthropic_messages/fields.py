"""The tables of `antiphon.wire.fields`, and the named spellings of this wire."""

from __future__ import annotations

from typing import Any

from antiphon.wire.anthropic_messages.quirks import WIRE
from antiphon.wire.fields import (
    REQUEST,
    RESPONSE,
    Fields,
    Place,
    count_of,
    object_at,
    objects,
    whole_text,
    word,
)

__all__ = [
    "REQUEST",
    "RESPONSE",
    "Fields",
    "Place",
    "count_of",
    "object_at",
    "objects",
    "spell",
    "spelled",
    "whole_text",
    "word",
]


def spelled(carrier: Any, name: str, direction: str) -> bool:
    """Whether `carrier` was read from this wire in the named spelling."""
    return carrier.HasField("form") and name in carrier.form.spellings and carrier.form.wire == f"{WIRE}/{direction}"


def spell(carrier: Any, name: str, direction: str) -> None:
    """Note how the wire spelled `carrier`."""
    carrier.form.wire = f"{WIRE}/{direction}"
    carrier.form.spellings.append(name)
