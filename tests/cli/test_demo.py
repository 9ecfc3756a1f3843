"""`antiphon demo`, as `make demo` runs it."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from antiphon.cli import questions
from antiphon.cli.demo_sections import SECTIONS
from antiphon.triton import unsupported_reason
from tests.cli.test_suite import alive, children
from tests.fixtures_suite import ROOT

Start = Callable[..., "subprocess.Popen[str]"]


def test_the_demo_shows_every_section_and_ends_by_itself_in_a_minute(start: Start) -> None:
    began = time.monotonic()
    # Settings of the machine must not change the demo.
    stray = {"ANTIPHON_MODE": "live", "ANTIPHON_PACE": "0", "OPENAI_API_KEY": "not-a-key"}
    process = start("demo", "--cassettes", str(ROOT / "cassettes"), **stray, COLUMNS="200")
    stdout, stderr = process.communicate(timeout=110)
    assert process.returncode == 0, stdout + stderr
    assert time.monotonic() - began < 60
    assert stderr == ""
    for number, section in enumerate(SECTIONS, 1):
        assert f"{number}. {section.title}" in stdout
    for model in questions.CHAT_MODELS:
        assert f"{model}: {questions.WHAT}" in stdout
    assert "origin: authored" in stdout
    assert 'get_weather({"city":"Paris"})' in stdout
    assert "Take an umbrella" in stdout
    trace = stdout[stdout.index(f"{len(SECTIONS)}. Trace") :]
    assert trace.index("antiphon-demo") < trace.index("antiphon-gateway") < trace.index("chat claude-sonnet-4-5")
    if unsupported_reason() is None:
        assert "triton/ngram is no real language model" in stdout
        assert "256" in stdout
    else:
        assert "Triton does not run here" in stdout


def test_a_section_without_its_recording_fails_the_demo_and_the_others_go_on(start: Start, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "cassettes", tmp_path / "cassettes")
    (tmp_path / "cassettes" / "anthropic" / "sing.yaml").unlink()
    process = start("demo", "--cassettes", str(tmp_path / "cassettes"), COLUMNS="200")
    stdout, _ = process.communicate(timeout=110)
    assert process.returncode == 1
    assert "failed: Streaming: RECORDING_MISSING" in stdout
    assert stdout.count("failed:") == 1
    assert "antiphon-gateway" in stdout[stdout.index(f"{len(SECTIONS)}. Trace") :]


def test_ctrl_c_ends_the_demo_and_all_that_it_started(start: Start) -> None:
    process = start("demo", "--cassettes", str(ROOT / "cassettes"))
    assert process.stdout is not None
    while "2. Chat" not in process.stdout.readline():
        assert process.poll() is None
    left = children(process.pid)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert (process.returncode, stderr) == (130, "")
    assert len(left) >= 3
    assert not any(alive(pid) for pid in left)
