"""Secrets are taken out of every text that leaves as log or span, whoever put them there.

Two nets: the values that were registered when they were loaded, and the shapes of keys, for a secret that no one
registered (a caller's own, or one that a provider echoes in an error).
"""

from __future__ import annotations

import json
import re
from typing import Final
from urllib.parse import quote

from antiphon.core.telemetry.memo import Memo

REDACTED: Final = "[redacted]"
MIN_LENGTH: Final = 6
"""Shorter values are not looked for: they would redact ordinary words."""
MAX_TEXT: Final = 256
"""Characters of a text in a span."""

_SHAPES: Final = re.compile(
    r"""
      \b(?P<scheme>(?i:bearer|basic))\s+                             # an authorization header, and not a word of prose
      (?=[A-Za-z0-9._~+/-]*[A-Z0-9_=-])[A-Za-z0-9._~+/=-]{8,}
    | \b(?:sk|ak|pk|rk|xai|gsk|pplx|csk|fw|hf|r8|tgp|key)[-_][A-Za-z0-9_-]{12,}    # provider and caller keys
    | \bAIza[A-Za-z0-9_-]{20,}                                     # Google
    | \b(?:AKIA|ASIA)[A-Z0-9]{12,}                                 # AWS
    | \beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*    # a JSON web token
    """,
    re.VERBOSE,
)

_spellings: set[str] = set()
_values: re.Pattern[str] | None = None


def register_secret(value: str) -> None:
    """Never let this value out: from now on it is replaced in logs and spans, however it is spelled there."""
    global _values  # the secrets of a process are one set
    if len(value) < MIN_LENGTH:
        return
    _spellings.update(_spelled(value))
    _values = re.compile("|".join(re.escape(text) for text in sorted(_spellings, key=len, reverse=True)))
    words.clear()


def _spelled(value: str) -> set[str]:
    """The value itself, in a URL, as Python shows it, and in JSON: up to JSON text inside JSON."""
    found = {value, quote(value, safe=""), repr(value)[1:-1], repr(value.encode())[2:-1]}
    for _ in range(2):
        found |= {json.dumps(text, ensure_ascii=ascii_only)[1:-1] for text in found for ascii_only in (True, False)}
    return found


def redact(text: str) -> str:
    """The text without secrets."""
    if _values is not None:
        text = _values.sub(REDACTED, text)
    return _SHAPES.sub(_replacement, text)


def label(text: str) -> str:
    """The text as a span may carry it: without secrets, and short."""
    if _values is not None:
        text = _values.sub(REDACTED, text)
    return _SHAPES.sub(_replacement, text)[:MAX_TEXT]


def _replacement(match: re.Match[str]) -> str:
    scheme = match["scheme"]
    return f"{scheme} {REDACTED}" if scheme else REDACTED


words: Final[Memo[str, str]] = Memo(label, worth=str.__eq__)
"""The same by text, for texts that come again, such as names of models: those found clean are not looked through again.
"""
