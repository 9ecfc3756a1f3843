"""How a server starts: what its command line says, and what is imported before it takes calls."""

from __future__ import annotations

import inspect
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import grpc
import pytest

from antiphon.cli import server_commands, serving
from antiphon.v1 import health_pb2, health_pb2_grpc
from tests.cli.conftest import Invoke

LATER = (
    "botocore", "click", "h11", "httpcore", "numpy", "pydantic", "pygments", "rich", "starlette",
    "structlog", "tritonclient", "typer", "uvicorn", "vcr", "yaml",
    "antiphon.harness", "antiphon.replay",
    "antiphon.gateway.edges.anthropic", "antiphon.gateway.edges.gemini", "antiphon.gateway.edges.ollama",
    "antiphon.wire.anthropic_messages.codec", "antiphon.wire.bedrock_converse", "antiphon.wire.cohere_v2",
    "antiphon.wire.gemini.codec", "antiphon.wire.ollama_native.codec", "antiphon.wire.openai_embeddings",
    "antiphon.wire.openai_responses.codec",
)  # fmt: skip
"""What no first answer needs, unless it is of the provider or protocol that it is for."""
MOST_MODULES = 705
"""Of all that a server has imported once it takes calls."""


def test_a_live_suite_imports_little_before_it_takes_calls(tmp_path: Path) -> None:
    ready, told = tmp_path / "ready", tmp_path / "modules"
    code = (
        "import atexit, json, pathlib, sys\n"
        f"atexit.register(lambda: pathlib.Path({str(told)!r}).write_text(json.dumps(sorted(sys.modules))))\n"
        "from antiphon.cli.entry import main\n"
        "main()\n"
    )
    words = ["serve", "suite", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--triton", "127.0.0.1:9"]
    own = {name: value for name, value in os.environ.items() if not name.startswith(("ANTIPHON_", "OTEL_"))}
    own |= {"MISTRAL_API_KEY": "none", "ANTIPHON_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    server = subprocess.Popen([sys.executable, "-P", "-c", code, *words, "--ready-file", str(ready)], env=own)
    try:
        until = time.monotonic() + 60
        while not ready.exists():
            assert server.poll() is None
            assert time.monotonic() < until
            time.sleep(0.02)
        with grpc.insecure_channel(ready.read_text()) as channel:
            parts = health_pb2_grpc.HealthServiceStub(channel).GetHealth(
                health_pb2.GetHealthRequest(components=["provider/mistral"])
            )
            assert "provider/mistral" in {part.name for part in parts.components}
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0
    modules = set(json.loads(told.read_text()))
    assert "antiphon.wire.openai_chat" in modules  # its key is there, so it is ready before the first call
    assert [name for name in LATER if name in modules] == []
    assert len(modules) < MOST_MODULES


def test_every_option_of_the_command_can_be_said_plainly() -> None:
    parameters = inspect.signature(server_commands.serve).parameters
    assert {name.replace("_", "-") for name in parameters} - {"role"} == set(serving.OPTIONS)
    assert tuple(role.value for role in server_commands.Role) == serving.ROLES


@pytest.mark.parametrize(
    "words",
    [
        ["suite"],
        ["gateway", "--listen", "127.0.0.1:0", "--http=127.0.0.1:0"],
        ["--listen", "[::1]:0", "adapter", "--mode", "record-on-miss", "--pace", "0.5", "--grace", "3"],
        ["suite", "--allow-mode", "replay", "--allow-mode", "live", "--cassettes", "kept", "--log-level", "warning"],
        ["gateway", "--adapter", "a:1", "--inference", "b:2", "--http", "none"],
        ["inference", "--triton", "t:8001", "--otlp-endpoint", "http://c:4317", "--ready-file", "/tmp/ready"],
    ],
)
def test_a_plain_command_line_asks_for_the_same_as_the_command(
    words: list[str], invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[serving.Asked] = []
    monkeypatch.setattr(serving, "run", asked.append)
    monkeypatch.delenv(serving.READY_FILE, raising=False)
    assert invoke("serve", *words).exit_code == 0
    plainly = serving.plain(words, {})
    assert plainly is not None
    assert _said(plainly) == _said(asked[0])


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--help"],
        ["suite", "-h"],
        ["suite", "gateway"],
        ["everything"],
        ["suite", "--listen"],
        ["suite", "--listen", "--http"],
        ["suite", "--lissten", "x:1"],
        ["suite", "--mode", "rewind"],
        ["suite", "--pace", "fast"],
        ["suite", "--pace", "-1"],
        ["suite", "--pace", "nan"],
        ["adapter", "--http", "127.0.0.1:0"],
    ],
)
def test_whatever_is_not_plain_is_left_to_the_command(words: list[str]) -> None:
    assert serving.plain(words, {}) is None


def test_the_ready_file_may_come_from_the_environment() -> None:
    asked = serving.plain(["suite"], {serving.READY_FILE: "/tmp/ready"})
    assert asked is not None
    assert asked.ready_file == Path("/tmp/ready")


def _said(asked: serving.Asked) -> tuple[str, dict[str, Any], Path | None]:
    return asked.role, {name: value for name, value in asked.settings.items() if value is not None}, asked.ready_file
