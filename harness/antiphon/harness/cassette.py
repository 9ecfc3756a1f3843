"""The cassette file: vcrpy's format, read strictly and written so that a person can review it.

vcrpy's own serialisation does the format; this module is its serializer hook. It differs from vcrpy's
in three ways: bodies are literal blocks, whatever isn't safe or whole is an error that names its place
(vcrpy takes an undecodable file for an empty one and then overwrites it), and every text is read back
and compared before it is written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import vcr.serialize  # type: ignore[import-untyped]  # vcrpy ships no types
import yaml
from vcr.request import Request as VcrRequest  # type: ignore[import-untyped]

from antiphon.harness import rawform
from antiphon.harness.errors import CassetteUnreadable, RecordingRefused
from antiphon.harness.interaction import Interaction

MAX_BYTES: Final = 64 * 1024 * 1024
MAX_DEPTH: Final = 32
"""Deeper YAML overflows libyaml's C stack (100,000 brackets crash the process), and none is needed."""

Raw = dict[str, Any]
"""A response as vcrpy holds it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An interaction beside the vcrpy objects it came from, whose unknown keys survive a rewrite."""

    interaction: Interaction
    request: VcrRequest
    response: Raw


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """The content of one cassette file."""

    entries: tuple[Entry, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def interactions(self) -> tuple[Interaction, ...]:
        """The interactions in the order of the file."""
        return tuple(entry.interaction for entry in self.entries)

    def with_entries(self, entries: Sequence[Entry]) -> Document:
        """Return this document with other entries."""
        return replace(self, entries=tuple(entries))


def entry_of(interaction: Interaction) -> Entry:
    """Return a new entry for an interaction."""
    request, response = rawform.to_raw(interaction)
    return Entry(interaction=interaction, request=VcrRequest(**request), response=response)


def parse(content: bytes, *, file: str) -> Document:
    """Read a cassette; raises CassetteUnreadable. An empty file is unreadable too: it was cut short."""
    if len(content) > MAX_BYTES:
        raise CassetteUnreadable(file, f"it has {len(content)} bytes, the limit is {MAX_BYTES}")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise CassetteUnreadable(file, "it isn't UTF-8 text", line=line) from error
    _check_shape(text, file)
    try:
        requests, responses, *metadata = vcr.serialize.deserialize(text, _Serializer)
    except yaml.YAMLError as error:
        raise _unreadable(file, error) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error.__cause__, yaml.YAMLError):  # vcrpy wraps what its serializer hook raises
            raise _unreadable(file, error.__cause__) from error
        raise CassetteUnreadable(file, f"it isn't a vcrpy cassette of version 1 ({_brief(error)})") from error
    entries = []
    for position, (request, stored) in enumerate(zip(requests, responses, strict=True)):
        response = rawform.modern(stored)
        try:
            interaction = rawform.from_raw(request, response)
        except rawform.MalformedError as error:
            raise CassetteUnreadable(file, f"interaction {position}: {error}") from error
        entries.append(Entry(interaction=interaction, request=request, response=response))
    return Document(entries=tuple(entries), metadata=metadata[0] if metadata else {})


def render(document: Document, *, file: str) -> bytes:
    """Write a cassette as text that reads back as exactly these interactions.

    Raises RecordingRefused where even the binary form does not read back.
    """
    wanted = document.interactions
    for serializer in (_Serializer, _BinarySerializer):
        content = _serialized(document, serializer)
        try:
            if parse(content, file=file).interactions == wanted:
                return content
        except CassetteUnreadable:
            continue
    raise RecordingRefused(f"{file} was not written: what was recorded does not read back as itself")


def _serialized(document: Document, serializer: type[_Serializer]) -> bytes:
    tape: Raw = {
        "requests": [entry.request for entry in document.entries],
        # vcrpy turns the body into text in place, so it gets its own outer levels
        "responses": [{**e.response, "body": dict(e.response["body"])} for e in document.entries],
        "metadata": dict(document.metadata),
    }
    text: str = vcr.serialize.serialize(tape, serializer)
    return text.encode("utf-8")


