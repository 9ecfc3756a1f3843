"""Several processes on one port: they share it, are kept alive, and end together without cutting an answer."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from antiphon.cli import workers
from antiphon.core.errors import Reason, ServiceError
from antiphon.core.settings import Settings, load
from tests.cli.conftest import Invoke
from tests.harness.streaming_server import Reply, StreamingServer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

START = b'data: {"id":"1","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":'
CHUNK = START + b'{"content":"w"}}]}\n\n'
LAST = START + b'{},"finish_reason":"stop"}]}\n\n'
ASKED = {"model": "mine/m", "stream": True, "messages": [{"role": "user", "content": "Hello."}]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The process that holds the ports, and where its workers answer."""

    process: asyncio.subprocess.Process
    http: str
    log: Path

    def workers(self) -> set[int]:
        """The processes that run now."""
        found = set()
        for folder in Path("/proc").iterdir():
            if folder.name.isdecimal():
                with contextlib.suppress(OSError):
                    if f"\nPPid:\t{self.process.pid}\n" in (folder / "status").read_text():
                        found.add(int(folder.name))
        return found

    def said(self) -> str:
        """The log."""
        return self.log.read_text()


@asynccontextmanager
async def started(tmp_path: Path, *words: str, **more: str) -> AsyncIterator[Started]:
    ready, log = tmp_path / "ready", tmp_path / "log"
    own = {name: value for name, value in os.environ.items() if not name.startswith(("ANTIPHON_", "OTEL_"))}
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "antiphon.cli", "serve", "suite", "--workers", "2"),
            *(
                "--triton",
                "127.0.0.1:9",
                "--listen",
                "127.0.0.1:0",
                "--http",
                "127.0.0.1:0",
                "--ready-file",
                str(ready),
                *words,
            ),
            stderr=file,
            env=own | more,
        )
    try:
        async with asyncio.timeout(90):
            while not ready.exists():
                assert process.returncode is None, log.read_text()
                await asyncio.sleep(0.05)
        yield Started(process=process, http=ready.with_name("ready.http").read_text(), log=log)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        async with asyncio.timeout(60):
            await process.wait()


def sockets_of(pid: int, port: int) -> int:
    """How many connections at a port a process holds."""
    inodes = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        if words[1].endswith(f":{port:04X}") and words[3] == "01":
            inodes.add(f"socket:[{words[9]}]")
    held = 0
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            held += str(file.readlink()) in inodes
    return held


async def test_new_connections_reach_both_workers(tmp_path: Path) -> None:
    async with started(tmp_path) as server:
        host, _, port = server.http.rpartition(":")
        pids = server.workers()
        assert len(pids) == 2
        async with AsyncExitStack() as stack:
            for _ in range(64):
                _, writer = await asyncio.open_connection(host, int(port))
                stack.callback(writer.close)
            async with asyncio.timeout(10):
                while sum(sockets_of(pid, int(port)) for pid in pids) < 64:
                    await asyncio.sleep(0.05)
            assert all(sockets_of(pid, int(port)) > 8 for pid in pids)
        async with httpx.AsyncClient() as client:
            for _ in range(8):
                answer = await client.get(f"http://{server.http}/health", headers={"connection": "close"})
                assert answer.status_code in (200, 503)


async def test_a_worker_that_is_killed_comes_back(tmp_path: Path) -> None:
    async with started(tmp_path) as server:
        before = server.workers()
        victim = min(before)
        os.kill(victim, signal.SIGKILL)
        async with asyncio.timeout(60):
            while "takes calls" not in server.said().partition("ended by itself")[2]:
                await asyncio.sleep(0.05)
        after = server.workers()
        assert len(after) == 2
        assert victim not in after
        assert "signal SIGKILL" in server.said()


async def test_the_order_to_end_cuts_no_stream(tmp_path: Path) -> None:
    async with StreamingServer() as provider:
        steps = [step for chunk in (*[CHUNK] * 10, LAST, b"data: [DONE]\n\n") for step in (chunk, 0.2)]
        provider.serve("/chat/completions", Reply(steps=steps, headers={"content-type": "text/event-stream"}))
        mine = json.dumps({"mine": {"base_url": provider.url}})
        async with started(tmp_path, ANTIPHON_PROVIDERS=mine) as server:

            async def ask() -> str:
                async with httpx.AsyncClient(timeout=30) as client:
                    return (await client.post(f"http://{server.http}/v1/chat/completions", json=ASKED)).text

            asking = [asyncio.create_task(ask()) for _ in range(4)]
            async with asyncio.timeout(20):
                while len(provider.requests) < 4:
                    await asyncio.sleep(0.05)
            server.process.terminate()
            for text in await asyncio.gather(*asking):
                assert text.rstrip().endswith("data: [DONE]")
            assert await server.process.wait() == 0
            assert server.workers() == set()


@pytest.mark.parametrize("words", [("--mode", "replay"), ("--allow-mode", "replay")])
def test_what_only_one_process_knows_is_refused(words: tuple[str, str], invoke: Invoke) -> None:
    result = invoke("serve", "suite", "--workers", "2", "--listen", "127.0.0.1:0", *words)
    assert result.exit_code == 2
    assert "one process alone" in " ".join(result.stderr.split())


def test_a_gateway_alone_may_have_workers_whatever_its_mode() -> None:
    workers.check("gateway", Settings(workers=2, mode="replay"))


def test_a_socket_without_a_port_is_refused() -> None:
    with pytest.raises(ServiceError, match="has none"):
        workers.check("gateway", Settings(workers=2, listen="unix:/tmp/x"))


def test_a_port_that_somebody_shares_already_is_refused(invoke: Invoke) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = invoke("serve", "suite", "--workers", "2", "--listen", f"127.0.0.1:{taken.getsockname()[1]}")
    assert result.exit_code == 1
    assert "another process" in " ".join(result.stderr.split())


async def test_workers_that_cannot_start_end_the_whole_and_say_why(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "antiphon.cli", "serve", "suite", "--workers", "2", "--listen", "127.0.0.1:0"),
        env={**os.environ, "ANTIPHON_PROVIDERS": '{"mine": {"base_url": "http://x", "wire": "telex"}}'},
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        _, said = await process.communicate()
    assert process.returncode == 1
    assert b"telex" in said
    assert b"before it took calls" in said


def test_no_workers_is_no_number_of_them() -> None:
    with pytest.raises(ServiceError, match="workers: has to be 1 or more") as caught:
        load(workers=0)
    assert caught.value.reason is Reason.INVALID_REQUEST
