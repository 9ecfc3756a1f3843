"""A replay server on a free port, in front of a local provider, and clients that read raw bytes from it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from antiphon.harness import CassetteTransport, Mode, RecordingCall
from antiphon.harness.server import KNOWN, ReplayApp, ReplayListener, Served, Upstream, upstreams


@dataclass(kw_only=True)
class Opened:
    """`url` is the server's own, `local` that of the local provider through it."""

    url: str
    local: str
    served: list[Served] = field(default_factory=list)


@asynccontextmanager
async def opened(
    folder: Path, origin: str, *, mode: Mode = Mode.REPLAY, hold: float = 60.0, **settings: Any
) -> AsyncGenerator[Opened, None]:
    transport = CassetteTransport(folder, default=RecordingCall(mode=mode), **settings)
    local = Upstream(name="local", origin=origin)
    served: list[Served] = []
    app = ReplayApp(transport, upstreams(KNOWN, [local]), store=transport.store, observe=served.append, hold=hold)
    async with ReplayListener(app) as listener:
        yield Opened(url=listener.url, local=local.base_url(listener.url), served=served)
    await transport.aclose()


@dataclass(kw_only=True)
class Received:
    """What a socket got: the bytes as they came, and how it ended: `closed`, `reset`, or `late` for not within time."""

    data: bytes = b""
    end: str = ""

    @property
    def status(self) -> int:
        return int(self.data.split(b" ", 2)[1]) if self.data else 0

    @property
    def body(self) -> bytes:
        """The body out of its chunks; what came of it where it was cut."""
        head, _, rest = self.data.partition(b"\r\n\r\n")
        if b"transfer-encoding: chunked" not in head.lower():
            return rest
        parts = []
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            if not size or int(size, 16) == 0:
                break
            parts.append(rest[: int(size, 16)])
            rest = rest[int(size, 16) + 2 :]
        return b"".join(parts)


async def asked(url: str, *, body: bytes = b"{}", within: float = 10.0) -> Received:
    """POST by a plain socket, which hides nothing of how an answer ends."""
    host, _, path = url.removeprefix("http://").partition("/")
    reader, writer = await asyncio.open_connection(*host.split(":"))
    lines = [f"POST /{path} HTTP/1.1", f"host: {host}", f"content-length: {len(body)}", "connection: close", "", ""]
    writer.write("\r\n".join(lines).encode() + body)
    received = Received()
    try:
        async with asyncio.timeout(within):
            while data := await reader.read(65536):
                received.data += data
        received.end = "closed"
    except ConnectionResetError:
        received.end = "reset"
    except TimeoutError:
        received.end = "late"
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    return received
