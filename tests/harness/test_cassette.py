"""A cassette from elsewhere is data: whatever isn't safe and whole is an error that names its place."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.harness import Answer, CassetteUnreadable, Interaction, RecordedRequest, authored_json, cassette

RECORDINGS = Path(os.environ.get("ANTIPHON_RECORDINGS", Path(__file__).parents[3] / "shared/recordings"))
GOOD: dict[str, Any] = {
    "interactions": [
        {
            "request": {"method": "GET", "uri": "http://h.test/", "body": None, "headers": {}},
            "response": {
                "status": {"code": 200, "message": "OK"},
                "headers": {"A": ["1", "2"]},
                "body": {"string": "abc"},
                "antiphon": {"chunks": [[1, 1], [2.5, 2]], "outcome": "complete"},
            },
        }
    ],
    "version": 1,
}

MULTIPLYING = "a0: &a0 [xxxxxxxxx]\n" + "\n".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)
)


def parse(text: str) -> cassette.Document:
    return cassette.parse(text.encode(), file="f.yaml")


def test_the_good_one_is_read() -> None:
    (interaction,) = parse(yaml.safe_dump(GOOD)).interactions
    assert interaction.answer.chunks == ((1.0, 1), (2.5, 2))
    assert interaction.answer.headers == (("a", "1"), ("a", "2"))
    assert interaction.answer.body == b"abc"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "isn't a vcrpy cassette"),
        ("interactions: {", "line [12]: it isn't safe YAML"),
        ("interactions:\n- a\n b: [", "line 3: it isn't safe YAML"),
        ("interactions:\n- !!python/object/apply:os.system [x]", "line 2: it holds a Python object"),
        ("interactions:\n- !!python/tuple [x]", "line 2: it holds a Python object"),
        ("a: !!python/name:os.system", "line 1: it holds a Python object"),
        ("interactions:\n- !other x", "line 2: it isn't safe YAML"),
        ("[" * 100_000, "nests deeper"),
        ("{a: " * 50_000, "nests deeper"),
        ("\n".join(" " * n + "- " for n in range(500)), "nests deeper"),
        ("a: &a [*a]", "line 1: it refers to itself"),
        (MULTIPLYING, "its aliases multiply"),
        ("a: " + "1:00" * 200, "number of absurd length"),
        ("interactions: null", "isn't a vcrpy cassette"),
        ("- request: {}", "isn't a vcrpy cassette"),
        ("interactions:\n- request: {method: GET}\n  response: {}", "isn't a vcrpy cassette"),
    ],
)
def test_an_unsafe_or_broken_file_is_unreadable(text: str, problem: str) -> None:
    with pytest.raises(CassetteUnreadable, match=problem) as caught:
        parse(text)
    assert str(caught.value).startswith("cassette f.yaml")
    assert "record it again" in str(caught.value)


BROKEN: dict[str, tuple[tuple[Any, ...], Any]] = {
    "status.code": (("response", "status"), {"message": "OK"}),
    "response must be a mapping": (("response",), 3),
    "'int' object has no attribute 'encode'": (("response", "body"), {"string": 3}),
    "request.body must be": (("request", "body"), {"a": 1}),
    "'int' object has no attribute 'decode'": (("request", "uri"), 3),
    "response.headers must be": (("response", "headers"), [1]),
    "response.headers.A must be": (("response", "headers", "A"), [[1]]),
    "response.antiphon must be": (("response", "antiphon"), [1]),
    "chunks hold 4 bytes, the body 3": (("response", "antiphon", "chunks"), [[0, 4]]),
    "a chunk's length": (("response", "antiphon", "chunks"), [[0, -1]]),
    "a chunk's delay": (("response", "antiphon", "chunks"), [[float("inf"), 3]]),
    "a chunk must be": (("response", "antiphon", "chunks"), [3]),
    "outcome must be": (("response", "antiphon", "outcome"), "odd"),
    "needs a failure": (("response", "antiphon", "outcome"), "truncated"),
    "failure.error is unknown": (("response", "antiphon", "failure"), {"error": "SystemExit", "phase": "body"}),
    "provenance must be": (("response", "antiphon", "provenance"), "me"),
    "headers_ms must be": (("response", "antiphon", "headers_ms"), -1),
}


@pytest.mark.parametrize("problem", BROKEN)
def test_a_broken_interaction_is_named(problem: str) -> None:
    path, value = BROKEN[problem]
    document = yaml.safe_load(yaml.safe_dump(GOOD))
    place = document["interactions"][0]
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(CassetteUnreadable, match=problem):
        parse(yaml.safe_dump(document))


def test_a_file_beyond_the_bound_is_not_parsed() -> None:
    with pytest.raises(CassetteUnreadable, match="the limit is"):
        cassette.parse(b"#" * (cassette.MAX_BYTES + 1), file="f.yaml")


def test_keys_that_we_do_not_know_survive_a_rewrite() -> None:
    document = yaml.safe_load(yaml.safe_dump(GOOD))
    document["metadata"] = {"seed": 7}
    document["interactions"][0]["response"]["custom"] = {"kept": True}
    again = yaml.safe_load(cassette.render(parse(yaml.safe_dump(document)), file="f.yaml"))
    assert again["metadata"] == {"seed": 7}
    assert again["interactions"][0]["response"]["custom"] == {"kept": True}


def test_a_large_text_body_is_one_literal_block() -> None:
    exchange = authored_json(url="http://h.test/", request={"a": "x" * 300_000}, response={"b": "ü 😀" * 50_000})
    text = cassette.render(cassette.document_of([exchange]), file="f").decode()
    assert '    body: |-\n      {\n        "a": "xxx' in text
    assert '      string: |-\n        {\n          "b": "ü 😀ü' in text


TEXTS = st.text(
    alphabet=st.sampled_from(list(" \t\n\r#:-|>'\"{}[]&*!%@`,?aé\x85\u2028\ufeff\U0001f600\x00\x1b")), max_size=30
)


@settings(max_examples=300, deadline=None)
@given(asked=TEXTS | st.binary(max_size=30), answered=TEXTS | st.binary(max_size=30))
def test_any_body_reads_back_as_itself(asked: str | bytes, answered: str | bytes) -> None:
    first, second = (b.encode() if isinstance(b, str) else b for b in (asked, answered))
    exchange = Interaction(
        request=RecordedRequest(method="POST", url="http://h.test/", body=first),
        answer=Answer(status=200, body=second, chunks=((0.0, len(second)),)),
    )
    content = cassette.render(cassette.document_of([exchange, exchange]), file="f")
    assert cassette.parse(content, file="f").interactions == (exchange, exchange)


@settings(max_examples=300, deadline=None)
@given(content=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    try:
        cassette.parse(content, file="f")
    except CassetteUnreadable as error:
        assert str(error).startswith("cassette f")  # noqa: PT017 - any other exception is the failure


def corpus() -> tuple[ModuleType, list[dict[str, str]]]:
    if not (RECORDINGS / "reader.py").exists():
        pytest.skip(f"no recordings at {RECORDINGS}; set ANTIPHON_RECORDINGS to run this")
    spec = importlib.util.spec_from_file_location("recordings_reader", RECORDINGS / "reader.py")
    assert spec is not None
    assert spec.loader is not None
    reader = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = reader
    spec.loader.exec_module(reader)
    return reader, reader.index()


def test_vcrpy_recordings_from_the_public_are_read_and_rewritten_byte_for_byte() -> None:
    reader, rows = corpus()
    checked = 0
    for row in (row for row in rows if row["format"] == "vcrpy"):
        content = (RECORDINGS / row["file"]).read_bytes()
        document = cassette.parse(content, file=row["file"])
        again = cassette.parse(cassette.render(document, file=row["file"]), file=row["file"])
        assert again.interactions == document.interactions
        for exchange, interaction in zip(reader.exchanges(row["file"]), again.interactions, strict=True):
            assert interaction.request.body == exchange.request_body, row["file"]
            assert interaction.answer.status == exchange.status
            assert interaction.answer.body == exchange.response_body, row["file"]
            checked += 1
    assert checked > 100


def test_a_request_header_said_twice_is_one_that_means_the_same() -> None:
    twice = RecordedRequest(method="GET", url="http://h.test/", headers=(("accept", "a"), ("x", "1"), ("accept", "b")))
    assert twice.headers == (("accept", "a, b"), ("x", "1"))
    written = cassette.render(
        cassette.document_of([Interaction(request=twice, answer=Answer(status=200))]), file="c.yaml"
    )
    assert cassette.parse(written, file="c.yaml").interactions[0].request == twice
