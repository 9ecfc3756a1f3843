"""How an answer ends that does not end well: the client's connection breaks as the provider's did.

| recorded or live | what the client gets |
|---|---|
| the server closed the connection early | the connection closed after the same byte |
| the recorded caller left, or this answer may not be written | the same |
| reset, and every other break | the connection reset after the same byte |
| timeout | silence, until the client leaves or `hold` seconds have passed; then a reset |
| no connection (recorded) | its connection reset without an answer |
| no connection (live) | 502 with the reason: a server that is there cannot refuse |
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import MutableMapping
from typing import Any, Final

import httpx

from antiphon.harness.errors import HarnessError, RecordingEnded
from antiphon.harness.modes import EXTENSION

CONNECTION: Final = "antiphon.connection"
"""In the ASGI scope, where the server gives it: the client's connection, an asyncio transport."""
HOLD_SECONDS: Final = 60.0
_FLUSH_SECONDS: Final = 5.0
_LOOK_SECONDS: Final = 0.002
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 seconds: <sys/socket.h>
_NO_CONNECTION: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
_CLOSED: Final = (httpx.RemoteProtocolError, httpx.LocalProtocolError, RecordingEnded, HarnessError)


class ConnectionCut(RuntimeError):  # noqa: N818 - named for the fact
    """Raised where the server gives no connection to cut: servers then close it by themselves."""


def is_refused_live(error: httpx.TransportError) -> bool:
    """Whether a provider could not be connected to now, not while it was recorded."""
    return isinstance(error, _NO_CONNECTION) and not hasattr(error, EXTENSION)  # which replay gives to its errors


async def end(
    error: httpx.TransportError, scope: MutableMapping[str, Any], left: asyncio.Future[None], hold: float
) -> None:
    """End the client's connection as an error says, and return once it is gone."""
    connection = scope.get(CONNECTION)
    if isinstance(error, httpx.TimeoutException):
        await asyncio.wait({left}, timeout=hold)
    if connection is None:
        raise ConnectionCut(str(error)) from error
    if isinstance(error, _CLOSED):
        connection.close()
    else:
        await _reset(connection)
    await asyncio.wait({left}, timeout=_FLUSH_SECONDS)


async def _reset(connection: asyncio.Transport) -> None:
    sock = connection.get_extra_info("socket")
    if sock is not None:
        await _flushed(connection, sock)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    connection.abort()


async def _flushed(connection: asyncio.Transport, sock: Any) -> None:
    """Wait until the other side has all that was sent: a reset drops what still waits here."""
    loop = asyncio.get_running_loop()
    until = loop.time() + _FLUSH_SECONDS
    while loop.time() < until and not connection.is_closing():
        if connection.get_write_buffer_size() == 0 and _unsent(sock) == 0:
            return
        await asyncio.sleep(_LOOK_SECONDS)


def _unsent(sock: Any) -> int:
    """Return the bytes that the kernel holds for the other side; 0 where it does not say."""
    try:
        import fcntl
        import termios

        return int(struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0" * 4))[0])
    except (ImportError, OSError):
        return 0
