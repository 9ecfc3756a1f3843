"""What a connection has to send: joined into one write a turn of the loop, within the windows that the client gave.

A message is written as soon as the running task waits for something, together with all that came until then. Where
a window is used up, or the socket is full, the rest waits with its call, and its writer with it.
"""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

from antiphon.core.http2.frames import (
    DATA,
    FRAME_BYTES,
    MOST_WINDOW,
    WINDOW,
    ErrorCode,
    ProtocolError,
    frame,
)

HIGH_WATER: Final = 256 * 1024
"""Bytes that the socket may not have taken before writers wait."""
_BATCH: Final = 64 * 1024
"""Bytes that are not joined with more."""


class Sending(Protocol):
    """A call, as far as its answer waits for room."""

    id: int
    window: int

    def next_piece(self, most: int) -> memoryview:
        """Up to so many bytes of what waits; empty where nothing does."""

    def emptied(self) -> None:
        """Nothing of it waits any more, and there is room for more."""


class Outbox:
    """The way out of one connection.

    `window` is what the client takes on the connection, `initial` on a new stream. `paused` is whether the socket is
    full; `crowded` also whether so much was sent in this turn of the loop that others should have theirs.
    """

    __slots__ = (
        "_loop",
        "_pieces",
        "_scheduled",
        "_size",
        "_transport",
        "blocked",
        "crowded",
        "initial",
        "paused",
        "window",
    )

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._scheduled = False
        self._size = 0
        self._pieces: list[bytes] = []
        self.window = WINDOW
        self.initial = WINDOW
        self.paused = self.crowded = False
        self.blocked: dict[int, Sending] = {}

    def send(self, data: bytes) -> None:
        """Send frames, in the order in which they are given."""
        self._pieces.append(data)
        self._size += len(data)
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._due)
        if self._size >= _BATCH:
            self.crowded = True
            self.flush()

    def flush(self) -> None:
        """Write what there is."""
        pieces = self._pieces
        if pieces:
            data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            pieces.clear()
            self._size = 0
            if not self._transport.is_closing():
                self._transport.write(data)

    def _due(self) -> None:
        self._scheduled = False
        self.crowded = self.paused
        self.flush()

    # Flow control.

    def wait(self, call: Sending) -> None:
        """`call` has bytes that wait, or wants to know when there is room."""
        self.blocked[call.id] = call

    def pause(self) -> None:
        """The socket is full."""
        self.paused = self.crowded = True

    def resume(self) -> None:
        """It is not any more."""
        self.paused = self.crowded = False
        self.pump()

    def widen(self, size: int) -> None:
        """The client takes so many bytes more on the connection. Raises ProtocolError."""
        self.window += size
        if self.window > MOST_WINDOW:
            raise ProtocolError(ErrorCode.FLOW_CONTROL_ERROR, "the connection's window is too large")
        if self.blocked:
            self.pump()

    def pump(self) -> None:
        """Send what waits, a frame of each call in turn, as far as there is room."""
        moving = True
        while moving and self.blocked and not self.paused:
            moving = False
            for call in list(self.blocked.values()):
                moving = self._push(call) or moving
                if self.paused:
                    return

    def _push(self, call: Sending) -> bool:
        """Send a frame of one call; whether anything moved."""
        piece = call.next_piece(max(0, min(FRAME_BYTES, self.window, call.window)))
        size = len(piece)
        if size:
            self.window -= size
            call.window -= size
            self.send(frame(DATA, 0, call.id, bytes(piece)))
        call.emptied()
        return size > 0
