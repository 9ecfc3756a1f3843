"""`antiphon cassettes`: a folder of recordings as a user and a script see and change it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import Result

from antiphon.cli import shown_features
from antiphon.harness import SseEvent, authored_json, authored_sse, write_cassette
from antiphon.harness.library import Library
from tests.fixtures_suite import ROOT

Invoke = Callable[..., Result]
URL = "https://api.openai.com/v1/chat/completions"
KEY = "sk-0123456789abcdefghij0123456789"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_cassette(
        tmp_path,
        "openai/chat",
        [
            authored_json(url=URL, request={"q": 1}, response={"a": "one"}, scenario="chat", date="2020-01-01"),
            authored_json(url=URL, request={"q": 2}, response={"a": "two"}, status=404, scenario="chat"),
        ],
    )
    events = [SseEvent(data={"a": n}, delay_ms=5) for n in range(3)]
    write_cassette(tmp_path, "groq/stream", [authored_sse(url=URL, request={}, events=events, scenario="stream")])
    return tmp_path


@pytest.fixture
def cassettes(invoke: Invoke, folder: Path) -> Callable[..., Result]:
    def run(*arguments: str, stdin: str | None = None) -> Result:
        return invoke("cassettes", *arguments, "--cassettes", str(folder), stdin=stdin)

    return run


def test_list_counts_by_provider_and_endpoint(cassettes: Callable[..., Result]) -> None:
    result = cassettes("list")
    assert result.exit_code == 0
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["provider", "endpoint", "recordings", "streamed", "errors", "authored"],
        ["groq", "POST", "api.openai.com/v1/chat/completions", "1", "1", "0", "1"],
        ["openai", "POST", "api.openai.com/v1/chat/completions", "2", "0", "1", "2"],
    ]
    told = json.loads(cassettes("list", "--provider", "openai", "--json").stdout)
    assert [(each["provider"], each["recordings"]) for each in told["endpoints"]] == [("openai", 2)]
    assert [each["label"] for each in told["recordings"]] == ["openai/chat#0", "openai/chat#1"]
    each = cassettes("list", "--each", "--scenario", "stream").stdout.splitlines()
    assert len(each) == 2
    assert each[1].startswith("groq/stream#0  stream")


def test_a_file_that_cannot_be_read_is_told_and_the_rest_listed(cassettes: Callable[..., Result], folder: Path) -> None:
    (folder / "openai/broken.yaml").write_text("interactions: [")
    result = cassettes("list")
    assert result.exit_code == 4
    assert "openai" in result.stdout
    assert "broken.yaml" in result.stderr


def test_show_is_for_people(cassettes: Callable[..., Result]) -> None:
    result = cassettes("show", "groq/stream")
    assert result.exit_code == 0
    for said in ("groq/stream#0", "authored", "scenario stream", f"> POST {URL}", 'data: {"a":2}', "3 chunks: +5 ms"):
        assert said in result.stdout


def test_get_writes_the_very_bytes(cassettes: Callable[..., Result]) -> None:
    assert cassettes("get", "openai/chat#1").stdout_bytes == b'{"a":"two"}'
    assert cassettes("get", "openai/chat#1", "--part", "request").stdout_bytes == b'{"q":2}'
    several = cassettes("get", "openai/chat")
    assert several.exit_code == 2
    assert "openai/chat#0" in several.stderr


def test_what_is_not_there_has_its_own_status(cassettes: Callable[..., Result]) -> None:
    result = cassettes("get", "openai/chat#7", "--json")
    assert result.exit_code == 3
    assert json.loads(result.stdout)["error"]["reason"] == "RESOURCE_NOT_FOUND"
    assert cassettes("rm", "nothing/*").exit_code == 3


def test_what_get_writes_put_takes(cassettes: Callable[..., Result], folder: Path) -> None:
    exchange = cassettes("get", "openai/chat#0", "--json").stdout
    changed = exchange.replace("one", "uno")
    result = cassettes("put", "openai/mine", "--from", "-", "--scenario", "own", stdin=changed)
    assert result.exit_code == 0, result.stderr
    (item,) = Library(folder).find("openai/mine")
    assert (item.provenance.origin, item.provenance.scenario) == ("authored", "own")
    assert item.interaction.answer.body == b'{"a":"uno"}'


def test_put_takes_files_and_replaces_the_equal_request(cassettes: Callable[..., Result], folder: Path) -> None:
    (folder / "ask.json").write_text('{"q":1}')
    (folder / "say.sse").write_text("data: [DONE]\n\n")
    options = ["--url", URL, "--request", str(folder / "ask.json"), "--response", str(folder / "say.sse")]
    assert cassettes("put", "openai/chat", *options, "--status", "201").exit_code == 0
    items = Library(folder).find("openai/chat")
    assert [item.interaction.answer.status for item in items] == [404, 201]
    assert ("content-type", "text/event-stream") in items[1].interaction.answer.headers


@pytest.mark.parametrize("text", ["", "nothing", "[]", "{}", '[{"request": {}}]'])
def test_put_refuses_what_is_no_exchange(cassettes: Callable[..., Result], folder: Path, text: str) -> None:
    result = cassettes("put", "openai/mine", "--from", "-", stdin=text)
    assert result.exit_code == 2
    assert not (folder / "openai/mine.yaml").exists()


def test_put_refuses_a_credential_and_a_name_outside(
    cassettes: Callable[..., Result], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GROQ_API_KEY", "an-unusual-key-of-mine")
    for hidden in (KEY, "an-unusual-key-of-mine"):
        exchange = cassettes("get", "openai/chat#0", "--json").stdout.replace("one", hidden)
        result = cassettes("put", "openai/mine", "--from", "-", stdin=exchange)
        assert result.exit_code == 4
        assert hidden not in result.output
    exchange = cassettes("get", "openai/chat#0", "--json").stdout
    assert cassettes("put", "../mine", "--from", "-", stdin=exchange).exit_code == 2


def test_rm_takes_several_places_at_once(cassettes: Callable[..., Result], folder: Path) -> None:
    told = json.loads(cassettes("rm", "openai/chat#0", "groq/*", "openai/chat#0", "--json").stdout)
    assert told["removed"] == 2
    assert [item.interaction.request.body for item in Library(folder).read().items] == [b'{"q":2}']


def test_clear_asks_first_and_keeps_to_its_provider(cassettes: Callable[..., Result], folder: Path) -> None:
    assert cassettes("clear").exit_code == 2
    assert len(Library(folder).read().items) == 3
    assert cassettes("clear", "--provider", "openai", "--yes").exit_code == 0
    assert [item.label for item in Library(folder).read().items] == ["groq/stream#0"]


def test_prune_goes_by_the_recordings_own_date(cassettes: Callable[..., Result], folder: Path) -> None:
    os.utime(folder / "openai/chat.yaml")  # a young file of an old recording
    dry = json.loads(cassettes("prune", "--older-than", "52w", "--dry-run", "--json").stdout)
    assert [each["label"] for each in dry["recordings"]] == ["openai/chat#0"]
    assert len(Library(folder).read().items) == 3
    assert cassettes("prune", "--older-than", "52w").exit_code == 0
    assert len(Library(folder).read().items) == 2
    assert cassettes("prune", "--older-than", "52w", "--undated").exit_code == 0
    assert Library(folder).read().items == ()
    assert cassettes("prune", "--older-than", "a while").exit_code == 2
    assert cassettes("prune").exit_code == 2


def test_prune_keeps_what_a_run_used(cassettes: Callable[..., Result], folder: Path) -> None:
    (folder / "used.txt").write_text("openai/chat.yaml #1\n\ngroq/stream#0\n")
    result = cassettes("prune", "--used", str(folder / "used.txt"))
    assert result.exit_code == 0
    assert "openai/chat#0: it was not used" in result.stdout
    assert [item.interaction.request.body for item in Library(folder).find("openai/chat")] == [b'{"q":2}']


def test_stats_are_counts(cassettes: Callable[..., Result]) -> None:
    told = json.loads(cassettes("stats", "--json").stdout)
    assert (told["recordings"], told["cassettes"], told["undated"]) == (3, 2, 2)
    assert told["by_status"] == {"200": 2, "404": 1}
    assert told["oldest"] == "2020-01-01T00:00:00+00:00"
    assert "openai 2" in cassettes("stats").stdout


def test_coverage_names_empty_cells_in_every_form(cassettes: Callable[..., Result], folder: Path) -> None:
    page = folder / "out" / "coverage.html"
    shown = cassettes("coverage", "--html", str(page))
    assert shown.exit_code == 0
    assert "missing: stream x openai" in shown.stderr
    assert 'class="empty"' in page.read_text()
    assert "| chat | - | 2, authored |" in cassettes("coverage", "--markdown").stdout
    strict = cassettes("coverage", "--strict", "--json")
    assert strict.exit_code == 1
    assert {"scenario": "chat", "provider": "groq"} in json.loads(strict.stdout)["missing"]


def test_coverage_of_a_set_knows_what_a_provider_does_not_offer(cassettes: Callable[..., Result]) -> None:
    told = json.loads(cassettes("coverage", "--scenarios", "standard", "--provider", "anthropic", "--json").stdout)
    assert told["cells"]["embeddings"]["anthropic"]["state"] == "not offered"
    assert {"scenario": "vision", "provider": "anthropic"} in told["missing"]


def test_verify_tells_by_its_status(cassettes: Callable[..., Result], folder: Path) -> None:
    assert cassettes("verify").exit_code == 0
    path = folder / "openai/chat.yaml"
    path.write_text(path.read_text() + f"# {KEY}\n")
    told = cassettes("verify", "--json")
    assert told.exit_code == 1
    assert KEY not in told.stdout
    assert json.loads(told.stdout)["problems"][0]["place"] == "openai/chat.yaml"


def test_a_warning_counts_only_where_that_is_asked_for(cassettes: Callable[..., Result], folder: Path) -> None:
    (folder / "openai" / ".chat.yaml.1.tmp").write_text("")
    assert cassettes("verify").exit_code == 0
    assert cassettes("verify", "--strict").exit_code == 1


def test_scan_finds_and_never_shows(cassettes: Callable[..., Result], folder: Path) -> None:
    assert cassettes("scan").exit_code == 0
    path = folder / "openai/chat.yaml"
    path.write_text(path.read_text() + f"# {KEY}\n")
    result = cassettes("scan")
    assert result.exit_code == 1
    assert "openai/chat.yaml" in result.stdout
    assert KEY not in result.output


def test_import_takes_in_what_it_can_and_names_the_rest(cassettes: Callable[..., Result], folder: Path) -> None:
    foreign = folder.parent / f"{folder.name}-foreign"
    foreign.mkdir()
    exchange = {
        "request": {"method": "GET", "uri": "https://h.test/v1", "body": None, "headers": {}},
        "response": {"status": {"code": 200, "message": "OK"}, "headers": {}, "body": {"string": "hello"}},
    }
    (foreign / "good.yaml").write_text(yaml.safe_dump({"interactions": [exchange], "version": 1}))
    (foreign / "bad.yaml").write_text("[")
    result = cassettes("import", str(foreign), "--licence", "MIT", "--json")
    assert result.exit_code == 1
    assert [(each["cassette"], bool(each["problem"])) for each in json.loads(result.stdout)] == [
        (None, True),
        ("good", False),
    ]
    (item,) = Library(folder).find("good")
    assert item.provenance.licence == "MIT"
    one = cassettes("import", str(foreign / "good.yaml"), "--name", "old/one")
    assert one.exit_code == 0
    assert cassettes("get", "old/one").stdout == "hello"


def test_conformance_is_read_from_the_demo_recordings_by_the_codecs(invoke: Invoke) -> None:
    told = json.loads(invoke("cassettes", "conformance", "--cassettes", str(ROOT / "cassettes"), "--json").stdout)
    cells = told["cells"]
    assert cells["tools"]["openai"]["text"] == "1 shown"
    assert cells["tool results"]["anthropic"]["state"] == "good"
    assert cells["usage in streams"]["openai"]["state"] == "good"
    assert cells["embeddings"]["anthropic"]["state"] == "empty"
    assert cells["typed errors"]["anthropic"]["state"] == "good"


def evidence(tmp_path: Path, *interactions: Any) -> Iterator[tuple[str, str]]:
    write_cassette(tmp_path, "p/x", interactions)
    for each in shown_features.evidence(Library(tmp_path).read().items):
        yield each.feature, each.verdict.value


def test_a_feature_is_shown_not_shown_or_refused(tmp_path: Path) -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    ask = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "tools": [tool]}
    choice = {"index": 0, "message": {"role": "assistant", "content": "no"}, "finish_reason": "stop"}
    answer = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    said = dict(evidence(tmp_path / "a", authored_json(url=URL, request=ask, response=answer)))
    assert (said["chat"], said["tools"], said["usage"]) == ("shown", "not shown", "not shown")
    assert "parallel tool calls" not in said, "nobody asks for them, so their absence shows nothing"
    refusal = {"error": {"message": "tools is not supported", "type": "invalid_request_error", "param": "tools"}}
    said = dict(evidence(tmp_path / "b", authored_json(url=URL, request=ask, response=refusal, status=400)))
    assert (said["tools"], said["typed errors"]) == ("refused", "shown")
    assert "chat" not in said
    said = dict(evidence(tmp_path / "c", authored_json(url=URL, request=ask, response=[1])))
    assert said == {"chat": "unreadable"}
    assert list(evidence(tmp_path / "d", authored_json(url="https://h.test/other", response={}))) == []


@pytest.mark.parametrize(
    "command",
    [
        *(
            f"cassettes {name}"
            for name in ("list", "stats", "scan", "verify", "coverage", "conformance", "clear --yes")
        ),
        "cassettes prune --orphans",
        "drift",
        "replay --listen 127.0.0.1:0 --http 127.0.0.1:0",
        "chaos -- true",
    ],
)
def test_a_folder_that_is_not_there_is_an_error_and_never_a_check_that_passed(
    invoke: Invoke, tmp_path: Path, command: str
) -> None:
    words = command.split()
    at = words.index("--") if "--" in words else len(words)
    result = invoke(*words[:at], "--cassettes", str(tmp_path / "misspelt"), *words[at:])
    assert result.exit_code == 3, result.output
    assert "there is no folder" in result.output.replace("\n", " ")
    assert not (tmp_path / "misspelt").exists()


def test_a_drift_of_nothing_is_an_error(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("drift", "--cassettes", str(tmp_path))
    assert result.exit_code == 3, result.output
    assert "no recording" in result.output


def test_the_first_recording_makes_the_folder(invoke: Invoke, tmp_path: Path) -> None:
    source = tmp_path / "old"
    source.mkdir()
    write_cassette(source, "x", [authored_json(url=URL, request={"a": 1}, response={"b": 2})])
    result = invoke("cassettes", "import", str(source), "--cassettes", str(tmp_path / "new"))
    assert result.exit_code == 0, result.output
    assert len(Library(tmp_path / "new").read().items) == 1
