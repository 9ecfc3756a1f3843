"""docs/faults.md says what there is, and its examples run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from antiphon.harness.faults import KINDS, plan_of

TEXT = (Path(__file__).parents[3] / "docs" / "faults.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)
    assert found is not None
    return found[1]


def test_every_fault_and_every_setting_is_in_the_table() -> None:
    rows = [line for line in TEXT.splitlines() if line.startswith("| `")]
    named = {name: row for row in rows for name in re.findall(r"`([a-z0-9-]+)`", row.split("|")[1])}
    assert set(named) == set(KINDS)
    for name, kind in KINDS.items():
        assert all(f"`{setting.name}`" in named[name].split("|")[3] for setting in kind.settings), name


def test_the_plan_can_be_read() -> None:
    assert [rule.name for rule in plan_of(block("yaml")).rules] == ["busy mornings", "rule 2"]


def test_the_example_of_mocks_runs(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", block("python")], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
