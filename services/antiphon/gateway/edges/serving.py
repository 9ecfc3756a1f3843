"""What the connections of one port share, and how one of them holds its reader and its writer back."""

from __future__ import annotations

import asyncio
from email.utils import formatdate
from typing import Any, Final

from antiphon.core.alarms import Alarms

HIGH_WATER: Final = 65536
"""Bytes of a body that wait for their reader before the socket is left unread."""
_DATE_SECONDS: Final = 1.0


class Serving:
    """The connections that are open, the requests that run, and the header lines of every answer: the date."""

    def __init__(self) -> None:
        self.connections: set[Any] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self.default_lines = b""
        self.alarms = Alarms()
        self.empty = asyncio.Event()
        """Set when the last connection is gone, until another one is made."""
        self._timer: asyncio.TimerHandle | None = None

    def keep_date(self) -> None:
        """Say what day and second it is, from now on."""
        self.default_lines = b"date: %b\r\n" % formatdate(usegmt=True).encode()
        self._timer = asyncio.get_running_loop().call_later(_DATE_SECONDS, self.keep_date)

    def stop(self) -> None:
        """Let the clock be."""
        if self._timer is not None:
            self._timer.cancel()

    def enter(self, connection: object) -> int:
        """Take a connection in; how many there are."""
        self.connections.add(connection)
        self.empty.clear()
        return len(self.connections)

    def leave(self, connection: object) -> None:
        """A connection is gone."""
        self.connections.discard(connection)
        if not self.connections:
            self.empty.set()


class Flow:
    """Whether a connection is read, and whether more may be written to it."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._writable = asyncio.Event()
        self._writable.set()
        self.read_paused = False
        self.write_paused = False

    async def drain(self) -> None:
        """Wait until more may be written."""
        await self._writable.wait()

    def pause_reading(self) -> None:
        """Read no more."""
        if not self.read_paused:
            self.read_paused = True
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        if self.read_paused:
            self.read_paused = False
            self._transport.resume_reading()

    def pause_writing(self) -> None:
        """The client takes nothing more for now."""
        if not self.write_paused:
            self.write_paused = True
            self._writable.clear()

    def resume_writing(self) -> None:
        """It does again."""
        if self.write_paused:
            self.write_paused = False
            self._writable.set()
