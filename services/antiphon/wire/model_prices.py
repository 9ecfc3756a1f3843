"""Prices of models, as texts for a token (OpenRouter) or as numbers for a million tokens (Together, Perplexity)."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from antiphon.v1 import models_pb2
from antiphon.wire.jsontext import JsonObject

Model = models_pb2.Model
WIRE = "openai_models"
DIRECTION = "response"

_METERS = {
    "prompt": "input",
    "completion": "output",
    "input_cache_read": "cache_read",
    "input_cache_write": "cache_write",
    "internal_reasoning": "reasoning",
}
_METER_NAMES = {meter: name for name, meter in _METERS.items()}
_UNITS = {"request": "request", "image": "image", "web_search": "search", "hourly": "hour"}
_PER_MILLION = "usd_per_1m_tokens"
_NUMBERS = "pricing_numbers"
"""Prices as numbers for a million tokens (Together, Perplexity) instead of texts for a token (OpenRouter)."""


def lift_prices(model: Model, pricing: Any) -> None:
    """Read `pricing`."""
    if not isinstance(pricing, dict):
        return
    numbers = [value for value in pricing.values() if isinstance(value, int | float)]
    if numbers:
        spell(model, _NUMBERS)
    if pricing.get("unit") == _PER_MILLION:
        spell(model, _PER_MILLION)
    for name, value in pricing.items():
        nanos = _nanos(value, per_token=not numbers and name not in _UNITS, per_unit=name in _UNITS)
        if nanos is not None:
            meter = name if numbers else _METERS.get(name, name)
            model.prices.add(meter=meter, usd_nanos_per_million=nanos, unit=_UNITS.get(name, ""))


def lower_prices(data: JsonObject, model: Model) -> None:
    """Write `pricing`."""
    if not model.prices:
        return
    numbers = spelled(model, _NUMBERS)
    pricing: JsonObject = {"unit": _PER_MILLION} if spelled(model, _PER_MILLION) else {}
    for price in model.prices:
        name = price.meter if numbers else _METER_NAMES.get(price.meter, price.meter)
        scale = 9 if numbers and not price.unit else 15
        value = Decimal(price.usd_nanos_per_million).scaleb(-scale)
        pricing[name] = float(value) if numbers else _plain(value)
    data["pricing"] = pricing


def _nanos(value: Any, *, per_token: bool, per_unit: bool) -> int | None:
    """Billionths of a dollar for a million; None where the value is no such price or not exact."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        nanos = Decimal(str(value)).scaleb(15 if per_token or per_unit else 9)
    except InvalidOperation:
        return None
    exact = nanos.is_finite() and nanos >= 0 and nanos == nanos.to_integral_value() and nanos < 2**63
    return int(nanos) if exact else None


def _plain(value: Decimal) -> str:
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def has_form(model: Model) -> bool:
    """Whether the model was read from this wire."""
    return model.HasField("form") and model.form.wire.startswith(WIRE)


def spelled(model: Model, name: str) -> bool:
    """Whether the model was read in the spelling `name`."""
    return has_form(model) and name in model.form.spellings


def spell(model: Model, name: str) -> None:
    """Note that the model was read in the spelling `name`."""
    if name not in model.form.spellings:
        model.form.wire = f"{WIRE}/{DIRECTION}"
        model.form.spellings.append(name)
