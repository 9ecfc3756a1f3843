"""The kept index saves time and nothing else: with it or without it, stale or damaged, the same answers."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from antiphon.harness import (
    CassetteStore,
    CassetteUnreadable,
    Interaction,
    RecordedRequest,
    SseEvent,
    authored_json,
    authored_sse,
    cassette,
    files,
    folder,
    spans,
    write_cassette,
)

URL = "https://h.test/v1/chat"


def exchange(request: Any, n: int, *, size: int = 0, scenario: str | None = None) -> Interaction:
    return authored_json(url=URL, request=request, response={"n": n, "text": "é" * size}, scenario=scenario)


def store_of(root: Path, *, kept: bool = True, **settings: Any) -> CassetteStore:
    store = CassetteStore(root, index_in=root.parent / "kept" if kept else None, index_above=-1, **settings)
    store.load()
    return store


def asked(request: Any) -> RecordedRequest:
    return RecordedRequest(method="POST", url=URL, body=json.dumps(request, indent=2).encode())


def hear(store: CassetteStore, request: Any, *, session: str = "s", name: str | None = None) -> int | None:
    recording = store.take(asked(request), session=session, cassette_name=name, repeat=False)
    if recording is None:
        return None
    interaction = store.fetch(recording)
    assert interaction is not None
    return int(json.loads(interaction.answer.body)["n"])


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let files written just now count as old: a test cannot set the time of their inodes."""
    monkeypatch.setattr(folder, "YOUNG_NS", -(10**18))


def kept_file(root: Path) -> Path:
    (file,) = (root.parent / "kept").iterdir()
    return file


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "cassettes"
    write_cassette(folder, "a/many", [exchange({"q": n}, n, size=2000) for n in range(12)])
    write_cassette(folder, "a/one", [exchange({"q": 0}, 100)])
    write_cassette(folder, "b/one", [exchange({"q": 0}, 200), exchange({"x": 1}, 201)])
    return folder


def unparsed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("a file was parsed")

    monkeypatch.setattr(cassette, "parse", refuse)


