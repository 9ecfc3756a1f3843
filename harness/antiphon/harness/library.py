"""A folder of cassettes as whoever keeps it sees it: what is there, what is wrong with it, what may go.

Unlike the store, which answers requests and takes a folder whole or not at all, the library goes on past a file that
cannot be read and names it: it is there to find and mend such files. Everything here blocks on the disk.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from antiphon.harness import blobs, cassette, files, rules, scan
from antiphon.harness.errors import CassetteUnreadable, HarnessError, SecretFound
from antiphon.harness.holdings import PLACE, Contents, Item
from antiphon.harness.interaction import Interaction, Provenance
from antiphon.harness.matching import Matcher
from antiphon.harness.recorder import model_in
from antiphon.harness.secrets import ACCEPTED_NAME, SecretScanner, accepted_in

_BLOB: Final = re.compile(r"[0-9a-f]{64}\.[a-z]{3,4}")


class NoSuchRecording(LookupError):  # noqa: N818 - named for the fact, as the harness's other errors are
    """Nothing in the folder has that name; the message names what comes near."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What `verify` found: its place, what is wrong, and whether it only deserves a look."""

    place: str
    problem: str
    warning: bool = False


class Library:
    """The cassettes under one folder. A missing folder is an empty one."""

    def __init__(self, root: Path | str, *, matcher: Matcher | None = None) -> None:
        self.root = Path(root)
        self._base = matcher or Matcher()

    def read(self) -> Contents:
        """Read every cassette; those that cannot be read are told in the answer, not raised.

        Raises CassetteUnreadable for matching rules that cannot be read.
        """
        items: list[Item] = []
        unreadable: list[CassetteUnreadable] = []
        matching = self._matching()
        for name, path in files.found(self.root).items():
            try:
                items += _items(name, cassette.read(path), matching)
            except CassetteUnreadable as error:
                unreadable.append(error)
        return Contents(items=tuple(items), unreadable=tuple(unreadable))

    def find(self, place: str) -> list[Item]:
        """Return the recordings at a place: `openai/chat`, `openai/chat#2`, or a pattern such as `openai/*`.

        Raises NoSuchRecording, or CassetteUnreadable where the very cassette that was named is.
        """
        read = PLACE.fullmatch(place.strip())
        wanted = read["name"] if read is not None else place
        position = read["position"] if read is not None else None
        found = files.found(self.root)
        names = [name for name in found if fnmatchcase(name, wanted) or name == wanted]
        matching = self._matching()
        items = [item for name in names for item in _items(name, cassette.read(found[name]), matching)]
        chosen = [item for item in items if position is None or item.position == int(position)]
        if not chosen:
            raise NoSuchRecording(self._nothing_at(place, items, found))
        return chosen

    def put(
        self,
        name: str,
        interactions: Sequence[Interaction],
        *,
        secrets: Iterable[str] = (),
        scenario: str | None = None,
    ) -> Path:
        """Add exchanges to a cassette, each in place of what it held for an equal request; returns the file.

        With `scenario`, recorded exchanges of that scenario that are not among the new ones go: they are what it
        asked before. Authored ones stay. Raises SecretFound, BadRecordingCall, CassetteUnreadable or
        RecordingRefused; the file is then as it was.
        """
        path = files.path_of(self.root, name)
        scanner = SecretScanner(secrets, accepted=accepted_in(self.root))
        places = [f"interaction {i}: {p}" for i, item in enumerate(interactions) for p in scanner.places(item)]
        if places:
            raise SecretFound(places, cassette=name)
        matcher = self._matching().of(name, scenario)
        new_keys = {matcher.key(item.request) for item in interactions}
        with files.locked(self.root):
            document = cassette.read(path) if path.exists() else cassette.Document()
            kept = [
                entry
                for entry in document.entries
                if matcher.key(entry.interaction.request) not in new_keys
                and not _superseded(entry.interaction, scenario)
            ]
            self._write(path, document.with_entries([*kept, *map(cassette.entry_of, interactions)]))
        return path

    def remove(self, items: Iterable[Item]) -> int:
        """Take recordings out, each cassette in one write, and return how many went.

        One that has changed since it was read is left, because its place may be another's now.
        """
        by_name: dict[str, dict[int, Item]] = {}
        for item in items:
            by_name.setdefault(item.cassette, {})[item.position] = item
        gone = 0
        with files.locked(self.root):
            for name, places in by_name.items():
                path = files.path_of(self.root, name)
                if not path.exists():
                    continue
                document = cassette.read(path)
                kept = [
                    entry
                    for position, entry in enumerate(document.entries)
                    if position not in places or places[position].interaction != entry.interaction
                ]
                gone += len(document.entries) - len(kept)
                if len(kept) < len(document.entries):
                    self._write(path, document.with_entries(kept))
        return gone

    def verify(self, *, secrets: Iterable[str] = ()) -> list[Problem]:
        """Return what is wrong: files that do not load, bytes that do not derive, credentials, leftovers."""
        problems: list[Problem] = []
        unreadable: set[str] = set()
        for name, path in files.found(self.root).items():
            try:
                document = cassette.read(path)
                # Raises where what is read does not read back as itself.
                cassette.render(document, file=str(path), blobs=blobs.Blobs.beside(path))
            except HarnessError as error:
                problems.append(Problem(place=name, problem=str(error)))
                unreadable.add(f"{name}{files.SUFFIX}")
                continue
            problems += [
                Problem(place=f"{name}#{position}", problem="does not say where it comes from", warning=True)
                for position, interaction in enumerate(document.interactions)
                if interaction.answer.provenance is None
            ]
        found = scan.scan(self.root, secrets=secrets).findings if self.root.is_dir() else ()
        problems += [
            Problem(place=finding.file, problem=f"holds what looks like a credential at {finding.place}")
            for finding in found
            if finding.file not in unreadable
        ]
        leftovers = [(path, "is left from a write that was cut") for path in sorted(self.root.rglob(".*.tmp"))]
        leftovers += [(path, "is named by no cassette") for path in self.orphans()]
        problems += [
            Problem(place=str(path.relative_to(self.root)), problem=what, warning=True) for path, what in leftovers
        ]
        return problems

    def orphans(self) -> list[Path]:
        """Return the blobs that no cassette beside them names any more."""
        folders = {path.parent for path in self.root.rglob(f"{blobs.FOLDER}/*") if path.is_file()}
        return [path for folder in sorted(folders) for path in _unnamed(folder)]

    def _write(self, path: Path, document: cassette.Document) -> None:
        if document.entries:
            cassette.save(path, document)
        else:
            path.unlink(missing_ok=True)  # an empty cassette counts as one that was cut short

    def lend(self, folder: Path) -> None:
        """Let another folder accept what this one accepts: what only looks like a credential may be written there.

        For a folder in which exchanges are recorded before they come here.
        """
        own = self.root / ACCEPTED_NAME
        if own.is_file():
            folder.mkdir(parents=True, exist_ok=True)
            files.replace_file(folder / ACCEPTED_NAME, own.read_bytes())

    def _matching(self) -> rules.MatchingRules:
        return rules.load(self.root, self._base)

    def _nothing_at(self, place: str, items: Sequence[Item], found: Collection[str]) -> str:
        if items:
            return f"{items[0].cassette} holds {len(items)} recordings, counted from 0: there is no {place}"
        near = [name for name in found if place.rpartition("/")[2].partition("#")[0].lower() in name.lower()][:5]
        hint = f"near it: {', '.join(near)}" if near else "`antiphon cassettes list` shows what there is"
        return f"no recording {place!r} in {self.root}; {hint}"


