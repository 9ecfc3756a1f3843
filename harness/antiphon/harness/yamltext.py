"""The YAML text of a cassette: vcrpy's serializer hook, strict where it reads and readable where it writes.

A cassette from elsewhere is data. Before any object is built, the text is checked for what a loader can't
survive (depth, aliases that multiply, numbers that take minutes) or must not construct (Python objects).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import yaml

from antiphon.harness import bodyform, rawform
from antiphon.harness.blobs import Blobs
from antiphon.harness.errors import CassetteUnreadable

MAX_BYTES: Final = 64 * 1024 * 1024
MAX_DEPTH: Final = 32
"""Deeper YAML overflows libyaml's C stack (100,000 brackets crash the process), and none is needed."""

Raw = dict[str, Any]
"""A request or response as vcrpy holds it."""


class Serializer:
    """vcrpy's serializer hook: safe YAML with the bodies as literal blocks, laid out where that is readable.

    `plain` writes bodies as they are; `binary` leaves nothing to the rules of YAML's scalars. Both are what
    to fall back on where the readable form does not read back.
    """

    def __init__(self, *, blobs: Blobs | None = None, plain: bool = False, binary: bool = False) -> None:
        self._blobs = blobs
        self._plain = plain or binary
        self._binary = binary
        self._blocks: list[str] = []

    def serialize(self, data: Raw) -> str:
        """Return the text of what vcrpy's own serialisation prepared."""
        self._blocks = []
        interactions = [self._interaction(item) for item in data["interactions"]]
        head = {key: value for key, value in data.items() if key not in ("interactions", "version")}
        whole = {"interactions": interactions, **head, "version": data["version"]}
        # One huge width: folding a long line would hide where a diff really changed.
        text: str = yaml.dump(whole, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1_000_000)
        return _PLACE.sub(lambda match: _block(match["lead"], self._blocks[int(match["index"])]), text)

    def deserialize(self, text: str) -> Any:
        """Return the data of a checked text."""
        return load(text)

    def _interaction(self, item: Raw) -> Raw:
        request, response = dict(item["request"]), dict(item["response"])
        body = dict(response["body"])
        if not self._plain:
            self._show(request, response, body)
        extra = response.get(rawform.KEY)
        if isinstance(extra, dict) and isinstance(extra.get("chunks"), list) and extra["chunks"]:
            response[rawform.KEY] = {**extra, "chunks": self._place(_wrapped(extra["chunks"]))}
        self._lift(request, "body")
        self._lift(body, "string")
        response["body"] = body
        return {"request": request, "response": response}

    def _show(self, request: Raw, response: Raw, body: Raw) -> None:
        forms = {}
        for name, holder, key in (("request", request, "body"), ("response", body, "string")):
            shown = bodyform.shown(holder.get(key) or "", self._blobs)
            if shown is not None:
                if name == "response":
                    rawform.set_length(response, holder[key], shown.text)
                holder[key] = shown.text
                forms[name] = shown.form
        if forms:
            extra = dict(response.get(rawform.KEY) or {})
            ending = {key: extra.pop(key) for key in ("chunks", "provenance") if key in extra}
            response[rawform.KEY] = {**extra, rawform.BODIES: forms, **ending}

    def _lift(self, holder: Raw, key: str) -> None:
        """Put a mark where a text body stands, and keep the body for its literal block."""
        value = holder.get(key)
        if not isinstance(value, str) or not value:
            return
        if self._binary:
            holder[key] = value.encode("utf-8")
        elif not _NOT_LITERAL.search(value):
            holder[key] = self._place(_literal(value))

    def _place(self, block: str) -> str:
        self._blocks.append(block)
        return f"antiphon-place-{len(self._blocks) - 1}"


def load(text: str) -> Any:
    """Return the data of a text by the safe loader. Raises yaml.YAMLError, ValueError or RecursionError."""
    return yaml.load(text, Loader=_Loader)  # noqa: S506 - _Loader is the safe loader


def check(text: str, file: str) -> None:
    """Refuse, before any object is built, what the loader can't survive or must not construct.

    Raises CassetteUnreadable.
    """
    depth = 0
    weights = _Weights()
    try:
        for event in yaml.parse(text, Loader=_Loader):
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > MAX_DEPTH:
                    raise CassetteUnreadable(file, f"it nests deeper than {MAX_DEPTH} levels", line=_line(event))
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            tag = getattr(event, "tag", None)
            if tag is not None and tag.startswith(_PYTHON_TAG):
                raise CassetteUnreadable(file, "it holds a Python object, which is never loaded", line=_line(event))
            problem = weights.problem(event)
            if problem:
                raise CassetteUnreadable(file, problem, line=_line(event))
    except yaml.YAMLError as error:
        raise unreadable(file, error) from error


