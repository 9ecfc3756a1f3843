"""What a client says of its own call: in headers, or in its base URL where an SDK sends no header of ours.

A base URL such as `http://127.0.0.1:PORT/~session=a&cassette=openai%2Fchat/openai/v1` carries the same words
as the headers `x-antiphon-session: a` and `x-antiphon-cassette: openai/chat`; a header wins.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any, Final
from urllib.parse import parse_qsl

from antiphon.harness.errors import BadRecordingCall
from antiphon.harness.modes import RecordingCall

HEADER: Final = "x-antiphon-"
SEGMENT: Final = "~"
"""How the first part of a path begins that holds settings."""

WORDS: Final = tuple(sorted(field.name for field in fields(RecordingCall) if field.name != "provider"))
"""What a client may say."""
_TRUTH: Final[Mapping[str, bool]] = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def settings_of(headers: Iterable[tuple[bytes, bytes]], segment: str) -> dict[str, Any]:
    """Return the settings of a call by the names of RecordingCall's fields. Raises BadRecordingCall."""
    said = dict(_of_segment(segment)) if segment else {}
    for raw, value in headers:
        name = raw.decode("latin-1").lower()
        if name.startswith(HEADER):
            said[name.removeprefix(HEADER)] = value.decode("utf-8", "replace")
    unknown = sorted(set(said) - set(WORDS))
    if unknown:
        raise BadRecordingCall(
            f"unknown setting {HEADER}{unknown[0][:40]}; known: {', '.join(HEADER + word for word in WORDS)}"
        )
    settings: dict[str, Any] = dict(said)
    if "repeat" in said:
        settings["repeat"] = _truth(said["repeat"])
    return settings


def _of_segment(segment: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(segment, keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError as error:
        raise BadRecordingCall(
            f"the settings {segment[:80]!r} in the path can't be read; write them as ~session=NAME&pace=none"
        ) from error


def _truth(word: str) -> bool:
    if word.lower() not in _TRUTH:
        raise BadRecordingCall(f"repeat is {word[:40]!r}; say true or false")
    return _TRUTH[word.lower()]
