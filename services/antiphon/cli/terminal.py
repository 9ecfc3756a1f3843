"""The two consoles, and text that is safe to show: models and providers may write anything, terminals obey some."""

from __future__ import annotations

import sys
from typing import NoReturn

from rich.console import Console

_KEPT = frozenset("\n\t")
_ENDLESS = 100_000
_CONTROLS = {code: None for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in _KEPT}


class Terminal(Console):
    """A console that lets a broken pipe through, for `quiet_ends` to handle."""

    def on_broken_pipe(self) -> NoReturn:
        """Go on with the error that is being handled; rich would end the process with status 1."""
        raise


def out() -> Terminal:
    """Standard output: what was asked for, and nothing else."""
    return Terminal(file=sys.stdout, highlight=False)


def rows() -> Terminal:
    """Standard output for a table: on a terminal folded to its width, in a pipe one line a row."""
    return Terminal(file=sys.stdout, highlight=False, width=None if sys.stdout.isatty() else _ENDLESS)


def err() -> Terminal:
    """Standard error: everything around it."""
    return Terminal(file=sys.stderr, highlight=False)


def safe(text: str) -> str:
    """The text without control characters other than newline and tab: none can move a cursor or set a title."""
    return text.translate(_CONTROLS)


def line(text: str) -> str:
    """The text safe and on one line."""
    return " ".join(safe(text).split())


def write(text: str) -> None:
    """Write to standard output at once; made safe where that is a terminal, else exactly as it is."""
    sys.stdout.write(safe(text) if sys.stdout.isatty() else text)
    sys.stdout.flush()
