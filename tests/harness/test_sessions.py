"""Sessions: what each has heard, left over and missed; apart from each other, between threads too."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from antiphon.harness import (
    CassetteStore,
    CassetteTransport,
    HarnessError,
    Interaction,
    RecordedRequest,
    RecordingMissing,
    RecordingUsedUp,
    SessionIncomplete,
    authored_json,
    write_cassette,
)
from antiphon.harness.interaction import Answer
from antiphon.harness.modes import RecordingCall
from antiphon.harness.playback import Playback
from antiphon.harness.sessions import Missed, Sessions

URL = "https://h.test/v1/chat"


def answer(n: int, **request: Any) -> Interaction:
    return authored_json(url=URL, request=request or {"q": 1}, response={"n": n})


async def ask(http: httpx.AsyncClient, body: Any = None, **settings: Any) -> int:
    reply = await http.post(URL, json=body or {"q": 1}, extensions={"antiphon": settings})
    return int(reply.json()["n"])


def client(store: CassetteStore | Path, **settings: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=CassetteTransport(store, **settings))


async def test_a_named_session_hears_each_recording_once_unless_it_asks_for_repeats(tmp_path: Path) -> None:
    write_cassette(tmp_path, "a/one", [answer(1), answer(2)])
    async with client(tmp_path) as http:
        assert [await ask(http, session="s") for _ in range(2)] == [1, 2]
        with pytest.raises(RecordingUsedUp) as caught:
            await ask(http, session="s")
        assert [await ask(http, session="s", repeat=word) for word in (True, "true", "TRUE")] == [2, 2, 2]
        assert [await ask(http) for _ in range(4)] == [1, 2, 2, 2]
        with pytest.raises(RecordingUsedUp):
            await ask(http, repeat="false")
    assert isinstance(caught.value, RecordingMissing)
    assert caught.value.reason == "RECORDING_USED_UP"
    assert caught.value.nearest == "a/one.yaml #1"
    assert caught.value.details == {"asked": f"POST {URL[8:]}", "nearest": "a/one.yaml #1", "used_up": "true"}
    assert "x-antiphon-repeat: true" in str(caught.value)


async def test_the_operator_can_decide_on_repeats_for_all(tmp_path: Path) -> None:
    write_cassette(tmp_path, "a/one", [answer(1)])
    async with client(tmp_path, repeat=True) as http:
        assert [await ask(http, session="s") for _ in range(2)] == [1, 1]


async def test_record_on_miss_pays_for_no_request_that_has_a_recording(tmp_path: Path) -> None:
    write_cassette(tmp_path, "a/one", [answer(1)])
    call: dict[str, Any] = {"session": "s", "mode": "record-on-miss"}

    def live(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("asked live", request=request)

    async with client(tmp_path, inner=httpx.MockTransport(live)) as http:
        assert [await ask(http, **call) for _ in range(3)] == [1, 1, 1]
        with pytest.raises(httpx.ConnectError, match="asked live"):  # asked for each in its order, the next one is live
            await ask(http, **call, repeat=False)


async def test_a_report_names_what_was_used_left_over_and_missing(tmp_path: Path) -> None:
    write_cassette(tmp_path, "a/one", [answer(1), answer(2), answer(3, q=3)])
    write_cassette(tmp_path, "b/other", [answer(4, q=4)])
    store = CassetteStore(tmp_path)
    async with client(store) as http:
        await ask(http, session="s")
        with pytest.raises(RecordingMissing):
            await ask(http, {"q": 33}, session="s")
        await ask(http, session="quiet")
    report = store.report("s")
    assert report.used == {"a/one.yaml #0": 1}
    assert report.unused == ("a/one.yaml #1", "a/one.yaml #2")
    nearest = report.missing[0]
    assert nearest == Missed(asked=f"POST {URL[8:]}", nearest="a/one.yaml #0", differences=("q: 33 != 1",))
    with pytest.raises(SessionIncomplete) as caught:
        report.check()
    assert caught.value.complaints == [
        f"1 requests had no recording: POST {URL[8:]} (nearest: a/one.yaml #0: q: 33 != 1)",
        "2 recordings were not used: a/one.yaml #1, a/one.yaml #2",
    ]
    assert isinstance(caught.value, HarnessError)
    with pytest.raises(SessionIncomplete, match="not used"):
        report.check(missing=False)
    report.check(missing=False, unused=False)
    assert store.sessions() == ["s", "quiet"]
    assert store.report("unknown").used == {}
    assert store.sessions() == ["s", "quiet"]


async def test_what_is_left_over_is_told_of_the_cassettes_that_the_session_named(tmp_path: Path) -> None:
    write_cassette(tmp_path, "a/one", [answer(1)])
    write_cassette(tmp_path, "a/two", [answer(2), answer(3)])
    store = CassetteStore(tmp_path)
    async with client(store) as http:
        await ask(http, session="s", cassette="two")
    assert store.report("s").unused == ("a/two.yaml #1",)
    assert store.report("s", cassettes=["a/one.yaml"]).unused == ("a/one.yaml #0",)
    assert store.report("s", cassettes=["one", "two"]).unused == ("a/one.yaml #0", "a/two.yaml #1")


async def test_a_session_that_used_all_passes(tmp_path: Path) -> None:
    write_cassette(tmp_path, "a/one", [answer(1), answer(2)])
    store = CassetteStore(tmp_path)
    async with client(store) as http:
        await ask(http, session="s")
        await ask(http, session="s")
    store.report("s").check()


async def test_a_fault_in_place_of_a_recording_leaves_it_for_the_retry(tmp_path: Path) -> None:
    class Busy:
        def shape(self, playback: Playback, asked: RecordedRequest, call: RecordingCall, /) -> Playback:
            if call.fault is None:
                return playback
            said = {**playback.said, "synthetic": call.fault}
            return Playback(answer=Answer(status=429), place=playback.place, said=said)

    class Broken:
        def shape(self, playback: Playback, asked: RecordedRequest, call: RecordingCall, /) -> Playback:
            if call.scenario == "broken":
                raise ValueError("a shaper failed")
            return playback

    write_cassette(tmp_path, "a/one", [answer(1), answer(2)])
    store = CassetteStore(tmp_path)
    async with client(store, shapers=[Busy(), Broken()]) as http:
        for _ in range(2):
            reply = await http.post(URL, json={"q": 1}, extensions={"antiphon": {"session": "s", "fault": "429"}})
            assert reply.status_code == 429
        with pytest.raises(ValueError, match="a shaper failed"):
            await ask(http, session="s", scenario="broken")
        assert store.report("s").used == {}
        assert [await ask(http, session="s") for _ in range(2)] == [1, 2]
    assert store.report("s").used == {"a/one.yaml #0": 1, "a/one.yaml #1": 1}


async def test_a_thousand_sessions_at_once_each_hear_their_own_order(tmp_path: Path) -> None:
    write_cassette(tmp_path, "a/one", [answer(n) for n in range(3)])
    transport = CassetteTransport(tmp_path)

    async def walk(session: str) -> list[bytes]:
        heard = []
        for _ in range(3):
            extensions = {"antiphon": {"session": session}}
            request = httpx.Request("POST", URL, json={"q": 1}, extensions=extensions)
            heard.append(await (await transport.handle_async_request(request)).aread())
            await asyncio.sleep(0)
        return heard

    walks = await asyncio.gather(*(walk(f"s{n}") for n in range(1000)))
    assert walks == [[b'{"n":0}', b'{"n":1}', b'{"n":2}']] * 1000


@pytest.mark.parametrize("shared", [True, False])
def test_transports_in_several_threads_and_loops_answer_rightly(tmp_path: Path, shared: bool) -> None:
    write_cassette(tmp_path, "a/one", [answer(n) for n in range(20)])
    write_cassette(tmp_path, "a/two", [answer(n, q=n) for n in range(100, 120)])
    store = CassetteStore(tmp_path, cache_bytes=0)
    heard: dict[str, list[int]] = {}
    barrier = threading.Barrier(4)

    async def walk(name: str) -> list[int]:
        async with client(store if shared else tmp_path) as http:
            return [await ask(http, body, session=name) for n in range(20) for body in ({"q": 1}, {"q": 100 + n})]

    def run(name: str) -> None:
        barrier.wait()
        heard[name] = asyncio.run(walk(name))

    threads = [threading.Thread(target=run, args=(f"t{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wanted = [value for n in range(20) for value in (n, 100 + n)]
    assert heard == {f"t{n}": wanted for n in range(4)}


def test_sessions_and_cursors_are_bounded_and_the_longest_unused_go_first() -> None:
    sessions = Sessions(max_sessions=3, max_cursors=5)
    for name in ("a", "b", "c"):
        sessions.of(name)
    sessions.of("a")
    sessions.of("d")
    assert list(sessions) == ["c", "a", "d"]
    for n in range(4):
        sessions.moved("a", ("", str(n), False), by=1)
    sessions.moved("d", ("", "x", False), by=1)
    assert list(sessions) == ["c", "a", "d"]
    sessions.moved("d", ("", "y", False), by=1)
    assert list(sessions) == ["d"]
    assert sessions.find("d").cursors == {("", "x", False): 1, ("", "y", False): 1}
    for n in range(9):
        sessions.moved("d", ("", str(n), False), by=1)
    assert len(sessions.find("d").cursors) == 11  # one session may hold as many as the folder has requests


async def test_misses_kept_of_a_session_are_bounded(tmp_path: Path) -> None:
    write_cassette(tmp_path, "a/one", [answer(1)])
    store = CassetteStore(tmp_path)
    store.load()
    for n in range(300):
        store.missed("s", Missed(asked=str(n)))
    assert len(store.report("s").missing) == 100


async def test_a_recording_written_by_others_is_found_without_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from antiphon.harness import store as store_module

    monkeypatch.setattr(store_module, "REFRESH_SECONDS", 0.0)
    write_cassette(tmp_path, "a/one", [answer(1)])
    async with client(tmp_path) as http:
        assert await ask(http) == 1
        with pytest.raises(RecordingMissing):
            await ask(http, {"q": 2})
        write_cassette(tmp_path, "a/new", [answer(2, q=2)])
        assert await ask(http, {"q": 2}) == 2
