"""Faults under a client: chosen by call, session or plan, the same in every run, labelled, and never using up what
they replace."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from antiphon.harness import BadRecordingCall, SseEvent, authored_json, authored_sse, write_cassette
from antiphon.harness.controls import Controls
from antiphon.harness.faults import FaultNotApplicable, FaultPlan, plan_of, read_plan

URL = "https://api.openai.com/v1/chat/completions"
EVENTS = [SseEvent(data={"n": n, "choices": []}) for n in range(4)] + [SseEvent(data="[DONE]")]


def cassettes(folder: Path) -> Path:
    write_cassette(folder, "a/one", [authored_json(url=URL, request={"q": 1}, response={"n": n}) for n in (1, 2)])
    write_cassette(folder, "a/stream", [authored_sse(url=URL, request={"s": 1}, events=EVENTS)])
    return folder


def client(folder: Path, controls: Controls) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=controls.transport(cassettes(folder), repeat=True))


async def ask(http: httpx.AsyncClient, session: str = "", fault: str | None = None, **body: Any) -> httpx.Response:
    said = {"session": session} | ({"fault": fault} if fault is not None else {})
    return await http.post(URL, json=body or {"q": 1}, extensions={"antiphon": said})


async def test_a_refused_call_uses_up_no_recording(tmp_path: Path) -> None:
    async with client(tmp_path, Controls()) as http:
        first = await ask(http, fault="429;retry-after=2")
        assert (first.status_code, first.headers["retry-after"]) == (429, "2")
        assert first.json()["error"]["code"] == "rate_limit_exceeded"
        assert [(await ask(http)).json()["n"] for _ in range(2)] == [1, 2]


async def test_every_faulty_answer_says_that_it_is_synthetic_and_no_other_does(tmp_path: Path) -> None:
    async with client(tmp_path, Controls()) as http:
        assert (await ask(http, fault="503")).extensions["antiphon"]["synthetic"] == "503"
        changed = (await ask(http, fault="wrong-content-type")).extensions["antiphon"]
        assert (changed["synthetic"], changed["cassette"], changed["replayed"]) == (
            "wrong-content-type",
            "a/one",
            True,
        )
        assert "synthetic" not in (await ask(http)).extensions["antiphon"]


async def test_a_failure_says_it_too(tmp_path: Path) -> None:
    async with client(tmp_path, Controls()) as http:
        with pytest.raises(httpx.ConnectError) as refused:
            await ask(http, fault="refused")
        assert refused.value.__dict__["antiphon"]["synthetic"] == "refused"
        with pytest.raises(httpx.RemoteProtocolError) as cut:
            await ask(http, fault="cut@event=2", s=1)
        assert cut.value.__dict__["antiphon"]["synthetic"] == "cut@event=2"
        with pytest.raises(httpx.ReadError):
            await ask(http, fault="reset")
        with pytest.raises(httpx.DecodingError):
            await ask(http, fault="bad-gzip")


async def test_a_fault_of_a_call_that_cannot_happen_is_an_error(tmp_path: Path) -> None:
    async with client(tmp_path, Controls()) as http:
        with pytest.raises(FaultNotApplicable, match="for streams"):
            await ask(http, fault="missing-done")
        with pytest.raises(BadRecordingCall, match="there is no fault"):
            await ask(http, fault="meteor")


async def test_a_fault_of_a_session_that_cannot_happen_is_left_out_and_told(tmp_path: Path) -> None:
    controls = Controls()
    async with client(tmp_path, controls) as http:
        controls.faults.set("s", "missing-done")
        assert (await ask(http, "s")).json() == {"n": 1}
        assert b"[DONE]" not in (await ask(http, "s", s=1)).content
        assert b"[DONE]" in (await ask(http, "other", s=1)).content
    told = controls.injected("s")
    assert [(each.call, each.applied, each.origin) for each in told] == [(1, False, "session"), (2, True, "session")]
    assert "for streams" in told[0].why_not


async def test_the_call_wins_over_its_session_and_the_session_over_the_plan(tmp_path: Path) -> None:
    controls = Controls(plan=plan_of("rules: [{fault: '500'}]"))
    async with client(tmp_path, controls) as http:
        assert (await ask(http, "s")).status_code == 500
        controls.faults.set("s", "503")
        assert (await ask(http, "s")).status_code == 503
        assert (await ask(http, "s", "401")).status_code == 401
        assert (await ask(http, "s", "none")).status_code == 200
        assert (await ask(http, "other")).status_code == 500
        controls.faults.set("s", None)
        assert (await ask(http, "s")).status_code == 500
        assert controls.faults.get("s") == ""


async def test_times_and_after_count_the_calls_of_the_session(tmp_path: Path) -> None:
    controls = Controls()
    async with client(tmp_path, controls) as http:
        statuses = [(await ask(http, "s", "429;after=1;times=2")).status_code for _ in range(5)]
        assert statuses == [200, 429, 429, 200, 200]
        assert (await ask(http, "other", "429;times=1")).status_code == 429
        controls.forget("s")
        assert [(await ask(http, "s", "429;times=1")).status_code for _ in range(2)] == [429, 200]


async def test_a_stall_is_real_time_even_where_the_pace_is_none(tmp_path: Path) -> None:
    async with client(tmp_path, Controls()) as http:
        began = time.monotonic()
        said = {"fault": "stall@event=2;seconds=0.2", "pace": "none"}
        async with http.stream("POST", URL, json={"s": 1}, extensions={"antiphon": said}) as response:
            got = [(time.monotonic() - began, chunk) async for chunk in response.aiter_raw()]
        assert got[2][0] - got[1][0] >= 0.19


async def test_a_stall_longer_than_the_client_waits_is_its_timeout(tmp_path: Path) -> None:
    async with client(tmp_path, Controls()) as http:
        said = {"fault": "stall;seconds=30", "pace": "none"}
        with pytest.raises(httpx.ReadTimeout):
            await http.post(URL, json={"q": 1}, extensions={"antiphon": said}, timeout=0.05)


PLAN = """
seed: 7
rules:
  - name: streams only
    match: {stream: true}
    fault: cut@event=1
  - match: {body: {q: 1}}
    faults: {"429": 1, "500": 1, "503": 2}
    probability: 0.5