def unreadable(file: str, error: yaml.YAMLError) -> CassetteUnreadable:
    """Return the error for a text that isn't safe YAML, with its place."""
    mark = getattr(error, "problem_mark", None)
    line = mark.line + 1 if mark is not None else None
    return CassetteUnreadable(file, f"it isn't safe YAML ({brief(error)})", line=line)


def brief(error: Exception) -> str:
    """Return an error's class and problem on one short line."""
    text = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    return f"{type(error).__name__}: {' '.join(str(text).split())[:160]}"


class _Weights:
    """Counts what a document holds once its aliases are followed, which the length of the text doesn't bound."""

    def __init__(self) -> None:
        self._open: list[tuple[str | None, int]] = []
        self._anchored: dict[str, int] = {}
        self._total = 0

    def problem(self, event: yaml.Event) -> str:
        """Take an event; returns what is wrong with the document so far, or ""."""
        if isinstance(event, yaml.CollectionStartEvent):
            self._open.append((event.anchor, self._total))
            self._total += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = self._open.pop()
            if anchor is not None:
                self._anchored[anchor] = self._total - before
        elif isinstance(event, yaml.ScalarEvent):
            weight = len(event.value) + 1
            self._total += weight
            if event.anchor is not None:
                self._anchored[event.anchor] = weight
            if event.implicit[0] and len(event.value) > _LONGEST_NUMBER and _NUMBER.fullmatch(event.value):
                return "it holds a number of absurd length"
        elif isinstance(event, yaml.AliasEvent):
            if any(anchor == event.anchor for anchor, _ in self._open):
                return "it refers to itself"
            self._total += self._anchored.get(event.anchor or "", 0)
            if self._total > MAX_BYTES:
                return f"its aliases multiply to more than {MAX_BYTES} bytes"
        return ""


def _line(event: yaml.Event) -> int | None:
    return event.start_mark.line + 1 if event.start_mark is not None else None


def _block(lead: str, block: str) -> str:
    """Return `key: ` and a block, indented by two more than the key where it goes over several lines."""
    indent = " " * (len(lead) - len(lead.lstrip(" ")) + 2)
    first, *rest = block.split("\n")
    return "\n".join([lead + first, *(indent + line if line else "" for line in rest)])


def _literal(text: str) -> str:
    digit = "2" if text[0] in " \n" else ""  # else YAML would guess the indent from the first line
    chomp = "-" if not text.endswith("\n") else "+" if text.endswith("\n\n") or text == "\n" else ""
    return f"|{digit}{chomp}\n{text.removesuffix(chr(10))}"


def _wrapped(chunks: list[Any]) -> str:
    """Return the chunks as one flow sequence over as few lines as are readable."""
    return "[" + "\n".join(_filled([f"[{delay}, {length}]" for delay, length in chunks])) + "]"


def _filled(pieces: list[str]) -> Iterator[str]:
    line = ""
    for number, piece in enumerate(pieces):
        part = piece + ("," if number < len(pieces) - 1 else "")
        if line and len(line) + len(part) > _CHUNK_LINE:
            yield line
            line = part
        else:
            line = f"{line} {part}" if line else part
    yield line


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # libyaml is optional
    """The safe loader: plain data only, unlike vcrpy's, which still builds some Python objects."""


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]  # libyaml is optional
    """The safe dumper."""


_PYTHON_TAG: Final = "tag:yaml.org,2002:python/"
_LONGEST_NUMBER: Final = 400
# YAML reads 1:00:00... in base 60, which takes quadratic time.
_NUMBER: Final = re.compile(r"[-+]?[0-9][0-9_:.]*")
_CHUNK_LINE: Final = 100
_PLACE: Final = re.compile(r"^(?P<lead> *(?:body|string|chunks): )antiphon-place-(?P<index>\d+)$", re.MULTILINE)
# A literal block keeps every character but these: other line breaks, a byte order mark, controls.
_NOT_LITERAL: Final = re.compile(
    "[^\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
