"""`antiphon record` against servers that make their answers: real models, real streams, on loopback.

One is the suite's own HTTP edge over a real tritonserver, the other `transformers serve` with tiny random weights. The
servers' answers are chance or nearly so; what is held is that they are recorded as they come and replay as recorded.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from typer.testing import Result

from antiphon.cli import assembly
from antiphon.cli.asking import chat_spec
from antiphon.cli.record import STANDARD, scenario_set
from antiphon.cli.suite import SuiteOptions, running_suite
from antiphon.core.call import Call
from antiphon.core.fold import Fold
from antiphon.core.settings import load
from antiphon.harness.library import Library
from antiphon.triton import unsupported_reason
from antiphon.v1 import chat_pb2
from tests.fixtures_suite import ROOT
from tests.fixtures_triton import LOCAL_MODELS_PYTHON

Invoke = Callable[..., Result]

# Starting torch or Triton, and making the weights.
pytestmark = pytest.mark.timeout(240)

_SERVE_NEEDS = "import accelerate, fastapi, openai, pydantic, transformers, uvicorn"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def edge() -> AsyncIterator[str]:
    """The base URL of a suite that serves Triton's models in OpenAI's format."""
    if reason := unsupported_reason():
        pytest.skip(reason)
    options = SuiteOptions(
        http="127.0.0.1:0",
        mode="live",
        triton="start",
        repositories=(ROOT / "models" / "default",),
        grace=3.0,
        own_environment=False,
    )
    async with running_suite(options) as suite:
        assert not suite.triton_missing, suite.triton_missing
        yield f"http://{suite.http_address}/v1"


@pytest.fixture(scope="module")
def transformers_serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The base URL and the model of a `transformers serve` with tiny weights."""
    python = LOCAL_MODELS_PYTHON / "bin/python3"
    if not python.exists():
        pytest.skip("no environment with torch and transformers; run: make local-models")
    if subprocess.run([python, "-c", _SERVE_NEEDS], capture_output=True).returncode:
        pytest.skip("`transformers serve` lacks packages there: accelerate, fastapi, openai, pydantic, uvicorn")
    weights = tmp_path_factory.mktemp("weights")
    subprocess.run(
        [python, ROOT / "tests/models/make_tiny_models.py", weights],
        check=True,
        capture_output=True,
        env=os.environ | {"PYTHONPATH": str(ROOT / "models/lib")},
    )
    with socket.socket() as free:  # the command prints no port, so it is given one
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    model = str(weights / "causal_lm")
    command = [python, "-m", "transformers.cli.transformers", "serve", model, "--host", "127.0.0.1", "--device", "cpu"]
    log = (weights / "serve.log").open("w+")
    process = subprocess.Popen(
        [*map(str, command), "--port", str(port)],
        stdout=log,
        stderr=subprocess.STDOUT,
        env=os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
    )
    try:
        _await_health(process, port, weights / "serve.log")
        yield f"http://127.0.0.1:{port}/v1", model
    finally:
        process.terminate()
        process.wait(timeout=20)
        log.close()


def _await_health(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        try:
            if httpx.get(f"http://127.0.0.1:{port}/health", timeout=2).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    pytest.fail(f"transformers serve did not start: {log.read_text()[-2000:]}")


async def record(invoke: Invoke, folder: Path, only: str, *options: str) -> dict[str, str]:
    """Record scenarios of the standard set; their states by name."""
    arguments = ["record", "--provider", "mine", "--cassettes", str(folder), "--json", *options]
    for name in only.split():
        arguments += ["--only", name]
    result = await asyncio.to_thread(invoke, *arguments)
    return {
        each["scenario"]: f"{each['state']} {each['message']}".strip() for each in json.loads(result.stdout)["results"]
    }


async def replayed_stream(folder: Path, model: str) -> tuple[chat_pb2.Completion, int]:
    """The answer of the scenario `stream`, from its recording, and the number of its deltas."""
    (scenario,) = scenario_set(STANDARD).only(["stream"])
    backend = assembly.adapter(load(mode="replay", cassettes=folder), {})
    fold, deltas = Fold(), 0
    try:
        request = chat_pb2.StreamChatRequest(spec=chat_spec(scenario.steps[0], f"mine/{model}", None))
        async with aclosing(backend.stream_chat(request, Call())) as events:
            async for event in events:
                deltas += event.HasField("part_delta")
                fold.add(event)
    finally:
        await backend.close()
    return fold.completion(), deltas


@pytest.mark.asyncio(loop_scope="module")
async def test_the_suites_own_edge_over_triton_is_recorded_and_replayed(
    edge: str, tmp_path: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, vectors = "triton/ngram", "triton/hashing_embedding"
    rows = {"mine": {"base_url": edge, "key_required": False, "default_model": model, "embeddings": True}}
    monkeypatch.setenv("ANTIPHON_PROVIDERS", json.dumps(rows))
    only = "chat stream conversation length embeddings models error-unknown-model"
    states = await record(invoke, tmp_path, only, "--model", f"embeddings=mine/{vectors}")
    assert {name: state.split()[0] for name, state in states.items()} == dict.fromkeys(only.split(), "recorded"), states
    (stream,) = Library(tmp_path).find("mine/stream")
    assert stream.interaction.answer.chunks is not None
    assert len(stream.interaction.answer.chunks) > 2, "as it came"
    completion, deltas = await replayed_stream(tmp_path, model)
    assert completion.replayed
    assert 1 < deltas <= len(stream.interaction.answer.chunks), "what came together is one delta"
    assert completion.usage.output_tokens > 0
    shown = invoke("cassettes", "conformance", "--cassettes", str(tmp_path), "--json")
    cells = json.loads(shown.stdout)["cells"]
    for feature in ("chat", "streaming", "usage in streams", "conversation", "length limit", "embeddings", "models"):
        assert cells[feature]["mine"]["state"] == "good", feature
    drift = await asyncio.to_thread(invoke, "drift", "--cassettes", str(tmp_path), "--sample", "4")
    assert drift.exit_code == 0, drift.output


@pytest.mark.asyncio(loop_scope="module")
async def test_transformers_serve_is_recorded_and_replayed(
    transformers_serve: tuple[str, str], tmp_path: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, model = transformers_serve
    rows = {"mine": {"base_url": url, "key_required": False, "default_model": model}}
    monkeypatch.setenv("ANTIPHON_PROVIDERS", json.dumps(rows))
    only = "chat stream system conversation length error-unknown-model"
    states = await record(invoke, tmp_path, only)
    assert {name: state.split()[0] for name, state in states.items()} == dict.fromkeys(only.split(), "recorded"), states
    completion, deltas = await replayed_stream(tmp_path, model)
    assert completion.replayed
    assert deltas > 1, "what came together is one delta, and not all did"
    refused = Library(tmp_path).find("mine/error-unknown-model")[0].interaction.answer
    assert refused.status == 400
    drift = await asyncio.to_thread(invoke, "drift", "--cassettes", str(tmp_path), "--sample", "3")
    assert drift.exit_code == 0, drift.output
