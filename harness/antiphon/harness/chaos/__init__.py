"""Chaos: a walk over faults while somebody's client runs, and what that client did after each."""

from antiphon.harness.chaos.matrix import MATRIX, Cell, Retry, chosen, read_cells
from antiphon.harness.chaos.observe import Observation, Outcome, Run, Verdict, observed
from antiphon.harness.chaos.report import junit_of, line_of, text_of
from antiphon.harness.chaos.walk import Limits, Walk

__all__ = [
    "MATRIX",
    "Cell",
    "Limits",
    "Observation",
    "Outcome",
    "Retry",
    "Run",
    "Verdict",
    "Walk",
    "chosen",
    "junit_of",
    "line_of",
    "observed",
    "read_cells",
    "text_of",
]
