"""The ASGI application: the first part of a path names a provider, the rest goes through the transport unchanged.

Bodies pass in the pieces in which they come and with the bytes that they have; nothing is decoded or collected.
A recorded failure happens to the client too: see `ending`.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias
from urllib.parse import unquote

import httpx

from antiphon.harness.errors import BadRecordingCall, HarnessError
from antiphon.harness.modes import EXTENSION, RecordingCall
from antiphon.harness.server import calls, ending, heads, refusals, reports
from antiphon.harness.server.upstreams import Upstream
from antiphon.harness.store import CassetteStore

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

MAX_REQUEST_BYTES: Final = 256 * 1024 * 1024
"""The largest request: matching needs a body whole, so it is held in memory."""
CONNECT_SECONDS: Final = 10.0
_BODILESS: Final = frozenset({204, 304})

log = logging.getLogger("antiphon.harness.server")


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """One request and what became of it: the status sent (0 for none), what the transport said, and the error."""

    method: str
    url: str
    status: int = 0
    said: Mapping[str, Any] = field(default_factory=dict)
    error: httpx.TransportError | None = None


class ReplayApp:
    """Serves every upstream under its name, through one transport.

    `transport` is a recording transport, which decides by its own settings what a client may choose. `store` is where
    sessions can be asked about; None: nowhere. `observe` is told of each request when it is done. `hold` is how long a
    recorded timeout keeps a client waiting, in seconds, unless it leaves before.
    """

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport,
        upstreams: Mapping[str, Upstream],
        *,
        store: CassetteStore | None = None,
        observe: Callable[[Served], None] | None = None,
        hold: float = ending.HOLD_SECONDS,
        max_request_bytes: int = MAX_REQUEST_BYTES,
    ) -> None:
        self._transport = transport
        self._upstreams = dict(upstreams)
        self._store = store
        self._observe = observe or (lambda served: None)
        self._hold = hold
        self._max_request_bytes = max_request_bytes

    def takes(self, path: str) -> bool:
        """Whether a path is this application's, where it stands beside another."""
        first, _, _ = path.lstrip("/").partition("/")
        return not first or first.startswith(calls.SEGMENT) or first in self._upstreams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        if scope["path"] == "/":
            await _send(send, 200, [(b"content-type", b"application/json")], listing(self._upstreams))
            return
        try:
            place = self._place(scope)
        except BadRecordingCall as error:
            await _refuse(send, refusals.of_error(error))
            return
        if isinstance(place, bytes):
            await _send(send, 200, [(b"content-type", b"application/json")], place)
            return
        if isinstance(place, refusals.Refusal):
            await _refuse(send, place)
            return
        body = await _body(receive, self._max_request_bytes)
        if body is None:
            text = f"the body of the request is larger than {self._max_request_bytes} bytes"
            await _refuse(send, refusals.Refusal(status=413, reason="REQUEST_TOO_LARGE", message=text))
            return
        request = httpx.Request(
            scope["method"],
            place.url,
            headers=heads.onward(scope["headers"]),
            content=body,
            extensions={"timeout": {"connect": CONNECT_SECONDS, "pool": CONNECT_SECONDS}, EXTENSION: place.call},
        )
        left = asyncio.ensure_future(_left(receive))
        answering = asyncio.ensure_future(self._answer(request, scope, send, left))
        try:
            await asyncio.wait({answering, left}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (answering, left):
                if not task.done():
                    task.cancel()
            results = await asyncio.gather(answering, left, return_exceptions=True)
        if isinstance(results[0], Exception):
            raise results[0]

    def _place(self, scope: Scope) -> _Place | bytes | refusals.Refusal:
        """Where a request goes, or what it is answered here."""
        raw: bytes = scope.get("raw_path") or scope["path"].encode("utf-8")
        first, _, rest = raw.lstrip(b"/").partition(b"/")
        segment = ""
        if first.startswith(calls.SEGMENT.encode()):
            segment = first[1:].decode("latin-1")
            first, _, rest = rest.partition(b"/")
        settings = calls.settings_of(scope["headers"], segment)
        name = unquote(first.decode("latin-1"))
        if segment and not name and self._store is not None:
            return reports.answer(self._store, scope["method"], settings)
        upstream = self._upstreams.get(name)
        if upstream is None:
            return self._unknown(name)
        if not upstream.origin:
            return refusals.Refusal(status=404, reason="UPSTREAM_UNKNOWN", message=f"{name}: {upstream.missing}")
        query: bytes = scope.get("query_string", b"")
        target = b"/" + rest + (b"?" + query if query else b"")
        url = httpx.URL(upstream.origin).copy_with(raw_path=target)
        return _Place(url=url, call=replace(RecordingCall.of(settings), provider=name))

    def _unknown(self, name: str) -> refusals.Refusal:
        known = ", ".join(sorted(self._upstreams))
        text = f"there is no upstream {name[:80]!r} here; the first part of the path is one of: {known}"
        return refusals.Refusal(status=404, reason="UPSTREAM_UNKNOWN", message=text)

    async def _answer(self, request: httpx.Request, scope: Scope, send: Send, left: asyncio.Future[None]) -> None:
        served = Served(method=request.method, url=str(request.url))
        try:
            response = await self._transport.handle_async_request(request)
        except HarnessError as error:
            refusal = refusals.of_error(error)
            self._observe(replace(served, status=refusal.status, error=error))
            log.warning("%s", error)
            await _refuse(send, refusal)
            return
        except httpx.TransportError as error:
            self._observe(replace(served, said=getattr(error, EXTENSION, {}), error=error))
            if ending.is_refused_live(error):
                origin = f"{request.url.scheme}://{request.url.netloc.decode('ascii')}"
                await _refuse(send, refusals.unreachable(origin, str(error) or type(error).__name__))
                return
            await ending.end(error, scope, left, self._hold)
            return
        told = response.extensions.get(EXTENSION)
        served = replace(served, status=response.status_code, said=told if isinstance(told, Mapping) else {})
        await self._stream(response, served, scope, send, left)

    async def _stream(
        self, response: httpx.Response, served: Served, scope: Scope, send: Send, left: asyncio.Future[None]
    ) -> None:
        failure: httpx.TransportError | None = None
        stream = response.stream
        assert isinstance(stream, httpx.AsyncByteStream)  # noqa: S101 - told to mypy; transports here are async
        bodiless = served.method == "HEAD" or response.status_code in _BODILESS
        try:
            await send(
                {
                    "type": "http.response.start",
                    "status": response.status_code,
                    "headers": heads.back(response, bodiless=bodiless),
                }
            )
            async for chunk in stream:
                if not bodiless:
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
        except httpx.TransportError as error:
            failure = error
        finally:
            try:
                await stream.aclose()
            except httpx.TransportError as error:
                failure = failure or error
            self._observe(replace(served, error=failure))
        if failure is None:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        log.warning("%s %s: the answer was cut: %s", served.method, served.url, failure)
        await ending.end(failure, scope, left, self._hold)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    url: httpx.URL
    call: RecordingCall


async def _body(receive: Receive, limit: int) -> bytes | None:
    """Return the request's body, or None where it is too large. A client that leaves meanwhile leaves it short."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise asyncio.CancelledError
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            return None
        if not message.get("more_body", False):
            return b"".join(parts)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _refuse(send: Send, refusal: refusals.Refusal) -> None:
    await _send(send, refusal.status, refusal.headers(), refusal.body())


async def _send(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    length = (b"content-length", str(len(body)).encode("ascii"))
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def listing(upstreams: Mapping[str, Upstream]) -> bytes:
    """What stands behind which prefix, as JSON for people and scripts."""
    rows = {name: upstream.origin or upstream.missing for name, upstream in sorted(upstreams.items())}
    return json.dumps({"upstreams": rows}, indent=1).encode("utf-8")
