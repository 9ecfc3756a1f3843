"""The usage block in both directions, whatever a provider calls its counts.

Every meaning is a slot with one or more JSON paths. The first path is OpenAI's (or its inventor's) own; which other
paths a provider used is a spelling. Paths start at the answer, for some providers put counts outside `usage`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from antiphon.v1 import content_pb2, usage_pb2
from antiphon.wire.jsontext import JsonObject, dumps, objects, same, word
from antiphon.wire.openai_chat.plain_usage import lift_plain, lower_plain
from antiphon.wire.openai_chat.quirks import WIRE
from antiphon.wire.openai_chat.spelling import RESPONSE, spell
from antiphon.wire.remainder import keep, restore

Value = int | float | str | bool
Usage = usage_pb2.Usage

INT64 = 2**63


@dataclass(frozen=True, slots=True)
class Slot:
    """One meaning: where it stands in JSON, and how to read and write it in Usage. `put` refuses by ValueError."""

    paths: tuple[str, ...]
    get: Callable[[Usage], Value | None]
    put: Callable[[Usage, Any], None]


def _field(kind: Callable[[Any], Value], name: str, *paths: str) -> Slot:
    inner, _, last = name.rpartition(".")

    def get(usage: Usage) -> Value | None:
        holder: Any = usage
        if inner:
            if not usage.HasField(inner):  # type: ignore[arg-type]
                return None
            holder = getattr(usage, inner)
        if holder.DESCRIPTOR.fields_by_name[last].has_presence:
            return getattr(holder, last) if holder.HasField(last) else None
        return getattr(holder, last) or None

    def put(usage: Usage, value: Any) -> None:
        holder = getattr(usage, inner) if inner else usage
        setattr(holder, last, kind(value))

    return Slot(paths, get, put)


def _modality(field: str, modality: content_pb2.Modality.ValueType, count: str, *paths: str) -> Slot:
    def get(usage: Usage) -> Value | None:
        for item in getattr(usage, field):
            if item.modality == modality and item.HasField(count):
                return int(getattr(item, count))
        return None

    def put(usage: Usage, value: Any) -> None:
        number = whole(value)
        items = getattr(usage, field)
        item = next((item for item in items if item.modality == modality), None)
        setattr(items.add(modality=modality) if item is None else item, count, number)

    return Slot(paths, get, put)


def _tool(name: str, *paths: str) -> Slot:
    def get(usage: Usage) -> Value | None:
        return usage.server_tool_requests.get(name)

    def put(usage: Usage, value: Any) -> None:
        usage.server_tool_requests[name] = whole(value)

    return Slot(paths, get, put)


def _cost(meter: str, *paths: str) -> Slot:
    def get(usage: Usage) -> Value | None:
        text = next((cost.usd for cost in usage.costs if cost.meter == meter), None)
        return None if text is None else float(text)

    def put(usage: Usage, value: Any) -> None:
        usage.costs.add(meter=meter, usd=format(Decimal(repr(number(value))), "f"))

    return Slot(paths, get, put)


def whole(value: Any) -> int:
    """A JSON number that is a count. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value) or abs(value) >= INT64:
        raise ValueError(value)
    return int(value)


