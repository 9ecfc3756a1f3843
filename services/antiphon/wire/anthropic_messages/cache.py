"""Cache breakpoints: `cache_control` on blocks, tools and requests."""

from __future__ import annotations

from antiphon.v1 import content_pb2, tools_pb2
from antiphon.wire.jsontext import JsonObject

Breakable = content_pb2.Part | tools_pb2.Tool

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(ttl: str) -> int | None:
    """Seconds of a word such as "5m"; None where it is no such word."""
    number, unit = ttl[:-1], ttl[-1:]
    return int(number) * _UNITS[unit] if number.isascii() and number.isdigit() and unit in _UNITS else None


def ttl_word(whole_seconds: int) -> str:
    """The word for a number of seconds, in the largest of h, m and s that divides it."""
    for unit in "hm":
        if whole_seconds and whole_seconds % _UNITS[unit] == 0:
            return f"{whole_seconds // _UNITS[unit]}{unit}"
    return f"{whole_seconds}s"


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
