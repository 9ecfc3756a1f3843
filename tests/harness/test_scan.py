"""A folder of cassettes is searched as a recording is: places are named, and nothing unread passes."""

from __future__ import annotations

from pathlib import Path

import pytest

from antiphon.harness import Answer, Interaction, RecordedRequest, authored_json, cassette, write_cassette
from antiphon.harness.blobs import FOLDER
from antiphon.harness.scan import Finding, scan

KEY = "sk-0123456789abcdefghij0123456789"


def unchecked(path: Path, body: bytes) -> None:
    """Write a cassette past the secret scan, as another tool would."""
    exchange = Interaction(
        request=RecordedRequest(method="GET", url="https://h.test/v1"), answer=Answer(status=200, body=body)
    )
    cassette.save(path, cassette.document_of([exchange]))


def test_a_clean_folder_has_no_findings(tmp_path: Path) -> None:
    write_cassette(tmp_path, "a/b", [authored_json(url="https://h.test/v1", response={"id": "x"})] * 2)
    found = scan(tmp_path)
    assert (found.files, found.interactions, found.findings) == (1, 2, ())


def test_a_credential_is_named_by_its_place_and_never_shown(tmp_path: Path) -> None:
    unchecked(tmp_path / "a/b.yaml", b'{"text":"my key is %s"}' % KEY.encode())
    found = scan(tmp_path)
    assert found.findings == (Finding(file="a/b.yaml", place="interaction 0: response.body at text"),)
    assert KEY not in str(found)


def test_a_value_that_is_known_to_be_secret_is_found(tmp_path: Path) -> None:
    unchecked(tmp_path / "b.yaml", b"plain words")
    assert scan(tmp_path).findings == ()
    assert scan(tmp_path, secrets=["plain words"]).findings


def test_comments_and_other_tools_keys_are_searched(tmp_path: Path) -> None:
    path = write_cassette(tmp_path, "b", [authored_json(url="https://h.test/v1", response={})])
    path.write_text(path.read_text() + f"# {KEY}\n")
    line = len(path.read_text().splitlines())
    assert scan(tmp_path).findings == (Finding(file="b.yaml", place=f"line {line}"),)


def test_blobs_are_searched_where_they_belong_and_where_they_lie(tmp_path: Path) -> None:
    unchecked(tmp_path / "b.yaml", b"\xff\0" * 20_000 + KEY.encode())
    places = {finding.file: finding.place for finding in scan(tmp_path).findings}
    (blob,) = (tmp_path / FOLDER).iterdir()
    assert places == {
        "b.yaml": "interaction 0: response.body",
        f"{FOLDER}/{blob.name}": "line 1",
    }


@pytest.mark.parametrize("content", [b"", b"\xff", b"a: !!python/name:os.system", b"interactions: {"])
def test_what_cannot_be_read_is_a_finding(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "b.yaml").write_bytes(content)
    (finding,) = scan(tmp_path).findings
    assert finding.place.startswith("it can't be searched")


def test_a_folder_that_is_not_there_was_not_searched(tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError):
        scan(tmp_path / "missing")
