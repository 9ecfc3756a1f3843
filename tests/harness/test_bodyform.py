"""Bodies are written so that a person can read them, and their exact bytes are derived again."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.harness import (
    Answer,
    CassetteUnreadable,
    Interaction,
    RecordedRequest,
    SseEvent,
    authored_json,
    authored_sse,
    bodyform,
    cassette,
    write_cassette,
)
from antiphon.harness.blobs import FOLDER, BlobError, Blobs

VECTOR = [round(random.Random(7).uniform(-1, 1), 9) for _ in range(3072)]
ANSWER = {"model": "m", "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi, [you]: {ü}\n"}}]}


def text_of(*interactions: Interaction) -> str:
    return cassette.render(cassette.document_of(interactions), file="f.yaml").decode()


def test_compact_json_is_laid_out_with_short_objects_on_one_line() -> None:
    text = text_of(authored_json(url="https://h.test/", request=ANSWER, response=ANSWER))
    assert (
        "    body: |-\n"
        "      {\n"
        '        "model": "m",\n'
        '        "choices": [\n'
        "          {\n"
        '            "index": 0,\n'
        '            "message": {"role": "assistant", "content": "hi, [you]: {ü}\\n"}\n'
        "          }\n"
        "        ]\n"
        "      }\n"
    ) in text
    assert "bodies:\n        request: compact-json\n        response: compact-json\n" in text


def test_events_are_a_literal_block_whatever_their_line_ends() -> None:
    exchange = authored_sse(url="https://h.test/", request={}, events=[SseEvent(data={"n": n}) for n in (1, 2)])
    body = exchange.answer.body.replace(b"\n", b"\r\n")
    crlf = Interaction(request=exchange.request, answer=Answer(status=200, body=body))
    for interaction in (exchange, crlf):
        assert '      string: |+\n        data: {"n":1}\n\n        data: {"n":2}\n' in text_of(interaction)
    assert "response: crlf" in text_of(crlf)


def test_a_changed_member_is_one_changed_line_and_chunks_wrap() -> None:
    events = [SseEvent(data={"n": n}, delay_ms=n) for n in range(60)]
    text = text_of(authored_sse(url="https://h.test/", request={}, events=events))
    assert max(map(len, text.splitlines())) < 120
    one, two = (
        text_of(authored_json(url="https://h.test/", response={**ANSWER, "usage": {"total": total, "of": ["x" * 90]}}))
        for total in (41, 42)
    )
    assert sum(a != b for a, b in zip(one.splitlines(), two.splitlines(), strict=True)) == 1


@pytest.mark.parametrize(
    "body",
    [
        '{"a":1.0,"b":1e5,"c":-0.10,"d":12345678901234567890,"long":"' + "x" * 90 + '"}',
        '{"a": 1, "b": [1, {"c": [[], {}, [{}]]}], "long": "' + "x" * 90 + '"}',
        '{"a":1,"a":2,"esc":"\\u00e9\\/\\ud83d\\ude00\\"}","long":"' + "x" * 90 + '"}',
        '{"a":1,"long":"' + "x" * 90 + '"}\n',
        '{"a" :1,"long":"' + "x" * 90 + '"}',
        '{"a":1,"long":"' + "x" * 90 + '"',
        '{"a":1],"long":"' + "x" * 90 + '"}',
        '[{"a":1,"long":"' + "x" * 90 + '"},2]',
        '{"unterminated":"' + 'x\\"' * 90,
        "[" * 100 + "]" * 100,
        json.dumps(ANSWER, indent=2),
        json.dumps(ANSWER, indent=2).replace("\n", "\r\n"),
        "{" + "\r\n" * 60 + "}",
        '{"mark":"antiphon-blob:' + "0" * 64 + '.txt","long":"' + "x" * 20_000 + '"}',
    ],
)
def test_any_spelling_of_json_comes_back_byte_for_byte(body: str) -> None:
    exchange = Interaction(
        request=RecordedRequest(method="POST", url="https://h.test/", body=body.encode()),
        answer=Answer(status=200, headers=(("content-length", str(len(body.encode()))),), body=body.encode()),
    )
    assert cassette.parse(text_of(exchange).encode(), file="f").interactions == (exchange,)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=9), inner, max_size=6),
    max_leaves=40,
)


@settings(max_examples=300, deadline=None)
@given(value=JSON, spaced=st.booleans(), ascii_only=st.booleans(), end=st.sampled_from(["", "\n"]))
def test_any_json_is_derived_exactly_and_means_the_same_as_it_stands(
    value: Any, spaced: bool, ascii_only: bool, end: str
) -> None:
    separators = (", ", ": ") if spaced else (",", ":")
    body = json.dumps([value, "x" * 90], separators=separators, ensure_ascii=ascii_only) + end
    shown = bodyform.shown(body, None)
    assert shown is not None
    assert bodyform.exact(shown.text.encode(), shown.form, None) == body.encode()
    assert json.loads(shown.text) == json.loads(body)


@pytest.mark.parametrize(
    ("bodies", "problem"),
    [
        ({"response": "shout"}, "form 'shout' is unknown"),
        ({"response": ["crlf"]}, "must be a mapping"),
        ("crlf", "must be a mapping"),
        ({"response": "file"}, "is not the name of a blob"),
        ({"request": "blobs"}, "can't be read"),
    ],
)
def test_a_form_that_cannot_be_derived_is_unreadable(bodies: Any, problem: str) -> None:
    document = yaml.safe_load(text_of(authored_json(url="https://h.test/", request={}, response={})))
    document["interactions"][0]["response"]["antiphon"]["bodies"] = bodies
    document["interactions"][0]["request"]["body"] = '"antiphon-blob:' + "0" * 64 + '.txt"'
    with pytest.raises(CassetteUnreadable, match=problem):
        cassette.parse(yaml.safe_dump(document).encode(), file="f")


def saved(folder: Path) -> list[str]:
    return sorted(path.suffix for path in (folder / FOLDER).glob("*"))


def test_large_vectors_images_and_binary_lie_beside_the_cassette(tmp_path: Path) -> None:
    image = "data:image/png;base64," + "iVBORw0KGgo" * 2000
    asked = {"model": "m", "image": image, "prose": "words and spaces " * 2000}
    vectors = {"data": [{"embedding": VECTOR}, {"embedding": VECTOR}]}
    audio = Interaction(
        request=RecordedRequest(method="GET", url="https://h.test/audio"),
        answer=Answer(status=200, body=b"\xff\xfb\0" * 9000),
    )
    exchanges = [authored_json(url="https://h.test/", request=asked, response=vectors), audio]
    path = write_cassette(tmp_path, "a/b", exchanges)
    assert cassette.read(path).interactions == tuple(exchanges)
    text = path.read_text()
    assert "words and spaces words" in text
    assert len(text) < 40_000
    assert saved(tmp_path / "a") == [".bin", ".json", ".txt"]
    assert bodyform.blobs_in(text) == {blob.name for blob in (tmp_path / "a" / FOLDER).iterdir()}
    assert write_cassette(tmp_path, "a/b", exchanges).read_text() == text


def test_an_ordinary_vector_stays_and_fills_its_lines(tmp_path: Path) -> None:
    path = write_cassette(tmp_path, "b", [authored_json(url="https://h.test/", response={"embedding": VECTOR[:1000]})])
    assert saved(tmp_path) == []
    assert max(map(len, path.read_text().splitlines())) < 130


def test_a_blob_that_is_missing_or_changed_is_unreadable(tmp_path: Path) -> None:
    path = write_cassette(tmp_path, "b", [authored_json(url="https://h.test/", response={"e": VECTOR})])
    (blob,) = (tmp_path / FOLDER).iterdir()
    blob.write_bytes(blob.read_bytes()[:-1] + b" ")
    with pytest.raises(CassetteUnreadable, match="was changed"):
        cassette.read(path)
    blob.unlink()
    with pytest.raises(CassetteUnreadable, match="belongs beside the cassette"):
        cassette.read(path)


@pytest.mark.parametrize("name", ["../b.yaml", "/etc/passwd", "0" * 64, "0" * 64 + ".yaml", "0" * 64 + ".txt/.."])
def test_no_other_file_can_be_named_as_a_blob(tmp_path: Path, name: str) -> None:
    with pytest.raises(BlobError, match="not the name of a blob"):
        Blobs(tmp_path).get(name)


def test_a_small_file_cannot_name_a_large_blob_a_million_times(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    mark = f'"antiphon-blob:{blobs.put(b"x" * 1_000_000, "txt")}"'
    with pytest.raises(bodyform.FormError, match="larger than"):
        bodyform.exact(f"[{','.join([mark] * 1000)}]".encode(), "blobs", blobs)


def test_an_edited_layout_still_gives_the_compact_bytes() -> None:
    text = text_of(authored_json(url="https://h.test/", response=ANSWER)).replace(
        '"model": "m",\n', '"model":\n            "m",\n'
    )
    assert cassette.parse(text.encode(), file="f").interactions[0].answer.body == (
        json.dumps(ANSWER, separators=(",", ":"), ensure_ascii=False).encode()
    )
