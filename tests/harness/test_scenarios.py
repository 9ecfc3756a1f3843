"""A scenario file is read as data, and every mistake in it is named by its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from antiphon.harness.scenarios import Scenario, ScenarioError, Step, parse, read

GOOD = """
version: 1
models: {openai: {embeddings: small}}
prices: {openai/small: {input: 0.15, output: 0.6}}
scenarios:
  chat:
    about: One question.
    steps:
      - chat: {messages: [{user: hi}]}
      - then: {user: go on}
  vectors:
    feature: embeddings
    model: embeddings
    expect: MODEL_NOT_FOUND
    steps: [{embed: {inputs: [{text: a}]}}]
"""


def test_a_set_is_read_in_the_order_of_its_file() -> None:
    whole = parse(GOOD, file="set.yaml")
    assert whole.scenarios == (
        Scenario(
            name="chat",
            about="One question.",
            steps=(
                Step(kind="chat", ask={"messages": [{"user": "hi"}]}),
                Step(kind="chat", ask={}, then={"user": "go on"}),
            ),
        ),
        Scenario(
            name="vectors",
            about="",
            feature="embeddings",
            model="embeddings",
            expect=("MODEL_NOT_FOUND",),
            steps=(Step(kind="embed", ask={"inputs": [{"text": "a"}]}),),
        ),
    )
    assert whole.models == {"openai": {"embeddings": "small"}}
    assert whole.prices == {"openai/small": ("0.15", "0.6")}


def test_only_some_keep_their_order_and_an_unknown_one_is_named() -> None:
    whole = parse(GOOD, file="set.yaml")
    assert [each.name for each in whole.only(["vectors", "chat"])] == ["chat", "vectors"]
    assert whole.only([]) == whole.scenarios
    with pytest.raises(ScenarioError, match="no scenario 'caht'; there are: chat, vectors"):
        whole.only(["caht"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "set.yaml must be a mapping"),
        ("version: 2\nscenarios: {}", "version must be 1"),
        ("version: 1\nscenarios: {}\nmore: 1", "unknown more; known: "),
        ("version: 1\nscenarios: {A b: {steps: [{chat: {}}]}}", "a name is made of a-z"),
        ("version: 1\nscenarios: {a: {steps: []}}", "scenarios.a: steps must be a list"),
        ("version: 1\nscenarios: {a: {steps: [{}]}}", r"steps\[0\]: one of chat, stream"),
        ("version: 1\nscenarios: {a: {steps: [{chat: {}, embed: {}}]}}", r"steps\[0\]: one of"),
        ("version: 1\nscenarios: {a: {steps: [{then: {user: x}}]}}", "and this is the first"),
        ("version: 1\nscenarios: {a: {steps: [{chta: {}}]}}", r"steps\[0\]: unknown chta"),
        ("version: 1\nscenarios: {a: {stesp: []}}", "scenarios.a: unknown stesp"),
        ("version: 1\nprices: {a/b: {input: -1, output: 1}}\nscenarios: {}", "prices.a/b: input and output"),
        ("version: 1\nprices: {a/b: {input: 1}}\nscenarios: {}", "prices.a/b: input and output"),
        ("version: 1\nscenarios: {a: {steps: [{chat: &x {}}, {chat: *x}]}}", "anchors and aliases are not read"),
        ("version: 1\nscenarios: !!python/name:os.system {}", "not plain YAML"),
        ("a: [", "not plain YAML"),
        ("[" * 50_000, "not plain YAML"),
    ],
)
def test_a_mistake_is_named_by_its_place(text: str, said: str) -> None:
    with pytest.raises(ScenarioError, match=said):
        parse(text, file="set.yaml")


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="cannot be read: No such file"):
        read(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(ScenarioError, match="not UTF-8"):
        read(tmp_path / "latin.yaml")
