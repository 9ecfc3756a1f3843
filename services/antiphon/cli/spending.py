"""What a run of live calls has cost so far, and whether the next one may be made.

A cost is what the provider says, else tokens times a price that somebody stated, else unknown. An unknown cost is
counted and told; it is never taken for nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final

from antiphon.v1 import models_pb2, usage_pb2

Prices = Mapping[str, int]
"""Billionths of a US dollar for a million of the meter: `input`, `output`, `cache_read`, ..., and `request`."""

_NANOS: Final = 15
"""Digits from billionths of a dollar for a million down to dollars for one."""


def price(input_usd: str, output_usd: str) -> Prices:
    """Prices of dollars for a million tokens, as decimal text. Raises ValueError."""
    try:
        meters = {"input": Decimal(input_usd), "output": Decimal(output_usd)}
    except InvalidOperation as error:
        raise ValueError(
            f"{input_usd}/{output_usd} is no price; write dollars for a million tokens: 0.15/0.60"
        ) from error
    if not all(value.is_finite() and value >= 0 for value in meters.values()):
        raise ValueError(f"{input_usd}/{output_usd} is no price; it must be 0 or more")
    return {meter: int(value.scaleb(9)) for meter, value in meters.items()}


def prices_of(model: models_pb2.Model) -> Prices | None:
    """What a provider's own list says of a model; None where it lists no price of tokens."""
    meters = {item.meter: item.usd_nanos_per_million for item in model.prices}
    return meters if {"input", "output"} <= meters.keys() else None


def cost_of(usage: usage_pb2.Usage, prices: Prices | None) -> Decimal | None:
    """US dollars; None where neither the provider nor a price tells."""
    said = {cost.meter: cost.usd for cost in usage.costs}
    if "total" in said:
        return Decimal(said["total"])
    if prices is None or not usage.HasField("input_tokens"):
        return None
    read, written = usage.cache_read_tokens, usage.cache_write_tokens
    counts = {
        # The totals are inclusive: what the cache gave is billed by its own price where there is one.
        "input": usage.input_tokens
        - (read if "cache_read" in prices else 0)
        - (written if "cache_write" in prices else 0),
        "output": usage.output_tokens,
        "cache_read": read,
        "cache_write": written,
        "request": 1,
    }
    if written and "cache_write" not in prices:
        return None  # writing costs more than reading plainly, and how much more is not known
    nanos = sum(prices.get(meter, 0) * count for meter, count in counts.items())
    return Decimal(nanos).scaleb(-_NANOS)


def dollars(amount: Decimal) -> str:
    """An amount as decimal text, without the noughts at its end."""
    return f"{amount.normalize():f}"


@dataclass(slots=True)
class Ledger:
    """The calls of a run. `limit` is in US dollars, None for none; `allow_unknown` lets calls go on whose cost is not
    known although there is a limit."""

    limit: Decimal | None = None
    allow_unknown: bool = False
    known: Decimal = Decimal(0)
    calls: int = 0
    unknown: int = 0

    def book(self, cost: Decimal | None) -> None:
        """Note a call that was made; None for an unknown cost."""
        self.calls += 1
        if cost is None:
            self.unknown += 1
        else:
            self.known += cost

    def refusal(self, worst: Decimal | None = None) -> str:
        """Why the next call may not be made, and what to do; empty where it may. `worst` is the most it can cost."""
        if self.limit is None:
            return ""
        if self.unknown and not self.allow_unknown:
            return (
                f"the cost of {self.unknown} of {self.calls} calls is not known, so the limit cannot be kept: give "
                "--price PROVIDER/MODEL=INPUT/OUTPUT, or --allow-unknown-cost"
            )
        spent = f"${dollars(self.known)} of ${dollars(self.limit)} are spent"
        if self.known >= self.limit:
            return spent
        if worst is not None and self.known + worst > self.limit:
            return f"{spent}, and the next call may cost ${dollars(worst)}"
        return ""

    def said(self) -> str:
        """The sum for a person."""
        calls = f"{self.calls} call{'s' if self.calls != 1 else ''}"
        if self.unknown == self.calls and self.calls:
            return f"cost unknown for {calls}"
        rest = f", and {self.unknown} of {calls} of unknown cost" if self.unknown else f" for {calls}"
        return f"${dollars(self.known)}{rest}"


def worst_of(prices: Prices | None, request_bytes: int, max_output_tokens: int | None) -> Decimal | None:
    """The most that a call can cost: a token is at least a byte. None where a price or a bound is missing."""
    if prices is None or max_output_tokens is None:
        return None
    nanos = prices["input"] * request_bytes + prices["output"] * max_output_tokens + prices.get("request", 0)
    return Decimal(nanos).scaleb(-_NANOS)
