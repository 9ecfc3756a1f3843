"""The recordings of the demo are what their script writes, and say what they are."""

from __future__ import annotations

import subprocess
import sys

import yaml

from tests.fixtures_suite import ROOT


def test_the_recordings_are_what_the_script_writes() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "author_cassettes.py", "--check"], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_every_recording_says_that_it_was_authored() -> None:
    files = sorted((ROOT / "cassettes").glob("*/*.yaml"))
    assert len(files) >= 10
    for file in files:
        for item in yaml.safe_load(file.read_text(encoding="utf-8"))["interactions"]:
            assert "authored" in str(item), file
