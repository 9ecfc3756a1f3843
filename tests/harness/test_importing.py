"""Cassettes of other recorders are read as data and become antiphon's, byte for byte."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from antiphon.harness import (
    CassetteStore,
    CassetteTransport,
    CassetteUnreadable,
    RecordingCall,
    RecordingRefused,
    SecretFound,
)
from antiphon.harness.chunking import CHUNKINGS, chunking_of, rechunked
from antiphon.harness.importing import exchanges, import_file, import_folder
from antiphon.harness.secrets import ACCEPTED_NAME
from tests.harness.test_cassette import MULTIPLYING, RECORDINGS, corpus

ASKED, ANSWERED = b'{"q": "\xc3\xbc"}', b'{"a": "caf\xc3\xa9"}'
HEAD = {"Content-Type": ["application/json"]}
RESPONSE = {"status": {"code": 201, "message": "Created"}, "headers": HEAD}
REQUEST = {"method": "POST", "uri": "https://h.test/v1", "headers": {**HEAD, "Authorization": ["Bearer REDACTED"]}}

FOREIGN: dict[str, dict[str, Any]] = {
    "vcrpy": {
        "interactions": [
            {"request": {**REQUEST, "body": ASKED}, "response": {**RESPONSE, "body": {"string": ANSWERED.decode()}}}
        ],
        "version": 1,
    },
    "pydantic-ai": {
        "interactions": [
            {
                "request": {**REQUEST, "parsed_body": json.loads(ASKED)},
                "response": {**RESPONSE, "parsed_body": json.loads(ANSWERED)},
            }
        ],
        "version": 1,
    },
    "langchain": {
        "requests": [{**REQUEST, "body": ASKED.decode()}],
        "responses": [{**RESPONSE, "body": {"string": ANSWERED}}],
    },
    "go-vcr": {
        "version": 2,
        "interactions": [
            {
                "id": 0,
                "request": {"method": "POST", "url": "https://h.test/v1", "headers": HEAD, "body": ASKED.decode()},
                "response": {
                    "proto": "HTTP/2.0",
                    "headers": HEAD,
                    "body": ANSWERED.decode(),
                    "status": "201 Created",
                    "code": 201,
                    "duration": "1m2.5s",
                },
            }
        ],
    },
    "ruby-vcr": {
        "http_interactions": [
            {
                "request": {**REQUEST, "method": "post", "body": {"encoding": "UTF-8", "string": ASKED.decode()}},
                "response": {**RESPONSE, "body": {"base64_string": base64.b64encode(ANSWERED).decode()}},
                "recorded_at": "Mon, 01 Jan 2024 00:00:00 GMT",
            }
        ],
        "recorded_with": "VCR 6.2.0",
    },
}


@pytest.mark.parametrize("dialect", FOREIGN)
async def test_every_dialect_is_told_apart_and_replays(tmp_path: Path, dialect: str) -> None:
    source = tmp_path / "foreign.yaml"
    source.write_text(yaml.safe_dump(FOREIGN[dialect]))
    folder = tmp_path / "cassettes"
    done = import_file(source, folder, "old/one", licence="Apache-2.0")
    assert (done.cassette, done.interactions) == ("old/one", 1)
    (recording,) = loaded(folder)
    facts = recording.interaction.answer.provenance
    assert (facts.origin, facts.imported_from, facts.licence) == ("recorded", dialect, "Apache-2.0")
    assert "authorization" not in dict(recording.interaction.request.headers)
    at_once = RecordingCall(pace=0.0)
    async with httpx.AsyncClient(transport=CassetteTransport(folder, default=at_once)) as http:
        response = await http.post("https://h.test/v1", json={"q": "ü"})
    assert (response.status_code, response.reason_phrase, response.content) == (201, "Created", ANSWERED)


def test_what_a_dialect_alone_knows_is_kept() -> None:
    (go,) = exchanges(yaml.safe_dump(FOREIGN["go-vcr"]).encode(), file="f")
    assert (go.answer.headers_ms, go.answer.http_version) == (62_500.0, "HTTP/2.0")
    (ruby,) = exchanges(yaml.safe_dump(FOREIGN["ruby-vcr"]).encode(), file="f")
    assert ruby.answer.provenance is not None
    assert ruby.answer.provenance.recorded_at == "Mon, 01 Jan 2024 00:00:00 GMT"


@pytest.mark.parametrize("dialect", FOREIGN)
def test_a_packed_file_and_a_json_file_are_read_too(dialect: str) -> None:
    text = yaml.safe_dump(FOREIGN[dialect], sort_keys=False)
    plain = exchanges(text.encode(), file="f")
    assert exchanges(gzip.compress(text.encode()), file="f") == plain
    if "!!binary" not in text:
        assert exchanges(json.dumps(FOREIGN[dialect]).encode(), file="f") == plain


def test_rubys_own_binary_tag_is_read() -> None:
    text = yaml.safe_dump(FOREIGN["vcrpy"]).replace("!!binary", "!binary")
    assert "!binary" in text
    assert exchanges(text.encode(), file="f")[0].request.body == ASKED


@pytest.mark.parametrize(
    ("packed", "said"),
    [
        (gzip.compress(ANSWERED), "gzip"),
        (zlib.compress(ANSWERED), "deflate"),
        (ANSWERED, "gzip"),
        (ANSWERED, "br"),
    ],
    ids=["gzip", "deflate", "gzip, decoded already", "br, decoded already"],
)
def test_bodies_are_decoded_whatever_their_header_says(packed: bytes, said: str) -> None:
    document = foreign(body={"string": packed}, headers={"Content-Encoding": [said], "Content-Length": ["9999"]})
    (interaction,) = exchanges(yaml.safe_dump(document).encode(), file="f")
    assert interaction.answer.body == ANSWERED
    assert interaction.answer.headers == ()
    assert interaction.answer.provenance is not None
    assert interaction.answer.provenance.content_encoding == said


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "no mapping"),
        (b"[]", "no mapping"),
        (b"a: 1", "no known recorder"),
        (b"\xff", "isn't UTF-8"),
        (b"\x1f\x8bxx", "isn't whole gzip"),
        (b"interactions: !!python/object/apply:os.system [x]", "Python object"),
        (b"http_interactions: !ruby/object:Gem::Requirement {}", "isn't safe YAML"),
        (b"interactions: 3", "must be a list"),
        (b"requests: [1]\nresponses: []", "don't pair"),
        (b"interactions: [{}]", "lacks a request"),
        (b"interactions: [{request: {}, response: {}}]", "no URL"),
        (b"interactions: [{request: {uri: x}, response: {}}]", "no status code"),
        (b"interactions: [{request: {uri: x, body: [1]}, response: {code: 200}}]", "must be text or binary"),
        (b"interactions: [{request: {uri: x, headers: 1}, response: {code: 200}}]", "headers must be"),
        (b"interactions: [{request: {uri: x}, response: {code: 200, parsed_body: !!binary aGk=}}]", "isn't JSON"),
        (b"interactions: [{request: {uri: x}, response: {code: 200, body: !binary A}}]", "base64"),
        (MULTIPLYING.encode(), "aliases multiply"),
        (b"[" * 100_000, "nests deeper"),
    ],
)
def test_what_is_not_safe_whole_and_known_is_refused(content: bytes, problem: str) -> None:
    with pytest.raises(CassetteUnreadable, match=problem):
        exchanges(content, file="f")


def test_a_body_that_cannot_be_searched_is_refused() -> None:
    document = foreign(body={"string": b"\x8b\x05\x80\xff"}, headers={"Content-Encoding": ["br"]})
    with pytest.raises(CassetteUnreadable, match="can't be searched for secrets"):
        exchanges(yaml.safe_dump(document).encode(), file="f")


def test_a_gzip_bomb_is_refused() -> None:
    packed = gzip.compress(gzip.compress(b"\0" * 200_000_000))
    document = foreign(body={"string": gzip.decompress(packed)}, headers={"Content-Encoding": ["gzip"]})
    with pytest.raises(CassetteUnreadable, match="holds more than"):
        exchanges(yaml.safe_dump(document).encode(), file="f")


def test_a_credential_refuses_the_file_or_is_masked(tmp_path: Path) -> None:
    key = "sk-0123456789abcdefghij0123456789"
    source = tmp_path / "in"
    source.mkdir()
    (source / "bad one.yml").write_text(yaml.safe_dump(foreign(body={"string": f'{{"key":"{key}"}}'}, headers={})))
    (source / "good.yaml").write_text(yaml.safe_dump(FOREIGN["vcrpy"]))
    (source / "notes.txt").write_text("no cassette")
    first = {Path(done.source).name: done for done in import_folder(source, tmp_path / "out")}
    assert first.keys() == {"bad one.yml", "good.yaml"}
    assert isinstance(first["bad one.yml"].problem, SecretFound)
    assert first["good.yaml"].problem is None
    assert sorted(p.name for p in (tmp_path / "out").glob("*.yaml")) == ["good.yaml"]

    assert all(done.problem is None for done in import_folder(source, tmp_path / "out", scrub=True))
    (masked,) = [r for r in loaded(tmp_path / "out") if r.cassette == "bad-one"]
    body = masked.interaction.answer.body
    assert key.encode() not in body
    assert len(body) == len(f'{{"key":"{key}"}}')


def test_an_unwritable_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(yaml.safe_dump(FOREIGN["vcrpy"]))
    (tmp_path / "out").mkdir()
    (tmp_path / "out/a").write_text("a file, not a folder")
    with pytest.raises(RecordingRefused, match="was not written"):
        import_file(tmp_path / "good.yaml", tmp_path / "out", "a/b")


SLOW = 200_000
"""A byte at a time is for bodies below this."""


async def test_all_public_recordings_are_imported_and_replayed_byte_for_byte_at_every_chunking(tmp_path: Path) -> None:
    reader, rows = corpus()
    assert len(rows) >= 300
    # Audio whose base64 stands in a member of no telling name; both were looked at.
    (tmp_path / ACCEPTED_NAME).write_text("4506cfafd739af6d\n73542ff3d35b59e5\n")
    imported = {Path(done.source): done for done in import_folder(RECORDINGS, tmp_path) if "bodies" not in done.source}
    store = CassetteStore(tmp_path)
    store.load()
    kept = {(r.cassette, r.position): r.interaction for r in store}
    checked = 0
    async with httpx.AsyncClient(transport=CassetteTransport(store)) as http:
        for row in rows:
            done = imported[RECORDINGS / row["file"]]
            assert done.problem is None, done
            for position, exchange in enumerate(reader.exchanges(row["file"])):
                interaction = kept[str(done.cassette), position]
                wanted = exchange.response_body
                if wanted[:2] == b"\x1f\x8b" and "gzip" in exchange.header("content-encoding"):
                    wanted = gzip.decompress(wanted)
                assert interaction.request.body == exchange.request_body, row["file"]
                assert interaction.answer.status == exchange.status, row["file"]
                assert interaction.answer.body == wanted, row["file"]
                for word in CHUNKINGS if len(wanted) < SLOW else ("recorded", "blob", "event"):
                    chunks = rechunked(interaction.answer, chunking_of(word)).chunks
                    assert sum(length for _, length in chunks or ((0, len(wanted)),)) == len(wanted), (row, word)
                chunking = CHUNKINGS[checked % len(CHUNKINGS)] if len(wanted) < SLOW else "blob"
                request = interaction.request
                call = RecordingCall(cassette=done.cassette, chunking=chunking, session=f"{row['file']} {position}")
                replayed = await http.request(
                    request.method,
                    request.url,
                    content=request.body,
                    headers=list(request.headers),
                    extensions={"antiphon": call},
                )
                answers = [
                    i.answer.body
                    for (name, _), i in kept.items()
                    if name == done.cassette and store.matcher.key(i.request) == store.matcher.key(request)
                ]
                assert replayed.content == answers[0], (row["file"], chunking)
                checked += 1
    assert checked > 500


def loaded(folder: Path) -> list[Any]:
    store = CassetteStore(folder)
    store.load()
    return list(store)


def foreign(*, body: Any, headers: Any) -> dict[str, Any]:
    response = {"status": {"code": 200, "message": "OK"}, "headers": headers, "body": body}
    request = {"method": "POST", "uri": "https://h.test/v1", "headers": {}, "body": "{}"}
    return {"interactions": [{"request": request, "response": response}], "version": 1}
