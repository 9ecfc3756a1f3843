"""What is too large to read in a diff lies beside the cassette, in a file named by the hash of its content.

The name is checked against the content at every read: a cassette from elsewhere can't name a file outside
its blob folder, and a blob that was changed is an error, not another answer.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Final

from antiphon.harness import files

FOLDER: Final = "blobs"
MOST_BYTES: Final = 64 * 1024 * 1024
_NAME: Final = re.compile(r"([0-9a-f]{64})\.(?:txt|json|bin)")


class BlobError(ValueError):
    """A blob is missing, changed or not a blob's name; the text says which."""


class Blobs:
    """The blobs of one folder. What is put stays in memory until `save`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pending: dict[str, bytes] = {}

    @classmethod
    def beside(cls, cassette: Path) -> Blobs:
        """Return the blobs of the cassettes in one folder."""
        return cls(cassette.parent / FOLDER)

    def put(self, content: bytes, suffix: str) -> str:
        """Keep a content and return its name; `suffix` is txt, json or bin."""
        name = f"{hashlib.sha256(content).hexdigest()}.{suffix}"
        self._pending[name] = content
        return name

    def get(self, name: str) -> bytes:
        """Return the content of that name; raises BlobError."""
        match = _NAME.fullmatch(name)
        if match is None:
            raise BlobError(f"{name[:80]!r} is not the name of a blob")
        if name in self._pending:
            return self._pending[name]
        path = self._folder / name
        try:
            if path.stat().st_size > MOST_BYTES:
                raise BlobError(f"blob {path} is larger than {MOST_BYTES} bytes")
            content = path.read_bytes()
        except OSError as error:
            raise BlobError(f"blob {path} can't be read ({error.strerror}); it belongs beside the cassette") from error
        if hashlib.sha256(content).hexdigest() != match[1]:
            raise BlobError(f"blob {path} was changed: its content has another hash than its name")
        return content

    def save(self) -> None:
        """Write what was put. A cassette is written after its blobs, so that it never lacks one."""
        for name, content in self._pending.items():
            path = self._folder / name
            if not path.is_file() or path.stat().st_size != len(content):
                files.replace_file(path, content)
