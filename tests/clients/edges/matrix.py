"""`python -m tests.clients.edges.matrix`: runs the tests of SDKs and prints which passed, an SDK a row.

A cell is `passed/run` of the tests that filled it in this very run. Nothing is remembered and nothing is assumed.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest

CELL = "edge_cell"
"""The property of a test's report that tells the matrix: SDK, feature, and the outcome where it is not the test's."""
FOLDER = Path(__file__).parent
SDKS = ("openai chat", "openai responses", "openai (npm)", "anthropic", "google-genai", "ollama")
FEATURES = (
    *("unary", "stream", "tools", "streamed call", "structured", "image"),
    *("vectors", "count", "models", "functions", "errors"),
)
NOT_OFFERED = frozenset(
    {
        ("openai chat", "count"),
        ("openai responses", "vectors"),
        ("openai responses", "models"),
        *((sdk, "functions") for sdk in SDKS if sdk not in ("openai chat", "openai (npm)")),
        ("anthropic", "vectors"),
        ("ollama", "count"),
    }
)
"""What an SDK has no call for; of OpenAI's, what its other row shows."""


class Results:
    """A plugin of pytest that counts what each cell's tests came to."""

    def __init__(self) -> None:
        self.run: Counter[tuple[str, str]] = Counter()
        self.passed: Counter[tuple[str, str]] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take a test's report: of its call, and of a setup or teardown that failed."""
        if report.when != "call" and report.passed:
            return
        for name, value in report.user_properties:
            if name == CELL:
                sdk, feature, *outcome = str(value).split("|")
                self.run[sdk, feature] += 1
                self.passed[sdk, feature] += (outcome or [report.outcome]) == ["passed"]

    def cell(self, sdk: str, feature: str) -> str:
        """What is printed."""
        if not self.run[sdk, feature]:
            return "-" if (sdk, feature) in NOT_OFFERED else "untested"
        return f"{self.passed[sdk, feature]}/{self.run[sdk, feature]}"

    def table(self) -> str:
        """All cells, as Markdown."""
        rows = [("SDK", *FEATURES), ("---",) * (len(FEATURES) + 1)]
        rows += [(sdk, *(self.cell(sdk, feature) for feature in FEATURES)) for sdk in SDKS]
        strangers = sorted(set(self.run) - {(sdk, feature) for sdk in SDKS for feature in FEATURES})
        rows += [(f"{sdk}: {feature}", self.cell(sdk, feature)) for sdk, feature in strangers]
        return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main() -> int:
    """Run, print, and end as pytest does."""
    results = Results()
    status = pytest.main(["-q", str(FOLDER / "test_python.py"), str(FOLDER / "test_node.py")], plugins=[results])
    print(f"\n{results.table()}\n\n- : the SDK has no such call")
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
