"""Finds credentials in an exchange before it is written; a hit stops the write and names the place.

Looked for: every value handed in, every value of a credential header of this very request, the shapes that
keys have, and text that looks random where a key may stand. Where it is looked for is `readings`.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final
from urllib.parse import quote

from antiphon.harness.entropy import fingerprint, suspects
from antiphon.harness.interaction import Headers, Interaction
from antiphon.harness.keyshapes import KEY_SHAPES
from antiphon.harness.readings import readings

MIN_LENGTH: Final = 8
"""Shorter values, such as the dummy key 'ollama' of a local server, would be found in any text."""

_SHAPES: Final = tuple((shape.hints, re.compile(shape.pattern)) for shape in KEY_SHAPES.values())
_CREDENTIAL_NAME: Final = re.compile(r"auth|key|token|secret|cookie|credential|signature|password", re.I)
ACCEPTED_NAME: Final = ".antiphon-accepted"
_MASK: Final = "redacted-"
_MAX_PLACES: Final = 20
_MAX_PLACE: Final = 200


def credential_values(headers: Iterable[tuple[str, str]]) -> list[str]:
    """Return the values of headers (or parameters) whose names say that they carry credentials."""
    values = []
    for name, value in headers:
        if _CREDENTIAL_NAME.search(name):
            values.append(value)
            values.extend(value.split(None, 1)[1:])  # without the scheme: "Bearer x" -> "x"
    return values


class SecretScanner:
    """Looks for the given values, in any usual spelling, for the shapes of keys, and for what looks random.

    `accepted` are fingerprints (`entropy.fingerprint`) of texts that look random and are no secret; a value
    that was handed in or has the shape of a key can't be accepted.
    """

    def __init__(self, values: Iterable[str] = (), *, accepted: Iterable[str] = ()) -> None:
        spelled = {form for value in values if len(value) >= MIN_LENGTH for form in _spellings(value)}
        self._values = sorted(spelled, key=len, reverse=True)
        self._accepted = frozenset(accepted)

    def holds(self, text: str) -> bool:
        """Whether the text holds a given value or the shape of a key."""
        return any(value in text for value in self._values) or any(p.search(text) for p in _apt(text))

    def redact(self, text: str) -> str:
        """Return the text with every given value and every shape of a key replaced by `[redacted]`."""
        for value in self._values:
            text = text.replace(value, "[redacted]")
        for pattern in _apt(text):
            text = pattern.sub("[redacted]", text)
        return text

    def places(self, interaction: Interaction) -> list[str]:
        """Return where an exchange holds credentials, at most 20 places, never the values.

        A place where something only looks random ends with its fingerprint.
        """
        found: dict[str, None] = {}
        for reading in readings(interaction):
            place = _printable(self.redact(reading.place))
            if self.holds(reading.text):
                found[place] = None
            elif reading.single:
                for text in suspects(reading.path, reading.text):
                    if fingerprint(text) not in self._accepted:
                        found[f"{place} (looks random: {fingerprint(text)})"] = None
            if len(found) >= _MAX_PLACES:
                break
        # The raw text of a body says no more than a path inside it does.
        return [p for p in found if not any(q.startswith(f"{p} ") for q in found)]

    def scrub(self, interaction: Interaction) -> Interaction:
        """Return an exchange with every given value and key shape that stands in it as it is masked.

        A mask has its credential's length in bytes, and nothing else changes: chunks, ids, content types
        and content-length stay true. What is spelled so that it can't be masked in place (escaped, or cut in
        two by a stream) stays, and `places` still names it.
        """
        asked, answer = interaction.request, interaction.answer
        return Interaction(
            request=replace(
                asked, url=self._masked(asked.url), headers=self._all(asked.headers), body=self._bytes(asked.body)
            ),
            answer=replace(
                answer,
                headers=self._all(answer.headers),
                trailers=self._all(answer.trailers),
                body=self._bytes(answer.body),
            ),
        )

    def _all(self, headers: Headers) -> Headers:
        return tuple((name, self._masked(value)) for name, value in headers)

    def _bytes(self, body: bytes) -> bytes:
        text = body.decode("utf-8", "surrogateescape")
        return self._masked(text).encode("utf-8", "surrogateescape")

    def _masked(self, text: str) -> str:
        for value in self._values:
            text = text.replace(value, _mask(value))
        for pattern in _apt(text):
            text = pattern.sub(lambda match: _mask(match[0]), text)
        return text


def accepted_in(folder: Path) -> frozenset[str]:
    """Return the fingerprints that a folder's `.antiphon-accepted` lists, one a line, `#` starting a comment."""
    try:
        lines = (folder / ACCEPTED_NAME).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return frozenset()
    return frozenset(word for line in lines if (word := line.partition("#")[0].strip()))


def _apt(text: str) -> list[re.Pattern[str]]:
    """Return the patterns of the shapes that a text could hold."""
    lower = text.lower()
    return [pattern for hints, pattern in _SHAPES if any(hint in lower for hint in hints)]


def _mask(text: str) -> str:
    """Return words of the same length in bytes; quotes and a line end of a cookie's match stay where they were."""
    size = len(text.encode("utf-8", "surrogateescape"))
    return (_MASK * (size // len(_MASK) + 1))[:size]


def _printable(place: str) -> str:
    return place[:_MAX_PLACE].encode("utf-8", "backslashreplace").decode()


def _spellings(value: str) -> Iterator[str]:
    yield value
    yield quote(value, safe="")
    yield json.dumps(value)[1:-1]
    raw = value.encode("utf-8")
    for skip in range(3):  # base64 of a text that holds the value somewhere: three alignments
        lead = (skip * 4 + 2) // 3
        encoded = base64.b64encode(b"\0" * skip + raw).decode("ascii").rstrip("=")
        stable = encoded[lead : len(encoded) - (1 if (skip + len(raw)) % 3 else 0)]
        if len(stable) >= MIN_LENGTH:
            yield stable
            yield stable.translate(_URL_SAFE)


_URL_SAFE: Final = str.maketrans("+/", "-_")
