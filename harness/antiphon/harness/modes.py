"""How one call is treated: where its answer comes from, which session and cassette, at which pace.

The adapter may not import the harness, so the same settings are also read from a plain mapping in
`request.extensions["antiphon"]`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from types import NoneType
from typing import Final, Self

from antiphon.harness.errors import BadRecordingCall

EXTENSION: Final = "antiphon"
"""The key of `request.extensions` and `response.extensions` that the harness reads and writes."""

PACE_WORDS: Final[Mapping[str, float]] = {"recorded": 1.0, "none": 0.0}
REPEAT_WORDS: Final[Mapping[str, bool]] = {"true": True, "false": False}


class Mode(StrEnum):
    """Where an answer comes from."""

    LIVE = "live"
    """The provider; nothing is written."""
    RECORD = "record"
    """The provider; the answer replaces what the cassette held for this request."""
    REPLAY = "replay"
    """The cassettes; a miss is an error, never a live call."""
    RECORD_ON_MISS = "record-on-miss"
    """The cassettes; a miss is asked of the provider and recorded."""


class Outcome(StrEnum):
    """How a recorded exchange ended."""

    COMPLETE = "complete"
    TRUNCATED = "truncated"
    """The connection broke, or the protocol did, before the answer was whole."""
    REFUSED = "refused"
    """No connection was made (refused, DNS, TLS)."""
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    """The caller left before the answer was whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingCall:
    """Settings of one call; None means the transport's own default.

    `pace` multiplies the recorded delays: 1 as recorded, 0.5 twice as fast, 0 none. `cassette` is
    `name` or `provider/name` without suffix; `provider` is the folder for a bare name when recording.
    `chunking` is a word of `chunking.CHUNKINGS`; `fault` is for the shapers that know it. `repeat` says whether
    the last equal recording answers again once all are used up; the words true and false are read too.
    """

    mode: Mode | None = None
    session: str | None = None
    cassette: str | None = None
    pace: float | None = None
    provider: str | None = None
    scenario: str | None = None
    chunking: str | None = None
    fault: str | None = None
    repeat: bool | None = None

    def __post_init__(self) -> None:
        """Read the words of mode, pace and repeat, so that `mode="record"` can't pass for something else."""
        for name in _TEXTS:
            if not isinstance(getattr(self, name), (str, NoneType)):
                raise BadRecordingCall(f"the recording setting {name!r} must be text")
        if self.mode is not None:
            object.__setattr__(self, "mode", mode_of(self.mode))
        if self.pace is not None:
            object.__setattr__(self, "pace", pace_of(self.pace))
        if self.repeat is not None:
            object.__setattr__(self, "repeat", repeat_of(self.repeat))

    @classmethod
    def of(cls, value: object) -> Self:
        """Read settings from None, a RecordingCall or a mapping with its field names.

        Raises BadRecordingCall for an unknown key or value.
        """
        if value is None:
            return cls()
        if isinstance(value, cls):
            return value
        if not isinstance(value, Mapping):
            raise BadRecordingCall(
                f"extensions[{EXTENSION!r}] must be a mapping or a RecordingCall, not {type(value).__name__}"
            )
        unknown = sorted(str(key) for key in value if key not in _NAMES)
        if unknown:
            raise BadRecordingCall(f"unknown recording settings {unknown}; known: {sorted(_NAMES)}")
        return cls(**value)

    def over(self, default: RecordingCall) -> RecordingCall:
        """Return these settings, with the unset ones taken from `default`."""
        own = {name: getattr(self, name) for name in _NAMES}
        return type(default)(**{n: getattr(default, n) if value is None else value for n, value in own.items()})


_NAMES: Final = tuple(field.name for field in fields(RecordingCall))
_TEXTS: Final = ("session", "cassette", "provider", "scenario", "chunking", "fault")


def mode_of(value: object) -> Mode:
    """Return the mode of that name; raises BadRecordingCall for another word."""
    try:
        return Mode(str(value))
    except ValueError as error:
        raise BadRecordingCall(
            f"unknown mode {str(value)[:40]!r}; use one of {', '.join(mode.value for mode in Mode)}"
        ) from error


def pace_of(value: object) -> float:
    """Return the factor for "recorded", "none" or a number >= 0; raises BadRecordingCall otherwise."""
    try:
        factor = PACE_WORDS[value] if value in PACE_WORDS else float(str(value))  # type: ignore[index]
    except (TypeError, ValueError) as error:
        raise BadRecordingCall(_PACE_HELP) from error
    if not math.isfinite(factor) or factor < 0:
        raise BadRecordingCall(_PACE_HELP)
    return factor


def repeat_of(value: object) -> bool:
    """Return the truth of a bool or of the words "true" and "false"; raises BadRecordingCall otherwise."""
    if isinstance(value, bool):
        return value
    if not isinstance(value, str) or value.lower() not in REPEAT_WORDS:
        raise BadRecordingCall("repeat must be true or false: whether the last equal recording answers again")
    return REPEAT_WORDS[value.lower()]


_PACE_HELP: Final = "pace must be 'recorded', 'none' or a number >= 0 that multiplies the recorded delays"
