"""A provider's reply whose body has yet to come, whichever transport it comes by."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Mapping
from typing import Any, Final, Protocol, cast

import httpx

from antiphon.adapter.clock import Clock
from antiphon.adapter.connection import REQUEST_ID_HEADERS
from antiphon.adapter.limits import Limits
from antiphon.core.errors import Reason, ServiceError
from antiphon.wire.base import HttpReply

_NOTHING: Final[Mapping[str, Any]] = {}


class Body(Protocol):
    """Where the bytes of a reply come from. `ended` tells that nothing follows what `ready` gives next."""

    ended: bool

    def ready(self) -> bytes:
        """What has come since the last time; empty where nothing has. Raises httpx.TransportError."""

    def more(self) -> Awaitable[None]:
        """Waits for more, or for the end. Raises httpx.HTTPError."""


class Head(Protocol):
    """What stands before a body."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers by their names in lower case."""

    @property
    def request_id(self) -> str:
        """The provider's identifier of the request; empty where it gives none."""


class ReadHead:
    """A head that was read whole. `headers` have names in lower case."""

    __slots__ = ("headers",)

    def __init__(self, headers: Mapping[str, str]) -> None:
        self.headers = headers

    @property
    def request_id(self) -> str:
        """The first identifier that there is."""
        return next((self.headers[name] for name in REQUEST_ID_HEADERS if name in self.headers), "")

    @property
    def plain(self) -> bool:
        """Whether the body is not packed."""
        return self.headers.get("content-encoding", "identity") == "identity"


class DecodedBody:
    """The body of an httpx response, decompressed. httpx does that, at a cost that a plain body need not pay."""

    def __init__(self, response: httpx.Response, *, plain: bool) -> None:
        chunks = aiter(cast("httpx.AsyncByteStream", response.stream)) if plain else response.aiter_bytes()
        self._chunks = cast("AsyncGenerator[bytes, None]", chunks)  # each is one, whatever its annotation says
        self._chunk = b""
        self.ended = False

    def ready(self) -> bytes:
        """What has come."""
        chunk, self._chunk = self._chunk, b""
        return chunk

    async def more(self) -> None:
        """Wait for a chunk."""
        try:
            self._chunk = await anext(self._chunks)
        except StopAsyncIteration:
            self.ended = True

    async def aclose(self) -> None:
        """Leave the body where it stands."""
        await self._chunks.aclose()


class OpenReply:
    """A reply whose body has yet to come."""

    __slots__ = ("_body", "_clock", "_head", "_limits", "_patience", "_size", "recording", "request_id", "status")

    def __init__(
        self,
        status: int,
        head: Head,
        body: Body,
        clock: Clock,
        limits: Limits,
        recording: Mapping[str, Any] = _NOTHING,
    ) -> None:
        self.status = status
        self._head = head
        self.recording = recording
        """What a recording transport says of this reply; empty for a live one."""
        self.request_id = head.request_id
        """The provider's identifier of the request, for its support; empty where it gives none."""
        self._body = body
        self._clock = clock
        self._limits = limits
        self._patience = limits.first_token
        self._size = 0

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, their names in lower case; to be read before the reply is left."""
        return self._head.headers

    async def whole(self) -> HttpReply:
        """The reply with its whole body."""
        return self.of(await self.body())

    def of(self, body: bytes) -> HttpReply:
        """The reply with this body."""
        return HttpReply(status=self.status, headers=self.headers, body=body)

    async def body(self) -> bytes:
        """Its whole body."""
        chunk = await self.next()
        if self._body.ended:  # `next` waits for nothing after it has taken all that there is
            return chunk
        parts: list[bytes] = []
        while chunk:
            parts.append(chunk)
            chunk = await self.next()
        return b"".join(parts)

    async def next(self) -> bytes:
        """What comes next of the body, decompressed; empty at its end. Raises ServiceError."""
        body = self._body
        while True:
            try:
                chunk = body.ready()
            except httpx.HTTPError as error:  # it came while nobody waited
                raise self._clock.failure(error) from error
            if chunk:
                break
            if body.ended:
                return b""
            news = body.more()
            if isinstance(news, asyncio.Future):
                await self._clock.see(news, self._patience)
            else:
                await self._clock.wait(news, self._patience)
        self._patience = self._limits.idle
        self._size += len(chunk)
        if self._size > self._limits.max_answer_bytes:
            raise ServiceError(
                Reason.MALFORMED_RESPONSE,
                f"{self._clock.provider} sent more than {self._limits.max_answer_bytes} bytes",
            )
        return chunk
