"""A walk over faults, with clients that behave well and badly."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx

from antiphon.harness import CassetteStore, authored_json, write_cassette
from antiphon.harness.chaos import Limits, Observation, Outcome, Run, Verdict, Walk, chosen
from antiphon.harness.controls import Controls
from antiphon.harness.requestfilter import RequestFilter

URL = "https://api.openai.com/v1/chat/completions"
Client = Callable[[httpx.AsyncClient], Awaitable[bool]]


async def careful(http: httpx.AsyncClient) -> bool:
    """Comes back after what may pass, when it is told to."""
    for _ in range(3):
        try:
            answer = await http.post(URL, json={"q": 1}, timeout=0.3)
        except httpx.TransportError:
            continue
        if answer.status_code < 400:
            return bool(answer.json())
        if answer.status_code not in (408, 409, 429) and answer.status_code < 500:
            return False
        await asyncio.sleep(float(answer.headers.get("retry-after", 0)))
    return False


async def hasty(http: httpx.AsyncClient) -> bool:
    """Comes back at once, whatever happened."""
    for _ in range(3):
        answer = await http.post(URL, json={"q": 1})
        if answer.status_code < 400:
            return True
    return False


async def walked(folder: Path, client: Client, words: list[str], **settings: Any) -> list[Observation]:
    write_cassette(folder, "a/one", [authored_json(url=URL, request={"q": 1}, response={"n": 1})])
    controls, store = Controls(), CassetteStore(folder)
    async with httpx.AsyncClient(transport=controls.transport(store)) as http:

        async def run() -> Run:
            began = time.monotonic()
            try:
                async with asyncio.timeout(2):
                    well = await client(http)
            except TimeoutError:
                return Run(seconds=2, hung=True)
            return Run(seconds=time.monotonic() - began, exit_code=0 if well else 1)

        walk = Walk(controls=controls, store=store, cells=chosen(words), **settings)
        ended, requests = await walk.baseline(run)
        assert (ended.exit_code, len(requests)) == (0, 1)
        return [each async for each in walk.commands(run)]


async def test_a_careful_client_passes(tmp_path: Path) -> None:
    words = ["400", "401", "429", "429;retry-after=0.1", "500", "529", "refused", "reset", "cut@event=1", "stall"]
    found = await walked(tmp_path, careful, words)
    assert {each.verdict for each in found} == {Verdict.PASSED}, [each.why for each in found]
    assert [each.retries for each in found[:5]] == [0, 0, 1, 1, 1]


async def test_a_hasty_client_is_found_out(tmp_path: Path) -> None:
    refused, early, stalled = await walked(tmp_path, hasty, ["401", "429;retry-after=5", "stall;seconds=3600"])
    assert "although the request itself was refused" in refused.why
    assert "although Retry-After said 5 s" in early.why
    assert stalled.outcome is Outcome.HUNG


async def test_a_fault_happens_to_the_chosen_call_and_to_so_many_attempts(tmp_path: Path) -> None:
    (once,) = await walked(tmp_path, careful, ["500"], times=2)
    assert (once.retries, once.outcome) == (2, Outcome.RECOVERED)
    (never,) = await walked(tmp_path, careful, ["500"], times=9)
    assert (never.retries, never.outcome, never.verdict) == (2, Outcome.GAVE_UP, Verdict.PASSED)
    (unreached,) = await walked(tmp_path, careful, ["500"], after=1)
    assert unreached.outcome is Outcome.NOT_REACHED


async def test_a_fault_that_cannot_happen_is_skipped_with_its_reason(tmp_path: Path) -> None:
    (found,) = await walked(tmp_path, careful, ["missing-done"])
    assert found.verdict is Verdict.SKIPPED
    assert "for streams" in found.why


async def watched(folder: Path, words: list[str], client: Client) -> Observation:
    """One fault in the window of a client that runs on; it begins to ask once the window is open."""
    write_cassette(folder, "a/one", [authored_json(url=URL, request={"q": 1}, response={"n": 1})])
    controls, store = Controls(), CassetteStore(folder)
    limits = Limits(patience=0.6, settle=0.2, arrival=5.0)
    walk = Walk(controls=controls, store=store, cells=chosen(words), limits=limits)
    async with httpx.AsyncClient(transport=controls.transport(store)) as http:
        stepping = asyncio.ensure_future(anext(walk.windows()))
        await asyncio.sleep(0)
        working = asyncio.ensure_future(client(http))
        try:
            return await asyncio.wait_for(stepping, 20)
        finally:
            working.cancel()
            await asyncio.wait({working})


async def test_a_client_that_runs_on_is_watched_until_it_is_quiet(tmp_path: Path) -> None:
    refused = await watched(tmp_path, ["401"], careful)
    assert (refused.outcome, refused.verdict, refused.retries) == (Outcome.ENDED, Verdict.PASSED, 0)
    recovered = await watched(tmp_path, ["500"], careful)
    assert (recovered.outcome, recovered.retries) == (Outcome.RECOVERED, 1)


async def test_a_client_that_runs_on_and_waits_for_ever_hangs(tmp_path: Path) -> None:
    async def stubborn(http: httpx.AsyncClient) -> bool:
        return bool(await http.post(URL, json={"q": 1}, timeout=None))

    assert (await watched(tmp_path, ["stall;seconds=60"], stubborn)).outcome is Outcome.HUNG


async def test_a_client_that_is_never_quiet_gets_its_time_and_no_more(tmp_path: Path) -> None:
    async def restless(http: httpx.AsyncClient) -> bool:
        while True:
            await http.post(URL, json={"q": 1})
            await asyncio.sleep(0.01)

    assert (await watched(tmp_path, ["500"], restless)).outcome is Outcome.RECOVERED


async def test_only_the_requests_that_are_meant_are_struck(tmp_path: Path) -> None:
    write_cassette(tmp_path, "a/one", [authored_json(url=URL, request={"q": 1}, response={"n": 1})])
    controls, store = Controls(), CassetteStore(tmp_path)
    async with httpx.AsyncClient(transport=controls.transport(store)) as http:

        async def run() -> Run:
            return Run(seconds=0, exit_code=0 if await careful(http) else 1)

        match = RequestFilter(url="api.anthropic.com/*")
        walk = Walk(controls=controls, store=store, cells=chosen(["500"]), match=match)
        assert [each.outcome async for each in walk.commands(run)] == [Outcome.NOT_REACHED]
