"""What a run tells at its end: recordings that were missing, and recordings that no test used."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from antiphon.pytest_plugin.state import Told

_SHOWN = 50


def write(reporter: pytest.TerminalReporter, reports: Sequence[Told]) -> None:
    """Write the section; nothing where there is nothing to tell."""
    telling = [told for told in reports if told.complaints or told.recorded]
    if not telling:
        return
    reporter.section("antiphon", sep="-")
    for told in telling[:_SHOWN]:
        for complaint in told.complaints:
            reporter.write_line(f"{told.test}: {complaint}")
    if len(telling) > _SHOWN:
        reporter.write_line(f"... and {len(telling) - _SHOWN} more tests")
    reporter.write_line(_counts(reports))
    if any(told.missing for told in reports):
        reporter.write_line("To record what is missing: pytest --antiphon-mode=record-on-miss, with provider keys set.")


def _counts(reports: Sequence[Told]) -> str:
    counts = {
        "recorded": sum(told.recorded for told in reports),
        "missing": sum(len(told.missing) for told in reports),
        "not recorded": sum(len(told.refused) for told in reports),
        "unused": sum(len(told.unused) for told in reports),
    }
    return "recordings: " + ", ".join(f"{count} {word}" for word, count in counts.items() if count)
