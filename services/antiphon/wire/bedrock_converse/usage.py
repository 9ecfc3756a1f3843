"""Usage: Bedrock counts cached tokens beside `inputTokens`, as Anthropic does, and the contract counts them within.

That it does so for the model at hand shows in `totalTokens`, which has them; where the total says that `inputTokens`
holds the cached ones already, they are not added again.
"""

from __future__ import annotations

from antiphon.v1 import usage_pb2
from antiphon.wire.bedrock_converse.spelling import WIRE, reader
from antiphon.wire.durations import seconds
from antiphon.wire.fields import RESPONSE, Fields, Place, count_of, object_at, objects, whole_text
from antiphon.wire.jsontext import Json, JsonObject, dumps
from antiphon.wire.scribe import Scribe

_USAGE = Fields(
    usage_pb2.Usage,
    cacheReadInputTokens="cache_read_tokens",
    cacheWriteInputTokens="cache_write_tokens",
    outputTokens="output_tokens",
    totalTokens="total_tokens",
)
_TWINS = {
    "cacheReadInputTokenCount": "cache_read_tokens",
    "cacheWriteInputTokenCount": "cache_write_tokens",
}
"""Older names that Bedrock still sends beside the documented ones."""
_INCLUSIVE = "inclusive"
_LENIENT = Place(RESPONSE)
_MILLI = 1000


def lift_usage(read: Json, target: usage_pb2.Usage) -> None:
    """Set `target` from the wire's block; the block itself goes to `raw`."""
    if not isinstance(read, dict):
        return
    scribe = reader(RESPONSE)
    target.SetInParent()
    _USAGE.lift(read, target, _LENIENT)
    for key, name in _TWINS.items():
        if (count := count_of(read.get(key))) is not None:
            if not target.HasField(name):  # type: ignore[arg-type]  # one of the table's names
                setattr(target, name, count)
                scribe.spell(target, f"only {key}")
            scribe.spell(target, key)
    plain, cached = count_of(read.get("inputTokens")), target.cache_read_tokens + target.cache_write_tokens
    if plain is not None:
        if cached and target.total_tokens == plain + target.output_tokens:
            scribe.spell(target, _INCLUSIVE)
            cached = 0
        target.input_tokens = plain + cached
    for detail in objects(read.get("cacheDetails")):
        count = count_of(detail.get("inputTokens"))
        if isinstance(detail.get("ttl"), str) and count is not None:
            target.cache_write_tokens_by_ttl[whole_text(detail["ttl"])] = count
    for name, count in object_at(read, "serverToolUsage").items():
        if (uses := count_of(count)) is not None:
            target.server_tool_requests[whole_text(name)] = uses
    target.raw.wire, target.raw.media_type, target.raw.data = WIRE, "application/json", dumps(read)
    scribe.keep(target, _lowered(target, scribe), read)


def lower_usage(source: usage_pb2.Usage, scribe: Scribe) -> JsonObject:
    """The wire's block, its remainder included."""
    return scribe.restore(source, _lowered(source, scribe))


def lift_latency(metrics: JsonObject, target: usage_pb2.Usage) -> None:
    """Set the time from `metrics`."""
    if (latency := count_of(metrics.get("latencyMs"))) is not None:
        target.timing.total_seconds = latency / _MILLI


def lower_latency(source: usage_pb2.Usage) -> JsonObject:
    """`metrics`."""
    return {"latencyMs": round(source.timing.total_seconds * _MILLI)}


def _lowered(source: usage_pb2.Usage, scribe: Scribe) -> JsonObject:
    cached = 0 if scribe.spelled(source, _INCLUSIVE) else source.cache_read_tokens + source.cache_write_tokens
    lowered: JsonObject = {"inputTokens": max(source.input_tokens - cached, 0), "outputTokens": 0}
    lowered["totalTokens"] = source.input_tokens + source.output_tokens
    _USAGE.lower(source, lowered)
    if cached > source.input_tokens and source.raw.wire != WIRE:  # others count what they cached over several steps
        lowered["cacheReadInputTokens"] = max(source.input_tokens - source.cache_write_tokens, 0)
    for key, name in _TWINS.items():
        if scribe.spelled(source, key):
            lowered[key] = getattr(source, name)
        if scribe.spelled(source, f"only {key}"):
            lowered.pop(key.removesuffix("Count") + "s")
    if source.cache_write_tokens_by_ttl:
        details = sorted(source.cache_write_tokens_by_ttl.items(), key=lambda item: (seconds(item[0]) or 0, item[0]))
        lowered["cacheDetails"] = [{"ttl": ttl, "inputTokens": count} for ttl, count in details]
    if source.server_tool_requests and source.raw.wire == WIRE:  # other providers count other tools
        lowered["serverToolUsage"] = dict(sorted(source.server_tool_requests.items()))
    return lowered
