"""Which recording a session hears next for a request, and what there is to remember of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from antiphon.harness.sessions import Place, Session
from antiphon.harness.shelf import Bucket, Recording


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The recording that a session hears next, and what to undo where it is not played after all.

    `used_up`: there is none left, and `recording` was the last one.
    """

    recording: Recording
    session: str
    place: Place
    moved: bool
    used_up: bool = False
    repeated: Repeated | None = None
    """What the session hears at its next equal request too; None where that cannot be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeated:
    """A recording that a session hears again at each equal request, and what has to stay as it is for that."""

    recording: Recording
    epoch: int
    session: str
    state: Session
    place: Place
    cursor: int


class Next(NamedTuple):
    """A recording, the place of its cursor, and whether the session has yet to hear it."""

    recording: Recording
    place: Place
    fresh: bool


def next_of(
    buckets: Iterable[Bucket], state: Session, cassette_name: str | None, names: Sequence[str] | None, *, whole: bool
) -> Next | None:
    """Return what a session hears next of these recordings, the last one where it has heard all; None for none.

    `names` are the cassettes that `cassette_name` means; `whole` passes over recordings whose caller left.
    """
    upcoming: list[Next] = []
    heard: list[Next] = []
    for bucket in buckets:
        last = bucket.last(names, whole=whole)
        if last is None:
            continue
        place = (cassette_name or "", last.key, whole)
        recording = bucket.pick(state.cursors.get(place, 0), names, whole=whole)
        if recording is not None:
            upcoming.append(Next(recording, place, fresh=True))
        else:
            heard.append(Next(last, place, fresh=False))
    if upcoming:
        return upcoming[0] if len(upcoming) == 1 else min(upcoming, key=_order)
    return max(heard, key=_order, default=None)


def _order(found: Next) -> tuple[str, int]:
    return found.recording.cassette, found.recording.position
