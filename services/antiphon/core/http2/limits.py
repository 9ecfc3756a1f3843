"""Bounds of the server, all in one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from antiphon.core.http2 import frames

HEADER_LIST_BYTES: Final = 16 * 1024
"""Bytes of a request's header list, counted as RFC 9113, section 6.5.2: more is refused, call by call."""
HEADER_LIST_MOST: Final = 64 * 1024
"""Past this the list is not even read to its end, and the connection goes with it."""
BLOCK_BYTES: Final = 64 * 1024
"""Bytes of a header block as sent, in all its frames."""
BLOCK_FRAMES: Final = 16
"""Frames of it: each of a flood of CONTINUATION frames may be empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one server. Sizes are in bytes, times in seconds.

    - `message`: of a request after decompression, and of an answer
    - `streams`: calls that one connection runs at a time
    - `window`, `connection_window`: what a client may send ahead
    - `held`: of requests on one connection that are not whole
    - `preface`: for a client's first words
    - `tick`, `silent_ticks`: a peer that was silent for so many ticks is asked whether it is there, and gone a tick
      later
    - `stall`: for a reader who takes nothing of the rest of an answer
    - `resets`, `resets_seconds`: calls that a client may give up at once before any answer, and how long until it may
      do so again
    - `controls`: answers to PING and SETTINGS that may wait for a client who does not read
    """

    message: int = 4 * 1024 * 1024
    streams: int = 4096
    window: int = 1024 * 1024
    connection_window: int = 8 * 1024 * 1024
    held: int = 512 * 1024 * 1024
    preface: float = 10.0
    tick: float = 10.0
    silent_ticks: int = 3
    stall: float = 60.0
    resets: int = 2000
    resets_seconds: float = 4.0
    controls: int = 1000

    def hello(self) -> bytes:
        """What a client is told of them."""
        told = frames.settings(
            {
                frames.Setting.MAX_CONCURRENT_STREAMS: self.streams,
                frames.Setting.INITIAL_WINDOW_SIZE: self.window,
                frames.Setting.MAX_HEADER_LIST_SIZE: HEADER_LIST_BYTES,
            }
        )
        return told + frames.window_update(0, self.connection_window - frames.WINDOW)
