"""What the command's exit status says, so that scripts can tell errors apart without reading them."""

from __future__ import annotations

from typing import Final

OK: Final = 0
FAILED: Final = 1
"""Any failure that has no number of its own; also a health check that finds a part not serving."""
USAGE: Final = 2
INTERRUPTED: Final = 130
BROKEN_PIPE: Final = 141
"""Whoever read our output left; what a shell shows for a program that SIGPIPE ended."""

HELP: Final = (
    "Exit status: 0 done, 1 failed, 2 wrong usage or request, 3 not found, 4 key or configuration, "
    "5 rate limit or quota, 6 unavailable, 7 deadline exceeded, 130 interrupted, 141 reader left."
)
