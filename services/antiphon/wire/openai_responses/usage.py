"""Usage: counts, money and what tools of the provider used, in the words of each provider of this wire."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from antiphon.v1 import content_pb2, usage_pb2
from antiphon.wire.fields import RESPONSE, Fields, Place, count_of, object_at, whole_text
from antiphon.wire.jsontext import Json, JsonObject, dumps
from antiphon.wire.openai_responses.quirks import WIRE
from antiphon.wire.openai_responses.spelling import spell, spelled
from antiphon.wire.openai_responses.writer import Writer

Usage = usage_pb2.Usage

_COUNTS = Fields(
    Usage,
    input_tokens="input_tokens",
    output_tokens="output_tokens",
    total_tokens="total_tokens",
    is_byok="own_key",  # OpenRouter
    service_tier="service_tier",
)
_IN = Fields(Usage, cached_tokens="cache_read_tokens", cache_write_tokens="cache_write_tokens")
_OUT = Fields(Usage, reasoning_tokens="reasoning_tokens")
_STEP = Fields(Usage, input_tokens="input_tokens", output_tokens="output_tokens", total_tokens="total_tokens")
_LENIENT = Place(RESPONSE)
_TTLS = {"12h": "ttl_12h_tokens", "30m": "ttl_30m_tokens"}
_COSTS: Mapping[str, str] = {  # Perplexity's object
    "total": "total_cost",
    "input": "input_cost",
    "output": "output_cost",
    "cache_write": "cache_creation_cost",
    "cache_read": "cache_read_cost",
    "tool": "tool_calls_cost",
}
_DETAILS: Mapping[str, str] = {  # OpenRouter's
    "upstream": "upstream_inference_cost",
    "upstream_input": "upstream_inference_input_cost",
    "upstream_output": "upstream_inference_output_cost",
}
_TICK = Decimal(1).scaleb(-10)
"""xAI's unit of money, in US dollars."""
TICKS, OBJECT, SERVER_SIDE, TOOLS = (
    "cost_in_usd_ticks",
    "cost_object",
    "server_side_tool_usage_details",
    "tool_usage",
)
"""Spellings of the block."""
_XAI: Mapping[str, str] = {"num_sources_used": "sources_used", "num_server_side_tools_used": "server_side_tools_used"}
_CONTEXT = "context_details"
"""xAI: the tokens of the last step."""
_IMAGE, _SEARCH = "image_gen", "web_search"
_KINDS = (
    ("text_tokens", content_pb2.MODALITY_TEXT),
    ("image_tokens", content_pb2.MODALITY_IMAGE),
    ("audio_tokens", content_pb2.MODALITY_AUDIO),
)
_WORDS = {modality: word for word, modality in _KINDS}


def lift_usage(answer: JsonObject, usage: Usage) -> None:
    """Read the `usage` and `tool_usage` of an answer; the block itself goes to `raw`."""
    block, tools = answer.get("usage"), answer.get("tool_usage")
    if isinstance(tools, dict):
        spell(usage, TOOLS, RESPONSE)
        _lift_tools(tools, usage)
    if not isinstance(block, dict):
        return
    usage.SetInParent()
    _COUNTS.lift(block, usage, _LENIENT)
    _IN.lift(object_at(block, "input_tokens_details"), usage, _LENIENT)
    _OUT.lift(object_at(block, "output_tokens_details"), usage, _LENIENT)
    kept = object_at(object_at(block, "input_tokens_details"), "cache_write_tokens_details")
    for ttl, key in _TTLS.items():
        if (tokens := count_of(kept.get(key))) is not None:
            usage.cache_write_tokens_by_ttl[ttl] = tokens
    _lift_money(block, usage)
    _lift_uses(block, usage)
    usage.raw.wire, usage.raw.type, usage.raw.media_type = WIRE, "usage", "application/json"
    usage.raw.data = dumps(block)
    Writer(direction=RESPONSE).keep(usage, _lowered(usage), block)


def lower_usage(usage: Usage) -> JsonObject:
    """The `usage` block, its remainder included."""
    lowered = _lowered(usage)
    if usage.raw.wire != WIRE:
        lowered.pop("service_tier", None)  # it stands beside the block here
    return Writer(direction=RESPONSE).restore(usage, lowered)


def lower_tool_usage(usage: Usage) -> JsonObject:
    """The `tool_usage` block; empty where there is none, for it tells of the tools of this wire's inventor alone."""
    lowered: JsonObject = {}
    if not spelled(usage, TOOLS, RESPONSE):
        return lowered
    for step in usage.steps:
        if step.provider_type == _IMAGE:
            lowered[_IMAGE] = _STEP.lower(step.usage, {})
            for key, counts in (
                ("input_tokens_details", step.usage.input_by_modality),
                ("output_tokens_details", step.usage.output_by_modality),
            ):
                if counts:
                    lowered[_IMAGE][key] = {
                        _WORDS[item.modality]: item.tokens for item in counts if item.modality in _WORDS
                    }
    if _SEARCH in usage.server_tool_requests:
        lowered[_SEARCH] = {"num_requests": usage.server_tool_requests[_SEARCH]}
    return lowered


