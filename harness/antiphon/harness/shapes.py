"""The shape of an answer: which fields it has and of what type, apart from what they say.

Two answers of a model never say the same, but a client that reads them depends on their fields, on the types of these
and on a few words such as finish reasons. A stream's shape is the union over its events, kind by kind, because how an
answer is cut into events is chance too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from antiphon.harness import framing, jsonbody

WORD_FIELDS: Final = frozenset(
    {
        "blockReason", "category", "code", "done_reason", "finishReason", "finish_reason", "modality",
        "native_finish_reason", "object", "phase", "probability", "role", "serviceTier", "service_tier", "severity",
        "status", "stopReason", "stop_reason", "trafficType", "type",
    }
)  # fmt: skip
"""Fields whose texts are words of a fixed set, as the providers of this format family name them."""

OPEN_FIELDS: Final = frozenset({"args", "arguments", "input", "logit_bias", "metadata", "labels"})
"""Fields whose objects hold the caller's own names, such as the arguments of a tool: no shape of the provider's."""

_WORD: Final = re.compile(r"[A-Za-z\[][A-Za-z0-9_.:/\-\]]{0,63}")
_LINE_END: Final = re.compile(rb"\r\n|\r|\n")
_MAX_DEPTH: Final = 64
_MAX_FIELDS: Final = 20_000
_EVENT: Final = "(event)"
_OPAQUE: Final = "bytes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Types by path, and words by path. Items of a list share the path `name[]`; events stand under `kind/`."""

    types: Mapping[str, frozenset[str]] = field(default_factory=dict)
    words: Mapping[str, frozenset[str]] = field(default_factory=dict)


class _Shaping:
    def __init__(self) -> None:
        self.types: dict[str, set[str]] = {}
        self.words: dict[str, set[str]] = {}

    def word(self, path: str, word: str) -> None:
        if _WORD.fullmatch(word):
            self.words.setdefault(path, set()).add(word)

    def add(self, path: str, value: jsonbody.Json) -> None:
        """Add a value; the walk keeps its own stack, so that a deep body cannot overflow Python's."""
        stack = [(path, "", value, 0)]
        while stack and len(self.types) < _MAX_FIELDS:
            place, name, item, depth = stack.pop()
            self.types.setdefault(place, set()).add(_kind(item))
            if isinstance(item, str) and name in WORD_FIELDS:
                self.word(place, item)
            if depth >= _MAX_DEPTH:
                continue
            if isinstance(item, dict) and name not in OPEN_FIELDS:
                for key, child in item.items():
                    stack.append((_below(place, key), key, child, depth + 1))
            elif isinstance(item, list):
                stack.extend((f"{place}[]", name, child, depth + 1) for child in item)

    def done(self) -> Shape:
        return Shape(
            types={path: frozenset(kinds) for path, kinds in self.types.items()},
            words={path: frozenset(words) for path, words in self.words.items()},
        )


def shape_of(body: bytes, content_type: str) -> Shape:
    """Return the shape of a body: JSON, server-sent events or JSON lines; anything else is opaque."""
    shaping = _Shaping()
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == "text/event-stream":
        for kind, data in _events(body):
            shaping.word(_EVENT, kind)
            _add_text(shaping, f"{kind}/", data)
    elif "ndjson" in media_type or "jsonl" in media_type:
        for line in filter(None, _LINE_END.split(body)):
            _add_text(shaping, "", line)
    elif media_type == "application/vnd.amazon.eventstream":
        for start, end in framing.spans(body, framing.Framing.FRAMES):
            _add_text(shaping, "data/", framing.payload(body[start:end], framing.Framing.FRAMES))
    elif body:
        _add_text(shaping, "", body)
    return shaping.done()


def union(shapes: Iterator[Shape] | list[Shape]) -> Shape:
    """Return what any of the shapes has."""
    whole = _Shaping()
    for shape in shapes:
        for path, kinds in shape.types.items():
            whole.types.setdefault(path, set()).update(kinds)
        for path, words in shape.words.items():
            whole.words.setdefault(path, set()).update(words)
    return whole.done()


def _add_text(shaping: _Shaping, path: str, text: bytes) -> None:
    try:
        shaping.add(path, jsonbody.parse(text))
    except jsonbody.NotJsonError:
        shaping.types.setdefault(path, set()).add(_OPAQUE)
        if len(text) <= 64:  # such as [DONE]
            shaping.word(path, text.decode("utf-8", "replace").strip())


def _events(body: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield (kind, data) of each event: its name, else the `type` in its data, else `data`."""
    name = ""
    data: list[bytes] = []
    for line in [*_LINE_END.split(body), b""]:
        if not line:
            if data:
                whole = b"\n".join(data)
                yield name or _type_in(whole), whole
            name, data = "", []
        elif line.startswith(b"data:"):
            data.append(line[5:].removeprefix(b" "))
        elif line.startswith(b"event:"):
            name = line[6:].strip().decode("utf-8", "replace")


def _type_in(data: bytes) -> str:
    try:
        value = jsonbody.parse(data)
    except jsonbody.NotJsonError:
        return "data"
    kind = value.get("type") if isinstance(value, dict) else None
    return kind if isinstance(kind, str) and _WORD.fullmatch(kind) else "data"


def _below(path: str, key: str) -> str:
    return f"{path}{jsonbody.below('', key)}" if path.endswith("/") else jsonbody.below(path, key)


def _kind(value: jsonbody.Json) -> str:
    if value is None:
        return "null"
    return next(name for kind, name in _KINDS if isinstance(value, kind))


_KINDS: Final[tuple[tuple[type, str], ...]] = (
    (bool, "bool"),  # before int, of which it is one
    (int, "number"),
    (float, "number"),
    (str, "string"),
    (list, "list"),
    (dict, "object"),
)
