"""What lies in a cassette folder, seen often and fast: one walk, and a stamp of each file that changes when it does."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from antiphon.harness import files
from antiphon.harness.errors import CassetteUnreadable

_MAX_LEVELS: Final = 16

YOUNG_NS: Final = 2_000_000_000
"""A file written less than this before it was read may be written again within the clock's tick, with the same size,
and look unchanged. Its stamp is not believed later; its content is."""


class Stamp(NamedTuple):  # not a dataclass: a large folder makes 100,000 of them at start, and these cost a third
    """What changes when a file is written, replaced or restored from elsewhere."""

    modified_ns: int
    changed_ns: int
    size: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> Stamp:
        """Return the stamp in a stat result."""
        return cls(status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)

    def settled(self, read_ns: int) -> bool:
        """Whether the file was old enough, when it was read at `read_ns` since the epoch, to be known by its stamp."""
        return max(self.modified_ns, self.changed_ns) < read_ns - YOUNG_NS


def stamp_of(path: Path) -> Stamp | None:
    """Return a file's stamp, None where there is none."""
    try:
        return Stamp.of(path.stat())
    except (FileNotFoundError, NotADirectoryError):
        return None


def walk(root: Path) -> dict[str, Stamp]:
    """Return name -> stamp of every cassette under a folder, sorted by name; {} where there is no folder.

    Raises CassetteUnreadable for a folder that can't be listed.
    """
    try:
        return dict(sorted(_walk(os.fspath(root), "", _MAX_LEVELS)))
    except OSError as error:
        raise CassetteUnreadable(error.filename or str(root), error.strerror or "it can't be listed") from error


def _walk(folder: str, prefix: str, levels: int) -> Iterator[tuple[str, Stamp]]:
    try:
        entries = os.scandir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return
    with entries:
        for entry in entries:
            name = entry.name
            if name.startswith("."):
                continue
            if name.endswith(files.SUFFIX):
                if entry.is_file() and (prefix or name != files.RULES_NAME):
                    with suppress(FileNotFoundError):  # it went while we looked
                        yield prefix + name.removesuffix(files.SUFFIX), Stamp.of(entry.stat())
            elif levels and entry.is_dir(follow_symlinks=False):
                yield from _walk(entry.path, f"{prefix}{name}/", levels - 1)
