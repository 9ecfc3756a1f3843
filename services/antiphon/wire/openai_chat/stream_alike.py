"""Chunks of a stream that are one another's equal, byte for byte, but for the text that they add.

Nearly all chunks of nearly all streams are. The first of them is parsed; those that follow need not be, and the texts
of a run of them are one text. Whatever is not exactly alike goes the parsing way; a test holds both to the same events.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import orjson

from antiphon.wire.jsontext import dumps
from antiphon.wire.openai_chat.stream_choice import StreamedChoice

_CONTENT: Final = re.compile(rb'"content": ?"')
_LEAD: Final = b"data: "
_END: Final = b"\n\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alike:
    """A chunk with a gap for its text.

    `before` and `after` are the data of its event, each with a quote of the text. Where the chunk is padded, `after`
    ends with the quote that opens the padding, and `tail` begins with the one that closes it; else both are empty.
    """

    before: bytes
    after: bytes
    padding: bytes
    tail: bytes
    choice: StreamedChoice

    def run(self, whole: bytes, at: int) -> tuple[list[bytes], int]:
        """The texts of the events from `at` on that are alike, as JSON writes them and without their quotes, and where
        the next event begins.

        What is given may yet be no text, or hold further events: see `joined`.
        """
        begin, end = _LEAD + self.before, self.after + self.padding + self.tail + _END
        opened, size = len(begin), len(end)
        raws: list[bytes] = []
        while whole.startswith(begin, at):
            start = at + opened
            closed = whole.find(self.after, start)
            if closed < 0:
                break
            if whole.startswith(end, closed):
                at = closed + size
            elif self.tail and (padded := self._padded(whole, closed + len(self.after))):
                at = padded
            else:
                break
            raws.append(whole[start:closed])
        return raws, at

    def _padded(self, whole: bytes, start: int) -> int:
        """Where the next event begins, behind a padding of another length; 0 where that is not all."""
        end = whole.find(_END, start)
        shut = end - len(self.tail)
        if end < 0 or shut < start or not whole.startswith(self.tail, shut):
            return 0
        return end + len(_END) if shut == start or whole[start:shut].isalnum() else 0

    def event(self, raw: bytes) -> bytes:
        """A whole event with this text."""
        return _LEAD + self.before + raw + self.after + self.padding + self.tail + _END


def alike(data: bytes, text: str, padding: Mapping[str, object], choice: StreamedChoice) -> Alike | None:
    """What the data of a chunk is, apart from its text; None where that cannot be told apart.

    `padding` are the fields of the chunk that say nothing.
    """
    places = list(_CONTENT.finditer(data))
    raw = dumps(text)
    if len(places) != 1 or data[(at := places[0].end() - 1) : at + len(raw)] != raw or b"\n" in data:
        return None
    before, after = data[: at + 1], data[at + len(raw) - 1 :]
    if len(padding) == 1:
        [(name, value)] = padding.items()
        found = list(re.finditer(rb'"%b": ?"' % name.encode(), data))
        end = found[0].end() - at - len(raw) + 1 if len(found) == 1 else 0
        if end > 0 and isinstance(value, str) and value.isalnum() and after.startswith(dumps(value), end - 1):
            said = value.encode()
            tail = after[end + len(said) :]
            return Alike(before=before, after=after[:end], padding=said, tail=tail, choice=choice)
    return Alike(before=before, after=after, padding=b"", tail=b"", choice=choice)


def joined(raws: list[bytes]) -> str | None:
    """Texts as JSON writes them, without their quotes, as one text; None where they hold an escape, or one is no text.

    Of bytes without a quote or a backslash, JSON asks for UTF-8 without control characters. No character may be cut in
    two by the end of a text, which joining would hide.
    """
    whole = raws[0] if len(raws) == 1 else b"".join(raws)
    if b"\\" in whole or b'"' in whole:
        return None
    try:
        if not whole.isascii():
            b" ".join(raws).decode()
        text: str = orjson.loads(b'"%b"' % whole)
    except ValueError:
        return None
    return text
