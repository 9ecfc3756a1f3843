"""The report of a walk: lines for people, and JUnit XML for whatever shows test results."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Sequence
from typing import Final

from antiphon.harness.chaos.observe import Observation, Verdict

_MARKS: Final = {Verdict.PASSED: "ok", Verdict.FAILED: "FAILED", Verdict.SKIPPED: "skipped"}
# XML 1.0 has no word for the other control characters, so a client's output cannot hold them.
_UNSAYABLE: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MOST_OUTPUT: Final = 4000


def line_of(each: Observation) -> str:
    """One cell in a line."""
    did = sentence_of(each)
    why = f": {each.why}" if each.why else ""
    return f"{_MARKS[each.verdict]:<8}{each.cell.fault:<32}{did}{why}"


def sentence_of(each: Observation) -> str:
    """What the client did, in a few words: how often it asked again, how soon, and how it ended."""
    if not each.attempts:
        return each.outcome.value
    parts = [each.outcome.value]
    if each.retries:
        waits = ", ".join(f"{wait:.2f}" for wait in each.waits[:6])
        more = ", ..." if len(each.waits) > 6 else ""
        parts.append(f"{each.retries} {'retry' if each.retries == 1 else 'retries'} after {waits}{more} s")
    else:
        parts.append("no retry")
    if each.held >= 1:
        parts.append(f"stayed with the faulty answer for {each.held:.1f} s")
    if each.run.exit_code is not None:
        parts.append(f"exit status {each.run.exit_code}")
    return ", ".join(parts)


def text_of(observations: Sequence[Observation]) -> str:
    """The whole report."""
    counts = Counter(each.verdict for each in observations)
    total = ", ".join(f"{counts[verdict]} {verdict.value}" for verdict in Verdict)
    return "\n".join([*(line_of(each) for each in observations), f"{len(observations)} faults: {total}"]) + "\n"


def junit_of(observations: Sequence[Observation], *, name: str = "antiphon chaos") -> bytes:
    """The report as JUnit XML: one test case a fault."""
    counts = Counter(each.verdict for each in observations)
    seconds = sum(each.run.seconds for each in observations)
    suite = ET.Element(
        "testsuite",
        name=_sayable(name),
        tests=str(len(observations)),
        failures=str(counts[Verdict.FAILED]),
        skipped=str(counts[Verdict.SKIPPED]),
        errors="0",
        time=f"{seconds:.3f}",
    )
    for each in observations:
        case = ET.SubElement(
            suite,
            "testcase",
            classname=f"chaos.{each.cell.group}",
            name=_sayable(each.cell.fault),
            time=f"{each.run.seconds:.3f}",
        )
        if each.verdict is Verdict.FAILED:
            ET.SubElement(case, "failure", message=_sayable(each.why), type=each.outcome.value)
        elif each.verdict is Verdict.SKIPPED:
            ET.SubElement(case, "skipped", message=_sayable(each.why))
        out = ET.SubElement(case, "system-out")
        out.text = _sayable("\n".join(filter(None, [sentence_of(each), each.run.output[-_MOST_OUTPUT:]])))
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _sayable(text: str) -> str:
    return _UNSAYABLE.sub("\N{REPLACEMENT CHARACTER}", text)