def _items(name: str, document: cassette.Document, matching: rules.MatchingRules) -> list[Item]:
    items = []
    for position, interaction in enumerate(document.interactions):
        said = interaction.answer.provenance
        matcher = matching.of(name, said.scenario if said is not None else None)
        items.append(
            Item(
                cassette=name,
                position=position,
                endpoint=matcher.endpoint(interaction.request),
                key=matcher.key(interaction.request),
                interaction=interaction,
            )
        )
    return items


def authored(interaction: Interaction, *, at: str, scenario: str | None = None) -> Interaction:
    """Return an exchange that says it was stored by hand, `at` a date or time (ISO 8601)."""
    before = interaction.answer.provenance or Provenance()
    said = replace(
        before,
        origin="authored",
        recorded_at=at,
        scenario=scenario or before.scenario,
        model_asked=before.model_asked or model_in(interaction.request.body),
        model_answered=before.model_answered or model_in(interaction.answer.body),
    )
    return replace(interaction, answer=replace(interaction.answer, provenance=said))


def _unnamed(folder: Path) -> list[Path]:
    named: set[str] = set()
    for path in folder.parent.glob(f"*{files.SUFFIX}"):
        named.update(_BLOB.findall(path.read_text(encoding="utf-8", errors="replace")))
    return sorted(path for path in folder.iterdir() if path.is_file() and path.name not in named)


def _superseded(interaction: Interaction, scenario: str | None) -> bool:
    said = interaction.answer.provenance
    return said is not None and scenario is not None and (said.origin, said.scenario) == ("recorded", scenario)
