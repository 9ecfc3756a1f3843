"""`matching.yaml` says what never counts, for a folder, for some cassettes, for a scenario."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from antiphon.harness import (
    BadRecordingCall,
    CassetteStore,
    CassetteTransport,
    CassetteUnreadable,
    Interaction,
    RecordingMissing,
    authored_json,
    files,
    rules,
    write_cassette,
)
from antiphon.harness.matching import Matcher

URL = "https://h.test/v1/chat"


def answer(n: int, *, url: str = URL, scenario: str | None = None, **request: Any) -> Interaction:
    return authored_json(url=url, request=request, response={"n": n}, scenario=scenario)


async def ask(folder: Path, *, url: str = URL, cassette: str | None = None, **body: Any) -> int:
    async with httpx.AsyncClient(transport=CassetteTransport(folder)) as http:
        reply = await http.post(url, json=body, extensions={"antiphon": {"cassette": cassette}})
        return int(reply.json()["n"])


async def test_what_the_folder_ignores_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "matching.yaml").write_text(
        'ignore: {body: [user, "messages[*].id"], query: [v], path: [/v1/*/chat]}\nalike: [date]\n'
    )
    recorded: dict[str, Any] = {"user": "u1", "messages": [{"id": 1, "content": "on 2024-01-01"}]}
    write_cassette(tmp_path, "a/one", [answer(1, url="https://h.test/v1/x/chat?v=1", **recorded)])
    asked: dict[str, Any] = {"messages": [{"content": "on 2025-05-05", "id": 9}]}
    assert await ask(tmp_path, url="https://h.test/v1/y/chat?v=2", **asked) == 1
    asked["messages"][0]["content"] = "then"
    with pytest.raises(RecordingMissing) as caught:
        await ask(tmp_path, url="https://h.test/v1/y/chat?v=2", **asked)
    assert caught.value.differences == ["messages[0].content: 'then' != 'on <date>'"]


async def test_an_override_changes_the_rules_of_some_cassettes(tmp_path: Path) -> None:
    (tmp_path / "matching.yaml").write_text(
        """
version: 1
ignore: {body: [user]}
overrides:
- cassettes: "strict/*"
  count: {body: [user]}
- scenario: weather
  ignore: {body: [day]}
"""
    )
    write_cassette(tmp_path, "loose/one", [answer(1, user="u1", q=1)])
    write_cassette(tmp_path, "strict/one", [answer(2, user="u2", q=2)])
    write_cassette(
        tmp_path, "loose/weather", [answer(3, scenario="weather", day="Monday", user="x", q=3), answer(4, q=4)]
    )
    assert await ask(tmp_path, user="other", q=1) == 1
    assert await ask(tmp_path, user="u2", q=2) == 2
    with pytest.raises(RecordingMissing) as caught:
        await ask(tmp_path, user="other", q=2)
    assert caught.value.differences == ["user: 'other' != 'u2'"]
    assert await ask(tmp_path, day="Friday", q=3) == 3
    with pytest.raises(RecordingMissing):
        await ask(tmp_path, day="Friday", q=4)


async def test_recordings_under_several_rules_answer_in_their_order(tmp_path: Path) -> None:
    (tmp_path / "matching.yaml").write_text('overrides:\n- {cassettes: "b/*", ignore: {body: [user]}}\n')
    write_cassette(tmp_path, "a/one", [answer(1, user="u", q=1)])
    write_cassette(tmp_path, "b/one", [answer(2, user="v", q=1), answer(3, user="w", q=1)])
    write_cassette(tmp_path, "c/one", [answer(4, user="u", q=1)])
    async with httpx.AsyncClient(transport=CassetteTransport(tmp_path)) as http:
        heard = [(await http.post(URL, json={"user": "u", "q": 1})).json()["n"] for _ in range(5)]
        assert heard == [1, 2, 3, 4, 4]
        # Two requests that share recordings hear each of them once.
        session = {"antiphon": {"session": "s"}}
        first = (await http.post(URL, json={"user": "x", "q": 1}, extensions=session)).json()["n"]
        second = (await http.post(URL, json={"user": "y", "q": 1}, extensions=session)).json()["n"]
    assert (first, second) == (2, 3)


async def test_recording_replaces_what_the_rules_call_equal(tmp_path: Path) -> None:
    (tmp_path / "matching.yaml").write_text("ignore: {body: [user]}\n")
    store = CassetteStore(tmp_path)
    for user in ("u1", "u2"):
        store.write("a/one", answer(1, user=user, q=1), replace=True)
    store.load()
    (recording,) = store
    assert json.loads(recording.interaction.request.body) == {"user": "u2", "q": 1}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("ignore: {body: [a..b]}", "can't be read from character 2"),
        ("ignore: {bodies: [a]}", r"ignore holds unknown keys \['bodies'\]; known: body, query, path, host"),
        ("ignored: {}", r"the file holds unknown keys \['ignored'\]"),
        ("alike: [phone]", r"unknown shapes \['phone'\]; known: \['date', 'datetime'"),
        ("ignore: {body: user}", "body of ignore must be a list"),
        ("ignore: {body: [1]}", "must be a list of texts"),
        ("ignore: {host: maybe}", "host must be true or false"),
        ("overrides: [{cassettes: [a]}]", r"overrides\[0\].cassettes must be text"),
        ("overrides: [{ignore: {body: [a.]}}]", "can't be read"),
        ("version: 2", "version 2 is unknown"),
        ("- a", "the file must be a mapping"),
        ("a: [", "safe YAML"),
        ("a: !!python/object/apply:os.getcwd []", "a Python object, which is never loaded"),
        ("[" * 10_000, "nests deeper than 32 levels"),
        ("# " + "x" * 20_000, "larger than 16384 bytes"),
    ],
)
async def test_rules_that_cannot_be_read_fail_every_call_and_say_why(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "matching.yaml").write_text(text)
    write_cassette(tmp_path, "a/one", [answer(1, q=1)])
    for _ in range(2):
        with pytest.raises(CassetteUnreadable, match=rf"matching\.yaml.*{problem}"):
            await ask(tmp_path, q=1)


def test_bytes_that_are_no_text_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "matching.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(CassetteUnreadable, match="can't decode"):
        rules.load(tmp_path, Matcher())


def test_the_rules_are_no_cassette_and_no_cassette_takes_their_name(tmp_path: Path) -> None:
    (tmp_path / "matching.yaml").write_text("version: 1\n")
    write_cassette(tmp_path, "a/matching", [answer(1, q=1)])
    assert list(files.found(tmp_path)) == ["a/matching"]
    store = CassetteStore(tmp_path)
    store.load()
    assert len(store) == 1
    with pytest.raises(BadRecordingCall, match="taken by the folder's matching rules"):
        write_cassette(tmp_path, "matching", [])


def test_the_example_in_the_documentation_can_be_read(tmp_path: Path) -> None:
    document = Path(__file__).parents[2] / "docs" / "matching.md"
    text = document.read_text(encoding="utf-8").partition("```yaml\n")[2].partition("```")[0]
    (tmp_path / "matching.yaml").write_text(text)
    found = rules.load(tmp_path, Matcher())
    assert found.base.ignored_body[0] == "user"
    assert found.base.alike == ("datetime", "date", "uuid")
    assert "metadata" in found.of("openai/chat", None).ignored_body
    assert "user" not in found.of("x/y", "weather").ignored_body
