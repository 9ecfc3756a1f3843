"""How a body is written so that a person can read it, and how its exact bytes are derived again.

vcrpy's format has one place for a body, and plain vcrpy replays what stands there. So the readable form
stands in that place and is equal by meaning: compact JSON is laid out, CRLF line ends become LF. The steps
that lead back to the exact bytes are noted beside it (`antiphon.bodies`), and each is tried before it is
used. One text, not two: an exact copy beside a readable one would double every diff, and could contradict it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from antiphon.harness.blobs import Blobs


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A body as it is written; `form` names the steps back, joined by '+', in their order."""

    text: str
    form: str


class FormError(ValueError):
    """A body can't be derived from what is written."""


def shown(body: str | bytes, blobs: Blobs | None) -> Shown | None:
    """Return the readable form of a body, None where the body is best written as it is.

    `blobs` takes what is too large to read: opaque strings, vectors and binary bodies of 16 KiB and more.
    """
    if isinstance(body, bytes):
        if blobs is None or len(body) < LARGE:
            return None
        return Shown(text=_MARK + blobs.put(body, "bin"), form=_FILE)
    steps: list[str] = []
    text = body
    if blobs is not None and (lifted := _without_blobs(text, blobs)) is not None:
        text = lifted
        steps.insert(0, _BLOBS)
    for name, (write, read) in _WRITTEN.items():
        written = write(text)
        if written is not None and written != text and read(written) == text:
            text = written
            steps.insert(0, name)
            break
    form = "+".join(steps)
    if not steps or exact(text.encode("utf-8"), form, blobs) != body.encode("utf-8"):
        return None
    return Shown(text=text, form=form)


def exact(stored: bytes, form: str, blobs: Blobs | None) -> bytes:
    """Return the body that a written form stands for.

    Raises FormError for what can't be derived; a blob that can't be had raises BlobError.
    """
    try:
        text = stored.decode("utf-8")
        if form == _FILE:
            return _needed(blobs).get(text.removeprefix(_MARK))
        for step in form.split("+"):
            if step == _BLOBS:
                text = _with_blobs(text, _needed(blobs))
            elif step in _WRITTEN:
                text = _WRITTEN[step][1](text)
            else:
                raise FormError(f"the form {step[:40]!r} is unknown to this version of antiphon")
    except UnicodeDecodeError as error:
        raise FormError("it isn't text") from error
    return text.encode("utf-8")


def blobs_in(content: str) -> frozenset[str]:
    """Return the names of the blobs that a cassette's text names."""
    return frozenset(_NAMED.findall(content))


def _needed(blobs: Blobs | None) -> Blobs:
    if blobs is None:
        raise FormError("it needs blobs, and there is no folder to read them from")
    return blobs


def _without_blobs(text: str, blobs: Blobs) -> str | None:
    """Return the text with marks for its large opaque parts, None where it has none or holds such a mark."""
    if len(text) < LARGE or _MARK in text:
        return None
    text, strings = _OPAQUE.subn(lambda match: f'"{_MARK}{blobs.put(match[1].encode(), "txt")}"', text)
    text, vectors = _VECTOR.subn(lambda match: f'"{_MARK}{blobs.put(match[0].encode(), "json")}"', text)
    return text if strings or vectors else None


def _with_blobs(text: str, blobs: Blobs) -> str:
    left = [MOST_BLOB_BYTES]

    def content(match: re.Match[str]) -> str:
        found = blobs.get(match[1]).decode("utf-8")
        left[0] -= len(found)
        if left[0] < 0:  # one small file could name a large blob a million times
            raise FormError(f"its blobs are larger than {MOST_BLOB_BYTES} bytes together")
        return f'"{found}"' if match[1].endswith(".txt") else found

    return _MARKED.sub(content, text)


def _laid_out(text: str) -> str | None:
    """Return one line of JSON as an indented block, None where the text isn't one line of JSON."""
    line = text.removesuffix("\n")
    if line[:1] not in ("{", "[") or "\n" in line or "\r" in line:
        return None
    tokens = _TOKEN.findall(line)
    closing = _closing(tokens)
    if closing is None or _one_line(tokens) is not None:  # what fits a line reads well as it is
        return None
    return "".join(_lines(tokens, closing)) + text[len(line) :]


def _closing(pieces: list[str]) -> dict[int, int] | None:
    """Return opening bracket -> closing bracket; None where they don't pair, or nest too deep to indent."""
    closing: dict[int, int] = {}
    open_at: list[int] = []
    for at, piece in enumerate(pieces):
        if piece in _PAIRS:
            open_at.append(at)
            if len(open_at) > _MOST_LEVELS:
                return None
        elif piece in ("}", "]"):
            if not open_at or _PAIRS[pieces[open_at[-1]]] != piece:
                return None
            closing[open_at.pop()] = at
    return closing if closing and not open_at else None


