"""Chunks of a plain stream: what one says, and which others say the same but for their text.

A stream's chunks share a frame (all that stands before their choices) and nearly all differ in nothing but a text, and
perhaps in padding. So the frame is proven plain once a stream, what ends or begins a choice once a provider, and of
chunks with text only the first: the others are found by one match for all of them.
"""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

import orjson

from antiphon.wire.jsontext import JsonObject
from antiphon.wire.openai_chat.finish import OWN_WORDS
from antiphon.wire.openai_chat.relay import is_plain_frame
from antiphon.wire.openai_chat.stream import PADDING

END: Final = b"\n\n"
DATA: Final = b"data: "
NULL_USAGE: Final = b',"usage":null'
"""A member of an object and nothing else: within a text the quotes would be escaped."""

_CHOICES: Final = b'"choices":['
_OBJECT: Final = b"{" + _CHOICES
LAST: Final = b"}" + END
_AFTER: Final = PADDING | {"choices", "usage"}
"""What may stand in a chunk beside its frame."""
_CHOICE: Final = frozenset({"index", "delta", "finish_reason"})
_DELTA: Final = frozenset({"role", "content"})
_PADS: Final = tuple(b',"%b":"' % name.encode() for name in sorted(PADDING))

_PLAIN: Final = rb'[^"\\\x00-\x1f]*+'
_HEX: Final = rb"[0-9a-fA-F]"
_ESCAPED: Final = (
    rb'\\(?:["\\/bfnrt]|u(?:[0-9abcefABCEF]%(x)b{3}|[dD][0-7]%(x)b{2}'
    rb"|[dD][89abAB]%(x)b{2}\\u[dD][c-fC-F]%(x)b{2}))" % {b"x": _HEX}
)
_TEXT: Final = rb"%b(?:%b%b)*+" % (_PLAIN, _ESCAPED, _PLAIN)
"""What may stand within the quotes of a JSON string (RFC 8259, section 7), if it is UTF-8."""
_PIECE: Final = rb"([^\x00]*+)\x00"
_TEXTS: Final = re.compile(rb"%b%b(?>(?:\1%b\2)+)" % (_PIECE, _PIECE, _TEXT))
_PADDED: Final = re.compile(rb"%b%b%b(?>(?:\1%b\2%b\3)+)" % (_PIECE, _PIECE, _PIECE, _TEXT, _TEXT))
"""What stands around the texts is given in front, so that one pattern serves all streams: to compare with a group is
a loop in C, and compiling a pattern takes longer than to match it."""
_WINDOW: Final = 32 * 1024
"""Bytes that are looked at together; one chunk that is longer is parsed."""


class Said(NamedTuple):
    """What a chunk says of its one choice. `word` is how the choice ended, `usage` whether the chunk names its usage,
    which is null."""

    choice: int
    begins: bool
    text: str
    word: str | None
    usage: bool


class Kind(NamedTuple):
    """Chunks that differ in their text, and perhaps in their padding: what stands before, between and after.

    `before` begins after the frame where there is one, so that a kind serves other streams too.
    """

    choice: int
    before: bytes
    between: bytes
    after: bytes
    usage: bool

    def run(self, frame: bytes) -> Run:
        """The chunks of this kind in a stream."""
        parts = [frame + self.before, *([self.between] if self.between else ()), self.after]
        return Run(self.choice, b"\0".join([*parts, b""]), parts[0], bool(self.between), self.usage)


class Run(NamedTuple):
    """Finds chunks of a kind. `head` is what the pattern is given, `before` how each of them begins."""

    choice: int
    head: bytes
    before: bytes
    padded: bool
    usage: bool

    def end(self, data: bytes, start: int) -> int:
        """Where the chunks of this kind end that begin at `start`; `start` where there are none."""
        window = data[start : start + _WINDOW]
        found = (_PADDED if self.padded else _TEXTS).match(self.head + window)
        if found is None:
            return start
        size = found.end() - len(self.head)
        if not window.isascii():
            try:
                window[:size].decode()
            except UnicodeDecodeError:
                return start
        return start + size


class Chunks:
    """What was learned of a provider's chunks, for all of its streams: nothing that one stream alone says."""

    _MOST: Final = 64
    _LONGEST: Final = 1024

    def __init__(self) -> None:
        self.kind: Kind | None = None
        """The last kind that was learned. It is no more than a guess: what does not match it is read."""
        self._said: dict[bytes, Said] = {}

    def said(self, event: bytes, frame: bytes) -> tuple[Said | None, JsonObject | None]:
        """What a chunk says that begins with that frame and ends with `LAST`; and its choices and usage, where they
        had to be parsed. Nothing of both where more than these stands there."""
        rest = _unpadded(event[len(frame) : -len(LAST)])
        said = self._said.get(rest)
        if said is not None:
            return said, None
        try:
            chunk = orjson.loads(b"%b%b}" % (_OBJECT, rest))
        except orjson.JSONDecodeError:
            return None, None
        if chunk.keys() - _AFTER:
            return None, None
        said = said_by(chunk)
        if said is not None and not said.text and len(rest) <= self._LONGEST and len(self._said) < self._MOST:
            self._said[rest] = said
        return said, chunk


