"""The matrices: what is recorded for whom, what recordings show, and the forms in which that leaves."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

from antiphon.harness import authored_json, authored_sse, write_cassette
from antiphon.harness.conformance import Evidence, Verdict, conformance
from antiphon.harness.coverage import UNNAMED, coverage
from antiphon.harness.library import Library
from antiphon.harness.matrix import Cell, Matrix, State, html, markdown

URL = "https://h.test/v1"


def folder(tmp_path: Path) -> Library:
    write_cassette(tmp_path, "one/chat", [authored_json(url=URL, response={}, scenario="chat")])
    write_cassette(tmp_path, "two/tools", [authored_sse(url=URL, request={}, events=[], cut=True, scenario="tools")])
    write_cassette(tmp_path, "two/own", [authored_json(url=URL, response={})])
    return Library(tmp_path)


def test_the_empty_cells_are_named(tmp_path: Path) -> None:
    found = coverage(folder(tmp_path).read().items)
    assert found.matrix.rows == ["chat", "tools", UNNAMED]
    assert found.matrix.columns == ["one", "two"]
    assert found.missing == (("chat", "two"), ("tools", "one")), "applications' own recordings are no scenario"
    assert found.filled == 2
    assert "missing: chat x two" in found.matrix.notes


def test_a_wanted_scenario_or_provider_that_is_not_there_at_all_is_missing_too(tmp_path: Path) -> None:
    found = coverage(
        folder(tmp_path).read().items,
        scenarios=["embeddings", "chat"],
        providers=["three", "one"],
        not_offered=[("embeddings", "one")],
    )
    assert found.matrix.rows[:2] == ["embeddings", "chat"]
    assert found.matrix.columns == ["three", "one", "two"]
    assert ("embeddings", "three") in found.missing
    assert ("embeddings", "one") not in found.missing
    assert found.matrix.cell("embeddings", "one").state is State.NOT_OFFERED


def test_a_cell_says_when_its_recordings_are_authored_or_cut(tmp_path: Path) -> None:
    matrix = coverage(folder(tmp_path).read().items).matrix
    assert matrix.cell("chat", "one").text == "1, authored"
    assert matrix.cell("chat", "one").state is State.PARTIAL
    assert matrix.cell("tools", "two").state is State.BAD
    assert "cut or failed" in matrix.cell("tools", "two").text


def test_evidence_of_one_feature_adds_up_and_what_cannot_be_read_shows() -> None:
    matrix = conformance(
        [
            Evidence(provider="one", feature="tools", verdict=Verdict.SHOWN, label="one/a#0"),
            Evidence(provider="one", feature="tools", verdict=Verdict.NOT_SHOWN, label="one/a#1"),
            Evidence(provider="two", feature="tools", verdict=Verdict.SHOWN, label="two/a#0"),
            Evidence(provider="two", feature="tools", verdict=Verdict.UNREADABLE, label="two/a#1"),
            Evidence(provider="two", feature="vision", verdict=Verdict.REFUSED, label="two/b#0"),
        ],
        features=["vision", "audio"],
    )
    assert matrix.rows == ["vision", "audio", "tools"]
    assert (matrix.cell("tools", "one").text, matrix.cell("tools", "one").state) == (
        "1 shown, 1 not shown",
        State.GOOD,
    )
    assert matrix.cell("tools", "two").state is State.BAD
    assert matrix.cell("vision", "two").text == "1 refused"
    assert matrix.cell("audio", "one").state is State.EMPTY


HOSTILE = Matrix(
    title="<b>",
    corner="row",
    rows=["a|b", "<script>alert(1)</script>"],
    columns=['"x"'],
    cells={("a|b", '"x"'): Cell(state=State.GOOD, text="1\n2", detail='"><script>')},
    notes=["<i>note</i>"],
)


def test_markdown_keeps_a_name_from_breaking_the_table() -> None:
    lines = markdown(HOSTILE).splitlines()
    assert lines[2:6] == [
        '| row | "x" |',
        "| --- | --- |",
        "| a\\|b | 1 2 |",
        "| &lt;script&gt;alert(1)&lt;/script&gt; | - |",
    ]


def test_the_page_stands_alone_and_takes_no_name_for_markup() -> None:
    page = html(HOSTILE, title="a < b")
    seen: list[tuple[str, dict[str, str | None]]] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            seen.append((tag, dict(attrs)))

    Reader().feed(page)
    tags = [tag for tag, _ in seen]
    assert "script" not in tags
    assert "b" not in tags
    assert not any({"src", "href"} & attributes.keys() for _, attributes in seen), "nothing comes from elsewhere"
    assert [attributes.get("class") for tag, attributes in seen if tag == "td"] == ["good", "empty"]
