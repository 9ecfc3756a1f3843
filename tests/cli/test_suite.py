"""The suite as processes: it starts, answers, says who died, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import Result

from antiphon.cli import questions
from antiphon.cli.process import ServiceCommand, ServiceProcess, SuiteError
from antiphon.cli.suite import RunningSuite, running_suite
from tests.fixtures_suite import ROOT, suite_options

Invoke = Callable[..., Result]
Start = Callable[..., "subprocess.Popen[str]"]


def alive(pid: int) -> bool:
    """Whether a process runs; one that waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def until(holds: Callable[[], bool], seconds: float = 15.0) -> bool:
    """Whether something comes true within the time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.05)
    return False


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


def test_the_questions_of_the_demo_are_answered_from_recordings(invoke: Invoke, suite: RunningSuite) -> None:
    for model in questions.CHAT_MODELS:
        for text, expected in ((questions.WHAT, "antiphon"), (questions.SING, "\n")):
            told = [invoke("chat", model, text, way, "--server", suite.address) for way in ("--stream", "--no-stream")]
            assert [result.exit_code for result in told] == [0, 0], told[0].stderr
            assert expected in told[0].stdout
            assert told[0].stdout == told[1].stdout


def test_models_embeddings_and_errors_come_from_recordings_too(invoke: Invoke, suite: RunningSuite) -> None:
    listed = invoke("models", "--server", suite.address)
    assert "openai/gpt-4o-mini" in listed.stdout
    assert "anthropic/claude-sonnet-4-5-20250929" in listed.stdout
    embedded = invoke("embed", questions.EMBEDDING_MODEL, *questions.SENTENCES, "--server", suite.address)
    first = embedded.stdout.splitlines()[1].split()
    assert first[-4] == "1536"
    assert float(first[-2]) > float(first[-1])
    for provider in ("openai", "anthropic"):
        unknown = invoke("chat", f"{provider}/no-such-model", questions.WHAT, "--server", suite.address)
        assert unknown.exit_code == 3
        assert "MODEL_NOT_FOUND" in unknown.stderr
    missing = invoke("chat", questions.OPENAI, "Never recorded.", "--server", suite.address)
    assert missing.exit_code == 3
    assert "RECORDING_MISSING" in missing.stderr


def test_the_addresses_are_of_different_processes(suite: RunningSuite) -> None:
    assert len({suite.gateway_address, suite.adapter_address, suite.inference_address}) == 3
    assert len({service.pid for service in suite.services}) == 3
    assert suite.triton_missing


async def test_one_process_does_the_same_and_ends_with_the_block() -> None:
    async with running_suite(suite_options(apart=False)) as running:
        (service,) = running.services
        assert running.gateway_address == running.adapter_address == running.inference_address
        assert alive(service.pid)
        folder = running.folder
    assert not alive(service.pid)
    assert not folder.exists()


async def test_a_part_that_dies_is_named_with_the_end_of_its_log() -> None:
    async with running_suite(suite_options(apart=False)) as running:
        died = asyncio.create_task(running.died())
        os.kill(running.services[0].pid, signal.SIGKILL)
        error = await asyncio.wait_for(died, 10)
    assert "suite ended by itself, with signal SIGKILL" in str(error)
    assert "listening on" in str(error)


async def test_a_service_that_does_not_start_says_why(tmp_path: Path) -> None:
    options = replace(suite_options(apart=False), listen="0.0.0.0:0", folder=tmp_path)
    with pytest.raises(SuiteError, match="suite ended before it took calls, with status 2") as caught:
        async with running_suite(options):
            pass
    assert "antiphon keys new" in str(caught.value)


async def test_a_service_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    before = children(os.getpid())
    command = ServiceCommand(role="adapter", options=(), folder=tmp_path, environment=dict(os.environ))
    with pytest.raises(SuiteError, match="took no calls within"):
        await ServiceProcess.start(command, timeout=0.01)
    assert children(os.getpid()) == before


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel ends orphans on Linux only")
def test_no_service_outlives_a_killed_parent(start: Start, tmp_path: Path) -> None:
    ready = tmp_path / "address"
    process = start(*_up(ready, tmp_path))
    assert until(ready.exists), process.communicate(timeout=5)
    left = children(process.pid)
    assert left
    process.kill()
    process.communicate(timeout=10)
    assert until(lambda: not any(alive(pid) for pid in left))


def test_up_says_where_it_is_and_ends_on_sigterm(start: Start, invoke: Invoke, tmp_path: Path) -> None:
    ready = tmp_path / "address"
    process = start(*_up(ready, tmp_path))
    assert until(ready.exists), process.communicate(timeout=5)
    address = ready.read_text()
    answer = invoke("chat", questions.OPENAI, questions.WHAT, "--server", address)
    left = children(process.pid)
    process.send_signal(signal.SIGTERM)
    stdout, stderr = process.communicate(timeout=20)
    assert answer.exit_code == 0, answer.stderr
    assert process.returncode == 0, stderr
    assert address in stdout
    assert "replay" in stdout
    assert not any(alive(pid) for pid in left)


def test_up_ends_with_an_error_where_a_part_dies(start: Start, tmp_path: Path) -> None:
    ready = tmp_path / "address"
    process = start(*_up(ready, tmp_path))
    assert until(ready.exists), process.communicate(timeout=5)
    os.kill(children(process.pid)[0], signal.SIGKILL)
    _, stderr = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "suite ended by itself" in " ".join(stderr.split())


def _up(ready: Path, folder: Path) -> tuple[str, ...]:
    return (
        *("up", "--no-triton", "--listen", "127.0.0.1:0", "--mode", "replay", "--pace", "0"),
        *("--cassettes", str(ROOT / "cassettes"), "--ready-file", str(ready), "--logs", str(folder / "logs")),
    )
