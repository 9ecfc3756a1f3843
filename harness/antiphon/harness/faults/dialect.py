"""One provider's way of saying that something went wrong, as data: words by status, and templates of JSON.

In a template `$message`, `$type`, `$code`, `$status` and `$retry` stand for values. `?retry` does too, and takes the
object around it away where there is no such value.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

Json = Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A provider's words for one status."""

    type: str = ""
    code: str | None = None
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One provider's way of failing.

    `urls` is searched for in host and path. `words` are its words by status; `body` is its error, `headers` go with
    every one and `more_headers` with those of a status. `event` is the error inside a stream, where that is not the
    body, and `event_name` the name of that event. `exceptions` name, for binary streams, the frames of errors. `end`
    and `finish` find in a stream the events that end it, and those that say why the answer ended.
    """

    name: str
    urls: str
    words: Mapping[int, Word]
    body: Json
    headers: Mapping[str, str] = field(default_factory=dict)
    more_headers: Mapping[int, Mapping[str, str]] = field(default_factory=dict)
    event: Json = None
    event_name: str = ""
    exceptions: Mapping[int, str] = field(default_factory=dict)
    end: str = ""
    finish: str = ""

    def word(self, status: int, message: str = "") -> Word:
        """Its words for a status; the type of the nearest kind, and HTTP's words, where it has none of its own."""
        found = self.words.get(status)
        if found is not None:
            return Word(type=found.type, code=found.code, message=message or found.message or phrase(status))
        near = self.words.get(400 if status < 500 else 500, Word())
        return Word(type=near.type, message=message or phrase(status))

    def error(self, status: int, *, retry_after: float | None = None, message: str = "", array: bool = False) -> bytes:
        """The body of an error. `array`: the stream that it stands for would have been a JSON array."""
        filled = fill(self.body, self.word(status, message), status, retry_after)
        return compact([filled] if array else filled)

    def error_headers(self, status: int, *, retry_after: float | None = None) -> tuple[tuple[str, str], ...]:
        """The headers of an error."""
        own = {**self.headers, **self.more_headers.get(status, {})}
        headers = {"content-type": "application/json", **fill(own, self.word(status), status, None)}
        if retry_after is not None:
            headers["retry-after"] = f"{retry_after:g}"
        return tuple(headers.items())

    def stream_error(self, status: int, message: str = "") -> bytes:
        """The data of the event that ends a stream with an error."""
        return compact(fill(self.body if self.event is None else self.event, self.word(status, message), status, None))


def phrase(status: int) -> str:
    """HTTP's words for a status, or those that providers use for numbers of their own."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return PHRASES.get(status, "Error")


def fill(template: Json, word: Word, status: int, retry_after: float | None) -> Json:
    """A template with its values."""
    retry = None if retry_after is None else f"{retry_after:g}s"
    return _filled(
        template, {"message": word.message, "type": word.type, "code": word.code, "status": status, "retry": retry}
    )


def compact(value: Json) -> bytes:
    """JSON without white space."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _filled(template: Json, values: Mapping[str, Json]) -> Json:
    if isinstance(template, dict):
        wanted = [text[1:] for text in template.values() if isinstance(text, str) and text.startswith("?")]
        if any(values[name] is None for name in wanted):
            return _ABSENT
        members = {key: _filled(value, values) for key, value in template.items()}
        return {key: value for key, value in members.items() if value is not _ABSENT}
    if isinstance(template, list):
        items = [_filled(item, values) for item in template]
        return [item for item in items if item is not _ABSENT] or _ABSENT
    if isinstance(template, str) and template[:1] in ("$", "?") and template[1:] in values:
        return values[template[1:]]
    return template


_ABSENT: Final = object()
PHRASES: Final[Mapping[int, str]] = {498: "Invalid Token", 520: "Unknown Error", 529: "Overloaded"}
"""Words for numbers that HTTP does not know."""
