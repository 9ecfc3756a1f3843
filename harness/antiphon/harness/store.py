"""A folder of cassettes as one index: a request's hash leads to its recordings without a scan.

Equal requests answer in recorded order, each session by its own cursor. What is in memory are handles; an exchange
is read from its file when it is asked for, and the ones read last are kept. Where the folder is large, its index is
kept between runs, see `index`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from antiphon.harness import cassette, files, nearest
from antiphon.harness.catalog import Catalog, collecting
from antiphon.harness.claims import Claim, Repeated, next_of
from antiphon.harness.errors import CassetteUnreadable
from antiphon.harness.folder import stamp_of
from antiphon.harness.index import ABOVE_BYTES
from antiphon.harness.interaction import Interaction, RecordedRequest
from antiphon.harness.matching import Matcher
from antiphon.harness.meaning import JSON, Meaning, meaning_of
from antiphon.harness.modes import Outcome
from antiphon.harness.recent import RecentRequests
from antiphon.harness.sessions import Missed, Place, Session, SessionReport, Sessions, report_of
from antiphon.harness.shelf import CACHE_BYTES, BodyCache, Bucket, Recording
from antiphon.harness.shelving import Loaded, Shelving, scenario_of

__all__ = ["CassetteStore", "Claim", "Nearest", "Recording"]

REFRESH_SECONDS: Final = 2.0
"""How often, at most, a miss looks for cassettes that others have written since."""
_READS: Final = 3
"""A file that changes while it is read is read again, not for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Nearest:
    """The most similar recording of a request that has none, and how it differs."""

    recording: Recording
    differences: list[str]


