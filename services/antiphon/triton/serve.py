"""Keeps a local Triton running until it is told to stop: what `antiphon triton up` awaits."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

from antiphon.triton.installation import TritonUnsupportedError
from antiphon.triton.runtime import TritonOptions, TritonRuntime, TritonStartError, log_reasons

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


async def serve(options: TritonOptions, *, say: Callable[[str], None] = print) -> int:
    """Start the server, say where it listens, and wait for SIGINT or SIGTERM.

    Returns:
        0 after a signal; 1 when the server could not start or ended by itself (`say` has told why).
    """
    work = asyncio.create_task(_run(options, say))
    told_to_stop = asyncio.Event()

    def stop() -> None:
        if not told_to_stop.is_set():  # a second signal must not interrupt the cleaning up
            told_to_stop.set()
            work.cancel()

    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, stop)
    try:
        return await work
    except asyncio.CancelledError:
        if not told_to_stop.is_set():
            raise
        return 0
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)


async def _run(options: TritonOptions, say: Callable[[str], None]) -> int:
    runtime = TritonRuntime(options)
    try:
        async with runtime as server:
            say(f"triton is ready: grpc {server.grpc_address}")
            for name, address in (("http", server.http_address), ("metrics", server.metrics_address)):
                if address is not None:
                    say(f"  {name:<8}{address}")
            say(f"  log     {server.log_file}")
            status = await runtime.exited()
            say(f"tritonserver ended by itself with status {status}:\n{log_reasons(server.log_file)}")
    except (TritonUnsupportedError, TritonStartError) as error:
        say(str(error))
    return 1
