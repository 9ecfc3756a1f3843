"""The cassette file: vcrpy's format, read strictly and written so that a person can review it.

vcrpy's own serialisation does the format (`yamltext` is its serializer hook). Bodies stand in a readable
form from which their exact bytes are derived (`bodyform`); whatever isn't safe or whole is an error that
names its place (vcrpy takes an empty file for a missing one and records over it); and every text is read
back and compared before it is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import vcr.serialize  # type: ignore[import-untyped]  # vcrpy ships no types
import yaml
from vcr.request import Request as VcrRequest  # type: ignore[import-untyped]

from antiphon.harness import bodyform, files, rawform, yamltext
from antiphon.harness.blobs import BlobError, Blobs
from antiphon.harness.errors import CassetteUnreadable, RecordingRefused
from antiphon.harness.interaction import Interaction
from antiphon.harness.yamltext import MAX_BYTES, MAX_DEPTH

__all__ = ["MAX_BYTES", "MAX_DEPTH", "Document", "Entry", "entry_of", "parse", "read", "render", "save"]

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


def document_of(interactions: Sequence[Interaction]) -> Document:
    """Return a new document of interactions."""
    return Document(entries=tuple(entry_of(interaction) for interaction in interactions))


def read(path: Path) -> Document:
    """Read a cassette file; raises CassetteUnreadable, also for a file that can't be opened."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise CassetteUnreadable(str(path), f"it is larger than {MAX_BYTES} bytes")
        content = path.read_bytes()
    except OSError as error:
        raise CassetteUnreadable(str(path), error.strerror or "it can't be read") from error
    return parse(content, file=str(path))


def save(path: Path, document: Document) -> None:
    """Write a cassette and its blobs so that a crash leaves the old file or the new one, each whole.

    Raises RecordingRefused or OSError; the file is then as it was.
    """
    blobs = Blobs.beside(path)
    content = render(document, file=str(path), blobs=blobs)
    blobs.save()
    files.replace_file(path, content)


def parse(content: bytes, *, file: str, blobs: Blobs | None = None) -> Document:
    """Read a cassette's text; raises CassetteUnreadable. An empty one is unreadable too: it was cut short.

    `blobs` are those beside `file` unless given.
    """
    if len(content) > MAX_BYTES:
        raise CassetteUnreadable(file, f"it has {len(content)} bytes, the limit is {MAX_BYTES}")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise CassetteUnreadable(file, "it isn't UTF-8 text", line=line) from error
    yamltext.check(text, file)
    try:
        requests, responses, *metadata = vcr.serialize.deserialize(text, yamltext.Serializer())
    except yaml.YAMLError as error:
        raise yamltext.unreadable(file, error) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error.__cause__, yaml.YAMLError):  # vcrpy wraps what its serializer hook raises
            raise yamltext.unreadable(file, error.__cause__) from error
        problem = f"it isn't a vcrpy cassette of version 1 ({yamltext.brief(error)})"
        raise CassetteUnreadable(file, problem) from error
    beside = blobs if blobs is not None else Blobs.beside(Path(file))
    entries = []
    for position, (request, stored) in enumerate(zip(requests, responses, strict=True)):
        try:
            response = rawform.exact(request, rawform.modern(stored), beside)
            interaction = rawform.from_raw(request, response)
        except (rawform.MalformedError, bodyform.FormError, BlobError) as error:
            raise CassetteUnreadable(file, f"interaction {position}: {error}") from error
        entries.append(Entry(interaction=interaction, request=request, response=response))
    facts = metadata[0] if metadata else {}
    if not isinstance(facts, dict):
        raise CassetteUnreadable(file, "its metadata must be a mapping")
    return Document(entries=tuple(entries), metadata=facts)


def render(document: Document, *, file: str, blobs: Blobs | None = None) -> bytes:
    """Write a cassette as text that reads back as exactly these interactions.

    Large opaque parts go into `blobs`, which the caller saves; without it they stay in the text. Raises
    RecordingRefused where not even the binary form reads back.
    """
    wanted = document.interactions
    for serializer in (
        yamltext.Serializer(blobs=blobs),
        yamltext.Serializer(plain=True),
        yamltext.Serializer(binary=True),
    ):
        content = _serialized(document, serializer)
        try:
            if parse(content, file=file, blobs=blobs).interactions == wanted:
                return content
        except CassetteUnreadable:
            continue
    raise RecordingRefused(f"{file} was not written: what was recorded does not read back as itself")


def _serialized(document: Document, serializer: yamltext.Serializer) -> bytes:
    tape: Raw = {
        "requests": [entry.request for entry in document.entries],
        # vcrpy turns the body into text in place, so it gets its own outer levels
        "responses": [{**e.response, "body": dict(e.response.get("body") or {})} for e in document.entries],
        "metadata": dict(document.metadata),
    }
    text: str = vcr.serialize.serialize(tape, serializer)
    return text.encode("utf-8")
