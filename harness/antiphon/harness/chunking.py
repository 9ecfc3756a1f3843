"""Cuts a replayed body anew, so that a client can be tested against every way a network may cut it.

The bytes stay the same and so does the moment at which each one arrives: a piece arrives when its last byte did, and
pieces of one recorded chunk follow each other at once.
"""

from __future__ import annotations

import random
import re
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from antiphon.harness.errors import BadRecordingCall
from antiphon.harness.framing import Framing, framing_of, header, spans
from antiphon.harness.interaction import Answer, Chunks, RecordedRequest
from antiphon.harness.modes import RecordingCall
from antiphon.harness.playback import Playback

Cut = Callable[[Answer, "ChunkingWord"], Iterable[int]]
"""Returns the places where a body is cut: offsets in bytes, in any order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkingWord:
    """What a call asked for: the name, and its numbers."""

    name: str
    seed: int = 0
    most: int = 0


@lru_cache(maxsize=256)
def chunking_of(word: str) -> ChunkingWord:
    """Read a chunking such as `event` or `random;seed=7;most=40`; raises BadRecordingCall, which names them all."""
    name, *settings = (part.strip() for part in word.split(";"))
    if name not in _CUTS:
        raise BadRecordingCall(f"unknown chunking {word[:60]!r}; {_HELP}")
    numbers = {}
    for setting in settings:
        key, _, value = setting.partition("=")
        if key not in _SETTINGS.get(name, ()) or not re.fullmatch(r"[0-9]{1,9}", value):
            raise BadRecordingCall(f"the setting {setting[:40]!r} of chunking {name!r} can't be read; {_HELP}")
        numbers[key] = int(value)
    return ChunkingWord(name=name, **numbers)


class Chunking:
    """The shaper for the `chunking` of a call."""

    def idle(self, call: RecordingCall, /) -> bool:
        """Whether the body stays as it was recorded."""
        return call.chunking is None

    def passed(self, call: RecordingCall, /) -> None:
        """Nothing is counted here."""

    def shape(self, playback: Playback, asked: RecordedRequest, call: RecordingCall, /) -> Playback:
        """Return the playback with its body cut as the call asks. Raises BadRecordingCall."""
        if call.chunking is None:
            return playback
        answer = rechunked(playback.answer, chunking_of(call.chunking))
        return replace(playback, answer=answer, said={**playback.said, "chunking": call.chunking})


def rechunked(answer: Answer, word: ChunkingWord) -> Answer:
    """Return the answer with its body cut anew."""
    if word.name == RECORDED or not answer.answered:
        return answer
    size = len(answer.body)
    inner = sorted({cut for cut in _CUTS[word.name](answer, word) if 0 < cut < size})
    return replace(answer, chunks=tuple(_timed(answer, [*inner, size])))


def _timed(answer: Answer, ends: list[int]) -> Iterator[tuple[float, int]]:
    """Yield (delay, length) of the pieces that end there, each due when its last byte was."""
    recorded = iter(_arrivals(answer.chunks if answer.chunks is not None else ((0.0, len(answer.body)),)))
    arrived_end, arrival = 0, 0.0
    told = 0.0
    start = 0
    for end in ends:
        while arrived_end < end:
            arrived_end, arrival = next(recorded)
        if end > start:
            yield round(arrival - told, 3), end - start
            told, start = arrival, end
    for _, last in recorded:  # empty chunks at the end: the silence before the end stays
        arrival = last
    if arrival > told:
        yield round(arrival - told, 3), 0


def _arrivals(chunks: Chunks) -> Iterator[tuple[int, float]]:
    """Yield (end of the chunk in the body, milliseconds since the headers)."""
    end, moment = 0, 0.0
    for delay, length in chunks:
        end += length
        moment += delay
        yield end, moment


def _as_recorded(answer: Answer, word: ChunkingWord) -> Iterable[int]:
    return ()


def _in_one(answer: Answer, word: ChunkingWord) -> Iterable[int]:
    return ()


def _by_event(answer: Answer, word: ChunkingWord) -> Iterable[int]:
    return () if _compressed(answer) else (end for _, end in spans(answer.body, framing_of(answer)))


def _by_byte(answer: Answer, word: ChunkingWord) -> Iterable[int]:
    return range(1, len(answer.body))


def _by_chance(answer: Answer, word: ChunkingWord) -> Iterator[int]:
    chance = random.Random(word.seed)  # noqa: S311 - a seeded cut, no secret
    most = word.most or _MOST
    at = 0
    while (at := at + chance.randint(1, most)) < len(answer.body):
        yield at


def _inside_utf8(answer: Answer, word: ChunkingWord) -> Iterable[int]:
    """Before every byte of a character but its first: what starts with the bits 10."""
    return (found.start() for found in _CONTINUATION.finditer(answer.body))


def _inside_line_ends(answer: Answer, word: ChunkingWord) -> Iterable[int]:
    """Between CR and LF, and between the line ends of a blank line: what ends an event is in two pieces."""
    return (found.start() + 1 for found in _BETWEEN_ENDS.finditer(answer.body))


def _inside_frames(answer: Answer, word: ChunkingWord) -> Iterator[int]:
    """Inside lengths, checksums, headers and payload of each event-stream frame; inside each event of other streams."""
    framing = framing_of(answer)
    if _compressed(answer):
        return
    for start, end in spans(answer.body, framing):
        if framing is Framing.FRAMES and end - start >= _PRELUDE.size + 4:
            _, headers = _PRELUDE.unpack_from(answer.body, start)
            payload = start + 12 + headers
            inside = (*(start + n for n in (2, 4, 6, 8, 10, 12)), start + 12 + headers // 2, payload)
            yield from (cut for cut in (*inside, (payload + end - 4) // 2, end - 4, end - 2, end) if start < cut <= end)
        else:
            yield (start + end) // 2


def _everywhere(answer: Answer, word: ChunkingWord) -> Iterator[int]:
    for cut in (_inside_utf8, _inside_line_ends, _inside_frames):
        yield from cut(answer, word)


def _compressed(answer: Answer) -> bool:
    """Whether the bytes are not the text that the content type names, so that no event can be seen in them."""
    return header(answer, "content-encoding").lower() not in ("", "identity") and answer.body[:1] not in _TEXT_STARTS


RECORDED: Final = "recorded"
_CUTS: Final[Mapping[str, Cut]] = {
    RECORDED: _as_recorded,
    "blob": _in_one,
    "event": _by_event,
    "byte": _by_byte,
    "random": _by_chance,
    "split-utf8": _inside_utf8,
    "split-crlf": _inside_line_ends,
    "split-frame": _inside_frames,
    "split": _everywhere,
}
CHUNKINGS: Final = tuple(_CUTS)
"""The names of all chunkings."""

_SETTINGS: Final[Mapping[str, tuple[str, ...]]] = {"random": ("seed", "most")}
_MOST: Final = 32
"""Bytes in the largest piece of a random cut, unless the call says otherwise."""
_HELP: Final = f"one of {', '.join(_CUTS)}; random takes ;seed=NUMBER and ;most=BYTES"
_PRELUDE: Final = struct.Struct(">II")
_CONTINUATION: Final = re.compile(rb"[\x80-\xbf]")
_BETWEEN_ENDS: Final = re.compile(rb"\r(?=\n)|\n(?=[\r\n])")
_TEXT_STARTS: Final = (b"{", b"[", b"d", b"e", b":", b"i")
