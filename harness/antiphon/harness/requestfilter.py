"""Which requests are meant: one filter for plans of faults, for mocks, and for questions about captured requests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from typing import Any, Final, Self
from urllib.parse import urlsplit

from antiphon.harness import jsonbody
from antiphon.harness.errors import BadRecordingCall
from antiphon.harness.interaction import RecordedRequest
from antiphon.harness.requestfacts import model_of, wants_stream

Json = Any


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFilter:
    """All that is given has to fit; an empty filter fits every request.

    `url`, `model`, `provider` and the values of `headers` are patterns with `*` and `?`; a URL is compared without
    scheme and query, such as `api.openai.com/v1/*`. `body` is JSON that the body has to hold: members of an object may
    be more than these, lists have to be as long. `text` stands somewhere in the body. `session` is exact.
    """

    method: str = ""
    url: str = ""
    provider: str = ""
    model: str = ""
    stream: bool | None = None
    session: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Json = None
    text: str = ""

    @classmethod
    def of(cls, value: object, *, where: str) -> Self:
        """Read a filter from a mapping with the names of its fields. Raises BadRecordingCall naming the place."""
        if not isinstance(value, Mapping):
            raise BadRecordingCall(f"{where} has to be a mapping of {', '.join(each.name for each in fields(cls))}")
        known = {each.name: each for each in fields(cls)}
        if unknown := sorted(str(name) for name in value if name not in known):
            raise BadRecordingCall(f"{where} has {', '.join(unknown)}; known: {', '.join(known)}")
        for name, given in value.items():
            kind = _KINDS.get(name)
            if kind is not None and not isinstance(given, kind):
                raise BadRecordingCall(f"{where}.{name} is {given!r:.40}, which is no {_NAMES[kind]}")
        return cls(**value)

    def fits(self, asked: RecordedRequest, *, session: str = "", provider: str = "") -> bool:
        """Whether this request is meant."""
        return next(self.misfits(asked, session=session, provider=provider), None) is None

    def misfits(self, asked: RecordedRequest, *, session: str = "", provider: str = "") -> Iterator[str]:
        """What about the request does not fit, each in a few words."""
        parts = urlsplit(asked.url)
        place = f"{parts.netloc}{parts.path}"
        if self.session is not None and self.session != session:
            yield f"session is {session!r}, not {self.session!r}"
        if self.method and self.method.upper() != asked.method.upper():
            yield f"method is {asked.method}, not {self.method}"
        if self.url and not _like(place, self.url):
            yield f"url is {place!r}, not {self.url!r}"
        if self.provider and not _like(provider, self.provider):
            yield f"provider is {provider!r}, not {self.provider!r}"
        if self.model and not _like(found := model_of(asked), self.model):
            yield f"model is {found!r}, not {self.model!r}"
        if self.stream is not None and wants_stream(asked) is not self.stream:
            yield "it asks for a stream" if not self.stream else "it asks for no stream"
        sent = {name.lower(): value for name, value in asked.headers}
        for name, pattern in self.headers.items():
            if not _like(sent.get(name.lower(), ""), pattern):
                yield f"header {name} is {sent.get(name.lower())!r}, not {pattern!r}"
        if self.text and self.text.encode() not in asked.body:
            yield f"the body does not hold {self.text!r}"
        if self.body is not None:
            yield from _lacking(self.body, _value(asked.body), "body")


def _like(text: str, pattern: str) -> bool:
    return fnmatchcase(text, pattern)


def _value(body: bytes) -> Json:
    try:
        return jsonbody.parse(body)
    except jsonbody.NotJsonError:
        return None


def _lacking(wanted: Json, found: Json, path: str) -> Iterator[str]:
    if isinstance(wanted, Mapping):
        if not isinstance(found, dict):
            yield f"{path} is {_shown(found)}, not an object"
            return
        for key, value in wanted.items():
            if key not in found:
                yield f"{path}.{key} is missing"
            else:
                yield from _lacking(value, found[key], f"{path}.{key}")
    elif isinstance(wanted, list):
        if not isinstance(found, list) or len(found) != len(wanted):
            yield f"{path} is {_shown(found)}, not a list of {len(wanted)}"
            return
        for number, value in enumerate(wanted):
            yield from _lacking(value, found[number], f"{path}[{number}]")
    elif wanted != found or isinstance(wanted, bool) is not isinstance(found, bool):
        yield f"{path} is {_shown(found)}, not {_shown(wanted)}"


def _shown(value: Json) -> str:
    if isinstance(value, dict | list):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value)}"
    return f"{value!r:.60}"


_KINDS: Final[Mapping[str, type]] = {
    **dict.fromkeys(("method", "url", "provider", "model", "session", "text"), str),
    "stream": bool,
    "headers": Mapping,
}
_NAMES: Final[Mapping[type, str]] = {str: "text", bool: "true or false", Mapping: "mapping"}
