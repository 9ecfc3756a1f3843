"""The one HTTP door to providers.

It talks to an `httpx.AsyncBaseTransport` directly: the client layer above it costs more than all the rest, and the
recording harness is such a transport too. Waiting has four limits (connect, first byte, idle between chunks, total)
and every failure becomes a ServiceError that says whether the provider may have done the work.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar, cast

import httpx

from antiphon.adapter.limits import Limits
from antiphon.core.call import Call
from antiphon.core.errors import Reason, ServiceError
from antiphon.wire.base import HttpCall, HttpReply

T = TypeVar("T")

HARNESS_REASONS: Mapping[str, Reason] = {
    "RECORDING_MISSING": Reason.RECORDING_MISSING,
    "RECORDING_USED_UP": Reason.RECORDING_MISSING,
    "CASSETTE_UNREADABLE": Reason.CASSETTE_UNREADABLE,
    "SECRET_FOUND": Reason.SECRET_IN_RECORDING,
    "RECORDING_REFUSED": Reason.SECRET_IN_RECORDING,
    "BAD_RECORDING_CALL": Reason.INVALID_REQUEST,
    "RECORDING_ENDED": Reason.OUTCOME_UNKNOWN,
    "MOCK_FAILED": Reason.INTERNAL,
}
"""What a recording transport calls its own failures (its errors' `reason`); it is known here by no other name. Facts
for programs, such as the nearest recording of a miss, are in their `details`."""

REQUEST_ID_HEADERS = ("x-request-id", "request-id", "x-amzn-requestid", "cf-ray")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a call goes: the provider's name for messages, the URL, and headers beside the wire's own.

    `sign` adds what identifies us by the request's own content.
    """

    provider: str
    url: str
    headers: Mapping[str, str]
    recording: Mapping[str, Any] | None = None
    sign: Callable[[httpx.Request], None] | None = None


class Upstream:
    """HTTP to providers over one transport, which it owns."""

    def __init__(self, transport: httpx.AsyncBaseTransport, limits: Limits) -> None:
        self._transport = transport
        self._limits = limits

    async def answer(self, target: Target, wired: HttpCall, call: Call) -> HttpReply:
        """The whole reply, whatever its status. Raises ServiceError where there is none."""
        async with self.open(target, wired, call) as reply:
            return await reply.whole()

    @asynccontextmanager
    async def open(self, target: Target, wired: HttpCall, call: Call) -> AsyncGenerator[OpenReply, None]:
        """The reply as soon as its headers are there. Leaving closes the connection at once."""
        clock = Clock(target.provider, self._limits, call)
        request = self._request(target, wired)
        try:
            response = await clock.wait(self._transport.handle_async_request(request), self._limits.first_token)
            response.request = request
            clock.note(response.extensions)
            try:
                yield OpenReply(response, clock, self._limits)
            finally:
                await response.aclose()
        finally:
            clock.stop()

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    def _request(self, target: Target, wired: HttpCall) -> httpx.Request:
        extensions: dict[str, Any] = {"timeout": {"connect": self._limits.connect, "pool": self._limits.connect}}
        if target.recording is not None:
            extensions["antiphon"] = target.recording
        try:
            url = _parsed(target.url)
        except httpx.InvalidURL as error:
            raise ServiceError(
                Reason.PROVIDER_UNAVAILABLE, f"the base URL of {target.provider} cannot be used: {error}"
            ) from error
        named = {"accept-encoding": "gzip", "user-agent": "antiphon", **wired.headers, **target.headers}
        headers = [(b"host", url.netloc), *((name.encode(), value.encode()) for name, value in named.items())]
        if wired.body:
            headers.append((b"content-length", b"%d" % len(wired.body)))
        # With whole headers and a stream, httpx has nothing to work out: an eighth of the cost.
        body = httpx.ByteStream(wired.body)
        request = httpx.Request(wired.method, url, headers=headers, stream=body, extensions=extensions)
        if target.sign is not None:
            request.read()
            target.sign(request)
        return request


@lru_cache(maxsize=1024)
def _parsed(url: str) -> httpx.URL:
    """Raises httpx.InvalidURL."""
    return httpx.URL(url)


class OpenReply:
    """A reply whose body has yet to come."""

    def __init__(self, response: httpx.Response, clock: Clock, limits: Limits) -> None:
        self._response = response
        self._clock = clock
        self._limits = limits
        self.status = response.status_code
        self.headers = {key.lower(): value for key, value in response.headers.items()}

    @property
    def recording(self) -> Mapping[str, Any]:
        """What a recording transport says of this reply; empty for a live one."""
        said = self._response.extensions.get("antiphon")
        return said if isinstance(said, Mapping) else {}

    @property
    def request_id(self) -> str:
        """The provider's identifier of the request, for its support; empty where it gives none."""
        return next((self.headers[name] for name in REQUEST_ID_HEADERS if name in self.headers), "")

    async def whole(self) -> HttpReply:
        """The reply with its whole body."""
        parts = [chunk async for chunk in self.chunks()]
        return HttpReply(status=self.status, headers=self.headers, body=b"".join(parts))

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The body as it comes, decompressed."""
        patience = self._limits.first_token
        size = 0
        async with aclosing(self._decompressed()) as chunks:
            while (chunk := await self._clock.wait(anext(chunks, None), patience)) is not None:
                patience = self._limits.idle
                size += len(chunk)
                if size > self._limits.max_answer_bytes:
                    raise ServiceError(
                        Reason.MALFORMED_RESPONSE,
                        f"{self._clock.provider} sent more than {self._limits.max_answer_bytes} bytes",
                    )
                yield chunk

    def _decompressed(self) -> AsyncGenerator[bytes, None]:
        """httpx decompresses, at a cost that a plain body need not pay."""
        plain = self.headers.get("content-encoding", "identity") == "identity"
        chunks = aiter(cast("httpx.AsyncByteStream", self._response.stream)) if plain else self._response.aiter_bytes()
        return cast("AsyncGenerator[bytes, None]", chunks)  # each is a generator, whatever its annotation says


class Clock:
    """The limits of one upstream call, and the meaning of going over one.

    One timer serves all waits of a call: a wait only notes how long it may take, and the timer looks when it fires.
    A timer a wait would cost more than reading a chunk does.
    """

    def __init__(self, provider: str, limits: Limits, call: Call) -> None:
        self.provider = provider
        self._loop = asyncio.get_running_loop()
        self._total = self._loop.time() + limits.total
        timeout = call.timeout()
        self._deadline = None if timeout is None else self._loop.time() + timeout
        self._last = self._total if self._deadline is None else min(self._total, self._deadline)
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[Any] | None = None
        self._until = 0.0
        self._fired = False
        self._synthetic = ""
        self._call = call

    async def wait(self, answer: Awaitable[T], patience: float) -> T:
        """The awaited value. Raises ServiceError by what came first: patience, total limit or caller's deadline."""
        self._until = min(self._loop.time() + patience, self._last)
        self._task = task = cast("asyncio.Task[Any]", asyncio.current_task())
        cancelling = task.cancelling()
        if self._timer is None or self._timer.when() > self._until:
            self._arm()
        try:
            return await answer
        except asyncio.CancelledError as error:
            if self._fired and task.uncancel() <= cancelling:
                raise self._too_late(patience) from error
            raise
        except httpx.HTTPError as error:
            raise self._failure(error) from error
        finally:
            self._task = None

    def note(self, extensions: Mapping[str, Any]) -> str:
        """Remember, tell the caller and give the fault or mock that a recording transport says it made up; empty for
        none."""
        said = extensions.get("antiphon")
        if isinstance(said, Mapping) and said.get("synthetic"):
            self._synthetic = str(said["synthetic"])
            self._call.say("synthetic", self._synthetic)
        return self._synthetic

    def stop(self) -> None:
        """The call is over."""
        if self._timer is not None:
            self._timer.cancel()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._until, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._task is None:
            return  # nobody waits; the next wait arms again
        if self._loop.time() < self._until:
            self._arm()
        else:
            self._fired = True
            self._task.cancel()

    def _too_late(self, patience: float) -> ServiceError:
        now = self._loop.time()
        metadata = {"provider": self.provider} | ({"synthetic": self._synthetic} if self._synthetic else {})
        if self._deadline is not None and now >= self._deadline:
            return ServiceError(
                Reason.DEADLINE_EXCEEDED, f"{self.provider} did not answer within the caller's deadline", metadata
            )
        limit = "the total limit" if now >= self._total else f"{patience:g} s"
        return ServiceError(
            Reason.OUTCOME_UNKNOWN,
            f"{self.provider} sent nothing within {limit}; it may have done the work, so a retry may be billed again",
            metadata,
        )

    def _failure(self, error: httpx.HTTPError) -> ServiceError:
        metadata = {"provider": self.provider}
        if synthetic := self.note(error.__dict__):  # a failure that was asked for says so where an answer would
            metadata["synthetic"] = synthetic
        said = str(error) or type(error).__name__
        reason = HARNESS_REASONS.get(getattr(error, "reason", ""))
        if reason is not None:
            return ServiceError(reason, said, {**getattr(error, "details", {}), **metadata})
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout | httpx.UnsupportedProtocol):
            return ServiceError(Reason.NETWORK_ERROR, f"{self.provider} cannot be reached: {said}", metadata)
        if isinstance(error, httpx.DecodingError):
            return ServiceError(Reason.MALFORMED_RESPONSE, f"{self.provider} sent a broken body: {said}", metadata)
        return ServiceError(
            Reason.OUTCOME_UNKNOWN,
            f"the connection to {self.provider} broke after the request was sent ({said}); it may have done the work, "
            "so a retry may be billed again",
            metadata,
        )
