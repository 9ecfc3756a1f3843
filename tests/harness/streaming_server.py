"""A real HTTP/1.1 server on loopback that answers by script: chunk by chunk, late, cut or reset.

It speaks raw asyncio streams, so that a test decides every byte and every pause that a client sees.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from socket import SO_LINGER, SOL_SOCKET
from types import TracebackType
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What one request gets: `steps` are chunks (bytes) and pauses (seconds); `end` is how it stops."""

    steps: Sequence[bytes | float] = ()
    status: str = "200 OK"
    headers: Mapping[str, str] = field(default_factory=dict)
    before: float = 0.0
    end: str = "whole"  # or "cut", "reset", "hang"
    length: bool = False  # content-length instead of chunks
    framed: bool = True  # False: the steps are the raw bytes after the headers, which must say the framing
    trailers: Mapping[str, str] = field(default_factory=dict)  # after chunks


class StreamingServer:
    """Serves replies by path; equal paths serve their replies in turn, the last one again."""

    def __init__(self) -> None:
        self.replies: dict[str, list[Reply]] = {}
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.open = 0
        self.left = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.url = ""

    def serve(self, path: str, *replies: Reply) -> str:
        """Set the replies of a path; returns its URL."""
        self.replies[path] = list(replies)
        return self.url + path

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Close the port and every connection."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.open += 1
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while await self._one(reader, writer):
                    pass
        finally:
            self.open -= 1
            self.left.set()
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        path = head[0].split(" ")[1]
        headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.requests.append((path, headers, body))
        replies = self.replies[path.split("?")[0]]
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        sending = asyncio.ensure_future(self._send(reply, writer))
        gone = asyncio.ensure_future(reader.read(1))
        await asyncio.wait({sending, gone}, return_when=asyncio.FIRST_COMPLETED)
        both_done = sending.done()
        gone.cancel()
        if not both_done:
            sending.cancel()
        await asyncio.gather(sending, gone, return_exceptions=True)
        return both_done and not sending.cancelled() and sending.result()

    async def _send(self, reply: Reply, writer: asyncio.StreamWriter) -> bool:
        await asyncio.sleep(reply.before)
        pieces = [step for step in reply.steps if isinstance(step, bytes)]
        framing = f"content-length: {sum(map(len, pieces))}" if reply.length else "transfer-encoding: chunked"
        lines = [
            f"HTTP/1.1 {reply.status}",
            *([framing] if reply.framed else []),
            *(f"{k}: {v}" for k, v in reply.headers.items()),
        ]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        await writer.drain()
        for step in reply.steps:
            if isinstance(step, bytes):
                writer.write(step if reply.length or not reply.framed else b"%x\r\n%b\r\n" % (len(step), step))
                await writer.drain()
            else:
                await asyncio.sleep(step)
        if reply.end == "hang":
            await asyncio.sleep(3600)
        if reply.end == "reset":
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, linger)
            return False
        if reply.end == "cut":
            return False
        if not reply.length and reply.framed:
            writer.write(("0\r\n" + "".join(f"{k}: {v}\r\n" for k, v in reply.trailers.items()) + "\r\n").encode())
        await writer.drain()
        return True
