"""Real traffic of every provider: recorded from a server and replayed at every chunking, byte for byte."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from antiphon.harness import (
    CHUNKINGS,
    Answer,
    CassetteStore,
    CassetteTransport,
    Interaction,
    Mode,
    RecordedRequest,
    RecordingCall,
    SecretFound,
    cassette,
)
from tests.harness.streaming_server import Reply, StreamingServer
from tests.laws.recordings import Folder, Recorded, default_folder

FOLDER = default_folder()
AT_ONCE = 20
MOST_REFUSED = 0.2

pytestmark = pytest.mark.skipif(
    FOLDER is None, reason="no folder of recordings: set ANTIPHON_RECORDINGS, or put one beside the repository"
)


@pytest.fixture(scope="module")
def corpus() -> list[Recorded]:
    assert FOLDER is not None
    folder = Folder(FOLDER)
    return [exchange for file in folder.files for exchange in folder.exchanges(file)]


def headers_of(exchange: Recorded) -> dict[str, str]:
    """The headers that matter here. A body that its recorder left packed is served as the bytes that it is."""
    return {name: value for name, value in exchange.headers.items() if name == "content-type"}


def steps(body: bytes, number: int) -> list[bytes]:
    """The body as a network might cut it, the same every time."""
    chance = random.Random(number)
    return list(_cut(body, chance))


def _cut(body: bytes, chance: random.Random) -> Iterator[bytes]:
    at = 0
    while at < len(body):
        size = chance.randint(1, max(1, len(body) // 3))
        yield body[at : at + size]
        at += size


async def send(
    transport: CassetteTransport, url: str, exchange: Recorded, call: RecordingCall
) -> tuple[int, bytes, int]:
    """Send the exchange's request; return the status, the body, and in how many pieces it came."""
    request = httpx.Request(
        exchange.method,
        url,
        content=exchange.request_body,
        headers={"content-type": "application/json"},
        extensions={"antiphon": call},
    )
    response = await transport.handle_async_request(request)
    try:
        pieces = [chunk async for chunk in response.aiter_raw()]
    finally:
        await response.aclose()
    return response.status_code, b"".join(pieces), len(pieces)


async def test_what_is_recorded_is_what_the_server_sent_and_what_is_replayed_at_every_chunking(
    corpus: list[Recorded], server: StreamingServer, tmp_path: Path
) -> None:
    store = CassetteStore(tmp_path, index_in=None)
    transport = CassetteTransport(store, default=RecordingCall(pace=0.0))
    limit = asyncio.Semaphore(AT_ONCE)
    refused: list[str] = []

    async def one(number: int, exchange: Recorded) -> None:
        wanted = (exchange.status, exchange.body)
        name = f"corpus/n{number}"
        reply = Reply(steps=steps(exchange.body, number), status=f"{exchange.status} X", headers=headers_of(exchange))
        url = server.serve(f"/{number}", reply)
        async with limit:
            try:
                got = await send(transport, url, exchange, RecordingCall(mode=Mode.RECORD, cassette=name))
                assert got[:2] == wanted, exchange.file
            except SecretFound as error:  # nothing was written, as it should be; the replay is tested all the same
                refused.append(f"{exchange.file}: {error.places}")
                put(tmp_path / f"{name}.yaml", url, exchange)
            for chunking in CHUNKINGS:
                call = RecordingCall(cassette=name, chunking=chunking, session=chunking)
                played = await send(transport, url, exchange, call)
                assert played[:2] == wanted, (exchange.file, chunking)
                if chunking == "byte":
                    assert played[2] == len(exchange.body)

    store.load()
    async with transport:
        await asyncio.gather(*(one(number, exchange) for number, exchange in enumerate(corpus)))
    assert len(corpus) > 500
    assert len(refused) < MOST_REFUSED * len(corpus), refused


def put(path: Path, url: str, exchange: Recorded) -> None:
    """Write a cassette past the secret scan."""
    asked = RecordedRequest(method=exchange.method, url=url, body=exchange.request_body)
    answer = Answer(status=exchange.status, headers=tuple(headers_of(exchange).items()), body=exchange.body)
    cassette.save(path, cassette.document_of([Interaction(request=asked, answer=answer)]))
