"""Cassettes written by hand: labelled as such, the same bytes every time, replayed like recorded ones."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from antiphon.harness import CassetteTransport, SseEvent, authored_json, authored_sse, write_cassette

URL = "https://h.test/v1/chat"


async def test_an_authored_stream_replays_event_for_event(tmp_path: Path) -> None:
    events = [
        SseEvent(event="start", data={"type": "start"}, delay_ms=5),
        SseEvent(data="two\nlines"),
        SseEvent(data="[DONE]"),
    ]
    write_cassette(tmp_path, "p/s", [authored_sse(url=URL, request={"q": 1}, events=events)])
    async with (
        httpx.AsyncClient(transport=CassetteTransport(tmp_path)) as http,
        http.stream("POST", URL, json={"q": 1}) as response,
    ):
        chunks = [chunk async for chunk in response.aiter_raw()]
    assert chunks == [
        b'event: start\ndata: {"type":"start"}\n\n',
        b"data: two\ndata: lines\n\n",
        b"data: [DONE]\n\n",
    ]
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"


async def test_an_authored_cut_breaks_after_its_last_event(tmp_path: Path) -> None:
    exchange = authored_sse(url=URL, request={}, events=[SseEvent(data={"n": 1})], cut=True)
    write_cassette(tmp_path, "p/s", [exchange])
    async with (
        httpx.AsyncClient(transport=CassetteTransport(tmp_path)) as http,
        http.stream("POST", URL, json={}) as response,
    ):
        chunks = response.aiter_raw()
        got = await anext(chunks)
        with pytest.raises(httpx.RemoteProtocolError):
            await anext(chunks)
    assert got == b'data: {"n":1}\n\n'


async def test_an_authored_error_keeps_status_and_headers(tmp_path: Path) -> None:
    exchange = authored_json(
        url=URL, request={}, response={"error": "slow down"}, status=529, headers={"Retry-After": "7"}
    )
    write_cassette(tmp_path, "p/e", [exchange])
    async with httpx.AsyncClient(transport=CassetteTransport(tmp_path)) as http:
        response = await http.post(URL, json={})
    assert (response.status_code, response.headers["retry-after"]) == (529, "7")


async def test_a_request_without_a_body_matches(tmp_path: Path) -> None:
    exchange = authored_json(url="https://h.test/v1/models", method="GET", response={"data": []})
    write_cassette(tmp_path, "p/models", [exchange])
    async with httpx.AsyncClient(transport=CassetteTransport(tmp_path)) as http:
        assert (await http.get("https://h.test/v1/models")).json() == {"data": []}


def test_writing_twice_gives_the_same_bytes_and_says_authored(tmp_path: Path) -> None:
    exchange = authored_json(
        url=URL, request={"model": "m"}, response={"model": "m-1"}, scenario="chat", date="2025-01-01"
    )
    file = write_cassette(tmp_path, "p/c", [exchange])
    first = file.read_bytes()
    write_cassette(tmp_path, "p/c", [exchange])
    assert file.read_bytes() == first
    assert b"origin: authored" in first
    assert b"model_answered: m-1" in first
