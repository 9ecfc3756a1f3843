"""The name of the wire, and how its objects are spelled."""

from __future__ import annotations

from dataclasses import dataclass

from antiphon.wire.scribe import Scribe

WIRE = "cohere_chat"
"""Name of the wire: the key of its untyped fields in `provider_data`."""
TOOL_PLAN = "tool_plan"
"""The `format` of reasoning that the wire tells as the plan before calls of tools."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirks:
    """Settings of one provider."""

    provider: str = "cohere"
    """Name of the provider: a further key of `provider_data` that is merged into requests."""
    base_path: str = "/v2"
    """What stands before `/chat`."""


DEFAULT = Quirks()


def reader(direction: str) -> Scribe:
    """A scribe for finding the remainder of what is read."""
    return Scribe(wire=WIRE, direction=direction)