def _lines(pieces: list[str], closing: Mapping[int, int]) -> Iterator[str]:
    """Yield the pieces of the layout: short simple containers on one line, vectors filled, the rest indented."""
    indent = 0
    at = 0
    while at < len(pieces):
        piece = pieces[at]
        if piece in _PAIRS:
            inside = pieces[at : closing[at] + 1]
            if (line := _one_line(inside)) is not None:
                yield line
                at = closing[at]
            elif piece == "[" and len(inside) > 2 and all(_NUMBER.fullmatch(t) for t in inside[1:-1:2]):
                yield from _filled(inside, indent + 2)
                at = closing[at]
            else:
                indent += 2
                yield piece + "\n" + " " * indent
        elif piece in ("}", "]"):
            indent -= 2
            yield "\n" + " " * indent + piece
        elif piece == ",":
            yield ",\n" + " " * indent
        else:
            yield ": " if piece == ":" else piece
        at += 1


def _one_line(pieces: list[str]) -> str | None:
    """Return a container's text if it holds no filled container and fits one line."""
    if len(pieces) > _FITS or sum(map(len, pieces)) > _FITS:
        return None
    if any(t in _PAIRS and after not in ("}", "]") for t, after in pairwise(pieces[1:])):
        return None
    return "".join(_SPACED.get(piece, piece) for piece in pieces)


def _filled(pieces: list[str], indent: int) -> Iterator[str]:
    """Yield a vector with as many numbers on a line as fit."""
    lead = "\n" + " " * indent
    yield "[" + lead
    width = 0
    for piece in pieces[1:-1]:
        if width > _FILL and piece != ",":
            yield lead
            width = 0
        elif width and piece != ",":
            yield " "
        yield piece
        width += len(piece) + 1
    yield "\n" + " " * (indent - 2) + "]"


def _compact(text: str) -> str:
    end = "\n" if text.endswith("\n") else ""
    return _SPACE.sub(r"\1", text) + end


def _spaced(text: str) -> str:
    return _PUNCTUATION.sub(lambda match: match[1] or match[2] + " ", _compact(text))


def _without_returns(text: str) -> str | None:
    return text.replace("\r\n", "\n") if "\r\n" in text else None


LARGE: Final = 16 * 1024
"""Characters from which an opaque string or a vector is a blob. An ordinary 1,536-number vector stays."""
MOST_BLOB_BYTES: Final = 256 * 1024 * 1024
_FITS: Final = 88
_FILL: Final = 96
_MOST_LEVELS: Final = 64
_MARK: Final = "antiphon-blob:"
_NAMED: Final = re.compile(r"antiphon-blob:([0-9a-f]{64}\.(?:txt|json|bin))")
_FILE: Final = "file"
_BLOBS: Final = "blobs"
_MARKED: Final = re.compile(r'"antiphon-blob:([0-9a-f]{64}\.(?:txt|json))"')
_OPAQUE: Final = re.compile(rf'"((?:data:[\w/+.;=\-]{{0,100}},)?[A-Za-z0-9+/_\-]{{{LARGE},}}+={{0,2}})"')
_VECTOR: Final = re.compile(rf"\[[0-9.eE+\-, ]{{{LARGE},}}+\]")
_PAIRS: Final = {"{": "}", "[": "]"}
_SPACED: Final = {",": ", ", ":": ": "}
# A string that never ends is one token to the end, so that no text takes more than one pass.
_STRING: Final = r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\Z)'
_TOKEN: Final = re.compile(_STRING + r"|[{}\[\],:]|[^\s{}\[\],:\"]+", re.DOTALL)
_SPACE: Final = re.compile(f"({_STRING})|[ \n]+", re.DOTALL)
_PUNCTUATION: Final = re.compile(f"({_STRING})|([,:])", re.DOTALL)
_NUMBER: Final = re.compile(r"-?[0-9.]+(?:[eE][+\-]?[0-9]+)?")
_WRITTEN: Final[Mapping[str, tuple[Callable[[str], str | None], Callable[[str], str]]]] = {
    "compact-json": (_laid_out, _compact),
    "spaced-json": (_laid_out, _spaced),
    "crlf": (_without_returns, lambda text: text.replace("\n", "\r\n")),
}
"""Step -> (how it is written, how it is read). The first whose reading gives the body back is used."""
