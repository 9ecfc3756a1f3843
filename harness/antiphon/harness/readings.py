"""Every text of an exchange in which a credential could hide, with the place that an error may name.

URL, headers, and bodies: as they are, as JSON strings (through escapes), as the pieces of a stream joined per
field (through a key cut in two by chunking), decompressed, and out of base64.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from antiphon.harness import jsonbody
from antiphon.harness.interaction import Headers, Interaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A text, its place, and the name or JSON path that it stands under; `single` where it is one value."""

    place: str
    text: str
    path: str = ""
    single: bool = False


def readings(interaction: Interaction) -> Iterator[Reading]:
    """Yield every text of an exchange, some of them in several readings."""
    asked, answer = interaction.request, interaction.answer
    yield Reading(place="request.url", text=asked.url)
    yield Reading(place="request.url", text=unquote(asked.url))
    for name, value in parse_qsl(urlsplit(asked.url).query):
        yield Reading(place="request.url", text=value, path=name, single=True)
    yield from _of_headers("request.headers", asked.headers)
    yield from _of_body("request.body", asked.body, _MOST_LAYERS)
    yield Reading(place="response.status", text=answer.reason)
    yield from _of_headers("response.headers", answer.headers)
    yield from _of_headers("response.trailers", answer.trailers)
    yield from _of_body("response.body", answer.body, _MOST_LAYERS)
    if answer.failure is not None:
        yield Reading(place="response.failure", text=answer.failure.message)
    if answer.provenance is not None:
        known = (answer.provenance.scenario, answer.provenance.licence)
        yield Reading(place="provenance", text=" ".join(value for value in known if value))


def _of_headers(place: str, headers: Headers) -> Iterator[Reading]:
    for name, value in headers:
        yield Reading(place=f"{place}.{name}", text=f"{name}: {value}")
        yield Reading(place=f"{place}.{name}", text=value, path=name if "id" not in name else "id", single=True)


def _of_body(place: str, body: bytes, layers: int) -> Iterator[Reading]:
    text = body.decode("utf-8", "replace")
    yield Reading(place=place, text=text)
    if body[:2] == _GZIP:
        yield from _unpacked(place, body, layers)
        return
    if not (yield from _of_json(place, body, layers)):
        yield from _of_lines(place, body, layers)


def _of_json(place: str, body: bytes, layers: int) -> Generator[Reading, None, bool]:
    """Read every string of a JSON text; returns whether it was one."""
    try:
        value = jsonbody.parse(body)
    except jsonbody.NotJsonError:
        return False
    for path, part in jsonbody.texts(value):
        yield from _of_string(f"{place} at {path}", path, part, layers)
    return True


def _of_lines(place: str, body: bytes, layers: int) -> Iterator[Reading]:
    """Read a stream: each event, then each field joined over all events, then what is no event."""
    joined: dict[str, list[str]] = {}
    other: list[bytes] = []
    number = 0
    binary = _is_binary(body)
    for line in _TEXT.findall(body) if binary else _LINE_END.split(body):
        try:
            value = jsonbody.parse(_json_in(line) if binary else line.removeprefix(b"data:"))
        except jsonbody.NotJsonError:
            if not body.startswith(b"--") or not line.startswith(b"--"):  # a multipart border is random text
                other.append(line)
            continue
        for path, text in jsonbody.texts(value):
            yield from _of_string(f"{place} at event {number}, {path}", path, text, layers)
            joined.setdefault(path, []).append(text)
        number += 1
    for path, pieces in joined.items():
        if len(pieces) > 1:
            yield Reading(place=f"{place} at {path} joined over events", text="".join(pieces))
    rest = b"\n".join(other).decode("utf-8", "replace")
    yield from _of_string(place, "data" if binary else "", rest, layers)


def _is_binary(body: bytes) -> bool:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return True
    return b"\0" in body


def _json_in(text: bytes) -> bytes:
    """Return the object in a readable piece of a binary event stream, without the frame around it."""
    return text[text.find(b"{") : text.rfind(b"}") + 1]


def _of_string(place: str, path: str, text: str, layers: int) -> Iterator[Reading]:
    """Read one value, and what its base64 holds."""
    inner = list(_of_json(place, text.encode("utf-8", "surrogatepass"), layers - 1)) if layers else []
    # JSON as text, such as a tool's arguments, is read member by member.
    yield Reading(place=place, text=text, path=path, single=not inner)
    yield from inner
    if not layers or len(text) < _SHORTEST_BASE64:
        return
    for match in _BASE64.finditer(text):
        encoded = match[0].translate(_STANDARD)
        try:
            raw = base64.b64decode(encoded + "=" * (-len(encoded) % 4))
        except binascii.Error:
            continue
        inside = f"{place} (base64)"
        if raw[:2] == _GZIP or raw[:1] in (b"{", b"["):
            yield from _of_body(inside, raw, layers - 1)
        else:
            yield Reading(place=inside, text=raw.decode("latin-1"))


def _unpacked(place: str, body: bytes, layers: int) -> Iterator[Reading]:
    """Read a body that was stored compressed; one that can't be unpacked has been read as it is."""
    decoder = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        plain = decoder.decompress(body, _MOST_UNPACKED)
    except zlib.error:
        return
    if layers:
        yield from _of_body(f"{place} (decompressed)", plain, layers - 1)


_MOST_LAYERS: Final = 2
"""Base64 in gzip in base64 is where reading ends."""
_MOST_UNPACKED: Final = 64 * 1024 * 1024
_GZIP: Final = b"\x1f\x8b"
_SHORTEST_BASE64: Final = 24
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_\-]{24,}+={0,2}")
_STANDARD: Final = str.maketrans("-_", "+/", "=")
_TEXT: Final = re.compile(rb"[\t\n\r\x20-\x7e\x80-\xff]{8,}")
_LINE_END: Final = re.compile(rb"\r\n|\r|\n")
