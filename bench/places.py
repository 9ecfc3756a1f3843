"""Where the bench keeps things: what it installs and writes stays under one folder that git ignores."""

from __future__ import annotations

from pathlib import Path
from typing import Final

BENCH: Final = Path(__file__).parent
ROOT: Final = BENCH.parent
WORK: Final = BENCH / ".work"
"""Environments of the peers, configurations, logs, request bodies."""
VENVS: Final = WORK / "venvs"
NODE: Final = WORK / "portkey"
RESULTS: Final = BENCH / "results"
REQUIREMENTS: Final = BENCH / "systems" / "requirements"
