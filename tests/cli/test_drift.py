"""`antiphon drift` against a local server whose answers change, and where a provider's key may go."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from antiphon.harness import authored_json, write_cassette
from antiphon.harness.library import Library
from tests.cli.test_record import CHAT, answer, whole
from tests.harness.streaming_server import StreamingServer

Invoke = Callable[..., Result]
Run = Callable[..., Any]
KEY = "mine-0123456789-secret-key"
ASK = {"model": "small", "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture
async def server() -> AsyncIterator[StreamingServer]:
    async with StreamingServer() as running:
        yield running


@pytest.fixture
def drift(server: StreamingServer, tmp_path: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `antiphon drift` over one recording of the server as it was."""
    rows = {"mine": {"base_url": f"{server.url}/v1", "key": "MINE_KEY", "default_model": "small"}}
    monkeypatch.setenv("ANTIPHON_PROVIDERS", json.dumps(rows))
    monkeypatch.setenv("MINE_KEY", KEY)
    stored = authored_json(url=server.url + CHAT, request=ASK, response=answer(), scenario="chat", date="2020-01-01")
    write_cassette(tmp_path / "kept", "mine/chat", [stored])

    async def run(*options: str) -> Result:
        return await asyncio.to_thread(invoke, "drift", *options, "--cassettes", str(tmp_path / "kept"))

    return run


async def test_no_change_is_status_0(drift: Run, server: StreamingServer) -> None:
    server.serve(CHAT, whole(answer("something else")))
    result = await drift()
    assert (result.exit_code, result.stdout) == (0, "1 compared, 0 could not be, 0 expired\n")
    assert json.loads(server.requests[0][2]) == ASK


async def test_a_changed_type_is_status_1_and_a_warning_where_that_is_asked_for(
    drift: Run, server: StreamingServer
) -> None:
    server.serve(CHAT, whole(answer(usage="none")))
    result = await drift()
    assert result.exit_code == 1
    assert "mine/chat#0  usage  changed its type: was object, is string" in result.stdout
    lacking = {key: value for key, value in answer().items() if key != "usage"}
    server.serve(CHAT, whole(lacking))
    assert (await drift()).exit_code == 0
    assert (await drift("--fail-on", "warning")).exit_code == 1
    assert (await drift("--fail-on", "never")).exit_code == 0


async def test_the_report_comes_as_json_and_markdown_alone_on_standard_output(
    drift: Run, server: StreamingServer
) -> None:
    server.serve(CHAT, whole(answer(extra=1)))
    told = json.loads((await drift("--json", "--conformance")).stdout)
    assert told["worst"] == "info"
    assert told["recordings"][0]["findings"] == [{"severity": "info", "place": "extra", "what": "was added: number"}]
    assert told["conformance"]["chat"]["mine"]["text"] == "1 shown"
    text = (await drift("--markdown", "--conformance")).stdout
    assert text.startswith("## Drift\n")
    assert "## Conformance" in text


async def test_too_old_is_told_without_a_call(drift: Run, server: StreamingServer) -> None:
    result = await drift("--sample", "0", "--max-age", "90d")
    assert result.exit_code == 1
    assert "expired  mine/chat#0  recorded 2020-01-01" in result.stdout
    assert server.requests == []


async def test_a_provider_that_is_away_is_status_6(drift: Run, server: StreamingServer) -> None:
    await server.stop()
    result = await drift()
    assert result.exit_code == 6
    assert "1 could not be" in result.stdout


async def test_the_key_goes_to_the_providers_own_address_and_nowhere_else(
    drift: Run, server: StreamingServer, tmp_path: Path
) -> None:
    async with StreamingServer() as stranger:
        stranger.serve(CHAT, whole(answer()))
        server.serve(CHAT, whole(answer()))
        stolen = authored_json(url=stranger.url + CHAT, request=ASK, response=answer())
        write_cassette(tmp_path / "kept", "mine/chat", [stolen])
        result = await drift()
        assert result.exit_code == 6
        assert "no key is sent elsewhere" in result.stderr
        assert (stranger.requests, server.requests) == ([], [])
        assert (await drift("--rehost")).exit_code == 0
        assert stranger.requests == []
    assert server.requests[0][1]["authorization"] == f"Bearer {KEY}"
    assert server.requests[0][1]["host"] == server.url.removeprefix("http://")


@pytest.mark.parametrize(
    ("method", "path"), [("DELETE", CHAT), ("POST", "/v1/files"), ("POST", "/v1/fine_tuning/jobs")]
)
async def test_what_may_change_something_is_not_repeated(
    drift: Run, server: StreamingServer, tmp_path: Path, method: str, path: str
) -> None:
    server.serve(path, whole({}))
    harmful = authored_json(url=server.url + path, method=method, request=ASK, response={})
    write_cassette(tmp_path / "kept", "mine/chat", [harmful])
    result = await drift()
    assert result.exit_code == 6
    assert "may change something" in result.stderr
    assert server.requests == []


async def test_an_unknown_provider_and_a_missing_key_are_told(
    drift: Run, server: StreamingServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_cassette(tmp_path / "kept", "other/chat", [authored_json(url=server.url + CHAT, request=ASK, response={})])
    monkeypatch.delenv("MINE_KEY")
    told = json.loads((await drift("--json")).stdout)
    assert [each["failure"].partition(";")[0][:22] for each in told["recordings"]] == [
        "no key for mine: set M",
        "other is no provider h",
    ]
    assert server.requests == []


async def test_what_was_asked_again_may_be_kept_without_the_key(
    drift: Run, server: StreamingServer, tmp_path: Path
) -> None:
    server.serve(CHAT, whole(answer("anew")))
    assert (await drift("--keep", str(tmp_path / "anew"))).exit_code == 0
    (item,) = Library(tmp_path / "anew").read().items
    assert b"anew" in item.interaction.answer.body
    assert all(KEY not in path.read_text() for path in (tmp_path / "anew").rglob("*.yaml"))
