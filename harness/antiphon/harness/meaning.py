"""What a request's body says, whatever way its bytes say it.

Matching, the structural diff and the search for the nearest recording compare values, not bytes: JSON whatever its
key order and number spelling, multipart parts whatever their boundary, form fields whatever their order. Any other
body means its bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from typing import Final
from urllib.parse import parse_qsl

from antiphon.harness import jsonbody
from antiphon.harness.interaction import RecordedRequest

JSON: Final = "json"
MULTIPART: Final = "multipart"
FORM: Final = "form"
BYTES: Final = "bytes"

_MAX_PARTS: Final = 1000
_SHOWN_TEXT: Final = 64 * 1024
"""Longer part contents are compared by hash: they are files, and a diff of them helps nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """A body as a value. `value` is None for `kind` bytes."""

    kind: str
    value: jsonbody.Json = None


_OPAQUE: Final = Meaning(kind=BYTES)


def meaning_of(request: RecordedRequest) -> Meaning:
    """Return what a request's body says. A body that isn't what its content type claims means its bytes."""
    try:
        return Meaning(kind=JSON, value=jsonbody.parse(request.body))
    except jsonbody.NotJsonError:
        pass
    declared = _header(request, "content-type")
    kind = declared.split(";", 1)[0].strip().lower()
    if kind == "multipart/form-data":
        parts = _parts(request.body, declared)
        return _OPAQUE if parts is None else Meaning(kind=MULTIPART, value={"parts": parts})
    if kind == "application/x-www-form-urlencoded":
        return _form(request.body)
    return _OPAQUE


def _header(request: RecordedRequest, name: str) -> str:
    return next((value for key, value in request.headers if key.lower() == name), "")


def _form(body: bytes) -> Meaning:
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=bool(body), max_num_fields=1000)
    except ValueError:  # not ASCII, not pairs, or too many
        return _OPAQUE
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return Meaning(kind=FORM, value=fields)


def _parts(body: bytes, declared: str) -> list[Mapping[str, jsonbody.Json]] | None:
    """Return the parts in order (RFC 7578), None where the body isn't well formed."""
    boundary = _parameters("content-type", declared).get_boundary()
    if not boundary:
        return None
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary.encode("latin-1", "replace"), _MAX_PARTS + 1)
    if len(pieces) < 2 or len(pieces) > _MAX_PARTS or pieces[0] or not pieces[-1].startswith(b"--"):
        return None
    parts = []
    for piece in pieces[1:-1]:
        padding, ended, rest = piece.partition(b"\r\n")
        if padding.strip(b" \t") or not ended:
            return None
        head, ended, content = (b"\r\n" + rest).partition(b"\r\n\r\n")
        if not ended:
            return None
        parts.append(_part(head.decode("utf-8", "surrogateescape"), content))
    return parts


def _part(head: str, content: bytes) -> Mapping[str, jsonbody.Json]:
    part: dict[str, jsonbody.Json] = {}
    for line in head.split("\r\n"):
        name, _, value = line.partition(":")
        match name.strip().lower():
            case "content-disposition":
                disposition = _parameters("content-disposition", value.strip())
                part["name"] = disposition.get_param("name", "", "content-disposition")
                part["filename"] = disposition.get_filename()
            case "content-type":
                part["type"] = value.strip().lower()
    return {key: value for key, value in part.items() if value is not None} | _content(content)


def _content(content: bytes) -> dict[str, jsonbody.Json]:
    try:
        return {"json": jsonbody.parse(content)}
    except jsonbody.NotJsonError:
        pass
    try:
        if len(content) <= _SHOWN_TEXT:
            return {"text": content.decode("utf-8")}
    except UnicodeDecodeError:
        pass
    return {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _parameters(name: str, value: str) -> Message:
    message = Message()
    message[name] = value.replace("\r", " ").replace("\n", " ")
    return message
