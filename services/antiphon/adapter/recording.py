"""Whether a call is live, recorded or replayed: the operator's default, and what a caller may ask for instead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from antiphon.core.call import Call
from antiphon.core.errors import Reason, ServiceError, invalid

MODES = ("live", "record", "replay", "record-on-miss")

SETTINGS = ("session", "cassette", "scenario", "pace", "chunking", "fault", "repeat")
"""What a caller may ask of the recording transport beside the mode, each as metadata `x-antiphon-` and the word. The
transport reads the values and refuses what it can't read."""
_WORDS = {f"x-antiphon-{name}": name for name in SETTINGS}

KEYLESS = frozenset({"replay", "record-on-miss"})
"""Modes in which a provider's key may be missing: no call, or none but on a miss, leaves the machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingPolicy:
    """The operator's choice.

    `overridable` lists the modes that a caller may ask for by metadata; `recorded` names the providers that have
    recordings, which is what being configured means where nothing is called.
    """

    mode: str = "live"
    overridable: frozenset[str] = frozenset()
    recorded: frozenset[str] = frozenset()

    def mode_of(self, call: Call) -> str:
        """The mode of this call. Raises ServiceError MODE_NOT_ALLOWED or INVALID_REQUEST."""
        asked = call.metadata.get("x-antiphon-mode")
        if asked is None or asked == self.mode:
            return self.mode
        if asked not in MODES:
            raise invalid("metadata.x-antiphon-mode", f"is {asked!r}; one of {', '.join(MODES)}")
        if asked not in self.overridable:
            allowed = ", ".join(sorted({self.mode, *self.overridable}))
            raise ServiceError(
                Reason.MODE_NOT_ALLOWED,
                f"mode {asked!r} is not allowed here, only: {allowed}; the operator can allow it with "
                "ANTIPHON_ALLOW_MODES",
            )
        return asked

    def options(self, call: Call, provider: str) -> Mapping[str, str] | None:
        """What the recording transport has to know of this call; None where the call is plainly live."""
        mode = self.mode_of(call)
        if mode == "live":
            if "x-antiphon-fault" in call.metadata:
                raise invalid("metadata.x-antiphon-fault", "a fault can't happen to a call in mode live; replay it")
            return {"mode": mode} if self.mode != "live" else None
        plain = _plain(mode, provider)
        if not call.metadata:
            return plain
        return {**plain, **{_WORDS[key]: value for key, value in call.metadata.items() if key in _WORDS}}


@lru_cache(maxsize=256)
def _plain(mode: str, provider: str) -> Mapping[str, str]:
    """What there is to know of a call that asks for nothing; the same object each time, so nobody may change it."""
    return MappingProxyType({"mode": mode, "provider": provider})
