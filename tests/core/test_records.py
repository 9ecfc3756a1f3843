"""Settings from plain data: what is taken, and what a wrong value says."""

from __future__ import annotations

from pathlib import Path

import pytest

from antiphon.core.errors import ServiceError
from antiphon.core.records import WrongError, read
from antiphon.core.settings import HttpSettings, LimitSettings, ProviderSettings, Settings
from antiphon.core.sources import from_environment


def test_texts_stand_for_numbers_truths_and_paths() -> None:
    given = {"pace": "0.5", "allow_anonymous": "Yes", "cassettes": "kept", "http_bounds": {"connections": "7"}}
    taken = read(Settings, given)
    assert (taken.pace, taken.allow_anonymous, taken.cassettes) == (0.5, True, Path("kept"))
    assert taken.http_bounds == HttpSettings(connections=7)


def test_what_is_not_said_has_its_default() -> None:
    assert read(Settings, {"limits": {"idle": 3}}) == Settings(limits=LimitSettings(idle=3.0))


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"pace": "fast"}, "pace"),
        ({"pace": True}, "pace"),
        ({"pace": "nan"}, "pace"),
        ({"pace": -1}, "pace"),
        ({"listen": 5}, "listen"),
        ({"listen": None}, "listen"),
        ({"mode": "rewind"}, "mode"),
        ({"allow_modes": "replay"}, "allow_modes"),
        ({"allow_modes": ["replay", "x"]}, "allow_modes.1"),
        ({"allow_anonymous": "maybe"}, "allow_anonymous"),
        ({"cassettes": 5}, "cassettes"),
        ({"limits": 5}, "limits"),
        ({"limits": {"connect": 0}}, "limits.connect"),
        ({"http_bounds": {"connections": 1.5}}, "http_bounds.connections"),
        ({"http_bounds": {"connections": "many"}}, "http_bounds.connections"),
        ({"aliases": ["a"]}, "aliases"),
        ({"aliases": {"a": 1}}, "aliases.a"),
        ({"providers": {"mine": {"embeddings": 3.5}}}, "providers.mine.embeddings"),
        ({"providers": {"mine": {"base_uri": "x"}}}, "providers.mine.base_uri"),
        ({"modus": "live"}, "modus"),
    ],
)
def test_a_wrong_value_is_named_by_its_path(given: dict[str, object], path: str) -> None:
    with pytest.raises(WrongError) as caught:
        read(Settings, given)
    assert [fault.path for fault in caught.value.faults] == [path]


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(WrongError, match=r"pace: .*; limits\.idle: .*; modus: "):
        read(Settings, {"pace": "fast", "limits": {"idle": 0}, "modus": "live"})


def test_what_may_be_of_two_types_is_the_first_that_fits() -> None:
    assert read(ProviderSettings, {"embeddings": True}).embeddings is True
    assert read(ProviderSettings, {"embeddings": "gemini_embeddings"}).embeddings == "gemini_embeddings"
    assert read(ProviderSettings, {"embeddings": None}).embeddings is None


@pytest.mark.parametrize(
    ("variables", "values"),
    [
        ({"ANTIPHON_PACE": "2"}, {"pace": "2"}),
        ({"antiphon_pace": "2"}, {"pace": "2"}),
        ({"ANTIPHON_ALLOW_MODES": '["replay"]'}, {"allow_modes": ["replay"]}),
        ({"ANTIPHON_ALIASES__FAST": "a/b"}, {"aliases": {"fast": "a/b"}}),
        (
            {"ANTIPHON_LIMITS": '{"connect": 3, "idle": 1}', "ANTIPHON_LIMITS__IDLE": "4"},
            {"limits": {"connect": 3, "idle": "4"}},
        ),
        ({"ANTIPHON_PROVIDERS__X__BASE_URL": "u"}, {"providers": {"x": {"base_url": "u"}}}),
        ({"ANTIPHON_PROVIDERS__X__QUIRKS": '{"a": 1}'}, {"providers": {"x": {"quirks": {"a": 1}}}}),
        ({"ANTIPHON_PROVIDERS__X__QUIRKS__A": "true"}, {"providers": {"x": {"quirks": {"a": True}}}}),
        ({"ANTIPHON_PROVIDERS__X__QUIRKS__A": "words"}, {"providers": {"x": {"quirks": {"a": "words"}}}}),
        ({"ANTIPHON_SERVER": "here:1", "OTHER": "x"}, {}),
    ],
)
def test_the_environment_spells_settings(variables: dict[str, str], values: dict[str, object]) -> None:
    assert from_environment(Settings, "ANTIPHON_", variables) == values


def test_a_variable_that_should_hold_json_is_named_without_its_value() -> None:
    with pytest.raises(ServiceError, match="ANTIPHON_CALLER_KEYS has to hold JSON") as caught:
        from_environment(Settings, "ANTIPHON_", {"ANTIPHON_CALLER_KEYS": "secret-thing"})
    assert "secret-thing" not in caught.value.message
