"""`antiphon chaos` as a user runs it: a command of one's own, the report, the XML and the exit status."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from antiphon.harness import authored_json, write_cassette

URL = "https://api.openai.com/v1/chat/completions"
CLIENT = """
import json, os, sys, time, urllib.error, urllib.request
request = urllib.request.Request(
    os.environ["OPENAI_BASE_URL"] + "/chat/completions",
    data=b'{"model": "m"}',
    headers={"content-type": "application/json", "authorization": "Bearer " + os.environ["OPENAI_API_KEY"]},
)
for attempt in range(3):
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            json.load(answer)
        sys.exit(0)
    except urllib.error.HTTPError as error:
        if error.code not in (429, 500, 503):
            sys.exit(f"refused: {error.code}")
        time.sleep(float(error.headers.get("retry-after", 0)))
sys.exit("gave up")
"""


def chaos(folder: Path, *arguments: str, client: str = CLIENT, timeout: str = "5") -> subprocess.CompletedProcess[str]:
    write_cassette(folder / "c", "openai/chat", [authored_json(url=URL, request={"model": "m"}, response={"n": 1})])
    script = folder / "client.py"
    script.write_text(client.replace("TIMEOUT", timeout))
    command = [sys.executable, "-m", "antiphon.cli", "chaos", "--cassettes", str(folder / "c"), *arguments]
    return subprocess.run(
        [*command, "--", sys.executable, str(script)], capture_output=True, text=True, timeout=100, check=False
    )


def test_a_client_that_behaves_ends_well_with_a_line_a_fault_and_the_xml(tmp_path: Path) -> None:
    report = tmp_path / "reports" / "chaos.xml"
    faults = ("--fault", "401", "--fault", "429;retry-after=0.2", "--fault", "cut@event=1")
    done = chaos(tmp_path, *faults, "--junit", str(report))
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[:2] for line in lines[:-1]] == [
        ["ok", "401"],
        ["ok", "429;retry-after=0.2"],
        ["ok", "cut@event=1"],
    ]
    assert "recovered, 1 retry after 0.2" in lines[1]
    assert lines[-1] == "3 faults: 3 passed, 0 failed, 0 skipped"
    (suite,) = ET.parse(report).getroot()
    assert [case.get("name") for case in suite] == ["401", "429;retry-after=0.2", "cut@event=1"]
    assert "refused: 401" in (suite[0].findtext("system-out") or "")


def test_a_client_that_hangs_is_stopped_and_fails_the_run(tmp_path: Path) -> None:
    done = chaos(tmp_path, "--fault", "stall;seconds=600", "--patience", "3", timeout="None")
    assert done.returncode == 1
    assert "FAILED  stall;seconds=600" in done.stdout
    assert "give the client a timeout" in done.stdout


@pytest.mark.parametrize(
    ("client", "complaint"),
    [
        ("import sys; sys.exit('no luck')", "although nothing was wrong yet"),
        ("pass", "the client asked nothing"),
    ],
)
def test_a_client_that_cannot_be_tried_is_told_why(tmp_path: Path, client: str, complaint: str) -> None:
    done = chaos(tmp_path, "--fault", "401", client=client)
    assert done.returncode == 2
    assert complaint in " ".join(done.stderr.split())


def test_an_unknown_fault_is_refused_before_anything_runs(tmp_path: Path) -> None:
    done = chaos(tmp_path, "--fault", "meteor")
    assert done.returncode == 2
    assert "there is no fault 'meteor'" in " ".join(done.stderr.split())
