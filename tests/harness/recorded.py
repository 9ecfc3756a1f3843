"""What the recording tests share: a client in one mode, and streams to read with it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from antiphon.harness import (
    CassetteStore,
    CassetteTransport,
    Mode,
    RecordingCall,
)
from tests.harness.streaming_server import Reply

EVENTS = [f'data: {{"model":"tiny-1","n":{n},"text":"été 😀"}}\n\n'.encode() for n in range(5)]
SSE = {"content-type": "text/event-stream"}


def client(folder: Path, mode: Mode, **settings: Any) -> httpx.AsyncClient:
    default = RecordingCall(mode=mode, cassette=settings.pop("cassette", "local/case"), pace=settings.pop("pace", None))
    return httpx.AsyncClient(transport=CassetteTransport(folder, default=default, **settings))


async def read(http: httpx.AsyncClient, url: str, **body: Any) -> tuple[httpx.Response, list[tuple[float, bytes]]]:
    """Return the response and its raw chunks with their time since the headers, in ms."""
    chunks = []
    async with http.stream("POST", url, json=body) as response:
        began = time.perf_counter()
        async for chunk in response.aiter_raw():
            chunks.append(((time.perf_counter() - began) * 1000, chunk))
    return response, chunks


async def collect(
    http: httpx.AsyncClient,
    url: str,
    got: list[bytes],
    seen: Callable[[], None] = lambda: None,
    *,
    read_timeout: float = 5.0,
) -> None:
    """Read a stream to its end, leaving the chunks in `got` whatever that end is."""
    async with http.stream("POST", url, json={}, timeout=read_timeout) as response:
        async for chunk in response.aiter_raw():
            got.append(chunk)
            seen()


def paced(*, pause: float, end: str = "whole") -> Reply:
    steps: list[bytes | float] = []
    for event in EVENTS:
        steps += [event, pause]
    return Reply(steps=steps[:-1], headers=SSE, end=end)


def written(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.yaml"))


def loaded(folder: Path) -> list[Any]:
    store = CassetteStore(folder)
    store.load()
    return list(store)
