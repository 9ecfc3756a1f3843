"""A folder of cassettes as one index: a request's hash leads to its recordings without a scan.

Equal requests answer in recorded order, each session by its own cursor. After the last answer the last
one repeats, because a CI job reruns calls and a polling client asks again; `repeat=False` makes that a
miss instead.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Final

from antiphon.harness import cassette, files
from antiphon.harness.errors import CassetteUnreadable
from antiphon.harness.interaction import Interaction, RecordedRequest
from antiphon.harness.matching import Matcher
from antiphon.harness.modes import Outcome

_MAX_CURSORS: Final = 100_000
"""Sessions are named by callers, so their number is bounded; the longest unused cursor goes first."""
_COMPARED: Final = 256
_ABSENT: Final = (0, 0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)  # compared by identity: bodies are large
class Recording:
    """An interaction with its place: cassette name, position in it, and the key that it answers."""

    cassette: str
    position: int
    key: str
    endpoint: str
    interaction: Interaction

    @property
    def label(self) -> str:
        """The place as a person reads it, such as `openai/chat.yaml #2`."""
        return f"{self.cassette}{files.SUFFIX} #{self.position}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Nearest:
    """The most similar recording of a request that has none, and how it differs."""

    recording: Recording
    differences: list[str]


class CassetteStore:
    """The recordings under one folder, loaded at first use.

    `load`, `changed` and `write` block on the disk and may run in a thread; everything else belongs to the
    event loop's thread and never blocks.
    """

    def __init__(self, root: Path | str, *, matcher: Matcher | None = None) -> None:
        self.root = Path(root)
        self.matcher = matcher or Matcher()
        self._by_name: dict[str, tuple[Recording, ...]] = {}
        self._by_key: dict[str, list[Recording]] = {}
        self._by_endpoint: dict[str, dict[Recording, None]] = {}
        self._stamps: dict[str, tuple[int, int]] = {}
        self._cursors: OrderedDict[tuple[str, str, str, bool], int] = OrderedDict()
        self._loaded = False
        self._loading = threading.Lock()

    @property
    def loaded(self) -> bool:
        """Whether the folder has been read."""
        return self._loaded

    def __len__(self) -> int:
        return sum(len(recordings) for recordings in self._by_name.values())

    def __iter__(self) -> Iterator[Recording]:
        return chain.from_iterable(self._by_name[name] for name in sorted(self._by_name))

    def load(self) -> None:
        """Read the folder now; raises CassetteUnreadable, and then nothing counts as loaded.

        A missing folder is an empty one: the first recording makes it.
        """
        with self._loading:
            if self._loaded:
                return
            read = {name: self._read(name, path) for name, path in files.found(self.root).items()}
            for name, recordings in read.items():
                self._install(name, recordings)
            self._loaded = True

    def take(
        self,
        request: RecordedRequest,
        *,
        session: str,
        cassette_name: str | None,
        repeat: bool,
        whole: bool = False,
    ) -> Recording | None:
        """Return the session's next recording for a request and move its cursor; None is a miss.

        `cassette_name` narrows to one cassette, by full name or by its last part. `whole` passes over
        recordings whose caller left: they are no answer of the provider.
        """
        key = self.matcher.key(request)
        equal = [r for r in self._by_key.get(key, ()) if _within(r, cassette_name, whole=whole)]
        place = (session, cassette_name or "", key, whole)
        cursor = self._cursors.get(place, 0)
        if cursor >= len(equal):
            if not equal or not repeat:
                return None
            return equal[-1]
        self._cursors[place] = cursor + 1
        self._cursors.move_to_end(place)
        if len(self._cursors) > _MAX_CURSORS:
            self._cursors.popitem(last=False)
        return equal[cursor]

    def forget(self, session: str) -> None:
        """Start a session over: its equal requests answer from the first recording again."""
        for place in [place for place in self._cursors if place[0] == session]:
            del self._cursors[place]

    def nearest(self, request: RecordedRequest, *, cassette_name: str | None = None) -> Nearest | None:
        """Return the recording that differs in the fewest places, looking at the same endpoint first."""
        near = self._by_endpoint.get(self.matcher.endpoint(request), {})
        named = [r for r in near if _within(r, cassette_name)]
        best: Nearest | None = None
        for recording in islice(named or near or self, _COMPARED):
            found = self.matcher.differences(request, recording.interaction.request)
            if best is None or len(found) < len(best.differences):
                best = Nearest(recording=recording, differences=found)
        if best is not None and not best.differences:  # equal, so only the name or the order ruled it out
            why = f"cassette: {cassette_name!r} was asked for" if cassette_name else "used up in this session"
            return Nearest(recording=best.recording, differences=[why])
        return best

    def changed(self, name: str) -> tuple[Recording, ...] | None:
        """Return one cassette's recordings for `adopt` if another process has changed it, else None.

        Blocks on the disk. Raises CassetteUnreadable.
        """
        path = files.path_of(self.root, name)
        if not self._loaded or self._stamps.get(name, _ABSENT) == _stamp(path):
            return None
        return self._read(name, path) if path.exists() else ()

    def write(self, name: str, interaction: Interaction, *, replace: bool) -> tuple[Recording, ...]:
        """Add an interaction to a cassette file; with `replace`, in place of its equal requests.

        Takes the folder's lock, reads the file as it is now and writes it whole. Returns the file's
        recordings for `adopt`. Raises CassetteUnreadable, RecordingRefused or OSError; the file is then
        as it was.
        """
        path = files.path_of(self.root, name)
        key = self.matcher.key(interaction.request)
        with self._loading, files.locked(self.root):
            document = cassette.Document()
            if path.exists():
                document = cassette.parse(path.read_bytes(), file=str(path))
            entries = [e for e in document.entries if not self._replaced(e.interaction, key, replace=replace)]
            at = len(entries)
            if len(entries) < len(document.entries):  # take the old one's place: a short diff
                at = next(i for i, e in enumerate(document.entries) if i == at or e is not entries[i])
            entries.insert(at, cassette.entry_of(interaction))
            document = document.with_entries(entries)
            files.replace_file(path, cassette.render(document, file=str(path)))
            self._stamps[name] = _stamp(path)
        return self._recordings(name, document.interactions)

    def adopt(self, name: str, recordings: tuple[Recording, ...]) -> None:
        """Index what `write` or `changed` returned, so that the next call finds it."""
        if self._loaded:
            self._install(name, recordings)

    def _replaced(self, old: Interaction, key: str, *, replace: bool) -> bool:
        gone = replace or old.answer.outcome is Outcome.CANCELLED
        return gone and self.matcher.key(old.request) == key

    def _read(self, name: str, path: Path) -> tuple[Recording, ...]:
        try:
            if path.stat().st_size > cassette.MAX_BYTES:
                raise CassetteUnreadable(str(path), f"it is larger than {cassette.MAX_BYTES} bytes")
            self._stamps[name] = _stamp(path)
            content = path.read_bytes()
        except OSError as error:
            raise CassetteUnreadable(str(path), error.strerror or "it can't be read") from error
        return self._recordings(name, cassette.parse(content, file=str(path)).interactions)

    def _recordings(self, name: str, interactions: Iterable[Interaction]) -> tuple[Recording, ...]:
        return tuple(
            Recording(
                cassette=name,
                position=position,
                key=self.matcher.key(interaction.request),
                endpoint=self.matcher.endpoint(interaction.request),
                interaction=interaction,
            )
            for position, interaction in enumerate(interactions)
        )

    def _install(self, name: str, recordings: tuple[Recording, ...]) -> None:
        touched = set()
        for old in self._by_name.pop(name, ()):
            touched.add(old.key)
            self._by_endpoint[old.endpoint].pop(old, None)
        for key in touched:
            self._by_key[key] = [r for r in self._by_key[key] if r.cassette != name]
        for new in recordings:
            self._by_key.setdefault(new.key, []).append(new)
            self._by_endpoint.setdefault(new.endpoint, {})[new] = None
        for key in {new.key for new in recordings}:
            self._by_key[key].sort(key=lambda r: (r.cassette, r.position))
        self._by_name[name] = recordings


def _within(recording: Recording, cassette_name: str | None, *, whole: bool = False) -> bool:
    if whole and recording.interaction.answer.outcome is Outcome.CANCELLED:
        return False
    return cassette_name is None or f"/{recording.cassette}".endswith(f"/{cassette_name}")


def _stamp(path: Path) -> tuple[int, int]:
    """Return what changes when a file is written."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return _ABSENT
    return (status.st_mtime_ns, status.st_size)
