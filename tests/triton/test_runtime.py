"""The local tritonserver: started, used over its own API, stopped without traces."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import urllib.request
from pathlib import Path

import grpc
import pytest
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc import service_pb2_grpc

from antiphon.triton import TritonOptions, TritonRuntime, TritonServer, TritonStartError, serve, unsupported_reason
from tests.fixtures_triton import MODELS, ROOT, embedding_request

_REASON = unsupported_reason()
pytestmark = pytest.mark.skipif(_REASON is not None, reason=_REASON or "")

_DEFAULT = TritonOptions(repositories=(MODELS / "default",), stop_grace_s=3)


def _processes_of(group: int) -> list[int]:
    """Return the living processes of a process group."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _parent, process_group = stat.read_text().rsplit(")", 1)[1].split()[:3]
        except OSError:
            continue  # it ended while we looked
        if int(process_group) == group and state != "Z":
            found.append(int(stat.parent.name))
    return found


def _traces(folder: Path) -> list[Path]:
    """Return what is left of the server that worked in this folder: the folder and its shared memory."""
    return [*Path("/dev/shm").glob(f"{folder.name}_*"), *([folder] if folder.exists() else [])]


async def _gone(group: int, seconds: float = 5.0) -> bool:
    for _ in range(int(seconds / 0.05)):
        if not _processes_of(group):
            return True
        await asyncio.sleep(0.05)
    return False


async def test_a_started_server_is_ready_and_stopping_leaves_no_process_memory_or_folder() -> None:
    async with TritonRuntime(_DEFAULT) as server:
        assert len(_processes_of(server.pid)) == 3, "the server and one stub per model"
        folder = server.log_file.parent
        assert len(_traces(folder)) == 3, "the folder and one region per model"
        async with grpc.aio.insecure_channel(server.grpc_address) as channel:
            stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
            assert (await stub.ServerReady(pb.ServerReadyRequest())).ready
            index = await stub.RepositoryIndex(pb.RepositoryIndexRequest(ready=True))
            assert {model.name for model in index.models} == {"ngram", "hashing_embedding"}
        assert "successfully loaded 'ngram'" in server.log_file.read_text()
    assert await _gone(server.pid)
    assert not _traces(folder)


async def test_a_server_that_does_not_end_when_told_is_killed_with_its_stubs_and_memory() -> None:
    async with TritonRuntime(_DEFAULT) as server:
        os.kill(server.pid, signal.SIGSTOP)
        folder = server.log_file.parent
        assert len(_traces(folder)) == 3
    assert await _gone(server.pid)
    assert not _traces(folder)


async def test_killing_the_parent_ends_the_server_too_and_the_next_start_removes_its_folder() -> None:
    program = (
        "import asyncio, os\n"
        "from pathlib import Path\n"
        "from antiphon.triton import TritonOptions, TritonRuntime\n"
        "async def main():\n"
        f"    async with TritonRuntime(TritonOptions(repositories=(Path({str(MODELS / 'default')!r}),))) as server:\n"
        "        print(server.pid, server.log_file.parent, flush=True)\n"
        "        await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program), stdout=asyncio.subprocess.PIPE, env=os.environ | {"PYTHONPATH": _PATH}
    )
    assert parent.stdout is not None
    number, name = (await parent.stdout.readline()).decode().split()
    group, folder = int(number), Path(name)
    assert _processes_of(group)
    parent.kill()
    await parent.wait()
    parent.stdout.feed_eof()
    assert await _gone(group, seconds=10)
    async with TritonRuntime(_DEFAULT):
        pass
    assert not _traces(folder), "the next start removes what the killed process left"


async def test_cancelling_the_start_leaves_nothing() -> None:
    runtime = TritonRuntime(_DEFAULT)
    start = asyncio.create_task(runtime.__aenter__())
    while runtime._process is None:
        await asyncio.sleep(0.01)
    assert runtime._work is not None
    folder = runtime._work.path
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    assert not _traces(folder)
    assert await _gone(runtime._process.pid)


