"""A drift report for a CI: JSON for programs, Markdown for a pull request or an issue."""

from __future__ import annotations

from html import escape
from typing import Any

from antiphon.harness import age
from antiphon.harness.differing import Severity
from antiphon.harness.drift import Checked, Report
from antiphon.harness.holdings import Item


def document(report: Report) -> dict[str, Any]:
    """Return the report as a JSON object."""
    return {
        "worst": report.worst.name.lower() if report.worst is not None else None,
        "compared": len(report.checked) - report.failed,
        "not_compared": report.failed,
        "recordings": [_checked(each) for each in report.checked],
        "expired": [{"label": item.label, "recorded_at": _date(item)} for item in report.expired],
    }


def markdown(report: Report) -> str:
    """Return the report as Markdown: a line of sums, the findings, what could not be compared, what is too old."""
    counts = {
        level: sum(1 for each in report.checked for f in each.findings if f.severity is level) for level in Severity
    }
    lines = [
        "## Drift",
        "",
        f"{len(report.checked) - report.failed} recordings compared: {counts[Severity.ERROR]} errors, "
        f"{counts[Severity.WARNING]} warnings, {counts[Severity.INFO]} additions. "
        f"{report.failed} could not be compared, {len(report.expired)} are too old.",
        "",
    ]
    rows = [
        f"| {f.severity.name.lower()} | {_cell(each.item.label)} | {_cell(f.place)} | {_cell(f.what)} |"
        for each in report.checked
        for f in each.findings
    ]
    if rows:
        lines += ["| severity | recording | place | what |", "| --- | --- | --- | --- |", *rows, ""]
    lines += [
        f"- not compared: {_cell(each.item.label)}: {_cell(each.failure)}" for each in report.checked if each.failure
    ]
    lines += [f"- too old: {_cell(item.label)}, recorded {_date(item)}" for item in report.expired]
    return "\n".join(lines).rstrip() + "\n"


def _checked(each: Checked) -> dict[str, Any]:
    then = each.item.provenance
    now = each.live.answer.provenance if each.live is not None else None
    return {
        "label": each.item.label,
        "provider": each.item.provider,
        "endpoint": each.item.endpoint,
        "scenario": then.scenario,
        "origin": then.origin,
        "recorded_at": _date(each.item),
        "model_asked": then.model_asked,
        "model_answered_then": then.model_answered,
        "model_answered_now": now.model_answered if now is not None else None,
        "failure": each.failure or None,
        "findings": [
            {"severity": finding.severity.name.lower(), "place": finding.place, "what": finding.what}
            for finding in each.findings
        ],
    }


def _date(item: Item) -> str | None:
    moment = age.recorded_at(item.interaction)
    return moment.isoformat() if moment is not None else None


def _cell(text: str) -> str:
    return escape(" ".join(text.split()), quote=False).replace("|", "\\|")
