"""What the plugin keeps on pytest's configuration between tests."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Final

import pytest

from antiphon.pytest_plugin.loop import LoopThread


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one test has to tell. Plain values, because workers of pytest-xdist send it to each other."""

    test: str
    cassette: str
    missing: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    recorded: int = 0

    @property
    def complaints(self) -> list[str]:
        """What a strict run fails on."""
        return [
            *(f"missing: {text}" for text in self.missing),
            *(f"not recorded: {text}" for text in self.refused),
            *(f"unused: {text}" for text in self.unused),
        ]


def plain(told: Told) -> dict[str, Any]:
    """A report as plain values."""
    return asdict(told)


LOOP: Final = pytest.StashKey[LoopThread]()
REPORTS: Final = pytest.StashKey[list[Told]]()
STORES: Final = pytest.StashKey[dict[str, Any]]()
