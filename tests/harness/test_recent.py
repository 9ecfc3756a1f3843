"""What replay remembers between calls changes none of its answers."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from antiphon.harness import (
    BadRecordingCall,
    CassetteStore,
    CassetteTransport,
    Interaction,
    RecordedRequest,
    RecordingMissing,
    SseEvent,
    authored_json,
    authored_sse,
    write_cassette,
)
from antiphon.harness.interaction import Answer, grouped
from antiphon.harness.recent import RecentRequests

URL = "https://api.example.test/v1/chat"


def answer(n: int, **request: Any) -> Interaction:
    return authored_json(url=URL, request=request or {"q": 1}, response={"n": n})


def client(store: CassetteStore | Path) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=CassetteTransport(store))


async def ask(http: httpx.AsyncClient, **settings: Any) -> Any:
    return (await http.post(URL, json={"q": 1}, extensions={"antiphon": settings})).json()["n"]


async def test_a_file_that_changed_answers_anew_to_a_request_that_was_asked_before(tmp_path: Path) -> None:
    write_cassette(tmp_path, "a/one", [answer(1)])
    store = CassetteStore(tmp_path)
    async with client(store) as http:
        assert [await ask(http) for _ in range(3)] == [1, 1, 1]
        write_cassette(tmp_path, "a/one", [answer(2), answer(3)])
        assert store.reread("a/one")
        assert [await ask(http, session="s") for _ in range(2)] == [2, 3]


async def test_a_recording_that_was_missed_is_found_once_it_is_there(tmp_path: Path) -> None:
    write_cassette(tmp_path, "a/one", [answer(1, q=2)])
    store = CassetteStore(tmp_path)
    async with client(store) as http:
        with pytest.raises(RecordingMissing):
            await ask(http)
        write_cassette(tmp_path, "a/two", [answer(2)])
        assert store.reread("a/two")
        assert await ask(http) == 2


async def test_each_session_goes_through_equal_requests_in_its_own_order(tmp_path: Path) -> None:
    write_cassette(tmp_path, "a/one", [answer(n) for n in range(3)])
    async with client(tmp_path) as http:
        heard = [[await ask(http, session=f"s{n}") for _ in range(3)] for n in range(3)]
        assert heard == [[0, 1, 2]] * 3
        with pytest.raises(RecordingMissing):
            await ask(http, session="s0")


async def test_the_same_bytes_mean_something_else_under_another_content_type(tmp_path: Path) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    recorded = Interaction(
        request=RecordedRequest(method="POST", url=URL, headers=tuple(form.items()), body=b"a=1&b=2"),
        answer=Answer(status=200, body=b"form"),
    )
    write_cassette(tmp_path, "a/one", [recorded])
    async with client(tmp_path) as http:
        for _ in range(2):
            assert (await http.post(URL, content=b"b=2&a=1", headers=form)).text == "form"
            with pytest.raises(RecordingMissing):
                await http.post(URL, content=b"b=2&a=1", headers={"content-type": "text/plain"})


@pytest.mark.parametrize(("good", "bad"), [({"pace": 1}, {"pace": True}), ({"repeat": True}, {"repeat": 1})])
async def test_settings_that_are_equal_but_of_another_kind_are_refused_every_time(
    tmp_path: Path, good: dict[str, Any], bad: dict[str, Any]
) -> None:
    write_cassette(tmp_path, "a/one", [answer(1)])
    async with client(tmp_path) as http:
        for _ in range(2):
            assert await ask(http, **good) == 1
            with pytest.raises(BadRecordingCall):
                await ask(http, **bad)


async def test_settings_without_a_hash_are_refused(tmp_path: Path) -> None:
    write_cassette(tmp_path, "a/one", [answer(1)])
    async with client(tmp_path) as http:
        with pytest.raises(BadRecordingCall, match="must be text"):
            await ask(http, session=["s"])


async def test_many_settings_each_have_their_own_effect(tmp_path: Path) -> None:
    write_cassette(tmp_path, "a/one", [answer(1), answer(2)])
    async with client(tmp_path) as http:
        assert [await ask(http, session=f"s{n}") for n in range(600)] == [1] * 600
        assert [await ask(http, session=f"s{n}") for n in range(600)] == [2] * 600


async def test_a_caller_that_changes_the_headers_of_its_answer_changes_nobody_elses(tmp_path: Path) -> None:
    write_cassette(tmp_path, "a/one", [answer(1)])
    async with client(tmp_path) as http:
        first = await http.post(URL, json={"q": 1})
        first.headers["content-type"] = "text/plain"
        first.extensions["antiphon"]["cassette"] = "mine"
        second = await http.post(URL, json={"q": 1})
    assert second.headers["content-type"] == "application/json"
    assert second.extensions["antiphon"]["cassette"] == "a/one"


def test_a_request_that_arrived_is_the_record_of_it_whatever_becomes_of_it_later() -> None:
    headers = [("Accept", "a"), ("X-Ünïque", "é"), ("accept", "b"), ("Authorization", "Bearer 1")]
    request = httpx.Request("POST", URL, headers=httpx.Headers(headers, encoding="utf-8"), content=b"{}")
    plain = RecordedRequest(method="POST", url=URL, headers=grouped(request.headers.multi_items()), body=b"{}")
    arrived = RecordedRequest.arrived(request, b"{}")
    request.headers["authorization"] = "Bearer 2"
    assert arrived == plain
    assert hash(arrived) == hash(plain)
    assert repr(arrived) == repr(plain)
    assert dict(arrived.headers)["accept"] == "a, b"
    with pytest.raises(AttributeError, match="colour"):
        getattr(arrived, "colour")  # noqa: B009 - a type checker would refuse the plain form


async def test_without_pace_each_chunk_comes_alone_and_other_tasks_have_their_turn(tmp_path: Path) -> None:
    events = [SseEvent(data={"n": n}, delay_ms=50.0) for n in range(1000)]
    write_cassette(tmp_path, "a/one", [authored_sse(url=URL, request={"q": 1}, events=events)])
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with client(tmp_path) as http:
        neighbour = asyncio.create_task(other())
        settings = {"antiphon": {"pace": "none"}}
        async with http.stream("POST", URL, json={"q": 1}, extensions=settings) as response:
            before = turns
            chunks = [chunk async for chunk in response.aiter_raw()]
        neighbour.cancel()
    assert chunks == [event.encoded() for event in events]
    assert turns - before >= 5


def test_what_is_remembered_of_requests_is_bounded_by_their_bytes() -> None:
    recent = RecentRequests(64 * 1024)

    def asked(n: int, size: int = 1024) -> RecordedRequest:
        return RecordedRequest(method="POST", url=URL, body=b"%d" % n + b"x" * size)

    for n in range(100):
        recent.put(asked(n), ())
    assert recent.get(asked(0)) is None
    assert recent.get(asked(99)) == ()
    held = sum(recent.get(asked(n)) is not None for n in range(100))
    assert 20 < held < 64
    recent.put(asked(100, 32 * 1024), ())  # too large: it would push out many
    assert recent.get(asked(100, 32 * 1024)) is None
    assert recent.get(asked(99)) == ()
    recent.clear()
    assert recent.get(asked(99)) is None
