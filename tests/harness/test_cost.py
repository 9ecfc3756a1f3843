"""What a replayed call costs, in counts that noise cannot move: a budget that fails when somebody adds work to it.

Replay has to be faster than any provider, so that a load test of a client measures the client. The budgets stand a
quarter above what was counted on Python 3.11. Raise one only with the reason in the commit.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from antiphon.harness import CassetteTransport, RecordingCall, SseEvent, authored_json, authored_sse, write_cassette
from antiphon.harness.faults import Faults
from tests.counting import calls_of, garbage_of

URL = httpx.URL("https://api.example.test/v1/chat/completions")
CHUNKS = 100
UNARY_CALLS = 195
STREAM_CALLS = 320
DIRECT_UNARY_CALLS = 80
DIRECT_STREAM_CALLS = 330
ASKED = {"model": "m", "messages": [{"role": "user", "content": f"word {n}"} for n in range(10)]}


def transport_of(folder: Path, *, others: int = 0) -> CassetteTransport:
    """As the adapter has it, faults before and behind, but without pace; over so many other recordings beside ours."""
    events = [SseEvent(data={"n": n}) for n in range(CHUNKS)]
    recordings = [
        authored_json(url=str(URL), request={**ASKED, "n": 1}, response={"text": "hello"}),
        authored_sse(url=str(URL), request={**ASKED, "stream": True}, events=events),
    ]
    write_cassette(folder, "example/chat", recordings)
    if others:
        more = [authored_json(url=str(URL), request={"q": n}, response={"n": n}) for n in range(others)]
        write_cassette(folder, "example/more", more)
    faults = Faults()
    transport = CassetteTransport(folder, default=RecordingCall(pace=0.0), sources=[faults], shapers=[faults])
    transport.store.load()
    return transport


def request_of(body: dict[str, Any]) -> httpx.Request:
    headers = [(b"host", URL.netloc), (b"content-type", b"application/json"), (b"authorization", b"Bearer sk-test")]
    return httpx.Request(
        "POST",
        URL,
        headers=headers,
        stream=httpx.ByteStream(json.dumps(body).encode()),
        extensions={"antiphon": {"mode": "replay", "provider": "example"}},
    )


async def chunks_of(transport: CassetteTransport, request: httpx.Request) -> list[bytes]:
    response = await transport.handle_async_request(request)
    assert isinstance(response.stream, httpx.AsyncByteStream)
    return [chunk async for chunk in response.stream]


async def direct_chunks_of(transport: CassetteTransport, body: bytes, headers: dict[str, str]) -> list[bytes]:
    reply = transport.replayed("POST", str(URL), headers, body, {"mode": "replay", "provider": "example"})
    assert reply is not None
    chunks = []
    while not reply.ended:
        chunks.append(reply.ready())
    reply.close()
    return chunks[:-1]


@pytest.mark.parametrize(
    ("body", "chunks", "budget"),
    [({**ASKED, "n": 1}, 1, UNARY_CALLS), ({**ASKED, "stream": True}, CHUNKS, STREAM_CALLS)],
    ids=["unary", "a hundred chunks"],
)
async def test_a_replayed_call_stays_within_its_budget(
    tmp_path: Path, body: dict[str, Any], chunks: int, budget: int
) -> None:
    transport = transport_of(tmp_path)
    assert len(await chunks_of(transport, request_of(body))) == chunks
    assert await calls_of(lambda: chunks_of(transport, request_of(body))) <= budget
    assert await garbage_of(lambda: chunks_of(transport, request_of(body))) < 1


@pytest.mark.parametrize(
    ("body", "chunks", "budget"),
    [({**ASKED, "n": 1}, 1, DIRECT_UNARY_CALLS), ({**ASKED, "stream": True}, CHUNKS, DIRECT_STREAM_CALLS)],
    ids=["unary", "a hundred chunks"],
)
async def test_a_call_that_is_answered_without_objects_stays_within_its_budget(
    tmp_path: Path, body: dict[str, Any], chunks: int, budget: int
) -> None:
    transport = transport_of(tmp_path)
    data, headers = json.dumps(body).encode(), {"content-type": "application/json"}
    assert len(await direct_chunks_of(transport, data, headers)) == chunks
    assert await calls_of(lambda: direct_chunks_of(transport, data, headers)) <= budget
    assert await garbage_of(lambda: direct_chunks_of(transport, data, headers)) < 1


async def test_a_larger_folder_does_not_make_a_replayed_call_dearer(tmp_path: Path) -> None:
    small, large = transport_of(tmp_path / "small"), transport_of(tmp_path / "large", others=300)
    body = {**ASKED, "n": 1}
    alone = await calls_of(lambda: chunks_of(small, request_of(body)))
    among = await calls_of(lambda: chunks_of(large, request_of(body)))
    assert among <= alone
