"""Cassette files on disk: found by name, locked between processes, written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from antiphon.harness.errors import BadRecordingCall

SUFFIX: Final = ".yaml"
LOCK_NAME: Final = ".antiphon.lock"
RULES_NAME: Final = "matching.yaml"
"""The matching rules of a folder, at its top: no cassette, see `rules`."""
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.\-]*){0,3}")
_MAX_NAME: Final = 200


def checked_name(name: str) -> str:
    """Return a cassette name without its suffix; raises BadRecordingCall for one that could escape."""
    bare = name.removesuffix(SUFFIX)
    if len(bare) > _MAX_NAME or ".." in bare or not _NAME.fullmatch(bare):
        raise BadRecordingCall(
            f"cassette name {name[:60]!r} is refused; use letters, digits, '-', '_', '.' "
            f"in up to four folders, for example 'openai/chat' (at most {_MAX_NAME} characters)"
        )
    return bare


def path_of(root: Path, name: str) -> Path:
    """Return the file of a cassette name under `root`; raises BadRecordingCall if it lies outside."""
    path = root / (checked_name(name) + SUFFIX)
    if path == root / RULES_NAME:
        raise BadRecordingCall(f"cassette name {name!r} is taken by the folder's matching rules; use another")
    if not path.resolve().is_relative_to(root.resolve()):  # a link inside may point out
        raise BadRecordingCall(f"cassette {name!r} lies outside {root}")
    return path


def found(root: Path) -> dict[str, Path]:
    """Return name -> file of every cassette under `root`, sorted by name; {} where there is no folder."""
    files = {
        path.relative_to(root).as_posix().removesuffix(SUFFIX): path
        for path in root.rglob("*" + SUFFIX)
        if path.is_file()
        and path != root / RULES_NAME
        and not any(part.startswith(".") for part in path.relative_to(root).parts)
    }
    return dict(sorted(files.items()))


@contextlib.contextmanager
def locked(root: Path) -> Iterator[None]:
    """Hold the folder's lock against other processes and threads. Blocks; call it off the event loop."""
    import fcntl  # POSIX only, and replay needs no lock

    root.mkdir(parents=True, exist_ok=True)
    handle = os.open(root / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def abandoned(root: Path) -> list[Path]:
    """Return the temporary files of writers that were killed: those that are older than an hour.

    No reader sees them; they only take space.
    """
    long_ago = time.time() - _ABANDONED_SECONDS
    return sorted(p for p in root.rglob(f".*{_TEMPORARY}") if p.is_file() and p.stat().st_mtime < long_ago)


def replace_file(path: Path, content: bytes) -> None:
    """Put `content` at `path` in one step that survives a crash: temporary file, fsync, rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=_TEMPORARY)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fchmod(stream.fileno(), _PUBLIC)  # mkstemp makes it private; cassettes are committed
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the rename itself must be on disk too
    finally:
        os.close(folder)


_TEMPORARY: Final = ".tmp"
_ABANDONED_SECONDS: Final = 3600
_PUBLIC: Final = 0o644