class CassetteStore:
    """The recordings under one folder, read at first use.

    `index_in` is the folder where the index of a large cassette folder is kept between runs; "cache" is the user's
    cache, None keeps none. `cache_bytes` bounds the exchanges held in memory.

    `load`, `refresh`, `fetch`, `nearest` and `write` block on the disk, so an event loop calls them in a thread; the
    others never block. A store may be shared between threads and event loops.
    """

    def __init__(
        self,
        root: Path | str,
        *,
        matcher: Matcher | None = None,
        index_in: Path | str | Literal["cache"] | None = "cache",
        index_above: int = ABOVE_BYTES,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        self.root = Path(root)
        self._shelving = Shelving(
            self.root,
            matcher or Matcher(),
            self._required,
            index_in=index_in,
            index_above=index_above,
            keep_bytes=cache_bytes,
        )
        self._catalog = Catalog()
        self._bodies = BodyCache(cache_bytes)
        self._recent = RecentRequests()
        self._sessions = Sessions()
        self._epoch = 0
        """Counts the changes of the catalog."""
        self._loaded = False
        self._looked = float("-inf")
        self._disk = threading.RLock()
        """Held by whoever reads or writes the folder; always taken before `_memory`."""
        self._memory = threading.RLock()
        """Held for moments, by whoever reads or changes what is in memory."""

    @property
    def loaded(self) -> bool:
        """Whether the folder has been read."""
        return self._loaded

    @property
    def matcher(self) -> Matcher:
        """The rules of the folder for recordings that no override names; raises CassetteUnreadable."""
        return self._shelving.matching.base

    def __len__(self) -> int:
        with self._memory:
            return len(self._catalog)

    def __iter__(self) -> Iterator[Recording]:
        with self._memory:
            return iter(self._catalog)

    def load(self) -> None:
        """Read the folder, unless that is done; raises CassetteUnreadable, and then nothing counts as loaded.

        A missing folder is an empty one: the first recording makes it.
        """
        with self._disk:
            if not self._loaded:
                with collecting(False):
                    self._install(self._shelving.scan(self._catalog.shelves, recall=True))
                self._looked = time.monotonic()
                self._loaded = True

    def refresh(self) -> bool:
        """Read what has changed in the folder, at most every REFRESH_SECONDS; whether anything has.

        Raises CassetteUnreadable.
        """
        with self._disk:
            if not self._loaded or time.monotonic() - self._looked < REFRESH_SECONDS:
                return False
            changes = self._shelving.scan(self._catalog.shelves, recall=False)
            self._looked = time.monotonic()
            self._install(changes)
            return bool(changes)

    def reread(self, name: str) -> bool:
        """Read one cassette if another process has changed it; whether it has. Raises CassetteUnreadable."""
        with self._disk:
            shelf = self._catalog.shelves.get(name)
            known = shelf.stamp if shelf is not None else None
            if not self._loaded or stamp_of(files.path_of(self.root, name)) == known:
                return False
            self._install({name: self._shelving.read(name)})
            return True

    def take(
        self,
        request: RecordedRequest,
        *,
        session: str,
        cassette_name: str | None,
        repeat: bool,
        whole: bool = False,
    ) -> Recording | None:
        """Return the session's next recording for a request and move its cursor; None is a miss. See `claim`."""
        claim = self.claim(request, session=session, cassette_name=cassette_name, repeat=repeat, whole=whole)
        return None if claim is None or claim.used_up else claim.recording

    def claim(
        self,
        request: RecordedRequest,
        *,
        session: str,
        cassette_name: str | None,
        repeat: bool,
        whole: bool = False,
        only: Callable[[Recording], bool] | None = None,
    ) -> Claim | None:
        """Take the session's next recording for a request and move its cursor; None where there never was one.

        `cassette_name` narrows to one cassette, by full name or by its last part. With `repeat` the last recording
        answers again when all are used up. `whole` passes over recordings whose caller left: they are no answer of
        the provider. Where the next one is not what `only` lets pass, None too, and nothing is taken.
        """
        said = meaning_of(request) if self._recent.get(request) is None else None  # not under the lock: it takes long
        with self._memory:
            names = self._catalog.named(cassette_name)
            state = self._sessions.find(session)
            found = next_of(self._equal(request, said), state, cassette_name, names, whole=whole)
            if found is None:
                return None
            recording, place, fresh = found
            if not fresh and not repeat:
                return Claim(recording=recording, session=session, place=place, moved=False, used_up=True)
            if only is not None and not only(recording):
                return None
            if fresh:
                self._sessions.moved(session, place, by=1)
            self._asked(session, cassette_name).hear(recording.cassette, recording.position)
            repeated = None if fresh else self._repeated(request, recording, session, place)
            return Claim(recording=recording, session=session, place=place, moved=fresh, repeated=repeated)

    def hear_again(self, repeated: Repeated) -> bool:
        """Have a session hear a recording again, as `claim` would; False, and nothing has happened, where `claim` has
        to be asked."""
        with self._memory:
            state = repeated.state
            if (
                repeated.epoch != self._epoch
                or self._sessions.find(repeated.session) is not state
                or state.cursors.get(repeated.place, 0) != repeated.cursor
            ):
                return False
            recording = repeated.recording
            self._sessions.of(repeated.session).hear(recording.cassette, recording.position)
            return True

    def put_back(self, claim: Claim) -> None:
        """Undo a claim whose recording was not played: the session hears it at its next equal request."""
        with self._memory:
            if claim.moved:
                self._sessions.moved(claim.session, claim.place, by=-1)
            self._sessions.of(claim.session).hear(claim.recording.cassette, claim.recording.position, by=-1)

    def held(self, recording: Recording) -> Interaction | None:
        """Return an exchange if it is in memory."""
        with self._memory:
            return self._bodies.get(recording)

    def fetch(self, recording: Recording) -> Interaction | None:
        """Return an exchange, from its file where it must be; None where the file no longer holds it.

        What the file holds instead is then known. Raises CassetteUnreadable.
        """
        interaction = self.held(recording)
        if interaction is not None:
            return interaction
        with self._disk:
            for _ in range(_READS):
                shelf = self._catalog.shelves.get(recording.cassette)
                now = self._catalog.current(recording)
                if shelf is None or now is None or now.key != recording.key:
                    return None
                found = self._shelving.read_some(now, shelf)
                with self._memory:
                    for other, interaction in found.items():
                        self._bodies.put(other, interaction)
                if now in found:
                    return found[now]
                self._install({recording.cassette: self._shelving.read(recording.cassette)})
            return None

    def nearest(
        self, request: RecordedRequest, *, cassette_name: str | None = None, used_up: Recording | None = None
    ) -> Nearest | None:
        """Return the recording that differs in the fewest places, looking at the same endpoint first.

        `used_up` is the last recording of a session that has heard them all. Raises CassetteUnreadable.
        """
        if used_up is not None:
            return Nearest(recording=used_up, differences=["used up in this session"])
        matcher = self.matcher
        endpoint = matcher.endpoint(request)
        with self._memory:
            names = self._catalog.named(cassette_name)
            near = self._catalog.at(endpoint)
            named = [recording for recording in near if names is None or recording.cassette in names]
            candidates = named or near or tuple(self)
        best: Nearest | None = None
        for recording in nearest.ranked(nearest.sketch_of(matcher, request), endpoint, candidates):
            interaction = self.fetch(recording)
            if interaction is None:  # its file has changed just now
                continue
            found = recording.matcher.differences(request, interaction.request)
            if best is None or len(found) < len(best.differences):
                best = Nearest(recording=recording, differences=found)
        if best is not None and not best.differences:  # equal, so only the name ruled it out
            why = f"cassette: {cassette_name!r} was asked for" if cassette_name else "it was recorded just now"
            return Nearest(recording=best.recording, differences=[why])
        return best

    def missed(self, session: str, missed: Missed, *, cassette_name: str | None = None) -> None:
        """Remember a miss of a session for its report."""
        with self._memory:
            self._asked(session, cassette_name).miss(missed)

    def sessions(self) -> list[str]:
        """Return the names of the sessions that are known, the longest unused first."""
        with self._memory:
            return list(self._sessions)

    def report(self, session: str, *, cassettes: Collection[str] | None = None) -> SessionReport:
        """Return what a session has heard, left over and missed.

        Left over is what it did not hear of `cassettes` (full names or last parts), else of those that it asked for
        by name, else of those that it heard anything of.
        """
        with self._memory:
            state = self._sessions.find(session)
            asked = cassettes if cassettes is not None else state.named
            names = {full for name in asked for full in self._catalog.named(name) or ()}
            if cassettes is None and not state.named:
                names = {name for name, _ in state.used}
            unused = [
                (recording.cassette, recording.position)
                for name in sorted(names & self._catalog.shelves.keys())
                for recording in self._catalog.shelves[name].recordings
                if (recording.cassette, recording.position) not in state.used
            ]
            return report_of(session, state, unused)

    def forget(self, session: str) -> None:
        """Start a session over: its equal requests answer from the first recording again."""
        with self._memory:
            self._sessions.forget(session)

    def write(self, name: str, interaction: Interaction, *, replace: bool) -> None:
        """Add an interaction to a cassette file; with `replace`, in place of its equal requests.

        Takes the folder's lock, reads the file as it is now and writes it whole; the next call finds it. Raises
        CassetteUnreadable, RecordingRefused or OSError; the file is then as it was.
        """
        path = files.path_of(self.root, name)
        matcher = self._shelving.matching.of(name, scenario_of(interaction))
        key = matcher.key(interaction.request)
        with self._disk, files.locked(self.root):
            document = cassette.read(path) if path.exists() else cassette.Document()
            entries = [
                entry
                for entry in document.entries
                if not (replace or entry.interaction.answer.outcome is Outcome.CANCELLED)
                or matcher.key(entry.interaction.request) != key
            ]
            at = len(entries)
            if len(entries) < len(document.entries):  # take the old one's place: a short diff
                at = next(i for i, e in enumerate(document.entries) if i == at or e is not entries[i])
            entries.insert(at, cassette.entry_of(interaction))
            cassette.save(path, document.with_entries(entries))
            if self._loaded:
                self._install({name: self._shelving.read(name)})

    def _equal(self, request: RecordedRequest, said: Meaning | None) -> tuple[Bucket, ...]:
        """Return the recordings of a request, under each of the folder's rules. Called with `_memory` held."""
        known = self._recent.get(request)
        if known is not None:
            return known
        said = said or meaning_of(request)
        keys = (matcher.key(request, said) for matcher in self._catalog.matchers)
        found = tuple(bucket for key in keys if (bucket := self._catalog.equal(key)) is not None)
        if found and said.kind == JSON:  # what other bodies mean depends on a header
            self._recent.put(request, found)
        return found

    def _repeated(self, request: RecordedRequest, recording: Recording, session: str, place: Place) -> Repeated | None:
        """Return what is heard again and again, where the request's bytes alone lead to it. Called with `_memory` held,
        so that nothing changes between the claim and this."""
        buckets = self._recent.get(request)
        if buckets is None or len(buckets) != 1:
            return None
        state = self._sessions.of(session)
        return Repeated(
            recording=recording,
            epoch=self._epoch,
            session=session,
            state=state,
            place=place,
            cursor=state.cursors.get(place, 0),
        )

    def _required(self, recording: Recording) -> Interaction:
        interaction = self.fetch(recording)
        if interaction is None:
            path = self._shelving.path(recording.cassette)
            raise CassetteUnreadable(str(path), f"recording #{recording.position} was changed while it was in use")
        return interaction

    def _asked(self, session: str, cassette_name: str | None) -> Session:
        state = self._sessions.of(session)
        if cassette_name is not None:
            state.name(cassette_name)
        return state

    def _install(self, changes: Mapping[str, Loaded | None]) -> None:
        """Put what was read in place of what was known."""
        with self._memory:
            shelves = {name: loaded.shelf if loaded is not None else None for name, loaded in changes.items()}
            self._recent.clear()
            self._epoch += 1
            for recording in self._catalog.install(shelves):
                self._bodies.drop(recording)
            for loaded in changes.values():
                if loaded is not None:
                    for recording, interaction in zip(loaded.shelf.recordings, loaded.interactions, strict=False):
                        self._bodies.put(recording, interaction)
