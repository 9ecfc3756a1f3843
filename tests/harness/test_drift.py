"""A provider whose answers change is noticed: by what was added, what is gone, and what changed its type."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from antiphon.harness import (
    CassetteTransport,
    Mode,
    RecordingCall,
    authored_json,
    authored_sse,
    write_cassette,
)
from antiphon.harness.authoring import SseEvent
from antiphon.harness.differing import Severity
from antiphon.harness.drift import CannotAskError, Checked, Report, ask_again, compare, sample
from antiphon.harness.drift_report import document, markdown
from antiphon.harness.holdings import Item
from antiphon.harness.library import Library
from antiphon.harness.shapes import shape_of, union
from tests.harness.streaming_server import Reply, StreamingServer

ANSWER: dict[str, Any] = {
    "id": "1",
    "object": "chat.completion",
    "model": "small-1",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 4},
}
JSON = {"content-type": "application/json"}
SSE = {"content-type": "text/event-stream"}
PATH = "/v1/chat/completions"


def whole(answer: Any, *, status: str = "200 OK") -> Reply:
    return Reply(steps=[json.dumps(answer).encode()], headers=JSON, status=status)


def streamed(*events: Any) -> Reply:
    data = [f"data: {json.dumps(event)}\n\n".encode() for event in events]
    return Reply(steps=[*data, b"data: [DONE]\n\n"], headers=SSE)


def changed(**members: Any) -> dict[str, Any]:
    return {**ANSWER, **members}


async def recorded(server: StreamingServer, folder: Path, *replies: Reply) -> list[Item]:
    """Record one call for each reply, and return the recordings."""
    default = RecordingCall(mode=Mode.RECORD, cassette="local/chat", scenario="chat")
    async with httpx.AsyncClient(transport=CassetteTransport(folder, default=default)) as http:
        for number, reply in enumerate(replies):
            await http.post(server.serve(PATH, reply), json={"model": "small", "n": number})
    return Library(folder).find("local/chat")


def as_it_is(_: Item, request: httpx.Request) -> httpx.Request:
    return request


async def again(items: Sequence[Item], folder: Path) -> list[Checked]:
    return await ask_again(items, folder, inner=httpx.AsyncHTTPTransport(), prepare=as_it_is)


async def drifted(server: StreamingServer, tmp_path: Path, before: Reply, now: Reply) -> dict[str, tuple[str, str]]:
    """The findings by place: (severity, what)."""
    items = await recorded(server, tmp_path / "stored", before)
    server.serve(PATH, now)
    (checked,) = await again(items, tmp_path / "again")
    assert not checked.failure
    return {finding.place: (finding.severity.name, finding.what) for finding in checked.findings}


async def test_other_words_in_the_same_shape_are_no_drift(server: StreamingServer, tmp_path: Path) -> None:
    other = changed(id="2", usage={"prompt_tokens": 9, "completion_tokens": 900})
    other["choices"] = [{"index": 0, "message": {"role": "assistant", "content": "ho"}, "finish_reason": "stop"}]
    assert await drifted(server, tmp_path, whole(ANSWER), whole(other)) == {}


async def test_an_added_field_is_information_and_told_once(server: StreamingServer, tmp_path: Path) -> None:
    now = changed(usage={"prompt_tokens": 3, "completion_tokens": 4, "details": {"cached": 1, "audio": 0}})
    assert await drifted(server, tmp_path, whole(ANSWER), whole(now)) == {
        "usage.details": ("INFO", "was added: object")
    }


async def test_a_field_that_is_gone_is_a_warning(server: StreamingServer, tmp_path: Path) -> None:
    now = {key: value for key, value in ANSWER.items() if key != "usage"}
    assert await drifted(server, tmp_path, whole(ANSWER), whole(now)) == {
        "usage": ("WARNING", "is gone; it was object")
    }


async def test_a_changed_type_is_an_error(server: StreamingServer, tmp_path: Path) -> None:
    found = await drifted(server, tmp_path, whole(ANSWER), whole(changed(usage="7 tokens", id=1)))
    assert found["usage"] == ("ERROR", "changed its type: was object, is string")
    assert found["id"] == ("ERROR", "changed its type: was string, is number")


async def test_null_where_a_value_was_is_a_warning_and_the_other_way_information(
    server: StreamingServer, tmp_path: Path
) -> None:
    found = await drifted(server, tmp_path, whole(changed(note=None)), whole(changed(note="x", id=None)))
    assert found["note"] == ("INFO", "was null; it is string")
    assert found["id"] == ("WARNING", "is null; it was string")


async def test_a_new_finish_reason_is_a_warning_that_names_it(server: StreamingServer, tmp_path: Path) -> None:
    choice = {**ANSWER["choices"][0], "finish_reason": "pondering"}
    found = await drifted(server, tmp_path, whole(ANSWER), whole(changed(choices=[choice])))
    severity, what = found["choices[].finish_reason"]
    assert severity == "WARNING"
    assert "'pondering'" in what


async def test_a_word_that_another_recording_of_the_endpoint_says_is_no_news(
    server: StreamingServer, tmp_path: Path
) -> None:
    longer = changed(choices=[{**ANSWER["choices"][0], "finish_reason": "length"}])
    items = await recorded(server, tmp_path / "stored", whole(ANSWER), whole(longer))
    server.serve(PATH, whole(longer))
    first, second = await again(items, tmp_path / "again")
    assert (first.findings, second.findings) == ((), ())


async def test_another_model_that_answers_is_a_warning(server: StreamingServer, tmp_path: Path) -> None:
    found = await drifted(server, tmp_path, whole(ANSWER), whole(changed(model="small-2")))
    assert found["model"] == ("WARNING", "'small' was asked for: small-1 answered then, small-2 now")


async def test_a_stream_is_compared_by_kinds_of_events_not_by_their_number(
    server: StreamingServer, tmp_path: Path
) -> None:
    def piece(text: str, **more: Any) -> dict[str, Any]:
        return {"type": "piece", "delta": {"text": text}, **more}

    end = {"type": "end", "finish_reason": "stop"}
    before = streamed(piece("one "), piece("two"), end)
    same = await drifted(server, tmp_path / "a", before, streamed(piece("o"), piece("n"), piece("e"), end))
    other = await drifted(server, tmp_path / "b", before, streamed(piece("one", p="x"), {"type": "ping"}))
    assert same == {}
    assert other["piece/p"] == ("INFO", "was added: string")
    assert other["end/"] == ("WARNING", "is gone; it was object")
    assert other["(event)"][0] == "WARNING"


async def test_a_whole_answer_where_a_stream_was_is_an_error(server: StreamingServer, tmp_path: Path) -> None:
    found = await drifted(server, tmp_path, streamed({"type": "end"}), whole(ANSWER))
    assert found["content-type"] == ("ERROR", "was text/event-stream, is application/json")


async def test_an_error_where_an_answer_was_is_one_error(server: StreamingServer, tmp_path: Path) -> None:
    refusal = whole({"error": {"message": "no"}}, status="400 Bad Request")
    assert await drifted(server, tmp_path, whole(ANSWER), refusal) == {"status": ("ERROR", "was 200, is 400")}


async def test_a_changed_error_shape_is_drift_too(server: StreamingServer, tmp_path: Path) -> None:
    before = whole({"error": {"message": "no", "code": None}}, status="404 Not Found")
    now = whole({"detail": "no"}, status="404 Not Found")
    found = await drifted(server, tmp_path, before, now)
    assert found == {"detail": ("INFO", "was added: string"), "error": ("WARNING", "is gone; it was object")}


@pytest.mark.parametrize("status", ["401 Unauthorized", "429 Too Many Requests", "503 Service Unavailable"])
async def test_a_refused_key_or_a_busy_hour_is_no_drift(server: StreamingServer, tmp_path: Path, status: str) -> None:
    items = await recorded(server, tmp_path / "stored", whole(ANSWER))
    server.serve(PATH, whole({"error": "no"}, status=status))
    (checked,) = await again(items, tmp_path / "again")
    assert checked.failure == f"the provider answered {status}"
    assert checked.findings == ()


async def test_a_provider_that_cannot_be_reached_is_told_and_the_rest_is_asked(
    server: StreamingServer, tmp_path: Path
) -> None:
    items = await recorded(server, tmp_path / "stored", whole(ANSWER), whole(ANSWER))

    def refused_once(item: Item, request: httpx.Request) -> httpx.Request:
        if item.position == 0:
            raise CannotAskError("no key for it")
        return request

    checked = await ask_again(items, tmp_path / "again", inner=httpx.AsyncHTTPTransport(), prepare=refused_once)
    assert [each.failure for each in checked] == ["no key for it", ""]
    await server.stop()
    (lost, _) = await again(items, tmp_path / "later")
    assert lost.failure.startswith("ConnectError")


async def test_what_is_asked_again_is_what_was_asked_and_the_stored_cassette_stays(
    server: StreamingServer, tmp_path: Path
) -> None:
    items = await recorded(server, tmp_path / "stored", whole(ANSWER))
    before = (tmp_path / "stored/local/chat.yaml").read_bytes()
    asked = server.requests[-1]
    server.serve(PATH, whole(changed(id=7)))
    await again(items, tmp_path / "again")
    sent = server.requests[-1]
    assert (sent[0], sent[2]) == (asked[0], asked[2])
    assert (tmp_path / "stored/local/chat.yaml").read_bytes() == before
    (kept,) = Library(tmp_path / "again").read().items
    assert kept.provenance.scenario == "chat"
    assert b'"id": 7' in kept.interaction.answer.body


def test_the_sample_takes_every_endpoint_and_scenario_in_turn_the_oldest_first(tmp_path: Path) -> None:
    def one(q: int, scenario: str, date: str) -> Any:
        return authored_json(url="https://h.test/v1", request={"q": q}, response={}, scenario=scenario, date=date)

    cut = authored_sse(url="https://h.test/v1", request={"q": 9}, events=[SseEvent(data={})], cut=True, scenario="b")
    write_cassette(
        tmp_path,
        "p/x",
        [
            one(1, "a", "2026-02-01"),
            one(2, "a", "2026-01-01"),
            one(3, "b", "2026-03-01"),
            one(3, "b", "2026-03-01"),
            cut,
        ],
    )
    items = Library(tmp_path).read().items
    assert [item.position for item in sample(items, limit=9)] == [1, 2, 0]
    assert [item.position for item in sample(items, limit=2)] == [1, 2]
    assert sample(items, limit=0) == []


async def test_the_report_says_the_same_as_json_and_as_markdown(server: StreamingServer, tmp_path: Path) -> None:
    items = await recorded(server, tmp_path / "stored", whole(ANSWER))
    server.serve(PATH, whole(changed(id=1, **{"a|b": 1})))
    (checked,) = await again(items, tmp_path / "again")
    report = Report(checked=(checked,), expired=tuple(items))
    assert report.worst is Severity.ERROR
    told = document(report)
    assert told["worst"] == "error"
    assert [finding["severity"] for finding in told["recordings"][0]["findings"]] == ["error", "info"]
    assert (told["compared"], told["not_compared"], len(told["expired"])) == (1, 0, 1)
    text = markdown(report)
    assert "1 errors, 0 warnings, 1 additions" in text
    assert "a\\|b" in text
    assert "- too old: local/chat#0" in text


def test_items_of_a_list_share_one_shape_and_own_names_of_callers_have_none() -> None:
    body = b'{"a": [{"b": 1}, {"b": "x", "c": null}], "input": {"city": "Paris"}, "big": [[1.5], []]}'
    types = {path: sorted(kinds) for path, kinds in shape_of(body, "application/json").types.items()}
    assert types == {
        "": ["object"],
        "a": ["list"],
        "a[]": ["object"],
        "a[].b": ["number", "string"],
        "a[].c": ["null"],
        "input": ["object"],
        "big": ["list"],
        "big[]": ["list"],
        "big[][]": ["number"],
    }


def test_a_body_of_any_bytes_has_a_shape() -> None:
    deep = b'{"a":' * 5000 + b"1" + b"}" * 5000
    for body in (b"", b"\xff\x00", b"{", deep, b"[" * 100_000, b"data: {\n\n", b"\x00\x00\x00\x20" * 8):
        for kind in (
            "application/json",
            "text/event-stream",
            "application/x-ndjson",
            "",
            "application/vnd.amazon.eventstream",
        ):
            shape_of(body, kind)


def test_lines_of_json_are_events_without_a_kind() -> None:
    shape = shape_of(b'{"done":false}\n{"done":true,"done_reason":"stop"}\n', "application/x-ndjson")
    assert sorted(shape.types) == ["", "done", "done_reason"]
    assert shape.words["done_reason"] == frozenset({"stop"})
    assert union([shape, shape]) == shape


def test_an_identical_answer_compares_equal_to_itself(tmp_path: Path) -> None:
    write_cassette(tmp_path, "p/x", [authored_json(url="https://h.test/v1", request={}, response=ANSWER)])
    (item,) = Library(tmp_path).read().items
    assert compare(item, item.interaction) == Checked(item=item, live=item.interaction)
