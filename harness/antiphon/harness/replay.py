"""Plays a recording back: the same chunks at the same times, and failures as the errors they were.

Every chunk is due at its offset from the start, not so long after the one before, so delays don't add
up to drift. A client that reads late gets what has "arrived" at once, as from a socket.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from typing import Final

import httpx

from antiphon.harness import trailers
from antiphon.harness.errors import RecordingEnded
from antiphon.harness.interaction import REPLAYABLE, TLS
from antiphon.harness.modes import EXTENSION, Outcome
from antiphon.harness.playback import Playback

PLAYED: Final = "antiphon.played"
"""The key of `response.extensions` that holds the answer which is played, for those who frame it anew."""
YIELD_EVERY: Final = 128
YIELD_BYTES: Final = 256 * 1024
"""Without pace, other tasks get their turn after so many chunks or bytes, as they would between socket reads."""


class Pacer:
    """Waits for moments counted from its construction, scaled; never waits longer than the client would.

    A pace of 0 has nothing to wait for and no pacer.
    """

    def __init__(self, request: httpx.Request, pace: float) -> None:
        self._request = request
        self._pace = pace
        self._loop = asyncio.get_running_loop()
        self._due = self._loop.time()
        limits = request.extensions.get("timeout")
        read = limits.get("read") if isinstance(limits, dict) else None
        self._read_timeout: float | None = read

    async def wait(self, milliseconds: float) -> None:
        """Wait until so long after the moment last waited for.

        Raises ReadTimeout where the client's read timeout ends first, as a socket would.
        """
        self._due += milliseconds / 1000 * self._pace
        pause = self._due - self._loop.time()
        if pause <= 0:
            return
        if self._read_timeout is not None and pause > self._read_timeout:
            await asyncio.sleep(self._read_timeout)
            raise httpx.ReadTimeout("the replayed server was silent for longer", request=self._request)
        await asyncio.sleep(pause)


class PacedStream(httpx.AsyncByteStream):
    """The body of a recording, chunk for chunk, then its failure if it has one. Without a pacer, as fast as it is
    read."""

    def __init__(self, playback: Playback, pacer: Pacer | None, request: httpx.Request) -> None:
        self._playback = playback
        self._pacer = pacer
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        answer = self._playback.answer
        body, pacer = answer.body, self._pacer
        start = 0
        turn = YIELD_BYTES
        for number, (delay, length) in enumerate(answer.chunks if answer.chunks is not None else ((0.0, len(body)),)):
            if pacer is not None:
                await pacer.wait(delay)
            if start >= turn or number % YIELD_EVERY == YIELD_EVERY - 1:
                turn = start + YIELD_BYTES
                await asyncio.sleep(0)
            if length:
                end = start + length
                yield body[start:end]
                start = end
        if answer.outcome is not Outcome.COMPLETE:
            if pacer is not None:
                await pacer.wait(answer.failure.after_ms if answer.failure is not None else 0.0)
            raise failure_of(self._playback, self._request)


async def play(playback: Playback, request: httpx.Request, *, pace: float) -> httpx.Response:
    """Return the response, its body still to be streamed, or raise the error that it stands for."""
    answer = playback.answer
    pacer = Pacer(request, pace) if pace else None
    if not answer.answered:
        if pacer is not None:
            await pacer.wait(answer.failure.after_ms if answer.failure is not None else 0.0)
        raise failure_of(playback, request)
    if pacer is not None:
        await pacer.wait(answer.headers_ms)
    return httpx.Response(
        answer.status,
        headers=answer.head,
        stream=PacedStream(playback, pacer, request),
        extensions={
            "http_version": answer.http_version.encode("ascii", "replace"),
            "reason_phrase": answer.reason.encode("ascii", "replace"),
            EXTENSION: dict(playback.said),
            PLAYED: answer,
            **({trailers.EXTENSION: list(answer.trailers)} if answer.trailers else {}),
        },
        request=request,
    )


def failure_of(playback: Playback, request: httpx.Request) -> httpx.TransportError:
    """Return the error that ended the recorded exchange."""
    answer = playback.answer
    if answer.outcome is Outcome.CANCELLED or answer.failure is None:
        return RecordingEnded(
            f"{playback.place} ends here: the caller left while it was recorded; record it again to get more",
            request=request,
        )
    error = REPLAYABLE[answer.failure.error](answer.failure.message, request=request)
    if answer.failure.phase == TLS:
        error.__cause__ = ssl.SSLError(answer.failure.message)
    error.add_note(f"replayed from {playback.place}")
    error.__dict__[EXTENSION] = dict(playback.said)  # an answer says it in its extensions; an error has none
    return error
