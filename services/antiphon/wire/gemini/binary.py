"""Binary content and lengths of time as Google's JSON writes them."""

from __future__ import annotations

import base64
import binascii

from google.protobuf.duration_pb2 import Duration

URL_SAFE = "url_safe"
"""Spelling: base64 with `-` and `_`, as Google's Python SDK writes it."""
UNPADDED = "unpadded"


def read_base64(text: str) -> tuple[bytes, tuple[str, ...]] | None:
    """The bytes, and the names of its spelling; None for what cannot be written again as it was."""
    for names in ((), (URL_SAFE,), (UNPADDED,), (URL_SAFE, UNPADDED)):
        padded = text + "=" * (-len(text) % 4) if UNPADDED in names else text
        try:
            data = base64.b64decode(padded, altchars=b"-_" if URL_SAFE in names else None, validate=True)
        except (binascii.Error, ValueError):
            continue
        if write_base64(data, names) == text:
            return data, names
    return None


def write_base64(data: bytes, names: tuple[str, ...] = ()) -> str:
    """The base64 of `data` in that spelling."""
    text = (base64.urlsafe_b64encode(data) if URL_SAFE in names else base64.b64encode(data)).decode()
    return text.rstrip("=") if UNPADDED in names else text


def read_duration(text: object, target: Duration) -> bool:
    """Set `target` from a text such as "1.5s"; whether it is one."""
    if not isinstance(text, str):
        return False
    try:
        target.FromJsonString(text)
    except ValueError:
        target.Clear()
        return False
    return True


def write_duration(duration: Duration) -> str:
    """A text such as "1.5s", without zeros at its end."""
    whole, dot, fraction = duration.ToJsonString()[:-1].partition(".")
    fraction = fraction.rstrip("0")
    return f"{whole}{dot if fraction else ''}{fraction}s"
