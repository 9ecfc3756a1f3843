"""Times as words such as "5m", as several providers write how long a cache lives."""

from __future__ import annotations

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
