"""HTTP/1.1 trailers, which httpx's own stack reads and throws away.

The end of what a connection read is kept beside it, at the seam that httpcore offers for other networks, and
the trailers are read from it once a body has ended. An inner transport of another make may say them itself,
as `response.extensions["trailing_headers"]`.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterable
from typing import Any, Final

import httpcore
import httpx

EXTENSION: Final = "trailing_headers"
_TAIL: Final = "antiphon_tail"
_KEPT: Final = 8 * 1024
# A chunked body's end (RFC 9112, 7.1): a chunk of length 0, fields, an empty line.
_END: Final = re.compile(rb"(?:\A|\r\n)0+(?:;[^\r\n]*)?\r\n((?:[!-9;-~]+:[^\r\n]*\r\n)+)\r\n\Z")


def keeping_trailers(transport: httpx.AsyncHTTPTransport) -> httpx.AsyncHTTPTransport:
    """Make a transport's future connections keep their trailers; returns the transport."""
    # httpx hands no network backend on, so its pool is asked by its private name. Without that name,
    # trailers are lost and nothing else.
    pool = getattr(transport, "_pool", None)
    backend = getattr(pool, "_network_backend", None)
    if isinstance(backend, httpcore.AsyncNetworkBackend) and not isinstance(backend, _TailBackend):
        pool._network_backend = _TailBackend(backend)  # type: ignore[union-attr]
    return transport


def trailers_of(response: httpx.Response) -> list[tuple[str, str]]:
    """Return the trailers of a response whose body has been read to its end."""
    said: Iterable[tuple[str, str]] | None = response.extensions.get(EXTENSION)
    if said is not None:
        return [(str(name), str(value)) for name, value in said]
    stream = response.extensions.get("network_stream")
    if stream is None or response.headers.get("transfer-encoding", "").lower() != "chunked":
        return []
    match = _END.search(stream.get_extra_info(_TAIL) or b"")
    if match is None:
        return []
    fields = (line.decode("latin-1").partition(":") for line in match[1].split(b"\r\n") if line)
    return [(name, value.strip(" \t")) for name, _, value in fields]


class _TailStream(httpcore.AsyncNetworkStream):
    def __init__(self, inner: httpcore.AsyncNetworkStream) -> None:
        self._inner = inner
        self._tail = b""

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's
        data = await self._inner.read(max_bytes, timeout)
        self._tail = (self._tail + data)[-_KEPT:] if len(data) < _KEPT else data[-_KEPT:]
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore's
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's
    ) -> httpcore.AsyncNetworkStream:
        return _TailStream(await self._inner.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._tail if info == _TAIL else self._inner.get_extra_info(info)


class _TailBackend(httpcore.AsyncNetworkBackend):
    def __init__(self, inner: httpcore.AsyncNetworkBackend) -> None:
        self._inner = inner

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        return _TailStream(await self._inner.connect_tcp(host, port, timeout, local_address, socket_options))

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        return _TailStream(await self._inner.connect_unix_socket(path, timeout, socket_options))

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)
