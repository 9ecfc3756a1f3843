"""Watches a connection's peer: whether it is still there, and whether it gives up calls faster than anybody would."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from antiphon.core.http2 import frames
from antiphon.core.http2.limits import Limits

_ALIVE: Final = b"alive?\0\0"


class Pulse:
    """Asks a silent peer whether it is there, and says so where it is not. One timer a connection; a read costs an
    attribute: `heard` is set by whoever reads."""

    __slots__ = ("_gone", "_limits", "_loop", "_quiet", "_send", "_timer", "heard")

    def __init__(
        self,
        limits: Limits,
        loop: asyncio.AbstractEventLoop,
        send: Callable[[bytes], None],
        gone: Callable[[], None],
    ) -> None:
        self.heard = False
        self._limits = limits
        self._loop = loop
        self._send = send
        self._gone = gone
        self._quiet = 0
        self._timer = loop.call_later(limits.tick, self._look)

    def stop(self) -> None:
        """The connection is gone."""
        self._timer.cancel()

    def _look(self) -> None:
        self._quiet = 0 if self.heard else self._quiet + 1
        self.heard = False
        if self._quiet > self._limits.silent_ticks:
            self._gone()
            return
        if self._quiet == self._limits.silent_ticks:
            self._send(frames.ping(_ALIVE))
        self._timer = self._loop.call_later(self._limits.tick, self._look)


class Budget:
    """So many at once, and so many a second thereafter."""

    __slots__ = ("_left", "_loop", "_most", "_rate", "_seen")

    def __init__(self, most: int, rate: float, loop: asyncio.AbstractEventLoop) -> None:
        self._most = most
        self._rate = rate
        self._loop = loop
        self._left = float(most)
        self._seen = loop.time()

    def spend(self) -> bool:
        """Spend one; False where none is left."""
        now = self._loop.time()
        self._left = min(self._most, self._left + (now - self._seen) * self._rate)
        self._seen = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


def peer_of(transport: asyncio.BaseTransport) -> str:
    """Who is on the other side, as grpc spells it."""
    name = transport.get_extra_info("peername")
    if not isinstance(name, tuple):
        return "unix:"
    host, port = name[:2]
    return f"ipv6:[{host}]:{port}" if ":" in host else f"ipv4:{host}:{port}"
