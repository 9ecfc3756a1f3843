"""An ASGI application as one that answers requests here: the replay server's endpoints are one.

The edges themselves take a `Line`: the words of ASGI cost every request a dict of twenty names and several calls.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, TypeAlias

from antiphon.gateway.edges.line import Line

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
ASGIApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

CONNECTION: Final = "antiphon.connection"
"""In the scope: the connection itself, an asyncio transport, for applications that end it in some other way."""


async def answered(app: ASGIApp, line: Line) -> None:
    """Have an application answer one request."""
    exchange = _Exchange(line)
    await app(scope_of(line), exchange.receive, exchange.send)


def scope_of(line: Line) -> Scope:
    """The request as ASGI says it."""
    raw, _, query = line.target.partition(b"?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.0" if line.old else "1.1",
        "scheme": "http",
        "method": line.method,
        "path": line.path,
        "raw_path": raw,
        "root_path": "",
        "query_string": query,
        "headers": [(name.encode("latin-1"), value) for name, value in line.fields],
        "client": _address(line, "peername"),
        "server": _address(line, "sockname"),
        CONNECTION: line.transport,
    }


class _Exchange:
    """The two callables of ASGI."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def receive(self) -> Message:
        """A piece of the body, or that the client has left."""
        came = await self._line.piece()
        if came is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": came[0], "more_body": came[1]}

    async def send(self, message: Message) -> None:
        """Head or piece. Everything is written at once: an application may end the connection right after."""
        line = self._line
        if message["type"] == "http.response.start":
            _begin(line, message["status"], list(message.get("headers", ())))
        elif not line.started or line.complete:
            raise RuntimeError("a body comes after a head and before the end")
        else:
            line.write(bytes(message.get("body", b"")))
            if not message.get("more_body", False):
                line.end()
                return
        line.flush()
        if line.crowded:
            await line.room()


def _begin(line: Line, status: int, headers: list[tuple[bytes, bytes]]) -> None:
    lines: list[bytes] = []
    length: int | None = None
    close = False
    for name, value in headers:
        match name.lower():
            case b"content-length":
                length = int(value)
            case b"transfer-encoding":
                pass  # the framing is ours
            case b"connection":
                close = close or b"close" in value.lower()
            case lowered:
                lines.append(b"%b: %b\r\n" % (lowered, value))
    line.head(status, b"".join(lines), count=len(lines), length=length, close=close)


def _address(line: Line, name: str) -> tuple[str, int] | None:
    known = line.transport.get_extra_info(name)
    return (str(known[0]), int(known[1])) if isinstance(known, tuple | list) and len(known) >= 2 else None
