"""The recordings of a folder in memory, by every way in which they are looked for."""

from __future__ import annotations

import gc
from bisect import insort
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain

from antiphon.harness import files
from antiphon.harness.matching import Matcher
from antiphon.harness.shelf import Bucket, Recording, Shelf


class Catalog:
    """Shelves by name, recordings by key and by endpoint. Not safe by itself between threads."""

    def __init__(self) -> None:
        self.shelves: dict[str, Shelf] = {}
        self._by_key: dict[str, Bucket] = {}
        self._by_endpoint: dict[str, dict[Recording, None]] = {}
        self._by_last_part: dict[str, list[str]] = {}
        self._matchers: dict[int, Matcher] = {}

    def __len__(self) -> int:
        return sum(len(shelf.recordings) for shelf in self.shelves.values())

    def __iter__(self) -> Iterator[Recording]:
        return chain.from_iterable([self.shelves[name].recordings for name in sorted(self.shelves)])

    @property
    def matchers(self) -> Iterable[Matcher]:
        """The rules under which recordings have their keys."""
        return self._matchers.values()

    def equal(self, key: str) -> Bucket | None:
        """Return the recordings with a key."""
        return self._by_key.get(key)

    def at(self, endpoint: str) -> tuple[Recording, ...]:
        """Return the recordings of an endpoint."""
        return tuple(self._by_endpoint.get(endpoint, ()))

    def named(self, cassette_name: str | None) -> list[str] | None:
        """Return the full names that a name or its last part means, sorted; None means all."""
        if cassette_name is None:
            return None
        wanted = f"/{cassette_name.removesuffix(files.SUFFIX)}"
        last = wanted.rpartition("/")[2]
        return [name for name in self._by_last_part.get(last, ()) if f"/{name}".endswith(wanted)]

    def current(self, recording: Recording) -> Recording | None:
        """Return what is now at the place of a recording that may be of an earlier state of its file."""
        shelf = self.shelves.get(recording.cassette)
        if shelf is None or recording.position >= len(shelf.recordings):
            return None
        return shelf.recordings[recording.position]

    def install(self, changes: Mapping[str, Shelf | None]) -> list[Recording]:
        """Put shelves in place of those of the same names (None takes one away); return the recordings that left."""
        gone: dict[str, set[Recording]] = {}
        new: dict[str, list[Recording]] = {}
        for name, shelf in changes.items():
            self._place(name, shelf, gone)
            for recording in shelf.recordings if shelf is not None else ():
                new.setdefault(recording.key, []).append(recording)
                self._by_endpoint.setdefault(recording.endpoint, {})[recording] = None
                # By identity, which is quicker to tell than equality. Rules that no recording has any more stay: they
                # cost a hash a lookup, until the next start.
                self._matchers[id(recording.matcher)] = recording.matcher
        for key in gone.keys() | new.keys():
            left = [recording for recording in self._by_key.pop(key, ()) if recording not in gone.get(key, ())]
            if left or key in new:
                self._by_key[key] = Bucket(left + new.get(key, []))
        return list(chain.from_iterable(gone.values()))

    def _place(self, name: str, shelf: Shelf | None, gone: dict[str, set[Recording]]) -> None:
        old = self.shelves.pop(name, None)
        for recording in old.recordings if old is not None else ():
            gone.setdefault(recording.key, set()).add(recording)
            self._by_endpoint[recording.endpoint].pop(recording, None)
        names = self._by_last_part.setdefault(name.rpartition("/")[2], [])
        if shelf is None and old is not None:
            names.remove(name)
        if shelf is not None:
            self.shelves[name] = shelf
            if old is None:
                insort(names, name)


@contextmanager
def collecting(on: bool) -> Iterator[None]:
    """Turn the garbage collector on or off for a while.

    Off while much is built at once: none of it is garbage, and walking over it again and again takes longer than
    building it.
    """
    was = gc.isenabled()
    (gc.enable if on else gc.disable)()
    try:
        yield
    finally:
        (gc.enable if was else gc.disable)()
