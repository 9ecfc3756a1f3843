"""Results as JSON, which `check` reads, and as Markdown, which people read."""

from __future__ import annotations

import datetime
import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from bench import machine, upstream
from bench.goals import Document, judge, ratio
from bench.loads import h2load, wrk
from bench.rows.table import ROWS
from bench.session import Case, Session

QUIET: Final = 0.05
"""Share of the machine that others may have used before figures are called noisy."""
FULL: Final = 0.9
"""Share of a core from which on it counts as used up."""

_COLUMNS: Final[Mapping[str, tuple[str, str]]] = {
    "rate": ("{unit}", "{:,.0f}"),
    "cpu_us": ("CPU us a call", "{:,.0f}"),
    "server_busy": ("server core", "{:.0%}"),
    "load_busy": ("load core", "{:.0%}"),
    "p50_ms": ("p50 ms", "{:.2f}"),
    "p99_ms": ("p99 ms", "{:.2f}"),
    "first_ms": ("first chunk ms", "{:.2f}"),
    "added_ms": ("added ms", "{:.2f}"),
    "seconds": ("s", "{:.2f}"),
    "at_start_mb": ("MB at start", "{:,.0f}"),
    "under_load_mb": ("MB under load", "{:,.0f}"),
    "after_mb": ("MB after", "{:,.0f}"),
    "mb": ("MB", "{:,.0f}"),
    "wrk_rate": ("wrk calls/s", "{:,.0f}"),
    "wrk_ratio": ("wrk / h2load", "{:.2f}"),
}
_COMPARED: Final = ("rate", "cpu_us", "added_ms", "seconds", "under_load_mb", "mb")
_OWN: Final = ("antiphon (grpc)", "antiphon (http)")


def now() -> str:
    """The time, as results are named by it."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def document(session: Session, cases: Sequence[Case], *, command: str, began: str) -> Document:
    """Everything that one run found so far. `began` is when it began, by `now`."""
    return {
        "at": began,
        "command": command,
        "machine": machine.described(),
        "pinning": session.cores.said,
        "options": {
            "rounds": session.options.rounds,
            "seconds": session.options.seconds,
            "callers": list(session.options.callers),
        },
        "versions": session.versions | {"h2load": h2load.version(), "wrk": wrk.version(), "nginx": upstream.version()},
        "left_out": session.unable,
        "cases": [
            {
                "row": case.row,
                "case": case.case,
                "unit": case.unit,
                "subjects": [
                    asdict(subject) | {"name": subject.name, "median": subject.median()} for subject in case.subjects
                ],
            }
            for case in cases
        ],
    }


def write(found: Document, folder: Path) -> Path:
    """Write both files; the path of the JSON one."""
    folder.mkdir(parents=True, exist_ok=True)
    name = found["at"].replace(":", "").replace("+0000", "Z")
    path = folder / f"{name}.json"
    path.write_text(json.dumps(found, indent=1) + "\n")
    path.with_suffix(".md").write_text(markdown(found))
    return path


def newest(folder: Path) -> Path | None:
    """The newest results; their names sort by time."""
    return max(folder.glob("*.json"), default=None, key=lambda path: path.name)


def markdown(found: Document) -> str:
    """The report."""
    lines = [f"# Results of {found['at']}", ""]
    lines += [
        f"`{found['command']}`, medians of {found['options']['rounds']} alternating rounds. {found['pinning']}.",
        "",
    ]
    lines += [f"- {name}: {value}" for name, value in found["machine"].items()]
    lines += [f"- {noise(found)}", ""]
    lines += ["## Goals", "", *_verdicts(found), ""]
    titles = {name: row.about for name, row in ROWS.items()}
    row = ""
    for case in found["cases"]:
        if case["row"] != row:
            row = case["row"]
            lines += [f"## {titles.get(row, row)}", ""]
        lines += [f"### {case['case']}", "", *_table(case), ""]
    lines += ["## Versions", ""]
    lines += [f"- {name}: {value}" for name, value in sorted(found["versions"].items())]
    lines += [f"- {name} was left out: {why.splitlines()[0]}" for name, why in sorted(found["left_out"].items())]
    return "\n".join(lines) + "\n"


def noise(found: Document) -> str:
    """How quiet the machine was."""
    shares = [
        one["foreign_busy"]
        for case in found["cases"]
        for subject in case["subjects"]
        for one in subject["rounds"]
        if "foreign_busy" in one
    ]
    if not shares:
        return "noise of the machine: not measured"
    middle, worst = statistics.median(shares), max(shares)
    said = f"others used {middle:.0%} of the machine in the median measurement, {worst:.0%} in the worst"
    return said if middle <= QUIET else f"NOT QUIET: {said}; don't quote these figures"


def _verdicts(found: Document) -> list[str]:
    lines = ["| goal | case | by | beside | wanted | found | |", "|---|---|---|---|---|---|---|"]
    for verdict in judge(found):
        goal = verdict.goal
        said = "not measured" if verdict.ratio is None else f"{verdict.ratio:.3g}x"
        mark = "met" if verdict.met else "**missed**"
        lines.append(
            f"| {goal.name} | {verdict.case} | {verdict.metric} | {goal.theirs} | {goal.least:.3g}x | {said} | {mark} |"
        )
    return lines


def _table(case: Document) -> list[str]:
    """One case; the ratios say how many times better antiphon does than the line's system, by each figure."""
    measured = [subject for subject in case["subjects"] if subject["rounds"]]
    columns = [name for name in _COLUMNS if any(name in subject["median"] for subject in measured)]
    rulers = [subject for subject in measured if subject["name"] in _OWN]
    compared = [name for name in columns if name in _COMPARED]
    heads = ["system", *(_COLUMNS[name][0].format(unit=case["unit"]) for name in columns)]
    heads += [
        f"{ruler['name']} / it, by {_COLUMNS[name][0].format(unit=case['unit'])}"
        for ruler in rulers
        for name in compared
    ]
    lines = ["| " + " | ".join([*heads, ""]) + " |", "|---" * (len(heads) + 1) + "|"]
    for subject in case["subjects"]:
        if not subject["rounds"]:
            lines.append(f"| {subject['name']} | " + " | " * (len(heads) - 1) + f" {_short(subject['failed'])} |")
            continue
        cells = [subject["name"]]
        cells += [
            _COLUMNS[name][1].format(subject["median"][name]) if name in subject["median"] else "" for name in columns
        ]
        for ruler in rulers:
            for name in compared:
                value = ratio(ruler["rounds"], subject["rounds"], name)
                cells.append("" if value is None else f"{value:.2f}")
        lines.append("| " + " | ".join([*cells, _bound(subject["median"])]) + " |")
    return lines


def _bound(median: Mapping[str, float]) -> str:
    """What limited the rate, where that was not the server's core."""
    if "server_busy" not in median or median["server_busy"] >= FULL:
        return ""
    return "load core is full: read the CPU time" if median["load_busy"] >= FULL else "server core is not full"


def _short(text: str) -> str:
    return " ".join(text.split())[:120].replace("|", "/")
