"""A folder of cassettes is listed, changed by hand, checked and thinned out, without taking a word on trust."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from antiphon.harness import (
    BadRecordingCall,
    CassetteTransport,
    CassetteUnreadable,
    Interaction,
    SecretFound,
    authored_json,
    write_cassette,
)
from antiphon.harness.age import expired, recorded_at
from antiphon.harness.holdings import Contents, prunable, stats
from antiphon.harness.interaction import Provenance
from antiphon.harness.library import Library, NoSuchRecording, authored

KEY = "sk-0123456789abcdefghij0123456789"
NOW = datetime(2026, 11, 21, tzinfo=UTC)


def exchange(q: str, *, date: str | None = "2026-11-01", scenario: str | None = "chat", host: str = "h") -> Interaction:
    return authored_json(
        url=f"https://{host}.test/v1/chat", request={"q": q}, response={"a": q}, scenario=scenario, date=date
    )


def recorded(interaction: Interaction, *, scenario: str) -> Interaction:
    """The exchange as a recorder would label it."""
    from dataclasses import replace

    said = Provenance(origin="recorded", recorded_at="2026-11-20T10:00:00Z", scenario=scenario)
    return replace(interaction, answer=replace(interaction.answer, provenance=said))


@pytest.fixture
def library(tmp_path: Path) -> Library:
    write_cassette(tmp_path, "one/chat", [exchange("a"), exchange("b", date="2026-01-01")])
    write_cassette(tmp_path, "two/chat", [exchange("c", date=None, scenario=None, host="other")])
    return Library(tmp_path)


def test_recordings_are_counted_by_provider_and_endpoint(library: Library) -> None:
    counts = stats(library.read())
    assert (counts.recordings, counts.cassettes, counts.undated) == (3, 2, 1)
    assert counts.by_endpoint == {
        ("one", "POST h.test/v1/chat"): 2,
        ("two", "POST other.test/v1/chat"): 1,
    }
    assert counts.by_scenario == {"": 1, "chat": 2}
    assert counts.oldest == datetime(2026, 1, 1, tzinfo=UTC)


def test_a_file_that_cannot_be_read_hides_no_other(library: Library) -> None:
    (library.root / "one/broken.yaml").write_bytes(b"\xff")
    contents = library.read()
    assert len(contents.items) == 3
    assert [Path(error.file).name for error in contents.unreadable] == ["broken.yaml"]
    with pytest.raises(CassetteUnreadable):
        library.find("one/broken")


@pytest.mark.parametrize(
    ("place", "labels"),
    [
        ("one/chat", ["one/chat#0", "one/chat#1"]),
        ("one/chat.yaml", ["one/chat#0", "one/chat#1"]),
        ("one/chat#1", ["one/chat#1"]),
        ("one/chat.yaml #1", ["one/chat#1"]),
        ("*/chat", ["one/chat#0", "one/chat#1", "two/chat#0"]),
    ],
)
def test_a_place_is_named_as_it_is_shown(library: Library, place: str, labels: list[str]) -> None:
    assert [item.label for item in library.find(place)] == labels


def test_a_place_that_is_not_there_names_what_is_near(library: Library) -> None:
    with pytest.raises(NoSuchRecording, match="near it: one/chat, two/chat"):
        library.find("three/chat")
    with pytest.raises(NoSuchRecording, match="holds 2 recordings"):
        library.find("one/chat#2")


async def test_what_is_put_by_hand_is_replayed_in_place_of_its_equal(library: Library) -> None:
    changed = authored_json(url="https://h.test/v1/chat", request={"q": "a"}, response={"a": "anew"})
    library.put("one/chat", [changed, exchange("d")])
    assert [item.interaction.answer.body for item in library.find("one/chat")] == [
        b'{"a":"b"}',
        b'{"a":"anew"}',
        b'{"a":"d"}',
    ]
    async with httpx.AsyncClient(transport=CassetteTransport(library.root)) as http:
        answer = await http.post("https://h.test/v1/chat", json={"q": "a"})
    assert answer.json() == {"a": "anew"}


def test_a_scenario_that_is_recorded_anew_loses_what_it_asked_before_and_nothing_else(library: Library) -> None:
    before = [recorded(exchange("old"), scenario="chat"), recorded(exchange("other"), scenario="tools")]
    library.put("one/chat", before)
    library.put("one/chat", [recorded(exchange("new"), scenario="chat")], scenario="chat")
    bodies = [item.interaction.request.body for item in library.find("one/chat")]
    assert bodies == [b'{"q":"a"}', b'{"q":"b"}', b'{"q":"other"}', b'{"q":"new"}'], "authored ones stay"


def test_matching_rules_of_the_folder_say_what_an_equal_request_is(library: Library) -> None:
    (library.root / "matching.yaml").write_text("version: 1\nignore: {body: [q]}\n")
    library.put("one/chat", [exchange("whatever")])
    assert len(library.find("one/chat")) == 1


def test_a_credential_is_not_put(library: Library) -> None:
    before = (library.root / "one/chat.yaml").read_bytes()
    with pytest.raises(SecretFound):
        library.put("one/chat", [exchange(KEY)])
    with pytest.raises(SecretFound):
        library.put("one/chat", [exchange("my own word")], secrets=["my own word"])
    assert (library.root / "one/chat.yaml").read_bytes() == before


def test_a_name_that_leaves_the_folder_is_refused(library: Library) -> None:
    with pytest.raises(BadRecordingCall):
        library.put("../escaped", [exchange("a")])


def test_recordings_are_removed_and_an_empty_cassette_goes(library: Library) -> None:
    assert library.remove(library.find("one/chat#0")) == 1
    assert [item.interaction.request.body for item in library.find("one/chat")] == [b'{"q":"b"}']
    assert library.remove(library.find("one/chat")) == 1
    assert not (library.root / "one/chat.yaml").exists()
    assert library.remove(library.read().items) == 1
    assert library.read() == Contents()


def test_a_recording_that_has_changed_since_it_was_read_is_left(library: Library) -> None:
    items = library.find("one/chat#0")
    write_cassette(library.root, "one/chat", [exchange("x"), exchange("y")])
    assert library.remove(items) == 0
    assert len(library.find("one/chat")) == 2


def test_a_missing_folder_is_empty(tmp_path: Path) -> None:
    empty = Library(tmp_path / "none")
    assert empty.read() == Contents()
    assert empty.verify() == []
    assert empty.orphans() == []


def test_a_sound_folder_has_no_problems(library: Library) -> None:
    assert library.verify() == []


def test_what_is_wrong_with_a_folder_is_named(library: Library) -> None:
    root = library.root
    (root / "one/cut.yaml").write_text("interactions: [")
    leaky = (root / "two/chat.yaml").read_text() + f"# {KEY}\n"
    (root / "two/chat.yaml").write_text(leaky)
    (root / "one/.chat.yaml.tmp").write_text("")
    (root / "one/blobs").mkdir()
    (root / "one/blobs" / ("0" * 64 + ".txt")).write_text("lost")
    (root / "plain.yaml").write_text(
        "interactions:\n- request: {method: GET, uri: 'https://h.test/', body: null, headers: {}}\n"
        "  response: {status: {code: 200, message: OK}, headers: {}, body: {string: hi}}\nversion: 1\n"
    )
    problems = {problem.place: problem for problem in library.verify()}
    assert sorted(problems) == [
        "one/.chat.yaml.tmp",
        f"one/blobs/{'0' * 64}.txt",
        "one/cut",
        "plain#0",
        "two/chat.yaml",
    ]
    assert [place for place, problem in problems.items() if not problem.warning] == ["one/cut", "two/chat.yaml"]
    assert KEY not in str(problems)


def test_a_blob_that_a_cassette_names_is_no_orphan(library: Library) -> None:
    large = authored_json(url="https://h.test/v1/file", response={"data": "AAAA" * 40_000})
    library.put("one/large", [large])
    blobs = list((library.root / "one/blobs").iterdir())
    assert library.orphans() == []
    (library.root / "one/large.yaml").unlink()
    assert library.orphans() == sorted(blobs)
    assert blobs, "nothing was large enough to be a blob, so this shows nothing"


def test_age_is_what_the_recording_says_whatever_its_file_says(library: Library) -> None:
    os.utime(library.root / "one/chat.yaml", (0, 0))
    young, old = library.find("one/chat")
    quarter = timedelta(days=90)
    assert not expired(young.interaction, older_than=quarter, now=NOW)
    assert expired(old.interaction, older_than=quarter, now=NOW)


def test_reading_never_makes_a_recording_young(library: Library) -> None:
    before = recorded_at(library.find("one/chat#1")[0].interaction)
    library.read()
    library.verify()
    library.put("one/chat", [exchange("unrelated")])
    assert recorded_at(library.find("one/chat")[1].interaction) == before == datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "moment"),
    [
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05+02:00", datetime(2026, 1, 2, 1, 4, 5, tzinfo=UTC)),
        ("2026-01-02 03:04:05", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02", datetime(2026, 1, 2, tzinfo=UTC)),
        ("last week", None),
        (None, None),
    ],
)
def test_a_date_is_read_in_every_usual_form(said: str | None, moment: datetime | None) -> None:
    assert recorded_at(exchange("a", date=said)) == moment


def test_prune_names_what_may_go_and_why(library: Library) -> None:
    items = library.read().items
    old = prunable(items, now=NOW, older_than=timedelta(days=90))
    assert [(item.label, reason) for item, reason in old] == [("one/chat#1", "it is 324 days old")]
    undated = prunable(items, now=NOW, older_than=timedelta(days=90), undated=True)
    assert [item.label for item, _ in undated] == ["one/chat#1", "two/chat#0"]
    unused = prunable(items, now=NOW, used=["one/chat.yaml #0", "one/chat#1"])
    assert [(item.label, reason) for item, reason in unused] == [("two/chat#0", "it was not used")]
    assert list(prunable(items, now=NOW)) == []


def test_what_is_stored_by_hand_says_so(library: Library) -> None:
    said = authored(recorded(exchange("a"), scenario="chat"), at="2026-11-21").answer.provenance
    assert said is not None
    assert (said.origin, said.recorded_at, said.scenario) == ("authored", "2026-11-21", "chat")
