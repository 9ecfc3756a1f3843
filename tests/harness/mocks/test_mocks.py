"""Mocks and the log of requests under a client."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from antiphon.harness import Answer, RecordedRequest, RecordingCall, RecordingMissing, SseEvent
from antiphon.harness.controls import Controls
from antiphon.harness.mocks import Failing, MockFailed, chunked, events, fixed
from antiphon.harness.requestfilter import RequestFilter
from antiphon.harness.requestlog import End, RequestLog

OPENAI = "https://api.openai.com/v1/chat/completions"
ANTHROPIC = "https://api.anthropic.com/v1/messages"


def client(folder: Path, controls: Controls) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=controls.transport(folder))


async def test_the_first_mock_that_fits_answers_and_a_used_up_one_is_passed_over(tmp_path: Path) -> None:
    controls = Controls()
    once = controls.mocks.add(fixed({"n": 1}), RequestFilter(model="gpt-*"), times=1)
    controls.mocks.add(fixed({"n": 2}), RequestFilter(model="gpt-*"))
    async with client(tmp_path, controls) as http:
        asks = [await http.post(OPENAI, json={"model": "gpt-4o"}) for _ in range(3)]
        assert [each.json()["n"] for each in asks] == [1, 2, 2]
        assert controls.mocks.used(once) == 1
        with pytest.raises(RecordingMissing):
            await http.post(OPENAI, json={"model": "claude"})
        assert asks[0].extensions["antiphon"]["synthetic"] == f"mock {once.id}"


async def test_mocks_of_a_session_are_for_it_alone_and_go_with_it(tmp_path: Path) -> None:
    controls = Controls()
    controls.mocks.add(fixed("mine"), session="s", name="own")
    async with client(tmp_path, controls) as http:
        answer = await http.get(OPENAI, extensions={"antiphon": {"session": "s"}})
        assert (answer.text, answer.headers["content-type"]) == ("mine", "text/plain; charset=utf-8")
        with pytest.raises(RecordingMissing):
            await http.get(OPENAI)
        controls.forget("s")
        assert len(controls.mocks) == 0


async def test_chunks_come_as_they_are_listed(tmp_path: Path) -> None:
    controls = Controls()
    controls.mocks.add(chunked([(0, "a"), (1, b"b"), (1, "ç")], content_type="text/plain"), RequestFilter(method="GET"))
    controls.mocks.add(events([SseEvent(data={"n": 1}), SseEvent(data="[DONE]")]))
    async with client(tmp_path, controls) as http:
        async with http.stream("GET", OPENAI) as response:
            assert [chunk async for chunk in response.aiter_raw()] == [b"a", b"b", "ç".encode()]
        assert (await http.post(OPENAI)).content == b'data: {"n":1}\n\ndata: [DONE]\n\n'


async def test_an_error_is_in_the_words_of_the_provider_that_was_asked(tmp_path: Path) -> None:
    controls = Controls()
    controls.mocks.add(Failing(529, retry_after=1.5, message="Come; back+later"))
    async with client(tmp_path, controls) as http:
        openai, anthropic = [await http.post(url, json={}) for url in (OPENAI, ANTHROPIC)]
    assert openai.status_code == anthropic.status_code == 529
    assert anthropic.headers["retry-after"] == "1.5"
    assert anthropic.json()["error"] == {"type": "overloaded_error", "message": "Come; back+later"}
    assert openai.json()["error"]["message"] == "Come; back+later"


async def test_a_handler_answers_at_once_or_later_or_leaves_it_to_the_next(tmp_path: Path) -> None:
    async def later(asked: RecordedRequest, call: RecordingCall) -> Answer | None:
        await asyncio.sleep(0)
        return None if b"skip" in asked.body else fixed({"session": call.session})

    controls = Controls()
    handler = controls.mocks.add(later)
    controls.mocks.add(lambda asked, call: fixed({"body": asked.body.decode()}))
    async with client(tmp_path, controls) as http:
        assert (await http.post(OPENAI, content=b"x")).json() == {"session": ""}
        assert (await http.post(OPENAI, content=b"skip")).json() == {"body": "skip"}
    assert controls.mocks.used(handler) == 1


async def test_a_handler_that_fails_names_its_mock(tmp_path: Path) -> None:
    def broken(asked: RecordedRequest, call: RecordingCall) -> Answer:
        raise ValueError("no such thing")

    controls = Controls()
    controls.mocks.add(broken, name="weather")
    async with client(tmp_path, controls) as http:
        with pytest.raises(MockFailed, match="the mock weather failed: ValueError: no such thing"):
            await http.get(OPENAI)


async def test_a_fault_happens_to_a_mock_and_a_refused_call_leaves_it_unused(tmp_path: Path) -> None:
    controls = Controls()
    mock = controls.mocks.add(fixed({"n": 1}))
    async with client(tmp_path, controls) as http:
        refused = await http.post(OPENAI, json={}, extensions={"antiphon": {"fault": "429"}})
        assert (refused.status_code, controls.mocks.used(mock)) == (429, 0)
        odd = await http.post(OPENAI, json={}, extensions={"antiphon": {"fault": "wrong-content-type"}})
        assert odd.extensions["antiphon"]["synthetic"] == f"mock {mock.id}+wrong-content-type"


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        (RequestFilter(), True),
        (RequestFilter(method="post"), True),
        (RequestFilter(method="GET"), False),
        (RequestFilter(url="api.openai.com/v1/*"), True),
        (RequestFilter(url="api.openai.com"), False),
        (RequestFilter(model="gpt-*", stream=True), True),
        (RequestFilter(stream=False), False),
        (RequestFilter(session="s"), True),
        (RequestFilter(session=""), False),
        (RequestFilter(headers={"X-Team": "blue*"}), True),
        (RequestFilter(headers={"x-team": "red"}), False),
        (RequestFilter(headers={"x-other": "*"}), True),
        (RequestFilter(text="how are"), True),
        (RequestFilter(body={"messages": [{"content": "how are you"}]}), True),
        (RequestFilter(body={"messages": []}), False),
        (RequestFilter(body={"stream": 1}), False),
        (RequestFilter(provider="openai"), True),
    ],
)
def test_a_filter_fits_where_all_that_it_says_does(wanted: RequestFilter, fits: bool) -> None:
    body = b'{"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"how are you"}]}'
    asked = RecordedRequest(method="POST", url=OPENAI + "?v=1", headers=(("x-team", "blues"),), body=body)
    assert wanted.fits(asked, session="s", provider="openai") is fits
    assert (not list(wanted.misfits(asked, session="s", provider="openai"))) is fits


@pytest.mark.parametrize(
    ("url", "model", "streams"),
    [
        ("https://x/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse", "gemini-2.5-pro", True),
        ("https://x/v1beta/models/gemini-2.5-pro:generateContent", "gemini-2.5-pro", False),
        ("https://x/model/us.anthropic.claude%3A0/converse-stream", "us.anthropic.claude:0", True),
        ("https://x/openai/deployments/mine/chat/completions", "mine", False),
        ("http://x/api/chat", "", True),
    ],
)
def test_a_model_and_the_wish_for_a_stream_are_found_in_paths_too(url: str, model: str, streams: bool) -> None:
    asked = RecordedRequest(method="POST", url=url, body=b"{}")
    assert RequestFilter(model=model or "*", stream=streams).fits(asked)


async def test_what_came_is_kept_with_what_became_of_it_and_without_credentials(tmp_path: Path) -> None:
    controls = Controls()
    controls.mocks.add(chunked([(0, "a"), (0, "b")]), RequestFilter(url="*/chat/*"), name="talk")
    key = "sk-canary-0123456789abcdef"
    async with client(tmp_path, controls) as http:
        http.headers["authorization"] = f"Bearer {key}"
        await http.post(OPENAI + f"?key={key}", content=f"my key is {key}".encode())
        async with http.stream("POST", OPENAI) as response:
            async for _ in response.aiter_raw():
                break
        with pytest.raises(RecordingMissing):
            await http.get("https://api.openai.com/v1/models")
        with pytest.raises(httpx.ConnectError):
            await http.get(OPENAI, extensions={"antiphon": {"fault": "refused", "session": "s"}})
    done, left, missed, refused = controls.requests
    assert (done.end, done.status, done.synthetic) == (End.COMPLETE, 200, "mock talk")
    assert (left.end, missed.end, missed.error) == (End.LEFT, End.FAILED, "RECORDING_MISSING")
    assert (refused.end, refused.error, refused.synthetic) == (End.FAILED, "ConnectError", "refused")
    assert "canary" not in repr(list(controls.requests))
    assert ("authorization", "[redacted]") in done.request.headers
    assert [each.number for each in controls.requests.find(RequestFilter(session="s"))] == [4]
    assert done.began <= (done.answered or 0) <= (done.ended or 0)


async def test_requests_are_asserted_on_and_a_complaint_says_how_near_they_came(tmp_path: Path) -> None:
    controls = Controls()
    controls.mocks.add(fixed({}))
    async with client(tmp_path, controls) as http:
        await http.post(OPENAI, json={"model": "gpt-4o", "n": 1})
    assert len(controls.requests.check(RequestFilter(body={"model": "gpt-4o"}), least=1, most=1)) == 1
    with pytest.raises(AssertionError, match=r"0 requests fit, and 2 should.*\n.*body.n is 1, not 2"):
        controls.requests.check(RequestFilter(body={"n": 2}), least=2, most=2)
    with pytest.raises(AssertionError, match="1 requests fit, and 0 should"):
        controls.requests.check(RequestFilter(), least=0, most=0)
    with pytest.raises(AssertionError, match="no request came at all"):
        RequestLog().check(RequestFilter())


def request(body: bytes) -> tuple[httpx.Request, bytes, RecordingCall]:
    return httpx.Request("POST", OPENAI, content=body), body, RecordingCall()


def test_the_log_is_bounded_by_number_and_by_bytes() -> None:
    log = RequestLog(max_requests=3, max_bytes=25)
    for n in range(5):
        log.add(*request(b"%d" % n))
    assert ([each.request.body for each in log], log.dropped) == ([b"2", b"3", b"4"], 2)
    log.add(*request(b"x" * 24))
    assert [each.number for each in log] == [5, 6]
    log.forget("")
    assert len(log) == 0


async def test_whoever_waits_hears_of_a_request() -> None:
    log = RequestLog()
    waiting: list[asyncio.Task[Any]] = [asyncio.create_task(log.wait()) for _ in range(2)]
    await asyncio.sleep(0)
    log.add(*request(b""))
    await asyncio.wait_for(asyncio.gather(*waiting), 5)
