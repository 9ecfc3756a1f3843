"""Reads cassette files into shelves: by the kept index where that still holds, else from the files themselves.

Everything here blocks on the disk and changes nothing in memory; the store does that.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from antiphon.harness import cassette, files, folder, rules, spans
from antiphon.harness.catalog import collecting
from antiphon.harness.errors import CassetteUnreadable
from antiphon.harness.index import IndexFile, Line, Page, default_folder
from antiphon.harness.interaction import Interaction
from antiphon.harness.matching import Matcher
from antiphon.harness.meaning import meaning_of
from antiphon.harness.modes import Outcome
from antiphon.harness.nearest import sketch_of
from antiphon.harness.shelf import Recording, Shelf


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A shelf, and the exchanges themselves where they had to be read anyway."""

    shelf: Shelf
    interactions: tuple[Interaction, ...] = ()


class Shelving:
    """Reads one folder. `read` is what a recording calls for its exchange."""

    def __init__(
        self,
        root: Path,
        matcher: Matcher,
        read: Callable[[Recording], Interaction],
        *,
        index_in: Path | str | Literal["cache"] | None,
        index_above: int,
        keep_bytes: int,
    ) -> None:
        self.root = root
        self._given = matcher
        self._read = read
        self._index_in = index_in
        self._index_above = index_above
        self._keep_bytes = keep_bytes
        self._rules: rules.MatchingRules | None = None

    @property
    def matching(self) -> rules.MatchingRules:
        """The folder's rules, read at first use; raises CassetteUnreadable."""
        if self._rules is None:
            self._rules = rules.load(self.root, self._given)
        return self._rules

    def scan(self, shelves: Mapping[str, Shelf], *, recall: bool) -> dict[str, Loaded | None]:
        """Return what is new, changed or gone (None) in the folder, against the shelves that are known.

        With `recall` the kept index may answer for files. Exchanges that had to be read come along up to about
        `keep_bytes`. Raises CassetteUnreadable.
        """
        _ = self.matching  # rules that can't be read are told before anything is
        found = folder.walk(self.root)
        large = sum(stamp.size for stamp in found.values()) > self._index_above
        kept = self._kept() if large and self._index_in is not None else None
        unseen = [name for name, stamp in found.items() if not self._same(name, stamp, shelves.get(name))]
        pages = kept.read() if kept is not None and recall else {}
        changes = {name: self._recalled(name, found[name], pages.get(name)) for name in unseen}
        outdated = any(changes[name] is None or pages[name].stamp != found[name] for name in unseen)
        room = self._keep_bytes
        unread = [name for name in unseen if changes[name] is None]
        with (
            collecting(True) if unread else nullcontext()
        ):  # the caller may have turned it off, and YAML leaves garbage
            for name in unread:
                read = self.read(name)
                room -= found[name].size
                changes[name] = read if read is None or room >= 0 else replace(read, interactions=())
        changes |= dict.fromkeys(shelves.keys() - found.keys())
        if kept is not None and (outdated or pages.keys() - found.keys()):
            now = {**shelves, **{name: loaded.shelf for name, loaded in changes.items() if loaded is not None}}
            kept.write((name, _page(now[name])) for name in found if name in now)
        return changes

    def read(self, name: str) -> Loaded | None:
        """Read one file, None where there is none; raises CassetteUnreadable."""
        path = self.path(name)
        began = time.time_ns()
        stamp = folder.stamp_of(path)
        if stamp is None:
            return None
        if stamp.size > cassette.MAX_BYTES:
            raise CassetteUnreadable(str(path), f"it is larger than {cassette.MAX_BYTES} bytes")
        content = _content(path)
        interactions = cassette.parse(content, file=str(path)).interactions
        recordings = tuple(
            self._recording(name, position, interaction, span)
            for position, (interaction, span) in enumerate(
                zip(interactions, spans.spans_of(content, interactions, file=str(path)), strict=True)
            )
        )
        sha256 = hashlib.sha256(content).hexdigest()
        shelf = Shelf(stamp=stamp, settled=stamp.settled(began), sha256=sha256, recordings=recordings)
        return Loaded(shelf=shelf, interactions=interactions)

    def read_some(self, recording: Recording, shelf: Shelf) -> dict[Recording, Interaction]:
        """Read an exchange, and what has to be read with it; {} where the file is no longer as the shelf says.

        Raises CassetteUnreadable.
        """
        path = self.path(recording.cassette)
        if folder.stamp_of(path) != shelf.stamp:
            return {}
        if recording.span is not None and shelf.settled:
            try:
                wanted = {recording: spans.read(_content(path, recording.span), file=str(path))}
            except CassetteUnreadable:  # changed this moment: what stands there now is not what stood there
                return {}
        else:
            content = _content(path)
            if hashlib.sha256(content).hexdigest() != shelf.sha256:
                return {}
            interactions = cassette.parse(content, file=str(path)).interactions
            wanted = dict(zip(shelf.recordings, interactions, strict=False))
        if any(one.matcher.key(interaction.request) != one.key for one, interaction in wanted.items()):
            return {}  # the index was wrong about this file
        return wanted if len(wanted) == (1 if recording.span and shelf.settled else len(shelf.recordings)) else {}

    def path(self, name: str) -> Path:
        """Return the file of a cassette that was found or checked."""
        return self.root / f"{name}{files.SUFFIX}"

    def _same(self, name: str, stamp: folder.Stamp, shelf: Shelf | None) -> bool:
        """Whether a file is still as its shelf says."""
        return shelf is not None and shelf.stamp == stamp and (shelf.settled or self._hash(name) == shelf.sha256)

    def _recalled(self, name: str, stamp: folder.Stamp, page: Page | None) -> Loaded | None:
        """Return a file's recordings from the index, None where that doesn't hold for it."""
        if page is None:
            return None
        matchers = [self.matching.of(name, line.scenario) for line in page.lines]
        if any(matcher.fingerprint != line.rules for matcher, line in zip(matchers, page.lines, strict=True)):
            return None
        settled = page.stamp == stamp
        if not settled:
            began = time.time_ns()
            if self._hash(name) != page.sha256:
                return None
            settled = stamp.settled(began)
        recordings = tuple(
            Recording(
                cassette=name,
                position=position,
                key=line.key,
                endpoint=line.endpoint,
                matcher=matcher,
                scenario=line.scenario,
                cancelled=line.cancelled,
                sketch=line.sketch,
                span=line.span,
                read=self._read,
            )
            for position, (matcher, line) in enumerate(zip(matchers, page.lines, strict=True))
        )
        return Loaded(shelf=Shelf(stamp=stamp, settled=settled, sha256=page.sha256, recordings=recordings))

    def _recording(self, name: str, position: int, interaction: Interaction, span: tuple[int, int] | None) -> Recording:
        request, answer = interaction.request, interaction.answer
        scenario = scenario_of(interaction)
        matcher = self.matching.of(name, scenario)
        said = meaning_of(request)
        return Recording(
            cassette=name,
            position=position,
            key=matcher.key(request, said),
            endpoint=matcher.endpoint(request),
            matcher=matcher,
            scenario=scenario,
            cancelled=answer.outcome is Outcome.CANCELLED,
            sketch=sketch_of(matcher, request, said),
            span=span,
            read=self._read,
        )

    def _kept(self) -> IndexFile:
        assert self._index_in is not None  # noqa: S101 - told to mypy; asked before
        return IndexFile(self.root, default_folder() if self._index_in == "cache" else Path(self._index_in))

    def _hash(self, name: str) -> str:
        return hashlib.sha256(_content(self.path(name))).hexdigest()


def scenario_of(interaction: Interaction) -> str | None:
    """Return the scenario that an exchange was recorded for."""
    provenance = interaction.answer.provenance
    return provenance.scenario if provenance is not None else None


def _page(shelf: Shelf) -> Page:
    lines: Sequence[Line] = [
        Line(
            key=one.key,
            endpoint=one.endpoint,
            rules=one.matcher.fingerprint,
            scenario=one.scenario,
            cancelled=one.cancelled,
            sketch=one.sketch,
            span=one.span,
        )
        for one in shelf.recordings
    ]
    return Page(stamp=shelf.stamp if shelf.settled else None, sha256=shelf.sha256, lines=tuple(lines))


def _content(path: Path, span: tuple[int, int] | None = None) -> bytes:
    try:
        return path.read_bytes() if span is None else spans.bytes_at(path, span)
    except OSError as error:
        raise CassetteUnreadable(str(path), error.strerror or "it can't be read") from error
