"""Finds credentials in an exchange before it is written; a hit stops the write and names the place.

Looked for: every value handed in, every value of a credential header of this very request, and the
shapes that keys have. Looked in: URL, headers, and bodies as text, as JSON strings (through escapes),
and as the pieces of a stream joined per field (through a key cut in two by chunking).
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import quote, unquote

from antiphon.harness import jsonbody
from antiphon.harness.interaction import Headers, Interaction

MIN_LENGTH: Final = 8
"""Shorter values, such as the dummy key 'ollama' of a local server, would be found in any text."""

_START: Final = r"(?<![A-Za-z0-9_+\-])"
# Shapes as the providers print them. A digit is asked for where words joined by hyphens could match.
KEY_SHAPES: Final[dict[str, str]] = {
    "sk-...": _START + r"sk-(?=[A-Za-z0-9_\-]*[0-9])[A-Za-z0-9_\-]{20,}",
    "AIza...": _START + r"AIza[0-9A-Za-z_\-]{35}",
    "gsk_...": _START + r"gsk_[A-Za-z0-9]{20,}",
    "xai-...": _START + r"xai-[A-Za-z0-9]{20,}",
    "pplx-...": _START + r"pplx-[A-Za-z0-9]{20,}",
    "csk-...": _START + r"csk-[a-z0-9]{20,}",
    "hf_...": _START + r"hf_[A-Za-z0-9]{30,}",
    "nvapi-...": _START + r"nvapi-[A-Za-z0-9_\-]{20,}",
    "GitHub token": _START + r"(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{30,})",
    "Google OAuth token": _START + r"ya29\.[A-Za-z0-9_\-]{20,}",
    "AWS access key": _START + r"(?:AKIA|ASIA)[0-9A-Z]{16}(?![0-9A-Za-z])",
    "AWS signature": r"X-Amz-(?:Signature|Security-Token)=[A-Za-z0-9%/+]{20,}",
    "JWT": _START + r"eyJ[A-Za-z0-9_\-]{10,}\.[A-Za-z0-9_\-]{10,}\.[A-Za-z0-9_\-]{10,}",
    "bearer token": r"(?i:bearer)\s+(?=[A-Za-z0-9_\-.~+/]*[0-9])[A-Za-z0-9_\-.~+/]{20,}=*",
    "private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
}
_SHAPES: Final = re.compile("|".join(KEY_SHAPES.values()))
_CREDENTIAL_NAME: Final = re.compile(r"auth|key|token|secret|cookie|credential|signature|password", re.I)
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
    """Looks for the given values, in any usual spelling, and for the shapes of keys."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        spelled = {form for value in values if len(value) >= MIN_LENGTH for form in _spellings(value)}
        self._values = sorted(spelled, key=len, reverse=True)

    def holds(self, text: str) -> bool:
        """Whether the text holds a credential."""
        return any(value in text for value in self._values) or _SHAPES.search(text) is not None

    def redact(self, text: str) -> str:
        """Return the text with every credential replaced by `[redacted]`."""
        for value in self._values:
            text = text.replace(value, "[redacted]")
        return _SHAPES.sub("[redacted]", text)

    def places(self, interaction: Interaction) -> list[str]:
        """Return where an exchange holds credentials, at most 20 places, never the values."""
        found: dict[str, None] = {}
        for place, text in _readings(interaction):
            if self.holds(text):
                found[_printable(self.redact(place))] = None
                if len(found) == _MAX_PLACES:
                    break
        # The raw text of a body says no more than a path inside it does.
        return [p for p in found if not any(q.startswith(f"{p} ") for q in found)]


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


def _readings(interaction: Interaction) -> Iterator[tuple[str, str]]:
    asked, answer = interaction.request, interaction.answer
    yield "request.url", asked.url
    yield "request.url", unquote(asked.url)
    yield from _of_headers("request.headers", asked.headers)
    yield from _of_body("request.body", asked.body)
    yield "response.status", answer.reason
    yield from _of_headers("response.headers", answer.headers)
    yield from _of_body("response.body", answer.body)
    if answer.failure is not None:
        yield "response.failure", answer.failure.message
    if answer.provenance is not None:
        yield "provenance", " ".join(str(value) for value in (answer.provenance.scenario,) if value)


def _of_headers(place: str, headers: Headers) -> Iterator[tuple[str, str]]:
    for name, value in headers:
        yield f"{place}.{name}", f"{name}: {value}"


def _of_body(place: str, body: bytes) -> Iterator[tuple[str, str]]:
    yield place, body.decode("utf-8", "replace")
    try:
        value = jsonbody.parse(body)
    except jsonbody.NotJsonError:
        yield from _of_lines(place, body)
        return
    for path, text in jsonbody.texts(value):
        yield f"{place} at {path}", text


def _of_lines(place: str, body: bytes) -> Iterator[tuple[str, str]]:
    """Read server-sent events and JSON lines: each event, then each field joined over all events."""
    joined: dict[str, list[str]] = {}
    number = 0
    for line in _LINE_END.split(body):
        try:
            value = jsonbody.parse(line.removeprefix(b"data:"))
        except jsonbody.NotJsonError:
            continue
        for path, text in jsonbody.texts(value):
            yield f"{place} at event {number}, {path}", text
            joined.setdefault(path, []).append(text)
        number += 1
    for path, pieces in joined.items():
        if len(pieces) > 1:
            yield f"{place} at {path} joined over events", "".join(pieces)


_LINE_END: Final = re.compile(rb"\r\n|\r|\n")
_URL_SAFE: Final = str.maketrans("+/", "-_")
