"""Every exchange of the public recordings passes, is recorded and replays through the server byte for byte."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from antiphon.harness import CassetteTransport, Mode, RecordingCall
from antiphon.harness.server import ReplayApp, ReplayListener, Upstream, upstreams
from tests.laws.recordings import Folder, Recorded
from tests.replay.corpus import NUMBER, Corpus

AT_ONCE = 8
NEVER_WRITTEN = "/realtime/calls"
"""Answers with a session description, whose passwords the recorder rightly refuses to write. No wire has them."""

WAYS = (
    (Mode.LIVE, "recorded"),
    (Mode.RECORD, "recorded"),
    (Mode.REPLAY, "recorded"),
    (Mode.REPLAY, "random;seed=7;most=4096"),
)
"""A server that passes on, one that records, and one that replays, cut as the provider did and at random."""


@pytest.fixture(scope="module")
def exchanges(recordings: Path) -> list[Recorded]:
    folder = Folder(recordings)
    found = [exchange for file in folder.files for exchange in folder.exchanges(file)]
    return [exchange for exchange in found if not exchange.path.endswith(NEVER_WRITTEN)]


@pytest.mark.timeout(300)
async def test_proxied_recorded_and_replayed_bodies_are_those_of_the_provider(
    exchanges: list[Recorded], tmp_path: Path
) -> None:
    assert len(exchanges) > 500
    async with Corpus(exchanges) as provider:
        for mode, chunking in WAYS:
            answers = await _all(exchanges, provider.url, tmp_path, mode, chunking)
            wrong = [
                f"{mode} {chunking}: {asked.file} #{asked.number}: {status} {reason}, {len(body)} bytes"
                for asked, (status, reason, body) in zip(exchanges, answers, strict=True)
                if (status, body) != (asked.status, asked.body)
            ]
            assert not wrong, "\n".join(wrong)
        assert len(provider.asked) == 2 * len(exchanges)
    for number, path, body in provider.asked:
        assert body == exchanges[number].request_body
        assert path == _target(exchanges[number])


async def _all(
    exchanges: list[Recorded], url: str, folder: Path, mode: Mode, chunking: str
) -> list[tuple[int, str, bytes]]:
    transport = CassetteTransport(folder, default=RecordingCall(mode=mode, pace=0.0, chunking=chunking))
    app = ReplayApp(transport, upstreams([Upstream(name="local", origin=url)]))
    gate = asyncio.Semaphore(AT_ONCE)
    async with ReplayListener(app) as server, httpx.AsyncClient(timeout=60) as http:

        async def ask(number: int, exchange: Recorded) -> tuple[int, str, bytes]:
            headers = {
                NUMBER: str(number),
                "x-antiphon-session": str(number),
                "x-antiphon-cassette": f"local/{number:03}",
            }
            async with gate:
                try:
                    answer = await http.request(
                        exchange.method,
                        f"{server.url}/local{_target(exchange)}",
                        headers=headers,
                        content=exchange.request_body,
                    )
                except httpx.TransportError as error:
                    return 0, repr(error), b""
            return answer.status_code, answer.headers.get("x-antiphon-error", ""), answer.content

        answers = await asyncio.gather(*(ask(number, exchange) for number, exchange in enumerate(exchanges)))
    await transport.aclose()
    return answers


def _target(exchange: Recorded) -> str:
    parts = urlsplit(exchange.url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
