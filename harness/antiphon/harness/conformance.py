"""Which provider does what, shown by its recordings: a table of features and providers.

Documentation promises; a recording shows. Who can read a provider's format says what an exchange asked for and what
came back; this puts these together. Nothing here knows a format.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from antiphon.harness.matrix import Cell, Matrix, State


class Verdict(StrEnum):
    """What one exchange shows of one feature."""

    SHOWN = "shown"
    """Asked for, and there in the answer."""
    NOT_SHOWN = "not shown"
    """Asked for and answered, but not there: left out, or there was no occasion."""
    REFUSED = "refused"
    """Asked for, and the provider answered with an error."""
    UNREADABLE = "unreadable"
    """The exchange cannot be read in the provider's format."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What one recording (its label) shows of one feature of one provider."""

    provider: str
    feature: str
    verdict: Verdict
    label: str


def conformance(evidence: Iterable[Evidence], *, features: Sequence[str] = (), providers: Sequence[str] = ()) -> Matrix:
    """Return the table; `features` and `providers` come first, in their order, also where nothing shows them."""
    by_cell: dict[tuple[str, str], list[Evidence]] = {}
    for each in evidence:
        by_cell.setdefault((each.feature, each.provider), []).append(each)
    rows = list(dict.fromkeys([*features, *sorted({feature for feature, _ in by_cell})]))
    columns = list(dict.fromkeys([*providers, *sorted({provider for _, provider in by_cell})]))
    cells = {cell: _told(found) for cell, found in by_cell.items()}
    return Matrix(title="Conformance", corner="feature", rows=rows, columns=columns, cells=cells, notes=_NOTES)


def _told(found: Sequence[Evidence]) -> Cell:
    counts = Counter(each.verdict for each in found)
    verdicts = [verdict for verdict in Verdict if counts[verdict]]
    text = ", ".join(f"{counts[verdict]} {verdict.value}" for verdict in verdicts)
    detail = "; ".join(f"{each.label} {each.verdict.value}" for each in found[:_LISTED])
    state = State.BAD if Verdict.UNREADABLE in counts else _STATES[verdicts[0]]
    return Cell(state=state, text=text, detail=detail)


_STATES: Final = {
    Verdict.SHOWN: State.GOOD,
    Verdict.NOT_SHOWN: State.PARTIAL,
    Verdict.REFUSED: State.PARTIAL,
    Verdict.UNREADABLE: State.BAD,
}
_LISTED: Final = 20
_NOTES: Final = (
    "made from recordings: an empty cell was never recorded, which says nothing of the provider",
    "not shown: it was asked for, and the answer is without it",
)
