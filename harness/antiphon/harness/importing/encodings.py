"""Bodies out of their content-encoding: what is stored decoded is searched for secrets and read in a diff."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Final

from antiphon.harness.interaction import Headers


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """A decoded body, headers that are true of it, and the encoding that it had."""

    body: bytes
    headers: Headers
    encoding: str | None


def decoded(body: bytes, headers: Headers) -> Plain:
    """Return a body decoded; raises ValueError for one that can't be.

    Many recorders keep `content-encoding` over a body that they have decoded, so the bytes decide.
    """
    said = [value.strip().lower() for name, value in headers if name == "content-encoding"]
    encoding = next((word for word in said if word and word != "identity"), None)
    plain = _unpacked(body, encoding) if encoding else body
    kept = tuple(
        (name, value)
        for name, value in headers
        if name not in ("content-encoding", "transfer-encoding")
        and (name != "content-length" or value == str(len(plain)))
    )
    return Plain(body=plain, headers=kept, encoding=encoding)


def _unpacked(body: bytes, encoding: str) -> bytes:
    if encoding in _DECODABLE:
        for window in _WINDOWS:
            decoder = zlib.decompressobj(window)
            try:
                plain = decoder.decompress(body, _MOST_BYTES)
            except zlib.error:
                continue
            if decoder.eof:
                return plain
            raise ValueError(
                f"its body holds more than {_MOST_BYTES} bytes" if decoder.unconsumed_tail else "its body is cut short"
            )
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"its body is {encoding[:40]}, which can't be searched for secrets; store it decoded and import again"
        ) from error
    return body


_DECODABLE: Final = ("gzip", "x-gzip", "deflate")
_WINDOWS: Final = (16 + zlib.MAX_WBITS, zlib.MAX_WBITS)
"""gzip and zlib; without either header, no bytes could be told from a text that was stored decoded."""
_MOST_BYTES: Final = 64 * 1024 * 1024
