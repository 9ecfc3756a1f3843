"""Recordings as the store holds them in memory: handles without bodies, and the buckets that requests lead to."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from antiphon.harness.folder import Stamp
from antiphon.harness.interaction import Interaction
from antiphon.harness.matching import Matcher
from antiphon.harness.sessions import label

CACHE_BYTES: Final = 32 * 1024 * 1024
_OVERHEAD: Final = 4096
"""What an interaction weighs beside its bodies: headers, chunks, provenance."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)  # compared by identity: two can be equal in all but place
class Recording:
    """A recorded exchange's place: cassette name and position in it, the key that it answers, its endpoint.

    `interaction` reads it from its file unless it was read lately.
    """

    cassette: str
    position: int
    key: str
    endpoint: str
    matcher: Matcher
    scenario: str | None
    cancelled: bool
    sketch: bytes
    span: tuple[int, int] | None
    read: Callable[[Recording], Interaction]

    @property
    def label(self) -> str:
        """The place as a person reads it, such as `openai/chat.yaml #2`."""
        return label(self.cassette, self.position)

    @property
    def interaction(self) -> Interaction:
        """The exchange. Blocks on the disk; raises CassetteUnreadable, also where the file has changed since."""
        return self.read(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """One file's recordings. `settled`: its stamp tells it from every other content."""

    stamp: Stamp
    settled: bool
    sha256: str
    recordings: tuple[Recording, ...]


class Bucket:
    """The recordings of equal requests, in the order in which they answer."""

    __slots__ = ("_all", "_whole")

    def __init__(self, recordings: list[Recording]) -> None:
        self._all = sorted(recordings, key=_order) if len(recordings) > 1 else recordings
        left = any(recording.cancelled for recording in recordings)
        self._whole = [recording for recording in self._all if not recording.cancelled] if left else self._all

    def __iter__(self) -> Iterator[Recording]:
        return iter(self._all)

    def pick(self, number: int, names: Sequence[str] | None, *, whole: bool) -> Recording | None:
        """Return the recording of that number among those of the named cassettes (None for all), or None."""
        items = self._whole if whole else self._all
        if names is None:
            return items[number] if number < len(items) else None
        for name in names:
            start = bisect_left(items, name, key=_cassette)
            count = bisect_right(items, name, lo=start, key=_cassette) - start
            if number < count:
                return items[start + number]
            number -= count
        return None

    def last(self, names: Sequence[str] | None, *, whole: bool) -> Recording | None:
        """Return the last of them, None where there is none."""
        items = self._whole if whole else self._all
        if names is None:
            return items[-1] if items else None
        for name in reversed(names):
            stop = bisect_right(items, name, key=_cassette)
            if stop and items[stop - 1].cassette == name:
                return items[stop - 1]
        return None


class BodyCache:
    """The interactions read last, by weight. Not safe by itself between threads."""

    def __init__(self, most_bytes: int = CACHE_BYTES) -> None:
        self._most = most_bytes
        self._held: OrderedDict[Recording, tuple[Interaction, int]] = OrderedDict()
        self._bytes = 0

    def get(self, recording: Recording) -> Interaction | None:
        """Return an interaction that is held."""
        held = self._held.get(recording)
        if held is None:
            return None
        self._held.move_to_end(recording)
        return held[0]

    def put(self, recording: Recording, interaction: Interaction) -> None:
        """Hold an interaction, and let go of those longest unused where that is too much."""
        self.drop(recording)
        weight = len(interaction.request.body) + len(interaction.answer.body) + _OVERHEAD
        self._held[recording] = (interaction, weight)
        self._bytes += weight
        while self._bytes > self._most and len(self._held) > 1:
            self.drop(next(iter(self._held)))

    def drop(self, recording: Recording) -> None:
        """Let go of an interaction."""
        held = self._held.pop(recording, None)
        if held is not None:
            self._bytes -= held[1]


def _order(recording: Recording) -> tuple[str, int]:
    return recording.cassette, recording.position


def _cassette(recording: Recording) -> str:
    return recording.cassette
