"""When a provider will take a call again, from what its refusal says. Pure: dates count from the reply's own Date."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime

LONGEST = 86_400.0
"""Past a day a delay is no delay but a mistake in reading, such as an absolute time."""
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|d|h|m|s)")
_SAID = re.compile(
    r"(?:try again in|retry in|retry after|wait)\s*:?\s*((?:\d+(?:\.\d+)?\s*(?:ms|h|m|s)(?:ec\w*|in\w*|our\w*)?\s*)+)",
    re.IGNORECASE,
)
_SECONDS_SAID = re.compile(r"(?:try again in|retry in|retry after|wait)\s*:?\s*(\d+(?:\.\d+)?)\s*second", re.IGNORECASE)
_RESETS = ("requests", "tokens")


def delay(headers: Mapping[str, str], text: str = "", spans: Iterable[str] = ()) -> float | None:
    """Seconds to wait; None where the reply does not say. `text` is the message, `spans` are such as "38s"."""
    candidates = (
        _number(headers.get("retry-after-ms"), 0.001),
        _after(headers.get("retry-after"), headers.get("date")),
        *(_span(span) for span in spans),
        _resets(headers),
        _absolute(headers.get("x-ratelimit-reset"), headers.get("date")),
        _in_text(text),
    )
    return next((found for found in candidates if found is not None and 0 < found <= LONGEST), None)


def _number(value: str | None, unit: float) -> float | None:
    try:
        return float(value) * unit if value else None
    except ValueError:
        return None


def _after(value: str | None, date: str | None) -> float | None:
    """Retry-After: seconds, or an HTTP date (RFC 9110, 10.2.3)."""
    number = _number(value, 1.0)
    if number is not None or not value:
        return number
    until, now = _date(value), _date(date)
    return (until - now).total_seconds() if until and now else None


def _resets(headers: Mapping[str, str]) -> float | None:
    """OpenAI's and Groq's x-ratelimit-reset-*: of the limits that are used up, the one that lasts longest."""
    waits = []
    for kind in _RESETS:
        remaining = _number(headers.get(f"x-ratelimit-remaining-{kind}"), 1.0)
        wait = _span(headers.get(f"x-ratelimit-reset-{kind}", ""))
        if wait is not None and remaining is not None and remaining <= 0:
            waits.append(wait)
    return max(waits, default=None)


def _absolute(value: str | None, date: str | None) -> float | None:
    """x-ratelimit-reset: seconds to wait, or a time since 1970 in seconds or milliseconds (OpenRouter)."""
    number = _number(value, 1.0)
    if number is None or number <= LONGEST:
        return number
    now = _date(date)
    return (number / 1000 if number > 1e11 else number) - now.timestamp() if now else None


def _span(text: str) -> float | None:
    """A span such as "6m0s", "20ms" or "1.5s"."""
    found = _SPAN.findall(text)
    return sum(float(number) * _UNITS[unit] for number, unit in found) if found else _number(text, 1.0)


def _in_text(text: str) -> float | None:
    seconds = _SECONDS_SAID.search(text)
    if seconds:
        return float(seconds.group(1))
    found = _SAID.search(text)
    return _span(found.group(1)) if found else None


def _date(value: str | None) -> datetime | None:
    try:
        return parsedate_to_datetime(value) if value else None
    except (TypeError, ValueError):
        return None
