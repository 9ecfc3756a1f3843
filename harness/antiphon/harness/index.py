"""The index of a large cassette folder, kept between runs: what each file holds, without its bodies.

Reading 50,000 exchanges of YAML takes most of a minute, reading their index less than a second. It is kept in the
user's own cache, not in the folder: a folder from elsewhere then cannot bring one along, a read-only folder works,
and no commit shows one. It is never believed over the files. A file counts as known by its stamp (times, size,
inode), else by the hash of its content, else it is read again; and an exchange that is read through the index must
have the key that the index says. An index that is damaged or of another version counts as none.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from antiphon.harness import files
from antiphon.harness.folder import Stamp

FORMAT: Final = 1
"""Counts up when what is kept here changes its meaning; matching has a version of its own in its fingerprints."""
ABOVE_BYTES: Final = 1024 * 1024
"""A smaller folder is read faster than its index is worth keeping."""

_MAX_BYTES: Final = 512 * 1024 * 1024
_MAX_HEAD: Final = 8192
_MAX_CLEARED: Final = 500
_MAX_NUMBER: Final = 2**63


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What the index knows of one exchange.

    `key` holds under the rules with the fingerprint `rules`. `span` is its place in a file of many, in bytes.
    """

    key: str
    endpoint: str
    rules: str
    scenario: str | None
    cancelled: bool
    sketch: bytes
    span: tuple[int, int] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What the index knows of one file. `stamp` None: it was too young to be known by its stamp."""

    stamp: Stamp | None
    sha256: str
    lines: tuple[Line, ...]


def default_folder() -> Path:
    """Return the folder for indices in the user's cache (XDG base directories; on macOS its own place)."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    base = Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")
    return (Path(given) if os.path.isabs(given) else base) / "antiphon" / "cassettes"


class IndexFile:
    """The kept index of one cassette folder."""

    def __init__(self, root: Path, folder: Path) -> None:
        self._root = os.path.realpath(root)
        self.path = folder / f"{hashlib.sha256(os.fsencode(self._root)).hexdigest()[:32]}.json"

    def read(self) -> dict[str, Page]:
        """Return name -> page; {} where there is no index that can be used. Never raises."""
        try:
            if self.path.stat().st_size > _MAX_BYTES:
                return {}
            head, _, payload = self.path.read_bytes().partition(b"\n")
            if head.decode("ascii").split(" ", 1)[0] != hashlib.sha256(payload).hexdigest():
                return {}
            told = json.loads(payload)
            if told["format"] != FORMAT or told["root"] != self._root:
                return {}
            words = [_text(word) for word in told["words"]]
            return {_text(name): _page(page, words) for name, page in told["files"].items()}
        except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
            return {}

    def write(self, pages: Iterable[tuple[str, Page]]) -> None:
        """Keep an index, whole or not at all. A cache that can't be written is not an error: it saves time only."""
        words: dict[str, int] = {}
        told: dict[str, Any] = {"format": FORMAT, "root": self._root}
        told["files"] = {name: _told(page, words) for name, page in pages}
        told["words"] = list(words)  # which the files have filled
        payload = json.dumps(told, separators=(",", ":")).encode("ascii")
        head = f"{hashlib.sha256(payload).hexdigest()} {json.dumps(self._root)}\n".encode("ascii")
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            _clear(self.path.parent)
            files.replace_file(self.path, head + payload)


def _clear(folder: Path) -> None:
    """Remove indices of cassette folders that are gone, such as those of tests. Raises OSError."""
    for path in islice(folder.glob("*.json"), _MAX_CLEARED):
        with path.open("rb") as file:
            _, _, root = file.readline(_MAX_HEAD).decode("utf-8", "replace").partition(" ")
        try:
            gone = not os.path.isdir(json.loads(root))
        except (ValueError, TypeError):  # not ours to judge
            continue
        if gone:
            path.unlink(missing_ok=True)


def _told(page: Page, words: dict[str, int]) -> list[Any]:
    stamp = page.stamp
    known = [stamp.modified_ns, stamp.changed_ns, stamp.size, stamp.inode] if stamp is not None else None
    return [known, page.sha256, [_line_told(line, words) for line in page.lines]]


def _line_told(line: Line, words: dict[str, int]) -> list[Any]:
    """Return a line as plain values; words that repeat (endpoints, rules) by their number."""
    return [
        line.key,
        words.setdefault(line.endpoint, len(words)),
        words.setdefault(line.rules, len(words)),
        line.scenario,
        int(line.cancelled),
        line.sketch.hex(),
        *(line.span or ()),
    ]


def _page(told: Any, words: list[str]) -> Page:
    known, sha256, lines = told
    return Page(
        stamp=Stamp(*_numbers(known, 4)) if known is not None else None,
        sha256=_text(sha256),
        lines=tuple(_line(line, words) for line in lines),
    )


def _line(told: Any, words: list[str]) -> Line:
    key, endpoint, rules, scenario, cancelled, sketch, *span = told
    return Line(
        key=_text(key),
        endpoint=words[endpoint],
        rules=words[rules],
        scenario=None if scenario is None else _text(scenario),
        cancelled=bool(cancelled),
        sketch=bytes.fromhex(sketch),
        span=_span(span) if span else None,
    )


def _span(values: list[Any]) -> tuple[int, int]:
    start, end = _numbers(values, 2)
    return start, end


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not text")
    return value


def _numbers(values: Iterable[Any], count: int) -> list[int]:
    numbers = list(values)
    if len(numbers) != count or not all(type(n) is int and 0 <= n < _MAX_NUMBER for n in numbers):
        raise ValueError("not the numbers that belong here")
    return numbers
