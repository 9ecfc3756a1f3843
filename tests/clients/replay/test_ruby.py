"""Ruby's standard library, in minitest, against the replay server."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.clients.replay.running import ran

SOURCES = Path(__file__).with_name("ruby")
TESTS = 5


@pytest.mark.timeout(150)
async def test_ruby_replays_records_and_meets_faults_under_minitest(replay_url: str) -> None:
    if reason := _missing():
        pytest.skip(reason)
    status, report = await ran(
        "ruby", "replay_test.rb", folder=SOURCES, environment={"ANTIPHON_REPLAY_URL": replay_url}
    )
    assert status == 0, report
    counted = re.search(r"^(\d+) runs, \d+ assertions, 0 failures, 0 errors, 0 skips$", report, re.MULTILINE)
    assert counted is not None, report
    assert int(counted[1]) == TESTS, report


def _missing() -> str | None:
    """Why the client can't be run here, or None."""
    if shutil.which("ruby") is None:
        return "ruby is not on the PATH: install it (Debian: apt-get install ruby) to test a client in Ruby"
    found = subprocess.run(["ruby", "-e", "require 'minitest'"], capture_output=True, timeout=20, check=False)
    return "Ruby's minitest is not installed (Debian: ruby-minitest)" if found.returncode else None
