"""The server's work folder and shared memory: removed at the end, and by the next start where that failed.

Our own process may be killed before it can tidy up. The kernel then drops the lock it held on its folder,
and that is how the next start knows the folder for a dead one; a process number could be another's by then.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

_PREFIX = "antiphon-triton-"
_LOCK = "lock"
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - where POSIX shared memory is on Linux


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkFolder:
    """A folder of one running server, locked for as long as this process lives."""

    path: Path
    lock: int

    @classmethod
    def create(cls) -> WorkFolder:
        """Make and lock a new folder, after removing what killed processes left behind."""
        for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
            _remove_if_dead(path)
        path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        lock = os.open(path / "new-lock", os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        (path / "new-lock").rename(path / _LOCK)  # seen only once it is locked
        return cls(path=path, lock=lock)

    @property
    def region(self) -> str:
        """How the names of the server's shared memory begin."""
        return f"{self.path.name}_"

    def remove(self) -> None:
        """Remove the folder, and the shared memory that a killed server could not remove itself."""
        _remove(self.path)
        os.close(self.lock)


def _remove_if_dead(path: Path) -> None:
    try:
        lock = os.open(path / _LOCK, os.O_RDWR)
    except OSError:
        return  # another user's, or just being made
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return  # alive
    else:
        _remove(path)
    finally:
        os.close(lock)


def _remove(path: Path) -> None:
    for region in _SHARED_MEMORY.glob(f"{path.name}_*"):
        region.unlink(missing_ok=True)
    shutil.rmtree(path, ignore_errors=True)