@pytest.mark.usefixtures("settled")
def test_a_second_start_parses_no_file(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = store_of(root)
    with monkeypatch.context() as patch:
        unparsed(patch)
        second = store_of(root)
    assert [(r.label, r.key, r.endpoint) for r in second] == [(r.label, r.key, r.endpoint) for r in first]
    assert [hear(second, {"q": 0}) for _ in range(4)] == [0, 100, 200, None]
    assert hear(second, {"q": 11}) == 11


def test_a_file_written_just_now_is_known_by_its_content_not_its_time(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_of(root)
    path = root / "a/one.yaml"
    before = path.stat()
    text = path.read_text()
    with monkeypatch.context() as patch:
        unparsed(patch)
        store_of(root)
    with path.open("r+", encoding="utf-8") as stream:  # same inode, same size, same times
        stream.write(text.replace("100", "999"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert hear(store_of(root), {"q": 0}, name="a/one") == 999


@pytest.mark.usefixtures("settled")
def test_a_fresh_checkout_of_the_same_content_is_not_parsed_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store_of(root)
    shutil.copytree(root, root.parent / "copy")
    shutil.rmtree(root)
    (root.parent / "copy").rename(root)
    unparsed(monkeypatch)
    assert len(store_of(root)) == 15


@pytest.mark.usefixtures("settled")
def test_one_exchange_of_many_is_read_alone(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store_of(root)
    store = store_of(root)
    read: list[int] = []
    parse = cassette.parse

    def counted(content: bytes, **named: Any) -> cassette.Document:
        document = parse(content, **named)
        read.append(len(document.entries))
        return document

    monkeypatch.setattr(cassette, "parse", counted)
    assert hear(store, {"q": 7}) == 7
    assert read == [1]
    assert hear(store, {"q": 7}, session="other") == 7
    assert read == [1]


def replaced(root: Path) -> None:
    write_cassette(root, "a/one", [exchange({"q": 0}, 111)])


def removed(root: Path) -> None:
    (root / "a/one.yaml").unlink()


def added(root: Path) -> None:
    write_cassette(root, "c/new", [exchange({"q": 0}, 300)])


def ruled(root: Path) -> None:
    (root / "matching.yaml").write_text("ignore: {body: [user]}\n")


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("change", [replaced, removed, added, ruled])
def test_a_change_of_the_folder_is_seen_at_the_next_start_and_read_once(
    root: Path, change: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    store_of(root)
    change(root)
    with_index, without = store_of(root), store_of(root, kept=False)
    for request in ({"q": 0}, {"q": 0, "user": "u"}, {"x": 1}):
        heard = [hear(with_index, request) for _ in range(5)]
        assert heard == [hear(without, request) for _ in range(5)]
    unparsed(monkeypatch)
    store_of(root)
    assert sorted(json.loads(kept_file(root).read_bytes().partition(b"\n")[2])["files"]) == sorted(files.found(root))


@pytest.mark.usefixtures("settled")
def test_a_change_under_a_running_store_is_seen_when_the_exchange_is_read(root: Path) -> None:
    store = store_of(root, cache_bytes=0)
    assert hear(store, {"q": 3}) == 3
    write_cassette(root, "a/many", [exchange({"q": n}, n + 1000, size=1000) for n in range(12)])
    assert hear(store, {"q": 5}) == 1005
    write_cassette(root, "a/many", [exchange({"other": n}, n) for n in range(12)])
    recording = store.take(asked({"q": 6}), session="s", cassette_name=None, repeat=False)
    assert recording is not None
    assert store.fetch(recording) is None
    with pytest.raises(CassetteUnreadable, match="changed while it was in use"):
        _ = recording.interaction
    assert hear(store, {"q": 6}, session="t") is None
    assert hear(store, {"other": 6}) == 6


def reseal(file: Path, told: Any) -> None:
    payload = json.dumps(told).encode()
    file.write_bytes(hashlib.sha256(payload).hexdigest().encode() + b"\n" + payload)


@pytest.mark.usefixtures("settled")
def test_an_index_that_lies_about_a_key_is_found_out_when_the_exchange_is_read(root: Path) -> None:
    store = store_of(root)
    told = json.loads(kept_file(root).read_bytes().partition(b"\n")[2])
    wrong = store.matcher.key(asked({"forged": True}))
    told["files"]["a/one"][2][0][0] = wrong
    told["files"]["a/many"][2][3][0] = wrong
    reseal(kept_file(root), told)
    store = store_of(root)
    for session in ("s", "t"):
        recording = store.take(asked({"forged": True}), session=session, cassette_name=None, repeat=False)
        assert recording is not None
        assert store.fetch(recording) is None
    assert hear(store, {"forged": True}) is None
    assert hear(store, {"q": 0}, name="a/one") == 100
    assert hear(store, {"q": 3}) == 3


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize(
    "damage",
    [
        lambda told: [],
        lambda told: {**told, "format": 0},
        lambda told: {**told, "root": "/elsewhere"},
        lambda told: {**told, "words": [1, 2]},
        lambda told: {**told, "words": []},
        lambda told: {**told, "files": []},
        lambda told: {**told, "files": {"a/one": None}},
        lambda told: {**told, "files": {"a/one": [[1, 2, 3], "x", []]}},
        lambda told: {**told, "files": {"a/one": [[1, 2, 3, -4], "x", []]}},
        lambda told: {**told, "files": {"a/one": [[1, 2, 3, 4], 5, []]}},
        lambda told: {**told, "files": {"a/one": [None, "x", [["k", 0, 1, None, 0, "zz"]]]}},
        lambda told: {**told, "files": {"a/one": [None, "x", [["k", 0, 1, None, 0, "", 5]]]}},
        lambda told: {**told, "files": {"../../etc/passwd": told["files"]["a/one"]}},
    ],
)
def test_an_index_that_is_not_ours_counts_as_none(root: Path, damage: Callable[[Any], Any]) -> None:
    store_of(root)
    told = json.loads(kept_file(root).read_bytes().partition(b"\n")[2])
    reseal(kept_file(root), damage(told))
    store = store_of(root)
    assert [hear(store, {"q": 0}) for _ in range(4)] == [0, 100, 200, None]


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe\n{}", b"0" * 64 + b"\n{}", b"[" * 100_000])
def test_an_index_that_is_damaged_counts_as_none(root: Path, content: bytes) -> None:
    store_of(root)
    kept_file(root).write_bytes(content)
    assert len(store_of(root)) == 15


def test_a_cache_that_cannot_be_written_is_no_error(root: Path) -> None:
    (root.parent / "kept").write_text("a file, not a folder")
    assert len(store_of(root)) == 15


def test_the_index_lies_in_the_cache_and_small_folders_keep_none(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    CassetteStore(root).load()
    assert not (tmp_path / "cache").exists()
    CassetteStore(root, index_above=0).load()
    (kept,) = (tmp_path / "cache/antiphon/cassettes").iterdir()
    assert kept.name.endswith(".json")
    assert sorted(p.name for p in root.rglob("*") if p.is_file()) == [
        ".antiphon.lock", "many.yaml", "one.yaml", "one.yaml",
    ]  # fmt: skip


def test_the_index_of_a_folder_that_is_gone_is_cleared_away(root: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    write_cassette(other, "a/one", [exchange({"q": 1}, 1)])
    store_of(root)
    store_of(other)
    kept = tmp_path / "kept"
    (kept / "odd.json").write_text("not an index")
    assert len(list(kept.iterdir())) == 3
    shutil.rmtree(root)
    write_cassette(other, "a/two", [exchange({"q": 2}, 2)])
    store_of(other)
    assert len(list(kept.iterdir())) == 2


def test_an_unreadable_cassette_is_told_with_an_index_too(root: Path) -> None:
    store_of(root)
    (root / "a/bad.yaml").write_text("interactions: [\n")
    for _ in range(2):
        with pytest.raises(CassetteUnreadable, match=r"a/bad\.yaml"):
            store_of(root)


@pytest.mark.parametrize(
    "text",
    [
        "interactions:\n- &a {request: {method: GET, uri: u, body: null, headers: {}}, response: &r "
        "{status: {code: 200, message: ''}, headers: {}, body: {string: x}}}\n- {request: {method: GET, uri: v, "
        "body: null, headers: {}}, response: *r}\nversion: 1\n",
        'version: 1\ninteractions:\n- request: {method: GET, uri: u, body: "\n- x", headers: {}}\n  response: '
        "{status: {code: 200, message: ''}, headers: {}, body: {string: x}}\n",
    ],
)
def test_yaml_that_cannot_be_read_in_parts_is_read_whole(
    tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spans, "WORTH_BYTES", 0)
    (tmp_path / "x").mkdir()
    (tmp_path / "x/odd.yaml").write_text(text)
    wanted = cassette.parse(text.encode(), file="odd.yaml").interactions
    store = CassetteStore(tmp_path, cache_bytes=0)
    store.load()
    assert [recording.interaction for recording in store] == list(wanted)


REQUESTS = st.sampled_from([{"q": n} for n in range(4)] + [{"q": 0, "user": "u"}, {"q": 0, "user": "v"}])
NAMES = st.sampled_from(["a/one", "a/two", "b/one", "c"])
CONTENTS = st.dictionaries(NAMES, st.lists(st.tuples(REQUESTS, st.integers(0, 99)), min_size=1, max_size=5), max_size=4)
ASKED = st.lists(st.tuples(REQUESTS, st.sampled_from(["s", "t"]), st.none() | NAMES | st.just("one")), max_size=12)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=CONTENTS, after=CONTENTS, asks=ASKED, young=st.booleans(), ruled=st.booleans())
def test_with_or_without_the_index_the_answers_are_the_same(
    tmp_path_factory: pytest.TempPathFactory,
    before: dict[str, Any],
    after: dict[str, Any],
    asks: list[Any],
    young: bool,
    ruled: bool,
) -> None:
    root = tmp_path_factory.mktemp("folder") / "cassettes"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spans, "WORTH_BYTES", 0)
        if not young:
            patch.setattr(folder, "YOUNG_NS", -(10**18))
        for contents in (before, after):
            for name in files.found(root) if root.exists() else ():
                if name not in contents:
                    (root / f"{name}.yaml").unlink()
            for name, exchanges in contents.items():
                write_cassette(root, name, [exchange(request, n) for request, n in exchanges])
            root.mkdir(exist_ok=True)
            if ruled and contents is after:
                (root / "matching.yaml").write_text('overrides:\n- {cassettes: "a/*", ignore: {body: [user]}}\n')
            stores = [store_of(root), store_of(root, kept=False), store_of(root, cache_bytes=0)]
            for request, session, name in asks:
                heard = [hear(store, request, session=session, name=name) for store in stores]
                assert heard == [heard[0]] * 3
            misses = [store.nearest(asked({"q": 77})) for store in stores]
            assert len({(near.recording.label, *near.differences) if near else None for near in misses}) == 1


def test_a_streamed_answer_survives_being_read_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spans, "WORTH_BYTES", 0)
    events = [SseEvent(data={"n": n, "t": "é\n\n- x"}) for n in range(3)] + [SseEvent(data="[DONE]")]
    whole = [authored_sse(url=URL, request={"q": n}, events=events) for n in range(3)]
    path = write_cassette(tmp_path, "a/s", whole)
    content = path.read_bytes()
    found = spans.spans_of(content, whole, file=str(path))
    assert all(span is not None for span in found)
    assert [spans.read(content[s[0] : s[1]], file=str(path)) for s in found if s is not None] == whole
