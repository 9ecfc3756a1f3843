"""The settings of faults as values: whole numbers, seconds, texts, each with its bounds."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from antiphon.harness.errors import BadRecordingCall


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting: how its text is read, the value without it, and what it means in words."""

    name: str
    read: Callable[[str], Any]
    default: Any
    meaning: str


def whole(least: int, most: int) -> Callable[[str], int]:
    """Reads whole numbers within bounds."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError as error:
            raise ValueError("give a whole number") from error
        if not least <= value <= most:
            raise ValueError(f"give {least} to {most}")
        return value

    return read


def number(least: float, most: float) -> Callable[[str], float]:
    """Reads numbers within bounds."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError as error:
            raise ValueError("give a number") from error
        if not math.isfinite(value) or not least <= value <= most:
            raise ValueError(f"give {least:g} to {most:g}")
        return value

    return read


def plain(text: str) -> str:
    """Reads texts that a header can carry."""
    if not text or not text.isprintable() or not text.isascii():
        raise ValueError("give plain text")
    return text


def read_all(fault: str, known: tuple[Setting, ...], given: Mapping[str, str]) -> dict[str, Any]:
    """The values of a fault's settings. Raises BadRecordingCall for an unknown or unreadable one."""
    by_name = {each.name: each for each in known}
    if unknown := sorted(set(given) - set(by_name)):
        names = ", ".join([*by_name, "times", "after"])
        raise BadRecordingCall(f"the fault {fault!r} has no setting {', '.join(unknown)}; it has: {names}")
    values = {each.name: each.default for each in known}
    for name, text in given.items():
        try:
            values[name] = by_name[name].read(text)
        except ValueError as error:
            raise BadRecordingCall(f"the fault {fault!r} has {name}={text!r}; {error}") from error
    return values