def number(value: Any) -> float:
    """A JSON number. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(value)  # noqa: TRY004 - one error for every value that does not fit
    return value


def text(value: Any) -> str:
    """A JSON string that says something. Raises ValueError."""
    if not isinstance(value, str) or not value:
        raise ValueError(value)
    return value


def truth(value: Any) -> bool:
    """A JSON boolean. Raises ValueError."""
    if not isinstance(value, bool):
        raise ValueError(value)  # noqa: TRY004 - one error for every value that does not fit
    return value


_IN, _OUT = "usage.prompt_tokens_details", "usage.completion_tokens_details"
_TEXT, _IMAGE = content_pb2.MODALITY_TEXT, content_pb2.MODALITY_IMAGE
_AUDIO, _VIDEO = content_pb2.MODALITY_AUDIO, content_pb2.MODALITY_VIDEO
_HIT, _MISS = "usage.prompt_cache_hit_tokens", "usage.prompt_cache_miss_tokens"
_CURRENCY = "usage.cost.currency"
_APART = "reasoning_apart"
_TICKS = "usage.cost_in_usd_ticks"

SLOTS: tuple[Slot, ...] = (
    _field(whole, "input_tokens", "usage.prompt_tokens", "usage.input_tokens"),
    _field(whole, "output_tokens", "usage.completion_tokens", "usage.output_tokens"),
    _field(whole, "total_tokens", "usage.total_tokens"),
    # DeepSeek, Mistral, Together and Moonshot, Claude behind an OpenAI door.
    _field(
        whole,
        "cache_read_tokens",
        f"{_IN}.cached_tokens",
        _HIT,
        "usage.num_cached_tokens",
        "usage.cached_tokens",
        "usage.cache_read_input_tokens",
        "usage.prompt_token_details.cached_tokens",
    ),
    _field(
        whole,
        "cache_write_tokens",
        f"{_IN}.cache_write_tokens",
        f"{_IN}.cache_creation_tokens",
        "usage.cache_creation_input_tokens",
    ),
    _field(whole, "reasoning_tokens", f"{_OUT}.reasoning_tokens", "usage.reasoning_tokens"),
    _field(whole, "accepted_prediction_tokens", f"{_OUT}.accepted_prediction_tokens"),
    _field(whole, "rejected_prediction_tokens", f"{_OUT}.rejected_prediction_tokens"),
    _modality("input_by_modality", _TEXT, "tokens", f"{_IN}.text_tokens"),
    _modality("input_by_modality", _IMAGE, "tokens", f"{_IN}.image_tokens"),
    _modality("input_by_modality", _AUDIO, "tokens", f"{_IN}.audio_tokens", "usage.audio_prompt_tokens"),
    _modality("input_by_modality", _VIDEO, "tokens", f"{_IN}.video_tokens"),
    _modality("output_by_modality", _TEXT, "tokens", f"{_OUT}.text_tokens"),
    _modality("output_by_modality", _IMAGE, "tokens", f"{_OUT}.image_tokens"),
    _modality("output_by_modality", _AUDIO, "tokens", f"{_OUT}.audio_tokens"),
    _modality("output_by_modality", _VIDEO, "tokens", f"{_OUT}.video_tokens"),
    # Groq, Cerebras, LM Studio, SambaNova.
    _field(number, "timing.queue_seconds", "usage.queue_time", "time_info.queue_time"),
    _field(number, "timing.prefill_seconds", "usage.prompt_time", "time_info.prompt_time"),
    _field(
        number,
        "timing.decode_seconds",
        "usage.completion_time",
        "time_info.completion_time",
        "stats.generation_time",
    ),
    _field(number, "timing.total_seconds", "usage.total_time", "time_info.total_time", "usage.total_latency"),
    _field(number, "timing.time_to_first_token_seconds", "usage.time_to_first_token", "stats.time_to_first_token"),
    _field(number, "timing.output_tokens_per_second", "usage.completion_tokens_per_sec", "stats.tokens_per_second"),
    _field(text, "search_context_size", "usage.search_context_size"),
    _field(text, "service_tier", "usage.service_tier"),
    _field(truth, "own_key", "usage.is_byok"),
    # OpenRouter, Perplexity, xAI.
    _tool(
        "web_search_requests",
        "usage.server_tool_use_details.web_search_requests",
        "usage.server_tool_use.web_search_requests",
    ),
    _tool("tool_calls_requested", "usage.server_tool_use_details.tool_calls_requested"),
    _tool("tool_calls_executed", "usage.server_tool_use_details.tool_calls_executed"),
    _tool("search_queries", "usage.num_search_queries"),
    _tool("sources_used", "usage.num_sources_used"),
    _cost("total", "usage.cost", "usage.cost.total_cost", "usage.estimated_cost"),
    _cost("input", "usage.cost.input_tokens_cost", "usage.cost.input_cost"),
    _cost("output", "usage.cost.output_tokens_cost", "usage.cost.output_cost"),
    _cost("reasoning", "usage.cost.reasoning_tokens_cost"),
    _cost("citation", "usage.cost.citation_tokens_cost"),
    _cost("search", "usage.cost.search_queries_cost"),
    _cost("request", "usage.cost.request_cost"),
    _cost("upstream", "usage.cost_details.upstream_inference_cost"),
    _cost("upstream_input", "usage.cost_details.upstream_inference_prompt_cost"),
    _cost("upstream_output", "usage.cost_details.upstream_inference_completions_cost"),
)
_KEYS: Mapping[str, tuple[str, ...]] = {path: tuple(path.split(".")) for slot in SLOTS for path in slot.paths}
OUTSIDE = frozenset(keys[0] for keys in _KEYS.values()) - {"usage"}
"""Fields of the answer, beside `usage`, in which counts may stand."""


def lift_usage(answer: JsonObject, usage: Usage) -> None:
    """Read the counts of an answer. What the slots cannot say of its `usage` block is kept in `usage`."""
    if not lift_plain(answer, usage):
        lift_usage_by_search(answer, usage)


def lift_usage_by_search(answer: JsonObject, usage: Usage) -> None:
    """Read the counts of an answer, wherever they stand."""
    for slot in SLOTS:
        found = [(path, value) for path, value in _found(answer, slot.paths) if value is not None]
        read = _first(slot, usage, found)
        same_value = [path for path, value in found if read is not None and same(value, read)]
        if same_value and same_value != [slot.paths[0]]:
            for path in same_value:
                spell(usage, RESPONSE, path)
    block = answer.get("usage")
    if isinstance(block, dict):
        _include_reasoning(usage)
        usage.SetInParent()
        if _misses(usage) == block.get("prompt_cache_miss_tokens", -1):
            spell(usage, RESPONSE, _MISS)
        _lift_ticks(usage, block.get("cost_in_usd_ticks"))
        if isinstance(block.get("cost"), dict) and block["cost"].get("currency") == "USD":
            spell(usage, RESPONSE, _CURRENCY)
        keep(usage, WIRE, RESPONSE, _lowered(usage).get("usage", {}), block)
        usage.raw.wire, usage.raw.type, usage.raw.media_type = WIRE, "usage", "application/json"
        usage.raw.data = dumps(block)


def lower_usage(usage: Usage) -> JsonObject:
    """The counts as fields of an answer: `usage`, and what the provider put beside it."""
    plain = lower_plain(usage)
    if plain is not None:
        return {"usage": plain}
    return lower_usage_by_search(usage)


def lower_usage_by_search(usage: Usage) -> JsonObject:
    """The counts as fields of an answer, wherever they stood."""
    fields = _lowered(usage)
    if usage.raw.wire != WIRE and "usage" in fields:
        fields["usage"].pop("service_tier", None)  # Groq's place for it; elsewhere it stands beside the usage
    fields["usage"] = restore(usage, WIRE, RESPONSE, fields.get("usage", {}))
    return fields


def lift_models(breakdown: JsonObject, usage: Usage) -> None:
    """Read `usage_breakdown`: what each of several models used."""
    for item in objects(breakdown.get("models")):
        lift_usage({"usage": item.get("usage")}, usage.by_model.add(model=word(item.get("model"))).usage)


def lower_models(usage: Usage) -> JsonObject:
    """`usage_breakdown`, from what each of several models used."""
    return {"models": [{"model": item.model, "usage": lower_usage(item.usage)["usage"]} for item in usage.by_model]}


def _lowered(usage: Usage) -> JsonObject:
    names = frozenset(usage.form.spellings) if usage.HasField("form") and usage.form.wire.startswith(WIRE) else ()
    fields: JsonObject = {}
    for slot in SLOTS:
        value = slot.get(usage)
        if value is not None:
            for path in [path for path in slot.paths if path in names] or slot.paths[:1]:
                _set(fields, _KEYS[path], value)
    if _APART in names:
        _set(fields, ("usage", "completion_tokens"), usage.output_tokens - usage.reasoning_tokens)
    if _TICKS in names:
        ticks = next(Decimal(cost.usd) for cost in usage.costs if cost.meter == "total").scaleb(10)
        fields["usage"].pop("cost", None)
        _set(fields, ("usage", "cost_in_usd_ticks"), int(ticks))
    if _CURRENCY in names:
        _set(fields, ("usage", "cost", "currency"), "USD")
    if _MISS in names:
        _set(fields, ("usage", "prompt_cache_miss_tokens"), _misses(usage))
    return fields


def _lift_ticks(usage: Usage, ticks: Any) -> None:
    """xAI: a dollar is 10^10 ticks (docs.x.ai, cost tracking)."""
    if type(ticks) is int and 0 <= ticks < INT64 and not any(cost.meter == "total" for cost in usage.costs):
        usage.costs.add(meter="total", usd=format(Decimal(ticks).scaleb(-10).normalize(), "f"))
        spell(usage, RESPONSE, _TICKS)


def _include_reasoning(usage: Usage) -> None:
    """xAI counts reasoning beside the completion; the sum tells. Our totals are inclusive."""
    apart = usage.input_tokens + usage.output_tokens + usage.reasoning_tokens == usage.total_tokens
    if usage.reasoning_tokens > 0 and apart:
        usage.output_tokens += usage.reasoning_tokens
        spell(usage, RESPONSE, _APART)


def _misses(usage: Usage) -> int:
    return usage.input_tokens - usage.cache_read_tokens


def _first(slot: Slot, usage: Usage, found: list[tuple[str, Any]]) -> Value | None:
    for _, value in found:
        try:
            slot.put(usage, value)
        except ValueError:
            continue
        return slot.get(usage)
    return None


def _found(answer: JsonObject, paths: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    for path in paths:
        value: Any = answer
        for key in _KEYS[path]:
            value = value.get(key) if isinstance(value, dict) else None
        yield path, value


def _set(fields: JsonObject, keys: tuple[str, ...], value: Value | int) -> None:
    for key in keys[:-1]:
        inner = fields.setdefault(key, {})
        if not isinstance(inner, dict):  # `cost` is a number and an object in one answer: the first one stands
            return
        fields = inner
    if not isinstance(fields.get(keys[-1]), dict):
        fields[keys[-1]] = value
