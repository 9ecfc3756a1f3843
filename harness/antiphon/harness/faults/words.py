"""The words that ask for faults: `429;retry-after=2`, `cut@event=3`, `slow@rate=200+cut@event=9`.

A fault is a name and settings; `@` and `;` both stand between them. `+` joins faults that happen together, in that
order. Two settings go with every fault: `times=n` lets it happen only to the first n calls that it would be for, and
`after=n` leaves the first n of them alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from antiphon.harness.errors import BadRecordingCall

NONE: Final = "none"
"""The word for no fault at all, whatever the session or a plan says."""
MOST: Final = 500
"""Characters of one request for faults."""
_SETTING: Final = re.compile(r"([a-z][a-z0-9-]*)=(.*)", re.DOTALL)
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]*")
_CHOICE: Final = ("times", "after")


class FaultNotApplicable(BadRecordingCall):
    """The fault has nothing to change in this answer, such as no `[DONE]` to leave out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One fault as it was asked for: its name, and its settings as texts."""

    name: str
    settings: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What one text asks for: faults, and for which of the calls. `times` None is for all of them."""

    text: str
    faults: tuple[Asked, ...]
    times: int | None = None
    after: int = 0

    def wants(self, number: int) -> bool:
        """Whether it is for the call of this number, counted from 1 among those that it would be for."""
        return number > self.after and (self.times is None or number <= self.after + self.times)


def read(text: str) -> Request:
    """The faults that a text asks for. Raises BadRecordingCall where it cannot be read."""
    if len(text) > MOST:
        raise BadRecordingCall(f"a fault of {len(text)} characters; {MOST} are enough for any")
    choice: dict[str, int] = {}
    faults = []
    for part in text.strip().split("+"):
        name, *settings = re.split("[@;]", part.strip())
        if not _NAME.fullmatch(name):
            raise BadRecordingCall(f"the fault {part.strip()!r} has no name; say for instance '429;retry-after=2'")
        read_settings: dict[str, str] = {}
        for setting in settings:
            found = _SETTING.fullmatch(setting.strip())
            if found is None:
                raise BadRecordingCall(f"the fault {name!r} has {setting!r}, which is not of the form name=value")
            key, value = found[1], found[2].strip()
            if key in _CHOICE:
                choice[key] = _count(name, key, value)
            elif key in read_settings:
                raise BadRecordingCall(f"the fault {name!r} has the setting {key!r} twice")
            else:
                read_settings[key] = value
        faults.append(Asked(name=name, settings=read_settings))
    return Request(text=text.strip(), faults=tuple(faults), times=choice.get("times"), after=choice.get("after", 0))


def _count(name: str, key: str, value: str) -> int:
    if not value.isdecimal() or len(value) > 9:
        raise BadRecordingCall(f"the fault {name!r} has {key}={value!r}; give a whole number")
    return int(value)
