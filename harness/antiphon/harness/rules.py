"""`matching.yaml` in a cassette folder: what never counts when a request looks for its recording.

    version: 1
    ignore:
      body: [user, "messages[*].id", "**.created_at"]
      query: [api-version]
      path: ["/v1/threads/*/runs"]
      host: false
    alike: [uuid, date]
    overrides:
      - cassettes: "openai/*"
        scenario: weather
        ignore: {body: [metadata]}
        count: {body: [user]}

`ignore` holds what never counts, `alike` the shapes of text that count as equal (see volatile.SHAPES). An override
changes the rules for the recordings of some cassettes (a pattern over their names), of a scenario, or of both; its
`count` takes back what the rules above it ignore. Later overrides win.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

import yaml

from antiphon.harness import files, yamltext
from antiphon.harness.errors import CassetteUnreadable, RulesUnreadable
from antiphon.harness.matching import Matcher

_MAX_BYTES: Final = 16 * 1024
_KINDS: Final = ("body", "query", "path", "host")
_TOP: Final = ("version", "ignore", "alike", "overrides")
_OVERRIDE: Final = ("cassettes", "scenario", "ignore", "count", "alike")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What one block of rules adds (`ignore`, `alike`) and takes back (`count`)."""

    body: tuple[str, ...] = ()
    query: frozenset[str] = frozenset()
    path: tuple[str, ...] = ()
    host: bool | None = None
    alike: tuple[str, ...] | None = None
    counted_body: frozenset[str] = frozenset()
    counted_query: frozenset[str] = frozenset()
    counted_path: frozenset[str] = frozenset()

    def applied(self, to: Matcher) -> Matcher:
        """Return the rules with this change."""
        return replace(
            to,
            ignored_body=_added(to.ignored_body, self.body, self.counted_body),
            ignored_query=(to.ignored_query | self.query) - self.counted_query,
            paths=_added(to.paths, self.path, self.counted_path),
            alike=to.alike if self.alike is None else self.alike,
            any_host=to.any_host if self.host is None else self.host,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """A change for the recordings that its patterns name; an absent pattern names all."""

    cassettes: str | None = None
    scenario: str | None = None
    change: Change = field(default_factory=Change)

    def fits(self, cassette: str, scenario: str | None) -> bool:
        """Whether a recording of this cassette and scenario is meant."""
        named = self.cassettes is None or fnmatchcase(cassette, self.cassettes)
        return named and (self.scenario is None or fnmatchcase(scenario or "", self.scenario))


class MatchingRules:
    """The rules of one folder: one matcher for most recordings, others where an override says so."""

    def __init__(self, base: Matcher, overrides: tuple[Override, ...] = ()) -> None:
        self.base = base
        self.overrides = overrides
        self._known: dict[tuple[int, ...], Matcher] = {(): base}

    def of(self, cassette: str, scenario: str | None) -> Matcher:
        """Return the matcher for a recording; the same object for the same rules."""
        if not self.overrides:
            return self.base
        chosen = tuple(n for n, override in enumerate(self.overrides) if override.fits(cassette, scenario))
        if chosen not in self._known:
            matcher = self.base
            for number in chosen:
                matcher = self.overrides[number].change.applied(matcher)
            self._known[chosen] = next((known for known in self._known.values() if known == matcher), matcher)
        return self._known[chosen]


def load(root: Path, base: Matcher) -> MatchingRules:
    """Return the rules of a folder, `base` alone where it has no file; raises RulesUnreadable."""
    path = root / files.RULES_NAME
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return MatchingRules(base)
    except OSError as error:
        raise RulesUnreadable(str(path), error.strerror or "it can't be read") from error
    try:
        if len(content) > _MAX_BYTES:
            raise _BadRulesError(f"it is larger than {_MAX_BYTES} bytes")
        text = content.decode("utf-8")
        yamltext.check(text, str(path))
        whole = yamltext.load(text)
        given = _mapping({} if whole is None else whole, "the file", _TOP)
        if given.get("version", 1) != 1:
            raise _BadRulesError(f"version {given['version']!r} is unknown; this antiphon reads version 1")
        overrides = [_override(item, f"overrides[{n}]") for n, item in enumerate(_list(given, "overrides", "the file"))]
        top = _change({key: value for key, value in given.items() if key in ("ignore", "alike")}, "")
        rules = MatchingRules(top.applied(base), tuple(overrides))
        for number in range(len(overrides)):  # a path that can't be read is told now, not at the first lookup
            overrides[number].change.applied(rules.base)
    except CassetteUnreadable as error:
        raise RulesUnreadable(str(path), error.problem) from error
    except (ValueError, yaml.YAMLError, RecursionError) as error:  # of this module, of paths, of text, of YAML
        raise RulesUnreadable(str(path), _brief(error)) from error
    return rules


class _BadRulesError(ValueError):
    """The file isn't what the module's docstring shows."""


def _override(item: Any, place: str) -> Override:
    given = _mapping(item, place, _OVERRIDE)
    for name in ("cassettes", "scenario"):
        if name in given and not isinstance(given[name], str):
            raise _BadRulesError(f"{place}.{name} must be text, a name or a pattern such as 'openai/*'")
    return Override(
        cassettes=given.get("cassettes"), scenario=given.get("scenario"), change=_change(given, f"{place}.")
    )


def _change(given: dict[str, Any], place: str) -> Change:
    ignore = _mapping(given.get("ignore", {}), f"{place}ignore", _KINDS)
    count = _mapping(given.get("count", {}), f"{place}count", _KINDS)
    for where, block in (("ignore", ignore), ("count", count)):
        if not isinstance(block.get("host", False), bool):
            raise _BadRulesError(f"{place}{where}.host must be true or false")
    host: bool | None = ignore.get("host")
    return Change(
        body=_texts(ignore, "body", f"{place}ignore"),
        query=frozenset(name.lower() for name in _texts(ignore, "query", f"{place}ignore")),
        path=_texts(ignore, "path", f"{place}ignore"),
        host=False if count.get("host") else host,
        alike=_texts(given, "alike", place.rstrip(".") or "the file") if "alike" in given else None,
        counted_body=frozenset(_texts(count, "body", f"{place}count")),
        counted_query=frozenset(name.lower() for name in _texts(count, "query", f"{place}count")),
        counted_path=frozenset(_texts(count, "path", f"{place}count")),
    )


def _mapping(value: Any, place: str, known: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _BadRulesError(f"{place} must be a mapping")
    if unknown := sorted(str(key) for key in value if key not in known):
        raise _BadRulesError(f"{place} holds unknown keys {unknown}; known: {', '.join(known)}")
    return value


def _list(given: dict[str, Any], name: str, place: str) -> list[Any]:
    value = given.get(name, [])
    if not isinstance(value, list):
        raise _BadRulesError(f"{name} of {place} must be a list")
    return value


def _texts(given: dict[str, Any], name: str, place: str) -> tuple[str, ...]:
    values = _list(given, name, place)
    if not all(isinstance(value, str) for value in values):
        raise _BadRulesError(f"{name} of {place} must be a list of texts")
    return tuple(values)


def _added(old: tuple[str, ...], new: tuple[str, ...], counted: frozenset[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(item for item in (*old, *new) if item not in counted))


def _brief(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
