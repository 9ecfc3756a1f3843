"""Named spellings: where the wire has several ways to write one meaning, the form tells which one was read."""

from __future__ import annotations

from typing import Any

from antiphon.wire.openai_responses.quirks import WIRE


def spelled(carrier: Any, name: str, direction: str) -> bool:
    """Whether `carrier` was read from this wire in the named spelling."""
    return carrier.HasField("form") and name in carrier.form.spellings and carrier.form.wire == f"{WIRE}/{direction}"


def spell(carrier: Any, name: str, direction: str) -> None:
    """Note how the wire spelled `carrier`."""
    carrier.form.wire = f"{WIRE}/{direction}"
    carrier.form.spellings.append(name)
