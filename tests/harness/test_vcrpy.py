"""Plain vcrpy loads our cassettes and replays them: equal by meaning alone, to the byte with our persister."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
import vcr  # type: ignore[import-untyped]  # vcrpy ships no types

from antiphon.harness import (
    Answer,
    Interaction,
    Outcome,
    RecordedRequest,
    SseEvent,
    authored_json,
    authored_sse,
    cassette,
    write_cassette,
)
from antiphon.harness.interaction import NO_ANSWER_STATUS, Failure
from antiphon.harness.vcrpersister import AntiphonPersister

URL = "http://h.test/v1"
AUTHORED = Path(__file__).parents[2] / "cassettes"
ANSWER = {"model": "m", "n": 1.5, "text": "é" * 90, "choices": [{"index": 0, "message": {"content": "x" * 60}}]}
JSON = authored_json(url=URL + "/json", request=ANSWER, response=ANSWER)
BODY = JSON.answer.body


def exchange(**changes: Any) -> Interaction:
    headers = (("content-type", "application/json"), ("content-length", str(len(BODY))))
    answer = Answer(**{"status": 200, "reason": "OK", "headers": headers, "body": BODY, **changes})
    return Interaction(request=RecordedRequest(method="GET", url=URL + "/json"), answer=answer)


def get(url: str, client: str) -> bytes:
    if client == "httpx":
        return httpx.get(url).content
    if client == "requests":
        return bytes(requests.get(url, timeout=5).content)
    with urllib.request.urlopen(url, timeout=5) as response:
        return bytes(response.read())


@pytest.mark.parametrize("client", ["httpx", "requests", "urllib"])
def test_plain_vcrpy_replays_the_same_json_to_every_client(tmp_path: Path, client: str) -> None:
    path = write_cassette(tmp_path, "b", [exchange()])
    assert "compact-json" in path.read_text()
    with vcr.use_cassette(str(path), record_mode="none"):
        assert json.loads(get(URL + "/json", client)) == ANSWER


@pytest.mark.parametrize("client", ["httpx", "requests", "urllib"])
def test_with_our_persister_vcrpy_replays_the_exact_bytes(tmp_path: Path, client: str) -> None:
    large = b'{"e":[' + b",".join([b"0.123456789"] * 4000) + b"]}"
    blob = exchange(body=large, headers=(("content-length", str(len(large))),))
    path = write_cassette(tmp_path, "b", [exchange(), blob])
    mine = vcr.VCR()
    mine.register_persister(AntiphonPersister)
    with mine.use_cassette(str(path), record_mode="none"):
        assert get(URL + "/json", client) == BODY
        assert get(URL + "/json", client) == large


def test_plain_vcrpy_replays_events_and_failures(tmp_path: Path) -> None:
    events = authored_sse(url=URL, request={"q": 1}, events=[SseEvent(data={"n": n}) for n in range(3)])
    refused = Interaction(
        request=RecordedRequest(method="GET", url=URL + "/refused"),
        answer=Answer(
            status=NO_ANSWER_STATUS,
            outcome=Outcome.REFUSED,
            failure=Failure(error="ConnectError", phase="connect", message="refused"),
        ),
    )
    path = write_cassette(tmp_path, "b", [events, refused])
    with vcr.use_cassette(str(path), record_mode="none"):
        assert httpx.post(URL, json={"q": 1}).content == events.answer.body
        assert httpx.get(URL + "/refused").status_code == 599


def test_vcrpy_matches_a_laid_out_request_by_its_json(tmp_path: Path) -> None:
    path = write_cassette(tmp_path, "b", [JSON])
    with vcr.use_cassette(str(path), record_mode="none", match_on=["method", "uri", "body"]):
        assert httpx.post(URL + "/json", json=ANSWER).json() == ANSWER


def test_what_vcrpy_adds_to_our_cassette_is_read_back(tmp_path: Path) -> None:
    path = write_cassette(tmp_path, "b", [exchange()])
    (before,) = cassette.read(path).interactions
    with vcr.use_cassette(str(path), record_mode="new_episodes") as tape:
        get(URL + "/json", "httpx")
        tape.dirty = True  # vcrpy writes the file again with its own serializer
    assert "|-" not in path.read_text()
    (after,) = cassette.read(path).interactions
    assert after.request == before.request
    assert after.answer.body == before.answer.body
    assert sorted(after.answer.headers) == sorted(before.answer.headers)  # vcrpy sorts what it writes


def test_plain_vcrpy_replays_every_authored_cassette() -> None:
    checked = 0
    for path in sorted(AUTHORED.rglob("*.yaml")):
        with vcr.use_cassette(str(path), record_mode="none", allow_playback_repeats=True):
            for interaction in cassette.read(path).interactions:
                asked = interaction.request
                response = httpx.request(asked.method, asked.url, content=asked.body, headers=list(asked.headers))
                assert response.status_code == interaction.answer.status
                checked += 1
    assert checked >= 10
