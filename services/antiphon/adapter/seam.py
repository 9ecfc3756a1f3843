"""A narrow seam for a transport that may have the answer at hand, as one that replays has.

httpx's seam costs a replayed call more than finding its recording does: a request, a response, headers twice, a
generator. A transport that knows this one is asked here first, with nothing but text and bytes; where it would have to
wait, to fail or to think, it says None, and the call takes the general way as if it had not been asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Protocol, runtime_checkable

from antiphon.adapter.clock import Clock
from antiphon.adapter.limits import Limits
from antiphon.adapter.replies import Body, OpenReply, ReadHead

Asked = tuple[str, str, Mapping[str, str], bytes, object]
"""A request as text and bytes: method, URL, headers, body, and what the transport has to know of the call."""


class AtHand(Body, Protocol):
    """An answer that is there: nothing has to be decompressed, and `close` leaves it where it stands.

    `headers` have names in lower case, and nobody may change them; `said` is what the transport says of the answer.
    """

    status: int
    headers: Mapping[str, str]
    said: Mapping[str, Any]

    def close(self) -> None:
        """The reader is done, or has left."""


@runtime_checkable
class Replays(Protocol):
    """What such a transport has beside httpx's method."""

    def replayed(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, options: object
    ) -> AtHand | None:
        """The answer; None where only the general way can tell, and then nothing has happened. Neither waits nor
        raises. `headers` and `options` do not change afterwards."""


class Recall:
    """One request to such a transport, and its reply, from whichever way it came. `asked` is what `replayed` takes."""

    __slots__ = ("_asked", "_clock", "_clocked", "_general", "_limits", "_otherwise", "_reply", "_transport")

    def __init__(
        self,
        transport: Replays,
        asked: Asked,
        otherwise: Callable[[], AbstractAsyncContextManager[OpenReply]],
        clocked: Callable[[], Clock],
        limits: Limits,
    ) -> None:
        self._transport = transport
        self._asked = asked
        self._otherwise = otherwise
        self._clocked = clocked
        self._limits = limits
        self._clock: Clock | None = None
        self._reply: AtHand | None = None
        self._general: AbstractAsyncContextManager[OpenReply] | None = None

    async def __aenter__(self) -> OpenReply:
        self._reply = reply = self._transport.replayed(*self._asked)
        if reply is None:
            self._general = self._otherwise()
            return await self._general.__aenter__()
        self._clock = clock = self._clocked()
        if "synthetic" in reply.said:
            clock.note({"antiphon": reply.said})
        return OpenReply(reply.status, ReadHead(reply.headers), reply, clock, self._limits, reply.said)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        if self._general is not None:
            return await self._general.__aexit__(kind, error, trace)
        if self._clock is not None:
            self._clock.stop()
        if self._reply is not None:
            self._reply.close()
        return None
