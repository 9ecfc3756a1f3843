"""Usage: Anthropic counts cached tokens beside `input_tokens`, the contract within."""

from __future__ import annotations

from antiphon.v1 import usage_pb2
from antiphon.wire.anthropic_messages.fields import RESPONSE, Fields, Place, count_of, object_at, objects, whole_text
from antiphon.wire.anthropic_messages.quirks import WIRE
from antiphon.wire.anthropic_messages.writer import Writer
from antiphon.wire.jsontext import Json, JsonObject, dumps

_USAGE = Fields(
    usage_pb2.Usage,
    cache_creation_input_tokens="cache_write_tokens",
    cache_read_input_tokens="cache_read_tokens",
    output_tokens="output_tokens",
    service_tier="service_tier",
    inference_geo="inference_region",
    speed="speed",
)
_TIERS = {"standard": "standard", "default": "standard", "priority": "priority", "batch": "batch"}
"""Words of this wire for tiers that other providers name."""
_SERVER_TOOLS = ("web_search", "web_fetch")
"""What clients count on in `server_tool_use`."""
_STEP = Fields(usage_pb2.UsageStep, type="provider_type", model="model")
_REQUESTS = "_requests"
_TTL_HEAD, _TTL_TAIL = "ephemeral_", "_input_tokens"
_LENIENT = Place(RESPONSE)


def lift_usage(read: Json, target: usage_pb2.Usage) -> None:
    """Set `target` from the wire's block; the block itself goes to `raw`."""
    if not isinstance(read, dict):
        return
    target.SetInParent()
    _lift(read, target)
    target.raw.wire, target.raw.media_type, target.raw.data = WIRE, "application/json", dumps(read)
    Writer(direction=RESPONSE).keep(target, _lower(target), read)


def lower_usage(source: usage_pb2.Usage) -> JsonObject:
    """The wire's block, its remainder included."""
    return Writer(direction=RESPONSE).restore(source, _lower(source))


def tier_word(tier: str, usage: usage_pb2.Usage) -> str:
    """The wire's word for a service tier; empty where it has none for another provider's."""
    return tier if usage.raw.wire == WIRE else _TIERS.get(tier, "")


def _lift(read: JsonObject, target: usage_pb2.Usage) -> None:
    _USAGE.lift(read, target, _LENIENT)
    plain = count_of(read.get("input_tokens"))
    if plain is not None:
        target.input_tokens = plain + target.cache_read_tokens + target.cache_write_tokens
    known = target.HasField("input_tokens") and target.HasField("output_tokens")
    if known and 0 <= target.output_tokens <= target.input_tokens + target.output_tokens < 1 << 62:
        target.total_tokens = target.input_tokens + target.output_tokens
    for key, count in object_at(read, "cache_creation").items():
        if (tokens := count_of(count)) is not None and key.startswith(_TTL_HEAD) and key.endswith(_TTL_TAIL):
            target.cache_write_tokens_by_ttl[whole_text(key[len(_TTL_HEAD) : -len(_TTL_TAIL)])] = tokens
    for key, count in object_at(read, "server_tool_use").items():
        if (uses := count_of(count)) is not None and key.endswith(_REQUESTS):
            target.server_tool_requests[whole_text(key[: -len(_REQUESTS)])] = uses
    thinking = count_of(object_at(read, "output_tokens_details").get("thinking_tokens"))
    if thinking is not None:
        target.reasoning_tokens = thinking
    for item in objects(read.get("iterations")):
        step = target.steps.add()
        _STEP.lift(item, step, _LENIENT)
        step.usage.SetInParent()
        _lift(item, step.usage)


def _lower(source: usage_pb2.Usage) -> JsonObject:
    """Counts that are not known are written as 0 where the wire requires a number."""
    plain = source.input_tokens - source.cache_read_tokens - source.cache_write_tokens
    lowered: JsonObject = {"input_tokens": max(plain, 0), "output_tokens": 0}
    _USAGE.lower(source, lowered)
    if plain < 0 and source.raw.wire != WIRE:  # others count what they cached over several steps
        read = max(source.input_tokens - source.cache_write_tokens, 0)
        lowered["cache_read_input_tokens"] = read
    lowered.pop("service_tier", None)
    if tier := tier_word(source.service_tier, source):
        lowered["service_tier"] = tier
    if source.cache_write_tokens_by_ttl:
        lowered["cache_creation"] = {
            f"{_TTL_HEAD}{ttl}{_TTL_TAIL}": count for ttl, count in sorted(source.cache_write_tokens_by_ttl.items())
        }
    if source.server_tool_requests:
        uses = {
            f"{name.removesuffix(_REQUESTS)}{_REQUESTS}": n for name, n in sorted(source.server_tool_requests.items())
        }
        if source.raw.wire != WIRE:
            uses = {key: uses.get(key, 0) for key in (f"{name}{_REQUESTS}" for name in _SERVER_TOOLS)}
        if source.raw.wire == WIRE or any(uses.values()):
            lowered["server_tool_use"] = uses
    if source.HasField("reasoning_tokens"):
        lowered["output_tokens_details"] = {"thinking_tokens": source.reasoning_tokens}
    if source.steps and source.raw.wire == WIRE:
        lowered["iterations"] = [_STEP.lower(step, _lower(step.usage)) for step in source.steps]
    return lowered
