"""The HTTP ceiling: a raw ASGI application under uvicorn that passes requests on by aiohttp, and nothing between them.

What a Python gateway made of the fastest of the usual libraries costs before it does anything: no keys, no checks, no
errors, no telemetry; an answer goes on piece by piece as it comes, and nobody looks at it.

    asgi_server.py READY_FILE NAME=PORT...
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import uvicorn
import uvloop

HOP: frozenset[str] = frozenset({"connection", "keep-alive", "transfer-encoding", "date", "server"})
"""Headers of an answer that are of one connection, or that uvicorn writes itself."""


class PassThrough:
    """The application."""

    def __init__(self, ports: dict[str, int]) -> None:
        self._ports = ports
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """One request."""
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=60)
            self._session = aiohttp.ClientSession(connector=connector, auto_decompress=False)
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        port = self._ports[orjson.loads(body)["model"].partition("/")[0]]
        headers = {"content-type": "application/json"}
        url = f"http://127.0.0.1:{port}{scope['path']}"
        async with self._session.post(url, data=body, headers=headers) as answer:
            passed = [
                (name.lower().encode("latin-1"), value.encode("latin-1"))
                for name, value in answer.headers.items()
                if name.lower() not in HOP
            ]
            await send({"type": "http.response.start", "status": answer.status, "headers": passed})
            async for piece in answer.content.iter_any():
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})


async def _run(ready: Path, ports: dict[str, int]) -> None:
    config = uvicorn.Config(
        PassThrough(ports), port=0, http="httptools", lifespan="off", access_log=False, log_level="warning"
    )
    server = uvicorn.Server(config)
    serving: asyncio.Task[Any] = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn tells nobody
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    temporary = ready.with_name(f".{ready.name}")
    temporary.write_text(f"127.0.0.1:{port}")
    temporary.replace(ready)
    await serving


if __name__ == "__main__":
    pairs = (argument.partition("=") for argument in sys.argv[2:])
    uvloop.install()
    asyncio.run(_run(Path(sys.argv[1]), {name: int(port) for name, _, port in pairs}))
