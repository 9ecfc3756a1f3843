"""Settings: where they come from, which wins, and what a wrong one says."""

from __future__ import annotations

from pathlib import Path

import pytest

from antiphon.core.errors import Reason, ServiceError
from antiphon.core.settings import load


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONFIG", "MODE", "LISTEN", "ALIASES", "PACE"):
        monkeypatch.delenv(f"ANTIPHON_{name}", raising=False)


def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    path = tmp_path / "antiphon.yaml"
    path.write_text(text, encoding="utf-8")
    monkeypatch.setenv("ANTIPHON_CONFIG", str(path))


def test_explicit_wins_over_environment_over_file_over_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load().mode == "live"
    file(tmp_path, monkeypatch, "mode: record\npace: 0.5\n")
    assert load().mode == "record"
    monkeypatch.setenv("ANTIPHON_MODE", "replay")
    assert load().mode == "replay"
    assert load(mode="live").mode == "live"
    assert load(mode=None).mode == "replay"
    assert load().pace == 0.5


def test_a_file_takes_variables_with_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_MODEL", "openai/gpt-x")
    file(tmp_path, monkeypatch, "aliases: {fast: '${MY_MODEL}', slow: '${NOT_SET:-triton/ngram}'}\n")
    assert load().aliases == {"fast": "openai/gpt-x", "slow": "triton/ngram"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("mode: rewind\n", "mode"),
        ("modus: live\n", "modus"),
        ("aliases: {a: '${NOT_SET}'}\n", "NOT_SET"),
        ("- a list\n", "no settings by name"),
        ("a: [\n", "not YAML"),
        ("caller_keys: {me: plain-key}\n", "antiphon keys new"),
        ("limits: {connect: -1}\n", "limits.connect"),
        ("providers: {mine: {base_uri: x}}\n", "base_uri"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, says: str) -> None:
    file(tmp_path, monkeypatch, text)
    with pytest.raises(ServiceError) as caught:
        load()
    assert caught.value.reason is Reason.INVALID_REQUEST
    assert says in caught.value.message


def test_a_missing_file_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTIPHON_CONFIG", "/nowhere/antiphon.yaml")
    with pytest.raises(ServiceError, match=r"/nowhere/antiphon\.yaml"):
        load()
