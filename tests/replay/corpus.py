"""A local provider that answers with the exchanges of the public recordings, each by the number it is asked for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Self

from tests.laws.recordings import Recorded

NUMBER = "x-test-number"
"""The request header that says which exchange is meant: several differ in their answers alone."""
_ONE_HOP = frozenset({"content-length", "transfer-encoding", "connection", "keep-alive"})
_PIECES = 5


class Corpus:
    """An HTTP/1.1 server of plain sockets. A body goes out in several chunks."""

    def __init__(self, exchanges: Sequence[Recorded]) -> None:
        self._exchanges = exchanges
        self._server: asyncio.Server | None = None
        self.asked: list[tuple[int, str, bytes]] = []
        self.url = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, limit=2**24)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._server is not None
        self._server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines[1:] if line)}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                number = int(headers[NUMBER])
                self.asked.append((number, lines[0].split(" ")[1], body))
                await self._answer(self._exchanges[number], writer)
        writer.close()

    async def _answer(self, exchange: Recorded, writer: asyncio.StreamWriter) -> None:
        body = exchange.body
        lines = [f"HTTP/1.1 {exchange.status} Recorded", "transfer-encoding: chunked"]
        lines += [f"{name}: {value}" for name, value in exchange.headers.items() if name not in _ONE_HOP]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace"))
        size = max(1, -(-len(body) // _PIECES))
        for start in range(0, len(body), size):
            piece = body[start : start + size]
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()
