"""One service in a process of its own, for tests: python -m tests.core.telemetry.serve NAME COLLECTOR [UPSTREAM].

Prints its address, and ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import sys

from antiphon.core.remote import RemoteBackend
from antiphon.core.server import Server
from antiphon.core.telemetry.rpc import Telemetry
from antiphon.core.telemetry.setup import configure
from tests.core.telemetry.parts import PlayedProvider


async def main(name: str, collector: str, upstream: str) -> None:
    shutdown = configure(name, otlp_endpoint=collector)
    backend = RemoteBackend("next", upstream) if upstream else PlayedProvider()
    async with Server(backend, [Telemetry()], listen="127.0.0.1:0", grace=1) as server:
        print(server.address, flush=True)
        await asyncio.to_thread(sys.stdin.read)
    await shutdown()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else ""))
