"""OpenAI's own SDK for JavaScript against the HTTP edges, in Node.js.

Its package is installed below `.work/edges-node`, once per lock file, so that a second run needs neither network nor
time.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clients.edges import authored
from tests.clients.edges.matrix import CELL
from tests.clients.edges.sdks import Door

NAME = "openai (npm)"
ROOT = Path(__file__).resolve().parents[3]
SOURCES = Path(__file__).with_name("node")
FOLDER = ROOT / ".work" / "edges-node"
OLDEST_NODE = 20
INSTALL_SECONDS = 300
RUN_SECONDS = 100
TESTS = 23


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
    client: Path, door: Door, record_property: Callable[[str, object], None]
) -> None:
    process = await asyncio.create_subprocess_exec(
        *("node", "--test", "--test-reporter=tap", "suite.test.js"),
        cwd=client,
        env=os.environ | {"ANTIPHON_HTTP_URL": door.url, "ANTIPHON_EDGES_TEST": json.dumps(_given(door))},
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
    results = re.findall(r"^(ok|not ok) \d+ - (\w[\w ]*): ", report, re.MULTILINE)
    for result, feature in results:
        record_property(CELL, f"{NAME}|{feature}|{'passed' if result == 'ok' else 'failed'}")
    assert process.returncode == 0, report
    assert [result for result, _ in results] == ["ok"] * TESTS, report


def _given(door: Door) -> dict[str, object]:
    """What the recordings answer, so that it is written once."""
    return {
        "key": door.key,
        "city": authored.CITY,
        "schema": authored.CLOSED_SCHEMA,
        "look": authored.LOOK,
        "picture": authored.PICTURE,
        "seen": authored.SEEN,
        "failing": authored.FAILING,
        "retryAfter": str(authored.RETRY_AFTER),
        "counted": authored.COUNTED,
        "tokens": authored.TOKENS,
        "broken": authored.BROKEN,
        "spoken": authored.SPOKEN,
    }


def _missing() -> str | None:
    """Why the client can't be run here, or None."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            return f"{program} is not on the PATH: install Node.js {OLDEST_NODE} or later to test OpenAI's SDK for it"
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, timeout=20, check=True).stdout
    if int(version.removeprefix("v").split(".")[0]) < OLDEST_NODE:
        return f"Node.js {version.strip()} is too old: OpenAI's SDK needs {OLDEST_NODE} or later"
    return None
