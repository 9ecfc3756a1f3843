"""Runs the laws over a folder and tells the outcome."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.laws.recordings import Folder, Recorded
from tests.laws.scope import why_not
from tests.laws.verdict import LAWS, Verdict
from tests.laws.wires import WIRES, wire_of

LEAST_TYPED = 0.97


@dataclass(slots=True)
class WireCount:
    """The outcome of one wire."""

    wire: str
    exchanges: int = 0
    in_scope: int = 0
    passed: dict[str, int] = field(default_factory=lambda: dict.fromkeys(LAWS, 0))
    applicable: dict[str, int] = field(default_factory=lambda: dict.fromkeys(LAWS, 0))
    leaves: int = 0
    untyped: int = 0

    @property
    def typed_share(self) -> float:
        """L5: the share of values in typed fields; 1 where there are no values."""
        return 1 - self.untyped / self.leaves if self.leaves else 1.0

    def as_json(self) -> dict[str, Any]:
        """The row of the JSON report."""
        return {
            "wire": self.wire,
            "exchanges": self.exchanges,
            "in_scope": self.in_scope,
            "laws": {law: {"passed": self.passed[law], "applicable": self.applicable[law]} for law in LAWS},
            "typed_share": round(self.typed_share, 4),
            "typed_leaves": self.leaves - self.untyped,
            "leaves": self.leaves,
        }


@dataclass(slots=True)
class Report:
    """The outcome of a folder."""

    wires: dict[str, WireCount] = field(default_factory=lambda: {wire.name: WireCount(wire.name) for wire in WIRES})
    out_of_scope: list[dict[str, Any]] = field(default_factory=list)
    failures: list[dict[str, Any]] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether every exchange in scope keeps every law, and every wire is typed enough."""
        return not self.failures and all(wire.typed_share >= LEAST_TYPED for wire in self.wires.values())

    def add(self, recorded: Recorded) -> Verdict | None:
        """Apply the laws to one exchange."""
        wire = wire_of(recorded)
        if wire is None:
            self._leave_out(recorded, why_not(recorded))
            return None
        count = self.wires[wire.name]
        count.exchanges += 1
        if recorded.packed:
            self._leave_out(recorded, f"its body is still packed with {recorded.packed}")
            return None
        verdict = wire.examine(recorded)
        if verdict.refused:
            self._leave_out(recorded, verdict.refused)
            return verdict
        count.in_scope += 1
        count.leaves += verdict.leaves
        count.untyped += verdict.untyped
        for law, difference in verdict.checks:
            count.applicable[law] += 1
            count.passed[law] += difference is None
            if difference is not None:
                place = {"file": recorded.file, "exchange": recorded.number, "wire": wire.name}
                self.failures.append({**place, "law": law, "difference": difference})
        return verdict

    def as_json(self) -> dict[str, Any]:
        """The JSON report."""
        return {
            "ok": self.ok,
            "wires": [wire.as_json() for wire in self.wires.values()],
            "out_of_scope": self.out_of_scope,
            "failures": self.failures,
        }

    def as_text(self) -> str:
        """The report for people."""
        titles = ["wire", "exchanges", "in scope", *LAWS, "typed share"]
        rows = [titles, *(_row(wire) for wire in self.wires.values())]
        widths = [max(len(row[column]) for row in rows) for column in range(len(titles))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        lines += ["", f"out of scope: {len(self.out_of_scope)}"]
        lines += [f"  {item['file']} #{item['exchange']}: {item['why']}" for item in self.out_of_scope]
        lines += ["", f"failures: {len(self.failures)}"]
        lines += [f"  {f['file']} #{f['exchange']} {f['wire']} {f['law']}: {f['difference']}" for f in self.failures]
        low = [wire.wire for wire in self.wires.values() if wire.typed_share < LEAST_TYPED]
        lines += [f"typed share below {LEAST_TYPED:.0%}: {name}" for name in low]
        return "\n".join([*lines, "", "ok" if self.ok else "NOT ok"])

    def _leave_out(self, recorded: Recorded, why: str) -> None:
        self.out_of_scope.append({"file": recorded.file, "exchange": recorded.number, "why": why})


def run(folder: Folder, progress: Callable[[str], None] = lambda file: None) -> Report:
    """Apply the laws to every exchange of a folder."""
    report = Report()
    for file in folder.files:
        progress(file)
        for recorded in folder.exchanges(file):
            report.add(recorded)
    return report


def _row(wire: WireCount) -> list[str]:
    laws = [f"{wire.passed[law]}/{wire.applicable[law]}" for law in LAWS]
    share = f"{wire.typed_share:.2%} of {wire.leaves}"
    return [wire.wire, str(wire.exchanges), str(wire.in_scope), *laws, share]