def parsed(event: bytes) -> JsonObject | None:
    """The JSON object of an event; None where it holds none."""
    try:
        chunk = orjson.loads(event[len(DATA) :])
    except orjson.JSONDecodeError:
        return None
    return chunk if type(chunk) is dict else None


def frame_of(chunk: JsonObject, event: bytes) -> bytes:
    """The event up to its choices, where that is all that is not theirs; else empty. `chunk` is a plain one."""
    names = list(chunk)
    at = names.index("choices")
    if not _AFTER.issuperset(names[at:]) or not _AFTER.isdisjoint(names[:at]):
        return b""
    end = event.find(_CHOICES)  # nothing before holds these quotes: names and values there are known or texts
    return event[: end + len(_CHOICES)] if end >= 0 and event.endswith(LAST) else b""


def is_framed(chunk: JsonObject) -> bool:
    """Whether a chunk is plain in all but its choices and usage."""
    padding = PADDING.intersection(chunk)
    if padding:
        if not all(type(chunk[name]) is str for name in padding):
            return False
        chunk = {name: value for name, value in chunk.items() if name not in padding}
    return is_plain_frame(chunk, "chat.completion.chunk")


def said_by(chunk: JsonObject) -> Said | None:
    """What a chunk says that has one plain choice; None for any other."""
    choices = chunk["choices"]
    if type(choices) is not list or len(choices) != 1 or chunk.get("usage") is not None:
        return None
    choice: Any = choices[0]
    if type(choice) is not dict or _says_more(choice, _CHOICE):
        return None
    index, delta, word = choice.get("index"), choice.get("delta"), choice.get("finish_reason")
    if type(index) is not int or type(delta) is not dict or "usage" in choice or _says_more(delta, _DELTA):
        return None
    text = delta.get("content")
    if text is not None and type(text) is not str:
        return None
    begins = "role" in delta
    if begins and delta["role"] != "assistant":
        return None
    if word is not None and (text or type(word) is not str or word not in OWN_WORDS):
        return None
    return Said(index, begins, text or "", word, "usage" in chunk)


def learned(said: Said, event: bytes, frame: bytes) -> Kind | None:
    """The kind of a chunk that adds text; None where its text cannot be told from what stands around it."""
    if said.usage and event.count(NULL_USAGE) != 1:
        return None
    chunk = orjson.loads(event[len(DATA) :])
    spans = [_place(b'"content":', said.text, event)]
    spans += [_place(b'"%b":' % name.encode(), chunk[name], event) for name in PADDING if name in chunk]
    if len(spans) > 2 or None in spans:
        return None
    (start, end), *more = sorted(span for span in spans if span is not None)
    if start < len(frame):
        return None
    before = event[len(frame) : start]
    if not more:
        return Kind(said.choice, before, b"", event[end:], said.usage)
    ((again, last),) = more
    return Kind(said.choice, before, event[end:again], event[last:], said.usage)


def without_usage(event: bytes) -> bytes:
    """A chunk that says null of its usage, for a client that asked for no usage and so expects no word of it."""
    if event.count(NULL_USAGE) == 1:
        return event.replace(NULL_USAGE, b"")
    chunk = orjson.loads(event[len(DATA) :])
    return DATA + orjson.dumps({name: value for name, value in chunk.items() if name != "usage"}) + END


def _unpadded(rest: bytes) -> bytes:
    """The rest of a chunk without padding at its end: what is no more than that is no letter."""
    for mark in _PADS:
        at = rest.rfind(mark)
        if at >= 0 and rest[at + len(mark) : -1].isalnum() and rest[-1:] == b'"':
            return rest[:at]
    return rest


def _place(key: bytes, text: str, event: bytes) -> tuple[int, int] | None:
    """Where the one value of a key begins and ends within its quotes; None where it cannot be told for sure."""
    at = event.find(key)
    if at < 0 or event.find(key, at + 1) >= 0:
        return None
    at += len(key)
    at += event[at] == 0x20
    raw = orjson.dumps(text)
    return (at + 1, at + len(raw) - 1) if event.startswith(raw, at) else None


def _says_more(data: JsonObject, known: frozenset[str]) -> bool:
    return bool([name for name, value in data.items() if value is not None and name not in known])