"""


async def walk(folder: Path, plan: FaultPlan, session: str) -> list[int]:
    async with client(folder, Controls(plan=plan)) as http:
        return [(await ask(http, session)).status_code for _ in range(40)]


async def test_chance_is_the_same_in_every_run_and_another_by_session_and_seed(tmp_path: Path) -> None:
    plan = plan_of(PLAN)
    first = await walk(tmp_path, plan, "s")
    assert await walk(tmp_path, plan, "s") == first
    assert await walk(tmp_path, plan, "t") != first
    assert await walk(tmp_path, plan_of(PLAN.replace("7", "8")), "s") != first
    assert set(first) == {200, 429, 500, 503}
    assert 8 <= first.count(200) <= 32


async def test_sessions_at_once_do_not_change_what_happens_to_each(tmp_path: Path) -> None:
    plan = plan_of(PLAN)
    alone = [await walk(tmp_path, plan, f"s{n}") for n in range(5)]
    async with client(tmp_path, Controls(plan=plan)) as http:

        async def one(session: str) -> list[int]:
            return [(await ask(http, session)).status_code for _ in range(40)]

        assert await asyncio.gather(*(one(f"s{n}") for n in range(5))) == alone


async def test_a_plan_strikes_the_requests_that_it_means(tmp_path: Path) -> None:
    rules = 'rules: [{name: second, match: {url: "api.openai.com/v1/*", method: POST}, calls: [2], fault: "529"}]'
    controls = Controls(plan=plan_of(rules))
    async with client(tmp_path, controls) as http:
        assert [(await ask(http)).status_code for _ in range(3)] == [200, 529, 200]
    assert [(each.call, each.origin) for each in controls.injected()] == [(2, "second")]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[]", "has to be a mapping"),
        ("rules: [{}]", r"rules\[0\] needs either 'fault' or 'faults'"),
        ("rules: [{fault: '429', odds: 1}]", "unknown odds"),
        ("rules: [{fault: '429', probability: 2}]", "give 0 to 1"),
        ("rules: [{fault: meteor}]", "there is no fault 'meteor'"),
        ("rules: [{fault: '429', match: {place: x}}]", "has place; known: method"),
        ("rules: [{fault: '429', match: {stream: maybe}}]", "no true or false"),
        ("rules: [{fault: '429', calls: [0]}]", "numbers from 1"),
        ("rules: [{faults: {'429': -1}}]", "weight above 0"),
        ("rules: {", "isn't YAML"),
        ("!!python/object/apply:os.system ['true']", "isn't YAML"),
        ("seed: x", "whole number"),
    ],
)
def test_a_plan_that_cannot_be_read_says_where(text: str, complaint: str) -> None:
    with pytest.raises(BadRecordingCall, match=complaint):
        plan_of(text)


def test_a_plan_comes_from_a_file_which_errors_name(tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text(PLAN)
    assert [rule.name for rule in read_plan(file).rules] == ["streams only", "rule 2"]
    with pytest.raises(BadRecordingCall, match=r"nowhere\.yaml: it can't be read"):
        read_plan(tmp_path / "nowhere.yaml")


async def test_a_spoilt_recording_is_there_again_for_the_retry(tmp_path: Path) -> None:
    async with client(tmp_path, Controls()) as http:
        with pytest.raises(httpx.RemoteProtocolError):
            await ask(http, fault="cut")
        with pytest.raises(FaultNotApplicable):
            await ask(http, fault="missing-done")
        assert [(await ask(http)).json()["n"] for _ in range(2)] == [1, 2]


async def test_a_fault_of_a_call_that_is_not_replayed_is_refused_instead_of_forgotten(tmp_path: Path) -> None:
    async with client(tmp_path, Controls()) as http:
        for mode in ("live", "record"):
            with pytest.raises(BadRecordingCall, match=f"in mode {mode}; replay it"):
                await http.post(URL, json={"q": 1}, extensions={"antiphon": {"mode": mode, "fault": "429"}})
