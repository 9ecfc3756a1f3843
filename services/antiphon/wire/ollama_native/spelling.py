"""The name of the wire, and how its objects are spelled."""

from __future__ import annotations

from dataclasses import dataclass

from antiphon.wire.scribe import RESPONSE, Scribe

WIRE = "ollama_chat"
"""Name of the wire: the key of its untyped fields in `provider_data`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirks:
    """Settings of one provider."""

    provider: str = "ollama"
    """Name of the provider: a further key of `provider_data` that is merged into requests."""
    base_path: str = "/api"
    """What stands before `/chat`."""


DEFAULT = Quirks()


def reader(direction: str) -> Scribe:
    """A scribe for finding the remainder of what is read."""
    return Scribe(wire=WIRE, direction=direction)


def answerer() -> Scribe:
    """A scribe for writing to clients."""
    return Scribe(wire=WIRE, direction=RESPONSE)
