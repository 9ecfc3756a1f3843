"""Which scenario is recorded for which provider, and which is not: the empty cells by name.

A suite that replays is only as good as its recordings. This says, before a test fails for want of one, what has
never been recorded.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from antiphon.harness.holdings import Item
from antiphon.harness.matrix import Cell, Matrix, State
from antiphon.harness.modes import Outcome

UNNAMED: Final = "(no scenario)"
"""The row of recordings that name no scenario: those of applications, and of plain vcrpy."""

_LISTED: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """The matrix of scenarios and providers, and the pairs that nothing is recorded for."""

    matrix: Matrix
    missing: tuple[tuple[str, str], ...]
    """(scenario, provider), without those that the provider does not offer."""
    filled: int
    """Cells with at least one recording, of scenarios that are wanted or named."""


def coverage(
    items: Iterable[Item],
    *,
    scenarios: Sequence[str] = (),
    providers: Sequence[str] = (),
    not_offered: Collection[tuple[str, str]] = (),
) -> Coverage:
    """Return what is recorded.

    `scenarios` and `providers` are wanted even where nothing is recorded, and come first in their order.
    `not_offered` are (scenario, provider) that cannot be recorded at all.
    """
    by_cell: dict[tuple[str, str], list[Item]] = {}
    for item in items:
        by_cell.setdefault((item.provenance.scenario or UNNAMED, item.provider), []).append(item)
    rows = _ordered(scenarios, (scenario for scenario, _ in by_cell))
    columns = _ordered(providers, (provider for _, provider in by_cell))
    cells = {cell: _told(found) for cell, found in by_cell.items()}
    for cell in not_offered:
        cells.setdefault(cell, Cell(state=State.NOT_OFFERED, text="not offered"))
    named = [row for row in rows if row != UNNAMED]
    matrix = Matrix(title="Coverage", corner="scenario", rows=rows, columns=columns, cells=cells)
    missing = tuple(pair for pair in matrix.empty() if pair[0] != UNNAMED)
    filled = sum(1 for scenario, _ in by_cell if scenario != UNNAMED)
    total = filled + len(missing)
    notes = [f"{filled} of {total} cells are filled ({len(named)} scenarios, {len(columns)} providers)"]
    by_scenario: dict[str, list[str]] = {}
    for scenario, provider in missing:
        by_scenario.setdefault(scenario, []).append(provider)
    notes += [f"missing: {scenario} x {', '.join(absent)}" for scenario, absent in by_scenario.items()]
    whole = Matrix(title="Coverage", corner="scenario", rows=rows, columns=columns, cells=cells, notes=notes)
    return Coverage(matrix=whole, missing=missing, filled=filled)


def _ordered(wanted: Sequence[str], found: Iterable[str]) -> list[str]:
    rest = sorted(set(found) - set(wanted), key=lambda word: (word == UNNAMED, word))
    return [*dict.fromkeys(wanted), *rest]


def _told(items: Sequence[Item]) -> Cell:
    authored = sum(1 for item in items if item.provenance.origin == "authored")
    broken = sum(1 for item in items if item.interaction.answer.outcome is not Outcome.COMPLETE)
    words = [str(len(items))]
    if authored:
        words.append("authored" if authored == len(items) else f"{authored} authored")
    if broken:
        words.append(f"{broken} cut or failed")
    state = State.BAD if broken == len(items) else State.PARTIAL if authored == len(items) or broken else State.GOOD
    return Cell(state=state, text=", ".join(words), detail=", ".join(item.label for item in items[:_LISTED]))
