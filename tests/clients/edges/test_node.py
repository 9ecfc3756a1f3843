"""OpenAI's own SDK for JavaScript against the HTTP edges, in Node.js.

Its package is installed below `.work/edges-node`, once per lock file, so that a second run needs neither network nor
time.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SOURCES = Path(__file__).with_name("node")
FOLDER = ROOT / ".work" / "edges-node"
OLDEST_NODE = 20
INSTALL_SECONDS = 300
RUN_SECONDS = 100
TESTS = 11


@pytest.fixture(scope="session")
def client() -> Path:
    """The folder of the client, with its package installed."""
    if reason := _missing():
        pytest.skip(reason)
    FOLDER.mkdir(parents=True, exist_ok=True)
    lock = (SOURCES / "package-lock.json").read_bytes() + (SOURCES / "package.json").read_bytes()
    digest, done = hashlib.sha256(lock).hexdigest(), FOLDER / "installed"
    if not done.is_file() or done.read_text() != digest:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(SOURCES / name, FOLDER)
        command = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
        ran = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        done.write_text(digest)
    shutil.copy(SOURCES / "suite.test.js", FOLDER)
    return FOLDER


@pytest.mark.timeout(INSTALL_SECONDS + RUN_SECONDS)
async def test_openais_sdk_for_javascript_chats_streams_calls_tools_and_raises_its_errors(
    client: Path, base_url: str
) -> None:
    process = await asyncio.create_subprocess_exec(
        *("node", "--test", "--test-reporter=spec", "suite.test.js"),
        cwd=client,
        env=os.environ | {"ANTIPHON_HTTP_URL": base_url, "NO_COLOR": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), RUN_SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    report = output.decode()
    assert process.returncode == 0, report
    counts = {name: int(count) for name, count in re.findall(r"^\S+ (pass|skipped) (\d+)$", report, re.MULTILINE)}
    assert counts == {"pass": TESTS, "skipped": 0}, report


def _missing() -> str | None:
    """Why the client can't be run here, or None."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            return f"{program} is not on the PATH: install Node.js {OLDEST_NODE} or later to test OpenAI's SDK for it"
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, timeout=20, check=True).stdout
    if int(version.removeprefix("v").split(".")[0]) < OLDEST_NODE:
        return f"Node.js {version.strip()} is too old: OpenAI's SDK needs {OLDEST_NODE} or later"
    return None