async def test_a_model_that_does_not_load_is_named_with_its_reason() -> None:
    options = TritonOptions(repositories=(MODELS / "local",), models=("causal_lm",))
    with pytest.raises(TritonStartError, match=r"causal_lm"):
        async with TritonRuntime(options):
            pass


async def test_a_port_that_is_taken_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        options = TritonOptions(repositories=(MODELS / "default",), grpc_port=port)
        with pytest.raises(TritonStartError, match=rf"{port}.* already in use"):
            async with TritonRuntime(options):
                pass


async def test_a_repository_that_is_no_folder_is_named() -> None:
    with pytest.raises(TritonStartError, match="no/such is not a folder"):
        async with TritonRuntime(TritonOptions(repositories=(Path("no/such"),))):
            pass


async def test_credentials_in_our_environment_do_not_reach_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTIPHON_TEST_CANARY", "canary")
    async with TritonRuntime(TritonOptions(repositories=(MODELS / "default",), models=("ngram",))) as server:
        environments = [
            (link / "environ").read_bytes() for link in map(Path, map("/proc/{}".format, _processes_of(server.pid)))
        ]
    assert len(environments) == 2
    assert not any(b"CANARY" in environment for environment in environments)


async def test_statistics_and_metrics_count_requests(
    triton: service_pb2_grpc.GRPCInferenceServiceStub, triton_server: TritonServer
) -> None:
    async def served() -> int:
        reply = await triton.ModelStatistics(pb.ModelStatisticsRequest(name="hashing_embedding"))
        return int(reply.model_stats[0].inference_stats.success.count)

    def fetch(url: str) -> str:
        with urllib.request.urlopen(url) as reply:
            return str(reply.read().decode())

    before = await served()
    await triton.ModelInfer(embedding_request("hashing_embedding", ["a choir"]))
    for _ in range(100):  # Triton counts a little after it has answered
        if await served() > before:
            break
        await asyncio.sleep(0.02)
    assert await served() == before + 1
    metrics = await asyncio.to_thread(fetch, f"http://{triton_server.metrics_address}/metrics")
    assert f'nv_inference_count{{model="hashing_embedding",version="1"}} {before + 1}' in metrics
    assert await asyncio.to_thread(fetch, f"http://{triton_server.http_address}/v2/health/ready") == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_serve_says_where_it_listens_and_ends_on_a_signal(number: signal.Signals) -> None:
    program = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from antiphon.triton import TritonOptions, serve\n"
        "def say(text): print(text, flush=True)\n"
        f"options = TritonOptions(repositories=(Path({str(MODELS / 'default')!r}),), models=('ngram',))\n"
        "sys.exit(asyncio.run(serve(options, say=say)))\n"
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program), stdout=asyncio.subprocess.PIPE, env=os.environ | {"PYTHONPATH": _PATH}
    )
    assert process.stdout is not None
    assert (await process.stdout.readline()).startswith(b"triton is ready: grpc 127.0.0.1:")
    process.send_signal(number)
    await process.communicate()
    assert process.returncode == 0


async def test_serve_fails_with_a_reason_when_the_server_ends_by_itself() -> None:
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        if text.startswith("  log"):
            folder = Path(text.split()[-1]).parent
            (server,) = (
                link.parent
                for link in Path("/proc").glob("[0-9]*/cwd")
                if "tritonserver" in (link.parent / "comm").read_text() and link.resolve() == folder
            )
            os.kill(int(server.name), signal.SIGKILL)

    options = TritonOptions(repositories=(MODELS / "default",), models=("ngram",))
    assert await serve(options, say=say) == 1
    assert "ended by itself with status -9" in said[-1]


_PATH = os.pathsep.join(str(ROOT / part) for part in ("gen", "services", "harness"))
