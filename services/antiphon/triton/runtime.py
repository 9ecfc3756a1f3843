"""Runs tritonserver as a child process for as long as an `async with` lasts, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import grpc
from grpc_health.v1 import health_pb2

from antiphon.triton import launch
from antiphon.triton.installation import Installation, locate
from antiphon.triton.workfolder import WorkFolder

_POLL_S = 0.05
_PORT_ATTEMPTS = 3
_LOG_LINES_SHOWN = 15


class TritonStartError(RuntimeError):
    """tritonserver did not become ready; the message holds the reason from its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TritonOptions:
    """What to serve and where to listen.

    Ports: a number, 0 for a free one, None for off (not possible for gRPC).
    """

    repositories: tuple[Path, ...]
    models: tuple[str, ...] = ()
    """Names of the models to load; empty means all."""
    python: Path | None = None
    """Interpreter or virtual environment whose packages the models import; None means the running one."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables for the models, beside those that the server needs; nothing else is inherited."""
    host: str = "127.0.0.1"
    grpc_port: int = 0
    http_port: int | None = None
    metrics_port: int | None = 0
    log_file: Path | None = None
    """Where the server's output goes (appended); None means a file that is removed with the work folder."""
    ready_timeout_s: float = 60.0
    stop_grace_s: float = 10.0
    """How long running requests may take to finish once the server is told to stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TritonServer:
    """A server that is ready: its addresses as `host:port`."""

    grpc_address: str
    http_address: str | None
    metrics_address: str | None
    log_file: Path
    pid: int


class TritonRuntime:
    """An async context manager around one tritonserver process.

    Entering raises TritonUnsupportedError where the machine can't run it and TritonStartError where it
    does not become ready. Should this process be killed, the kernel ends the server too.
    """

    def __init__(self, options: TritonOptions) -> None:
        self._options = options
        self._work: WorkFolder | None = None
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> TritonServer:
        installation = await asyncio.to_thread(locate, self._options.python)
        for repository in self._options.repositories:
            if not repository.is_dir():
                raise TritonStartError(f"the model repository {repository} is not a folder")
        self._work = await asyncio.to_thread(WorkFolder.create)
        try:
            installation.prepare(self._work.path)
            return await self._start_with_free_ports(installation, self._work)
        except BaseException:
            await self._stop()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()

    async def exited(self) -> int:
        """Wait until the server ends, by itself or by `async with` ending; return its exit status."""
        if self._process is None:
            raise RuntimeError("the server was not started")
        return await self._process.wait()

    async def _start_with_free_ports(self, installation: Installation, work: WorkFolder) -> TritonServer:
        """Start; where another process took a port between choosing and using it, choose again."""
        options = self._options
        for attempt in range(1, _PORT_ATTEMPTS + 1):
            grpc_port, http_port, metrics_port = _choose_ports(
                options.host, options.grpc_port, options.http_port, options.metrics_port
            )
            log_file = options.log_file or work.path / "tritonserver.log"
            log_start = log_file.stat().st_size if log_file.exists() else 0
            server = await self._spawn(installation, work, log_file, grpc_port, http_port, metrics_port)
            try:
                await self._until_ready(server, log_start)
            except TritonStartError as error:
                chosen = 0 in (options.grpc_port, options.http_port, options.metrics_port)
                if not chosen or "already in use" not in str(error) or attempt == _PORT_ATTEMPTS:
                    raise
                continue
            return server
        raise AssertionError("the last attempt returns or raises")

    async def _spawn(
        self,
        installation: Installation,
        work: WorkFolder,
        log_file: Path,
        grpc_port: int,
        http_port: int | None,
        metrics_port: int | None,
    ) -> TritonServer:
        options, folder = self._options, work.path
        command = [
            *(f"--model-repository={repository.resolve()}" for repository in options.repositories),
            f"--backend-directory={folder / 'backends'}",
            f"--backend-config=python,shm-region-prefix-name={work.region}",
            f"--exit-timeout-secs={max(1, int(options.stop_grace_s))}",
            "--log-format=ISO8601",
            # Every model here has a whole config.pbtxt; completing it would start a Python twice per model.
            "--disable-auto-complete-config",
            *_load_arguments(options.models),
            *_listen_arguments("grpc", options.host, grpc_port),
            *_listen_arguments("http", options.host, http_port),
            *_listen_arguments("metrics", options.host, metrics_port),
        ]
        if not _has_gpu():
            command += ["--allow-gpu-metrics=false", "--pinned-memory-pool-byte-size=0"]
        environment = installation.environment(extra_libraries=folder / "lib") | dict(options.environment)
        with log_file.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", launch.__file__, str(os.getpid())),
                *(str(installation.server), *command),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=asyncio.subprocess.STDOUT,
                env=environment,
                cwd=folder,
                start_new_session=True,  # Ctrl-C is for us to answer; and its stubs can be ended with it
            )
        return TritonServer(
            grpc_address=f"{options.host}:{grpc_port}",
            http_address=None if http_port is None else f"{options.host}:{http_port}",
            metrics_address=None if metrics_port is None else f"{options.host}:{metrics_port}",
            log_file=log_file,
            pid=self._process.pid,
        )

    async def _until_ready(self, server: TritonServer, log_start: int) -> None:
        assert self._process is not None  # noqa: S101 - the caller has just started it
        deadline = time.monotonic() + self._options.ready_timeout_s
        # gRPC would wait a second and more before it tries again a port that was closed at first.
        fast = [("grpc.initial_reconnect_backoff_ms", 50), ("grpc.max_reconnect_backoff_ms", 100)]
        async with grpc.aio.insecure_channel(server.grpc_address, options=fast) as channel:
            check = channel.unary_unary(
                "/grpc.health.v1.Health/Check",
                request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
                response_deserializer=health_pb2.HealthCheckResponse.FromString,
            )
            while time.monotonic() < deadline:
                if self._process.returncode is not None:
                    raise TritonStartError(
                        f"tritonserver ended with status {self._process.returncode} before it was ready:\n"
                        + log_reasons(server.log_file, log_start)
                    )
                with contextlib.suppress(grpc.aio.AioRpcError):
                    reply = await check(health_pb2.HealthCheckRequest(), timeout=1.0)
                    if reply.status == health_pb2.HealthCheckResponse.SERVING:
                        return
                await asyncio.sleep(_POLL_S)
        raise TritonStartError(
            f"tritonserver was not ready within {self._options.ready_timeout_s:g} s:\n"
            + log_reasons(server.log_file, log_start)
        )

    async def _stop(self) -> None:
        if self._process is not None:
            await self._end(self._process)
        if self._work is not None:
            work, self._work = self._work, None
            await asyncio.to_thread(work.remove)

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        """Ask the server to end, wait for its grace, then kill it and every stub process of its group."""
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            # Triton looks once a second whether all is unloaded, and needs one or two seconds even idle.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), self._options.stop_grace_s + 3)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def _has_gpu() -> bool:
    return Path("/dev/nvidiactl").exists()


def _choose_ports(host: str, *wanted: int | None) -> tuple[int, int | None, int | None]:
    """Replace each 0 by a free port; all are held at once, so that they differ."""
    with contextlib.ExitStack() as held:
        ports: list[int | None] = []
        for port in wanted:
            if port == 0:
                probe = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
                probe.bind((host, 0))
                port = probe.getsockname()[1]
            ports.append(port)
    grpc_port, http_port, metrics_port = ports
    if grpc_port is None:
        raise ValueError("gRPC can't be off: readiness is asked over it")
    return grpc_port, http_port, metrics_port


def _listen_arguments(name: str, host: str, port: int | None) -> list[str]:
    if port is None:
        return [f"--allow-{name}=false"]
    return [f"--allow-{name}=true", f"--{name}-address={host}", f"--{name}-port={port}"]


def _load_arguments(models: tuple[str, ...]) -> list[str]:
    if not models:
        return []
    return ["--model-control-mode=explicit", *(f"--load-model={model}" for model in models)]


def log_reasons(log_file: Path, start: int = 0) -> str:
    """Return what the log says against starting: the lines of errors, or its end where there are none."""
    with log_file.open("rb") as log:
        log.seek(start)
        lines = log.read().decode("utf-8", errors="replace").splitlines()
    # The table of models gives each reason once and short; elsewhere it comes with the stub's stack.
    models = [" ".join(line.replace("|", " ").split()) for line in lines if "UNAVAILABLE: " in line]
    # The CUDA driver is missed on every machine without a GPU; it is no reason.
    errors = [line for line in lines if " E " in line[:30] and "CudaDriverHelper" not in line]
    return "\n".join((models or errors or lines)[-_LOG_LINES_SHOWN:])
