"""Where each interaction of a large cassette stands, so that one can be read without the others.

A place is only told where reading it alone was seen to give the same interaction, so whatever YAML a file from
elsewhere uses, it is read right: alone where that works, with its file where it doesn't.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from antiphon.harness import cassette
from antiphon.harness.errors import CassetteUnreadable
from antiphon.harness.interaction import Interaction

Span = tuple[int, int]
"""First byte of an interaction, and the byte after its last one."""

WORTH_BYTES: Final = 32 * 1024
"""A smaller file is read whole as fast."""


def spans_of(content: bytes, interactions: Sequence[Interaction], *, file: str) -> list[Span | None]:
    """Return the place of each interaction, None where it can only be read with its file."""
    none: list[Span | None] = [None] * len(interactions)
    if len(interactions) < 2 or len(content) < WORTH_BYTES:
        return none
    head = _HEAD.search(content)
    if head is None:
        return none
    end = _END.search(content, head.end())
    stop = end.start() if end is not None else len(content)
    starts = [found.start() for found in _ITEM.finditer(content, head.end(), stop)]
    if len(starts) != len(interactions):
        return none
    places = zip(starts, [*starts[1:], stop], strict=True)
    return [
        span if _alone(content, span, file) == interaction else None
        for span, interaction in zip(places, interactions, strict=True)
    ]


def read(content: bytes, *, file: str) -> Interaction:
    """Return the interaction in the bytes of one place; raises CassetteUnreadable where there isn't exactly one."""
    ended = b"" if content.endswith(b"\n") else b"\n"
    found = cassette.parse(b"interactions:\n" + content + ended + b"version: 1\n", file=file).interactions
    if len(found) != 1:
        raise CassetteUnreadable(file, "it was changed while it was read")
    return found[0]


def bytes_at(path: Path, span: Span) -> bytes:
    """Return the bytes of a place; raises OSError."""
    with path.open("rb") as stream:
        stream.seek(span[0])
        return stream.read(span[1] - span[0])


def _alone(content: bytes, span: Span, file: str) -> Interaction | None:
    try:
        return read(content[span[0] : span[1]], file=file)
    except CassetteUnreadable:
        return None


_HEAD: Final = re.compile(rb"^interactions:[ ]*\n", re.MULTILINE)
_ITEM: Final = re.compile(rb"^- ", re.MULTILINE)
_END: Final = re.compile(rb"^[^\s\-#]", re.MULTILINE)