def _check_shape(text: str, file: str) -> None:
    """Refuse, before any object is built, what the loader can't survive or must not construct."""
    depth = 0
    try:
        for event in yaml.parse(text, Loader=_Loader):
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > MAX_DEPTH:
                    raise CassetteUnreadable(
                        file, f"it nests deeper than {MAX_DEPTH} levels", line=_line(event.start_mark)
                    )
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            tag = getattr(event, "tag", None)
            if tag is not None and tag.startswith(_PYTHON_TAG):
                raise CassetteUnreadable(
                    file, "it holds a Python object, which is never loaded", line=_line(event.start_mark)
                )
    except yaml.YAMLError as error:
        raise _unreadable(file, error) from error


def _unreadable(file: str, error: yaml.YAMLError) -> CassetteUnreadable:
    line = _line(getattr(error, "problem_mark", None))
    return CassetteUnreadable(file, f"it isn't safe YAML ({_brief(error)})", line=line)


def _line(mark: Any) -> int | None:
    return mark.line + 1 if mark is not None else None


def _brief(error: Exception) -> str:
    text = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    return f"{type(error).__name__}: {' '.join(str(text).split())[:160]}"


class _Serializer:
    """vcrpy's serializer hook: safe YAML with the bodies as literal blocks."""

    binary: bool = False

    @classmethod
    def serialize(cls, data: Raw) -> str:
        bodies: list[str] = []
        interactions = [
            {"request": cls._lifted(item["request"], "body", bodies), "response": cls._response(item, bodies)}
            for item in data["interactions"]
        ]
        head = {key: value for key, value in data.items() if key not in ("interactions", "version")}
        whole = {"interactions": interactions, **head, "version": data["version"]}
        # One huge width: folding a long line would hide where a diff really changed.
        text = yaml.dump(whole, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1_000_000)
        return _PLACE.sub(lambda match: _literal(match["lead"], bodies[int(match["index"])]), text)

    @staticmethod
    def deserialize(text: str) -> Any:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - _Loader is the safe loader

    @classmethod
    def _response(cls, item: Raw, bodies: list[str]) -> Raw:
        response: Raw = item["response"]
        shown = {**response, "body": cls._lifted(response["body"], "string", bodies)}
        if isinstance(extra := shown.get(rawform.KEY), dict) and isinstance(extra.get("chunks"), list):
            shown[rawform.KEY] = {**extra, "chunks": _OneLine(extra["chunks"])}
        return shown

    @classmethod
    def _lifted(cls, holder: Raw, key: str, bodies: list[str]) -> Raw:
        """Put a mark where a text body stands, and keep the body for its literal block."""
        value = holder.get(key)
        if not isinstance(value, str) or not value:
            return holder
        if cls.binary:
            return {**holder, key: value.encode("utf-8")}
        if _NOT_LITERAL.search(value):
            return holder
        bodies.append(value)
        return {**holder, key: f"antiphon-body-{len(bodies) - 1}"}


class _BinarySerializer(_Serializer):
    """The fallback: every body base64, nothing left to the rules of YAML's scalars."""

    binary = True


def _literal(lead: str, text: str) -> str:
    """Return `key: |` and the text below it, indented by two more than the key."""
    indent = " " * (len(lead) - len(lead.lstrip(" ")) + 2)
    digit = "2" if text[0] in " \n" else ""  # else YAML would guess the indent from the first line
    chomp = "-" if not text.endswith("\n") else "+" if text.endswith("\n\n") or text == "\n" else ""
    lines = text.removesuffix("\n").split("\n")
    body = "\n".join(indent + line if line else "" for line in lines)
    return f"{lead}|{digit}{chomp}\n{body}"


class _OneLine(list[Any]):
    """A list written on one line."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # libyaml is optional
    """The safe loader: plain data only, unlike vcrpy's, which still builds some Python objects."""


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]  # libyaml is optional
    """The safe dumper, with one-line lists."""


_Dumper.add_representer(
    _OneLine, lambda dumper, data: dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=True)
)

_PYTHON_TAG: Final = "tag:yaml.org,2002:python/"
_PLACE: Final = re.compile(r"^(?P<lead> *(?:body|string): )antiphon-body-(?P<index>\d+)$", re.MULTILINE)
# A literal block keeps every character but these: other line breaks, a byte order mark, controls.
_NOT_LITERAL: Final = re.compile(
    "[^\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
