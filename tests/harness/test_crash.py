"""A killed recorder leaves a whole cassette or none, and two recorders in one folder harm neither each other."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from antiphon.harness import cassette, files
from antiphon.harness.blobs import FOLDER
from tests.harness.streaming_server import Reply, StreamingServer

ROOT = Path(__file__).parents[2]
LARGE = json.dumps({"embedding": [n / 7919 for n in range(2000)]}).encode()


async def start(url: str, folder: Path, name: str, first: int, last: int, *deadly: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.harness.recording_process", url, str(folder), name, str(first), str(last), *deadly),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(str(ROOT / part) for part in ("harness", "."))},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


def numbers(path: Path) -> list[int]:
    """Return what a cassette holds; any cut or mixed file raises here."""
    return [json.loads(interaction.request.body)["n"] for interaction in cassette.read(path).interactions]


async def test_a_process_killed_while_it_records_leaves_whole_cassettes(
    server: StreamingServer, tmp_path: Path
) -> None:
    url = server.serve("/v1/chat", Reply(steps=[LARGE], headers={"content-type": "application/json"}))
    process = await start(url, tmp_path, "a/b", 0, 10_000)
    assert process.stdout is not None
    stored = [int(await asyncio.wait_for(process.stdout.readline(), 30)) for _ in range(6)]
    process.send_signal(signal.SIGKILL)
    rest, _ = await process.communicate()
    assert process.returncode == -signal.SIGKILL
    stored += [int(line) for line in rest.split()]
    found = numbers(tmp_path / "a/b.yaml")
    assert found[: len(stored)] == stored  # what was said to be stored is there
    assert len(found) - len(stored) in (0, 1)  # and at most what had been stored and not yet said


# The first write of a cassette replaces two files, its blob first; fsync comes before and after each.
@pytest.mark.parametrize(("call", "after"), [("fsync", 2), ("replace", 1), ("replace", 2)])
async def test_a_kill_at_any_step_of_a_write_leaves_the_old_file_or_the_new_one(
    server: StreamingServer, tmp_path: Path, call: str, after: int
) -> None:
    url = server.serve("/v1/chat", Reply(steps=[LARGE], headers={"content-type": "application/json"}))
    process = await start(url, tmp_path, "a/b", 0, 3, call, str(after))
    said, trouble = await process.communicate()
    assert process.returncode == -signal.SIGKILL, trouble.decode()
    path = tmp_path / "a/b.yaml"
    found = numbers(path) if path.exists() else []
    assert found in ([int(line) for line in said.split()], list(range(len(said.split()) + 1)))
    again = await start(url, tmp_path, "a/b", len(found), len(found) + 1)
    _, trouble = await again.communicate()
    assert again.returncode == 0, trouble.decode()  # what the killed one left harms no one
    assert numbers(path) == list(range(len(found) + 1))


async def test_two_processes_record_into_one_cassette_without_loss(server: StreamingServer, tmp_path: Path) -> None:
    url = server.serve("/v1/chat", Reply(steps=[LARGE], headers={"content-type": "application/json"}))
    both = await asyncio.gather(*(start(url, tmp_path, "a/b", first, first + 8) for first in (0, 100)))
    for process in both:
        _, trouble = await process.communicate()
        assert process.returncode == 0, trouble.decode()
    assert sorted(numbers(tmp_path / "a/b.yaml")) == [*range(8), *range(100, 108)]
    assert [blob.suffix for blob in (tmp_path / "a" / FOLDER).iterdir()] == [".json"]
    assert files.abandoned(tmp_path) == []


def test_what_a_killed_writer_left_is_told_from_what_one_writes_now(tmp_path: Path) -> None:
    old, new = tmp_path / ".old.tmp", tmp_path / ".new.tmp"
    for path in (old, new):
        path.write_bytes(b"")
    hours_ago = time.time() - 2 * 3600
    os.utime(old, (hours_ago, hours_ago))
    assert files.abandoned(tmp_path) == [old]
    assert files.found(tmp_path) == {}