def _lift_tools(tools: JsonObject, usage: Usage) -> None:
    searches = count_of(object_at(tools, _SEARCH).get("num_requests"))
    if searches is not None:
        usage.server_tool_requests[_SEARCH] = searches
    images = tools.get(_IMAGE)
    if isinstance(images, dict):
        step = usage.steps.add(provider_type=_IMAGE)
        step.usage.SetInParent()
        _STEP.lift(images, step.usage, _LENIENT)
        for key, counts in (
            ("input_tokens_details", step.usage.input_by_modality),
            ("output_tokens_details", step.usage.output_by_modality),
        ):
            details = object_at(images, key)
            for word, modality in _KINDS:
                if (tokens := count_of(details.get(word))) is not None:
                    counts.add(modality=modality, tokens=tokens)


def _lift_money(block: JsonObject, usage: Usage) -> None:
    cost = block.get("cost")
    if isinstance(cost, dict):
        spell(usage, OBJECT, RESPONSE)
        _lift_costs(cost, _COSTS, usage)
    elif (money := _money(cost)) is not None:
        usage.costs.add(meter="total", usd=money)
    _lift_costs(object_at(block, "cost_details"), _DETAILS, usage)
    ticks = count_of(block.get(TICKS))
    if ticks is not None and not usage.costs:
        spell(usage, TICKS, RESPONSE)
        usage.costs.add(meter="total", usd=format(ticks * _TICK, "f"))


def _lift_costs(block: JsonObject, names: Mapping[str, str], usage: Usage) -> None:
    for meter, key in names.items():
        if (money := _money(block.get(key))) is not None:
            usage.costs.add(meter=meter, usd=money)


def _lift_uses(block: JsonObject, usage: Usage) -> None:
    for key, name in _XAI.items():
        if (uses := count_of(block.get(key))) is not None:
            usage.server_tool_requests[name] = uses
    details = block.get(SERVER_SIDE)
    if isinstance(details, dict):
        spell(usage, SERVER_SIDE, RESPONSE)
        for key, value in details.items():
            if (uses := count_of(value)) is not None and key.endswith("_calls"):
                usage.server_tool_requests[whole_text(key[: -len("_calls")])] = uses
    context = block.get(_CONTEXT)
    if isinstance(context, dict):
        step = usage.steps.add(provider_type=_CONTEXT)
        step.usage.SetInParent()
        _STEP.lift(context, step.usage, _LENIENT)


def _lowered(usage: Usage) -> JsonObject:
    """Counts that are not known are written as 0 where clients of the wire count on a number."""
    lowered: JsonObject = {"input_tokens": 0, "output_tokens": 0}
    lowered["total_tokens"] = usage.input_tokens + usage.output_tokens
    _COUNTS.lower(usage, lowered)
    lowered["input_tokens_details"] = _IN.lower(usage, {"cached_tokens": 0, "cache_write_tokens": 0})
    lowered["output_tokens_details"] = _OUT.lower(usage, {"reasoning_tokens": 0})
    kept = usage.cache_write_tokens_by_ttl
    if kept.keys() & _TTLS.keys():
        lowered["input_tokens_details"]["cache_write_tokens_details"] = {
            key: kept.get(ttl, 0) for ttl, key in _TTLS.items()
        }
    _lower_money(usage, lowered)
    uses = dict(usage.server_tool_requests)
    for key, name in _XAI.items():
        if name in uses:
            lowered[key] = uses.pop(name)
    if spelled(usage, SERVER_SIDE, RESPONSE):
        lowered[SERVER_SIDE] = {f"{name}_calls": count for name, count in sorted(uses.items())}
    for step in usage.steps:
        if step.provider_type == _CONTEXT:
            lowered[_CONTEXT] = _STEP.lower(step.usage, {})
    return lowered


def _lower_money(usage: Usage, lowered: JsonObject) -> None:
    costs = {cost.meter: cost.usd for cost in usage.costs}
    if spelled(usage, OBJECT, RESPONSE):
        lowered["cost"] = {"currency": "USD", **_numbers(costs, _COSTS.items())}
    elif "total" in costs and spelled(usage, TICKS, RESPONSE):
        lowered[TICKS] = int(Decimal(costs["total"]) / _TICK)
    elif "total" in costs:
        lowered["cost"] = float(costs["total"])
    if details := _numbers(costs, _DETAILS.items()):
        lowered["cost_details"] = details


def _numbers(costs: Mapping[str, str], names: Iterable[tuple[str, str]]) -> JsonObject:
    return {key: float(costs[meter]) for meter, key in names if meter in costs}


def _money(value: Json) -> str | None:
    """An amount as decimal text; None where it is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return format(Decimal(repr(value)), "f")
