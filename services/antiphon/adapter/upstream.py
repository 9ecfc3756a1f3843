"""The one HTTP door to providers.

It talks to an `httpx.AsyncBaseTransport` directly: the client layer above it costs more than all the rest, and the
recording harness is such a transport too. Waiting has four limits (connect, first byte, idle between chunks, total)
and every failure becomes a ServiceError that says whether the provider may have done the work.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from antiphon.adapter.limits import Limits
from antiphon.core.call import Call
from antiphon.core.errors import Reason, ServiceError
from antiphon.wire.base import HttpCall, HttpReply

HARNESS_REASONS: Mapping[str, Reason] = {
    "RECORDING_MISSING": Reason.RECORDING_MISSING,
    "CASSETTE_UNREADABLE": Reason.CASSETTE_UNREADABLE,
    "SECRET_FOUND": Reason.SECRET_IN_RECORDING,
    "RECORDING_REFUSED": Reason.SECRET_IN_RECORDING,
    "BAD_RECORDING_CALL": Reason.INVALID_REQUEST,
    "RECORDING_ENDED": Reason.OUTCOME_UNKNOWN,
}
"""What a recording transport calls its own failures (its errors' `reason`); it is known here by no other name."""

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
        response = await clock.wait(self._transport.handle_async_request(request), self._limits.first_token)
        response.request = request
        try:
            yield OpenReply(response, clock, self._limits)
        finally:
            await response.aclose()

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    def _request(self, target: Target, wired: HttpCall) -> httpx.Request:
        extensions: dict[str, Any] = {"timeout": {"connect": self._limits.connect, "pool": self._limits.connect}}
        if target.recording is not None:
            extensions["antiphon"] = target.recording
        headers = {"accept-encoding": "gzip", "user-agent": "antiphon", **wired.headers, **target.headers}
        try:
            request = httpx.Request(
                wired.method, target.url, headers=headers, content=wired.body or None, extensions=extensions
            )
        except httpx.InvalidURL as error:
            raise ServiceError(
                Reason.PROVIDER_UNAVAILABLE, f"the base URL of {target.provider} cannot be used: {error}"
            ) from error
        if target.sign is not None:
            target.sign(request)
        return request


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
        async with aclosing(self._response.aiter_bytes()) as chunks:  # type: ignore[type-var]  # it is a generator
            while chunk := await self._clock.wait(anext(chunks, b""), patience):
                patience = self._limits.idle
                size += len(chunk)
                if size > self._limits.max_answer_bytes:
                    raise ServiceError(
                        Reason.MALFORMED_RESPONSE,
                        f"{self._clock.provider} sent more than {self._limits.max_answer_bytes} bytes",
                    )
                yield chunk


class Clock:
    """The limits of one upstream call, and the meaning of going over one."""

    def __init__(self, provider: str, limits: Limits, call: Call) -> None:
        self.provider = provider
        self._loop = asyncio.get_running_loop()
        self._total = self._loop.time() + limits.total
        timeout = call.timeout()
        self._deadline = None if timeout is None else self._loop.time() + timeout

    async def wait(self, answer: Any, patience: float) -> Any:
        """The awaited value. Raises ServiceError by what came first: patience, total limit or caller's deadline."""
        until = min(self._loop.time() + patience, self._total)
        if self._deadline is not None:
            until = min(until, self._deadline)
        try:
            async with asyncio.timeout_at(until):
                return await answer
        except TimeoutError as error:
            raise self._too_late(patience) from error
        except httpx.HTTPError as error:
            raise self._failure(error) from error

    def _too_late(self, patience: float) -> ServiceError:
        now = self._loop.time()
        metadata = {"provider": self.provider}
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
        said = str(error) or type(error).__name__
        reason = HARNESS_REASONS.get(getattr(error, "reason", ""))
        if reason is not None:
            return ServiceError(reason, said, metadata)
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
