"""Cache breakpoints: `cache_control` on blocks, tools and requests."""

from __future__ import annotations

from antiphon.v1 import content_pb2, tools_pb2
from antiphon.wire.durations import seconds, ttl_word
from antiphon.wire.jsontext import JsonObject

Breakable = content_pb2.Part | tools_pb2.Tool


def lift_breakpoint(control: object, target: content_pb2.CacheBreakpoint) -> None:
    """Set `target` where `control` is the JSON of a breakpoint."""
    if isinstance(control, dict) and control.get("type") == "ephemeral":
        target.SetInParent()
        ttl = control.get("ttl")
        if isinstance(ttl, str) and (length := seconds(ttl)) is not None:
            target.ttl.seconds = length


def lower_breakpoint(mark: content_pb2.CacheBreakpoint) -> JsonObject:
    """The JSON of a breakpoint."""
    control = {"type": "ephemeral"}
    if mark.HasField("ttl"):
        control["ttl"] = ttl_word(mark.ttl.seconds)
    return control


def lift_cache(source: JsonObject, target: Breakable) -> None:
    """Set the breakpoint of a block or tool that has one."""
    if source.get("cache_control") is not None:
        lift_breakpoint(source["cache_control"], target.cache_breakpoint)


def lower_cache(source: Breakable, target: JsonObject) -> None:
    """Write the breakpoint of a block or tool that has one."""
    if source.HasField("cache_breakpoint"):
        target["cache_control"] = lower_breakpoint(source.cache_breakpoint)
