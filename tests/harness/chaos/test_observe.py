"""What a client did, told from the requests that came; and the reports of it."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from pathlib import Path

import pytest

from antiphon.harness import BadRecordingCall, RecordedRequest
from antiphon.harness.chaos import (
    MATRIX,
    Cell,
    Observation,
    Outcome,
    Retry,
    Run,
    Verdict,
    chosen,
    junit_of,
    observed,
    read_cells,
    text_of,
)
from antiphon.harness.requestlog import End, Seen

URL = "https://api.openai.com/v1/chat/completions"


def seen(
    number: int,
    began: float,
    ended: float | None,
    *,
    synthetic: str = "",
    status: int | None = 200,
    body: bytes = b"{}",
) -> Seen:
    return Seen(
        number=number,
        session="",
        provider="openai",
        at=datetime.now(UTC),
        began=began,
        request=RecordedRequest(method="POST", url=URL, body=body),
        status=status,
        synthetic=synthetic,
        answered=began,
        ended=ended,
        end=End.OPEN if ended is None else End.COMPLETE if status == 200 else End.FAILED,
    )


SHOULD = Retry.SHOULD
DONE = Run(seconds=2, exit_code=0)
FAILED = Run(seconds=2, exit_code=1)
FAULTY = seen(1, 0.0, 0.1, synthetic="429", status=429)
GOOD = seen(2, 1.1, 1.2)


@pytest.mark.parametrize(
    ("cell", "requests", "run", "outcome", "verdict", "why"),
    [
        (Cell(fault="429", retry=SHOULD), [FAULTY, GOOD], DONE, "recovered", "passed", ""),
        (Cell(fault="429", retry=SHOULD), [FAULTY], FAILED, "gave up", "failed", "at once"),
        (Cell(fault="429", retry=SHOULD), [FAULTY], DONE, "went on", "failed", "at once"),
        (Cell(fault="400", retry=Retry.NEVER), [FAULTY, GOOD], DONE, "recovered", "failed", "1 t"),
        (Cell(fault="400", retry=Retry.NEVER), [FAULTY], FAILED, "gave up", "passed", ""),
        (Cell(fault="cut"), [FAULTY], DONE, "went on", "failed", "for a good one"),
        (Cell(fault="slow", notices=False), [FAULTY], DONE, "went on", "passed", ""),
        (Cell(fault="429;retry-after=5", retry=SHOULD), [FAULTY, GOOD], DONE, "recovered", "failed", "1.00 s although"),
        (Cell(fault="429;retry-after=1", retry=SHOULD), [FAULTY, GOOD], DONE, "recovered", "passed", ""),
        (Cell(fault="stall"), [FAULTY], Run(seconds=9, hung=True), "hung", "failed", "without"),
        (Cell(fault="stall"), [seen(1, 0, None, synthetic="stall")], Run(seconds=9), "hung", "failed", "without"),
        (Cell(fault="429"), [GOOD], DONE, "not reached", "skipped", "no request came"),
        (Cell(fault="429"), [], Run(seconds=2, hung=True), "hung", "failed", "before the fault"),
        (Cell(fault="429", retry=SHOULD), [FAULTY, GOOD], FAILED, "gave up", "failed", "all the same"),
        (Cell(fault="429"), [FAULTY], Run(seconds=2), "ended", "passed", ""),
    ],
)  # fmt: skip
def test_each_way_to_behave_has_its_name_and_its_verdict(
    cell: Cell, requests: list[Seen], run: Run, outcome: str, verdict: str, why: str
) -> None:
    found = observed(cell, requests, run)
    assert (found.outcome, found.verdict) == (Outcome(outcome), Verdict(verdict))
    assert why in found.why


def test_other_requests_are_no_attempts_and_headers_and_spelling_do_not_count() -> None:
    first = seen(1, 0.0, 0.1, synthetic="500", status=500, body=b'{"a":1,"b":2}')
    other = seen(2, 0.2, 0.3, body=b'{"a":2}')
    again = seen(3, 0.6, 0.7, body=b'{"b": 2, "a": 1.0}')
    found = observed(Cell(fault="500"), [first, other, again], Run(seconds=1, exit_code=0))
    assert found.retries == 1
    assert found.waits == pytest.approx((0.5,))


def walked() -> list[Observation]:
    return [
        observed(Cell(fault="429", retry=SHOULD, group="limits"), [FAULTY, GOOD], DONE),
        observed(Cell(fault="stall"), [FAULTY], Run(seconds=9, hung=True, output="\x1b[31mbad\x00 <tag>")),
        observed(Cell(fault="500"), [], Run(seconds=1, exit_code=0)),
    ]


def test_the_text_has_a_line_a_fault_and_a_sum() -> None:
    lines = text_of(walked()).splitlines()
    assert lines[0].split() == ["ok", "429", "recovered,", "1", "retry", "after", "1.00", "s,", "exit", "status", "0"]
    assert lines[1].startswith("FAILED  stall")
    assert lines[-1] == "3 faults: 1 passed, 1 failed, 1 skipped"


def test_the_xml_is_junits_and_whole_whatever_the_client_printed() -> None:
    (suite,) = ET.fromstring(junit_of(walked()))
    assert {name: suite.get(name) for name in ("tests", "failures", "skipped")} == {
        "tests": "3",
        "failures": "1",
        "skipped": "1",
    }
    cases = {case.get("name"): case for case in suite}
    assert cases["429"].get("classname") == "chaos.limits"
    failure = cases["stall"].find("failure")
    assert failure is not None
    assert failure.get("type") == "hung"
    out = cases["stall"].find("system-out")
    assert out is not None
    assert "<tag>" in (out.text or "")


def test_every_cell_of_the_matrix_is_a_fault_that_there_is() -> None:
    assert len({cell.fault for cell in MATRIX}) == len(MATRIX)
    for cell in MATRIX:
        assert cell.parsed.text == cell.fault


def test_cells_are_chosen_by_group_by_name_and_by_their_own_words() -> None:
    assert chosen([]) == MATRIX
    assert [cell.fault for cell in chosen(["limits"])] == ["429", "429;retry-after=1", "503;retry-after=1"]
    assert [cell.fault for cell in chosen(["stall"])] == ["stall;seconds=3600", "stall@event=1;seconds=3600"]
    (own,) = chosen(["429;retry-after=9"])
    assert (own.fault, own.retry, own.retry_after) == ("429;retry-after=9", Retry.SHOULD, 9)
    with pytest.raises(BadRecordingCall, match="there is no fault"):
        chosen(["meteor"])


def test_cells_come_from_a_file_with_expectations_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "cells.yaml"
    file.write_text("- 429\n- {fault: 'cut@event=2', retry: never, notices: false, group: mine}\n")
    first, second = read_cells(file)
    assert (first.fault, first.retry) == ("429", Retry.SHOULD)
    assert (second.retry, second.notices, second.group) == (Retry.NEVER, False, "mine")
    for text, complaint in (("{}", "has to be a list"), ("- {}", "mapping with 'fault'"), ("- meteor", "no fault")):
        file.write_text(text)
        with pytest.raises(BadRecordingCall, match=complaint):
            read_cells(file)
