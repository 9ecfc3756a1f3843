"""The vendors' SDKs for JavaScript, in Node's own test runner, against the replay server.

Their packages are installed below `.work/replay-node`, once per lock file, so that a second run needs neither network
nor time.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.clients.replay.running import ran

ROOT = Path(__file__).resolve().parents[3]
SOURCES = Path(__file__).with_name("node")
FOLDER = ROOT / ".work" / "replay-node"
OLDEST_NODE = 20
INSTALL_SECONDS = 300
TESTS = 8


@pytest.fixture(scope="session")
def client() -> Path:
    """The folder of the client, with its packages installed."""
    if reason := _missing():
        pytest.skip(reason)
    FOLDER.mkdir(parents=True, exist_ok=True)
    lock = (SOURCES / "package-lock.json").read_bytes() + (SOURCES / "package.json").read_bytes()
    digest, done = hashlib.sha256(lock).hexdigest(), FOLDER / "installed"
    if not done.is_file() or done.read_text() != digest:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(SOURCES / name, FOLDER)
        command = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
        done_by = subprocess.run(
            command, cwd=FOLDER, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
        )
        assert done_by.returncode == 0, done_by.stdout + done_by.stderr
        done.write_text(digest)
    shutil.copy(SOURCES / "suite.test.js", FOLDER)
    return FOLDER


@pytest.mark.timeout(INSTALL_SECONDS + 120)
async def test_the_vendors_sdks_for_javascript_replay_and_record_under_nodes_test_runner(
    client: Path, replay_url: str
) -> None:
    status, report = await ran(
        *("node", "--test", "--test-reporter=spec", "suite.test.js"),
        folder=client,
        environment={"ANTIPHON_REPLAY_URL": replay_url},
    )
    assert status == 0, report
    counts = {name: int(count) for name, count in re.findall(r"^\S+ (pass|skipped) (\d+)$", report, re.MULTILINE)}
    assert counts == {"pass": TESTS, "skipped": 0}, report


def _missing() -> str | None:
    """Why the client can't be run here, or None."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            return f"{program} is not on the PATH: install Node.js {OLDEST_NODE} or later to test SDKs for JavaScript"
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, timeout=20, check=True).stdout
    if int(version.removeprefix("v").split(".")[0]) < OLDEST_NODE:
        return f"Node.js {version.strip()} is too old: the SDKs need {OLDEST_NODE} or later"
    return None
