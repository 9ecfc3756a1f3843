"""Looks for credentials in a folder of cassettes, as recording does before it writes; for CI and reviews.

It fails closed: a file that can't be read is a finding, because nobody knows what is in it. Beside the
exchanges, the text of each file is read (comments, metadata, keys of other tools) and every blob.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from antiphon.harness import cassette, files
from antiphon.harness.blobs import FOLDER
from antiphon.harness.errors import CassetteUnreadable
from antiphon.harness.secrets import SecretScanner, accepted_in


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One place that holds what looks like a credential, or that can't be searched; never the value."""

    file: str
    """Relative to the folder."""
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What was searched and what was found."""

    files: int
    interactions: int
    findings: tuple[Finding, ...]


def scan(folder: Path | str, *, secrets: Iterable[str] = ()) -> Scan:
    """Search every cassette and blob under a folder. Blocks on the disk.

    `secrets` are values to look for beside the shapes of keys. What only looks random can be accepted in the
    folder's `.antiphon-accepted`. Raises NotADirectoryError where there is no folder: nothing was searched.
    """
    root = Path(folder)
    if not root.is_dir():
        raise NotADirectoryError(f"{root} is no folder, so nothing was searched")
    scanner = SecretScanner(secrets, accepted=accepted_in(root))
    findings: list[Finding] = []
    interactions = 0
    paths = [*files.found(root).values(), *_blobs(root)]
    for path in paths:
        name = path.relative_to(root).as_posix()
        if path.suffix == files.SUFFIX:
            try:
                document = cassette.read(path)
            except CassetteUnreadable as error:
                findings.append(Finding(file=name, place=f"it can't be searched: {scanner.redact(str(error))}"))
                continue
            interactions += len(document.interactions)
            exchanges = enumerate(document.interactions)
            places = [f"interaction {n}: {place}" for n, item in exchanges for place in scanner.places(item)]
        else:
            places = []
        findings += [Finding(file=name, place=place) for place in places or _lines(path, scanner)]
    return Scan(files=len(paths), interactions=interactions, findings=tuple(findings))


def _blobs(root: Path) -> Iterator[Path]:
    for folder in sorted(root.rglob(FOLDER)):
        if folder.is_dir():
            yield from (path for path in sorted(folder.iterdir()) if path.is_file())


def _lines(path: Path, scanner: SecretScanner) -> Iterator[str]:
    """Yield the lines of a file that hold a given value or the shape of a key."""
    text = path.read_bytes().decode("utf-8", "replace")
    if scanner.holds(text):
        lines = [number for number, line in enumerate(text.split("\n"), 1) if scanner.holds(line)]
        yield from (f"line {number}" for number in lines) if lines else ("over several lines",)
